//! `actuator.cmd`.

use std::time::Duration;

use sedge_spacetime::Twist2;

use crate::typed::{twist_from_row, twist_to_row, values};
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

/// One command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CommandStep {
    /// How long the twist is held; stored up to 292 years.
    pub duration: Duration,
    /// Velocity of the base in its own frame.
    pub twist: Twist2,
}

/// The commands about to be executed, one after the other, from the capture stamp on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Command {
    /// The commands, in order. `[step]`
    pub steps: Vec<CommandStep>,
}

impl TypedMessage<'_> for Command {
    const NAME: &'static str = "actuator.cmd";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let n_steps = self.steps.len();
        let durations = self.steps.iter().map(|step| nanos(step.duration));
        let twists = self.steps.iter().flat_map(|step| twist_to_row(step.twist));
        Ok(builder
            .tensor_of("durations_nanos", &[n_steps], durations)?
            .tensor_of("twists", &[n_steps, 3], twists)?)
    }

    fn read(message: &Message<'_>) -> Result<Self, InvalidMessage> {
        let durations = values::<i64>(message, "durations_nanos")?;
        let twists = values::<f64>(message, "twists")?.chunks_exact(3);
        let step = |(nanos, twist): (&i64, &[f64])| CommandStep {
            duration: duration(*nanos),
            twist: twist_from_row(twist),
        };
        Ok(Self {
            steps: durations.iter().zip(twists).map(step).collect(),
        })
    }
}

/// Saturates at 292 years.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// `nanos` is not negative: the schema says so.
pub(crate) fn duration(nanos: i64) -> Duration {
    Duration::from_nanos(nanos.unsigned_abs())
}
