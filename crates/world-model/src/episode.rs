//! One continuous drive: what a log is turned into for learning and evaluation.

use sedge_spacetime::{Pose2, Stamp};

use crate::{LidarScan, Observation, ScanGeometry, SensorEvent};

/// A scan of an episode.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodeScan {
    /// When the log says it was seen.
    pub stamp: Stamp,
    /// The scan.
    pub scan: LidarScan,
    /// The scanner's pose in the log's corrected map, where the log has one. It was made with the
    /// scan itself: a reference for fitting and grading, never an input.
    pub reference: Option<Pose2>,
}

/// A timed sample of raw odometry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OdometrySample {
    /// When the log says it was measured.
    pub stamp: Stamp,
    /// `odometry_from_base`.
    pub odometry_from_base: Pose2,
}

/// One continuous drive of one robot.
///
/// Invariants, kept by the readers that make it: stamps of `odometry` strictly increase; every
/// scan has `geometry.n_beams` beams. Scan stamps are the log's own and may run backwards in bad
/// logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Where it came from, for people.
    pub name: String,
    /// Hash of the source's bytes (blake3, hexadecimal), for checkpoints and reports.
    pub source_hash: String,
    /// The scanner.
    pub geometry: ScanGeometry,
    /// The scans, in the log's order.
    pub scans: Vec<EpisodeScan>,
    /// Raw odometry, in time order.
    pub odometry: Vec<OdometrySample>,
}

impl Episode {
    /// Everything sensed, in time order; odometry first where stamps are equal.
    pub fn events(&self) -> Vec<SensorEvent> {
        let odometry = self.odometry.iter().map(|sample| SensorEvent {
            stamp: sample.stamp,
            observation: Observation::Odometry(sample.odometry_from_base),
        });
        let scans = self.scans.iter().map(|scan| SensorEvent {
            stamp: scan.stamp,
            observation: Observation::Lidar(scan.scan.clone()),
        });
        let mut events: Vec<SensorEvent> = odometry.chain(scans).collect();
        events.sort_by_key(|event| event.stamp);
        events
    }

    /// The middle one of the times between scans, in seconds; zero for fewer than two scans.
    pub fn median_scan_period_secs(&self) -> f64 {
        let mut periods: Vec<f64> =
            self.scans.windows(2).map(|pair| pair[1].stamp.secs_since(pair[0].stamp)).collect();
        periods.sort_by(f64::total_cmp);
        periods.get(periods.len() / 2).copied().unwrap_or(0.0)
    }
}
