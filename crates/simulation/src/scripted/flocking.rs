//! Flocking after Reynolds ("Flocks, herds, and schools: a distributed behavioral model", 1987).

use serde::{Deserialize, Serialize};

use super::{others_near, wish};
use crate::Simulation;
use crate::drive::cut;

/// Each robot goes where its neighbours go, towards their middle, and not too near to any.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flocking {
    /// Who is a neighbour, in metres. Default 4.
    pub neighbour_m_max: f64,
    /// Weight of going as the neighbours go. Default 1.
    pub alignment: f64,
    /// Weight of going to their middle, in 1/s. Default 0.3.
    pub cohesion: f64,
    /// Weight of keeping apart, in m²/s: the push at 1 m between hulls. Default 0.25.
    pub separation: f64,
    /// Weight of the way to the goal. Default 0.6.
    pub goal: f64,
    /// Push of walls at 1 m, in m²/s. Default 0.25.
    pub walls: f64,
}

impl Default for Flocking {
    fn default() -> Self {
        Self {
            neighbour_m_max: 4.0,
            alignment: 1.0,
            cohesion: 0.3,
            separation: 0.25,
            goal: 0.6,
            walls: 0.25,
        }
    }
}

/// Nearer gaps push no harder, in metres.
const GAP_M_MIN: f64 = 0.1;

impl Flocking {
    /// The wanted velocity of a robot, in the world.
    pub(crate) fn velocity(&self, simulation: &Simulation, robot_idx: usize) -> [f64; 2] {
        let state = simulation.robots()[robot_idx];
        let here = [state.pose.x_m, state.pose.y_m];
        let own = simulation.body_states()[robot_idx].velocity_mps;
        let limits = simulation.plan().robots[robot_idx].kind.drive.limits();
        let goal = wish(simulation, robot_idx);
        let mut wanted = [own[0] + self.goal * goal[0], own[1] + self.goal * goal[1]];
        let mut add = |[x, y]: [f64; 2], weight: f64| {
            wanted[0] += weight * x;
            wanted[1] += weight * y;
        };
        let (mut heading, mut middle, mut n_near) = ([0.0; 2], [0.0; 2], 0.0);
        for other in others_near(simulation, robot_idx, self.neighbour_m_max) {
            let [x, y] = other.to_m;
            let distance_m = x.hypot(y).max(1e-9);
            let gap_m = (distance_m - other.radius_m - state.radius_m).max(GAP_M_MIN);
            add([-x, -y], self.separation / (gap_m * distance_m));
            if other.is_robot {
                n_near += 1.0;
                heading = [
                    heading[0] + other.velocity_mps[0] - own[0],
                    heading[1] + other.velocity_mps[1] - own[1],
                ];
                middle = [middle[0] + x, middle[1] + y];
            }
        }
        if n_near > 0.0 {
            add(heading, self.alignment / n_near);
            add(middle, self.cohesion / n_near);
        }
        for wall in simulation.placed_walls() {
            let (near, distance_m) = wall.nearest(here);
            if distance_m > 0.0 && distance_m < self.neighbour_m_max {
                let gap_m = (distance_m - state.radius_m).max(GAP_M_MIN);
                let away = [here[0] - near[0], here[1] - near[1]];
                add(away, self.walls / (gap_m * gap_m * distance_m));
            }
        }
        cut(wanted, limits.max_speed_mps)
    }
}
