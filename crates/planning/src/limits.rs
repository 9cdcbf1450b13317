//! What a base can do: speeds, accelerations, shape.

use sedge_spacetime::Twist2;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::config::{check_non_negative, check_positive};

/// How a base moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drive {
    /// Two wheels: forward and turning, never sideways.
    #[default]
    Differential,
    /// Forward, sideways and turning, independently.
    Holonomic,
}

/// The speeds and accelerations that a base keeps, each direction by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MotionLimits {
    /// How it moves.
    pub drive: Drive,
    /// Fastest forward, in m/s, positive. Default 1.0: a brisk walk, what indoor robots do.
    pub speed_mps_max: f64,
    /// Fastest backward, in m/s, zero or more. Default 0.3.
    pub reverse_mps_max: f64,
    /// Fastest to either side, in m/s, zero or more; a differential drive ignores it. Default 0.6.
    pub lateral_mps_max: f64,
    /// Fastest turn, in rad/s, positive. Default 1.5.
    pub yaw_rate_radps_max: f64,
    /// Change of forward or sideways speed, in m/s^2, positive. Default 1.0.
    pub acceleration_mps2_max: f64,
    /// Change of the turn rate, in rad/s^2, positive. Default 3.0.
    pub yaw_acceleration_radps2_max: f64,
}

impl Default for MotionLimits {
    fn default() -> Self {
        Self {
            drive: Drive::Differential,
            speed_mps_max: 1.0,
            reverse_mps_max: 0.3,
            lateral_mps_max: 0.6,
            yaw_rate_radps_max: 1.5,
            acceleration_mps2_max: 1.0,
            yaw_acceleration_radps2_max: 3.0,
        }
    }
}

impl MotionLimits {
    /// Checks that these are limits of a base that can move.
    ///
    /// # Errors
    /// [`ConfigError`] for a limit that is not finite, negative, or zero where it must not be.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_positive("speed_mps_max", self.speed_mps_max)?;
        check_non_negative("reverse_mps_max", self.reverse_mps_max)?;
        check_non_negative("lateral_mps_max", self.lateral_mps_max)?;
        check_positive("yaw_rate_radps_max", self.yaw_rate_radps_max)?;
        check_positive("acceleration_mps2_max", self.acceleration_mps2_max)?;
        check_positive(
            "yaw_acceleration_radps2_max",
            self.yaw_acceleration_radps2_max,
        )
    }

    /// The lowest and the highest twist, direction by direction.
    pub fn range(&self) -> (Twist2, Twist2) {
        let lateral_mps = match self.drive {
            Drive::Differential => 0.0,
            Drive::Holonomic => self.lateral_mps_max,
        };
        let high = Twist2 {
            vx_mps: self.speed_mps_max,
            vy_mps: lateral_mps,
            yaw_rate_radps: self.yaw_rate_radps_max,
        };
        let low = Twist2 {
            vx_mps: -self.reverse_mps_max,
            ..high.scaled(-1.0)
        };
        (low, high)
    }

    /// The largest change of a twist in some time, direction by direction.
    pub fn change_max(&self, secs: f64) -> Twist2 {
        Twist2 {
            vx_mps: self.acceleration_mps2_max * secs,
            vy_mps: self.acceleration_mps2_max * secs,
            yaw_rate_radps: self.yaw_acceleration_radps2_max * secs,
        }
    }

    /// What a base that moves at `from` does after some time when told to move at `to`.
    pub fn approach(&self, from: Twist2, to: Twist2, secs: f64) -> Twist2 {
        let (low, high) = self.range();
        let change = self.change_max(secs);
        // In this order what can be reached is kept to the bit, and a base that is too fast slows.
        let one = |from: f64, to: f64, range: (f64, f64), change: f64| {
            let wanted = to.max(range.0).min(range.1);
            wanted.max(from - change).min(from + change)
        };
        Twist2 {
            vx_mps: one(
                from.vx_mps,
                to.vx_mps,
                (low.vx_mps, high.vx_mps),
                change.vx_mps,
            ),
            vy_mps: one(
                from.vy_mps,
                to.vy_mps,
                (low.vy_mps, high.vy_mps),
                change.vy_mps,
            ),
            yaw_rate_radps: one(
                from.yaw_rate_radps,
                to.yaw_rate_radps,
                (low.yaw_rate_radps, high.yaw_rate_radps),
                change.yaw_rate_radps,
            ),
        }
    }

    /// The fastest that any point of the path moves, in m/s.
    pub fn fastest_mps(&self) -> f64 {
        let (low, high) = self.range();
        let forward = high.vx_mps.max(-low.vx_mps);
        forward.hypot(high.vy_mps)
    }
}
