//! Kinds of robots: body, drive and what they carry.

use serde::{Deserialize, Serialize};

use super::{DepthCameraConfig, ImuConfig, LidarConfig, OdometryConfig, RangeBearingConfig};

/// A kind of robot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotKind {
    /// Its outline in the plane.
    pub body: Body,
    /// How high it is, in metres; what depth cameras see.
    pub height_m: f64,
    /// Its mass before randomisation, in kilograms.
    pub mass_kg: f64,
    /// How it moves.
    pub drive: Drive,
    /// A planar scanner; none by default.
    pub lidar: Option<LidarConfig>,
    /// An inertial measurement unit; none by default.
    pub imu: Option<ImuConfig>,
    /// Wheel odometry; none by default.
    pub odometry: Option<OdometryConfig>,
    /// What measures other robots; none by default.
    pub range_bearing: Option<RangeBearingConfig>,
    /// A depth camera; none by default.
    pub depth: Option<DepthCameraConfig>,
}

/// An outline in the plane, extruded to the height of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// An upright cylinder around the base.
    Cylinder {
        /// Its radius.
        radius_m: f64,
    },
    /// A box around the base.
    Box {
        /// Its length, forward.
        length_m: f64,
        /// Its width.
        width_m: f64,
    },
}

impl Body {
    /// Radius of the smallest disc around the base that holds it.
    pub fn radius_m(self) -> f64 {
        match self {
            Self::Cylinder { radius_m } => radius_m,
            Self::Box { length_m, width_m } => length_m.hypot(width_m) / 2.0,
        }
    }
}

/// How a robot moves. Wheels follow the command within the limits, the body follows the wheels as
/// far as the floor's friction carries it: a blocked or hard-pushed robot's wheels slip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drive {
    /// Two driven wheels: forward and turning, never sideways by itself.
    Differential(DriveLimits),
    /// Wheels that drive in any direction.
    Holonomic(DriveLimits),
}

impl Drive {
    /// What it can do.
    pub fn limits(&self) -> &DriveLimits {
        match self {
            Self::Differential(limits) | Self::Holonomic(limits) => limits,
        }
    }
}

/// What a drive can do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveLimits {
    /// Speed over ground, in any direction that it can drive.
    pub max_speed_mps: f64,
    /// Change of speed in a second, speeding up and braking. Default 2.
    #[serde(default = "default_acceleration")]
    pub max_acceleration_mps2: f64,
    /// Rate of turn. Default 2.
    #[serde(default = "default_yaw_rate")]
    pub max_yaw_rate_radps: f64,
    /// Change of the rate of turn in a second. Default 8.
    #[serde(default = "default_yaw_acceleration")]
    pub max_yaw_acceleration_radps2: f64,
}

fn default_acceleration() -> f64 {
    2.0
}

fn default_yaw_rate() -> f64 {
    2.0
}

fn default_yaw_acceleration() -> f64 {
    8.0
}
