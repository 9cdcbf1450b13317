//! What a robot senses, as timed events.

use std::sync::Arc;

use sedge_spacetime::{Pose2, Stamp};
use serde::{Deserialize, Serialize};

/// Ranges at or below this are no measurement (protocol constant of the lidar evaluation), metres.
pub const RANGE_MIN_M: f32 = 0.02;
/// Ranges at or above this are "no return" or too far to count (protocol constant), metres.
pub const RANGE_MAX_M: f32 = 20.0;
/// The shortest range a prediction may state (protocol constant), metres.
pub const PREDICTION_MIN_M: f32 = 0.05;

/// Where the beams of a planar scanner point.
///
/// # Units and frames
/// Beam `b` has angle `first_angle_rad + b * step_rad` in the scanner's frame: 0 is forward (+x),
/// counter-clockwise is positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScanGeometry {
    /// Angle of beam 0, in radians.
    pub first_angle_rad: f64,
    /// Angle from one beam to the next, in radians, positive.
    pub step_rad: f64,
    /// How many beams a scan has.
    pub n_beams: usize,
}

impl ScanGeometry {
    /// Angle of a beam, in radians.
    pub fn angle_rad(&self, beam_idx: usize) -> f64 {
        self.first_angle_rad + beam_idx as f64 * self.step_rad
    }
}

/// One planar scan, as measured: codes for "no return" are still in it.
#[derive(Debug, Clone, PartialEq)]
pub struct LidarScan {
    /// Where the beams point.
    pub geometry: ScanGeometry,
    /// Range per beam, in metres. `[beam]`
    pub ranges_m: Arc<[f32]>,
}

impl LidarScan {
    /// Whether a beam measured something: strictly between [`RANGE_MIN_M`] and [`RANGE_MAX_M`].
    pub fn is_valid(&self, beam_idx: usize) -> bool {
        let range = self.ranges_m[beam_idx];
        range > RANGE_MIN_M && range < RANGE_MAX_M
    }
}

/// What was sensed.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// A planar scan.
    Lidar(LidarScan),
    /// The pose of the base in the drifting odometry frame (`odometry_from_base`).
    Odometry(Pose2),
}

/// What was sensed and when.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorEvent {
    /// When the sensor says it was sensed.
    pub stamp: Stamp,
    /// What was sensed.
    pub observation: Observation,
}
