//! The geometric reference baselines: what prediction costs nothing to learn.

use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};

use crate::candidates::clip;
use crate::protocol::NearestScan;
use crate::render::decimal_range_m;
use crate::scoreboard::Scoreboard;
use crate::{
    Candidate, Episode, LidarScan, MetricRow, MotionModel, OdometryCalibration, PoseScansError,
    PosedScans, Protocol, ProtocolError, Start, Target, fill_far, odometry_poses, reference_poses,
};

/// Constant velocity is measured over this long, seconds (protocol constant).
const VELOCITY_SPAN_SECS: f64 = 1.0;

/// The moved local maps, in the order of the table.
const MAPS: [(Candidate, &str); 8] = [
    (Candidate::Map1Latest, "map1-latest cal"),
    (Candidate::Map1Med3, "map1-med3 cal"),
    (Candidate::Map5Latest, "map5-latest cal"),
    (Candidate::Map5Med3, "map5-med3 cal"),
    (Candidate::Map20Latest, "map20-latest cal"),
    (Candidate::Map20Med3, "map20-med3 cal"),
    (Candidate::Map5Min, "map5-min cal"),
    (Candidate::Map20Min, "map20-min cal"),
];

/// Why baselines cannot be graded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BaselineError {
    /// The protocol does not fit the episode.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The scans have no usable poses.
    #[error(transparent)]
    Poses(#[from] PoseScansError),
}

/// Grades every baseline on one episode. The two oracle rows come only with logs that have
/// reference poses; they use poses that have seen the future.
///
/// # Errors
/// [`BaselineError`] when the protocol does not fit the episode, or it has no odometry.
pub fn evaluate_baselines(
    episode: &Episode,
    motion: &MotionModel,
    protocol: &Protocol,
) -> Result<Vec<MetricRow>, BaselineError> {
    let starts = protocol.starts(episode)?;
    let views = Views::new(episode, motion)?;
    let mut board = Scoreboard::default();
    for (start, target) in start_targets(&starts) {
        let scan = &episode.scans[target.scan_idx];
        let ahead = scan.stamp.secs_since(episode.scans[start].stamp);
        views.predict(start, target.scan_idx, |method, row| {
            board.grade((target.horizon_idx, method), &row, scan, ahead);
        });
    }
    Ok(board.rows(&protocol.horizons))
}

/// Grades chosen candidates with window poses and motion of the caller's choice: rows are named
/// `<candidate> <label>`.
///
/// # Errors
/// [`ProtocolError`] when the protocol does not fit the episode.
pub fn evaluate_candidates(
    episode: &Episode,
    protocol: &Protocol,
    (label, candidates): (&str, &[Candidate]),
    window_poses: &PosedScans,
    motion: impl Fn(usize, usize) -> Pose2,
) -> Result<Vec<MetricRow>, ProtocolError> {
    let starts = protocol.starts(episode)?;
    let mut board = Scoreboard::default();
    for (start, target) in start_targets(&starts) {
        let scan = &episode.scans[target.scan_idx];
        let ahead = scan.stamp.secs_since(episode.scans[start].stamp);
        let rows = window_poses
            .window(start)
            .rows(motion(start, target.scan_idx), duration(ahead));
        for &candidate in candidates {
            let method = format!("{} {label}", candidate.name());
            let row = rows.filled(candidate);
            board.grade((target.horizon_idx, &method), &row, scan, ahead);
        }
    }
    Ok(board.rows(&protocol.horizons))
}

/// A horizon as a duration; stamps that run backwards make none.
fn duration(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs).unwrap_or_default()
}

fn start_targets(starts: &[Start]) -> impl Iterator<Item = (usize, Target)> {
    starts
        .iter()
        .flat_map(|start| start.targets.iter().map(|&target| (start.scan_idx, target)))
}

/// An episode's scans with all the poses that baselines move them by.
struct Views<'a> {
    episode: &'a Episode,
    stamps: Vec<Stamp>,
    nearest: NearestScan,
    calibrated: PosedScans,
    raw: PosedScans,
    raw_without_latency: PosedScans,
    reference: Option<PosedScans>,
}

impl<'a> Views<'a> {
    fn new(episode: &'a Episode, motion: &MotionModel) -> Result<Self, PoseScansError> {
        let stamps: Vec<Stamp> = episode.scans.iter().map(|scan| scan.stamp).collect();
        let calibrated = PosedScans::calibrated(episode, motion)?;
        let raw = MotionModel {
            calibration: OdometryCalibration::NONE,
            ..*motion
        };
        let posed_by = |model: &MotionModel| calibrated.with_poses(odometry_poses(episode, model)?);
        Ok(Self {
            episode,
            nearest: NearestScan::new(&stamps),
            stamps,
            raw: posed_by(&raw)?,
            raw_without_latency: posed_by(&MotionModel::default())?,
            reference: match reference_poses(episode) {
                Ok(poses) => Some(calibrated.with_poses(poses)?),
                Err(_) => None,
            },
            calibrated,
        })
    }

    /// Hands each method's prediction of scan `to`, made at scan `from`, to `grade`.
    fn predict(&self, from: usize, to: usize, mut grade: impl FnMut(&str, Vec<f64>)) {
        let last = |posed: &PosedScans, motion| {
            posed
                .window_of(from, 0.0)
                .rows(motion, Duration::ZERO)
                .filled(Candidate::Last)
        };
        let (raw, raw_without_latency) = (&self.raw, &self.raw_without_latency);
        grade("persist", persistence(&self.episode.scans[from].scan));
        grade(
            "last cv",
            last(&self.calibrated, self.at_constant_velocity(from, to)),
        );
        grade(
            "last odo, no lag",
            last(raw_without_latency, raw_without_latency.motion(from, to)),
        );
        grade("last odo, lag", last(raw, raw.motion(from, to)));
        let rows = self
            .calibrated
            .window(from)
            .rows(self.calibrated.motion(from, to), Duration::ZERO);
        grade("last cal", rows.filled(Candidate::Last));
        for (candidate, name) in MAPS {
            grade(name, rows.filled(candidate));
        }
        if let Some(reference) = &self.reference {
            let rows = reference
                .window(from)
                .rows(reference.motion(from, to), Duration::ZERO);
            grade("last oracle", rows.filled(Candidate::Last));
            grade("map20-med3 oracle", rows.filled(Candidate::Map20Med3));
        }
    }

    /// The movement from `from` to `to` if the last second went on.
    fn at_constant_velocity(&self, from: usize, to: usize) -> Pose2 {
        let a_second_ago = self.nearest.find(self.stamps[from], -VELOCITY_SPAN_SECS);
        let before = a_second_ago.unwrap_or(0).min(from.saturating_sub(1));
        let past_secs = self.stamps[from].secs_since(self.stamps[before]);
        let share = self.stamps[to].secs_since(self.stamps[from]) / past_secs;
        // Two scans of one stamp tell no velocity.
        let share = if share.is_finite() { share } else { 0.0 };
        self.calibrated.motion(before, from).powf(share)
    }
}

/// The scan as it was, beams that measured nothing filled.
fn persistence(scan: &LidarScan) -> Vec<f64> {
    let range = |(beam, &range): (usize, &f32)| {
        if scan.is_valid(beam) {
            decimal_range_m(range)
        } else {
            f64::NAN
        }
    };
    let mut row: Vec<f64> = scan.ranges_m.iter().enumerate().map(range).collect();
    fill_far(&mut row);
    clip(&mut row);
    row
}

#[cfg(test)]
mod tests;
