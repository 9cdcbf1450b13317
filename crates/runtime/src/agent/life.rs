//! Whether an agent's sensor streams are alive, and what time it has to look up by itself.

use std::time::Duration;

use sedge_spacetime::Stamp;

use crate::{AgentConfig, OnEnd};

/// Longer than any sensor stream pauses by itself.
const SILENCE_LONG: Duration = Duration::from_secs(2);
/// After the end of a stream, messages of other keys may still be on their way.
const END_GRACE: Duration = Duration::from_millis(200);

/// How long nothing came before a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    Short,
    Long,
}

#[derive(Debug)]
pub(super) struct Life {
    on_end: OnEnd,
    quiet_max: Option<Duration>,
    telemetry_period: Duration,
    last_heard: Option<Stamp>,
    ended: Option<Stamp>,
    next_telemetry: Option<Stamp>,
}

impl Life {
    pub(super) fn new(config: &AgentConfig) -> Self {
        Self {
            on_end: config.on_end,
            quiet_max: config.quiet_max,
            telemetry_period: config.telemetry_period,
            last_heard: None,
            ended: None,
            next_telemetry: None,
        }
    }

    /// Notes a message; how long it was quiet before.
    pub(super) fn heard(&mut self, arrival: Stamp) -> Silence {
        let before = self.last_heard.replace(arrival);
        match before.map(|before| arrival.saturating_since(before)) {
            Some(silence) if silence > SILENCE_LONG => Silence::Long,
            _ => Silence::Short,
        }
    }

    pub(super) fn ended(&mut self, arrival: Stamp) {
        self.ended = Some(arrival);
    }

    pub(super) fn began_anew(&mut self) {
        self.ended = None;
    }

    /// When the agent has nothing left to wait for.
    pub(super) fn over_at(&self) -> Option<Stamp> {
        let ended = self.ended.filter(|_| self.on_end == OnEnd::Finish);
        let ended = ended.and(self.last_heard).map(|heard| heard + END_GRACE);
        let quiet = self
            .last_heard
            .zip(self.quiet_max)
            .map(|(heard, quiet)| heard + quiet);
        ended.into_iter().chain(quiet).min()
    }

    /// Whether telemetry is due; if so, the next one is due a period later.
    pub(super) fn telemetry_due(&mut self, now: Stamp) -> bool {
        let due = self.next_telemetry.is_none_or(|next| now >= next);
        if due {
            self.next_telemetry = Some(now + self.telemetry_period);
        }
        due
    }

    pub(super) fn next_telemetry(&self) -> Option<Stamp> {
        self.next_telemetry
    }
}
