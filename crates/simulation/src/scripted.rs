//! Scripted controllers that see the truth: yardsticks, not agents.
//!
//! Each gives every robot a wanted velocity towards its next way point that keeps it apart from
//! others; [`steer`] turns that into what its drive can do.

use sedge_spacetime::{Pose2, Twist2, wrap_angle};
use serde::{Deserialize, Serialize};

use crate::{Drive, Simulation};
use flocking::Flocking;
use orca::Orca;
use social_force::SocialForce;

pub mod flocking;
pub mod orca;
pub mod social_force;

/// Seconds before a goal in which a robot slows down.
const BRAKING_SECS: f64 = 0.8;
/// How fast a robot with two wheels turns to where it wants to go, in 1/s.
const TURN_GAIN: f64 = 4.0;
/// Wanted speeds below this do not turn a robot, in m/s.
const CRAWL_MPS: f64 = 0.02;

/// A scripted controller.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scripted {
    /// Reciprocal velocity obstacles.
    Orca(Orca),
    /// Pulls and pushes.
    SocialForce(SocialForce),
    /// Alignment, cohesion, separation.
    Flocking(Flocking),
}

impl Scripted {
    /// A wanted twist for each robot.
    pub fn targets(&mut self, simulation: &Simulation, targets: &mut Vec<Twist2>) {
        targets.clear();
        for (robot_idx, state) in simulation.robots().iter().enumerate() {
            let velocity = match self {
                Self::Orca(orca) => orca.velocity(simulation, robot_idx),
                Self::SocialForce(force) => force.velocity(simulation, robot_idx),
                Self::Flocking(flocking) => flocking.velocity(simulation, robot_idx),
            };
            let drive = &simulation.plan().robots[robot_idx].kind.drive;
            let mut twist = steer(drive, state.pose, velocity);
            if velocity == [0.0, 0.0] {
                twist.yaw_rate_radps = turn_at_goal(simulation, robot_idx);
            }
            targets.push(twist);
        }
    }
}

/// Where a robot would go if it were alone, in the world: to its next way point, slower before the
/// last one. Zero where it has nowhere to go, or is near enough.
pub(crate) fn wish(simulation: &Simulation, robot_idx: usize) -> [f64; 2] {
    let Some(waypoint) = simulation.next_waypoint(robot_idx) else {
        return [0.0, 0.0];
    };
    let pose = simulation.robots()[robot_idx].pose;
    let draw = &simulation.header().robots[robot_idx];
    let limits = simulation.plan().robots[robot_idx].kind.drive.limits();
    let to = [waypoint.x_m - pose.x_m, waypoint.y_m - pose.y_m];
    let distance_m = to[0].hypot(to[1]);
    let is_last = draw.route.last() == Some(&waypoint);
    let near_m = draw.position_tolerance_m / 2.0;
    if distance_m <= near_m {
        return [0.0, 0.0];
    }
    let speed_mps = if is_last {
        limits.max_speed_mps.min(distance_m / BRAKING_SECS)
    } else {
        limits.max_speed_mps
    };
    [
        to[0] / distance_m * speed_mps,
        to[1] / distance_m * speed_mps,
    ]
}

/// A twist that brings about a velocity in the world as well as the drive can.
pub fn steer(drive: &Drive, pose: Pose2, velocity_mps: [f64; 2]) -> Twist2 {
    let (sin, cos) = pose.yaw_rad.sin_cos();
    let [vx, vy] = velocity_mps;
    let (forward, left) = (cos * vx + sin * vy, cos * vy - sin * vx);
    let speed_mps = forward.hypot(left);
    let off_rad = left.atan2(forward);
    match drive {
        Drive::Holonomic(_) => Twist2 {
            vx_mps: forward,
            vy_mps: left,
            yaw_rate_radps: 0.0,
        },
        Drive::Differential(_) if speed_mps < CRAWL_MPS => Twist2::default(),
        // Turning comes first: sideways it cannot go.
        Drive::Differential(_) => Twist2 {
            vx_mps: speed_mps * off_rad.cos().max(0.0),
            vy_mps: 0.0,
            yaw_rate_radps: TURN_GAIN * off_rad,
        },
    }
}

/// Turns a robot that has arrived to the heading of its way point.
fn turn_at_goal(simulation: &Simulation, robot_idx: usize) -> f64 {
    let pose = simulation.robots()[robot_idx].pose;
    let waypoint = simulation.next_waypoint(robot_idx);
    waypoint.map_or(0.0, |it| TURN_GAIN * wrap_angle(it.yaw_rad - pose.yaw_rad))
}

/// Everybody else near a robot: robots, then walkers.
pub(crate) fn others_near(
    simulation: &Simulation,
    robot_idx: usize,
    within_m: f64,
) -> impl Iterator<Item = Other> {
    let bodies = simulation.body_states();
    let here = bodies[robot_idx].pose;
    let n_robots = simulation.robots().len();
    let states = simulation.robots().iter().chain(simulation.walkers());
    let all = bodies.iter().zip(states).enumerate();
    all.filter_map(move |(idx, (body, state))| {
        let to = [body.pose.x_m - here.x_m, body.pose.y_m - here.y_m];
        let is_near = to[0].hypot(to[1]) < within_m;
        (idx != robot_idx && is_near).then_some(Other {
            to_m: to,
            velocity_mps: body.velocity_mps,
            radius_m: state.radius_m,
            is_robot: idx < n_robots,
        })
    })
}

/// Somebody near a robot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Other {
    /// From the robot's middle to theirs.
    pub(crate) to_m: [f64; 2],
    pub(crate) velocity_mps: [f64; 2],
    pub(crate) radius_m: f64,
    /// Whether it keeps apart too.
    pub(crate) is_robot: bool,
}
