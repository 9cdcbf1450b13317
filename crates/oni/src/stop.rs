//! `event.stop`.

use std::borrow::Cow;

use sedge_spacetime::AgentName;

use crate::goal::{read_agents, write_agents};
use crate::text::{read_text, write_text};
use crate::typed::scalar;
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

/// How hard to stop; a larger one includes the smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The sender's stop is over.
    Release,
    /// Hold still until the sender releases it.
    Hold,
    /// Stop, and ask a person before going on.
    Stop,
    /// Remove power from the actuators.
    Emergency,
}

impl Severity {
    /// Every severity, in the order of its number, from 0.
    pub const ALL: [Self; 4] = [Self::Release, Self::Hold, Self::Stop, Self::Emergency];
}

/// Agents shall stop, or may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop<'a> {
    /// The agents meant; none named means every agent that receives this. `[agent]`
    pub agents: Vec<AgentName>,
    /// How hard.
    pub severity: Severity,
    /// Why, for a person: at most 1024 bytes without control characters.
    pub reason: Cow<'a, str>,
}

impl Stop<'_> {
    /// Whether an agent is meant.
    pub fn is_for(&self, agent: &AgentName) -> bool {
        self.agents.is_empty() || self.agents.contains(agent)
    }
}

impl<'a> TypedMessage<'a> for Stop<'a> {
    const NAME: &'static str = "event.stop";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let builder = write_agents(builder, &self.agents)?;
        let builder = builder.tensor("severity", &[1], &[self.severity as u8])?;
        write_text(builder, "reason", &self.reason)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        let severity = usize::from(scalar::<u8>(message, "severity")?);
        Ok(Self {
            agents: read_agents(message)?,
            severity: *Severity::ALL
                .get(severity)
                .expect("the schema gives the largest number"),
            reason: read_text(message, "reason")?.into(),
        })
    }
}
