//! Sensors and their noise. Every noise is drawn from the run's seed; 0 switches a noise off.

use serde::{Deserialize, Serialize};

/// A planar scanner at the middle of the base, looking all around from straight behind.
///
/// A range is `r + N(0, range_sigma_m + range_sigma_share r)` along a beam whose direction is off
/// by `N(0, angle_sigma_rad)`, cut at four sigma. Its own robot is never hit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LidarConfig {
    /// Beams of a scan, evenly over the full circle; the first one at -pi. Default 360.
    #[serde(default = "default_beams")]
    pub n_beams: usize,
    /// Farther than this is no return. Default 20, above which nothing counts as measured.
    #[serde(default = "default_lidar_range")]
    pub range_max_m: f64,
    /// Scans a second; must divide 100. Default 10.
    #[serde(default = "default_lidar_rate")]
    pub rate_hz: f64,
    /// Noise of ranges that does not grow with range. Default 0.01.
    #[serde(default = "default_range_sigma")]
    pub range_sigma_m: f64,
    /// Noise of ranges per metre of range. Default 0.001.
    #[serde(default = "default_range_sigma_share")]
    pub range_sigma_share: f64,
    /// Noise of directions. Default 0.001.
    #[serde(default = "default_angle_sigma")]
    pub angle_sigma_rad: f64,
    /// Share of beams that measure nothing. Default 0.005.
    #[serde(default = "default_lidar_dropout")]
    pub dropout: f64,
}

/// An inertial measurement unit at the middle of the base.
///
/// A reading is truth + bias + `N(0, density / sqrt(dt))`; the bias begins at `N(0, turn-on)` and
/// walks by `N(0, walk sqrt(dt))` a sample: the usual model of data sheets and Kalibr. Defaults are
/// those of a good consumer part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImuConfig {
    /// Samples a second, a multiple of 100 up to 1000: bodies have one velocity and one
    /// acceleration for the 10 ms of a step, of which this samples as many times. Default 100.
    #[serde(
        default = "default_imu_rate",
        skip_serializing_if = "is_default_imu_rate"
    )]
    pub rate_hz: f64,
    /// Samples of a message. Default 5.
    #[serde(default = "default_imu_batch")]
    pub batch: usize,
    /// White noise of the gyroscope, in rad/s/sqrt(Hz). Default 2e-4.
    #[serde(default = "default_gyro_noise")]
    pub gyro_noise_density: f64,
    /// Walk of its bias, in rad/s²/sqrt(Hz). Default 2e-5.
    #[serde(default = "default_gyro_walk")]
    pub gyro_bias_walk: f64,
    /// Sigma of its bias at the start, in rad/s. Default 5e-3.
    #[serde(default = "default_gyro_turn_on")]
    pub gyro_turn_on_bias_radps: f64,
    /// White noise of the accelerometer, in m/s²/sqrt(Hz). Default 2e-3.
    #[serde(default = "default_accelerometer_noise")]
    pub accelerometer_noise_density: f64,
    /// Walk of its bias, in m/s³/sqrt(Hz). Default 3e-4.
    #[serde(default = "default_accelerometer_walk")]
    pub accelerometer_bias_walk: f64,
    /// Sigma of its bias at the start, in m/s². Default 0.05.
    #[serde(default = "default_accelerometer_turn_on")]
    pub accelerometer_turn_on_bias_mps2: f64,
}

/// Odometry counted from the wheels: it does not know when they slip.
///
/// Each reading adds the wheels' motion times a gain drawn once per run, plus noise that grows with
/// the square root of the way and of the turning (so that it does not depend on the rate).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OdometryConfig {
    /// Readings a second; must divide 100. Default 50.
    #[serde(default = "default_odometry_rate")]
    pub rate_hz: f64,
    /// Noise of the way, per square root of metre. Default 0.01.
    #[serde(default = "default_way_sigma")]
    pub way_sigma_per_root_m: f64,
    /// Noise of the heading, in radians per square root of metre. Default 0.01.
    #[serde(default = "default_drift_sigma")]
    pub yaw_sigma_per_root_m: f64,
    /// Noise of the heading, in radians per square root of radian turned. Default 0.01.
    #[serde(default = "default_turn_sigma")]
    pub yaw_sigma_per_root_rad: f64,
    /// Sigma of the gain's error, drawn once per run. Default 0.01.
    #[serde(default = "default_gain_sigma")]
    pub gain_sigma: f64,
}

/// Ranges and bearings of other robots in line of sight, such as from radios with several antennas.
///
/// Walls and walkers block it, other robots do not: their radios stand above them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeBearingConfig {
    /// Farther robots are not measured. Default 15.
    #[serde(default = "default_peer_range")]
    pub range_max_m: f64,
    /// Readings a second; must divide 100. Default 10.
    #[serde(default = "default_peer_rate")]
    pub rate_hz: f64,
    /// Noise of ranges. Default 0.05.
    #[serde(default = "default_peer_range_sigma")]
    pub range_sigma_m: f64,
    /// Noise of bearings. Default 0.03.
    #[serde(default = "default_bearing_sigma")]
    pub bearing_sigma_rad: f64,
    /// Share of robots that are missed in a reading. Default 0.02.
    #[serde(default = "default_peer_dropout")]
    pub dropout: f64,
}

/// A depth camera at the middle of the base, looking forward, level.
///
/// Depth `z` is quantised to ticks after noise `N(0, sigma_share_per_m z²)`, which is how stereo
/// and structured light err; holes are single pixels, and every edge farther than `hole_step_m` in
/// depth from its left neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthCameraConfig {
    /// Pixels of a row. Default 80.
    #[serde(default = "default_columns")]
    pub n_columns: usize,
    /// Rows. Default 60.
    #[serde(default = "default_rows")]
    pub n_rows: usize,
    /// Horizontal field of view. Default 1.2.
    #[serde(default = "default_field_of_view")]
    pub field_of_view_rad: f64,
    /// How high it sits. Default 0.3.
    #[serde(default = "default_mount")]
    pub mount_height_m: f64,
    /// Pictures a second; must divide 100. Default 5.
    #[serde(default = "default_depth_rate")]
    pub rate_hz: f64,
    /// Farther is no reading. Default 8.
    #[serde(default = "default_depth_range")]
    pub range_max_m: f64,
    /// Metres of a tick. Default 0.001.
    #[serde(default = "default_tick")]
    pub metres_per_tick: f64,
    /// Noise of depth per square metre of depth. Default 0.002.
    #[serde(default = "default_depth_sigma")]
    pub sigma_share_per_m: f64,
    /// Share of pixels without a reading. Default 0.01.
    #[serde(default = "default_depth_dropout")]
    pub dropout: f64,
    /// Depth steps beyond this leave a hole beside the edge. Default 0.5.
    #[serde(default = "default_hole_step")]
    pub hole_step_m: f64,
}

/// What is as it always was stays out of what scenarios are hashed from.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_default_imu_rate(rate_hz: &f64) -> bool {
    rate_hz.to_bits() == default_imu_rate().to_bits()
}

/// Functions that return one number, because serde's defaults are functions.
macro_rules! defaults {
    ($($name:ident: $kind:ty = $value:expr;)*) => {
        $(fn $name() -> $kind {
            $value
        })*
    };
}

defaults! {
    default_beams: usize = 360;
    default_lidar_range: f64 = 20.0;
    default_lidar_rate: f64 = 10.0;
    default_range_sigma: f64 = 0.01;
    default_range_sigma_share: f64 = 0.001;
    default_angle_sigma: f64 = 0.001;
    default_lidar_dropout: f64 = 0.005;
    default_imu_rate: f64 = 100.0;
    default_imu_batch: usize = 5;
    default_gyro_noise: f64 = 2e-4;
    default_gyro_walk: f64 = 2e-5;
    default_gyro_turn_on: f64 = 5e-3;
    default_accelerometer_noise: f64 = 2e-3;
    default_accelerometer_walk: f64 = 3e-4;
    default_accelerometer_turn_on: f64 = 0.05;
    default_odometry_rate: f64 = 50.0;
    default_way_sigma: f64 = 0.01;
    default_drift_sigma: f64 = 0.01;
    default_turn_sigma: f64 = 0.01;
    default_gain_sigma: f64 = 0.01;
    default_peer_range: f64 = 15.0;
    default_peer_rate: f64 = 10.0;
    default_peer_range_sigma: f64 = 0.05;
    default_bearing_sigma: f64 = 0.03;
    default_peer_dropout: f64 = 0.02;
    default_columns: usize = 80;
    default_rows: usize = 60;
    default_field_of_view: f64 = 1.2;
    default_mount: f64 = 0.3;
    default_depth_rate: f64 = 5.0;
    default_depth_range: f64 = 8.0;
    default_tick: f64 = 0.001;
    default_depth_sigma: f64 = 0.002;
    default_depth_dropout: f64 = 0.01;
    default_hole_step: f64 = 0.5;
}
