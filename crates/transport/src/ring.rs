//! The bounded ring between a network and a reader.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{Delivery, Qos, Received, Subscriber, Wake};

struct State {
    queue: VecDeque<Received>,
    dropped: u64,
    is_closed: bool,
}

struct Shared {
    state: Mutex<State>,
    room: Condvar,
    depth: usize,
    delivery: Delivery,
    wake: Wake,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a message that was offered to a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It waits for the reader.
    Kept,
    /// It waits for the reader, and the oldest message was dropped for it.
    KeptForOldest,
    /// The ring is full and drops nothing: it was not taken.
    Full,
    /// The reader is gone.
    Closed,
}

/// The network's end of a ring.
#[derive(Clone)]
pub struct RingWriter(Arc<Shared>);

/// The reader's end of a ring; dropping it closes the ring.
pub struct RingReader(Arc<Shared>);

/// A ring of the stream's depth. A live one drops its oldest message when it is full; a lossless
/// one takes no more. `wake` is called after each message that it takes.
pub fn ring(qos: Qos, wake: Wake) -> (RingWriter, RingReader) {
    let state = State {
        queue: VecDeque::new(),
        dropped: 0,
        is_closed: false,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        room: Condvar::new(),
        depth: qos.depth(),
        delivery: qos.delivery(),
        wake,
    });
    (RingWriter(Arc::clone(&shared)), RingReader(shared))
}

impl RingWriter {
    /// Hands a message to the reader; never waits.
    pub fn offer(&self, received: Received) -> Offer {
        let state = self.0.lock();
        if state.queue.len() >= self.0.depth && self.0.delivery == Delivery::Lossless {
            return if state.is_closed {
                Offer::Closed
            } else {
                Offer::Full
            };
        }
        self.push(state, received)
    }

    /// Hands a message to the reader; a full lossless ring holds the caller until there is room
    /// or the reader is gone. Only for a network's own receiving thread.
    pub fn offer_or_wait(&self, received: Received) -> Offer {
        let mut state = self.0.lock();
        if self.0.delivery == Delivery::Lossless {
            let is_full = |state: &mut State| state.queue.len() >= self.0.depth && !state.is_closed;
            let waited = self.0.room.wait_while(state, is_full);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        self.push(state, received)
    }

    fn push(&self, mut state: MutexGuard<'_, State>, received: Received) -> Offer {
        if state.is_closed {
            return Offer::Closed;
        }
        let mut offer = Offer::Kept;
        if state.queue.len() >= self.0.depth {
            state.queue.pop_front();
            state.dropped += 1;
            offer = Offer::KeptForOldest;
        }
        state.queue.push_back(received);
        drop(state);
        (self.0.wake)();
        offer
    }

    /// Whether a message would be taken now.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.0.lock();
        self.0.delivery == Delivery::Live || state.queue.len() < self.0.depth || state.is_closed
    }

    /// Whether the reader is gone.
    pub fn is_closed(&self) -> bool {
        self.0.lock().is_closed
    }
}

impl Subscriber for RingReader {
    fn try_next(&mut self) -> Option<Received> {
        let next = self.0.lock().queue.pop_front();
        if next.is_some() {
            self.0.room.notify_one();
        }
        next
    }

    fn waiting(&self) -> usize {
        self.0.lock().queue.len()
    }

    fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }
}

impl RingReader {
    /// Takes no more messages and lets go of whoever waits for room; those in it can be read.
    pub fn close(&self) {
        self.0.lock().is_closed = true;
        self.0.room.notify_all();
    }
}

impl Drop for RingReader {
    fn drop(&mut self) {
        self.close();
    }
}
