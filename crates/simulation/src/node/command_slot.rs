//! The newest command of one robot.

use std::time::Duration;

use sedge_oni::{Command, CommandStep, EncodedMessage, TypedMessage as _};
use sedge_spacetime::{Stamp, Twist2};

/// What became of a robot's commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommandCounts {
    /// Commands taken.
    pub taken: u64,
    /// Refused: not newer than one taken before.
    pub older: u64,
    /// Refused: past their deadline or lifespan when they came.
    pub expired: u64,
    /// Refused: no command, or one that breaks its schema.
    pub malformed: u64,
    /// Refused: their stamps are of another clock.
    pub other_clock: u64,
    /// Steps driven by a command.
    pub steps_driven: u64,
    /// Steps told to stop, since no command was valid.
    pub steps_stopped: u64,
}

#[derive(Debug, Clone)]
struct Held {
    begin: Stamp,
    steps: Vec<CommandStep>,
    /// From here on it must not be driven by.
    end: Option<Stamp>,
}

/// What a robot drives by, and the command that takes over in the future.
#[derive(Debug, Clone, Default)]
pub(super) struct CommandSlot {
    current: Option<Held>,
    coming: Option<Held>,
    pub(super) counts: CommandCounts,
}

impl CommandSlot {
    pub(super) fn take(&mut self, message: &EncodedMessage, clock: &str, now: Stamp) {
        let read = message.decode().ok().and_then(|message| {
            let command = Command::from_message(&message).ok()?;
            let envelope = message.envelope();
            let limits = [envelope.deadline, envelope.lifespan];
            let least: Option<Duration> = limits.into_iter().flatten().min();
            let begin = envelope.capture.stamp;
            let held = Held {
                begin,
                steps: command.steps,
                end: least.map(|least| begin + least),
            };
            Some((held, envelope.capture.clock == clock))
        });
        let Some((held, is_our_clock)) = read else {
            self.counts.malformed += 1;
            return;
        };
        self.begin(now);
        let newest = self.coming.as_ref().or(self.current.as_ref());
        let counted = if !is_our_clock {
            &mut self.counts.other_clock
        } else if held.end.is_some_and(|end| end <= now) {
            &mut self.counts.expired
        } else if newest.is_some_and(|newest| held.begin <= newest.begin) {
            &mut self.counts.older
        } else {
            self.coming = Some(held);
            &mut self.counts.taken
        };
        *counted += 1;
    }

    /// What to drive from now on for one step.
    pub(super) fn target(&mut self, now: Stamp) -> Twist2 {
        self.begin(now);
        let twist = self.current.as_ref().and_then(|held| held.twist(now));
        if twist.is_some() {
            self.counts.steps_driven += 1;
        } else {
            self.counts.steps_stopped += 1;
        }
        twist.unwrap_or_default()
    }

    /// Lets the coming command take over once its time has come.
    fn begin(&mut self, now: Stamp) {
        if self.coming.as_ref().is_some_and(|held| held.begin <= now) {
            self.current = self.coming.take();
        }
    }
}

impl Held {
    fn twist(&self, now: Stamp) -> Option<Twist2> {
        if self.end.is_some_and(|end| end <= now) {
            return None;
        }
        let mut left = now.saturating_since(self.begin);
        for step in &self.steps {
            if left < step.duration {
                return Some(step.twist);
            }
            left -= step.duration;
        }
        None
    }
}
