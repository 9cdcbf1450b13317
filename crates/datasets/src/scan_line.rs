//! Lines that carry a scan: FLASER, ROBOTLASER1 and RAWLASER1.

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::sync::Arc;

use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{LidarScan, ScanGeometry};

use crate::fields::{Fields, Problem};

/// More beams than any planar scanner has.
const BEAMS_MAX: usize = 65_536;
/// More metres than any planar scanner reaches; codes for "no return" are far below.
const RANGE_LIMIT_M: f32 = 10_000.0;
/// Angles are written with six decimals.
const ANGLE_ROUNDING_RAD: f64 = 2e-6;
/// Any number of a line that is not used beyond being one.
const ANY_LIMIT: f64 = 1e9;

/// Which line a scan came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanKeyword {
    Flaser,
    RobotLaser1,
    RawLaser1,
}

impl ScanKeyword {
    pub(crate) fn of(keyword: &str) -> Option<Self> {
        match keyword {
            "FLASER" => Some(Self::Flaser),
            "ROBOTLASER1" => Some(Self::RobotLaser1),
            "RAWLASER1" => Some(Self::RawLaser1),
            _ => None,
        }
    }
}

/// The two poses on a scan's line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScanPoses {
    /// The scanner's pose, corrected in some logs.
    pub(crate) scanner: Pose2,
    /// The robot's pose by odometry (in logs where it is not overwritten by a corrected one).
    pub(crate) robot: Pose2,
}

/// A scan as its line says it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScanLine {
    pub(crate) stamp: Stamp,
    pub(crate) scan: LidarScan,
    pub(crate) poses: Option<ScanPoses>,
}

impl ScanLine {
    /// Reads what follows the keyword.
    pub(crate) fn parse(keyword: ScanKeyword, fields: &mut Fields<'_>) -> Result<Self, Problem> {
        let (geometry, ranges) = match keyword {
            ScanKeyword::Flaser => {
                let n_beams = fields.count("a beam count", 2, BEAMS_MAX)?;
                (half_circle(n_beams), fields.ranges(n_beams, RANGE_LIMIT_M)?)
            }
            ScanKeyword::RobotLaser1 | ScanKeyword::RawLaser1 => described_scan(fields)?,
        };
        let poses = match keyword {
            ScanKeyword::RawLaser1 => None,
            ScanKeyword::Flaser | ScanKeyword::RobotLaser1 => Some(ScanPoses {
                scanner: fields.pose("the scanner's pose")?,
                robot: fields.pose("the robot's pose")?,
            }),
        };
        if keyword == ScanKeyword::RobotLaser1 {
            fields.skip(5, "velocities and safety distances")?;
        }
        let stamp = fields.stamp("the time of the scan")?;
        fields.tail(2, "a host and a logger's time")?;
        let scan = LidarScan {
            geometry,
            ranges_m: Arc::from(ranges),
        };
        Ok(Self { stamp, scan, poses })
    }
}

/// Half a circle to the front, as old scanners see it: 180 and 360 beams lack the one at +90
/// degrees that 181 and 361 beams have.
pub(crate) fn half_circle(n_beams: usize) -> ScanGeometry {
    let n_steps = if n_beams.is_multiple_of(2) {
        n_beams
    } else {
        n_beams - 1
    };
    ScanGeometry {
        first_angle_rad: -FRAC_PI_2,
        step_rad: PI / n_steps as f64,
        n_beams,
    }
}

/// The scan of a line that describes its scanner: type, start, field of view, step, maximum,
/// accuracy, remission mode, count, ranges, count, remissions.
fn described_scan(fields: &mut Fields<'_>) -> Result<(ScanGeometry, Vec<f32>), Problem> {
    fields.token("a scanner type")?;
    let first_angle_rad = fields.number("a start angle", TAU)?;
    let view_rad = fields.number("a field of view", TAU + ANGLE_ROUNDING_RAD)?;
    let step_rad = fields.number("an angular step", TAU)?;
    fields.number("a maximum range", ANY_LIMIT)?;
    fields.number("an accuracy", ANY_LIMIT)?;
    fields.token("a remission mode")?;
    let n_beams = fields.count("a beam count", 2, BEAMS_MAX)?;
    let ranges = fields.ranges(n_beams, RANGE_LIMIT_M)?;
    let n_remissions = fields.count("a remission count", 0, BEAMS_MAX)?;
    fields.skip(n_remissions, "a remission")?;
    let step_rad = exact_step(step_rad, view_rad, n_beams)?;
    Ok((
        ScanGeometry {
            first_angle_rad,
            step_rad,
            n_beams,
        },
        ranges,
    ))
}

/// The step without the rounding of its six decimals, which adds up over the beams.
fn exact_step(step_rad: f64, view_rad: f64, n_beams: usize) -> Result<f64, Problem> {
    let with_last = view_rad / (n_beams - 1) as f64;
    let without_last = view_rad / n_beams as f64;
    let near = |candidate: &f64| (candidate - step_rad).abs() <= ANGLE_ROUNDING_RAD;
    // The nearer one: with many beams both are within the rounding.
    let mut candidates = [with_last, without_last];
    candidates.sort_by(|a, b| (a - step_rad).abs().total_cmp(&(b - step_rad).abs()));
    // Written with all its digits, the step is exact as it is.
    let is_exact = candidates.iter().any(|c| (c - step_rad).abs() <= 1e-12);
    let step = if is_exact {
        step_rad
    } else if step_rad == 0.0 {
        with_last
    } else {
        candidates.into_iter().find(near).unwrap_or(step_rad)
    };
    if step > 0.0 && step * (n_beams - 1) as f64 <= TAU + ANGLE_ROUNDING_RAD * n_beams as f64 {
        Ok(step)
    } else {
        let expected = format!("a positive angular step with {n_beams} beams in one turn");
        Err(Problem::new(expected, format!("{step} rad")))
    }
}
