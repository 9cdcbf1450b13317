//! Nodes: everything that a robot's program does, without I/O.

use std::collections::VecDeque;

use sedge_oni::{EncodedMessage, Key};
use sedge_spacetime::Stamp;

use crate::{Received, Subscriber};

/// When a node wants to be called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTick {
    /// When a message comes.
    OnMessage,
    /// When a message comes, and at this time at the latest.
    At(Stamp),
    /// Never: it has done its work.
    Finished,
}

/// What takes messages and time and gives messages, and nothing else: no clock, socket or thread.
/// The same node runs on a robot, in a simulation and in a replay.
pub trait Node {
    /// What it is called in logs.
    fn name(&self) -> &str;

    /// Takes what came until `now` and says what to send. It need not empty the inbox.
    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick;
}

/// What came for a node, oldest first.
#[derive(Debug)]
pub struct Inbox {
    queue: VecDeque<Received>,
    depth: usize,
    dropped: u64,
}

impl Inbox {
    /// Of at most `depth` messages, at least one.
    pub fn new(depth: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            depth: depth.max(1),
            dropped: 0,
        }
    }

    /// Adds a message; a full inbox drops its oldest and counts it.
    pub fn push(&mut self, received: Received) {
        if self.queue.len() == self.depth {
            self.queue.pop_front();
            self.dropped += 1;
        }
        self.queue.push_back(received);
    }

    /// Takes messages from a subscriber for as long as there is room; how many.
    pub fn fill_from(&mut self, subscriber: &mut dyn Subscriber) -> usize {
        let before = self.queue.len();
        while self.queue.len() < self.depth {
            match subscriber.try_next() {
                Some(received) => self.queue.push_back(received),
                None => break,
            }
        }
        self.queue.len() - before
    }

    /// The oldest message.
    pub fn pop(&mut self) -> Option<Received> {
        self.queue.pop_front()
    }

    /// How many messages are in it.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many messages it dropped because it was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Under which key.
    pub key: Key,
    /// What.
    pub message: EncodedMessage,
    /// After which time, on the driver's clock, it must not be sent any more; none where there is
    /// no such limit. A driver hands it to [`crate::Publisher::put_before`].
    pub expiry: Option<Stamp>,
}

/// The outbox has no room: whoever runs the node must drain it after each tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected room in an outbox of {depth} messages, it is full")]
pub struct OutboxFull {
    depth: usize,
}

/// What a node wants to send, in order.
#[derive(Debug)]
pub struct Outbox {
    queue: VecDeque<Outgoing>,
    depth: usize,
}

impl Outbox {
    /// Of at most `depth` messages, at least one.
    pub fn new(depth: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            depth: depth.max(1),
        }
    }

    /// Adds a message.
    ///
    /// # Errors
    /// [`OutboxFull`] when there is no room; the message is not taken.
    pub fn put(&mut self, key: Key, message: EncodedMessage) -> Result<(), OutboxFull> {
        self.put_before(key, message, None)
    }

    /// Adds a message that must not be sent past its expiry, where it has one; see
    /// [`Outgoing::expiry`].
    ///
    /// # Errors
    /// [`OutboxFull`] when there is no room; the message is not taken.
    pub fn put_before(
        &mut self,
        key: Key,
        message: EncodedMessage,
        expiry: Option<Stamp>,
    ) -> Result<(), OutboxFull> {
        if self.room() == 0 {
            return Err(OutboxFull { depth: self.depth });
        }
        self.queue.push_back(Outgoing {
            key,
            message,
            expiry,
        });
        Ok(())
    }

    /// How many messages it would still take.
    pub fn room(&self) -> usize {
        self.depth - self.queue.len()
    }

    /// Takes every message out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Outgoing> {
        self.queue.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_oni::AlignedBytes;

    fn received(number: u8) -> Received {
        Received {
            key: Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap(),
            message: EncodedMessage::new([number], AlignedBytes::default()),
            arrival: Stamp::ZERO,
        }
    }

    #[test]
    fn a_full_inbox_drops_its_oldest_and_counts() {
        let mut inbox = Inbox::new(2);
        (0..5).for_each(|number| inbox.push(received(number)));
        let kept: Vec<u8> = std::iter::from_fn(|| inbox.pop())
            .map(|came| came.message.header()[0])
            .collect();
        assert_eq!((kept, inbox.dropped()), (vec![3, 4], 3));
    }

    #[test]
    fn a_full_outbox_refuses_and_keeps_what_it_has() {
        let mut outbox = Outbox::new(1);
        let Received { key, message, .. } = received(1);
        assert_eq!(outbox.put(key.clone(), message.clone()), Ok(()));
        assert_eq!(
            outbox.put(key.clone(), received(2).message),
            Err(OutboxFull { depth: 1 })
        );
        assert_eq!(
            outbox.drain().collect::<Vec<_>>(),
            [Outgoing {
                key,
                message,
                expiry: None
            }]
        );
        assert_eq!(outbox.room(), 1);
    }
}
