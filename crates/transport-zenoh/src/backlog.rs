//! What a lossless reader's ring has no room for yet.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sedge_oni::Key;
use sedge_transport::{
    DropPlace, DropReason, Offer, Qos, Received, RingReader, RingWriter, SharedDrops, Wake,
};

use crate::flow::Wish;
use crate::payload;
use crate::session::Shared;

/// With so many messages or bytes behind the ring, publishers are asked to stop ..
const STOP_MESSAGES: usize = 1024;
const STOP_BYTES: usize = 16 * 1024 * 1024;
/// .. and with three quarters of that they may go on.
const GO_QUARTERS: usize = 3;
/// What comes all the same, until they have heard it, has this much room; it covers what may be
/// in their queues, in a router's and in the sockets between.
const BYTES_MAX: usize = 128 * 1024 * 1024;
/// Whether a message's publisher can be asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It cannot: what it puts while the backlog is full is dropped.
    Live,
    /// It can.
    Lossless,
}

/// What a message may hold of a receive buffer beside its own bytes.
const BUFFER_BYTES: usize = 64 * 1024;

#[derive(Default)]
struct State {
    queue: VecDeque<Received>,
    n_bytes: usize,
    /// Whose publishers were asked to stop.
    stopped: BTreeSet<Key>,
    is_closed: bool,
}

impl State {
    fn is_high(&self) -> bool {
        self.queue.len() >= STOP_MESSAGES || self.n_bytes >= STOP_BYTES
    }

    fn is_low(&self) -> bool {
        self.queue.len() <= STOP_MESSAGES / 4 * GO_QUARTERS
            && self.n_bytes <= STOP_BYTES / 4 * GO_QUARTERS
    }
}

/// The messages behind a lossless ring, oldest first.
pub(crate) struct Backlog {
    /// Readers are told apart by it.
    number: u64,
    shared: Weak<Shared>,
    ring: RingWriter,
    state: Mutex<State>,
    /// Messages behind the ring, or just being put there, and publishers that were stopped: a
    /// reader that sees none has nothing to do. Set before the ring is offered anything, so that
    /// one that was refused by a full ring is seen by whoever makes room there.
    n_open: AtomicUsize,
    /// The ring took something, and the reader was not told yet.
    has_news: Arc<AtomicBool>,
    wake: Wake,
    drops: SharedDrops,
    dropped: AtomicU64,
}

impl Backlog {
    pub(crate) fn new(shared: &Arc<Shared>, qos: Qos, wake: Wake) -> (Arc<Self>, RingReader) {
        let has_news = Arc::new(AtomicBool::new(false));
        let news = Arc::clone(&has_news);
        // The reader is woken when no lock is held: it may read at once.
        let mark: Wake = Arc::new(move || news.store(true, Ordering::Release));
        let clock = Arc::clone(&shared.clock);
        let drops = shared.drops.clone();
        let (ring, reader) = sedge_transport::accounted_ring(qos, mark, clock, drops);
        let backlog = Self {
            number: shared.next_number(),
            shared: Arc::downgrade(shared),
            ring,
            state: Mutex::default(),
            n_open: AtomicUsize::new(0),
            has_news,
            wake,
            drops: shared.drops.clone(),
            dropped: AtomicU64::new(0),
        };
        (Arc::new(backlog), reader)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message from a receiving thread; never waits for the reader.
    pub(crate) fn push(&self, received: Received, source: Source) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        let n_bytes = held_bytes(&received);
        let is_full = match source {
            Source::Live => state.is_high(),
            Source::Lossless => state.n_bytes.saturating_add(n_bytes) > BYTES_MAX,
        };
        if is_full {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.drops
                .count(&received.key, DropPlace::Queue, DropReason::Full);
            return;
        }
        state.n_bytes += n_bytes;
        let mut to_stop = None;
        let is_high = source == Source::Lossless && state.is_high();
        if is_high && !state.stopped.contains(&received.key) {
            state.stopped.insert(received.key.clone());
            to_stop = Some(received.key.clone());
        }
        state.queue.push_back(received);
        self.note_open(&state);
        self.offer(&mut state);
        drop(state);
        if let Some(key) = to_stop {
            self.say(Wish::Stop, &key);
        }
        self.tell_reader();
    }

    /// Called by the reader, which has made room.
    pub(crate) fn fill_ring(&self) {
        if self.n_open.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut state = self.lock();
        self.offer(&mut state);
        let mut to_go = BTreeSet::new();
        if !state.stopped.is_empty() && state.is_low() {
            to_go = std::mem::take(&mut state.stopped);
            self.note_open(&state);
        }
        drop(state);
        for key in &to_go {
            self.say(Wish::Go, key);
        }
        self.tell_reader();
    }

    fn offer(&self, state: &mut State) {
        while let Some(oldest) = state.queue.front() {
            // A clone shares the payload, and a full ring does not give back what it is offered.
            if self.ring.offer(oldest.clone()) == Offer::Full {
                break;
            }
            state.n_bytes = state.n_bytes.saturating_sub(held_bytes(oldest));
            state.queue.pop_front();
        }
        self.note_open(state);
    }

    fn note_open(&self, state: &State) {
        let n_open = state.queue.len() + state.stopped.len();
        self.n_open.store(n_open, Ordering::Release);
    }

    fn tell_reader(&self) {
        if self.has_news.swap(false, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    fn say(&self, wish: Wish, key: &Key) {
        if let Some(shared) = self.shared.upgrade() {
            shared.say(wish, key, self.number);
        }
    }

    /// Says again whom it wants to stop, or they would go on.
    pub(crate) fn repeat_stops(&self) {
        let stopped: Vec<Key> = self.lock().stopped.iter().cloned().collect();
        for key in &stopped {
            self.say(Wish::Stop, key);
        }
    }

    /// How many messages it had no room for.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The reader is gone: nobody has to wait for it.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let unread = std::mem::take(&mut state.queue);
        let stopped = std::mem::take(&mut state.stopped);
        drop(state);
        for received in &unread {
            self.drops
                .count(&received.key, DropPlace::Queue, DropReason::Closed);
        }
        for key in &stopped {
            self.say(Wish::Go, key);
        }
    }
}

/// What a message holds of this process's memory. Shared memory is its sender's, and bounded there:
/// so small on the link, more of it would come before a stop is heard than there may be here.
fn held_bytes(received: &Received) -> usize {
    let message = &received.message;
    match message.buffer() {
        Some(buffer) if payload::is_shared(buffer) => message.header().len(),
        Some(_) => message.len_bytes() + BUFFER_BYTES,
        None => message.len_bytes(),
    }
}
