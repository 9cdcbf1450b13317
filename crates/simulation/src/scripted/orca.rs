//! ORCA: van den Berg, Guy, Lin, Manocha, "Reciprocal n-body collision avoidance" (2011).
//!
//! Each neighbour leaves a half-plane of velocities that avoid it for a while, half of the effort
//! to each of a pair of robots; walkers promise nothing, so a robot does it all. Walls leave
//! half-planes from their nearest points, which are never given up. The velocity nearest to the
//! wish in all half-planes is a linear program in two dimensions; where there is none, the one that
//! violates the neighbours' half-planes least.

use serde::{Deserialize, Serialize};

use super::{Other, others_near, wish};
use crate::drive::cut;
use crate::{STEP_SECS, Simulation};

/// Lines that are parallel but for rounding.
const PARALLEL: f64 = 1e-9;

/// How far ahead and around robots look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Orca {
    /// Seconds for which velocities avoid others. Default 3.
    pub horizon_secs: f64,
    /// Seconds for which velocities avoid walls. Default 1.
    pub wall_horizon_secs: f64,
    /// Farther others do not count, in metres. Default 6.
    pub neighbour_m_max: f64,
    /// Added to each robot's radius, in metres: two wheels follow a velocity only roughly. Default
    /// 0.05.
    pub margin_m: f64,
    /// How far to the right of its wish a robot leans, in radians: who meets head-on must agree on
    /// a side. Default 0.1.
    pub lean_rad: f64,
}

impl Default for Orca {
    fn default() -> Self {
        Self {
            horizon_secs: 3.0,
            wall_horizon_secs: 1.0,
            neighbour_m_max: 6.0,
            margin_m: 0.05,
            lean_rad: 0.1,
        }
    }
}

/// Velocities to the left of a directed line are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct HalfPlane {
    point: [f64; 2],
    /// Of length 1.
    along: [f64; 2],
}

impl Orca {
    /// The wanted velocity of a robot, in the world.
    pub(crate) fn velocity(&self, simulation: &Simulation, robot_idx: usize) -> [f64; 2] {
        let state = simulation.robots()[robot_idx];
        let radius_m = state.radius_m + self.margin_m;
        let here = [state.pose.x_m, state.pose.y_m];
        let own = simulation.body_states()[robot_idx].velocity_mps;
        let (sin, cos) = (-self.lean_rad).sin_cos();
        let [x, y] = wish(simulation, robot_idx);
        let wanted = [cos * x - sin * y, sin * x + cos * y];
        let mut planes = Vec::new();
        for wall in simulation.placed_walls() {
            let (near, distance_m) = wall.nearest(here);
            if distance_m < self.neighbour_m_max {
                let sign = if distance_m < 0.0 { -1.0 } else { 1.0 };
                let away = [sign * (here[0] - near[0]), sign * (here[1] - near[1])];
                planes.push(self.past_wall(away, distance_m - radius_m));
            }
        }
        let n_walls = planes.len();
        for other in others_near(simulation, robot_idx, self.neighbour_m_max) {
            planes.push(self.past_other(&other, own, radius_m));
        }
        let limits = simulation.plan().robots[robot_idx].kind.drive.limits();
        solve(&planes, n_walls, limits.max_speed_mps, wanted)
    }

    /// Towards the wall no faster than would bring it there at the horizon.
    fn past_wall(&self, away: [f64; 2], gap_m: f64) -> HalfPlane {
        let length = away[0].hypot(away[1]);
        let [nx, ny] = if length > 0.0 {
            [away[0] / length, away[1] / length]
        } else {
            [1.0, 0.0]
        };
        let towards_mps = gap_m / self.wall_horizon_secs;
        HalfPlane {
            point: [-nx * towards_mps, -ny * towards_mps],
            along: [ny, -nx],
        }
    }

    fn past_other(&self, other: &Other, own: [f64; 2], radius_m: f64) -> HalfPlane {
        let [px, py] = other.to_m;
        let relative = [
            own[0] - other.velocity_mps[0],
            own[1] - other.velocity_mps[1],
        ];
        let reach_m = radius_m + other.radius_m + if other.is_robot { self.margin_m } else { 0.0 };
        let square = px * px + py * py;
        let touches = square <= reach_m * reach_m;
        // In each other, a step is all the time there is.
        let secs = if touches {
            STEP_SECS
        } else {
            self.horizon_secs
        };
        // From the middle of the cut-off disc to the relative velocity.
        let from_cut = [relative[0] - px / secs, relative[1] - py / secs];
        let towards = from_cut[0] * px + from_cut[1] * py;
        let length_2 = from_cut[0] * from_cut[0] + from_cut[1] * from_cut[1];
        let is_at_disc =
            touches || (towards < 0.0 && towards * towards > reach_m * reach_m * length_2);
        let (along, change) = if is_at_disc {
            let length = length_2.sqrt().max(1e-9);
            let [ux, uy] = [from_cut[0] / length, from_cut[1] / length];
            let out = reach_m / secs - length;
            ([uy, -ux], [out * ux, out * uy])
        } else {
            let leg_m = (square - reach_m * reach_m).sqrt();
            let is_left = px * from_cut[1] - py * from_cut[0] > 0.0;
            let along = if is_left {
                [
                    (px * leg_m - py * reach_m) / square,
                    (px * reach_m + py * leg_m) / square,
                ]
            } else {
                [
                    -(px * leg_m + py * reach_m) / square,
                    -(py * leg_m - px * reach_m) / square,
                ]
            };
            let on_leg = relative[0] * along[0] + relative[1] * along[1];
            let change = [
                on_leg * along[0] - relative[0],
                on_leg * along[1] - relative[1],
            ];
            (along, change)
        };
        let share = if other.is_robot { 0.5 } else { 1.0 };
        HalfPlane {
            point: [own[0] + share * change[0], own[1] + share * change[1]],
            along,
        }
    }
}

impl HalfPlane {
    /// How far a velocity is on the wrong side; less than zero on the right one.
    fn violation(&self, [x, y]: [f64; 2]) -> f64 {
        self.along[0] * (self.point[1] - y) - self.along[1] * (self.point[0] - x)
    }
}

/// The allowed velocity nearest to the wanted one; the first `n_hard` half-planes are kept before
/// all others.
fn solve(planes: &[HalfPlane], n_hard: usize, speed_max: f64, wanted: [f64; 2]) -> [f64; 2] {
    match nearest(planes, speed_max, Aim::At(cut(wanted, speed_max))) {
        Ok(velocity) => velocity,
        Err((failed, velocity)) => least_violating(planes, n_hard, (failed, velocity), speed_max),
    }
}

/// What is best among the allowed velocities.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// The nearest to this.
    At([f64; 2]),
    /// The farthest in this direction, of length 1.
    Along([f64; 2]),
}

/// Half-plane by half-plane: where the best so far is not allowed, the new best lies on the border.
/// Fails with the first half-plane that leaves nothing, and the best before it.
fn nearest(planes: &[HalfPlane], speed_max: f64, aim: Aim) -> Result<[f64; 2], (usize, [f64; 2])> {
    let mut best = match aim {
        Aim::At(velocity) => velocity,
        Aim::Along([x, y]) => [x * speed_max, y * speed_max],
    };
    for (idx, plane) in planes.iter().enumerate() {
        if plane.violation(best) > 0.0 {
            let on_border = best_on_border(planes, idx, speed_max, aim);
            best = on_border.ok_or((idx, best))?;
        }
    }
    Ok(best)
}

fn best_on_border(planes: &[HalfPlane], idx: usize, speed_max: f64, aim: Aim) -> Option<[f64; 2]> {
    let HalfPlane {
        point: [x, y],
        along: [ax, ay],
    } = planes[idx];
    let middle = x * ax + y * ay;
    let root_2 = middle * middle + speed_max * speed_max - x * x - y * y;
    if root_2 < 0.0 {
        return None;
    }
    let root = root_2.sqrt();
    let (mut low, mut high) = (-middle - root, -middle + root);
    for other in &planes[..idx] {
        let crossing = ax * other.along[1] - ay * other.along[0];
        let offset = [x - other.point[0], y - other.point[1]];
        let ahead = other.along[0] * offset[1] - other.along[1] * offset[0];
        if crossing.abs() <= PARALLEL {
            if ahead < 0.0 {
                return None;
            }
            continue;
        }
        let at = ahead / crossing;
        if crossing >= 0.0 {
            high = high.min(at);
        } else {
            low = low.max(at);
        }
        if low > high {
            return None;
        }
    }
    let wanted = match aim {
        Aim::At([wx, wy]) => ax * (wx - x) + ay * (wy - y),
        Aim::Along([dx, dy]) if dx * ax + dy * ay > 0.0 => high,
        Aim::Along(_) => low,
    };
    let at = wanted.clamp(low, high);
    Some([x + at * ax, y + at * ay])
}

/// Where not all half-planes can be kept: all soft ones are moved out by the same least amount.
fn least_violating(
    planes: &[HalfPlane],
    n_hard: usize,
    (failed, mut best): (usize, [f64; 2]),
    speed_max: f64,
) -> [f64; 2] {
    let mut worst = 0.0;
    for idx in failed.max(n_hard)..planes.len() {
        let plane = planes[idx];
        if plane.violation(best) <= worst {
            continue;
        }
        let mut projected = planes[..n_hard].to_vec();
        projected.extend(
            planes[n_hard..idx]
                .iter()
                .filter_map(|it| between(*it, plane)),
        );
        let inward = [-plane.along[1], plane.along[0]];
        if let Ok(velocity) = nearest(&projected, speed_max, Aim::Along(inward)) {
            best = velocity;
        }
        worst = plane.violation(best);
    }
    best
}

/// Where two half-planes are violated alike; none where they point the same way.
fn between(other: HalfPlane, plane: HalfPlane) -> Option<HalfPlane> {
    let ([ax, ay], [bx, by]) = (plane.along, other.along);
    let crossing = ax * by - ay * bx;
    let point = if crossing.abs() <= PARALLEL {
        if ax * bx + ay * by > 0.0 {
            return None;
        }
        [
            f64::midpoint(plane.point[0], other.point[0]),
            f64::midpoint(plane.point[1], other.point[1]),
        ]
    } else {
        let offset = [
            plane.point[0] - other.point[0],
            plane.point[1] - other.point[1],
        ];
        let at = (bx * offset[1] - by * offset[0]) / crossing;
        [plane.point[0] + at * ax, plane.point[1] + at * ay]
    };
    let turn = [bx - ax, by - ay];
    let length = turn[0].hypot(turn[1]);
    (length > 0.0).then(|| HalfPlane {
        point,
        along: [turn[0] / length, turn[1] / length],
    })
}

#[cfg(test)]
mod tests;
