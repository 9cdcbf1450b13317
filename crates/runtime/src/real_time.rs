//! A node with a time of its own, such as a simulation, run by the machine's clock.

use std::collections::VecDeque;
use std::time::Duration;

use sedge_oni::{EncodedMessage, Envelope};
use sedge_spacetime::{Clock, Stamp};
use sedge_transport::{Inbox, NextTick, Node, Outbox, Outgoing, Received};
use serde::{Deserialize, Serialize};

use crate::Driven;
use crate::put_time::note_put;

/// Messages that one tick of the node may send.
const SENT_MAX: usize = 65_536;
/// Messages that one tick of the node is given.
const GIVEN_MAX: usize = 4_096;

/// How well a node with a time of its own kept up with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Punctuality {
    /// Ticks that it had asked for.
    pub n_ticks: u64,
    /// Of those, how many came later than they may.
    pub n_late: u64,
    /// The latest, in nanoseconds.
    pub late_nanos_max: u64,
    /// Messages that were not what they should be and went on with their stamps as they were.
    pub n_unmapped: u64,
}

/// Runs a node whose time counts from 0 on the clock of its driver: its 0 is the first tick.
///
/// The stamps of what it sends become those of the driver's clock, and the stamps of what comes
/// for it become its own; deadlines and lifespans count from stamps, so they keep their meaning.
/// The node must name the driver's clock in its messages. A node that is called late catches up as
/// far as it does by itself; how late is counted and said, never made up for.
pub struct RealTime<'n> {
    node: &'n mut dyn Node,
    /// What put times are read from, and what it is called.
    puts: Option<(&'n dyn Clock, String)>,
    late_max: Duration,
    began: Option<Stamp>,
    due: Option<Stamp>,
    /// What the outbox had no room for.
    backlog: VecDeque<Outgoing>,
    is_finished: bool,
    punctuality: Punctuality,
}

impl<'n> RealTime<'n> {
    /// Of a node that has not been ticked, whose ticks may come this late without being counted.
    pub fn new(node: &'n mut dyn Node, late_max: Duration) -> Self {
        Self {
            node,
            puts: None,
            late_max,
            began: None,
            due: None,
            backlog: VecDeque::new(),
            is_finished: false,
            punctuality: Punctuality::default(),
        }
    }

    /// With the time of its put in each message that it sends, on a clock of this name, so that its
    /// readers know how long the message was on its way.
    #[must_use]
    pub fn noting_puts(self, clock: &'n dyn Clock, domain: &str) -> Self {
        Self {
            puts: Some((clock, domain.to_owned())),
            ..self
        }
    }

    /// How well it kept up so far.
    pub fn punctuality(&self) -> Punctuality {
        self.punctuality
    }

    fn note_lateness(&mut self, now: Stamp) {
        let Some(due) = self.due.take_if(|due| now >= *due) else {
            return;
        };
        let late = now.saturating_since(due);
        self.punctuality.n_ticks += 1;
        let nanos = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        self.punctuality.late_nanos_max = self.punctuality.late_nanos_max.max(nanos);
        if late > self.late_max {
            self.punctuality.n_late += 1;
            // A flood of late ticks must not become a flood of text.
            if self.punctuality.n_late.is_power_of_two() {
                let (n, node) = (self.punctuality.n_late, self.node.name());
                tracing::warn!(node, n, "behind the clock by {late:?}");
            }
        }
    }

    fn send(&mut self, outbox: &mut Outbox) {
        while outbox.room() > 0 {
            let Some(Outgoing {
                key,
                message,
                expiry,
            }) = self.backlog.pop_front()
            else {
                return;
            };
            // There is room: it was asked for.
            if outbox.put_before(key, message, expiry).is_err() {
                return;
            }
        }
    }

    /// The message with its stamp moved; as it is where it is no message.
    fn mapped(
        &mut self,
        message: EncodedMessage,
        to: impl Fn(Stamp) -> Stamp,
        note: impl Fn(&mut Envelope),
    ) -> EncodedMessage {
        let moved = message.decode().ok().and_then(|mut message| {
            let envelope = message.envelope_mut();
            envelope.capture.stamp = to(envelope.capture.stamp);
            note(envelope);
            message.encode().ok()
        });
        moved.unwrap_or_else(|| {
            self.punctuality.n_unmapped += 1;
            message
        })
    }
}

impl Node for RealTime<'_> {
    fn name(&self) -> &str {
        self.node.name()
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        self.send(outbox);
        if !self.backlog.is_empty() {
            // Called again at once; until then the node is not, so that this stays bounded.
            return NextTick::At(now);
        }
        if self.is_finished {
            return NextTick::Finished;
        }
        self.note_lateness(now);
        let began = self.began.get_or_insert(now).nanos();
        let own = |stamp: Stamp| Stamp::from_nanos(stamp.nanos().saturating_sub(began));
        let theirs = |stamp: Stamp| Stamp::from_nanos(stamp.nanos().saturating_add(began));
        let (mut given, mut sent) = (Inbox::new(GIVEN_MAX), Outbox::new(SENT_MAX));
        while let Some(received) = inbox.pop() {
            given.push(Received {
                message: self.mapped(received.message, own, |_| {}),
                arrival: own(received.arrival),
                key: received.key,
            });
        }
        let next = self.node.tick(own(now), &mut given, &mut sent);
        let puts = self.puts.take();
        for outgoing in sent.drain() {
            let message = self.mapped(outgoing.message, theirs, |envelope| {
                if let Some((clock, domain)) = &puts {
                    note_put(envelope, domain, clock.now());
                }
            });
            self.backlog.push_back(Outgoing {
                message,
                expiry: outgoing.expiry.map(theirs),
                key: outgoing.key,
            });
        }
        self.puts = puts;
        self.send(outbox);
        self.is_finished = next == NextTick::Finished;
        self.due = match next {
            NextTick::At(at) => Some(theirs(at)),
            NextTick::OnMessage | NextTick::Finished => None,
        };
        match self.due {
            _ if !self.backlog.is_empty() => NextTick::At(now),
            Some(due) => NextTick::At(due),
            None => next,
        }
    }
}

impl Driven for RealTime<'_> {}

#[cfg(test)]
mod tests;
