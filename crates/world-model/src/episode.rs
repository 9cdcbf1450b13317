//! One continuous drive: what a log is turned into for learning and evaluation.

use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};

use crate::{Action, ActionSequence, LidarScan, Observation, ScanGeometry, SensorEvent};

/// How far past a horizon the actions go on: a scanner with negative latency looks that far ahead.
const LATENCY_MARGIN: Duration = Duration::from_secs(1);

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
    /// Which beams hit a body that moves or could, where a simulator knows: for splitting errors
    /// when grading, never an input. `[beam]`
    pub moving: Option<Arc<[bool]>>,
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
    /// Everything else that was sensed or heard (IMU, range/bearing, neighbours), in time order.
    pub others: Vec<SensorEvent>,
}

impl Episode {
    /// Everything sensed, in time order; where stamps are equal odometry first and scans last.
    pub fn events(&self) -> Vec<SensorEvent> {
        let odometry = self.odometry.iter().map(|sample| SensorEvent {
            stamp: sample.stamp,
            observation: Observation::Odometry(sample.odometry_from_base),
        });
        let scans = self.scans.iter().map(|scan| SensorEvent {
            stamp: scan.stamp,
            observation: Observation::Lidar(scan.scan.clone()),
        });
        let mut events: Vec<SensorEvent> = odometry
            .chain(self.others.iter().cloned())
            .chain(scans)
            .collect();
        events.sort_by_key(|event| event.stamp);
        events
    }

    /// What odometry went on to report after `start`, as actions: twists that, held for the time
    /// between samples, give the same increments.
    ///
    /// It begins at the newest sample at or before `start` (which is where a belief that has seen
    /// everything up to `start` stands) and covers `horizon` and one second more, or what the
    /// episode has of it.
    pub fn actions_after(&self, start: Stamp, horizon: Duration) -> ActionSequence {
        let end = start + horizon + LATENCY_MARGIN;
        let after = self
            .odometry
            .partition_point(|sample| sample.stamp <= start);
        let until = self.odometry.partition_point(|sample| sample.stamp < end);
        let samples = &self.odometry[after.saturating_sub(1)..(until + 1).min(self.odometry.len())];
        let actions = samples.windows(2).filter_map(|pair| {
            let duration = pair[1].stamp.saturating_since(pair[0].stamp);
            let increment = pair[0]
                .odometry_from_base
                .between(pair[1].odometry_from_base);
            let twist = increment.log().scaled(1.0 / duration.as_secs_f64());
            (!duration.is_zero()).then_some(Action { duration, twist })
        });
        ActionSequence {
            actions: actions.collect(),
        }
    }

    /// The middle one of the times between scans, in seconds; zero for fewer than two scans.
    pub fn median_scan_period_secs(&self) -> f64 {
        let mut periods: Vec<f64> = self
            .scans
            .windows(2)
            .map(|pair| pair[1].stamp.secs_since(pair[0].stamp))
            .collect();
        periods.sort_by(f64::total_cmp);
        periods.get(periods.len() / 2).copied().unwrap_or(0.0)
    }
}
