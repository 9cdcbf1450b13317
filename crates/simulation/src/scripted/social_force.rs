//! Social force for robots, after Helbing and Molnár (Physical Review E 51, 1995).

use serde::{Deserialize, Serialize};

use super::{others_near, wish};
use crate::Simulation;

/// A pull to the goal, and pushes from others and walls that fade exponentially.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SocialForce {
    /// Seconds in which the wished velocity is reached. Default 0.5.
    pub relaxation_secs: f64,
    /// Push of others where they touch, in m/s². Default 4.
    pub push_mps2: f64,
    /// Distance in which it fades to 1/e, in metres. Default 0.4.
    pub fade_m: f64,
    /// Push of walls where they are touched, in m/s². Default 4.
    pub wall_push_mps2: f64,
    /// Distance in which it fades to 1/e, in metres. Default 0.15.
    pub wall_fade_m: f64,
    /// Farther others do not count, in metres. Default 4.
    pub regard_m_max: f64,
}

impl Default for SocialForce {
    fn default() -> Self {
        Self {
            relaxation_secs: 0.5,
            push_mps2: 4.0,
            fade_m: 0.4,
            wall_push_mps2: 4.0,
            wall_fade_m: 0.15,
            regard_m_max: 4.0,
        }
    }
}

impl SocialForce {
    /// The wanted velocity of a robot, in the world: what the forces make of its wish.
    pub(crate) fn velocity(&self, simulation: &Simulation, robot_idx: usize) -> [f64; 2] {
        let mut wanted = wish(simulation, robot_idx);
        if wanted == [0.0, 0.0] {
            return wanted;
        }
        let state = simulation.robots()[robot_idx];
        let here = [state.pose.x_m, state.pose.y_m];
        let mut push = |away: [f64; 2], gap_m: f64, [push, fade_m]: [f64; 2]| {
            let length = away[0].hypot(away[1]).max(1e-9);
            let by_mps = self.relaxation_secs * push * (-gap_m / fade_m).exp();
            wanted[0] += by_mps * away[0] / length;
            wanted[1] += by_mps * away[1] / length;
        };
        for other in others_near(simulation, robot_idx, self.regard_m_max) {
            let [x, y] = other.to_m;
            let gap_m = x.hypot(y) - other.radius_m - state.radius_m;
            push([-x, -y], gap_m, [self.push_mps2, self.fade_m]);
        }
        for wall in simulation.placed_walls() {
            let (near, distance_m) = wall.nearest(here);
            if distance_m > 0.0 && distance_m < self.regard_m_max {
                let away = [here[0] - near[0], here[1] - near[1]];
                let gap_m = distance_m - state.radius_m;
                push(away, gap_m, [self.wall_push_mps2, self.wall_fade_m]);
            }
        }
        let limits = simulation.plan().robots[robot_idx].kind.drive.limits();
        crate::drive::cut(wanted, limits.max_speed_mps)
    }
}
