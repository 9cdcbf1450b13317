use std::f64::consts::PI;
use std::time::Duration;

use proptest::prelude::*;
use sedge_spacetime::Twist2;

use super::*;
use crate::Action;

fn stamp(secs: f64) -> Stamp {
    Stamp::from_secs(secs).unwrap()
}

fn track(poses: &[(f64, Pose2)], calibration: OdometryCalibration) -> OdometryTrack {
    let samples: Vec<OdometrySample> = poses
        .iter()
        .map(|&(secs, odometry_from_base)| OdometrySample {
            stamp: stamp(secs),
            odometry_from_base,
        })
        .collect();
    OdometryTrack::from_samples(&samples, calibration).unwrap()
}

fn assert_close(got: Pose2, expected: Pose2) {
    let difference = expected.between(got);
    assert!(
        difference.distance_m() < 1e-9 && difference.yaw_rad.abs() < 1e-9,
        "expected {expected:?}, got {got:?}"
    );
}

#[test]
fn poses_between_samples_are_interpolated_and_clamped_at_the_ends() {
    let track = track(
        &[
            (1.0, Pose2::new(0.0, 0.0, 0.0)),
            (3.0, Pose2::new(2.0, 4.0, 1.0)),
        ],
        OdometryCalibration::NONE,
    );
    let check = |secs, x, y, yaw| {
        assert_close(track.pose_at(stamp(secs)).unwrap(), Pose2::new(x, y, yaw));
    };
    check(0.0, 0.0, 0.0, 0.0);
    check(1.0, 0.0, 0.0, 0.0);
    check(1.5, 0.5, 1.0, 0.25);
    check(3.0, 2.0, 4.0, 1.0);
    check(9.0, 2.0, 4.0, 1.0);
}

#[test]
fn a_dead_reckoned_end_is_gone_when_the_next_sample_is_there() {
    let calibration = OdometryCalibration {
        matrix: [[0.1, 0.0, 0.02], [0.0; 3], [0.0, 0.0, 0.05]],
    };
    let measured = [
        (1.0, Pose2::new(0.0, 0.0, 0.1)),
        (2.0, Pose2::new(1.0, 0.0, 0.2)),
        (3.0, Pose2::new(2.0, 0.5, 0.3)),
    ];
    let expected = track(&measured, calibration);
    let mut reckoned = track(&measured[..2], calibration);
    reckoned
        .reckon(stamp(2.4), Pose2::new(1.3, 0.0, 0.2))
        .unwrap();
    reckoned
        .reckon(stamp(2.5), Pose2::new(1.5, 0.0, 0.2))
        .unwrap();
    assert_eq!(reckoned.newest_stamp(), Some(stamp(2.5)));
    assert_eq!(reckoned.len(), 3);
    let moved = |track: &OdometryTrack| {
        let pose = |secs| track.pose_at(stamp(secs)).unwrap();
        pose(2.0).between(pose(2.5))
    };
    let ahead = Pose2::new(1.0, 0.0, 0.2).between(Pose2::new(1.5, 0.0, 0.2));
    assert_close(moved(&reckoned), calibration.corrected(ahead));
    // Older than what was reckoned, and measured all the same.
    let mut late = reckoned.clone();
    late.push(stamp(2.2), Pose2::new(1.2, 0.0, 0.2)).unwrap();
    assert_eq!(late.newest_stamp(), Some(stamp(2.2)));

    reckoned.push(stamp(3.0), measured[2].1).unwrap();
    assert_eq!(reckoned.len(), 3);
    for secs in [2.0, 2.4, 2.5, 3.0] {
        let at = stamp(secs);
        assert_eq!(reckoned.pose_at(at), expected.pose_at(at));
    }
}

#[test]
fn a_pose_is_reckoned_from_an_earlier_sample_or_refused() {
    let mut track = OdometryTrack::new(OdometryCalibration::NONE);
    let first = track.reckon(stamp(1.0), Pose2::IDENTITY);
    assert!(matches!(first, Err(ObserveError::Disordered { .. })));
    track.push(stamp(1.0), Pose2::IDENTITY).unwrap();
    let late = track.reckon(stamp(1.0), Pose2::IDENTITY);
    assert!(matches!(late, Err(ObserveError::Late { .. })));
    let nan = track.reckon(stamp(2.0), Pose2::new(f64::NAN, 0.0, 0.0));
    assert!(matches!(nan, Err(ObserveError::NotFinite { .. })));
    assert_eq!(track.len(), 1);
    // Nothing is lost where samples before a reckoned one are forgotten.
    track.reckon(stamp(2.0), Pose2::new(1.0, 0.0, 0.0)).unwrap();
    track.truncate_to_newest(1);
    track.push(stamp(3.0), Pose2::new(2.0, 0.0, 0.0)).unwrap();
    assert_close(
        track.pose_at(stamp(3.0)).unwrap(),
        Pose2::new(2.0, 0.0, 0.0),
    );
}

#[test]
fn yaw_is_interpolated_the_short_way_round() {
    let track = track(
        &[
            (0.0, Pose2::new(0.0, 0.0, PI - 0.1)),
            (1.0, Pose2::new(0.0, 0.0, -PI + 0.1)),
        ],
        OdometryCalibration::NONE,
    );
    let pose = track.pose_at(stamp(0.75)).unwrap();
    assert_close(pose, Pose2::new(0.0, 0.0, -PI + 0.05));
}

#[test]
fn an_empty_track_has_no_pose_and_no_future() {
    let track = OdometryTrack::new(OdometryCalibration::NONE);
    assert_eq!(track.pose_at(Stamp::ZERO), None);
    let plan = ActionSequence::default();
    assert_eq!(
        track.extended_by(&plan).unwrap_err(),
        ImagineError::NoBelief
    );
}

#[test]
fn samples_that_are_late_or_absurd_are_refused_and_change_nothing() {
    let mut track = track(&[(1.0, Pose2::IDENTITY)], OdometryCalibration::NONE);
    assert!(matches!(
        track.push(stamp(1.0), Pose2::IDENTITY),
        Err(ObserveError::Late { .. })
    ));
    assert!(matches!(
        track.push(stamp(2.0), Pose2::new(f64::NAN, 0.0, 0.0)),
        Err(ObserveError::NotFinite { .. })
    ));
    assert!(matches!(
        track.push(stamp(2.0), Pose2::new(1e300, 0.0, 0.0)),
        Err(ObserveError::TooLarge { .. })
    ));
    assert_eq!(track.len(), 1);
    assert_eq!(track.newest_stamp(), Some(stamp(1.0)));
}

#[test]
fn forgetting_keeps_what_later_poses_depend_on() {
    let poses: Vec<(f64, Pose2)> = (0..10)
        .map(|k| (f64::from(k), Pose2::new(f64::from(k), 0.0, 0.0)))
        .collect();
    let mut track = track(&poses, OdometryCalibration::NONE);
    track.forget_before(stamp(4.5));
    assert_eq!(track.oldest_stamp(), Some(stamp(4.0)));
    assert_close(
        track.pose_at(stamp(4.5)).unwrap(),
        Pose2::new(4.5, 0.0, 0.0),
    );
    track.forget_before(stamp(99.0));
    assert_eq!(track.len(), 1);
}

#[test]
fn a_plan_goes_on_from_the_newest_sample_and_then_stands_still() {
    let track = track(
        &[(0.0, Pose2::IDENTITY), (1.0, Pose2::new(1.0, 0.0, 0.0))],
        OdometryCalibration::NONE,
    );
    let twist = Twist2 {
        vx_mps: 2.0,
        vy_mps: 0.0,
        yaw_rate_radps: 0.0,
    };
    let action = |secs| Action {
        duration: Duration::from_secs_f64(secs),
        twist,
    };
    let plan = ActionSequence {
        actions: vec![action(0.5), action(0.0), action(0.5)].into(),
    };
    let extended = track.extended_by(&plan).unwrap();
    for (secs, x) in [(0.5, 0.5), (1.0, 1.0), (1.25, 1.5), (2.0, 3.0), (7.0, 3.0)] {
        assert_close(extended.pose_at(stamp(secs)), Pose2::new(x, 0.0, 0.0));
    }
}

#[test]
fn plans_that_are_not_numbers_are_refused_by_index() {
    let track = track(&[(0.0, Pose2::IDENTITY)], OdometryCalibration::NONE);
    for bad in [f64::NAN, f64::INFINITY, 1e308] {
        let twist = Twist2 {
            vx_mps: bad,
            vy_mps: 0.0,
            yaw_rate_radps: 0.0,
        };
        let good = Action {
            duration: Duration::from_secs(1),
            twist: Twist2::default(),
        };
        let plan = ActionSequence {
            actions: vec![
                good,
                Action {
                    duration: Duration::from_secs(1000),
                    twist,
                },
            ]
            .into(),
        };
        let error = track.extended_by(&plan).unwrap_err();
        assert!(
            matches!(error, ImagineError::BadAction { action_idx: 1, .. }),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn replaying_the_future_as_actions_gives_the_same_poses(
        steps in proptest::collection::vec((-0.5..0.5f64, -0.1..0.1f64, -0.8..0.8f64), 2..12),
        split in 1usize..11,
        at in 0.0..1.5f64,
    ) {
        let matrix = [[0.02, 0.01, -0.01], [0.0, 0.03, 0.02], [0.01, -0.03, 0.05]];
        let calibration = OdometryCalibration { matrix };
        let mut pose = Pose2::new(3.0, -2.0, 2.5);
        let mut samples = vec![(0.0, pose)];
        for (k, &(x, y, yaw)) in steps.iter().enumerate() {
            pose = pose * Pose2::new(x, y, yaw);
            samples.push((0.1 * (k + 1) as f64, pose));
        }
        let split = split.min(samples.len() - 1);
        let whole = track(&samples, calibration);
        let past = track(&samples[..split], calibration);
        let actions = samples[split - 1..].windows(2).map(|pair| Action {
            duration: Duration::from_millis(100),
            twist: pair[0].1.between(pair[1].1).log().scaled(10.0),
        });
        let plan = ActionSequence { actions: actions.collect() };
        let replayed = past.extended_by(&plan).unwrap().pose_at(stamp(at));
        assert_close(replayed, whole.pose_at(stamp(at)).unwrap());
    }
}
