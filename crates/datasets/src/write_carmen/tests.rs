use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::Episode;

use super::{CarmenLayout, save_carmen};
use crate::{LogReading, OdometrySource, SyntheticConfig, open, synthetic_corridor};

fn synthetic() -> Episode {
    let config = SyntheticConfig {
        duration: Duration::from_secs(40),
        n_beams: 90,
        ..SyntheticConfig::new(5)
    };
    synthetic_corridor(&config).unwrap().episode
}

fn through_a_file(episode: &Episode, layout: CarmenLayout, name: &str) -> LogReading {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    save_carmen(episode, layout, &path).unwrap();
    let reading = open(&path).unwrap();
    assert!(reading.defect.is_none(), "{:?}", reading.defect);
    reading
}

#[test]
fn an_ordinary_log_comes_back_as_it_was() {
    let episode = synthetic();
    for name in ["a.log", "a.log.gz"] {
        let read = through_a_file(&episode, CarmenLayout::Ordinary, name);
        assert_eq!(read.warnings.odometry_source, OdometrySource::LinesAndScans);
        assert_eq!(read.warnings.dropped_odometry, 0);
        assert_eq!(read.episode.scans, episode.scans);
        assert_eq!(read.episode.odometry, episode.odometry);
        let hash_fits = read.episode.source_hash == episode.source_hash;
        assert_eq!(
            hash_fits,
            name == "a.log",
            "the hash is that of the plain text"
        );
    }
}

#[test]
fn a_scan_matched_log_comes_back_with_its_chain_begun_anew() {
    let episode = synthetic();
    let read = through_a_file(&episode, CarmenLayout::ScanMatched, "a.log.gz");
    assert_eq!(
        read.warnings.odometry_source,
        OdometrySource::ChainedIncrements
    );
    assert_eq!(read.episode.scans, episode.scans);
    let first = episode.scans[0].stamp;
    let kept: Vec<_> = episode
        .odometry
        .iter()
        .filter(|sample| sample.stamp >= first)
        .collect();
    assert_eq!(read.episode.odometry.len(), kept.len());
    for (read, wrote) in read.episode.odometry.iter().zip(&kept) {
        assert_eq!(read.stamp, wrote.stamp);
        let expected = kept[0].odometry_from_base.between(wrote.odometry_from_base);
        let apart = expected.between(read.odometry_from_base);
        assert!(
            apart.distance_m() < 1e-9 && apart.yaw_rad.abs() < 1e-9,
            "{apart:?}"
        );
    }
}

#[test]
fn a_scanner_that_sees_more_than_half_a_circle_keeps_its_geometry() {
    let mut episode = synthetic();
    episode.geometry.first_angle_rad = -2.35;
    episode.geometry.step_rad = 4.7 / 89.0;
    for scan in &mut episode.scans {
        scan.scan.geometry = episode.geometry;
    }
    let read = through_a_file(&episode, CarmenLayout::Ordinary, "a.log");
    assert_eq!(read.episode.geometry, episode.geometry);
    assert_eq!(read.episode.scans, episode.scans);
}

#[test]
fn odometry_between_samples_is_filled_in_at_the_scans() {
    let mut episode = synthetic();
    episode.scans.truncate(1);
    episode.scans[0].stamp = Stamp::from_nanos(25_000_000);
    episode.scans[0].scan.ranges_m = Arc::from(vec![1.0; 90]);
    episode.odometry.truncate(2);
    episode.odometry[1].odometry_from_base = Pose2::new(0.25, 0.0, 0.0);
    let read = through_a_file(&episode, CarmenLayout::Ordinary, "a.log");
    let xs: Vec<f64> = read
        .episode
        .odometry
        .iter()
        .map(|s| s.odometry_from_base.x_m)
        .collect();
    assert_eq!(xs, [0.0, 0.125, 0.25]);
}
