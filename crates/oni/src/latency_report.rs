//! `telemetry.latency`.

use crate::limits::NAME_BYTES_MAX;
use crate::tensor::cut;
use crate::typed::{scalar, values};
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

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
        let names: String = self
            .stages
            .iter()
            .flat_map(|stage| {
                [
                    stage.stage.as_str(),
                    "
",
                ]
            })
            .collect();
        stage_names(names.as_bytes(), self.stages.len())?;
        let shape = [self.stages.len()];
        let column = |of: fn(&StageLatency) -> u64| -> Vec<i64> {
            self.stages.iter().map(|stage| signed(of(stage))).collect()
        };
        Ok(builder
            .tensor(NAMES, &[names.len()], names.as_bytes())?
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
        let names = stage_names(values(message, NAMES)?, count.len())?;
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

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn stage_names(bytes: &[u8], n_stages: usize) -> Result<Vec<&str>, InvalidMessage> {
    let refuse = |expected: String| InvalidMessage::Text {
        tensor: NAMES,
        expected,
        got: cut(&String::from_utf8_lossy(
            &bytes[..bytes.len().min(4 * NAME_BYTES_MAX)],
        )),
    };
    let text = str::from_utf8(bytes)
        .ok()
        .ok_or_else(|| refuse("UTF-8".to_string()))?;
    let names: Vec<&str> = text.split_terminator('\n').collect();
    let plain = |name: &&str| {
        (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let ended = text.is_empty() || text.ends_with('\n');
    if names.len() != n_stages || !ended || !names.iter().all(plain) {
        return Err(refuse(format!(
            "{n_stages} names of printable ASCII, each with a line feed"
        )));
    }
    Ok(names)
}
