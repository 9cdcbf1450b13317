//! What a ladder did, plan by plan: what may be plotted, and counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Stage;

/// Plans that one trace holds: an hour of a robot that plans ten times a second.
pub const N_TRACED_MAX: usize = 36_000;

/// One plan that was asked of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracedPlan {
    /// When, in nanoseconds since the trace began.
    pub at_nanos: u64,
    /// The rung that it was made on, an index of the trace's rungs.
    pub rung: usize,
    /// What planning took, in nanoseconds.
    pub plan_nanos: u64,
    /// From the arrival of its scan to the command, in nanoseconds.
    pub whole_nanos: u64,
}

/// Plans in the order in which they were made, in bounded memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderTrace {
    /// The names of the rungs, the full one first.
    pub rungs: Vec<Stage>,
    /// The plans.
    pub plans: Vec<TracedPlan>,
    /// Plans beyond [`N_TRACED_MAX`], which were left out.
    pub n_left_out: u64,
}

impl LadderTrace {
    /// Takes one more plan; beyond [`N_TRACED_MAX`] it is only counted.
    pub fn push(&mut self, plan: TracedPlan) {
        if self.plans.len() < N_TRACED_MAX {
            self.plans.push(plan);
        } else {
            self.n_left_out += 1;
        }
    }

    /// The plans that were made on another rung than the one before, by their places.
    pub fn changes(&self) -> Vec<usize> {
        let is_change = |idx: &usize| self.plans[*idx].rung != self.plans[*idx - 1].rung;
        (1..self.plans.len()).filter(is_change).collect()
    }

    /// How often a change was taken back within so many plans: the rung before it was in force
    /// again.
    pub fn n_oscillations(&self, within: usize) -> usize {
        let is_taken_back = |changed: &usize| {
            let before = self.plans[*changed - 1].rung;
            let next = self.plans[*changed + 1..].iter().take(within);
            next.into_iter().any(|plan| plan.rung == before)
        };
        self.changes().iter().filter(|it| is_taken_back(it)).count()
    }

    /// Plans from `from` to before `until` since the trace began.
    pub fn between(&self, from: Duration, until: Duration) -> Vec<TracedPlan> {
        let span = from.as_nanos()..until.as_nanos();
        let plans = self.plans.iter();
        let within = plans.filter(|plan| span.contains(&u128::from(plan.at_nanos)));
        within.copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(rungs: &[usize]) -> LadderTrace {
        let mut trace = LadderTrace::default();
        for (idx, rung) in rungs.iter().enumerate() {
            trace.push(TracedPlan {
                at_nanos: 100 * idx as u64,
                rung: *rung,
                plan_nanos: 7,
                whole_nanos: 9,
            });
        }
        trace
    }

    #[test]
    fn a_change_that_is_taken_back_soon_is_an_oscillation() {
        let settled = trace(&[0, 0, 1, 2, 2, 2, 2, 2, 2, 1, 0, 0]);
        assert_eq!(settled.changes(), [2, 3, 9, 10]);
        assert_eq!(settled.n_oscillations(5), 0);
        // Within ten plans the rung before is in force again after each of the first two.
        assert_eq!(settled.n_oscillations(10), 2);
        let wavers = trace(&[0, 1, 0, 1, 1, 1]);
        assert_eq!((wavers.changes().len(), wavers.n_oscillations(1)), (3, 2));
        assert_eq!(trace(&[]).n_oscillations(5), 0);
    }

    #[test]
    fn plans_are_found_by_their_time() {
        let trace = trace(&[0, 0, 1]);
        let found = trace.between(Duration::from_nanos(100), Duration::from_nanos(200));
        assert_eq!(found, [trace.plans[1]]);
    }

    #[test]
    fn a_trace_is_bounded() {
        let trace = trace(&vec![0; N_TRACED_MAX + 3]);
        assert_eq!((trace.plans.len(), trace.n_left_out), (N_TRACED_MAX, 3));
    }
}
