//! Scenarios, robots and their sensors, stepped deterministically in rapier.
//!
//! A [`Scenario`] is data from `sims/`; a [`Simulation`] is one run of it by a seed, 10 ms a step,
//! with snapshots and forks that go on bit by bit; [`SimulationNode`] puts it on a network, where
//! its robots cannot be told from real ones. It never plans or learns, reads no clock, draws
//! nothing and starts no thread: the same scenario, seed and commands give the same bits.
//!
//! Bodies are upright and move in the plane "world". What they are made of is rapier's (contacts,
//! friction, masses), what sensors see of them is computed here from their outlines, exactly.

use std::time::Duration;

mod contacts;
mod depth_camera;
mod draws;
mod drive;
mod inertial;
mod lidar;
pub mod limits;
mod metrics;
mod node;
mod noise;
mod outline;
mod overlap;
mod parting;
mod peers;
mod physics;
mod plan;
mod reading;
mod scenario;
mod scene;
pub mod scripted;
mod sensors;
mod separation;
mod simulation;
mod task;
mod walker;
mod wheel_odometry;

pub use contacts::{Contact, ContactReading, PARTED_M, TOUCH_M};
pub use depth_camera::DepthReading;
pub use draws::{RobotDraw, RunHeader, SpawnError, WalkerDraw};
pub use inertial::{ImuReading, ImuSample};
pub use lidar::{DROP_OUT_M, LidarReading, NO_RETURN_M, TrueScan};
pub use metrics::{DEADLOCK_SECS, RobotMetrics, RunMetrics, SEPARATION_M_MAX, STANDSTILL_M};
pub use node::{
    CommandCounts, Driver, STEPS_PER_TICK_MAX, SimulationNode, SimulationNodeConfig, TrueScans,
    Truth,
};
pub use peers::{PeerReading, RangeBearingReading};
pub use reading::{Measurement, Reading};
pub use scenario::{
    AtEnd, Body, CoverTask, Crowd, DepthCameraConfig, Drive, DriveLimits, FlockTask, ImuConfig,
    LidarConfig, OdometryConfig, Randomisation, RangeBearingConfig, Region, RobotGroup, RobotKind,
    RobotSpawn, Scenario, ScenarioError, Task, WalkerSpawn, Wall,
};
pub use simulation::{AgentState, Simulation, SnapshotError};
pub use walker::{WALKER_HEIGHT_M, WALKER_MASS_KG, WALKER_RADIUS_M};
pub use wheel_odometry::OdometryReading;

/// The time of one step.
pub const STEP: Duration = Duration::from_millis(10);
/// The time of one step in seconds.
pub const STEP_SECS: f64 = 0.01;
/// Steps of a simulated second.
pub const STEPS_PER_SECOND: f64 = 100.0;
