//! How a run went.

use sedge_spacetime::{Pose2, Stamp, wrap_angle};
use serde::{Deserialize, Serialize};

use crate::RobotDraw;

/// A robot that is not where it is to be and stays within [`STANDSTILL_M`] for this long is stuck.
pub const DEADLOCK_SECS: f64 = 10.0;
/// See [`DEADLOCK_SECS`], in metres.
pub const STANDSTILL_M: f64 = 0.25;
/// More than half a turn: any heading fits.
const ANY_HEADING_RAD: f64 = 4.0;
/// Separations are measured up to this, in metres.
pub const SEPARATION_M_MAX: f64 = 2.0;

/// How one robot did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RobotMetrics {
    /// When it reached the last way point of its route, in seconds; none if it has not, or has no
    /// route.
    pub reached_secs: Option<f64>,
    /// Way points that it has passed, in order.
    pub n_passed: usize,
    /// How far it went, in metres.
    pub path_m: f64,
    /// Episodes of contact with robots. Both robots of a pair count it.
    pub collisions_robot: u32,
    /// Episodes of contact with walkers.
    pub collisions_walker: u32,
    /// Episodes of contact with walls.
    pub collisions_wall: u32,
    /// Its least distance to the hull of a robot or walker, in metres, at most
    /// [`SEPARATION_M_MAX`]; less than zero in each other.
    pub separation_min_m: f64,
    /// The longest time that it stood within [`STANDSTILL_M`] before it reached its goal, seconds.
    pub standstill_secs_max: f64,
    /// It has a goal, has not reached it, and has stood for [`DEADLOCK_SECS`] until now.
    pub is_deadlocked: bool,
}

impl RobotMetrics {
    /// All its episodes of contact.
    pub fn n_collisions(&self) -> u32 {
        self.collisions_robot + self.collisions_walker + self.collisions_wall
    }
}

/// How a run went so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunMetrics {
    /// Simulated seconds so far.
    pub secs: f64,
    /// The robots, in order.
    pub robots: Vec<RobotMetrics>,
    /// Whether the scenario's task is fulfilled; see [`crate::Task`].
    pub is_success: bool,
    /// Share of the floor that was seen; none where the task is another.
    pub covered_share: Option<f64>,
    /// Mean length of the robots' mean direction in the second half of the run, 0 to 1; none where
    /// the task is another or the half has not begun.
    pub alignment: Option<f64>,
    /// Mean distance to the flock's middle in the second half of the run, in metres.
    pub spread_m: Option<f64>,
    /// How deep two things were in each other at most, in metres.
    pub penetration_max_m: f64,
    /// Bodies that physics had to take out because their numbers were none any more.
    pub n_quarantined: usize,
}

impl RunMetrics {
    /// Share of the robots with a route that have reached its end; 1 where nobody has one.
    pub fn reached_share(&self, draws: &[RobotDraw]) -> f64 {
        let with_route = draws.iter().zip(&self.robots);
        let with_route = with_route.filter(|(draw, _)| !draw.route.is_empty());
        let (n, n_reached) = with_route.fold((0_u32, 0_u32), |(n, n_reached), (_, robot)| {
            (n + 1, n_reached + u32::from(robot.reached_secs.is_some()))
        });
        if n == 0 {
            return 1.0;
        }
        f64::from(n_reached) / f64::from(n)
    }
}

/// One robot's way so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) metrics: RobotMetrics,
    last_m: [f64; 2],
    anchor_m: [f64; 2],
    anchored: Stamp,
}

impl Progress {
    pub(crate) fn new(start: Pose2) -> Self {
        let here = [start.x_m, start.y_m];
        Self {
            metrics: RobotMetrics {
                separation_min_m: SEPARATION_M_MAX,
                ..RobotMetrics::default()
            },
            last_m: here,
            anchor_m: here,
            anchored: Stamp::ZERO,
        }
    }

    pub(crate) fn step(&mut self, now: Stamp, pose: Pose2, draw: &RobotDraw) {
        let here = [pose.x_m, pose.y_m];
        let metrics = &mut self.metrics;
        metrics.path_m += (here[0] - self.last_m[0]).hypot(here[1] - self.last_m[1]);
        self.last_m = here;
        if draw.route.is_empty() || metrics.reached_secs.is_some() {
            return;
        }
        while let Some(goal) = draw.route.get(metrics.n_passed) {
            let is_last = metrics.n_passed + 1 == draw.route.len();
            let yaw_tolerance_rad = if is_last {
                draw.yaw_tolerance_rad
            } else {
                ANY_HEADING_RAD
            };
            let away_m = (goal.x_m - here[0]).hypot(goal.y_m - here[1]);
            let off_rad = wrap_angle(goal.yaw_rad - pose.yaw_rad).abs();
            if away_m > draw.position_tolerance_m || off_rad > yaw_tolerance_rad {
                break;
            }
            metrics.n_passed += 1;
            if is_last {
                metrics.reached_secs = Some(now.secs());
                metrics.is_deadlocked = false;
                return;
            }
        }
        let moved_m = (here[0] - self.anchor_m[0]).hypot(here[1] - self.anchor_m[1]);
        if moved_m > STANDSTILL_M {
            self.anchor_m = here;
            self.anchored = now;
        }
        let stood_secs = now.secs_since(self.anchored);
        metrics.standstill_secs_max = metrics.standstill_secs_max.max(stood_secs);
        metrics.is_deadlocked = stood_secs >= DEADLOCK_SECS;
    }
}
