use proptest::prelude::*;

use super::*;
use crate::conformance::{crowded_drive, full_circle};
use crate::crowd::Crowd;
use crate::test_scenes::{Room, scan_with_discs};
use crate::{
    Candidate, Horizons, MetricRow, MotionModel, Protocol, RegisteredScans, ScanGeometry,
    evaluate_candidates,
};

const ROOM: Room = Room {
    half_x_m: 5.0,
    half_y_m: 4.0,
};
const GEOMETRY: ScanGeometry = ScanGeometry {
    first_angle_rad: -std::f64::consts::PI,
    step_rad: std::f64::consts::PI / 180.0,
    n_beams: 360,
};

fn at(secs: f64) -> Stamp {
    Stamp::from_secs(secs).unwrap()
}

/// The room from a pose with discs in it: centre, radius.
fn scan_with(discs: &[([f64; 2], f64)], from: Pose2) -> LidarScan {
    scan_with_discs(ROOM, GEOMETRY, discs, from)
}

/// Ten scans a second of discs that move as told, seen from the origin.
fn track(secs: f64, discs: impl Fn(f64) -> Vec<([f64; 2], f64)>) -> MoverTracker {
    let mut tracker = MoverTracker::default();
    for k in 0..=(secs * 10.0).round() as u32 {
        let secs = f64::from(k) * 0.1;
        let scan = scan_with(&discs(secs), Pose2::IDENTITY);
        tracker.observe(at(secs), &scan, Pose2::IDENTITY);
    }
    tracker
}

#[test]
fn who_crosses_the_room_is_followed_with_its_velocity_and_size() {
    let tracker = track(3.0, |secs| vec![([2.0, -2.0 + 1.2 * secs], 0.3)]);
    let movers = tracker.movers();
    assert_eq!(movers.len(), 1, "{movers:?}");
    let mover = movers[0];
    let off = (mover.position_m[0] - 2.0).hypot(mover.position_m[1] - 1.6);
    assert!(off < 0.05, "{mover:?}");
    let [vx, vy] = mover.velocity_mps;
    assert!(vx.abs() < 0.15 && (vy - 1.2).abs() < 0.15, "{mover:?}");
    assert!((mover.radius_m - 0.3).abs() < 0.05, "{mover:?}");
    let [x, y] = mover.position_after(0.5);
    assert!((x - 2.0).hypot(y - 2.2) < 0.12);
    assert!(mover.sigma_after(2.0) > mover.sigma_after(1.0));
}

#[test]
fn who_walks_straight_away_is_known_by_the_place_that_it_leaves() {
    let tracker = track(3.0, |secs| vec![([1.0 + 0.9 * secs, 0.0], 0.25)]);
    let movers = tracker.movers();
    assert_eq!(movers.len(), 1, "{movers:?}");
    assert!((movers[0].velocity_mps[0] - 0.9).abs() < 0.2, "{movers:?}");
}

#[test]
fn who_stands_long_enough_is_furniture_again() {
    let path = |secs: f64| vec![([2.0, -2.0 + secs.min(2.0)], 0.3)];
    assert_eq!(track(3.0, path).movers().len(), 1);
    assert!(track(9.0, path).movers().is_empty());
}

#[test]
fn who_passes_behind_something_is_the_same_afterwards() {
    let pillar = ([1.5, 0.0], 0.35);
    let path = |secs: f64| vec![pillar, ([3.0, -2.0 + 1.0 * secs], 0.25)];
    let before = track(1.3, path).movers();
    let hidden = track(2.0, path).movers();
    let after = track(3.5, path).movers();
    let ids = |movers: &[Mover]| movers.iter().map(|it| it.id).collect::<Vec<u64>>();
    assert_eq!(ids(&before).len(), 1, "{before:?}");
    assert_eq!(ids(&before), ids(&hidden));
    assert_eq!(ids(&before), ids(&after));
    assert!(hidden[0].unseen_secs > 0.2, "{hidden:?}");
}

#[test]
fn who_vanishes_is_forgotten() {
    let path = |secs: f64| {
        let there = ([2.0, -2.0 + secs], 0.25);
        if secs < 2.0 { vec![there] } else { vec![] }
    };
    assert_eq!(track(1.9, path).movers().len(), 1);
    assert!(track(3.0, path).movers().is_empty());
}

#[test]
fn a_still_hall_seen_from_poses_that_are_a_little_wrong_has_no_movers() {
    let crowd = Crowd::new(0, 1);
    let mut tracker = MoverTracker::default();
    for k in 0..150_i32 {
        let secs = 0.1 * f64::from(k);
        let (ranges, _) = crowd.true_scan(GEOMETRY, secs);
        let wrong = Pose2::new(
            0.03 * f64::from(k % 3 - 1),
            0.03 * f64::from(k % 5 - 2) / 2.0,
            0.006 * f64::from(k % 4 - 2) / 2.0,
        );
        let scan = LidarScan {
            geometry: GEOMETRY,
            ranges_m: ranges.iter().map(|&range| range as f32).collect(),
        };
        let hits = tracker.observe(at(secs), &scan, Crowd::robot_at(secs) * wrong);
        assert!(!hits.contains(&true), "{secs} s: {:?}", tracker.movers());
    }
}

#[test]
fn in_a_crowd_most_beams_are_told_apart_and_most_walkers_followed() {
    let episode = crowded_drive(full_circle(360), 15.0, (5, 3));
    let truth = Crowd::new(5, 3);
    let mut tracker = MoverTracker::default();
    let (mut found, mut missed, mut wrong, mut right) = (0, 0, 0, 0);
    let (mut n_seen, mut n_followed) = (0, 0);
    for scan in &episode.scans {
        let (secs, here) = (scan.stamp.secs(), scan.reference.unwrap());
        let hits = tracker.observe(scan.stamp, &scan.scan, here);
        if secs < 2.0 {
            continue;
        }
        for (&hit, &moves) in hits.iter().zip(scan.moving.as_ref().unwrap().iter()) {
            match (hit, moves) {
                (true, true) => found += 1,
                (false, true) => missed += 1,
                (true, false) => wrong += 1,
                (false, false) => right += 1,
            }
        }
        let movers = tracker.movers();
        for (centre, _) in truth.others_at(secs) {
            let from = here.inverse().transform(centre);
            let is_near = from[0].hypot(from[1]) < 4.0;
            let off =
                |it: &Mover| (it.position_m[0] - centre[0]).hypot(it.position_m[1] - centre[1]);
            n_seen += usize::from(is_near);
            n_followed += usize::from(is_near && movers.iter().any(|it| off(it) < 0.2));
        }
    }
    let (recall, precision) = (
        f64::from(found) / f64::from(found + missed),
        f64::from(found) / f64::from(found + wrong),
    );
    assert!(
        recall > 0.93 && precision > 0.9,
        "{recall} {precision} {right}"
    );
    assert!(n_followed * 10 > n_seen * 9, "{n_followed} of {n_seen}");
}

#[test]
fn drawn_at_constant_velocity_movers_beat_every_moved_map_and_leave_what_stands() {
    let episode = crowded_drive(full_circle(240), 30.0, (5, 4));
    let scans = RegisteredScans::new(&episode, &MotionModel::default()).unwrap();
    let protocol = Protocol {
        from: 0.0,
        horizons: Horizons::secs(),
    };
    let known = |from, to| scans.expected_motion(from, to);
    let chosen = ("", &Candidate::ALL[..]);
    let rows = evaluate_candidates(&episode, &protocol, chosen, scans.posed(), known).unwrap();
    let mae = |candidate: Candidate, beams: &str, secs: f64| {
        let method = format!("{} , on {beams}", candidate.name());
        let is_it =
            |row: &&MetricRow| row.method == method && (row.horizon_secs - secs).abs() < 1e-9;
        rows.iter().find(is_it).unwrap().mae_m
    };
    // Minimum maps are left out: they are "right" about movers by being wrong about all else.
    let maps = [Candidate::Last, Candidate::Map1Med3, Candidate::Map20Med3];
    for (secs, share) in [(0.5, 0.4), (1.0, 0.5), (2.0, 0.9)] {
        let best = |beams: &str| {
            let each = maps.iter().map(|&map| mae(map, beams, secs));
            each.fold(f64::INFINITY, f64::min)
        };
        for candidate in [Candidate::Movers, Candidate::Neighbours] {
            let (moving, still) = (
                mae(candidate, "movers", secs),
                mae(candidate, "static", secs),
            );
            assert!(
                moving < share * best("movers"),
                "{candidate:?} {secs}: {moving}"
            );
            assert!(still < best("static"), "{candidate:?} {secs}: {still}");
        }
    }
    let announced = mae(Candidate::Neighbours, "movers", 2.0);
    assert!(
        announced < mae(Candidate::Movers, "movers", 2.0),
        "{announced}"
    );
}

#[test]
fn a_mover_is_the_same_in_every_frame() {
    let mover = track(2.0, |secs| vec![([2.0, -1.0 + secs], 0.3)]).movers()[0];
    let frame = Pose2::new(1.0, -2.0, 0.7);
    let seen = mover.seen_from(frame);
    let back = frame.transform(seen.position_after(1.5));
    let there = mover.position_after(1.5);
    assert!((back[0] - there[0]).hypot(back[1] - there[1]) < 1e-9);
    assert!((seen.sigma_after(1.0) - mover.sigma_after(1.0)).abs() < 1e-9);
    assert!((seen.speed_mps() - mover.speed_mps()).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_scans_and_poses_are_survived_in_bounded_memory(
        scans in prop::collection::vec(
            (prop::collection::vec(-1.0..25.0f32, 90), -3.0..3.0f64, 0..300_000_000i64), 1..40,
        ),
    ) {
        let mut tracker = MoverTracker::default();
        let mut nanos = 0;
        for (ranges, x, step) in scans {
            nanos += step - 50_000_000;
            let geometry = full_circle(90);
            let scan = LidarScan { geometry, ranges_m: ranges.into() };
            let hits = tracker.observe(Stamp::from_nanos(nanos), &scan, Pose2::new(x, -x, x));
            prop_assert_eq!(hits.len(), 90);
            prop_assert!(tracker.tracks.len() <= N_TRACKS_MAX);
            for mover in &tracker.movers() {
                prop_assert!(mover.position_m.iter().all(|value| value.is_finite()));
                prop_assert!(mover.sigma_after(2.0).is_finite());
            }
        }
    }
}
