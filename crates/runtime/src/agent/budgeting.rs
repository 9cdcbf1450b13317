//! What an agent measures, judges by its budgets, and does about those that are missed.

use std::time::Duration;

use sedge_latency::{Miss, MissPolicy, Stage};
use sedge_oni::LedgerEntry;
use sedge_spacetime::Stamp;
use sedge_world_model::Reused;

use super::AgentNode;
use crate::Severity;
use crate::intake::ArrivedEvent;

/// After planning there is this much to be done in nine of ten cases, as far as was lately seen.
const AFTER_PLAN_SHARE: f64 = 0.9;

/// The spans of one message: stages that follow each other without a gap, each beginning where the
/// one before ended, and chains of them. So the stages of a chain sum to what the chain took.
#[derive(Debug, Default)]
pub(super) struct Spans {
    all: Reused<(Stage, Duration)>,
}

impl Spans {
    /// Stages and chains, in the order in which they ended.
    pub(super) fn into_all(self) -> Reused<(Stage, Duration)> {
        self.all
    }

    /// The stages, as a message's ledger says them.
    pub(super) fn entries(&self) -> impl Iterator<Item = LedgerEntry> {
        let stages = self.all.iter();
        let stages = stages.filter(|(stage, _)| Stage::MEASURED.contains(stage));
        stages.map(entry)
    }
}

/// One span, as a message's ledger says it.
pub(super) fn entry((stage, span): &(Stage, Duration)) -> LedgerEntry {
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let entry = LedgerEntry::new(stage.as_str(), nanos);
    entry.expect("names of stages are no longer than those of a ledger")
}

fn sum(upstream: &[LedgerEntry]) -> Duration {
    let nanos = upstream.iter().map(|entry| entry.nanos);
    Duration::from_nanos(nanos.fold(0, u64::saturating_add))
}

impl AgentNode {
    /// Whether it does what missed budgets call for: where a stopwatch measures, what is said and
    /// done must not depend on it.
    fn acts_on_misses(&self) -> bool {
        self.stopwatch.is_none()
    }

    /// Records a span and judges it.
    pub(super) fn record(&mut self, stage: &Stage, span: Duration) {
        self.note(stage, span);
        let was_stopping = self.budgets.stopping().is_some();
        let Some(miss) = self.budgets.observe(stage, span) else {
            return;
        };
        if miss.n_consecutive == 1 {
            let text = format!("{stage} took {span:?}, budget {:?}", miss.budget.limit());
            self.say("budget-misses-begun", Severity::Warn, &text);
        }
        if self.acts_on_misses() {
            self.react(&miss);
            if !was_stopping && self.budgets.stopping().is_some() {
                self.stop_for(&miss);
            }
        }
    }

    /// Records a span that no budget is about.
    pub(super) fn note(&mut self, stage: &Stage, span: Duration) {
        if self.latency.record(stage, span).is_err() {
            self.counters.add("latency-unrecorded");
        }
    }

    fn react(&mut self, miss: &Miss) {
        match (miss.calls_for(), &mut self.controller) {
            (MissPolicy::Skip, _) => self.is_cut_short = true,
            (MissPolicy::Degrade, Some(controller)) => {
                controller.degrade();
                self.counters.add("budget-degradations");
            }
            (MissPolicy::Warn | MissPolicy::SafeStop | MissPolicy::Degrade, _) => {}
        }
    }

    /// A safe stop begins: it is commanded in this tick, not with the next scan.
    fn stop_for(&mut self, miss: &Miss) {
        let (stage, n) = (&miss.budget.stage, miss.n_consecutive);
        let text = format!("{stage} past its budget, {n} in a row");
        self.say("budget-stops", Severity::Warn, &text);
        self.order_came = self.controller.is_some();
    }

    /// Why the robot must stand until budgets are kept again, if it must.
    pub(super) fn overrun(&self) -> Option<String> {
        let stopping = self.budgets.stopping().filter(|_| self.acts_on_misses())?;
        let (stage, limit) = (&stopping.stage, stopping.limit());
        Some(format!("{stage} past its budget of {limit:?}"))
    }

    /// The end of the stage that began where the one before ended; what it took.
    pub(super) fn lap(&mut self) -> Duration {
        let now = self.watch();
        now.saturating_since(std::mem::replace(&mut self.lapped, now))
    }

    /// Records the span of a stage or chain of one message, and the chains of one's own that it
    /// completes.
    pub(super) fn span(&mut self, spans: &mut Spans, stage: Stage, span: Duration) {
        self.record(&stage, span);
        spans.all.push((stage, span));
        let (before, n_chains) = (spans.all.len() - 1, self.chains.len());
        for chain_idx in 0..n_chains {
            let chain = &self.chains[chain_idx];
            let is_new = !chain.is_whole(&spans.all[..before]) && chain.is_whole(&spans.all);
            if !is_new {
                continue;
            }
            let Ok(total) = chain.total(&spans.all) else {
                continue;
            };
            let name = chain.name.clone();
            self.record(&name, total);
            spans.all.push((name, total));
        }
    }

    /// Records a chain that ends now, from its arrival and, where that is known, from its put on.
    pub(super) fn chain_ended(
        &mut self,
        arrived: &ArrivedEvent,
        spans: &mut Spans,
        [from_arrival, from_put]: [Stage; 2],
    ) {
        let since_arrival = self.lapped.saturating_since(arrived.timed);
        self.span(spans, from_arrival, since_arrival);
        let Some(since_put) = self.since_put(arrived) else {
            return;
        };
        let is_command = from_put == Stage::PUT_TO_COMMAND;
        self.span(spans, from_put, since_put);
        if is_command {
            let whole = since_put.saturating_add(sum(&arrived.upstream));
            self.span(spans, Stage::END_TO_END, whole);
        }
    }

    fn since_put(&self, arrived: &ArrivedEvent) -> Option<Duration> {
        let put = arrived.put.filter(|_| self.stopwatch.is_none())?;
        Some(self.lapped.saturating_since(put))
    }

    /// How long a plan may take from now on: what its own budget allows, and what is left of each
    /// chain that it is part of, with what comes after it taken off.
    pub(super) fn plan_allowance(&self, arrived: &ArrivedEvent, spans: &Spans) -> Option<Duration> {
        if !self.acts_on_misses() {
            return None;
        }
        let after = self.after_plan.quantile(AFTER_PLAN_SHARE).unwrap_or(0.0);
        let after = Duration::from_nanos(after as u64);
        let left_of = |stage: Stage, spent: Duration| {
            let limit = self.budgets.limit(&stage)?;
            Some(limit.saturating_sub(spent.saturating_add(after)))
        };
        let since_arrival = self.lapped.saturating_since(arrived.timed);
        let since_put = self.since_put(arrived);
        let of_put = since_put.and_then(|spent| left_of(Stage::PUT_TO_COMMAND, spent));
        let of_whole = since_put.and_then(|spent| {
            let spent = spent.saturating_add(sum(&arrived.upstream));
            left_of(Stage::END_TO_END, spent)
        });
        let own = self.chains.iter().filter_map(|chain| {
            chain.stages.contains(&Stage::PLAN).then_some(())?;
            let of_chain = spans.all.iter();
            let of_chain = of_chain.filter(|(stage, _)| chain.stages.contains(stage));
            let spent = of_chain.fold(Duration::ZERO, |sum, (_, it)| sum.saturating_add(*it));
            left_of(chain.name.clone(), spent)
        });
        let known = [
            self.budgets.limit(&Stage::PLAN),
            left_of(Stage::SENSOR_TO_COMMAND, since_arrival),
            of_put,
            of_whole,
        ];
        known.into_iter().flatten().chain(own).min()
    }

    /// Takes in how long after its plan a command was on its way.
    pub(super) fn commanded_after(&mut self, planned: Stamp) {
        let after = self.lapped.saturating_since(planned);
        self.after_plan.push(after.as_nanos() as f64);
    }
}

#[cfg(test)]
mod tests;
