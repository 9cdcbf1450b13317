//! What a planner is asked.

use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::{Action, ScanGeometry};
use serde::{Deserialize, Serialize};

use crate::MovingDisc;
use crate::disc::POSITION_MAX_M;

/// How many discs are looked at: those nearest first, the rest is counted in the plan.
pub const N_DISCS_MAX: usize = 64;
/// How long commands may be on their way, in seconds.
const IN_FLIGHT_SECS_MAX: f64 = 2.0;
/// Faster than this is no twist of a ground robot, in m/s or rad/s.
const TWIST_MAX: f64 = 100.0;
/// As many beams as a scanner may have.
const N_BEAMS_MAX: usize = 65_536;

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// The place, in metres, in the frame that its user says.
    pub position_m: [f64; 2],
    /// The heading to arrive with, in radians; any will do where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yaw_rad: Option<f64>,
}

impl Goal {
    /// A place to reach with any heading.
    pub const fn place(x_m: f64, y_m: f64) -> Self {
        Self {
            position_m: [x_m, y_m],
            yaw_rad: None,
        }
    }

    /// The same goal in frame `a`, for `a_from_b` and a goal in `b`.
    #[must_use]
    pub fn seen_from(self, a_from_b: Pose2) -> Self {
        Self {
            position_m: a_from_b.transform(self.position_m),
            yaw_rad: self
                .yaw_rad
                .map(|yaw| sedge_spacetime::wrap_angle(yaw + a_from_b.yaw_rad)),
        }
    }

    /// Whether its numbers are finite and near enough to be somewhere.
    pub fn is_sound(&self) -> bool {
        self.position_m.iter().all(|it| it.abs() < POSITION_MAX_M)
            && self.yaw_rad.is_none_or(f64::is_finite)
    }
}

/// What a planner is asked: where the robot is in time and motion, where to go, who else moves.
///
/// # Units and frames
/// Goal, discs and commands are in the base's frame at `now`.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// When it is asked.
    pub now: Stamp,
    /// The newest scan that the model took in: horizons count from it.
    pub scan_stamp: Stamp,
    /// The newest odometry that the model took in: its actions run from it.
    pub odometry_stamp: Stamp,
    /// How the base moves now.
    pub twist: Twist2,
    /// What the base will do from `now` until a new command can take effect, whatever is decided:
    /// the command latency, and the commands that fill it. Empty: at once.
    pub in_flight: &'a [Action],
    /// Where to go.
    pub goal: Goal,
    /// The scanner that the model predicts.
    pub geometry: ScanGeometry,
    /// Where that scanner sits.
    pub base_from_scanner: Pose2,
    /// Where the base is at `now` in a frame in which it never jumps, such as that of its wheels:
    /// only to tell requests from each other that share what was imagined.
    pub odometry_from_base: Pose2,
    /// Neighbours and movers. Only the nearest [`N_DISCS_MAX`] are looked at.
    pub discs: &'a [MovingDisc],
}

/// Why a request is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A number is NaN, infinite or absurd.
    #[error("expected finite numbers of a ground robot in {what}, got {got}")]
    NotSound {
        /// Which part of the request.
        what: &'static str,
        /// What came.
        got: String,
    },
    /// A disc cannot be one.
    #[error("expected a disc that moves, got a bad {what} in disc {disc_idx}")]
    BadDisc {
        /// Which disc.
        disc_idx: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Commands are on their way for longer than can be planned around.
    #[error("expected commands in flight for up to {IN_FLIGHT_SECS_MAX} s, got {secs} s")]
    LongFlight {
        /// How long they last.
        secs: f64,
    },
}

impl PlanRequest<'_> {
    /// How long the commands on their way last, in seconds.
    pub(crate) fn in_flight_secs(&self) -> f64 {
        self.in_flight
            .iter()
            .map(|action| action.duration.as_secs_f64())
            .sum()
    }

    /// Refuses what cannot be planned with.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        let not_sound = |what, got: &dyn std::fmt::Debug| {
            let got = format!("{got:?}");
            Err(PlanError::NotSound { what, got })
        };
        if !is_twist(self.twist) {
            return not_sound("twist", &self.twist);
        }
        if let Some(bad) = self.in_flight.iter().find(|it| !is_twist(it.twist)) {
            return not_sound("in_flight", bad);
        }
        let secs = self.in_flight_secs();
        if secs > IN_FLIGHT_SECS_MAX {
            return Err(PlanError::LongFlight { secs });
        }
        if !self.goal.is_sound() {
            return not_sound("goal", &self.goal);
        }
        let mount = self.base_from_scanner;
        if !mount.is_finite() || mount.distance_m() > TWIST_MAX {
            return not_sound("base_from_scanner", &mount);
        }
        if !self.odometry_from_base.is_finite() {
            return not_sound("odometry_from_base", &self.odometry_from_base);
        }
        let scanner = self.geometry;
        let is_scanner = scanner.first_angle_rad.is_finite()
            && scanner.step_rad.is_finite()
            && scanner.step_rad > 0.0
            && (1..=N_BEAMS_MAX).contains(&scanner.n_beams);
        if !is_scanner {
            return not_sound("geometry", &scanner);
        }
        for (disc_idx, disc) in self.discs.iter().enumerate() {
            if let Some(what) = disc.defect() {
                return Err(PlanError::BadDisc { disc_idx, what });
            }
        }
        Ok(())
    }
}

/// Whether a twist is finite and no faster than any ground robot.
pub(crate) fn is_twist(twist: Twist2) -> bool {
    [twist.vx_mps, twist.vy_mps, twist.yaw_rate_radps]
        .iter()
        .all(|it| it.abs() < TWIST_MAX)
}
