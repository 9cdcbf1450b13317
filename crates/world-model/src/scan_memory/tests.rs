use proptest::prelude::*;
use sedge_spacetime::Twist2;

use super::*;
use crate::conformance::{crowded_drive, full_circle};
use crate::test_scenes::{Room, half_circle, odometry_event, scan_event};
use crate::{Action, Candidate, Episode, PosedScans};

const ROOM: Room = Room {
    half_x_m: 4.0,
    half_y_m: 3.0,
};

fn memory_of_drive(secs: f64) -> ScanMemory {
    let episode = ROOM.drive(half_circle(91), secs);
    let mut memory = ScanMemory::new(episode.geometry, MotionModel::default());
    for event in episode.events() {
        memory.observe(&event).unwrap();
    }
    memory
}

#[test]
fn the_scan_to_come_is_imagined_from_the_actions() {
    let episode = ROOM.drive(half_circle(181), 6.0);
    let start = episode.scans[20].stamp;
    let mut memory = ScanMemory::new(episode.geometry, MotionModel::default());
    for event in episode.events().iter().filter(|event| event.stamp <= start) {
        memory.observe(event).unwrap();
    }
    let horizon = Duration::from_millis(600);
    let plan = episode.actions_after(start, horizon);
    let motion = memory.motion(&plan, horizon).unwrap();
    let set = memory.candidates(motion, horizon).unwrap();
    let target = &episode.scans[23].scan;
    let row = set
        .row(Candidate::Map20Med3)
        .iter()
        .zip(set.hole_row(Candidate::Map20Med3));
    let mut n_close = 0;
    for ((range, hole), expected) in row.zip(target.ranges_m.iter()) {
        n_close += usize::from(!hole && (range - expected).abs() < 0.05);
    }
    assert!(n_close > 150, "{n_close} of 181 beams");
}

#[test]
fn online_candidates_equal_the_offline_ones() {
    let episode = ROOM.drive(half_circle(61), 8.0);
    for latency_secs in [0.15, 0.0, -0.1] {
        let model = MotionModel {
            latency_secs,
            ..MotionModel::default()
        };
        let posed = PosedScans::calibrated(&episode, &model).unwrap();
        let (from, to) = (30, 34);
        let start = episode.scans[from].stamp;
        let horizon = episode.scans[to].stamp.saturating_since(start);
        let mut memory = ScanMemory::new(episode.geometry, model);
        for event in episode.events().iter().filter(|event| event.stamp <= start) {
            memory.observe(event).unwrap();
        }
        let plan = episode.actions_after(start, horizon);
        let motion = memory.motion(&plan, horizon).unwrap();
        let expected = posed.motion(from, to);
        assert!(
            motion.between(expected).distance_m() < 1e-9,
            "latency {latency_secs}"
        );
        let online = memory
            .scan_window(&plan)
            .unwrap()
            .candidates(expected, horizon);
        assert_eq!(
            online,
            posed.window(from).candidates(expected, horizon),
            "latency {latency_secs}"
        );
    }
}

#[test]
fn refused_events_say_why_and_change_nothing() {
    let mut memory = memory_of_drive(2.0);
    let before = memory.candidates(Pose2::IDENTITY, Duration::ZERO).unwrap();
    let scan = ROOM.scan(half_circle(91), Pose2::IDENTITY);
    let spoiled = |value: f32| {
        let mut ranges = scan.ranges_m.to_vec();
        ranges[7] = value;
        LidarScan {
            ranges_m: ranges.into(),
            ..scan.clone()
        }
    };
    let shorter = LidarScan {
        ranges_m: scan.ranges_m[..90].into(),
        ..scan.clone()
    };
    let check = |memory: &mut ScanMemory, event: SensorEvent, expected: &str| {
        let error = memory.observe(&event).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&mut memory, scan_event(1.0, scan.clone()), "late event");
    check(
        &mut memory,
        scan_event(3.0, spoiled(f32::NAN)),
        "finite numbers in ranges",
    );
    check(
        &mut memory,
        scan_event(3.0, spoiled(f32::INFINITY)),
        "finite numbers in ranges",
    );
    check(&mut memory, scan_event(3.0, shorter), "n_beams: 90");
    check(
        &mut memory,
        scan_event(3.0, ROOM.scan(half_circle(31), Pose2::IDENTITY)),
        "scan of",
    );
    check(
        &mut memory,
        odometry_event(0.5, Pose2::IDENTITY),
        "late event",
    );
    check(
        &mut memory,
        odometry_event(9.0, Pose2::new(0.0, f64::NAN, 0.0)),
        "odometry",
    );
    assert_eq!(
        memory.candidates(Pose2::IDENTITY, Duration::ZERO).unwrap(),
        before
    );
}

#[test]
fn negative_ranges_are_beams_that_measured_nothing() {
    let mut memory = ScanMemory::new(half_circle(5), MotionModel::default());
    memory
        .observe(&odometry_event(0.0, Pose2::IDENTITY))
        .unwrap();
    let geometry = half_circle(5);
    let scan = LidarScan {
        geometry,
        ranges_m: vec![2.0, -2.0, 2.0, 0.0, 2.0].into(),
    };
    memory.observe(&scan_event(0.0, scan)).unwrap();
    let set = memory.candidates(Pose2::IDENTITY, Duration::ZERO).unwrap();
    assert_eq!(
        set.hole_row(Candidate::Last),
        [false, true, false, true, false]
    );
}

#[test]
fn nothing_is_imagined_before_a_scan_and_odometry() {
    let mut memory = ScanMemory::new(half_circle(5), MotionModel::default());
    let plan = ActionSequence::default();
    assert_eq!(
        memory.motion(&plan, Duration::ZERO),
        Err(ImagineError::NoBelief)
    );
    let scan = ROOM.scan(half_circle(5), Pose2::IDENTITY);
    memory.observe(&scan_event(0.0, scan)).unwrap();
    assert_eq!(
        memory.candidates(Pose2::IDENTITY, Duration::ZERO),
        Err(ImagineError::NoBelief)
    );
    memory
        .observe(&odometry_event(0.0, Pose2::IDENTITY))
        .unwrap();
    assert!(memory.candidates(Pose2::IDENTITY, Duration::ZERO).is_ok());
}

#[test]
fn memory_is_bounded_in_time_and_in_number() {
    let mut memory = memory_of_drive(40.0);
    assert!(memory.scans.len() <= 101, "{}", memory.scans.len());
    assert!(memory.track.len() <= 23 * 20, "{}", memory.track.len());
    let scan = ROOM.scan(half_circle(91), Pose2::IDENTITY);
    for k in 0..2 * N_SCANS_MAX {
        memory
            .observe(&scan_event(50.0 + 1e-6 * k as f64, scan.clone()))
            .unwrap();
    }
    assert_eq!(memory.scans.len(), N_SCANS_MAX);
}

#[test]
fn the_last_motion_is_that_between_the_newest_two_scans() {
    let memory = memory_of_drive(3.0);
    let motion = memory.last_motion().unwrap();
    assert!((motion.yaw_rad - 0.06).abs() < 1e-3, "{motion:?}");
    assert!((memory.last_period_secs().unwrap() - 0.2).abs() < 1e-9);
}

proptest! {
    #[test]
    fn any_plan_is_answered_or_refused_without_panic(
        twists in proptest::collection::vec(
            (prop::num::f64::ANY, prop::num::f64::ANY, prop::num::f64::ANY, 0u64..u64::MAX), 0..5),
    ) {
        let memory = memory_of_drive(1.0);
        let actions = twists.iter().map(|&(vx_mps, vy_mps, yaw_rate_radps, nanos)| Action {
            duration: Duration::from_nanos(nanos),
            twist: Twist2 { vx_mps, vy_mps, yaw_rate_radps },
        });
        let plan = ActionSequence { actions: actions.collect() };
        if let Ok(motion) = memory.motion(&plan, Duration::from_secs(1)) {
            prop_assert!(motion.is_finite());
            let set = memory.candidates(motion, Duration::ZERO).unwrap();
            prop_assert!(set.ranges_m.iter().all(|range| (0.05..=20.0).contains(range)));
        }
    }
}

/// Where each scan of an episode is registered. Odometry of a scan's own time comes after those
/// scans that are to be placed by the velocity before.
fn registered(episode: &Episode, is_reckoned: impl Fn(usize) -> bool) -> Vec<Pose2> {
    let mut memory = ScanMemory::registering(episode.geometry, MotionModel::default());
    let (mut known, mut late): (Vec<(Stamp, Pose2)>, _) = (Vec::new(), None);
    let mut poses: Vec<Pose2> = Vec::new();
    for event in episode.events() {
        if let Observation::Odometry(pose) = event.observation {
            let next = episode.scans.get(poses.len());
            let is_of_scan = next.is_some_and(|scan| scan.stamp == event.stamp);
            if is_of_scan && known.len() > 1 && is_reckoned(poses.len()) {
                late = Some(event);
                continue;
            }
            known.push((event.stamp, pose));
        }
        if late.is_some() && matches!(event.observation, Observation::Lidar(_)) {
            let [before, newest] = [2, 1].map(|it| known[known.len() - it]);
            let share = event.stamp.secs_since(newest.0) / newest.0.secs_since(before.0);
            let moved = before.1.between(newest.1).powf(share);
            let observation = Observation::DeadReckoning(newest.1 * moved);
            let stamp = event.stamp;
            memory.observe(&SensorEvent { stamp, observation }).unwrap();
        }
        memory.observe(&event).unwrap();
        if matches!(event.observation, Observation::Lidar(_)) {
            poses.push(memory.world_from_newest().unwrap());
            if let Some(event) = late.take() {
                memory.observe(&event).unwrap();
                known.extend(match event.observation {
                    Observation::Odometry(pose) => Some((event.stamp, pose)),
                    _ => None,
                });
            }
        }
    }
    poses
}

#[test]
fn a_scan_placed_by_velocity_is_registered_as_well_as_one_that_waited() {
    for seed in [3, 4, 5] {
        let episode = crowded_drive(full_circle(90), 20.0, (2, seed));
        let truth = |idx: usize| episode.scans[idx].reference.unwrap();
        // From one scan to the next, and from the first to the last, in metres.
        let errors = |poses: &[Pose2]| {
            let off = |from: usize, to: usize| {
                let moved = truth(from).between(truth(to));
                poses[from].between(poses[to]).between(moved).distance_m()
            };
            let last = poses.len() - 1;
            let steps: f64 = (1..=last).map(|idx| off(idx - 1, idx)).sum();
            (steps / last as f64, off(0, last))
        };
        let (step_m, end_m) = errors(&registered(&episode, |_| false));
        for every in [1, 2] {
            let poses = registered(&episode, |idx| idx % every == 0);
            assert_eq!(poses.len(), episode.scans.len());
            let (reckoned_step_m, reckoned_end_m) = errors(&poses);
            assert!(reckoned_step_m < step_m + 5e-4);
            assert!(reckoned_end_m < end_m + 5e-3);
        }
    }
}
