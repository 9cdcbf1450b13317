//! What stays the same during a run.

use std::sync::Arc;

use sedge_spacetime::AgentName;

use crate::drive::DrivePlan;
use crate::lidar::LidarBeams;
use crate::outline::{Outline, Placed};
use crate::physics::{BodyPlan, Physics, Turning};
use crate::walker::{HURRY, WALKER_HEIGHT_M, WALKER_MASS_KG, WALKER_RADIUS_M};
use crate::{RobotKind, RunHeader, STEPS_PER_SECOND, Scenario, WalkerDraw};
use sedge_spacetime::Pose2;

/// A run, apart from what moves.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) header: RunHeader,
    /// What tells this run from others: scenario, seed.
    pub(crate) identity: [u8; 32],
    pub(crate) walls: Vec<Placed>,
    /// Of the walls, then of the robots, then of the walkers.
    pub(crate) heights_m: Vec<f64>,
    pub(crate) robots: Vec<RobotPlan>,
    pub(crate) walker_names: Vec<AgentName>,
    /// Of the robots, then of the walkers.
    pub(crate) outlines: Vec<Outline>,
    /// Of the robots, then of the walkers.
    pub(crate) masses_kg: Vec<f64>,
}

/// A robot, apart from what moves.
#[derive(Debug)]
pub(crate) struct RobotPlan {
    pub(crate) name: AgentName,
    pub(crate) kind: RobotKind,
    pub(crate) drive: DrivePlan,
    pub(crate) lidar: Option<Arc<LidarBeams>>,
}

impl Plan {
    pub(crate) fn new(scenario: &Scenario, header: RunHeader) -> Self {
        let lidars = |kind: &RobotKind| kind.lidar.map(|config| Arc::new(LidarBeams::new(config)));
        let beams_of: std::collections::BTreeMap<&str, Option<Arc<LidarBeams>>> = scenario
            .kinds
            .iter()
            .map(|(name, kind)| (name.as_str(), lidars(kind)))
            .collect();
        let robot = |draw: &crate::RobotDraw| {
            let kind = scenario.kinds[&draw.kind].clone();
            let drive = DrivePlan {
                drive: kind.drive,
                motor_gain: draw.motor_gain,
                floor_friction: header.floor_friction,
                radius_m: kind.body.radius_m(),
            };
            RobotPlan {
                name: draw.agent_name(),
                drive,
                lidar: beams_of[draw.kind.as_str()].clone(),
                kind,
            }
        };
        let robots: Vec<RobotPlan> = header.robots.iter().map(robot).collect();
        let n_walkers = header.walkers.len();
        let walker = Outline::Disc {
            radius_m: WALKER_RADIUS_M,
        };
        let outlines = robots.iter().map(|robot| Outline::from(robot.kind.body));
        let outlines = outlines
            .chain(std::iter::repeat_n(walker, n_walkers))
            .collect();
        let masses_kg = header.robots.iter().map(|draw| draw.mass_kg);
        let masses_kg = masses_kg
            .chain(std::iter::repeat_n(WALKER_MASS_KG, n_walkers))
            .collect();
        let heights_m = scenario.walls.iter().map(|wall| wall.height_m);
        let heights_m = heights_m
            .chain(robots.iter().map(|robot| robot.kind.height_m))
            .chain(std::iter::repeat_n(WALKER_HEIGHT_M, n_walkers))
            .collect();
        let mut identity = blake3::Hasher::new();
        identity.update(&scenario.hash());
        identity.update(&header.seed.to_le_bytes());
        Self {
            identity: *identity.finalize().as_bytes(),
            walls: scenario.walls.iter().map(Placed::wall).collect(),
            heights_m,
            walker_names: header.walkers.iter().map(WalkerDraw::agent_name).collect(),
            robots,
            outlines,
            masses_kg,
            header,
            scenario: scenario.clone(),
        }
    }

    /// Everybody at the start.
    pub(crate) fn physics(&self) -> Physics {
        let robots = self.header.robots.iter().zip(&self.robots);
        let robots = robots.map(|(draw, plan)| BodyPlan {
            outline: plan.kind.body.into(),
            pose: draw.start,
            mass_kg: draw.mass_kg,
            turning: Turning::Free,
            speed_max_mps: plan.kind.drive.limits().max_speed_mps * draw.motor_gain,
        });
        let walkers = self.header.walkers.iter().map(|draw| BodyPlan {
            outline: Outline::Disc {
                radius_m: WALKER_RADIUS_M,
            },
            pose: Pose2::new(draw.start_m[0], draw.start_m[1], 0.0),
            mass_kg: WALKER_MASS_KG,
            turning: Turning::Locked,
            speed_max_mps: HURRY * draw.speed_mps,
        });
        let bodies: Vec<BodyPlan> = robots.chain(walkers).collect();
        Physics::new(&self.walls, &bodies)
    }
}

/// After how many steps a sensor of this rate measures again; the rate was checked to divide.
pub(crate) fn steps_between(rate_hz: f64) -> u64 {
    (STEPS_PER_SECOND / rate_hz).round().max(1.0) as u64
}
