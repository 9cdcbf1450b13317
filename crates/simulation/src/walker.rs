//! Walkers: people who follow a route, keep apart from each other and from walls, and give way to
//! robots only as far as they care to.
//!
//! The social force of Helbing and Molnár ("Social force model for pedestrian dynamics", Physical
//! Review E 51, 1995): a pull towards the wished velocity, and pushes from others that fade
//! exponentially and count less from behind. Pushes are turned a little to the right, because
//! people who meet head-on step aside and the paper's forces would only stop them.

use serde::{Deserialize, Serialize};

use crate::drive::cut;
use crate::outline::Placed;
use crate::physics::BodyState;
use crate::{AtEnd, STEP_SECS, WalkerDraw};

/// Radius of every walker, in metres: an adult's shoulders.
pub const WALKER_RADIUS_M: f64 = 0.25;
/// Mass of every walker, in kilograms.
pub const WALKER_MASS_KG: f64 = 70.0;
/// Height of every walker, in metres.
pub const WALKER_HEIGHT_M: f64 = 1.7;
/// Walkers walk at most this much faster than they like, as in the model's paper.
pub(crate) const HURRY: f64 = 1.3;

/// Seconds in which a walker gets to its wished velocity.
const RELAXATION_SECS: f64 = 0.5;
/// What walkers can do to themselves, in m/s².
const ACCELERATION_MPS2_MAX: f64 = 4.0;
/// Push of others where they touch, in m/s², and the distance by which it fades to 1/e.
const PEOPLE_PUSH_MPS2: f64 = 5.0;
const PEOPLE_FADE_M: f64 = 0.35;
const WALL_PUSH_MPS2: f64 = 4.0;
const WALL_FADE_M: f64 = 0.15;
/// Pushes are turned by this, so that who meets head-on steps aside, to the right: 0.4 rad.
const ASIDE: [f64; 2] = [0.921_06, 0.389_42];
/// Share of the push of somebody who is right behind.
const BEHIND: f64 = 0.3;
/// Pushes of others farther away are too weak to count.
const REGARD_M_MAX: f64 = 3.0;
/// How near to a way point is there.
const ARRIVAL_M: f64 = 0.6;
/// How fast a walker faces where it goes, in rad/s.
const FACING_RADPS_MAX: f64 = 4.0;

/// What a walker keeps in mind.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct WalkerMind {
    /// The way point that it goes to; past the last one it stands.
    next: usize,
    is_returning: bool,
    /// Where it faces.
    pub(crate) yaw_rad: f64,
    pub(crate) yaw_rate_radps: f64,
}

/// Somebody whom a walker gives way to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Passer {
    pub(crate) center_m: [f64; 2],
    pub(crate) radius_m: f64,
    /// 1 for people, the walker's regard for robots.
    pub(crate) weight: f64,
}

impl WalkerMind {
    pub(crate) fn facing(yaw_rad: f64) -> Self {
        Self {
            yaw_rad,
            ..Self::default()
        }
    }

    /// The velocity after one step, in the world.
    pub(crate) fn step(
        &mut self,
        draw: &WalkerDraw,
        state: &BodyState,
        others: impl Iterator<Item = Passer>,
        walls: &[Placed],
    ) -> [f64; 2] {
        let here = [state.pose.x_m, state.pose.y_m];
        let wish = self.wish(draw, here);
        let velocity = state.velocity_mps;
        let mut force = [
            (wish[0] - velocity[0]) / RELAXATION_SECS,
            (wish[1] - velocity[1]) / RELAXATION_SECS,
        ];
        for other in others {
            let away = [here[0] - other.center_m[0], here[1] - other.center_m[1]];
            let distance_m = away[0].hypot(away[1]);
            if other.weight > 0.0 && distance_m < REGARD_M_MAX && distance_m > 0.0 {
                let gap_m = distance_m - other.radius_m - WALKER_RADIUS_M;
                let ahead =
                    -(away[0] * wish[0] + away[1] * wish[1]) / (distance_m * draw.speed_mps);
                let seen = BEHIND + (1.0 - BEHIND) * (1.0 + ahead) / 2.0;
                let push = other.weight * seen * PEOPLE_PUSH_MPS2 * (-gap_m / PEOPLE_FADE_M).exp();
                let [cos, sin] = ASIDE;
                let aside = [cos * away[0] - sin * away[1], sin * away[0] + cos * away[1]];
                add(&mut force, aside, push / distance_m);
            }
        }
        for wall in walls {
            let (near, distance_m) = wall.nearest(here);
            if distance_m > 0.0 && distance_m < REGARD_M_MAX {
                let away = [here[0] - near[0], here[1] - near[1]];
                let gap_m = distance_m - WALKER_RADIUS_M;
                let push = WALL_PUSH_MPS2 * (-gap_m / WALL_FADE_M).exp();
                add(&mut force, away, push / distance_m);
            }
        }
        let [ax, ay] = cut(force, ACCELERATION_MPS2_MAX);
        let wanted = [velocity[0] + ax * STEP_SECS, velocity[1] + ay * STEP_SECS];
        let wanted = cut(wanted, HURRY * draw.speed_mps);
        // Pushed faster than that, it brakes no harder than it can.
        let change = [wanted[0] - velocity[0], wanted[1] - velocity[1]];
        let [dx, dy] = cut(change, ACCELERATION_MPS2_MAX * STEP_SECS);
        [velocity[0] + dx, velocity[1] + dy]
    }

    /// Turns to where it goes.
    pub(crate) fn face(&mut self, [vx, vy]: [f64; 2]) {
        let is_going = vx.hypot(vy) > 0.1;
        let by_rad = if is_going {
            sedge_spacetime::wrap_angle(vy.atan2(vx) - self.yaw_rad)
        } else {
            0.0
        };
        let step_max = FACING_RADPS_MAX * STEP_SECS;
        let by_rad = by_rad.clamp(-step_max, step_max);
        self.yaw_rate_radps = by_rad / STEP_SECS;
        self.yaw_rad = sedge_spacetime::wrap_angle(self.yaw_rad + by_rad);
    }

    /// The wished velocity; passes way points on the way.
    fn wish(&mut self, draw: &WalkerDraw, here: [f64; 2]) -> [f64; 2] {
        let offset = |point: &[f64; 2]| [point[0] - here[0], point[1] - here[1]];
        let Some(to) = draw.route_m.get(self.next).map(offset) else {
            return [0.0, 0.0];
        };
        if to[0].hypot(to[1]) < ARRIVAL_M {
            self.pass(draw);
        }
        let Some(to) = draw.route_m.get(self.next).map(offset) else {
            return [0.0, 0.0];
        };
        let distance_m = to[0].hypot(to[1]).max(1e-6);
        [
            to[0] / distance_m * draw.speed_mps,
            to[1] / distance_m * draw.speed_mps,
        ]
    }

    fn pass(&mut self, draw: &WalkerDraw) {
        let last = draw.route_m.len() - 1;
        match (draw.at_end, self.is_returning) {
            (AtEnd::Stop, _) => self.next += 1,
            (AtEnd::Repeat, _) => self.next = (self.next + 1) % draw.route_m.len(),
            (AtEnd::TurnBack, _) if last == 0 => self.next = 1,
            (AtEnd::TurnBack, false) if self.next < last => self.next += 1,
            (AtEnd::TurnBack, false) => {
                self.is_returning = true;
                self.next -= 1;
            }
            (AtEnd::TurnBack, true) if self.next > 0 => self.next -= 1,
            (AtEnd::TurnBack, true) => {
                self.is_returning = false;
                self.next = 1;
            }
        }
    }
}

fn add(force: &mut [f64; 2], direction: [f64; 2], factor: f64) {
    force[0] += direction[0] * factor;
    force[1] += direction[1] * factor;
}
