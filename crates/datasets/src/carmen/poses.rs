//! Which poses of a CARMEN log are odometry and which are corrected.
//!
//! Two kinds of logs go around.
//!
//! **Scan-matched.** A scan matcher has overwritten the poses: both poses on a scan's line are
//! the same corrected pose, the first ODOM line after it repeats that pose with a meaningless
//! time, and the ODOM lines from there to the next scan are that pose plus raw odometry
//! increments. The raw chain is put together again, `(+)` being composition:
//! ```text
//! q_0 = 0;   q(o) = q_k (+) (corrected_k^-1 (+) o)  for ODOM o after scan k;   q_k+1 = last q
//! ```
//! The scan's pose is its reference. Taking it for odometry would leak the scan into the motion.
//!
//! **Ordinary.** ODOM lines are odometry as measured, the second pose on a scan's line is the
//! odometry at its time and joins the samples. The first pose is a reference if it moves relative
//! to the second (a localiser ran), and nothing new if it does not (where the scanner is mounted).
//! If the second pose is nowhere near the ODOM lines around it, it is in some corrected frame: a
//! reference, and no odometry. Without any ODOM lines the second poses are all the odometry.
//!
//! A log is taken for scan-matched if four of five scans that have a following ODOM line are
//! repeated by it, and at least half of these repetitions are stamped before their scan, which no
//! line of an ordinary log is.

use sedge_spacetime::{Pose2, Stamp, wrap_angle};
use sedge_world_model::{EpisodeScan, OdometrySample};

use super::{Drive, Log, OdometryLine};
use crate::OdometrySource;
use crate::scan_line::{ScanLine, ScanPoses};

/// Share of repeated scans that makes a log scan-matched.
const REPEATED_SHARE_MIN: f64 = 0.8;
/// Share of those with a time before their scan.
const EARLY_SHARE_MIN: f64 = 0.5;
/// Two poses with a relation that changes by less than this are one pose, seen from two points of
/// the robot.
const MOUNTING_TOLERANCE_M: f64 = 0.02;
const MOUNTING_TOLERANCE_RAD: f64 = 0.01;
/// Poses of one frame differ by at most this plus what a robot does in the time between them.
const SAME_FRAME_TOLERANCE: f64 = 0.3;
const SPEED_MAX: f64 = 1.5;
/// Share of scans outside that tolerance that makes their frame another one.
const OTHER_FRAME_SHARE_MIN: f64 = 0.3;

/// Turns a log's lines into a drive.
pub(super) fn drive(log: Log) -> Drive {
    let mut drive = if is_scan_matched(&log) {
        chained(&log)
    } else {
        ordinary(&log)
    };
    drive.skipped_lines = log.skipped_lines;
    drive
}

/// The poses of a scan's line where the scan matcher's doing shows: both the same.
fn corrected(scan: &ScanLine) -> Option<Pose2> {
    scan.poses
        .filter(|poses| poses.scanner == poses.robot)
        .map(|poses| poses.robot)
}

fn is_scan_matched(log: &Log) -> bool {
    let (mut followed, mut repeated, mut early) = (0_u64, 0_u64, 0_u64);
    for line in log.odometry.iter().filter(|line| line.is_first_since_scan) {
        let Some(scan) = line
            .n_scans_before
            .checked_sub(1)
            .map(|idx| &log.scans[idx])
        else {
            continue;
        };
        followed += 1;
        if corrected(scan) == Some(line.pose) {
            repeated += 1;
            early += u64::from(line.stamp.is_none_or(|stamp| stamp < scan.stamp));
        }
    }
    repeated > 0
        && repeated as f64 >= REPEATED_SHARE_MIN * followed as f64
        && early as f64 >= EARLY_SHARE_MIN * repeated as f64
}

/// Puts the chain of raw increments together again.
fn chained(log: &Log) -> Drive {
    let corrected = |scan: &ScanLine| scan.poses.map(|poses| poses.robot);
    let mut drive = Drive {
        source: Some(OdometrySource::ChainedIncrements),
        ..Drive::default()
    };
    let mut odometry_from_base = Pose2::IDENTITY;
    let mut lines = log.odometry.iter().peekable();
    for (idx, scan) in log.scans.iter().enumerate() {
        // Before the first scan there is nothing to measure increments from.
        if idx == 0 {
            while lines.next_if(|line| line.n_scans_before == 0).is_some() {}
            drive.keep(Some(scan.stamp), odometry_from_base);
        }
        let odometry_from_scan = odometry_from_base;
        let reference = corrected(scan);
        while let Some(line) = lines.next_if(|line| line.n_scans_before == idx + 1) {
            if line.is_first_since_scan {
                continue;
            }
            let increment = reference.unwrap_or_default().between(line.pose);
            odometry_from_base = odometry_from_scan * increment;
            drive.keep(line.stamp, odometry_from_base);
        }
        drive.scans.push(episode_scan(scan, reference));
    }
    drive
}

fn ordinary(log: &Log) -> Drive {
    let poses = |scan: &ScanLine| scan.poses;
    let has_poses = log.scans.iter().any(|scan| scan.poses.is_some());
    let other_frame = has_poses && !log.odometry.is_empty() && is_other_frame(log);
    let localised = is_relation_changing(log.scans.iter().filter_map(poses));
    let source = match (log.odometry.is_empty(), has_poses) {
        (true, true) => OdometrySource::Scans,
        (true, false) => OdometrySource::Absent,
        (false, true) if !other_frame => OdometrySource::LinesAndScans,
        (false, _) => OdometrySource::Lines,
    };
    let mut drive = Drive {
        source: Some(source),
        ..Drive::default()
    };
    let mut samples: Vec<(Stamp, Pose2)> = log
        .odometry
        .iter()
        .filter_map(|line| Some((line.stamp?, line.pose)))
        .collect();
    for scan in &log.scans {
        let reference = poses(scan)
            .filter(|_| localised || other_frame)
            .map(|poses| {
                if localised {
                    poses.scanner
                } else {
                    poses.robot
                }
            });
        if let Some(poses) = poses(scan).filter(|_| !other_frame) {
            samples.push((scan.stamp, poses.robot));
        }
        drive.scans.push(episode_scan(scan, reference));
    }
    // Stable: of two samples of one time the ODOM line is kept.
    samples.sort_by_key(|(stamp, _)| *stamp);
    for (stamp, pose) in samples {
        drive.keep(Some(stamp), pose);
    }
    drive
}

/// Whether the odometry poses of the scans are far from the ODOM lines next to them.
fn is_other_frame(log: &Log) -> bool {
    let mut previous: Option<&OdometryLine> = None;
    let mut lines = log.odometry.iter().peekable();
    let (mut n_compared, mut n_far) = (0_u64, 0_u64);
    for (idx, scan) in log.scans.iter().enumerate() {
        while let Some(line) = lines.next_if(|line| line.n_scans_before <= idx) {
            previous = Some(line);
        }
        let near = previous.or(lines.peek().copied());
        let Some((poses, line)) = scan.poses.zip(near) else {
            continue;
        };
        let Some(stamp) = line.stamp else { continue };
        let apart = line.pose.between(poses.robot);
        let tolerance = SAME_FRAME_TOLERANCE + SPEED_MAX * scan.stamp.secs_since(stamp).abs();
        n_compared += 1;
        n_far += u64::from(apart.distance_m() > tolerance || apart.yaw_rad.abs() > tolerance);
    }
    n_far as f64 > OTHER_FRAME_SHARE_MIN * n_compared as f64
}

/// Whether the two poses of the scans move relative to each other over the log.
pub(crate) fn is_relation_changing(poses: impl Iterator<Item = ScanPoses>) -> bool {
    let mut relations = poses.map(|poses| poses.robot.between(poses.scanner));
    let Some(first) = relations.next() else {
        return false;
    };
    relations.any(|relation| {
        let moved_m = (relation.x_m - first.x_m).hypot(relation.y_m - first.y_m);
        let turned_rad = wrap_angle(relation.yaw_rad - first.yaw_rad).abs();
        moved_m > MOUNTING_TOLERANCE_M || turned_rad > MOUNTING_TOLERANCE_RAD
    })
}

fn episode_scan(scan: &ScanLine, reference: Option<Pose2>) -> EpisodeScan {
    EpisodeScan {
        stamp: scan.stamp,
        scan: scan.scan.clone(),
        reference,
        moving: None,
    }
}

impl Drive {
    /// Keeps an odometry sample if it is later than the last one.
    pub(crate) fn keep(&mut self, stamp: Option<Stamp>, odometry_from_base: Pose2) {
        let last = self.odometry.last().map(|sample| sample.stamp);
        match stamp.filter(|stamp| last.is_none_or(|last| *stamp > last)) {
            Some(stamp) => self.odometry.push(OdometrySample {
                stamp,
                odometry_from_base,
            }),
            None => self.dropped_odometry += 1,
        }
    }
}
