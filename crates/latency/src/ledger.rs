//! The ledger: every span and every countable event, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::span_histogram::SpanHistogram;
use crate::{Chain, ChainError, LatencyReport, ReportRow, Stage};

/// How many stages and chains one ledger holds: about 200 kB each.
pub const N_STAGES_MAX: usize = 64;
/// How many counters one ledger holds.
pub const N_COUNTERS_MAX: usize = 256;

/// Spans by stage and counters by name, in bounded memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StageLedger {
    stages: BTreeMap<Stage, SpanHistogram>,
    counters: BTreeMap<Stage, u64>,
}

/// Why something was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// One name more than the ledger holds.
    #[error("expected at most {n_max} {what}, got one more: {name}")]
    Full {
        /// Stages or counters.
        what: &'static str,
        /// How many it holds.
        n_max: usize,
        /// The one that did not fit.
        name: Stage,
    },
    /// The chain is not complete.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl StageLedger {
    /// Records one span of a stage, or of a chain that was measured end to end.
    ///
    /// # Errors
    /// [`LedgerError::Full`] when the stage is new and there is no room for it.
    pub fn record(&mut self, stage: &Stage, span: Duration) -> Result<(), LedgerError> {
        if let Some(histogram) = self.stages.get_mut(stage) {
            histogram.record(span);
            return Ok(());
        }
        self.check_room_for_stages([stage])?;
        let mut histogram = SpanHistogram::new();
        histogram.record(span);
        self.stages.insert(stage.clone(), histogram);
        Ok(())
    }

    /// Records the spans of one message and the sum of those of the chain, which is returned.
    ///
    /// # Errors
    /// [`LedgerError`] when a stage of the chain is missing or there is no room; then nothing is
    /// recorded.
    pub fn record_chain(
        &mut self,
        chain: &Chain,
        spans: &[(Stage, Duration)],
    ) -> Result<Duration, LedgerError> {
        let total = chain.total(spans)?;
        let names = spans.iter().map(|(stage, _)| stage).chain([&chain.name]);
        self.check_room_for_stages(names)?;
        for (stage, span) in spans {
            self.record(stage, *span)?;
        }
        self.record(&chain.name, total)?;
        Ok(total)
    }

    /// Adds to a counter of events that have no span, such as messages lost.
    ///
    /// # Errors
    /// [`LedgerError::Full`] when the counter is new and there is no room for it.
    pub fn count(&mut self, name: &Stage, n: u64) -> Result<(), LedgerError> {
        if let Some(counter) = self.counters.get_mut(name) {
            *counter = counter.saturating_add(n);
            return Ok(());
        }
        if self.counters.len() >= N_COUNTERS_MAX {
            let name = name.clone();
            return Err(LedgerError::Full {
                what: "counters",
                n_max: N_COUNTERS_MAX,
                name,
            });
        }
        self.counters.insert(name.clone(), n);
        Ok(())
    }

    /// Takes in all that another ledger holds, as if it had been recorded here.
    ///
    /// # Errors
    /// [`LedgerError::Full`] when both together hold too many names; then nothing is taken.
    pub fn merge(&mut self, other: &Self) -> Result<(), LedgerError> {
        self.check_room_for_stages(other.stages.keys())?;
        let is_new = |name: &&Stage| !self.counters.contains_key(*name);
        let room = N_COUNTERS_MAX - self.counters.len();
        if let Some(name) = other.counters.keys().filter(is_new).nth(room) {
            let name = name.clone();
            return Err(LedgerError::Full {
                what: "counters",
                n_max: N_COUNTERS_MAX,
                name,
            });
        }
        for (stage, histogram) in &other.stages {
            match self.stages.get_mut(stage) {
                Some(ours) => ours.merge(histogram),
                None => drop(self.stages.insert(stage.clone(), histogram.clone())),
            }
        }
        for (name, n) in &other.counters {
            self.count(name, *n)?;
        }
        Ok(())
    }

    /// What the ledger holds, as numbers to print or send; stages in the order of their names.
    pub fn report(&self) -> LatencyReport {
        LatencyReport {
            rows: self.rows().collect(),
            counters: self.counters.clone(),
        }
    }

    /// What the ledger holds of each stage, in the order of their names.
    pub fn rows(&self) -> impl Iterator<Item = ReportRow> {
        self.stages.iter().map(|(stage, spans)| ReportRow {
            stage: stage.clone(),
            n: spans.len(),
            p50_nanos: spans.quantile_nanos(0.5),
            p99_nanos: spans.quantile_nanos(0.99),
            p999_nanos: spans.quantile_nanos(0.999),
            max_nanos: spans.max_nanos(),
            n_saturated: spans.n_saturated(),
        })
    }

    fn check_room_for_stages<'a>(
        &self,
        stages: impl IntoIterator<Item = &'a Stage>,
    ) -> Result<(), LedgerError> {
        let mut new: Vec<&Stage> = Vec::new();
        for stage in stages {
            if self.stages.contains_key(stage) || new.contains(&stage) {
                continue;
            }
            new.push(stage);
            if self.stages.len() + new.len() > N_STAGES_MAX {
                let name = stage.clone();
                return Err(LedgerError::Full {
                    what: "stages",
                    n_max: N_STAGES_MAX,
                    name,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
