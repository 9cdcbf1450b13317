//! Moving discs, laid out for a plan's steps.

use crate::costs::{NeighbourCosts, Side};
use crate::request::N_DISCS_MAX;
use crate::{MovingDisc, RightOfWay};

/// One disc at one step.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DiscAt {
    /// Where it is predicted to be.
    pub(crate) x_m: f32,
    pub(crate) y_m: f32,
    /// Where it is kept away from: to one side of that, for discs towards the goal.
    pub(crate) shifted_x_m: f32,
    pub(crate) shifted_y_m: f32,
    /// Both bodies' radii.
    pub(crate) contact_m: f32,
    /// And the uncertainty of its place.
    pub(crate) reach_m: f32,
    /// What being within the margin costs.
    pub(crate) weight: f32,
}

/// Every disc at every step; buffers are reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct DiscTable {
    /// `[step, disc]`
    discs: Vec<DiscAt>,
    n_discs: usize,
    nearest: Vec<(f64, usize)>,
}

/// The robot among the discs.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "every length carries its unit")]
pub(crate) struct Among {
    pub(crate) body_radius_m: f64,
    /// Where the plan begins.
    pub(crate) start_m: [f64; 2],
    pub(crate) goal_m: [f64; 2],
    /// How far it can be within the plan, body and margin included; discs beyond do not matter.
    pub(crate) reach_m: f64,
}

impl DiscTable {
    /// Lays the discs out for the ends of the steps. Returns how many had to be left out.
    pub(crate) fn fill(
        &mut self,
        discs: &[MovingDisc],
        step_ends_secs: &[f64],
        among: &Among,
        costs: &NeighbourCosts,
    ) -> usize {
        self.nearest.clear();
        for (idx, disc) in discs.iter().enumerate() {
            let gap = |&secs: &f64| {
                let (centre, _) = disc.at_secs(secs)?;
                Some(distance_m(centre, among.start_m) - disc.radius_m)
            };
            let nearest_m = step_ends_secs
                .iter()
                .filter_map(gap)
                .fold(f64::INFINITY, f64::min);
            if nearest_m <= among.reach_m {
                self.nearest.push((nearest_m, idx));
            }
        }
        self.nearest
            .sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let n_left_out = self.nearest.len().saturating_sub(N_DISCS_MAX);
        self.nearest.truncate(N_DISCS_MAX);
        self.n_discs = self.nearest.len();
        self.discs.clear();
        for &secs in step_ends_secs {
            let at = |&(_, idx): &(f64, usize)| at_step(&discs[idx], secs, among, costs);
            self.discs.extend(self.nearest.iter().map(at));
        }
        n_left_out
    }

    /// The discs at a step.
    pub(crate) fn at(&self, step: usize) -> &[DiscAt] {
        &self.discs[step * self.n_discs..(step + 1) * self.n_discs]
    }
}

fn at_step(disc: &MovingDisc, secs: f64, among: &Among, costs: &NeighbourCosts) -> DiscAt {
    // A disc without waypoints was refused with the request.
    let (centre, sigma_m) = disc.at_secs(secs).unwrap_or_default();
    let old_secs = disc.age.as_secs_f64() + secs.max(0.0);
    let grown_m = (costs.sigma_growth_mps * old_secs).min(costs.growth_m_max);
    let contact_m = disc.radius_m + among.body_radius_m;
    let shifted = shifted(centre, among, costs);
    let factor = match disc.right_of_way {
        RightOfWay::Equal => 1.0,
        RightOfWay::TheyGo => costs.yield_factor,
        RightOfWay::WeGo => costs.go_factor,
    };
    DiscAt {
        x_m: centre[0] as f32,
        y_m: centre[1] as f32,
        shifted_x_m: shifted[0] as f32,
        shifted_y_m: shifted[1] as f32,
        contact_m: contact_m as f32,
        reach_m: (contact_m + costs.sigmas * sigma_m.hypot(grown_m)) as f32,
        weight: (costs.weight * factor) as f32,
    }
}

/// The tie-break of two that would otherwise do the same, mirrored, for ever: whoever keeps right
/// takes what lies towards its goal to be a little left of where it is. Two robots that face each
/// other both do so, and each passes on its own right. It needs no speed, so that it also resolves
/// a deadlock, and fades for what lies beside or behind.
fn shifted(centre: [f64; 2], among: &Among, costs: &NeighbourCosts) -> [f64; 2] {
    let sign = match costs.side {
        Side::Right => 1.0,
        Side::Left => -1.0,
        Side::Either => return centre,
    };
    let there = direction(among.start_m, centre);
    let goal = direction(among.start_m, among.goal_m);
    let towards = (there[0] * goal[0] + there[1] * goal[1]).max(0.0);
    let shift_m = sign * costs.side_shift_m * towards;
    [
        centre[0] - shift_m * there[1],
        centre[1] + shift_m * there[0],
    ]
}

fn direction(from: [f64; 2], to: [f64; 2]) -> [f64; 2] {
    let length_m = distance_m(from, to).max(1e-9);
    [(to[0] - from[0]) / length_m, (to[1] - from[1]) / length_m]
}

fn distance_m(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const AMONG: Among = Among {
        body_radius_m: 0.25,
        start_m: [0.0, 0.0],
        goal_m: [5.0, 0.0],
        reach_m: 4.0,
    };

    fn disc(x_m: f64, age_secs: f64) -> MovingDisc {
        let age = Duration::from_secs_f64(age_secs);
        MovingDisc::constant_velocity(0.3, [x_m, 0.0], [0.0, 0.0], 0.1, age)
    }

    #[test]
    fn old_evidence_reaches_further_up_to_a_limit() {
        let costs = NeighbourCosts::default();
        let reach = |age_secs| {
            let mut table = DiscTable::default();
            table.fill(&[disc(1.0, age_secs)], &[0.1], &AMONG, &costs);
            table.at(0)[0].reach_m
        };
        assert!(reach(0.0) < reach(1.0) && reach(1.0) < reach(3.0));
        assert!((reach(100.0) - reach(1000.0)).abs() < 1e-6);
    }

    #[test]
    fn what_lies_towards_the_goal_is_seen_to_the_left_when_keeping_right() {
        let mut table = DiscTable::default();
        let costs = NeighbourCosts::default();
        table.fill(&[disc(2.0, 0.0), disc(-2.0, 0.0)], &[0.1], &AMONG, &costs);
        let (ahead, behind) = (table.at(0)[0], table.at(0)[1]);
        assert!((ahead.shifted_y_m - 0.2).abs() < 1e-6 && ahead.y_m.abs() < 1e-6);
        assert!(behind.shifted_y_m.abs() < 1e-6);
    }

    #[test]
    fn the_nearest_are_kept_and_the_far_do_not_matter() {
        let mut table = DiscTable::default();
        let discs: Vec<MovingDisc> = (0..100)
            .map(|k| disc(0.45 + 0.1 * f64::from(k), 0.0))
            .collect();
        let n_left_out = table.fill(&discs, &[0.1, 0.2], &AMONG, &NeighbourCosts::default());
        // Of those within reach (up to 4.3 m away with their radius) 64 are kept.
        assert_eq!(table.at(1).len(), 39 - n_left_out);
        let crowd = vec![disc(1.0, 0.0); 70];
        assert_eq!(
            table.fill(&crowd, &[0.1], &AMONG, &NeighbourCosts::default()),
            6
        );
        assert_eq!(table.at(0).len(), 64);
    }
}
