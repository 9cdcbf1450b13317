use super::*;
use crate::test_scenes::{Room, half_circle, wander};

/// The same drive with raw odometry such that `matrix` corrects it.
fn miscalibrated(mut episode: Episode, matrix: [[f64; 3]; 3]) -> Episode {
    let calibration = OdometryCalibration { matrix };
    let mut odometry_from_base = Pose2::IDENTITY;
    let mut truth = episode.odometry[0].odometry_from_base;
    for sample in &mut episode.odometry {
        let increment = truth.between(sample.odometry_from_base);
        truth = sample.odometry_from_base;
        // Fixed-point search for the raw increment that is corrected to the true one.
        let mut raw = increment;
        for _ in 0..30 {
            raw = raw * calibration.corrected(raw).between(increment);
        }
        odometry_from_base = odometry_from_base * raw;
        sample.odometry_from_base = odometry_from_base;
    }
    episode
}

#[test]
fn a_calibration_is_found_again() {
    let matrix = [[0.03, 0.01, -0.01], [0.0, -0.02, 0.02], [0.01, -0.01, 0.06]];
    let episode = miscalibrated(wander(31, 120.0), matrix);
    let fit = fit_calibration(&episode, 0.0).unwrap();
    for (row, expected) in fit.calibration.matrix.iter().zip(&matrix) {
        for (got, expected) in row.iter().zip(expected) {
            // Pairs of scans add up several increments, so the fit is not exact.
            assert!((got - expected).abs() < 0.006, "{:?}", fit.calibration);
        }
    }
    assert!(fit.residual_after[2] < 0.1 * fit.residual_before[2]);
    assert!(
        fit.noise
            .variance_per_sec
            .iter()
            .all(|variance| (0.0..1e-4).contains(variance))
    );
}

#[test]
fn a_calibration_is_found_without_references_by_registering_scans() {
    let matrix = [[0.03, 0.01, -0.01], [0.0, -0.02, 0.02], [0.01, -0.01, 0.06]];
    let mut episode = miscalibrated(wander(181, 120.0), matrix);
    episode
        .scans
        .iter_mut()
        .for_each(|scan| scan.reference = None);
    let fit = fit_registered_calibration(&episode, &MotionModel::default()).unwrap();
    for (row, expected) in fit.calibration.matrix.iter().zip(&matrix) {
        for (got, expected) in row.iter().zip(expected) {
            assert!((got - expected).abs() < 0.012, "{:?}", fit.calibration);
        }
    }
}

#[test]
fn a_latency_is_found_again_with_its_sign() {
    for latency_secs in [0.17, -0.08] {
        let mut episode = wander(91, 120.0);
        for scan in &mut episode.scans {
            scan.stamp = Stamp::from_secs(scan.stamp.secs() + latency_secs).unwrap();
        }
        let fit = fit_latency(&episode).unwrap();
        assert!(
            (fit.latency_secs - latency_secs).abs() < 0.011,
            "{}",
            fit.latency_secs
        );
        assert!(fit.tried.is_sorted_by(|a, b| a.0 < b.0));
    }
}

#[test]
fn a_robot_that_only_drives_straight_on_cannot_be_calibrated() {
    let room = Room {
        half_x_m: 9.0,
        half_y_m: 3.0,
    };
    let straight = |secs| Pose2::new(0.1 * secs, 0.0, 0.0);
    let episode = room.follow(half_circle(31), 60.0, straight);
    let error = fit_calibration(&episode, 0.0).unwrap_err();
    assert!(matches!(error, CalibrateError::Singular { .. }), "{error}");
}

#[test]
fn what_cannot_be_fitted_is_zero_with_a_reason() {
    let mut without_reference = wander(31, 60.0);
    without_reference.scans[7].reference = None;
    let fit = fit_motion(&without_reference);
    assert!(fit.latency.is_ok());
    assert_eq!(fit.model.calibration, OdometryCalibration::NONE);
    assert_eq!(fit.noise, MotionNoise::ASSUMED);
    let reason = fit.calibration.unwrap_err().to_string();
    assert!(reason.contains("1 lack it"), "{reason}");

    let fit = fit_motion(&wander(31, 3.0));
    assert_eq!(fit.model, MotionModel::default());
    assert!(fit.latency.unwrap_err().to_string().contains("got 0"));
    assert!(matches!(
        fit.calibration,
        Err(CalibrateError::TooFew { .. })
    ));

    let mut without_odometry = wander(31, 60.0);
    without_odometry.odometry.clear();
    let fit = fit_motion(&without_odometry);
    assert!(
        fit.latency
            .unwrap_err()
            .to_string()
            .contains("expected odometry")
    );
}

#[test]
fn uncertainty_grows_with_time() {
    let noise = MotionNoise {
        variance_per_sec: [0.04, 0.01, 0.09],
    };
    let matrix = *noise.covariance(4.0).matrix();
    assert!((matrix[(0, 0)] - 0.16).abs() < 1e-12 && (matrix[(2, 2)] - 0.36).abs() < 1e-12);
    assert_eq!(noise.covariance(-1.0), Covariance2::zero());
}
