//! What to do next: MPPI and CEM over a world model, routes, and the filter between a plan and the
//! wheels.
//!
//! A few known plans are imagined by the model in one batch; what they are predicted to see becomes
//! clearance over time; hundreds of motions are scored in it, beside goal and neighbours. It never
//! asks which model it is, never decodes a scan in the loop over motions, reads no clock, and draws
//! random numbers only from the seed it was given.
//!
//! ```
//! use sedge_planning::{Goal, PlanRequest, PlannerConfig};
//! use sedge_spacetime::{Pose2, Twist2};
//! use sedge_world_model::{GeometricModel, MotionModel, MotionNoise, WorldModel as _, conformance};
//!
//! // A robot that has seen an empty room for three seconds.
//! let episode = conformance::drive(conformance::half_circle(181), 3.0);
//! let (motion, noise) = (MotionModel::default(), MotionNoise::ASSUMED);
//! let mut model = GeometricModel::new(episode.geometry, motion, noise);
//! for event in episode.events() {
//!     model.observe(&event)?;
//! }
//! let now = episode.odometry[episode.odometry.len() - 1].stamp;
//! let mut planner = PlannerConfig::default().build(7)?;
//! let request = PlanRequest {
//!     now,
//!     scan_stamp: episode.scans[episode.scans.len() - 1].stamp,
//!     odometry_stamp: now,
//!     twist: Twist2::default(),
//!     in_flight: &[],
//!     goal: Goal::place(1.0, 0.5),
//!     geometry: episode.geometry,
//!     odometry_from_base: Pose2::IDENTITY,
//!     base_from_scanner: Pose2::IDENTITY,
//!     discs: &[],
//! };
//! let plan = planner.plan(&mut model, &request, &mut || true)?;
//! assert!(plan.fallback.is_none() && plan.terms.collision == 0.0);
//! let end = plan.poses[plan.poses.len() - 1];
//! assert!((end.x_m - 1.0).hypot(end.y_m - 0.5) < 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cem;
mod clearance_field;
mod config;
mod costs;
mod disc;
mod disc_table;
mod distance_transform;
mod field_stack;
mod limits;
mod mppi;
mod noise;
mod nominal;
mod plan;
mod request;
mod rollout;
mod route;
mod safety;
mod scores;
mod search;
mod setting;
mod shift;
mod way;

pub use cem::Cem;
pub use clearance_field::{ClearanceField, FieldConfig, UnknownSpace};
pub use config::{CemConfig, ConfigError, Method, MppiConfig, NoiseConfig, PlannerConfig};
pub use costs::{CostConfig, CostTerms, GoalDistance, NeighbourCosts, Side};
pub use disc::{DiscWaypoint, MovingDisc, RightOfWay};
pub use limits::{Drive, MotionLimits};
pub use mppi::Mppi;
pub use plan::{Fallback, FallbackReason, FanTrajectory, Plan, Planner, StandIn};
pub use request::{Goal, N_DISCS_MAX, PlanError, PlanRequest};
pub use route::{RouteConfig, RouteFollower, RouteState};
pub use safety::{
    Evidence, SafeCommand, SafetyConfig, SafetyCounts, SafetyFilter, SafetyReason, StopOrder,
    TimedScan, TimedTwist, Verdict,
};
pub use search::Imagined;
