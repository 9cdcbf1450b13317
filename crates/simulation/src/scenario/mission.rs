//! Who starts where and goes where, and what a seed changes.

use serde::{Deserialize, Serialize};

/// What counts as success of a run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Every robot passes the way points of its route in order and reaches the last one.
    #[default]
    Reach,
    /// The robots together see a share of the free floor.
    Cover(CoverTask),
    /// The robots move together: alike in direction, near each other.
    Flock(FlockTask),
}

/// Seeing the floor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverTask {
    /// What is to be seen: the rectangle's corner with the smallest coordinates.
    pub min_m: [f64; 2],
    /// The corner with the largest coordinates.
    pub max_m: [f64; 2],
    /// Length of a cell, metres. Default 0.5.
    #[serde(default = "default_cell")]
    pub cell_m: f64,
    /// A cell is seen when its middle is this near to a robot. Default 0.8.
    #[serde(default = "default_reach")]
    pub reach_m: f64,
    /// Share of the cells outside walls that makes a success. Default 0.95.
    #[serde(default = "default_share")]
    pub share: f64,
}

/// Moving as one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlockTask {
    /// Mean length of the robots' mean direction that makes a success, 0 to 1. Default 0.8.
    #[serde(default = "default_alignment")]
    pub alignment: f64,
    /// Mean distance to the flock's middle that makes a success, metres.
    pub spread_m: f64,
}

/// A robot at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotSpawn {
    /// Its kind.
    pub kind: String,
    /// Where it starts, `[x, y, yaw]`.
    pub start: [f64; 3],
    /// Way points `[x, y, yaw]`, the last one its goal. Default: none, it has nowhere to go.
    #[serde(default)]
    pub route: Vec<[f64; 3]>,
    /// How near is near enough. Default 0.3.
    #[serde(default = "default_position_tolerance")]
    pub position_tolerance_m: f64,
    /// How well the last heading must fit; 4 or more is any. Default any.
    #[serde(default = "default_yaw_tolerance")]
    pub yaw_tolerance_rad: f64,
}

/// A rectangle along the axes from which a seed draws places.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The corner with the smallest coordinates.
    pub min_m: [f64; 2],
    /// The corner with the largest coordinates.
    pub max_m: [f64; 2],
    /// The heading there. Default 0.
    #[serde(default)]
    pub yaw_rad: f64,
}

/// Robots in a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotGroup {
    /// Their kind.
    pub kind: String,
    /// How many.
    pub count: usize,
    /// Where they start, none in another.
    pub spawn: Region,
    /// Each robot draws one way point of each; last ones do not overlap. Default none.
    #[serde(default)]
    pub route: Vec<Region>,
    /// How near is near enough. Default 0.3.
    #[serde(default = "default_position_tolerance")]
    pub position_tolerance_m: f64,
}

/// What a walker does at the end of its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// Walks the route back, and so on.
    #[default]
    TurnBack,
    /// Walks to its first way point again.
    Repeat,
    /// Stands.
    Stop,
}

/// A walker at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalkerSpawn {
    /// Where it starts, `[x, y]`.
    pub start: [f64; 2],
    /// Where it walks. Default: it stands, and gives way.
    #[serde(default)]
    pub route: Vec<[f64; 2]>,
    /// How fast it likes to walk. Default 1.2.
    #[serde(default = "default_walking_speed")]
    pub speed_mps: f64,
    /// How much of its regard for people it has for robots: 0 does not see them, 1 gives way as to
    /// people. Default 0.5.
    #[serde(default = "default_regard")]
    pub regard: f64,
    /// What it does at the end. Default turn back.
    #[serde(default)]
    pub at_end: AtEnd,
}

/// Walkers in a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    /// How many.
    pub count: usize,
    /// Where they start, none in another.
    pub spawn: Region,
    /// Each walker draws one way point of each. Default: they stand.
    #[serde(default)]
    pub route: Vec<Region>,
    /// Slowest and fastest speed that they like, drawn evenly. Default 0.8 to 1.4.
    #[serde(default = "default_walking_speeds")]
    pub speeds_mps: [f64; 2],
    /// How much of their regard for people they have for robots. Default 0.5.
    #[serde(default = "default_regard")]
    pub regard: f64,
    /// What they do at the end. Default turn back.
    #[serde(default)]
    pub at_end: AtEnd,
}

/// How far runs of different seeds differ. A share `s` draws a factor evenly from `1 - s` to
/// `1 + s`. All default to 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Randomisation {
    /// Of the floor's friction.
    pub friction_share: f64,
    /// Of each robot's mass.
    pub mass_share: f64,
    /// Of each robot's speed for a commanded speed.
    pub motor_gain_share: f64,
    /// Of all sigmas of a robot's sensors.
    pub sensor_noise_share: f64,
    /// Of each walker's speed.
    pub walker_speed_share: f64,
    /// How far from its place a robot or walker may start, along x and along y.
    pub spawn_jitter_m: f64,
    /// How far from its heading a robot may start.
    pub spawn_jitter_rad: f64,
}

fn default_cell() -> f64 {
    0.5
}

fn default_reach() -> f64 {
    0.8
}

fn default_share() -> f64 {
    0.95
}

fn default_alignment() -> f64 {
    0.8
}

fn default_position_tolerance() -> f64 {
    0.3
}

fn default_yaw_tolerance() -> f64 {
    4.0
}

fn default_walking_speed() -> f64 {
    1.2
}

fn default_walking_speeds() -> [f64; 2] {
    [0.8, 1.4]
}

fn default_regard() -> f64 {
    0.5
}
