//! The degradation ladder: ways to do one thing, from the best to the cheapest, and the controller
//! that picks the one that the time left allows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{RecentSpans, Stage};

/// More rungs than anybody can tell apart.
pub const N_RUNGS_MAX: usize = 16;

/// A rung is believed to cost what it lately cost in this share of cases.
const PESSIMISM: f64 = 0.7;
/// What is said of a rung's cost is more careful than what is decided by.
const SAID: f64 = 0.9;
/// A rung that was reached before is measured anew: this much of the old ratio stays.
const RATIO_KEPT: f64 = 0.5;
/// A climb that did not last doubles the wait before the next, up to this many times the first.
const WAIT_FACTOR_MAX: u32 = 32;
/// A rung that was kept for this many waits was no mistake.
const SETTLED_WAITS: u32 = 4;

/// Whether a rung's cost says how loaded the computer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// It costs time, which is measured.
    Measured,
    /// It costs next to nothing, as where an earlier result is kept.
    Free,
}

/// One rung, as it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct RungSpec {
    /// Its name.
    pub name: Stage,
    /// How good what it gives is, as a share of what the full rung gives, in `[0, 1]`.
    pub skill: f64,
    /// Whether it costs time.
    pub effort: Effort,
}

/// How slow a controller is to trust that times are better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// Ticks for which a better rung must fit before it is taken. A climb that does not last
    /// doubles this, up to 32 times. Default 3.
    pub climb_after_ticks: u32,
    /// The share of the time left that a better rung may take: what keeps noise from moving the
    /// ladder. Default 0.8.
    pub climb_share: f64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            climb_after_ticks: 3,
            climb_share: 0.8,
        }
    }
}

/// What became of one rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungReport {
    /// Its name.
    pub name: Stage,
    /// Its declared skill.
    pub skill: f64,
    /// How often it was used.
    pub n: u64,
    /// What it took lately, in nanoseconds; more than that in a tenth of cases.
    pub cost_nanos: u64,
    /// The most that it took, in nanoseconds.
    pub cost_nanos_max: u64,
}

/// What became of a ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderReport {
    /// The rungs, the full one first.
    pub rungs: Vec<RungReport>,
    /// The one in force, an index of `rungs`.
    pub rung: usize,
    /// How often the rung in force changed.
    pub n_changes: u64,
}

impl LadderReport {
    /// The share of the full rung's skill that was lost, over all uses; 0 where there were none.
    pub fn skill_lost(&self) -> f64 {
        let n: u64 = self.rungs.iter().map(|rung| rung.n).sum();
        let lost = |rung: &RungReport| rung.n as f64 * (1.0 - rung.skill);
        self.rungs.iter().map(lost).sum::<f64>() / n.max(1) as f64
    }
}

#[derive(Debug, Clone)]
struct Rung {
    spec: RungSpec,
    /// What it takes where the load is 1, in nanoseconds, once it was reached.
    unloaded_nanos: Option<f64>,
    recent: RecentSpans,
    cost_nanos_max: f64,
    n: u64,
}

/// Picks the rung: durations in, a rung out; it reads no clock and draws no random numbers.
///
/// Each cost is taken for the product of what the rung takes on an idle computer and of one load,
/// the same for all rungs. So what is measured on the rung in force says what the better ones
/// would take now, and no rung need be tried to see that it still does not fit; only rungs that
/// cost nothing say nothing, and are left by trying, less and less often while it fails.
///
/// It goes down at once, as far as it must, and up when a better rung has fitted for a while.
#[derive(Debug, Clone)]
pub struct LadderController {
    rungs: Vec<Rung>,
    patience: Patience,
    current: usize,
    /// Costs as multiples of the rung's unloaded cost.
    load: RecentSpans,
    /// The rung in force has not been measured since it was taken.
    is_fresh: bool,
    /// A budget was missed that says to go down.
    is_missed: bool,
    /// Ticks on this rung.
    n_ticks_here: u32,
    /// Ticks in a row for which a better rung fitted.
    n_ticks_fitting: u32,
    wait_ticks: u32,
    /// It came from below.
    has_climbed: bool,
    n_changes: u64,
}

impl LadderController {
    /// On the full rung, which is the first. Rungs beyond [`N_RUNGS_MAX`] are left out; without
    /// any there is one, that does nothing.
    pub fn new(rungs: Vec<RungSpec>, patience: Patience) -> Self {
        let rung = |spec| Rung {
            spec,
            unloaded_nanos: None,
            recent: RecentSpans::default(),
            cost_nanos_max: 0.0,
            n: 0,
        };
        let mut rungs: Vec<Rung> = rungs.into_iter().take(N_RUNGS_MAX).map(rung).collect();
        if rungs.is_empty() {
            rungs.push(rung(RungSpec {
                name: Stage::PLAN,
                skill: 1.0,
                effort: Effort::Measured,
            }));
        }
        Self {
            rungs,
            patience,
            current: 0,
            load: RecentSpans::default(),
            is_fresh: true,
            is_missed: false,
            n_ticks_here: 0,
            n_ticks_fitting: 0,
            wait_ticks: patience.climb_after_ticks.max(1),
            has_climbed: false,
            n_changes: 0,
        }
    }

    /// The rung in force.
    pub fn rung(&self) -> usize {
        self.current
    }

    /// A budget was missed whose policy is to go down one rung: the next pick does.
    pub fn miss(&mut self) {
        self.is_missed = true;
    }

    /// Picks the rung for this tick, in which it may take as long as `allowed`; without a limit
    /// only misses move it down, and patience up.
    pub fn pick(&mut self, allowed: Option<Duration>) -> usize {
        self.n_ticks_here = self.n_ticks_here.saturating_add(1);
        let limit_nanos = allowed.map_or(f64::INFINITY, |it| it.as_nanos() as f64);
        let is_missed = std::mem::take(&mut self.is_missed);
        if is_missed || !self.fits(self.current, limit_nanos) {
            self.go_down(limit_nanos);
        } else {
            self.consider_climbing(limit_nanos);
        }
        let settled = SETTLED_WAITS.saturating_mul(self.wait_ticks);
        if self.has_climbed && self.n_ticks_here >= settled {
            self.wait_ticks = self.patience.climb_after_ticks.max(1);
        }
        self.rungs[self.current].n += 1;
        self.current
    }

    /// Takes this rung for this tick whatever it costs, or the last where there is no such rung:
    /// for whoever measures what a rung is worth.
    pub fn hold(&mut self, rung: usize) -> usize {
        self.n_ticks_here = self.n_ticks_here.saturating_add(1);
        self.is_missed = false;
        self.take(rung.min(self.rungs.len() - 1));
        self.rungs[self.current].n += 1;
        self.current
    }

    /// Takes in what the picked rung took.
    pub fn observe(&mut self, cost: Duration) {
        let nanos = (cost.as_nanos() as f64).max(1.0);
        // What it was left or taken for: where a load has just risen, the median is of before.
        let load = self.load.quantile(PESSIMISM);
        let is_fresh = std::mem::replace(&mut self.is_fresh, false);
        let rung = &mut self.rungs[self.current];
        rung.recent.push(nanos);
        rung.cost_nanos_max = rung.cost_nanos_max.max(nanos);
        if rung.spec.effort == Effort::Free {
            return;
        }
        let unloaded = match (rung.unloaded_nanos, load) {
            (None, _) => nanos / load.unwrap_or(1.0),
            // Averaged as ratios are: by their logarithms.
            (Some(known), Some(load)) if is_fresh => {
                known.powf(RATIO_KEPT) * (nanos / load).powf(1.0 - RATIO_KEPT)
            }
            (Some(known), _) => known,
        };
        rung.unloaded_nanos = Some(unloaded);
        self.load.push(nanos / unloaded);
    }

    /// What a rung is expected to take now, in nanoseconds; nothing where nobody knows.
    fn expected_nanos(&self, rung_idx: usize) -> Option<f64> {
        let rung = &self.rungs[rung_idx];
        match rung.spec.effort {
            Effort::Free => Some(0.0),
            Effort::Measured => Some(rung.unloaded_nanos? * self.load.quantile(PESSIMISM)?),
        }
    }

    /// Whether a rung fits, as far as is known: what was never tried is tried.
    fn fits(&self, rung_idx: usize, limit_nanos: f64) -> bool {
        let expected = self.expected_nanos(rung_idx);
        expected.is_none_or(|expected| expected <= limit_nanos)
    }

    fn go_down(&mut self, limit_nanos: f64) {
        let last = self.rungs.len() - 1;
        let below = (self.current + 1..=last).find(|idx| self.fits(*idx, limit_nanos));
        // The climb to here was a mistake: the next waits longer.
        if self.has_climbed && self.n_ticks_here <= SETTLED_WAITS.saturating_mul(self.wait_ticks) {
            let first = self.patience.climb_after_ticks.max(1);
            let most = first.saturating_mul(WAIT_FACTOR_MAX);
            self.wait_ticks = self.wait_ticks.saturating_mul(2).min(most);
        }
        self.n_ticks_fitting = 0;
        self.take(below.unwrap_or(last));
    }

    fn consider_climbing(&mut self, limit_nanos: f64) {
        let Some(better) = self.better(limit_nanos) else {
            self.n_ticks_fitting = 0;
            return;
        };
        self.n_ticks_fitting += 1;
        if self.n_ticks_fitting < self.wait_ticks {
            return;
        }
        if self.rungs[self.current].spec.effort == Effort::Free {
            // What the load was is long ago: the next measurement alone says what it is.
            self.load.clear();
        }
        self.take(better);
    }

    /// The best rung above that fits with room to spare; from a rung that says nothing of the
    /// load, the cheapest that does, to be tried.
    fn better(&self, limit_nanos: f64) -> Option<usize> {
        let room = limit_nanos * self.patience.climb_share;
        let mut above = 0..self.current;
        if limit_nanos.is_infinite() {
            return above.next_back();
        }
        let is_measured = |idx: &usize| self.rungs[*idx].spec.effort == Effort::Measured;
        if !is_measured(&self.current) {
            return above.rfind(is_measured);
        }
        above.find(|idx| self.fits(*idx, room))
    }

    fn take(&mut self, rung_idx: usize) {
        if rung_idx == self.current {
            return;
        }
        self.has_climbed = rung_idx < self.current;
        self.current = rung_idx;
        self.n_changes += 1;
        self.is_fresh = true;
        (self.n_ticks_here, self.n_ticks_fitting) = (0, 0);
    }

    /// What became of it so far.
    pub fn report(&self) -> LadderReport {
        let rung = |rung: &Rung| RungReport {
            name: rung.spec.name.clone(),
            skill: rung.spec.skill,
            n: rung.n,
            cost_nanos: rung.recent.quantile(SAID).unwrap_or_default() as u64,
            cost_nanos_max: rung.cost_nanos_max as u64,
        };
        LadderReport {
            rungs: self.rungs.iter().map(rung).collect(),
            rung: self.current,
            n_changes: self.n_changes,
        }
    }

    /// As [`LadderController::report`], over an earlier one of the same ladder: no memory is taken.
    pub fn write_report(&self, report: &mut LadderReport) {
        for (said, rung) in report.rungs.iter_mut().zip(&self.rungs) {
            said.n = rung.n;
            said.cost_nanos = rung.recent.quantile(SAID).unwrap_or_default() as u64;
            said.cost_nanos_max = rung.cost_nanos_max as u64;
        }
        (report.rung, report.n_changes) = (self.current, self.n_changes);
    }
}

#[cfg(test)]
mod tests;
