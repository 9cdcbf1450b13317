//! What a scenario may ask for at most, so that a file from a stranger costs neither memory nor
//! time without an end.

/// Bytes of a scenario file.
pub const SCENARIO_BYTES_MAX: usize = 1 << 20;
/// Robots of a scenario.
pub const ROBOTS_MAX: usize = 4_096;
/// Walkers of a scenario.
pub const WALKERS_MAX: usize = 4_096;
/// Walls of a scenario.
pub const WALLS_MAX: usize = 16_384;
/// Way points of one route.
pub const WAYPOINTS_MAX: usize = 1_024;
/// Simulated seconds of one run: a day.
pub const DURATION_SECS_MAX: f64 = 86_400.0;
/// How far from the origin anything may be, in metres; single precision keeps 0.1 mm there.
pub const EXTENT_M_MAX: f64 = 1_000.0;
/// Beams of a lidar.
pub const BEAMS_MAX: usize = 4_096;
/// Range of a lidar in metres; ranges at or above 20 m count as no measurement to world models.
pub const LIDAR_RANGE_M_MAX: f64 = 30.0;
/// Speed of robots and walkers in m/s: two that meet close 10 cm in one step.
pub const SPEED_MPS_MAX: f64 = 5.0;
/// Rate of turn of robots in rad/s.
pub const YAW_RATE_RADPS_MAX: f64 = 20.0;
/// Acceleration of robots and walkers in m/s², and of turning in rad/s².
pub const ACCELERATION_MAX: f64 = 50.0;
/// Pixels of a depth picture.
pub const PIXELS_MAX: usize = 1 << 18;
/// Places tried for one body before a region is called too full.
pub const SPAWN_TRIES_MAX: usize = 1_000;
