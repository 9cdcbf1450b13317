//! Budgets that fit together: what is declared is checked before anything runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Budget, Chain, Stage};

/// Budgets in which every stage is one that is measured, every chain is one, and what its parts
/// are given fits into what the whole is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Budget>", into = "Vec<Budget>")]
pub struct Budgets(Vec<Budget>);

/// Why budgets are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Nothing takes no time, and no stop begins or ends after no span.
    #[error("expected {key} of at least 1 for {stage}, got 0")]
    Zero {
        /// Which of its keys.
        key: &'static str,
        /// The stage or chain.
        stage: Stage,
    },
    /// The same stage or chain twice.
    #[error("expected one budget for {stage}, got two")]
    Twice {
        /// The stage or chain.
        stage: Stage,
    },
    /// Nobody measures that.
    #[error("expected one of {}, got {stage}", Names(expected))]
    Unknown {
        /// What would do.
        expected: Vec<Stage>,
        /// What came.
        stage: Stage,
    },
    /// A chain of its own with the name of something else.
    #[error("expected a chain with a name of its own, got {stage}, which is known already")]
    Taken {
        /// The name.
        stage: Stage,
    },
    /// The parts were given more than the whole.
    #[error("{parts} cannot fit {chain} {}", Millis(*limit_micros))]
    DoesNotFit {
        /// The arithmetic, such as `plan 6 ms + fuse 5 ms = 11 ms`.
        parts: String,
        /// The whole.
        chain: Stage,
        /// What it was given.
        limit_micros: u64,
    },
}

struct Names<'n>(&'n [Stage]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Stage::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

/// Microseconds as milliseconds, without zeros at the end.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0 as f64 / 1e3)
    }
}

impl Default for Budgets {
    /// [`Budget::sensor_to_prediction`].
    fn default() -> Self {
        Self(vec![Budget::sensor_to_prediction()])
    }
}

impl TryFrom<Vec<Budget>> for Budgets {
    type Error = BudgetError;

    fn try_from(budgets: Vec<Budget>) -> Result<Self, BudgetError> {
        Self::new(budgets)
    }
}

impl From<Budgets> for Vec<Budget> {
    fn from(budgets: Budgets) -> Self {
        budgets.0
    }
}

impl<'b> IntoIterator for &'b Budgets {
    type Item = &'b Budget;
    type IntoIter = std::slice::Iter<'b, Budget>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Budgets {
    /// Of budgets that fit together.
    ///
    /// # Errors
    /// [`BudgetError`] for a number that is zero, a name that is unknown or comes twice, and parts
    /// that were given more than their chain, with the arithmetic.
    pub fn new(budgets: Vec<Budget>) -> Result<Self, BudgetError> {
        for (idx, budget) in budgets.iter().enumerate() {
            let stage = budget.stage.clone();
            if budgets[..idx].iter().any(|other| other.stage == stage) {
                return Err(BudgetError::Twice { stage });
            }
            check_numbers(budget)?;
            check_names(budget)?;
        }
        let budgets = Self(budgets);
        budgets.check_allocation()?;
        Ok(budgets)
    }

    /// No budgets at all.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The budgets, as they were declared.
    pub fn iter(&self) -> std::slice::Iter<'_, Budget> {
        self.0.iter()
    }

    /// The chains that were declared with their stages; the known ones are measured without.
    pub fn own_chains(&self) -> Vec<Chain> {
        let own = self.iter().filter(|budget| !budget.stages.is_empty());
        let chain = |budget: &Budget| Chain {
            name: budget.stage.clone(),
            stages: budget.stages.clone(),
        };
        own.map(chain).collect()
    }

    /// Every chain that has a budget, and that budget.
    fn chains(&self) -> Vec<(Chain, &Budget)> {
        let all = Chain::known().into_iter().chain(self.own_chains());
        let with_budget = |chain: Chain| {
            let budget = self.iter().find(|budget| budget.stage == chain.name)?;
            Some((chain, budget))
        };
        all.filter_map(with_budget).collect()
    }

    /// Whether the budgets of stages, and of chains within chains, fit the chain that they are
    /// part of. A stage without a budget is taken for nothing: it was promised nothing.
    fn check_allocation(&self) -> Result<(), BudgetError> {
        let chains = self.chains();
        for (whole, limit) in &chains {
            self.check_fit(&[], whole, limit)?;
            for (part, given) in &chains {
                let is_part = part.name != whole.name
                    && part.stages.len() < whole.stages.len()
                    && part.stages.iter().all(|it| whole.stages.contains(it));
                if is_part {
                    self.check_fit(&[(part, given)], whole, limit)?;
                }
            }
        }
        Ok(())
    }

    /// Whether these chains, and the stages of `whole` that are in none of them, fit.
    fn check_fit(
        &self,
        within: &[(&Chain, &Budget)],
        whole: &Chain,
        limit: &Budget,
    ) -> Result<(), BudgetError> {
        let is_covered = |stage: &Stage| within.iter().any(|(it, _)| it.stages.contains(stage));
        let of_stage = |stage: &Stage| self.iter().find(|budget| budget.stage == *stage);
        let left = whole.stages.iter().filter(|stage| !is_covered(stage));
        let parts: Vec<&Budget> = within
            .iter()
            .map(|(_, budget)| *budget)
            .chain(left.filter_map(of_stage))
            .collect();
        let sum = parts
            .iter()
            .fold(0, |sum: u64, it| sum.saturating_add(it.span_micros_max));
        if sum <= limit.span_micros_max {
            return Ok(());
        }
        let part = |it: &&Budget| format!("{} {}", it.stage, Millis(it.span_micros_max));
        let text = parts.iter().map(part).collect::<Vec<_>>().join(" + ");
        let parts = match parts.len() {
            1 => text,
            _ => format!("{text} = {}", Millis(sum)),
        };
        Err(BudgetError::DoesNotFit {
            parts,
            chain: whole.name.clone(),
            limit_micros: limit.span_micros_max,
        })
    }
}

fn check_numbers(budget: &Budget) -> Result<(), BudgetError> {
    let numbers = [
        ("span_micros_max", budget.span_micros_max),
        ("stop_after", budget.stop_after.unwrap_or(1)),
        ("recover_after", budget.recover_after),
    ];
    match numbers.iter().find(|(_, number)| *number == 0) {
        Some((key, _)) => Err(BudgetError::Zero {
            key,
            stage: budget.stage.clone(),
        }),
        None => Ok(()),
    }
}

fn check_names(budget: &Budget) -> Result<(), BudgetError> {
    let stage = budget.stage.clone();
    let measured = Stage::MEASURED.to_vec();
    let chains = Chain::known().map(|chain| chain.name);
    let is_known = measured.contains(&stage) || chains.contains(&stage);
    if budget.stages.is_empty() {
        return if is_known {
            Ok(())
        } else {
            let expected = measured.into_iter().chain(chains).collect();
            Err(BudgetError::Unknown { expected, stage })
        };
    }
    if is_known {
        return Err(BudgetError::Taken { stage });
    }
    match budget.stages.iter().find(|it| !measured.contains(it)) {
        Some(stage) => Err(BudgetError::Unknown {
            expected: measured,
            stage: stage.clone(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
