//! What a command is judged by, and whether it is fresh.

use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::LidarScan;

use super::{SafetyConfig, SafetyReason};
use crate::request::is_twist;

/// Whether somebody asked for a stop (`event.stop`, a button, a supervisor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum StopOrder {
    /// Nobody did.
    #[default]
    None,
    /// Hold still until it is over.
    Hold,
    /// Stop, and ask a person before going on.
    AskPerson,
    /// Emergency; whoever drives the motors removes their power too.
    Emergency,
}

/// A scan and when it was taken.
#[derive(Debug, Clone, Copy)]
pub struct TimedScan<'a> {
    /// When.
    pub stamp: Stamp,
    /// What was measured.
    pub scan: &'a LidarScan,
}

/// A measured twist and when it was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedTwist {
    /// When.
    pub stamp: Stamp,
    /// How the base moved, in its own frame.
    pub twist: Twist2,
}

/// The newest of everything that a command is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// When it is judged.
    pub now: Stamp,
    /// The newest scan.
    pub scan: Option<TimedScan<'a>>,
    /// Where that scan's scanner was, in the base's frame now: its mount and the motion since.
    pub base_now_from_scanner: Pose2,
    /// The newest odometry.
    pub odometry: Option<TimedTwist>,
    /// When the plan behind the command was made.
    pub plan_stamp: Option<Stamp>,
    /// Whether somebody asked for a stop.
    pub stop: StopOrder,
}

impl<'a> Evidence<'a> {
    /// Scan and twist, if everything is there, sound and fresh.
    pub(super) fn fresh(
        &self,
        config: &SafetyConfig,
    ) -> Result<(&'a LidarScan, Twist2), SafetyReason> {
        let is_late = |stamp: Stamp, age_secs_max: f64, late: SafetyReason| {
            let age_secs = self.now.secs_since(stamp);
            if age_secs < -config.ahead_secs_max {
                Err(SafetyReason::FromTheFuture)
            } else if age_secs > age_secs_max {
                Err(late)
            } else {
                Ok(())
            }
        };
        let scan = self.scan.ok_or(SafetyReason::NoScan)?;
        is_late(
            scan.stamp,
            config.scan_age_secs_max,
            SafetyReason::StaleScan,
        )?;
        let odometry = self.odometry.ok_or(SafetyReason::NoOdometry)?;
        is_late(
            odometry.stamp,
            config.odometry_age_secs_max,
            SafetyReason::StaleOdometry,
        )?;
        let plan = self.plan_stamp.ok_or(SafetyReason::NoPlan)?;
        is_late(plan, config.plan_age_secs_max, SafetyReason::StalePlan)?;
        if !is_twist(odometry.twist) {
            return Err(SafetyReason::BadOdometry);
        }
        if !self.base_now_from_scanner.is_finite() || !is_scan(scan.scan, config.valid_share_min) {
            return Err(SafetyReason::BadScan);
        }
        Ok((scan.scan, odometry.twist))
    }
}

fn is_scan(scan: &LidarScan, valid_share_min: f64) -> bool {
    let (geometry, n_beams) = (scan.geometry, scan.ranges_m.len());
    let is_scanner = geometry.n_beams == n_beams
        && n_beams > 0
        && geometry.first_angle_rad.is_finite()
        && geometry.step_rad.is_finite()
        && geometry.step_rad > 0.0;
    if !is_scanner {
        return false;
    }
    let n_valid = (0..n_beams).filter(|&beam| scan.is_valid(beam)).count();
    n_valid as f64 >= valid_share_min * n_beams as f64
}
