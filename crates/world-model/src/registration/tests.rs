use proptest::prelude::*;

use super::*;
use crate::conformance::full_circle;
use crate::discs::Disc;
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
        (&corridor.scan(geometry, Pose2::IDENTITY), &[]),
        &prior(Pose2::IDENTITY, Pose2::IDENTITY),
    );
    let truth = Pose2::new(0.2, 0.05, 0.1);
    let predicted = Pose2::new(0.2, 0.02, 0.06);
    let scan = corridor.scan(geometry, truth);
    let registered = registrar.register(at(0.2), (&scan, &[]), &prior(predicted, predicted));
    assert_eq!(registered.outcome, RegistrationOutcome::Registered);
    let off = truth.between(registered.map_from_scan);
    assert!(off.x_m.abs() < 0.02, "along: {off:?}");
    assert!(
        off.y_m.abs() < 0.005 && off.yaw_rad.abs() < 0.005,
        "across: {off:?}"
    );
}

/// A robot in the middle of a group that sets off together down a hall, with wheels that count 5 %
/// too much: its companions stay where they are, seen from it.
fn among_companions(secs: f64) -> Episode {
    let hall = Room {
        half_x_m: 12.0,
        half_y_m: 2.5,
    };
    let geometry = full_circle(360);
    let mut episode = hall.follow(geometry, secs, |secs| {
        Pose2::new(-10.0 + 0.8 * (secs - 1.0).max(0.0), 0.0, 0.0)
    });
    let ray = |beam| {
        let (sin, cos) = geometry.angle_rad(beam).sin_cos();
        [cos, sin]
    };
    let rays: Vec<[f64; 2]> = (0..geometry.n_beams).map(ray).collect();
    for (idx, scan) in episode.scans.iter_mut().enumerate() {
        let mut row: Vec<f64> = scan.scan.ranges_m.iter().map(|&it| f64::from(it)).collect();
        for centre_m in [[1.2, 0.5], [1.3, -0.6], [-1.2, 0.1], [0.1, 1.2], [2.6, 0.0]] {
            let companion = Disc {
                centre_m,
                radius_m: 0.2,
                sigma_m: 0.0,
                is_settled: false,
                speed_mps: 0.8,
                age_secs: 0.0,
            };
            companion.draw(&rays, &mut row);
        }
        let ranges = row.iter().enumerate().map(|(beam, range)| {
            let seed = (idx * geometry.n_beams + beam) as u64;
            (range + 0.01 * noise(seed)) as f32
        });
        scan.scan.ranges_m = ranges.collect();
    }
    for sample in &mut episode.odometry {
        let Pose2 { x_m, y_m, yaw_rad } = sample.odometry_from_base;
        sample.odometry_from_base = Pose2::new(1.05 * x_m, y_m, yaw_rad);
    }
    episode
}

#[test]
fn companions_are_no_landmarks() {
    let episode = among_companions(20.0);
    let registered = register_episode(&episode, &MotionModel::default()).unwrap();
    let (off_m, off_rad) = worst(&registered, &episode, registered.len() - 1);
    assert!(off_m < 0.1 && off_rad < 0.01, "{off_m} m, {off_rad} rad");
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
        (&room.scan(geometry, Pose2::IDENTITY), &[]),
        &prior(predicted, Pose2::IDENTITY),
    );
    assert_eq!(first.outcome, RegistrationOutcome::First);
    assert_eq!(first.map_from_scan, predicted);
    let blind = LidarScan {
        geometry,
        ranges_m: vec![81.91; geometry.n_beams].into(),
    };
    let later = Stamp::from_nanos(200_000_000);
    let kept = registrar.register(later, (&blind, &[]), &prior(predicted, Pose2::IDENTITY));
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
        registrar.register(
            stamp,
            (&scan, &[]),
            &prior(Pose2::IDENTITY, Pose2::IDENTITY),
        );
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
            let (stamp, prior) = (Stamp::from_nanos(nanos), prior(predicted, predicted));
            let registered = registrar.register(stamp, (&scan, &[]), &prior);
            prop_assert!(registered.map_from_scan.is_finite());
        }
    }
}
