//! Budgets: how long a stage or chain may take, and how often it did not keep to it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Budgets, Stage};

/// Spans kept in a row after which a safe stop is over, where a budget does not say.
const RECOVER_AFTER: u64 = 5;

/// What is to be done when a budget is missed, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissPolicy {
    /// Say so and go on.
    Warn,
    /// Leave out the rest of this tick.
    Skip,
    /// Go down one rung of the degradation ladder.
    Degrade,
    /// Bring the robot to a safe stop.
    SafeStop,
}

impl MissPolicy {
    /// Its name in launch files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Skip => "skip",
            Self::Degrade => "degrade",
            Self::SafeStop => "safe-stop",
        }
    }
}

/// How long a stage or chain may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The stage or chain.
    pub stage: Stage,
    /// The stages that a chain of your own sums, in order. Default none: a stage, or a chain that
    /// is known by its name ([`crate::Chain::known`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// The longest span that keeps to the budget, in microseconds, at least 1. No default: it is
    /// a promise about one robot on one computer.
    pub span_micros_max: u64,
    /// What is to be done when it is missed. No default: a launch file says what it wants.
    pub on_miss: MissPolicy,
    /// Misses in a row after which the robot stops safely, whatever `on_miss` says, at least 1.
    /// Default never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<u64>,
    /// Spans kept in a row after which a safe stop is over, at least 1. Default 5: half a second
    /// of a robot that decides ten times a second.
    #[serde(default = "recover_after", skip_serializing_if = "is_default_recovery")]
    pub recover_after: u64,
}

fn recover_after() -> u64 {
    RECOVER_AFTER
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands in a reference"
)]
fn is_default_recovery(spans: &u64) -> bool {
    *spans == RECOVER_AFTER
}

impl Budget {
    /// Of a stage, or of a chain that is known by its name; everything else by default.
    pub fn new(stage: Stage, span_micros_max: u64, on_miss: MissPolicy) -> Self {
        Self {
            stage,
            stages: Vec::new(),
            span_micros_max,
            on_miss,
            stop_after: None,
            recover_after: RECOVER_AFTER,
        }
    }

    /// 10 ms from a sensor's message to its prediction: a tenth of the period of a 10 Hz scanner,
    /// so that what is left belongs to planning.
    pub fn sensor_to_prediction() -> Self {
        Self::new(Stage::SENSOR_TO_PREDICTION, 10_000, MissPolicy::Warn)
    }

    /// The longest span that keeps to the budget.
    pub fn limit(&self) -> Duration {
        Duration::from_micros(self.span_micros_max)
    }

    /// The harshest thing that it may call for.
    pub fn harshest(&self) -> MissPolicy {
        match self.stop_after {
            Some(_) => MissPolicy::SafeStop,
            None => self.on_miss,
        }
    }
}

/// One span that was past its budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The budget.
    pub budget: Budget,
    /// How long it took.
    pub span: Duration,
    /// How many misses in a row, this one included: 1 is the moment to speak up.
    pub n_consecutive: u64,
}

impl Miss {
    /// What is to be done: the budget's policy, or a safe stop where its ceiling is reached.
    pub fn calls_for(&self) -> MissPolicy {
        let is_ceiling = |ceiling| self.n_consecutive >= ceiling;
        match self.budget.stop_after {
            Some(ceiling) if is_ceiling(ceiling) => MissPolicy::SafeStop,
            _ => self.budget.on_miss,
        }
    }
}

/// How a budget was kept so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetRow {
    /// The budget.
    pub budget: Budget,
    /// How many spans were judged.
    pub n: u64,
    /// How many were past it.
    pub n_missed: u64,
    /// The longest run of misses without a kept one between.
    pub n_missed_in_a_row_max: u64,
    /// How often it called for a safe stop that was not in force yet.
    #[serde(default)]
    pub n_stops: u64,
}

/// Judges spans by their budgets and remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BudgetMonitor {
    kept: BTreeMap<Stage, Kept>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    row: BudgetRow,
    /// Misses in a row; zero after a span that was kept.
    n_consecutive: u64,
    /// Spans still to be kept in a row until the safe stop is over; zero where there is none.
    n_until_recovered: u64,
}

impl Kept {
    fn of(budget: &Budget) -> Self {
        Self {
            row: BudgetRow {
                budget: budget.clone(),
                n: 0,
                n_missed: 0,
                n_missed_in_a_row_max: 0,
                n_stops: 0,
            },
            n_consecutive: 0,
            n_until_recovered: 0,
        }
    }

    fn missed(&mut self, span: Duration) -> Miss {
        self.n_consecutive += 1;
        let row = &mut self.row;
        row.n_missed += 1;
        row.n_missed_in_a_row_max = row.n_missed_in_a_row_max.max(self.n_consecutive);
        let miss = Miss {
            budget: row.budget.clone(),
            span,
            n_consecutive: self.n_consecutive,
        };
        let is_stopping = self.n_until_recovered > 0;
        if is_stopping || miss.calls_for() == MissPolicy::SafeStop {
            // While it is stopped, one more miss begins the waiting anew.
            row.n_stops += u64::from(!is_stopping);
            self.n_until_recovered = row.budget.recover_after;
        }
        miss
    }
}

impl BudgetMonitor {
    /// A monitor of these budgets.
    pub fn new(budgets: &Budgets) -> Self {
        let kept = budgets.iter().map(|it| (it.stage.clone(), Kept::of(it)));
        Self {
            kept: kept.collect(),
        }
    }

    /// Judges one span; a stage without a budget is never missed.
    pub fn observe(&mut self, stage: &Stage, span: Duration) -> Option<Miss> {
        let kept = self.kept.get_mut(stage)?;
        kept.row.n += 1;
        if span > kept.row.budget.limit() {
            return Some(kept.missed(span));
        }
        kept.n_consecutive = 0;
        kept.n_until_recovered = kept.n_until_recovered.saturating_sub(1);
        None
    }

    /// The first budget whose safe stop is in force: it was missed as it may not be, and was not
    /// kept often enough since.
    pub fn stopping(&self) -> Option<&Budget> {
        let mut kept = self.kept.values();
        let stopping = kept.find(|kept| kept.n_until_recovered > 0)?;
        Some(&stopping.row.budget)
    }

    /// The longest span of a stage or chain that keeps to its budget, where it has one.
    pub fn limit(&self, stage: &Stage) -> Option<Duration> {
        Some(self.kept.get(stage)?.row.budget.limit())
    }

    /// How each budget was kept so far, in the order of the stages' names.
    pub fn rows(&self) -> Vec<BudgetRow> {
        self.iter_rows().cloned().collect()
    }

    /// As [`BudgetMonitor::rows`], in place.
    pub fn iter_rows(&self) -> impl Iterator<Item = &BudgetRow> {
        self.kept.values().map(|kept| &kept.row)
    }
}

#[cfg(test)]
mod tests;
