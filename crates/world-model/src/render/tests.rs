use proptest::prelude::*;

use super::*;
use crate::test_scenes::{Room, half_circle};

fn render(scan: &LidarScan, scan_from_view: Pose2) -> Vec<f64> {
    Renderer::new(scan.geometry)
        .render(&RenderableScan::new(scan), scan_from_view)
        .to_vec()
}

proptest! {
    #[test]
    fn a_room_seen_from_a_moved_pose_has_the_analytic_ranges(
        x in -1.5..1.5f64, y in -1.0..1.0f64, yaw in -1.0..1.0f64,
    ) {
        let room = Room { half_x_m: 4.0, half_y_m: 3.0 };
        let geometry = half_circle(361);
        let moved = Pose2::new(x, y, yaw);
        let seen = render(&room.scan(geometry, Pose2::IDENTITY), moved);
        let expected = room.scan(geometry, moved);
        let mut n_seen = 0;
        for (beam, &range) in seen.iter().enumerate() {
            if range.is_nan() {
                continue;
            }
            n_seen += 1;
            let truth = f64::from(expected.ranges_m[beam]);
            // Across a corner the outline cuts it short, by less than the distance of its points.
            prop_assert!((range - truth).abs() < 0.05, "beam {beam}: {range} for {truth}");
        }
        prop_assert!(n_seen > 361 / 4, "{n_seen}");
    }

    #[test]
    fn absurd_poses_give_holes_and_never_panic(
        x in prop::num::f64::ANY, y in prop::num::f64::ANY, yaw in prop::num::f64::ANY,
    ) {
        let room = Room { half_x_m: 4.0, half_y_m: 3.0 };
        let view = render(&room.scan(half_circle(31), Pose2::IDENTITY), Pose2::new(x, y, yaw));
        prop_assert!(view.iter().all(|range| range.is_nan() || *range >= 0.0));
    }
}

#[test]
fn a_scan_seen_from_its_own_pose_is_itself() {
    let room = Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    };
    let scan = room.scan(half_circle(181), Pose2::new(0.7, -0.4, 0.3));
    for (got, expected) in render(&scan, Pose2::IDENTITY)
        .iter()
        .zip(scan.ranges_m.iter())
    {
        assert!(
            (got - f64::from(*expected)).abs() < 1e-4,
            "{got} for {expected}"
        );
    }
}

#[test]
fn invalid_beams_and_depth_edges_are_holes_from_the_side() {
    let geometry = half_circle(181);
    let mut scan = Room {
        half_x_m: 10.0,
        half_y_m: 10.0,
    }
    .scan(geometry, Pose2::IDENTITY);
    let mut ranges = scan.ranges_m.to_vec();
    ranges[80..100].fill(2.0);
    ranges[10..20].fill(81.91);
    scan.ranges_m = ranges.into();
    let still = render(&scan, Pose2::IDENTITY);
    assert!(still[10..20].iter().all(|range| range.is_nan()));
    let from_left = render(&scan, Pose2::new(0.0, 2.0, 0.0));
    let n_holes = |row: &[f64]| row.iter().filter(|range| range.is_nan()).count();
    assert!(n_holes(&from_left[..90]) > n_holes(&still[..90]) + 5);
}

#[test]
fn a_wall_at_a_grazing_angle_is_one_surface() {
    let wall = |k: u32| 1.0 / (0.05 + 0.02 * f64::from(k));
    let ranges: Vec<f64> = (0..8).map(wall).collect();
    assert!(ranges[0] - ranges[1] > EDGE_M, "far apart in range");
    let joined = joined_to_next(&ranges, &[true; 8]);
    assert_eq!(joined, [true, true, true, true, true, true, true, false]);
    let mut jump = ranges;
    jump[4..].iter_mut().for_each(|range| *range += 9.0);
    assert!(!joined_to_next(&jump, &[true; 8])[3]);
}

#[test]
fn holes_are_filled_from_the_nearest_values() {
    let nan = f64::NAN;
    let check = |fill: fn(&mut [f64]), row: &[f64], expected: &[f64]| {
        let mut row = row.to_vec();
        fill(&mut row);
        assert_eq!(row, expected);
    };
    let row = [nan, 1.0, nan, nan, 3.0, nan, 2.0, nan];
    check(fill_far, &row, &[1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.0]);
    check(fill_near, &row, &[1.0, 1.0, 1.0, 1.0, 3.0, 2.0, 2.0, 2.0]);
    check(fill_far, &[nan, nan], &[20.0, 20.0]);
    check(fill_near, &[], &[]);
}

#[test]
fn apart_from_movers_the_rest_is_seen_as_before_and_everything_as_ever() {
    let room = Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    };
    let mut ranges = room
        .scan(half_circle(181), Pose2::IDENTITY)
        .ranges_m
        .to_vec();
    ranges[80..90].fill(1.5);
    let scan = LidarScan {
        geometry: half_circle(181),
        ranges_m: ranges.into(),
    };
    let hits: Vec<bool> = (0..181).map(|beam| (80..90).contains(&beam)).collect();
    let from = Pose2::new(0.3, -0.2, 0.1);
    let mut renderer = Renderer::new(scan.geometry);
    let bits = |row: &[f64]| {
        row.iter()
            .map(|range| range.to_bits())
            .collect::<Vec<u64>>()
    };
    let before = bits(renderer.render(&RenderableScan::new(&scan), from));
    let views = renderer.render_apart(&RenderableScan::with_movers(&scan, &hits), from);
    assert_eq!(bits(views.all), before);
    let is_near = |range: &&f64| **range < 2.0;
    assert!(views.all.iter().filter(is_near).count() > 5);
    assert_eq!(views.still.iter().filter(is_near).count(), 0);
    let same = views.all.iter().zip(views.still);
    let differ = same.filter(|(all, still)| all.to_bits() != still.to_bits());
    assert!(differ.count() < 20);
}
