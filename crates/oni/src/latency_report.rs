//! `telemetry.latency`.

use crate::text::{read_lines, write_lines};
use crate::typed::{scalar, signed, values};
use crate::{InvalidMessage, ListOf, Message, MessageBuilder, TypedMessage};

const NAMES: &str = "stage_names";

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
}

/// What each stage of an agent took, and what became of its inputs.
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
}

impl TypedMessage<'_> for LatencyReport {
    const NAME: &'static str = "telemetry.latency";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let names = self.stages.iter().map(|stage| stage.stage.as_str());
        let builder = write_lines(builder, NAMES, ListOf::Names, names)?;
        let shape = [self.stages.len()];
        let column = |of: fn(&StageLatency) -> u64| -> Vec<i64> {
            self.stages.iter().map(|stage| signed(of(stage))).collect()
        };
        Ok(builder
            .tensor("count", &shape, &column(|stage| stage.count))?
            .tensor("p50_nanos", &shape, &column(|stage| stage.p50_nanos))?
            .tensor("p99_nanos", &shape, &column(|stage| stage.p99_nanos))?
            .tensor("p999_nanos", &shape, &column(|stage| stage.p999_nanos))?
            .tensor("max_nanos", &shape, &column(|stage| stage.max_nanos))?
            .tensor("received", &[1], &[signed(self.received)])?
            .tensor("lost", &[1], &[signed(self.lost)])?
            .tensor("duplicated", &[1], &[signed(self.duplicated)])?)
    }

    fn read(message: &Message<'_>) -> Result<Self, InvalidMessage> {
        let count = values::<i64>(message, "count")?;
        let p50 = values::<i64>(message, "p50_nanos")?;
        let p99 = values::<i64>(message, "p99_nanos")?;
        let p999 = values::<i64>(message, "p999_nanos")?;
        let max = values::<i64>(message, "max_nanos")?;
        let names = read_lines(message, NAMES, ListOf::Names, Some(count.len()))?;
        let stage = |(idx, name): (usize, &str)| StageLatency {
            stage: name.to_string(),
            count: count[idx].unsigned_abs(),
            p50_nanos: p50[idx].unsigned_abs(),
            p99_nanos: p99[idx].unsigned_abs(),
            p999_nanos: p999[idx].unsigned_abs(),
            max_nanos: max[idx].unsigned_abs(),
        };
        let counter = |name| scalar::<i64>(message, name).map(i64::unsigned_abs);
        Ok(Self {
            stages: names.into_iter().enumerate().map(stage).collect(),
            received: counter("received")?,
            lost: counter("lost")?,
            duplicated: counter("duplicated")?,
        })
    }
}
