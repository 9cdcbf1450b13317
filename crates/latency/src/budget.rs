//! Budgets: how long a stage or chain may take, and how often it did not keep to it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Stage;

/// What is to be done when a budget is missed.
///
/// Only [`MissPolicy::Warn`] is acted on today; [`BudgetMonitor::new`] refuses the others, because
/// a safe stop that is written down and does not stop is worse than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissPolicy {
    /// Say so and go on.
    Warn,
    /// Leave out the rest of this tick.
    Skip,
    /// Go down one step of the degradation ladder.
    Degrade,
    /// Bring the robot to a safe stop.
    SafeStop,
}

/// How long a stage or chain may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The stage or chain.
    pub stage: Stage,
    /// The longest span that keeps to the budget, in microseconds, at least 1. No default: it is
    /// a promise about one robot on one computer.
    pub span_micros_max: u64,
    /// What is to be done when it is missed. No default: a launch file says what it wants.
    pub on_miss: MissPolicy,
}

impl Budget {
    /// 10 ms from a sensor's message to its prediction: a tenth of the period of a 10 Hz scanner,
    /// so that what is left belongs to planning.
    pub fn sensor_to_prediction() -> Self {
        Self {
            stage: Stage::SENSOR_TO_PREDICTION,
            span_micros_max: 10_000,
            on_miss: MissPolicy::Warn,
        }
    }

    /// The longest span that keeps to the budget.
    pub fn limit(&self) -> Duration {
        Duration::from_micros(self.span_micros_max)
    }
}

/// Why budgets cannot be monitored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Nothing takes no time.
    #[error("expected span_micros_max of at least 1 for {stage}, got 0")]
    Zero {
        /// The stage or chain.
        stage: Stage,
    },
    /// The same stage or chain twice.
    #[error("expected one budget for {stage}, got two")]
    Twice {
        /// The stage or chain.
        stage: Stage,
    },
    /// A policy that nothing acts on yet.
    #[error("expected on_miss = \"warn\" for {stage}, the only policy so far, got {policy:?}")]
    NotActedOn {
        /// The stage or chain.
        stage: Stage,
        /// What came.
        policy: MissPolicy,
    },
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
}

/// Judges spans by their budgets and remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BudgetMonitor {
    kept: BTreeMap<Stage, Kept>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    row: BudgetRow,
    n_consecutive: u64,
}

impl BudgetMonitor {
    /// A monitor of these budgets.
    ///
    /// # Errors
    /// [`BudgetError`] when a limit is zero, a stage has two budgets, or a policy is not acted on.
    pub fn new(budgets: Vec<Budget>) -> Result<Self, BudgetError> {
        let mut kept = BTreeMap::new();
        for budget in budgets {
            let stage = budget.stage.clone();
            if budget.span_micros_max == 0 {
                return Err(BudgetError::Zero { stage });
            }
            if budget.on_miss != MissPolicy::Warn {
                return Err(BudgetError::NotActedOn {
                    stage,
                    policy: budget.on_miss,
                });
            }
            let row = BudgetRow {
                budget,
                n: 0,
                n_missed: 0,
                n_missed_in_a_row_max: 0,
            };
            if kept
                .insert(
                    stage.clone(),
                    Kept {
                        row,
                        n_consecutive: 0,
                    },
                )
                .is_some()
            {
                return Err(BudgetError::Twice { stage });
            }
        }
        Ok(Self { kept })
    }

    /// Judges one span; a stage without a budget is never missed.
    pub fn observe(&mut self, stage: &Stage, span: Duration) -> Option<Miss> {
        let Kept { row, n_consecutive } = self.kept.get_mut(stage)?;
        row.n += 1;
        if span <= row.budget.limit() {
            *n_consecutive = 0;
            return None;
        }
        *n_consecutive += 1;
        row.n_missed += 1;
        row.n_missed_in_a_row_max = row.n_missed_in_a_row_max.max(*n_consecutive);
        Some(Miss {
            budget: row.budget.clone(),
            span,
            n_consecutive: *n_consecutive,
        })
    }

    /// How each budget was kept so far, in the order of the stages' names.
    pub fn rows(&self) -> Vec<BudgetRow> {
        self.kept.values().map(|kept| kept.row.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
