//! Publishers, subscribers, answers, and the network that makes them.

use std::time::Duration;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::Stamp;

use crate::{DropLedger, Qos, Wake};

/// How long a live publisher's `put` may take beside the copying of the message, whatever its link,
/// its readers and its class: a control loop of a kilohertz keeps its rate.
pub const PUT_WAIT_MAX: Duration = Duration::from_micros(100);

/// How long a lossless publisher's `put` may hold its caller before it says
/// [`PutOutcome::Shed`].
pub const LOSSLESS_PUT_WAIT_MAX: Duration = Duration::from_secs(1);

/// How many answers to one query wait to be read; those beyond are dropped and counted.
pub const REPLIES_MAX: usize = 1024;

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The key that it was put under.
    pub key: Key,
    /// The message, not yet decoded.
    pub message: EncodedMessage,
    /// When it came, on the network's clock.
    pub arrival: Stamp,
}

/// What became of a message that was put, as far as its sender can know at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message that was not sent is worth counting"]
pub enum PutOutcome {
    /// Taken by the network (or nobody listens). What the network drops of it later is in the
    /// ledgers: [`Network::drops`] of the side that dropped it, and each reader's
    /// [`crate::LossLedger`].
    Sent,
    /// Not sent, to nobody: there was no room. It may be put again, and a lossless publisher's must
    /// be.
    Shed,
    /// Not sent: it would have been too old to be used.
    Late,
    /// Not sent: the network is closed.
    Closed,
}

/// Puts messages under one key.
pub trait Publisher: Send {
    /// The key.
    fn key(&self) -> &Key;

    /// Sends a message.
    ///
    /// A live publisher is never held up, by nobody and in no class: within [`PUT_WAIT_MAX`] it
    /// knows what happened. What a class waits for ([`crate::Congestion::Block`] and
    /// [`crate::Congestion::BlockFirst`]), the network waits for in its stead, behind a queue that
    /// is bounded and, when it is full, sheds. A lossless publisher's `put` may wait for
    /// [`LOSSLESS_PUT_WAIT_MAX`] where a lossless reader lags; see [`crate::Qos::put_wait_max`].
    fn put(&mut self, message: &EncodedMessage) -> PutOutcome;

    /// Whether somebody listens. The publisher's [`Wake`] is called when that changes.
    fn has_subscribers(&self) -> bool;

    /// Sends a message unless `now` is past `expiry`, both on the network's clock. A network that
    /// queues it drops it there too, once it is past its expiry.
    fn put_before(&mut self, message: &EncodedMessage, expiry: Stamp, now: Stamp) -> PutOutcome {
        if now > expiry {
            PutOutcome::Late
        } else {
            self.put(message)
        }
    }
}

/// Reads messages from a bounded ring that the network fills.
pub trait Subscriber: Send {
    /// The oldest message that waits.
    fn try_next(&mut self) -> Option<Received>;

    /// How many messages wait.
    fn waiting(&self) -> usize;

    /// How many messages the ring dropped because it was full, since the subscriber was made.
    fn dropped(&self) -> u64;
}

/// Answers queries for one key, always with the same message, until it is dropped.
pub trait Served: Send {
    /// The key.
    fn key(&self) -> &Key;
}

/// The answers to one query, from a bounded queue that the network fills; dropping it ends the
/// query.
pub trait Replies: Send {
    /// The oldest answer that waits.
    fn try_next(&mut self) -> Option<Received>;

    /// Whether [`Replies::try_next`] will give nothing more: everybody has answered or the time is
    /// up, and every answer was read.
    fn is_finished(&self) -> bool;

    /// How many answers came beyond the [`REPLIES_MAX`] that may wait.
    fn dropped(&self) -> u64;
}

/// Why there is no network, or no publisher or subscriber on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The network is closed.
    #[error("expected an open network, got one that is closed")]
    Closed,
    /// The network refuses the key.
    #[error("cannot declare {key}: {reason}")]
    Declare {
        /// The key or pattern.
        key: String,
        /// What the network says.
        reason: String,
    },
}

/// Where publishers and subscribers come from.
///
/// The contract, checked by [`crate::conformance`]:
/// - Messages of one publisher arrive whole and in the order in which they were put.
/// - Whoever subscribes gets the messages of the keys that the pattern matches and no others.
/// - A full ring drops its oldest message and counts it, or, where both sides asked for lossless
///   delivery, loses nothing.
/// - A publisher's last [`Qos::history`] messages are kept for as long as it lives. Whoever
///   subscribes later gets of each publisher the last ones, as many as both sides' history says,
///   once, and before any later message of the same publisher.
/// - A query gets one answer from each served key that its pattern matches, and it ends, at the
///   latest when its time is up.
/// - No code of a user's runs where the network receives, but for wakes.
pub trait Network: Send + Sync {
    /// Declares a publisher. `wake` is called when [`Publisher::has_subscribers`] may have changed.
    ///
    /// # Errors
    /// [`NetworkError`] when the network is closed or refuses.
    fn publisher(
        &self,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError>;

    /// Declares a subscriber. `wake` is called after each message that came.
    ///
    /// # Errors
    /// [`NetworkError`] when the network is closed or refuses.
    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError>;

    /// Answers every query whose pattern matches `key` with `message`, until what it returns is
    /// dropped.
    ///
    /// # Errors
    /// [`NetworkError`] when the network is closed or refuses.
    fn serve(&self, key: &Key, message: EncodedMessage) -> Result<Box<dyn Served>, NetworkError>;

    /// Asks whoever serves a key that `pattern` matches, this network's own served keys included.
    /// `wake` is called after each answer that came, and at the end.
    ///
    /// # Errors
    /// [`NetworkError`] when the network is closed or refuses.
    fn query(
        &self,
        pattern: &KeyPattern,
        timeout: Duration,
        wake: Wake,
    ) -> Result<Box<dyn Replies>, NetworkError>;

    /// What this side of the network dropped since it was made: at its publishers, in its
    /// subscribers' rings, and of what came and was no message.
    fn drops(&self) -> DropLedger;
}
