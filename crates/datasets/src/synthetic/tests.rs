use std::time::Duration;

use sedge_spacetime::{Pose2, wrap_angle};

use super::{SyntheticConfig, synthetic_corridor};
use crate::{LogFormat, Sampling};

fn config(seed: u64) -> SyntheticConfig {
    SyntheticConfig {
        duration: Duration::from_mins(2),
        ..SyntheticConfig::new(seed)
    }
}

#[test]
fn the_same_seed_gives_the_same_log_and_another_one_another() {
    let [one, same, other] =
        [1, 1, 2].map(|seed| synthetic_corridor(&config(seed)).unwrap().episode);
    assert_eq!(one, same);
    assert_ne!(one.source_hash, other.source_hash);
    assert!(one.name.contains("synthetic corridor"), "{}", one.name);
}

#[test]
fn it_looks_like_a_real_log() {
    let reading = synthetic_corridor(&config(3)).unwrap();
    let (episode, warnings) = (&reading.episode, &reading.warnings);
    assert_eq!(reading.format, LogFormat::Synthetic);
    assert_eq!(warnings.sampling, Sampling::Dense);
    assert!(
        (450..600).contains(&episode.scans.len()),
        "{}",
        episode.scans.len()
    );
    assert!(
        (0.001..0.1).contains(&warnings.no_return_share),
        "{}",
        warnings.no_return_share
    );
    assert!(
        episode
            .odometry
            .windows(2)
            .all(|pair| pair[0].stamp < pair[1].stamp)
    );
    let poses: Vec<Pose2> = episode
        .scans
        .iter()
        .map(|scan| scan.reference.unwrap())
        .collect();
    let steps = || poses.windows(2).map(|pair| pair[0].between(pair[1]));
    let driven_m: f64 = steps().map(Pose2::distance_m).sum();
    let turned_rad: f64 = steps().map(|step| step.yaw_rad.abs()).sum();
    assert!((20.0..80.0).contains(&driven_m), "{driven_m}");
    assert!(turned_rad > 4.0, "{turned_rad}");
    // Nobody is driven over, and no wall is driven through.
    let nearest = episode
        .scans
        .iter()
        .flat_map(|scan| scan.scan.ranges_m.iter().copied());
    assert!(nearest.fold(f32::MAX, f32::min) > 0.15);
}

#[test]
fn scans_are_late_and_odometry_is_off_as_configured() {
    let exact = SyntheticConfig {
        latency: Duration::ZERO,
        ..config(4)
    };
    let late = SyntheticConfig {
        latency: Duration::from_millis(300),
        ..config(4)
    };
    let [exact, late] = [exact, late].map(|c| synthetic_corridor(&c).unwrap().episode);
    for (exact, late) in exact.scans.iter().zip(&late.scans).take(100) {
        assert_eq!(
            late.stamp.saturating_since(exact.stamp),
            Duration::from_millis(300)
        );
        assert_eq!(late.scan, exact.scan);
    }
    // A turn is counted short: compare the turns of the first half minute or so.
    let last = exact
        .scans
        .iter()
        .position(|scan| scan.stamp.secs() > 60.0)
        .unwrap();
    let odometry_at = |stamp| {
        let sample = exact.odometry.iter().find(|sample| sample.stamp == stamp);
        sample.unwrap().odometry_from_base
    };
    let (mut true_rad, mut counted_rad) = (0.0, 0.0);
    for pair in exact.scans[..last].windows(2) {
        let turn = pair[0]
            .reference
            .unwrap()
            .between(pair[1].reference.unwrap())
            .yaw_rad;
        let counted = odometry_at(pair[0].stamp)
            .between(odometry_at(pair[1].stamp))
            .yaw_rad;
        if turn.abs() > 0.05 {
            true_rad += turn.abs();
            counted_rad += wrap_angle(counted).abs();
        }
    }
    let share = counted_rad / true_rad;
    assert!((0.93..1.0).contains(&share), "{counted_rad} of {true_rad}");
}

#[test]
fn a_configuration_out_of_range_is_refused_with_the_range() {
    let good = config(0);
    for (bad, expected) in [
        (
            SyntheticConfig {
                n_beams: 1,
                ..good.clone()
            },
            "n_beams of 2 to 4096, got 1",
        ),
        (
            SyntheticConfig {
                duration: Duration::ZERO,
                ..good.clone()
            },
            "duration of 1s to",
        ),
        (
            SyntheticConfig {
                range_noise_m: f64::NAN,
                ..good.clone()
            },
            "got NaN",
        ),
        (
            SyntheticConfig {
                n_walkers: usize::MAX,
                ..good
            },
            "n_walkers of 0 to 1000",
        ),
    ] {
        let message = synthetic_corridor(&bad).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_calibration_finds_the_faults_that_were_put_in() {
    let config = SyntheticConfig {
        n_beams: 2,
        ..SyntheticConfig::new(6)
    };
    let episode = synthetic_corridor(&config).unwrap().episode;
    let fit = sedge_world_model::fit_calibration(&episode, 0.15).unwrap();
    let [along, _, turn] = fit.calibration.matrix;
    // Rows and columns are x, y, yaw: 1/1.01 and 1/0.97 put scale right.
    assert!((along[0] + 0.0099).abs() < 0.01, "{fit:?}");
    assert!((turn[0] - 0.016).abs() < 0.006, "{fit:?}");
    assert!((turn[2] - 0.031).abs() < 0.015, "{fit:?}");
}
