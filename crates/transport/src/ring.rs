//! The bounded ring between a network and a reader.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sedge_oni::Key;
use sedge_spacetime::{Clock, Stamp};

use crate::{Delivery, DropPlace, DropReason, Qos, Received, SharedDrops, Subscriber, Wake};

/// A message on its way through a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// What came.
    pub received: Received,
    /// The last time at which the reader may have it, on the ring's clock; `None` where that is
    /// not known or there is no limit.
    pub expiry: Option<Stamp>,
}

/// Without a limit.
impl From<Received> for Queued {
    fn from(received: Received) -> Self {
        Self {
            received,
            expiry: None,
        }
    }
}

struct State {
    queue: VecDeque<Queued>,
    /// How many of them can expire.
    n_limited: usize,
    dropped: u64,
    is_closed: bool,
}

struct Shared {
    state: Mutex<State>,
    qos: Qos,
    wake: Wake,
    clock: Arc<dyn Clock>,
    drops: SharedDrops,
}

impl State {
    fn push(&mut self, queued: Queued) {
        self.n_limited += usize::from(queued.expiry.is_some());
        self.queue.push_back(queued);
    }

    fn pop(&mut self) -> Option<Queued> {
        let queued = self.queue.pop_front()?;
        self.n_limited -= usize::from(queued.expiry.is_some());
        Some(queued)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_expired(&self, queued: &Queued) -> bool {
        // The clock is only asked where there is something to compare.
        queued
            .expiry
            .is_some_and(|expiry| self.clock.now() > expiry)
    }

    fn count(&self, queued: &Queued, reason: DropReason) {
        let key = &queued.received.key;
        self.drops.count(key, DropPlace::Queue, reason);
    }

    /// Drops what is past its expiry.
    fn drop_expired(&self, state: &mut State) {
        if state.n_limited == 0 {
            return;
        }
        let n_before = state.queue.len();
        state.queue.retain(|queued| {
            let is_expired = self.is_expired(queued);
            if is_expired {
                self.count(queued, self.too_old());
            }
            !is_expired
        });
        state.n_limited -= n_before - state.queue.len();
    }

    fn too_old(&self) -> DropReason {
        DropReason::too_old(self.qos.class().profile().age)
    }

    /// Whether there is no room, after what is past its expiry was dropped.
    fn is_full(&self, state: &mut State) -> bool {
        if state.queue.len() >= self.qos.depth() {
            self.drop_expired(state);
        }
        state.queue.len() >= self.qos.depth()
    }

    fn is_lossless(&self) -> bool {
        self.qos.delivery() == Delivery::Lossless
    }
}

/// What became of a message that was offered to a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It waits for the reader.
    Kept,
    /// It waits for the reader, and the oldest message was dropped for it.
    KeptForOldest,
    /// It was past its expiry when it came: dropped, and counted.
    Expired,
    /// The ring is full and drops nothing: it was not taken.
    Full,
    /// The reader is gone.
    Closed,
}

impl Offer {
    /// Whether the message waits for the reader.
    pub const fn is_kept(self) -> bool {
        matches!(self, Self::Kept | Self::KeptForOldest)
    }
}

/// The network's end of a ring.
#[derive(Clone)]
pub struct RingWriter(Arc<Shared>);

/// The reader's end of a ring; dropping it closes the ring.
pub struct RingReader(Arc<Shared>);

/// A ring of the stream's depth.
///
/// When it is full, what is past its expiry goes first; then a live ring drops its oldest message,
/// and a lossless one takes no more. What expires while it waits is dropped when the reader comes
/// to it. Everything that was dropped is in `drops`, as are the messages that still wait when the
/// reader goes. `wake` is called after each message that it takes.
pub fn accounted_ring(
    qos: Qos,
    wake: Wake,
    clock: Arc<dyn Clock>,
    drops: SharedDrops,
) -> (RingWriter, RingReader) {
    let state = State {
        queue: VecDeque::new(),
        n_limited: 0,
        dropped: 0,
        is_closed: false,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        qos,
        wake,
        clock,
        drops,
    });
    (RingWriter(Arc::clone(&shared)), RingReader(shared))
}

impl RingWriter {
    /// Hands a message to the reader; never waits.
    pub fn offer(&self, message: impl Into<Queued>) -> Offer {
        let offer = self.offer_quietly(message.into());
        if offer.is_kept() {
            (self.0.wake)();
        }
        offer
    }

    /// As [`RingWriter::offer`], but whoever calls it says later that something came: for networks
    /// that must not call a wake under a lock of theirs.
    pub(crate) fn offer_quietly(&self, message: Queued) -> Offer {
        let mut state = self.0.lock();
        if self.0.is_lossless() && !state.is_closed && self.0.is_full(&mut state) {
            return Offer::Full;
        }
        self.push(state, message)
    }

    /// What to call then.
    pub(crate) fn waker(&self) -> Wake {
        Arc::clone(&self.0.wake)
    }

    fn push(&self, mut state: MutexGuard<'_, State>, message: Queued) -> Offer {
        if state.is_closed {
            return Offer::Closed;
        }
        if self.0.is_expired(&message) {
            self.0.count(&message, self.0.too_old());
            return Offer::Expired;
        }
        let mut offer = Offer::Kept;
        if self.0.is_full(&mut state) {
            if let Some(oldest) = state.pop() {
                self.0.count(&oldest, DropReason::Full);
            }
            state.dropped += 1;
            offer = Offer::KeptForOldest;
        }
        state.push(message);
        offer
    }

    /// How many messages would be taken now; without end by a live ring or a closed one.
    pub(crate) fn room(&self) -> usize {
        let mut state = self.0.lock();
        if !self.0.is_lossless() || state.is_closed {
            return usize::MAX;
        }
        self.0.drop_expired(&mut state);
        self.0.qos.depth().saturating_sub(state.queue.len())
    }

    /// Counts a message that the reader loses because its full ring drops nothing, and that is not
    /// offered again.
    pub(crate) fn refuse(&self, key: &Key) {
        self.0.lock().dropped += 1;
        let drops = &self.0.drops;
        drops.count(key, DropPlace::Queue, DropReason::Full);
    }

    /// What the reader asked for.
    pub(crate) fn qos(&self) -> Qos {
        self.0.qos
    }
}

impl Subscriber for RingReader {
    fn try_next(&mut self) -> Option<Received> {
        let mut state = self.0.lock();
        while let Some(queued) = state.pop() {
            if !self.0.is_expired(&queued) {
                return Some(queued.received);
            }
            self.0.count(&queued, self.0.too_old());
        }
        None
    }

    fn waiting(&self) -> usize {
        self.0.lock().queue.len()
    }

    fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }
}

impl RingReader {
    /// Takes no more messages; those in it can be read.
    pub fn close(&self) {
        self.0.lock().is_closed = true;
    }
}

impl Drop for RingReader {
    fn drop(&mut self) {
        self.close();
        let mut state = self.0.lock();
        state.n_limited = 0;
        let unread = std::mem::take(&mut state.queue);
        drop(state);
        for queued in &unread {
            self.0.count(queued, DropReason::Closed);
        }
    }
}

#[cfg(test)]
mod tests;
