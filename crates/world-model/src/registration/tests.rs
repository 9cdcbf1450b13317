use proptest::prelude::*;

use super::*;
use crate::test_scenes::{Room, half_circle, wander};

/// What odometry alone expects.
fn prior(predicted: Pose2, moved: Pose2) -> MotionPrior {
    MotionPrior {
        predicted,
        moved,
        yaw_sigma_rad: None,
    }
}

/// Repeatable noise in `[-1, 1]`.
fn noise(seed: u64) -> f64 {
    let bits = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let mixed = (bits ^ (bits >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed >> 11) as f64 / (1u64 << 52) as f64) - 1.0
}

/// The drive with odometry off by up to 3 cm and 3 degrees at each scan.
fn with_noisy_odometry(mut episode: Episode) -> Episode {
    for (idx, sample) in episode.odometry.iter_mut().enumerate() {
        let seed = 3 * idx as u64;
        let off = Pose2::new(
            0.03 * noise(seed),
            0.03 * noise(seed + 1),
            3.0_f64.to_radians() * noise(seed + 2),
        );
        sample.odometry_from_base = sample.odometry_from_base * off;
    }
    episode
}

/// Largest errors, in metres and radians, of movements over so many scans.
fn worst(poses: &[Pose2], episode: &Episode, gap: usize) -> (f64, f64) {
    let truth: Vec<Pose2> = episode
        .scans
        .iter()
        .map(|scan| scan.reference.unwrap())
        .collect();
    let errors = (0..poses.len() - gap).map(|from| {
        let to = from + gap;
        truth[from]
            .between(truth[to])
            .between(poses[from].between(poses[to]))
    });
    errors.fold((0.0, 0.0), |(metres, rad): (f64, f64), error| {
        (metres.max(error.distance_m()), rad.max(error.yaw_rad.abs()))
    })
}

#[test]
fn registered_poses_are_right_where_odometry_is_not() {
    let episode = with_noisy_odometry(wander(181, 30.0));
    let model = MotionModel::default();
    let odometry = odometry_poses(&episode, &model).unwrap();
    let registered = register_episode(&episode, &model).unwrap();
    let (off_m, off_rad) = worst(&odometry, &episode, 1);
    assert!(
        off_m > 0.04 && off_rad > 0.04,
        "noise was meant to be large: {off_m} {off_rad}"
    );
    let (off_m, off_rad) = worst(&registered, &episode, 1);
    assert!(
        off_m < 0.01 && off_rad < 0.005,
        "one scan: {off_m} m, {off_rad} rad"
    );
    let (off_m, off_rad) = worst(&registered, &episode, 100);
    assert!(
        off_m < 0.05 && off_rad < 0.02,
        "20 seconds: {off_m} m, {off_rad} rad"
    );
}

#[test]
fn registration_sees_no_later_scan() {
    let episode = with_noisy_odometry(wander(91, 10.0));
    let mut earlier = episode.clone();
    earlier.scans.truncate(30);
    let model = MotionModel::default();
    let all = register_episode(&episode, &model).unwrap();
    assert_eq!(all[..30], register_episode(&earlier, &model).unwrap());
}

#[test]
fn along_a_corridor_odometry_is_believed() {
    let corridor = Room {
        half_x_m: 60.0,
        half_y_m: 1.2,
    };
    let geometry = half_circle(181);
    let mut registrar = Registrar::default();
    let at = |secs: f64| Stamp::from_secs(secs).unwrap();
    registrar.register(
        at(0.0),
        &corridor.scan(geometry, Pose2::IDENTITY),
        &prior(Pose2::IDENTITY, Pose2::IDENTITY),
    );
    let truth = Pose2::new(0.2, 0.05, 0.1);
    let predicted = Pose2::new(0.2, 0.02, 0.06);
    let scan = corridor.scan(geometry, truth);
    let registered = registrar.register(at(0.2), &scan, &prior(predicted, predicted));
    assert_eq!(registered.outcome, RegistrationOutcome::Registered);
    let off = truth.between(registered.map_from_scan);
    assert!(off.x_m.abs() < 0.02, "along: {off:?}");
    assert!(
        off.y_m.abs() < 0.005 && off.yaw_rad.abs() < 0.005,
        "across: {off:?}"
    );
}

#[test]
fn a_scan_that_says_nothing_keeps_odometry() {
    let geometry = half_circle(181);
    let mut registrar = Registrar::default();
    let room = Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    };
    let predicted = Pose2::new(0.3, 0.1, 0.2);
    let first = registrar.register(
        Stamp::ZERO,
        &room.scan(geometry, Pose2::IDENTITY),
        &prior(predicted, Pose2::IDENTITY),
    );
    assert_eq!(first.outcome, RegistrationOutcome::First);
    assert_eq!(first.map_from_scan, predicted);
    let blind = LidarScan {
        geometry,
        ranges_m: vec![81.91; geometry.n_beams].into(),
    };
    let later = Stamp::from_nanos(200_000_000);
    let kept = registrar.register(later, &blind, &prior(predicted, Pose2::IDENTITY));
    assert_eq!(kept.outcome, RegistrationOutcome::Odometry);
    assert_eq!(kept.map_from_scan, predicted);
}

#[test]
fn the_scans_kept_are_bounded_at_any_rate() {
    let geometry = half_circle(31);
    let scan = Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    }
    .scan(geometry, Pose2::IDENTITY);
    let mut registrar = Registrar::default();
    for k in 0..600 {
        let stamp = Stamp::from_nanos(1_000_000 * k);
        registrar.register(stamp, &scan, &prior(Pose2::IDENTITY, Pose2::IDENTITY));
    }
    assert!(
        registrar.references.len() <= N_REFERENCES_MAX,
        "{}",
        registrar.references.len()
    );
}

proptest! {
    #[test]
    fn any_scans_and_predictions_give_finite_poses(
        scans in proptest::collection::vec(
            (
                proptest::collection::vec(-1.0..25.0f32, 31),
                (-1e8..1e8f64, -1e8..1e8f64, -4.0..4.0f64),
                any::<i64>(),
            ),
            1..6,
        ),
    ) {
        let mut registrar = Registrar::default();
        for (ranges, (x, y, yaw), nanos) in scans {
            let scan = LidarScan { geometry: half_circle(31), ranges_m: ranges.into() };
            let predicted = Pose2::new(x, y, yaw);
            let registered =
                registrar.register(Stamp::from_nanos(nanos), &scan, &prior(predicted, predicted));
            prop_assert!(registered.map_from_scan.is_finite());
        }
    }
}
