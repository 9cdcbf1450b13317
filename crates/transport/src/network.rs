//! Publishers, subscribers and the network that makes them.

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::Stamp;

use crate::{Qos, Wake};

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

/// What became of a message that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message that was not sent is worth counting"]
pub enum PutOutcome {
    /// Handed to the network (or nobody listens).
    Sent,
    /// Not sent, to nobody: there was no room. It may be put again.
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

    /// Sends a message, at most for as long as the class's congestion rule waits; a class that
    /// drops never holds its caller up.
    fn put(&mut self, message: &EncodedMessage) -> PutOutcome;

    /// Whether somebody listens. The publisher's [`Wake`] is called when that changes.
    fn has_subscribers(&self) -> bool;

    /// Sends a message unless `now` is past `expiry`, both on the same clock.
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
/// The contract, checked by [`crate::conformance`]: messages of one publisher arrive whole and in
/// the order in which they were put; whoever subscribes gets the messages of the keys that the
/// pattern matches and no others; a full ring drops its oldest message and counts it, or, where
/// both sides asked for lossless delivery, loses nothing.
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
}
