//! What a search found, as a plan.

use std::time::Duration;

use sedge_spacetime::Pose2;
use sedge_world_model::{Action, ActionSequence, Reused};

use super::{Found, Search};
use crate::field_stack::Between;
use crate::nominal::Previous;
use crate::rollout::{Start, twist2};
use crate::setting::Setting;
use crate::{FanTrajectory, Plan, StandIn};

impl Search {
    /// The best motion as a plan, which is what the next one continues.
    pub(super) fn report(&mut self, setting: &Setting, found: Found) -> Plan {
        self.n_plans += 1;
        self.few.command(0, &self.best);
        self.few.run(setting.start, &self.stage.limits);
        self.few.read_twists(0, &mut self.best);
        let poses = self.few.poses(0, setting.start);
        let step = Duration::from_secs_f64(self.stage.config.step_secs);
        let actions = self.best.iter().map(|&twist| Action {
            duration: step,
            twist: twist2(twist),
        });
        let actions = actions.collect();
        self.previous = Some(Previous {
            start: setting.start_stamp,
            twists: Reused::copy_of(&self.best),
        });
        let is_imagined = found
            .fallback
            .as_ref()
            .is_none_or(|it| it.stand_in == StandIn::BestKnown);
        let clearance_m = if is_imagined {
            self.clearance_m(&poses)
        } else {
            Reused::new()
        };
        Plan {
            start: setting.start_stamp,
            actions: ActionSequence { actions },
            poses,
            clearance_m,
            terms: found.terms,
            fan: match found.n_iterations {
                0 => Reused::new(),
                _ => self.fan(setting.start),
            },
            n_iterations: found.n_iterations,
            n_samples: found.n_iterations * self.stage.config.n_samples,
            n_discs_left_out: found.n_discs_left_out,
            fallback: found.fallback,
        }
    }

    /// Predicted clearance along the best motion.
    fn clearance_m(&self, poses: &[Pose2]) -> Reused<f32> {
        let stage = &self.stage;
        let radius_m = stage.config.footprint_radius_m as f32;
        let at = |(pose, &time): (&Pose2, &Between)| {
            let mut clearance_m = [0.0];
            let place = (&[pose.x_m as f32][..], &[pose.y_m as f32][..]);
            stage
                .fields
                .write_clearance(time, radius_m, place, &mut clearance_m);
            clearance_m[0]
        };
        poses[1..].iter().zip(&stage.times).map(at).collect()
    }

    /// Motions of the last iteration, evenly over the ranks of their costs.
    fn fan(&self, start: Start) -> Reused<FanTrajectory> {
        let costs = &self.many_scores.totals;
        let mut ranks: Reused<usize> = (0..costs.len()).collect();
        ranks.sort_unstable_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
        let n = self.stage.config.n_fan_max;
        let first = [start.pose.x_m as f32, start.pose.y_m as f32];
        let trajectory = |idx: usize| {
            let sample = ranks[idx * (ranks.len() - 1) / (n - 1).max(1)];
            let states = (sample..self.many.x_m.len()).step_by(self.many.n_samples);
            let points = states.map(|state| [self.many.x_m[state], self.many.y_m[state]]);
            FanTrajectory {
                points_m: std::iter::once(first).chain(points).collect(),
                cost: costs[sample],
            }
        };
        (0..n).map(trajectory).collect()
    }
}
