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

#[test]
fn where_nothing_moves_what_stands_is_the_map_bit_for_bit() {
    let room = Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    };
    let posed = (0..4).map(|k| {
        let from = Pose2::new(0.1 * f64::from(k), 0.0, 0.05 * f64::from(k));
        WindowScan {
            scan: Arc::new(RenderableScan::new(&room.scan(half_circle(61), from))),
            newest_from_scan: from,
            age_secs: 0.1 * f64::from(k),
        }
    });
    let window = ScanWindow::new(half_circle(61), posed.collect());
    let set = window.candidates(Pose2::new(0.4, 0.1, -0.2), Duration::from_secs(1));
    let standing = [
        Candidate::StillMed3,
        Candidate::Movers,
        Candidate::MoversWide,
        Candidate::Neighbours,
    ];
    for candidate in standing {
        assert_eq!(set.row(candidate), set.row(Candidate::Map20Med3));
        assert_eq!(set.hole_row(candidate), set.hole_row(Candidate::Map20Med3));
    }
    assert!(set.movers.nearness.iter().all(|value| value.abs() < 1e-9));
}

#[test]
fn a_movers_points_are_no_part_of_what_stands_and_it_is_drawn_where_it_will_be() {
    let mut ranges = vec![6.0; 181];
    ranges[86..=94].fill(2.0);
    let geometry = half_circle(181);
    let scan = LidarScan {
        geometry,
        ranges_m: ranges.into(),
    };
    let hits: Vec<bool> = (0..181).map(|beam| (86..=94).contains(&beam)).collect();
    let wall = LidarScan {
        geometry,
        ranges_m: vec![6.0; 181].into(),
    };
    let posed = [
        (0.0, RenderableScan::with_movers(&scan, &hits)),
        (1.0, RenderableScan::new(&wall)),
    ];
    let posed = posed.map(|(age_secs, scan)| WindowScan {
        scan: Arc::new(scan),
        newest_from_scan: Pose2::IDENTITY,
        age_secs,
    });
    let mover = crate::Mover {
        id: 1,
        position_m: [2.2, 0.0],
        velocity_mps: [0.0, 1.0],
        covariance: nalgebra::Matrix4::identity() * 1e-4,
        radius_m: 0.2,
        age_secs: 3.0,
        unseen_secs: 0.0,
    };
    let company = Company {
        movers: vec![mover].into(),
        neighbours: Reused::new(),
    };
    let window = ScanWindow::new(geometry, Vec::from(posed).into()).with_company(company);
    let set = window.candidates(Pose2::IDENTITY, Duration::from_secs(2));
    assert!((set.row(Candidate::Last)[90] - 2.0).abs() < 1e-4);
    let still = set.row(Candidate::StillMed3);
    assert!(
        still.iter().all(|range| (range - 6.0).abs() < 0.05),
        "{still:?}"
    );
    // At (2.2, 2.0): to the left.
    let there = 90 + 42;
    let expected = 2.2_f32.hypot(2.0) - 0.2;
    for candidate in [Candidate::Movers, Candidate::Neighbours] {
        let row = set.row(candidate);
        assert!((row[there] - expected).abs() < 0.02, "{}", row[there]);
        assert!((row[90] - 6.0).abs() < 0.05);
    }
    assert!(set.movers.nearness[there] > 0.9);
    assert!((set.movers.speed_mps[there] - 1.0).abs() < 1e-6);
}
