//! What motions cost, term by term, many at once.

use crate::costs::{
    CLEARANCE, COLLISION, CostTerms, EFFORT, GOAL, HEADING, N_TERMS, NEIGHBOURS, REVERSE, SPEED,
};
use crate::disc_table::{DiscAt, DiscTable};
use crate::field_stack::{Between, FieldStack};
use crate::rollout::{Rollouts, StepLimits, Twist3};
use crate::way::Way;
use crate::{CostConfig, Goal};

/// Closer than the margin costs more and more, up to this many times the root of the weight: being
/// deep inside doubt is no collision.
const PRESSURE_MAX: f32 = 2.0;
/// Where the direction to the goal has no meaning any more.
const AT_GOAL_M: f32 = 1e-3;

/// Everything that motions are judged by.
pub(crate) struct Scene<'a> {
    pub(crate) costs: &'a CostConfig,
    pub(crate) limits: &'a StepLimits,
    pub(crate) body_radius_m: f32,
    /// In the base's frame at `now`.
    pub(crate) goal: Goal,
    pub(crate) start_twist: Twist3,
    /// Where in time each step ends.
    pub(crate) times: &'a [Between],
    pub(crate) fields: &'a FieldStack,
    pub(crate) discs: &'a DiscTable,
    /// Ways to the goal around obstacles; without them it is straight ahead.
    pub(crate) way: Option<&'a Way>,
}

/// Costs of many motions; buffers are reused.
#[derive(Debug, Clone)]
pub(crate) struct Scores {
    /// `[term][sample]`
    terms: [Vec<f32>; N_TERMS],
    /// `[sample]`
    pub(crate) totals: Vec<f32>,
    /// Of one step: predicted clearance, how far it is to the goal, and which way. `[sample]`
    clearance_m: Vec<f32>,
    lengths_m: Vec<f32>,
    towards: [Vec<f32>; 2],
}

impl Scores {
    pub(crate) fn new(n_samples: usize) -> Self {
        let zeros = vec![0.0; n_samples];
        Self {
            terms: std::array::from_fn(|_| zeros.clone()),
            totals: zeros.clone(),
            clearance_m: zeros.clone(),
            lengths_m: zeros.clone(),
            towards: [zeros.clone(), zeros],
        }
    }

    /// The sample that costs least; the first of equals.
    pub(crate) fn cheapest(&self) -> usize {
        let mut cheapest = 0;
        for (idx, total) in self.totals.iter().enumerate() {
            if total.total_cmp(&self.totals[cheapest]).is_lt() {
                cheapest = idx;
            }
        }
        cheapest
    }

    pub(crate) fn terms(&self, sample: usize) -> CostTerms {
        CostTerms::of(std::array::from_fn(|term| self.terms[term][sample]))
    }

    /// Scores motions that have been run.
    pub(crate) fn score(&mut self, rollouts: &Rollouts, scene: &Scene<'_>) {
        for term in &mut self.terms {
            term.fill(0.0);
        }
        for step in 0..rollouts.n_steps {
            self.add_goal(rollouts, scene, step);
            self.add_motion(rollouts, scene, step);
            self.add_clearance(rollouts, scene, step);
            for disc in scene.discs.at(step) {
                self.add_disc(rollouts, scene, step, disc);
            }
        }
        self.totals.fill(0.0);
        for term in &self.terms {
            for (total, &cost) in self.totals.iter_mut().zip(term) {
                *total += cost;
            }
        }
    }

    /// How far it is to the goal from where each motion is, and which way.
    fn find_way(&mut self, (x_m, y_m): (&[f32], &[f32]), scene: &Scene<'_>) {
        let [towards_x, towards_y] = &mut self.towards;
        if let Some(way) = scene.way {
            let out = self.lengths_m.iter_mut().zip(towards_x).zip(towards_y);
            for (((length_m, towards_x), towards_y), (&x_m, &y_m)) in out.zip(x_m.iter().zip(y_m)) {
                let heading = way.at(x_m, y_m);
                *length_m = heading.length_m;
                [*towards_x, *towards_y] = heading.towards;
            }
            return;
        }
        let goal_m = scene.goal.position_m.map(|it| it as f32);
        let n = x_m.len();
        let (y_m, lengths_m) = (&y_m[..n], &mut self.lengths_m[..n]);
        let (towards_x, towards_y) = (&mut towards_x[..n], &mut towards_y[..n]);
        for i in 0..n {
            let (dx, dy) = (goal_m[0] - x_m[i], goal_m[1] - y_m[i]);
            let length_m = (dx * dx + dy * dy).sqrt();
            let scale = 1.0 / length_m.max(AT_GOAL_M);
            lengths_m[i] = length_m;
            towards_x[i] = scale * dx;
            towards_y[i] = scale * dy;
        }
    }

    fn add_goal(&mut self, rollouts: &Rollouts, scene: &Scene<'_>, step: usize) {
        let range = states(rollouts, step);
        let n = range.len();
        self.find_way(
            (&rollouts.x_m[range.clone()], &rollouts.y_m[range.clone()]),
            scene,
        );
        let (cos, sin) = (&rollouts.cos[range.clone()][..n], &rollouts.sin[range][..n]);
        let secs = scene.limits.step_secs;
        let is_last = step + 1 == rollouts.n_steps;
        let at_end = if is_last {
            scene.costs.goal_at_end as f32
        } else {
            0.0
        };
        let weight = secs * scene.costs.goal as f32 + at_end;
        let heading_weight = secs * scene.costs.heading as f32;
        let within = 1.0 / scene.costs.heading_within_m as f32;
        let yaw_rad = scene.goal.yaw_rad.unwrap_or(0.0);
        let (goal_sin, goal_cos) = (yaw_rad.sin() as f32, yaw_rad.cos() as f32);
        // Without a heading to arrive with, near the goal there is nothing to face.
        let align_weight = if scene.goal.yaw_rad.is_some() {
            1.0
        } else {
            0.0
        };
        let [towards_x, towards_y] = &self.towards;
        let (towards_x, towards_y) = (&towards_x[..n], &towards_y[..n]);
        let lengths_m = &self.lengths_m[..n];
        let [goal, heading, ..] = &mut self.terms;
        let (goal, heading) = (&mut goal[..n], &mut heading[..n]);
        for i in 0..n {
            let facing = towards_x[i] * cos[i] + towards_y[i] * sin[i];
            let aligned = goal_cos * cos[i] + goal_sin * sin[i];
            let near = (1.0 - lengths_m[i] * within).max(0.0);
            goal[i] += weight * lengths_m[i];
            let off = (1.0 - near) * (1.0 - facing) + align_weight * near * (1.0 - aligned);
            heading[i] += heading_weight * off;
        }
    }

    fn add_motion(&mut self, rollouts: &Rollouts, scene: &Scene<'_>, step: usize) {
        let range = states(rollouts, step);
        let n = range.len();
        let secs = scene.limits.step_secs;
        let weight = secs * scene.costs.effort as f32;
        for axis in 0..3 {
            let change_max = scene.limits.change_max[axis];
            let scale = weight / (change_max * change_max);
            let here = &rollouts.twists[axis][range.clone()];
            let effort = &mut self.terms[EFFORT];
            if step == 0 {
                let start = scene.start_twist[axis];
                for (effort, &twist) in effort.iter_mut().zip(here) {
                    *effort += scale * (twist - start) * (twist - start);
                }
            } else {
                let before = &rollouts.twists[axis][range.start - n..range.start];
                for ((effort, &twist), &before) in effort.iter_mut().zip(here).zip(before) {
                    *effort += scale * (twist - before) * (twist - before);
                }
            }
        }
        let speed_weight = secs * scene.costs.speed as f32;
        let reverse_weight = secs * scene.costs.reverse as f32;
        let preferred = scene.costs.speed_mps_preferred as f32;
        let forward = &rollouts.twists[0][range.clone()][..n];
        let left = &rollouts.twists[1][range][..n];
        let [.., speed, reverse] = &mut self.terms;
        let (speed, reverse) = (&mut speed[..n], &mut reverse[..n]);
        for i in 0..n {
            let moved = (forward[i] * forward[i] + left[i] * left[i]).sqrt();
            let excess = (moved - preferred).max(0.0);
            speed[i] += speed_weight * excess * excess;
            reverse[i] += reverse_weight * (-forward[i]).max(0.0);
        }
    }

    fn add_clearance(&mut self, rollouts: &Rollouts, scene: &Scene<'_>, step: usize) {
        let range = states(rollouts, step);
        let places = (&rollouts.x_m[range.clone()], &rollouts.y_m[range]);
        let (fields, radius_m) = (scene.fields, scene.body_radius_m);
        fields.write_clearance(scene.times[step], radius_m, places, &mut self.clearance_m);
        let secs = scene.limits.step_secs;
        let weight = secs * scene.costs.clearance as f32;
        let collision_weight = secs * scene.costs.collision as f32;
        let a_margin = 1.0 / scene.costs.clearance_margin_m as f32;
        let a_radius = 1.0 / radius_m;
        let [_, _, clearance, collision, ..] = &mut self.terms;
        let terms = clearance.iter_mut().zip(collision);
        for ((clearance, collision), &gap_m) in terms.zip(&self.clearance_m) {
            *clearance += weight * pressure(gap_m, a_margin);
            *collision += collision_weight * contact(gap_m, a_radius);
        }
    }

    fn add_disc(&mut self, rollouts: &Rollouts, scene: &Scene<'_>, step: usize, disc: &DiscAt) {
        let range = states(rollouts, step);
        let n = range.len();
        let (x_m, y_m) = (&rollouts.x_m[range.clone()][..n], &rollouts.y_m[range][..n]);
        let secs = scene.limits.step_secs;
        let weight = secs * disc.weight;
        let collision_weight = secs * scene.costs.collision as f32;
        let a_margin = 1.0 / scene.costs.neighbours.margin_m as f32;
        let a_radius = 1.0 / scene.body_radius_m;
        let [_, _, _, collision, neighbours, ..] = &mut self.terms;
        let (collision, neighbours) = (&mut collision[..n], &mut neighbours[..n]);
        for i in 0..n {
            let (dx, dy) = (x_m[i] - disc.shifted_x_m, y_m[i] - disc.shifted_y_m);
            let gap_m = (dx * dx + dy * dy).sqrt() - disc.reach_m;
            neighbours[i] += weight * pressure(gap_m, a_margin);
            let (dx, dy) = (x_m[i] - disc.x_m, y_m[i] - disc.y_m);
            let gap_m = (dx * dx + dy * dy).sqrt() - disc.contact_m;
            collision[i] += collision_weight * contact(gap_m, a_radius);
        }
    }
}

/// 0 at the margin and beyond, 1 at contact, quadratic.
#[inline]
fn pressure(gap_m: f32, a_margin: f32) -> f32 {
    let depth = (1.0 - gap_m * a_margin).clamp(0.0, PRESSURE_MAX);
    depth * depth
}

/// 0 without contact; with it 1, and more the deeper, so that the way out is downhill.
#[inline]
fn contact(gap_m: f32, a_radius: f32) -> f32 {
    let touches = if gap_m < 0.0 { 1.0 } else { 0.0 };
    touches + (-gap_m * a_radius).max(0.0)
}

fn states(rollouts: &Rollouts, step: usize) -> std::ops::Range<usize> {
    step * rollouts.n_samples..(step + 1) * rollouts.n_samples
}

const _: () = assert!(
    GOAL == 0 && HEADING == 1 && CLEARANCE == 2 && COLLISION == 3 && NEIGHBOURS == 4,
    "the patterns above take the first terms in this order"
);
const _: () = assert!(
    SPEED + 2 == N_TERMS && REVERSE + 1 == N_TERMS,
    "and the last two"
);
