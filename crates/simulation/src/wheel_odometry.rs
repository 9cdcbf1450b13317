//! Odometry from the wheels.

use sedge_spacetime::{Pose2, Twist2};
use serde::{Deserialize, Serialize};

use crate::noise::Noise;
use crate::{OdometryConfig, STEP_SECS};

/// Where the wheels say that the base is, and how they move it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OdometryReading {
    /// The pose of the base in the odometry frame, which is the base's at the start.
    pub odometry_from_base: Pose2,
    /// Velocity of the base in its own frame, mean since the last reading.
    pub twist: Twist2,
}

/// One robot's odometry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WheelOdometry {
    noise: Noise,
    noise_factor: f64,
    /// What its wheels' way is multiplied with.
    gain: f64,
    pose: Pose2,
    /// What the wheels did since the last reading.
    since: Pose2,
    n_steps: u32,
}

impl WheelOdometry {
    pub(crate) fn new(config: &OdometryConfig, mut noise: Noise, noise_factor: f64) -> Self {
        let gain = 1.0 + noise.normal(config.gain_sigma * noise_factor);
        Self {
            noise,
            noise_factor,
            gain,
            pose: Pose2::IDENTITY,
            since: Pose2::IDENTITY,
            n_steps: 0,
        }
    }

    /// Counts the wheels' motion of one step.
    pub(crate) fn roll(&mut self, wheels: Twist2) {
        self.since = self.since * Pose2::exp(wheels.scaled(STEP_SECS));
        self.n_steps += 1;
    }

    pub(crate) fn measure(&mut self, config: &OdometryConfig) -> OdometryReading {
        let rolled = self.since.log();
        let way_m = rolled.vx_mps.hypot(rolled.vy_mps);
        let root_way = way_m.sqrt() * self.noise_factor;
        let root_turn = rolled.yaw_rate_radps.abs().sqrt() * self.noise_factor;
        let way_noise_m = self.noise.normal(config.way_sigma_per_root_m * root_way);
        let yaw_noise_rad = self.noise.normal(config.yaw_sigma_per_root_m * root_way)
            + self.noise.normal(config.yaw_sigma_per_root_rad * root_turn);
        let factor = self.gain
            + if way_m > 0.0 {
                way_noise_m / way_m
            } else {
                0.0
            };
        let read = Twist2 {
            vx_mps: rolled.vx_mps * factor,
            vy_mps: rolled.vy_mps * factor,
            yaw_rate_radps: rolled.yaw_rate_radps + yaw_noise_rad,
        };
        self.pose = self.pose * Pose2::exp(read);
        let secs = f64::from(self.n_steps.max(1)) * STEP_SECS;
        self.since = Pose2::IDENTITY;
        self.n_steps = 0;
        OdometryReading {
            odometry_from_base: self.pose,
            twist: read.scaled(secs.recip()),
        }
    }
}
