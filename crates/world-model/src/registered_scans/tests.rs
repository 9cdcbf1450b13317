use std::time::Duration;

use super::*;
use crate::ScanMemory;
use crate::test_scenes::wander;

#[test]
fn the_offline_twin_expects_what_a_memory_expects() {
    let episode = wander(91, 12.0);
    for latency_secs in [0.15, 0.0] {
        let model = MotionModel {
            latency_secs,
            smoothing_secs: 0.12,
            ..MotionModel::default()
        };
        let offline = RegisteredScans::new(&episode, &model).unwrap();
        let (from, to) = (40, 46);
        let now = episode.scans[from].stamp;
        let mut memory = ScanMemory::registering(episode.geometry, model);
        for event in episode.events().iter().filter(|event| event.stamp <= now) {
            memory.observe(event).unwrap();
        }
        let horizon = episode.scans[to].stamp.saturating_since(now);
        let plan = episode.actions_after(now, horizon);
        let motion = memory.motion(&plan, horizon).unwrap();
        let expected = offline.expected_motion(from, to);
        let off = expected.between(motion);
        assert!(
            off.distance_m() < 1e-6 && off.yaw_rad.abs() < 1e-6,
            "{latency_secs}: {off:?}"
        );
        let online = memory.scan_window(&plan).unwrap();
        let twin = offline.window(from);
        assert_eq!(online.scans().len(), twin.scans().len());
        for (a, b) in online.scans().iter().zip(twin.scans()) {
            let off = a.newest_from_scan.between(b.newest_from_scan);
            assert!(
                off.distance_m() < 1e-6 && off.yaw_rad.abs() < 1e-6,
                "{off:?}"
            );
        }
    }
}

#[test]
fn jittered_stamps_hurt_a_registering_memory_less() {
    let mut episode = wander(181, 40.0);
    for (idx, scan) in episode.scans.iter_mut().enumerate() {
        // Within the scan period, so that stamps still increase.
        let late = Duration::from_millis([0, 70, 20, 90, 40][idx % 5]);
        scan.stamp = scan.stamp + late;
    }
    let model = MotionModel {
        latency_secs: 0.044,
        ..MotionModel::default()
    };
    let odometry = PosedScans::calibrated(&episode, &model).unwrap();
    let registered = RegisteredScans::new(&episode, &model).unwrap();
    let truth = |from: usize, to: usize| {
        let reference = |idx: usize| episode.scans[idx].reference.unwrap();
        reference(from).between(reference(to))
    };
    let mean_off = |motion: &dyn Fn(usize, usize) -> Pose2| {
        let offs = (20..180).map(|from| truth(from, from + 6).between(motion(from, from + 6)));
        offs.map(|off| off.yaw_rad.abs()).sum::<f64>() / 160.0
    };
    let by_odometry = mean_off(&|from, to| odometry.motion(from, to));
    let expected = mean_off(&|from, to| registered.expected_motion(from, to));
    let hindsight = mean_off(&|from, to| registered.registered_motion(from, to));
    assert!(
        expected < 0.85 * by_odometry,
        "{expected} for {by_odometry}"
    );
    assert!(
        hindsight < 0.2 * by_odometry,
        "{hindsight} for {by_odometry}"
    );
}

#[test]
fn in_a_crowd_the_offline_twin_knows_who_a_memory_knows() {
    let geometry = crate::conformance::full_circle(180);
    let episode = crate::conformance::crowded_drive(geometry, 7.0, (4, 5));
    let model = MotionModel::default();
    let offline = RegisteredScans::new(&episode, &model).unwrap();
    let from = 50;
    let mut memory = ScanMemory::registering(geometry, model);
    let now = episode.scans[from].stamp;
    for event in episode.events().iter().filter(|event| event.stamp <= now) {
        memory.observe(event).unwrap();
    }
    let (online, twin) = (memory.company(), offline.company(from));
    assert!(online.movers.len() > 1 && online.neighbours.len() == 1);
    assert_eq!(online.movers.len(), twin.movers.len());
    for (a, b) in online.movers.iter().zip(&twin.movers) {
        let off = (a.position_m[0] - b.position_m[0]).hypot(a.position_m[1] - b.position_m[1]);
        assert!(a.id == b.id && off < 1e-6, "{a:?} {b:?}");
    }
    let off = online.neighbours[0].pose.between(twin.neighbours[0].pose);
    assert!(off.distance_m() < 0.02, "{off:?}");
    assert_eq!(memory.imu().is_some(), offline.imu(from).is_some());
    assert!(
        (memory.imu().unwrap().yaw_rate_radps - offline.imu(from).unwrap().yaw_rate_radps).abs()
            < 1e-6
    );
    let ahead = Duration::from_secs(1);
    let motion = offline.expected_motion(from, from + 10);
    let sets = [
        memory.candidates(motion, ahead).unwrap(),
        offline.window(from).candidates(motion, ahead),
    ];
    let row = |k: usize| sets[k].row(crate::Candidate::Movers);
    let same = row(0)
        .iter()
        .zip(row(1))
        .filter(|(a, b)| (*a - *b).abs() < 1e-3);
    assert!(same.count() > 175);
}
