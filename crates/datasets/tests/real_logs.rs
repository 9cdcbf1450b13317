//! The public logs this crate was written for, where they are at hand.

use std::path::{Path, PathBuf};

use sedge_datasets::{LogReading, OdometrySource, Sampling, open};

/// The log, or `None` (told loudly) where it is not at hand.
fn real_log(name: &str) -> Option<LogReading> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path: PathBuf = root.join("../shared/data").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    let reading = open(&path).expect("a public log can be read");
    assert!(reading.defect.is_none(), "{:?}", reading.defect);
    Some(reading)
}

fn shape(reading: &LogReading) -> (usize, usize, usize) {
    let episode = &reading.episode;
    (
        episode.scans.len(),
        episode.geometry.n_beams,
        episode.odometry.len(),
    )
}

#[test]
fn freiburg_079_is_dense_with_chained_odometry() {
    let Some(reading) = real_log("radish/freiburg-079-a.log.gz") else {
        return;
    };
    let (n_scans, n_beams, _) = shape(&reading);
    assert_eq!((n_scans, n_beams), (3832, 360));
    assert_eq!(reading.episode.name, "freiburg-079-a");
    assert_eq!(
        reading.warnings.odometry_source,
        OdometrySource::ChainedIncrements
    );
    assert_eq!(reading.warnings.sampling, Sampling::Dense);
    assert!((0.02..0.024).contains(&reading.warnings.no_return_share));
    assert!(
        reading
            .episode
            .scans
            .iter()
            .all(|scan| scan.reference.is_some())
    );
}

#[test]
fn intel_and_acapulco_are_thinned_with_chained_odometry() {
    for (name, shape_expected, backwards) in [
        ("intel", (910, 180), Some(4)),
        ("acapulco", (861, 181), None),
    ] {
        let Some(reading) = real_log(&format!("radish/{name}.log.gz")) else {
            continue;
        };
        let (n_scans, n_beams, _) = shape(&reading);
        assert_eq!((n_scans, n_beams), shape_expected, "{name}");
        assert_eq!(
            reading.warnings.odometry_source,
            OdometrySource::ChainedIncrements
        );
        assert_eq!(reading.warnings.sampling, Sampling::Thinned, "{name}");
        if let Some(backwards) = backwards {
            assert_eq!(reading.warnings.backwards_scans, backwards);
        }
    }
}

#[test]
fn killian_court_has_optimised_poses_and_drifting_edges() {
    let Some(reading) = real_log("killian/killian.g2o.zip") else {
        return;
    };
    assert_eq!(shape(&reading), (3873, 180, 3873));
    assert_eq!(reading.warnings.odometry_source, OdometrySource::Edges);
    let episode = &reading.episode;
    let last = episode.scans.last().unwrap();
    let chained = episode.odometry.last().unwrap().odometry_from_base;
    assert!(
        last.reference
            .expect("optimised poses are the reference")
            .between(chained)
            .distance_m()
            > 10.0
    );
}

#[test]
fn other_kinds_of_files_are_refused_by_name() {
    for (name, kind) in [
        ("mcap/nav2_turtlebot.mcap", "MCAP"),
        ("mrclam/dataset6/Robot1_Odometry.dat.gz", "MRCLAM"),
        ("README.md", "some other text"),
    ] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let path = root.join(name);
        if !path.exists() {
            eprintln!("SKIPPED: {} is not there", path.display());
            continue;
        }
        let message = open(&path).unwrap_err().to_string();
        assert!(message.contains(kind), "{message}");
    }
}
