//! What a robot senses and hears, as timed events.

use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp, Twist2};
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

/// A measured number and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The number.
    pub value: f64,
    /// Its standard deviation in the same unit, not negative.
    pub sigma: f64,
}

/// One sample of an inertial measurement unit on a robot that stays upright.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImuSample {
    /// When it was taken after the event's stamp.
    pub offset: Duration,
    /// Rate of turn about the axis that points up, in rad/s, its bias still in it.
    pub yaw_rate_radps: f64,
    /// What the accelerometer measures forward and to the left, in m/s2.
    pub acceleration_mps2: [f64; 2],
}

/// How far and in which direction somebody was seen; either may be missing.
///
/// # Units and frames
/// In the seeing scanner's frame: bearing 0 is forward, counter-clockwise is positive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Seen {
    /// Distance in metres, if it was measured.
    pub range_m: Option<Measured>,
    /// Direction in radians, if it was measured.
    pub bearing_rad: Option<Measured>,
}

/// A named robot that this one's range/bearing sensor saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Who it is.
    pub name: AgentName,
    /// Where it is.
    pub seen: Seen,
}

/// A part of an announced way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntendedMotion {
    /// How far after the report's stamp.
    pub ahead: Duration,
    /// Where the neighbour will be, seen from where it was at the stamp (`now_from_then`).
    pub now_from_then: Pose2,
    /// Its own doubt about that, in its frame then.
    pub covariance: Covariance2,
}

/// What a neighbour can say. Each kind comes at its own pace; what did not come, or came too long
/// ago, is masked.
#[derive(Debug, Clone, PartialEq)]
pub enum Broadcast {
    /// Its range/bearing sensor saw this robot.
    Sees(Seen),
    /// Its velocity in its own frame, by its odometry.
    Moves(Twist2),
    /// Where it means to go: its motion at increasing times ahead.
    Intends(Arc<[IntendedMotion]>),
}

/// What another robot broadcast; the event's stamp says when it was true.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighbourReport {
    /// Who says it.
    pub name: AgentName,
    /// What it says.
    pub said: Broadcast,
}

/// What was sensed or heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// A planar scan.
    Lidar(LidarScan),
    /// The pose of the base in the drifting odometry frame (`odometry_from_base`).
    Odometry(Pose2),
    /// Where the base is taken to be in the same frame: its newest odometry, carried on by velocity
    /// to where a scan is to be placed. It holds until the next odometry, which takes its place.
    DeadReckoning(Pose2),
    /// Inertial samples in the order of their offsets. `[sample]`
    Imu(Arc<[ImuSample]>),
    /// Which robots the range/bearing sensor sees; empty when it sees none. `[neighbour]`
    RangeBearing(Arc<[Sighting]>),
    /// What another robot says of itself.
    Neighbour(NeighbourReport),
}

/// What was sensed and when.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorEvent {
    /// When the sensor says it was sensed.
    pub stamp: Stamp,
    /// What was sensed.
    pub observation: Observation,
}
