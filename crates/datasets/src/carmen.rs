//! CARMEN text logs.
//!
//! # What the lines say
//! - `FLASER n r_1..r_n  x y th  x y th  time host logger_time`: beam `b` of `n` points to
//!   `-90 degrees + b * 180 / D` with `D = n` for even and `n - 1` for odd `n`.
//! - `ROBOTLASER1 type start view step max accuracy mode n r_1..r_n m e_1..e_m  x y th  x y th
//!   tv rv .. .. ..  time host logger_time`, and `RAWLASER1`, the same without poses.
//! - `ODOM x y th tv rv accel time host logger_time`; velocities are not used, since many logs
//!   have zeros there.
//! - Anything else is counted and passed over, rear scanners too.
//!
//! A log that says each scan twice (`RAWLASER1` and `ROBOTLASER1`) is read by the first kind that
//! carries poses. The module `poses` tells the odometry from the corrected poses.

use std::collections::BTreeMap;

use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{EpisodeScan, OdometrySample, ScanGeometry};

use crate::fields::{Fields, Problem};
use crate::lines::Lines;
use crate::reading::count_skipped;
use crate::scan_line::{ScanKeyword, ScanLine};
use crate::{LogError, OdometrySource};

mod poses;
#[cfg(test)]
mod tests;

/// Lines that only a CARMEN log has, or that start one.
pub(crate) const KEYWORDS: [&str; 15] = [
    "FLASER",
    "RLASER",
    "ODOM",
    "PARAM",
    "RAWLASER1",
    "RAWLASER2",
    "ROBOTLASER1",
    "ROBOTLASER2",
    "SYNC",
    "MARKER",
    "NEFF",
    "TRUEPOS",
    "LASER",
    "GPS",
    "NMEAGGA",
];
/// Scans further apart than this are not one drive but a broken stamp.
const GAP_SECS_MAX: f64 = 86_400.0;

/// The good part of a text: scans, odometry, and what was passed over.
#[derive(Debug, Default)]
pub(crate) struct Drive {
    pub(crate) scans: Vec<EpisodeScan>,
    pub(crate) odometry: Vec<OdometrySample>,
    pub(crate) source: Option<OdometrySource>,
    pub(crate) dropped_odometry: u64,
    pub(crate) skipped_lines: BTreeMap<String, u64>,
}

/// An ODOM line.
#[derive(Debug, Clone, Copy)]
struct OdometryLine {
    /// `None` for a time that is no time: only where the line repeats a scan's pose.
    stamp: Option<Stamp>,
    pose: Pose2,
    /// How many scans came before it.
    n_scans_before: usize,
    /// Whether no other odometry line came since the last scan.
    is_first_since_scan: bool,
}

/// The lines of a log, before it is known what its poses mean.
#[derive(Debug, Default)]
struct Log {
    keyword: Option<ScanKeyword>,
    scans: Vec<ScanLine>,
    odometry: Vec<OdometryLine>,
    skipped_lines: BTreeMap<String, u64>,
}

/// Reads a text to its end or to its first defect.
pub(crate) fn read(lines: &mut Lines<'_>) -> (Drive, Option<LogError>) {
    let mut log = Log::default();
    let defect = loop {
        match lines.advance() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
        if let Err(problem) = log.read_line(&lines.text()) {
            break Some(lines.error(problem));
        }
    };
    (poses::drive(log), defect)
}

/// Checks that a scan belongs to the scans before it.
pub(crate) fn check_next(previous: Option<&ScanLine>, next: &ScanLine) -> Result<(), Problem> {
    let Some(previous) = previous else {
        return Ok(());
    };
    let (before, now) = (previous.scan.geometry, next.scan.geometry);
    if before != now {
        let words = |geometry: ScanGeometry| {
            format!(
                "{} beams from {:.4} rad by {:.6} rad",
                geometry.n_beams, geometry.first_angle_rad, geometry.step_rad
            )
        };
        return Err(Problem::new(
            format!("{} as in the scans before", words(before)),
            words(now),
        ));
    }
    if next.stamp.secs_since(previous.stamp).abs() > GAP_SECS_MAX {
        let expected = format!("a scan within a day of the one before ({})", previous.stamp);
        return Err(Problem::new(expected, next.stamp.to_string()));
    }
    Ok(())
}

impl Log {
    fn read_line(&mut self, line: &str) -> Result<(), Problem> {
        let mut fields = Fields::of(line);
        let Some(keyword) = fields.next_token() else {
            return Ok(());
        };
        if let Some(scan_keyword) = ScanKeyword::of(keyword) {
            if !self.takes(scan_keyword) {
                count_skipped(&mut self.skipped_lines, keyword);
                return Ok(());
            }
            let scan = ScanLine::parse(scan_keyword, &mut fields)?;
            check_next(self.scans.last(), &scan)?;
            self.scans.push(scan);
        } else if keyword == "ODOM" {
            let odometry = self.odometry_line(&mut fields)?;
            self.odometry.push(odometry);
        } else if fields.may_be_cut() && is_cut_keyword(keyword) {
            return Err(Problem::new(
                "a whole line",
                format!("{keyword:?} and the end"),
            ));
        } else if !keyword.starts_with('#') {
            count_skipped(&mut self.skipped_lines, keyword);
        }
        Ok(())
    }

    /// Whether lines with this keyword are the log's scans. Scans without poses give way to the
    /// first kind that has them.
    fn takes(&mut self, keyword: ScanKeyword) -> bool {
        let better =
            self.keyword == Some(ScanKeyword::RawLaser1) && keyword != ScanKeyword::RawLaser1;
        if better {
            for _ in self.scans.drain(..) {
                count_skipped(&mut self.skipped_lines, "RAWLASER1");
            }
            for odometry in &mut self.odometry {
                odometry.n_scans_before = 0;
                odometry.is_first_since_scan = false;
            }
        }
        if better || self.keyword.is_none() {
            self.keyword = Some(keyword);
        }
        self.keyword == Some(keyword)
    }

    fn odometry_line(&self, fields: &mut Fields<'_>) -> Result<OdometryLine, Problem> {
        let pose = fields.pose("an odometry pose")?;
        fields.skip(3, "velocities and acceleration")?;
        let n_scans_before = self.scans.len();
        let is_first_since_scan = self
            .odometry
            .last()
            .is_none_or(|line| line.n_scans_before != n_scans_before);
        let repeats = self.scans.last().is_some_and(|scan| {
            is_first_since_scan && scan.poses.is_some_and(|poses| poses.robot == pose)
        });
        let stamp = if repeats {
            // The time of such a line may be anything that was in the writer's memory.
            Stamp::from_secs(fields.any_number("the time of the odometry")?).ok()
        } else {
            Some(fields.stamp("the time of the odometry")?)
        };
        fields.tail(2, "a host and a logger's time")?;
        Ok(OdometryLine {
            stamp,
            pose,
            n_scans_before,
            is_first_since_scan,
        })
    }
}

/// Whether a word is the beginning of a keyword that matters, cut off by the end of the file.
fn is_cut_keyword(word: &str) -> bool {
    ["FLASER", "ODOM", "ROBOTLASER1", "RAWLASER1"]
        .iter()
        .any(|keyword| keyword.starts_with(word))
}
