use super::*;

const N_BEAMS: usize = 360;

/// A wall all around at 6 m with things before it: middle beam, beams on each side, range.
fn scan(things: &[(usize, usize, f32)]) -> LidarScan {
    let mut ranges = vec![6.0; N_BEAMS];
    for &(middle, side, range) in things {
        ranges[middle - side..=middle + side].fill(range);
    }
    LidarScan {
        geometry: crate::conformance::full_circle(N_BEAMS),
        ranges_m: ranges.into(),
    }
}

fn clusters_of(scan: &LidarScan, fresh: &[bool]) -> Reused<Cluster> {
    ScanPoints::new(scan, Pose2::IDENTITY).clusters(fresh)
}

#[test]
fn small_things_apart_are_clusters_and_walls_are_not() {
    let clusters = clusters_of(&scan(&[(100, 4, 3.0), (200, 2, 4.0)]), &[false; N_BEAMS]);
    let beams: Vec<Range<usize>> = clusters.iter().map(|it| it.beams.clone()).collect();
    assert_eq!(beams, [96..105, 198..203]);
    assert!(clusters.iter().all(|it| it.is_cut == [false, false]));
}

#[test]
fn dropped_beams_do_not_cut_a_thing_in_two() {
    let mut gaps = scan(&[(100, 5, 3.0)]).ranges_m.to_vec();
    (gaps[99], gaps[100]) = (0.0, 81.91);
    let scan = LidarScan {
        ranges_m: gaps.into(),
        ..scan(&[])
    };
    let clusters = clusters_of(&scan, &[false; N_BEAMS]);
    assert_eq!(clusters.len(), 1, "{clusters:?}");
    assert_eq!(clusters[0].beams, 95..106);
}

#[test]
fn what_is_new_before_a_wall_that_it_touches_is_a_cluster() {
    let mut fresh = [false; N_BEAMS];
    fresh[100..108].fill(true);
    let clusters = clusters_of(&scan(&[(103, 4, 5.85)]), &fresh);
    assert_eq!(clusters.len(), 1, "{clusters:?}");
    assert_eq!(clusters[0].beams, 100..108);
    assert!((clusters[0].fresh_share - 1.0).abs() < 1e-9);
}

#[test]
fn a_disc_is_measured_whole_and_by_the_edge_that_shows() {
    let geometry = crate::conformance::full_circle(720);
    let centre = Vector2::new(2.5, 1.0);
    let radius_m = 0.3;
    let disc = |beam: usize| {
        let (sin, cos) = geometry.angle_rad(beam).sin_cos();
        let (along, across) = (
            centre.x * cos + centre.y * sin,
            centre.y * cos - centre.x * sin,
        );
        let hits = along > 0.0 && across.abs() < radius_m;
        hits.then(|| (along - (radius_m * radius_m - across * across).sqrt()) as f32)
    };
    let whole: Vec<f32> = (0..720).map(|beam| disc(beam).unwrap_or(8.0)).collect();
    // Something nearer hides what is to the right of the disc's middle.
    let middle = centre.y.atan2(centre.x);
    let half: Vec<f32> = (0..720)
        .map(|beam| {
            let angle = geometry.angle_rad(beam);
            if angle < middle && angle > middle - 0.5 {
                1.0
            } else {
                whole[beam]
            }
        })
        .collect();
    for (ranges, expected_off, is_whole) in [(whole.clone(), 0.02, true), (half, 0.05, false)] {
        let scan = LidarScan {
            geometry,
            ranges_m: ranges.into(),
        };
        let points = ScanPoints::new(&scan, Pose2::IDENTITY);
        let clusters = points.clusters(&[false; 720]);
        let near = |it: &&Cluster| (it.middle - centre).norm() < 0.5;
        let cluster = clusters.iter().find(near).unwrap();
        let sight = points.measure(cluster, radius_m);
        let off = (sight.centre - centre).norm();
        assert!(off < expected_off, "{off} {is_whole}");
        assert_eq!(sight.radius_m.is_some(), is_whole);
        if let Some(radius) = sight.radius_m {
            assert!((radius - radius_m).abs() < 0.03, "{radius}");
        }
    }
}
