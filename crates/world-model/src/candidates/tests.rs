use super::*;
use crate::LidarScan;
use crate::test_scenes::{Room, half_circle};

/// A flat scan at one distance, so that values tell scans apart.
fn at_distance(range_m: f32) -> LidarScan {
    let geometry = half_circle(5);
    LidarScan {
        geometry,
        ranges_m: vec![range_m; geometry.n_beams].into(),
    }
}

fn window(scans: &[(f64, LidarScan)]) -> ScanWindow {
    let posed = scans.iter().map(|(age_secs, scan)| WindowScan {
        scan: Arc::new(RenderableScan::new(scan)),
        newest_from_scan: Pose2::IDENTITY,
        age_secs: *age_secs,
    });
    ScanWindow::new(half_circle(5), posed.collect())
}

#[test]
fn each_candidate_looks_at_its_own_window() {
    let ages = [
        (0.0, 4.0),
        (0.5, 5.0),
        (1.0, 2.0),
        (3.0, 1.0),
        (19.0, 0.5),
        (21.0, 0.1),
    ];
    let scans: Vec<(f64, LidarScan)> = ages
        .iter()
        .map(|&(age, range)| (age, at_distance(range)))
        .collect();
    let set = window(&scans).candidates(Pose2::IDENTITY, Duration::ZERO);
    let check = |candidate, expected: f32| {
        for &range in set.row(candidate) {
            assert!(
                (range - expected).abs() < 1e-5,
                "{candidate:?}: {range} for {expected}"
            );
        }
    };
    check(Candidate::Last, 4.0);
    check(Candidate::LastNearFill, 4.0);
    check(Candidate::Map1Latest, 4.0);
    check(Candidate::Map1Med3, 4.0);
    check(Candidate::Map5Med3, 4.0);
    check(Candidate::Map5Min, 1.0);
    check(Candidate::Map20Latest, 4.0);
    check(Candidate::Map20Min, 0.5);
    assert!(set.holes.iter().all(|hole| !hole));
    assert!(
        set.spread_m
            .iter()
            .all(|spread| (spread - 3.0).abs() < 1e-5)
    );
    assert!(set.age_secs.iter().all(|&age| age.abs() < 1e-9));
}

#[test]
fn the_median_of_two_is_their_mean_and_of_one_itself() {
    let two = window(&[(0.0, at_distance(4.0)), (0.5, at_distance(5.0))]);
    let set = two.candidates(Pose2::IDENTITY, Duration::ZERO);
    assert!(
        set.row(Candidate::Map1Med3)
            .iter()
            .all(|range| (range - 4.5).abs() < 1e-5)
    );
    let one = window(&[(0.0, at_distance(4.0)), (2.0, at_distance(5.0))]);
    let set = one.candidates(Pose2::IDENTITY, Duration::ZERO);
    assert!(
        set.row(Candidate::Map1Med3)
            .iter()
            .all(|range| (range - 4.0).abs() < 1e-5)
    );
    assert!(
        set.row(Candidate::Map5Med3)
            .iter()
            .all(|range| (range - 4.5).abs() < 1e-5)
    );
}

#[test]
fn a_hole_is_filled_from_its_neighbours_or_from_older_scans() {
    let geometry = half_circle(5);
    let newest = LidarScan {
        geometry,
        ranges_m: vec![3.0, 3.0, 81.0, 6.0, 6.0].into(),
    };
    let older = LidarScan {
        geometry,
        ranges_m: vec![4.0, 4.0, 4.5, 4.0, 81.0].into(),
    };
    let set = window(&[(0.0, newest), (0.4, older)]).candidates(Pose2::IDENTITY, Duration::ZERO);
    assert_eq!(
        set.hole_row(Candidate::Last),
        [false, false, true, false, false]
    );
    assert!((set.row(Candidate::Last)[2] - 6.0).abs() < 1e-5);
    assert!((set.row(Candidate::LastNearFill)[2] - 3.0).abs() < 1e-5);
    assert_eq!(set.hole_row(Candidate::Map1Latest), [false; 5]);
    assert!((set.row(Candidate::Map1Latest)[2] - 4.5).abs() < 1e-5);
    assert_eq!(set.age_secs, [0.0, 0.0, 0.4, 0.0, 0.0]);
    assert!(set.spread_m[2].abs() < 1e-6);
    assert!((set.spread_m[0] - 1.0).abs() < 1e-5);
}

#[test]
fn an_empty_window_expects_the_longest_range_everywhere() {
    let set = window(&[]).candidates(Pose2::IDENTITY, Duration::ZERO);
    assert_eq!(set.ranges_m, vec![RANGE_MAX_M; N_CANDIDATES * 5]);
    assert!(set.holes.iter().all(|&hole| hole));
    assert_eq!(set.age_secs, vec![WINDOW_SECS as f32; 5]);
}

#[test]
fn candidates_stay_within_what_a_prediction_may_state() {
    let room = Room {
        half_x_m: 19.0,
        half_y_m: 19.0,
    };
    let scan = room.scan(half_circle(5), Pose2::IDENTITY);
    let set = window(&[(0.0, scan)]).candidates(Pose2::new(-15.0, 0.0, 0.0), Duration::ZERO);
    assert!(
        set.ranges_m
            .iter()
            .all(|range| (PREDICTION_MIN_M..=RANGE_MAX_M).contains(range))
    );
}
