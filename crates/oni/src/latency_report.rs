//! `telemetry.latency`.

use crate::text::{read_lines, write_lines};
use crate::typed::{scalar, signed, values};
use crate::{InvalidMessage, ListOf, Message, MessageBuilder, TypedMessage};

const NAMES: &str = "stage_names";
const RUNG_NAMES: &str = "rung_names";
const RUNG_COSTS: &str = "rung_cost_nanos";
const RUNG_PLANS: &str = "rung_plans";
const RUNG: &str = "rung";

/// What one stage took since its agent started.
///
/// Counts and nanoseconds are stored up to 2^63 - 1; more is stored as that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageLatency {
    /// The stage, 1 to 64 printable ASCII characters without spaces.
    pub stage: String,
    /// How often it ran.
    pub count: u64,
    /// Median.
    pub p50_nanos: u64,
    /// 99 % quantile.
    pub p99_nanos: u64,
    /// 99.9 % quantile.
    pub p999_nanos: u64,
    /// The longest.
    pub max_nanos: u64,
    /// The longest span that keeps to its budget; 0 where it has none, and from senders of 1.0.
    pub budget_nanos: u64,
    /// Spans past the budget.
    pub missed: u64,
    /// The most spans past the budget without a kept one between.
    pub missed_in_a_row_max: u64,
}

/// One rung of an agent's degradation ladder: a way to plan, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RungLatency {
    /// Its name, 1 to 64 printable ASCII characters without spaces.
    pub name: String,
    /// What a plan on it took lately, pessimistically; 0 where none was made.
    pub cost_nanos: u64,
    /// Plans made on it.
    pub plans: u64,
}

/// The degradation ladder of an agent and where it stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LadderReport {
    /// The rungs, the full one first; at least one. `[rung]`
    pub rungs: Vec<RungLatency>,
    /// Which one is in force, an index of `rungs`.
    pub rung: usize,
    /// How often the rung in force changed.
    pub changes: u64,
}

/// What each stage of an agent took, how its budgets were kept, and what became of its inputs.
///
/// Senders of 1.0 say nothing of budgets and rungs: what they send reads as no budgets and no
/// ladder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencyReport {
    /// The stages, in the order in which they run. `[stage]`
    pub stages: Vec<StageLatency>,
    /// Messages received.
    pub received: u64,
    /// Messages that were sent and never came.
    pub lost: u64,
    /// Messages that came more than once.
    pub duplicated: u64,
    /// The degradation ladder, of an agent that has one.
    pub ladder: Option<LadderReport>,
}

impl TypedMessage<'_> for LatencyReport {
    const NAME: &'static str = "telemetry.latency";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let names = self.stages.iter().map(|stage| stage.stage.as_str());
        let builder = write_lines(builder, NAMES, ListOf::Names, names)?;
        let shape = [self.stages.len()];
        let column = |of: fn(&StageLatency) -> u64| {
            let stages = self.stages.iter();
            stages.map(move |stage| signed(of(stage)))
        };
        let builder = builder
            .tensor_of("count", &shape, column(|stage| stage.count))?
            .tensor_of("p50_nanos", &shape, column(|stage| stage.p50_nanos))?
            .tensor_of("p99_nanos", &shape, column(|stage| stage.p99_nanos))?
            .tensor_of("p999_nanos", &shape, column(|stage| stage.p999_nanos))?
            .tensor_of("max_nanos", &shape, column(|stage| stage.max_nanos))?
            .tensor("received", &[1], &[signed(self.received)])?
            .tensor("lost", &[1], &[signed(self.lost)])?
            .tensor("duplicated", &[1], &[signed(self.duplicated)])?
            .tensor_of("budget_nanos", &shape, column(|stage| stage.budget_nanos))?
            .tensor_of("missed", &shape, column(|stage| stage.missed))?;
        let in_a_row = column(|stage| stage.missed_in_a_row_max);
        let builder = builder.tensor_of("missed_in_a_row_max", &shape, in_a_row)?;
        match &self.ladder {
            Some(ladder) => ladder.write(builder),
            None => Ok(builder),
        }
    }

    fn read(message: &Message<'_>) -> Result<Self, InvalidMessage> {
        let count = values::<i64>(message, "count")?;
        let p50 = values::<i64>(message, "p50_nanos")?;
        let p99 = values::<i64>(message, "p99_nanos")?;
        let p999 = values::<i64>(message, "p999_nanos")?;
        let max = values::<i64>(message, "max_nanos")?;
        let budget = values_if_there(message, "budget_nanos")?;
        let missed = values_if_there(message, "missed")?;
        let in_a_row = values_if_there(message, "missed_in_a_row_max")?;
        let names = read_lines(message, NAMES, ListOf::Names, Some(count.len()))?;
        let stage = |(idx, name): (usize, &str)| StageLatency {
            stage: name.to_string(),
            count: count[idx].unsigned_abs(),
            p50_nanos: p50[idx].unsigned_abs(),
            p99_nanos: p99[idx].unsigned_abs(),
            p999_nanos: p999[idx].unsigned_abs(),
            max_nanos: max[idx].unsigned_abs(),
            budget_nanos: at(budget, idx),
            missed: at(missed, idx),
            missed_in_a_row_max: at(in_a_row, idx),
        };
        let counter = |name| scalar::<i64>(message, name).map(i64::unsigned_abs);
        Ok(Self {
            stages: names.into_iter().enumerate().map(stage).collect(),
            received: counter("received")?,
            lost: counter("lost")?,
            duplicated: counter("duplicated")?,
            ladder: LadderReport::read(message)?,
        })
    }
}

impl LadderReport {
    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let rung = self.rung as u64;
        check_rung(rung, self.rungs.len())?;
        let names = self.rungs.iter().map(|rung| rung.name.as_str());
        let builder = write_lines(builder, RUNG_NAMES, ListOf::Names, names)?;
        let shape = [self.rungs.len()];
        let costs = self.rungs.iter().map(|rung| signed(rung.cost_nanos));
        let plans = self.rungs.iter().map(|rung| signed(rung.plans));
        Ok(builder
            .tensor_of(RUNG_COSTS, &shape, costs)?
            .tensor_of(RUNG_PLANS, &shape, plans)?
            .tensor(RUNG, &[1], &[signed(rung)])?
            .tensor("rung_changes", &[1], &[signed(self.changes)])?)
    }

    /// The ladder of a message that has the names of its rungs.
    fn read(message: &Message<'_>) -> Result<Option<Self>, InvalidMessage> {
        if message.tensor(RUNG_NAMES).is_none() {
            return Ok(None);
        }
        let costs = values_if_there(message, RUNG_COSTS)?;
        let plans = values_if_there(message, RUNG_PLANS)?;
        let has_any = [RUNG_COSTS, RUNG_PLANS].map(|name| message.tensor(name).is_some());
        let n_rungs = has_any
            .contains(&true)
            .then(|| costs.len().max(plans.len()));
        let names = read_lines(message, RUNG_NAMES, ListOf::Names, n_rungs)?;
        let rung = at(values_if_there(message, RUNG)?, 0);
        check_rung(rung, names.len())?;
        let one = |(idx, name): (usize, &str)| RungLatency {
            name: name.to_string(),
            cost_nanos: at(costs, idx),
            plans: at(plans, idx),
        };
        Ok(Some(Self {
            rungs: names.into_iter().enumerate().map(one).collect(),
            rung: rung as usize,
            changes: at(values_if_there(message, "rung_changes")?, 0),
        }))
    }
}

/// Refuses a rung that is none of the ladder's.
fn check_rung(rung: u64, n_rungs: usize) -> Result<(), InvalidMessage> {
    if rung < n_rungs as u64 {
        return Ok(());
    }
    Err(InvalidMessage::OutOfRange {
        tensor: RUNG.to_string(),
        expected: format!("below the {n_rungs} rungs that there are"),
        index: 0,
        value: rung as f64,
    })
}

/// The numbers of a tensor that may be missing; none where it is.
fn values_if_there<'m>(message: &'m Message<'_>, name: &str) -> Result<&'m [i64], InvalidMessage> {
    match message.tensor(name) {
        Some(tensor) => Ok(tensor.values()?),
        None => Ok(&[]),
    }
}

/// One of the numbers of a tensor that may be missing, which then are zeros.
fn at(values: &[i64], idx: usize) -> u64 {
    values.get(idx).copied().unwrap_or_default().unsigned_abs()
}
