//! A lossless reader's ring, and what it has no room for yet.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sedge_oni::Key;
use sedge_transport::{DropPlace, DropReason, Qos, Received, SharedDrops, Subscriber, Wake};

use crate::flow::Wish;
use crate::parcel::Parcel;
use crate::session::Shared;

mod chunk;

use chunk::{Arriving, Chunk, LastKey, Line};

/// With so many messages or bytes behind the ring, publishers are asked to stop ..
const STOP_MESSAGES: usize = 1024;
const STOP_BYTES: usize = 16 * 1024 * 1024;
/// .. and with three quarters of that they may go on.
const GO_QUARTERS: usize = 3;
/// What comes all the same, until they have heard it, has this much room; it covers what may be
/// in their queues, in a router's and in the sockets between.
const BYTES_MAX: usize = 128 * 1024 * 1024;
/// Chunks that were read and wait to be filled again, 2 MiB: asking for as much memory anew takes
/// longer than filling it.
const SPARES_MAX: usize = 64;

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
    /// The oldest messages, no more than the stream is deep.
    ring: Line,
    behind: Line,
    /// Of the messages behind the ring.
    n_bytes: usize,
    last_key: Option<LastKey>,
    spare: Vec<Chunk>,
    /// Whose publishers were asked to stop.
    stopped: BTreeSet<Key>,
    is_closed: bool,
}

impl State {
    fn is_high(&self) -> bool {
        self.behind.len() >= STOP_MESSAGES || self.n_bytes >= STOP_BYTES
    }

    fn is_low(&self) -> bool {
        self.behind.len() <= STOP_MESSAGES / 4 * GO_QUARTERS
            && self.n_bytes <= STOP_BYTES / 4 * GO_QUARTERS
    }

    /// Takes note of the key of what came; of none where it is none.
    fn turn_to(&mut self, text: &str) {
        if !self.last_key.as_ref().is_some_and(|last| last.is(text)) {
            self.last_key = LastKey::parse(text);
        }
    }
}

/// The messages of a lossless reader, oldest first.
pub(crate) struct Backlog {
    /// Readers are told apart by it.
    number: u64,
    shared: Weak<Shared>,
    depth: usize,
    state: Mutex<State>,
    /// Whose publishers were told to stop. Locked by whoever speaks, and before the state: were two
    /// to speak at once, a stop that is over could be heard last.
    told: Mutex<BTreeSet<Key>>,
    wake: Wake,
    drops: SharedDrops,
    dropped: AtomicU64,
}

impl Backlog {
    pub(crate) fn new(shared: &Arc<Shared>, qos: Qos, wake: Wake) -> Arc<Self> {
        Arc::new(Self {
            number: shared.next_number(),
            shared: Arc::downgrade(shared),
            depth: qos.depth(),
            state: Mutex::default(),
            told: Mutex::default(),
            wake,
            drops: shared.drops.clone(),
            dropped: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message from a receiving thread; never waits for the reader. `false` where its key
    /// is none.
    pub(crate) fn push(&self, parcel: &Parcel<'_>, source: Source) -> bool {
        let apart = (!parcel.is_small()).then(|| parcel.message());
        let n_bytes = held_bytes(parcel);
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.is_closed {
            return true;
        }
        state.turn_to(parcel.key);
        let Some(key) = &state.last_key else {
            return false;
        };
        // What is behind goes first.
        let is_behind = state.behind.len() > 0 || state.ring.len() >= self.depth;
        let is_full = match source {
            Source::Live => state.is_high(),
            Source::Lossless => state.n_bytes.saturating_add(n_bytes) > BYTES_MAX,
        };
        if is_behind && is_full {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.drops
                .count(key.key(), DropPlace::Queue, DropReason::Full);
            return true;
        }
        let arriving = Arriving {
            parcel,
            key,
            apart,
            n_bytes,
            depth: self.depth,
        };
        let mut has_wishes = false;
        if is_behind {
            state.behind.push(&arriving, &mut state.spare);
            state.n_bytes += n_bytes;
            let is_high = source == Source::Lossless && state.is_high();
            if is_high && !state.stopped.contains(key.key()) {
                state.stopped.insert(key.key().clone());
                has_wishes = true;
            }
        } else {
            state.ring.push(&arriving, &mut state.spare);
        }
        drop(guard);
        if has_wishes {
            self.tell_publishers();
        }
        // The reader is woken when no lock is held: it may read at once.
        (self.wake)();
        true
    }

    /// Exchanges an empty ring for the one that fills: a lock for each message would cost more than
    /// the message. Chunks that were read are filled again.
    fn take_ring(&self, empty: &mut Line, spent: &mut Vec<Chunk>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        for chunk in spent.drain(..) {
            if state.spare.len() < SPARES_MAX {
                state.spare.extend(chunk.emptied());
            }
        }
        std::mem::swap(&mut state.ring, empty);
        let has_room = |ring: &Line, chunk: &Chunk| {
            let n_messages = ring.len() + chunk.len();
            ring.len() == 0 || n_messages <= self.depth
        };
        while let Some(oldest) = state.behind.first()
            && has_room(&state.ring, oldest)
            && let Some(oldest) = state.behind.pop_chunk()
        {
            state.n_bytes = state.n_bytes.saturating_sub(oldest.n_bytes);
            state.ring.push_chunk(oldest);
        }
        let has_wishes = !state.stopped.is_empty() && state.is_low();
        if has_wishes {
            state.stopped.clear();
        }
        drop(guard);
        if has_wishes {
            self.tell_publishers();
        }
    }

    fn told(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells publishers what is wished of them now, where that is not what they were told last.
    fn tell_publishers(&self) {
        let mut told = self.told();
        let stopped = self.lock().stopped.clone();
        for key in stopped.difference(&told) {
            self.say(Wish::Stop, key);
        }
        for key in told.difference(&stopped) {
            self.say(Wish::Go, key);
        }
        *told = stopped;
    }

    fn say(&self, wish: Wish, key: &Key) {
        if let Some(shared) = self.shared.upgrade() {
            shared.say(wish, key, self.number);
        }
    }

    /// Says again whom it wants to stop, or they would go on.
    pub(crate) fn repeat_stops(&self) {
        for key in self.told().iter() {
            self.say(Wish::Stop, key);
        }
    }

    /// The reader is gone: nobody has to wait for it.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let unread = [
            std::mem::take(&mut state.ring),
            std::mem::take(&mut state.behind),
        ];
        state.stopped.clear();
        drop(state);
        for key in unread.iter().flat_map(Line::unread) {
            self.count_unread(key);
        }
        self.tell_publishers();
    }

    fn count_unread(&self, key: &Key) {
        self.drops.count(key, DropPlace::Queue, DropReason::Closed);
    }
}

/// The reader's end: the ring that it took last, and the backlog.
pub(crate) struct BacklogReader {
    backlog: Arc<Backlog>,
    taken: Line,
    /// What it has read, to be filled again.
    spent: Vec<Chunk>,
}

impl BacklogReader {
    pub(crate) fn new(backlog: &Arc<Backlog>) -> Self {
        Self {
            backlog: Arc::clone(backlog),
            taken: Line::default(),
            spent: Vec::new(),
        }
    }
}

impl Subscriber for BacklogReader {
    fn try_next(&mut self) -> Option<Received> {
        if let Some(next) = self.taken.next(&mut self.spent) {
            return Some(next);
        }
        self.backlog.take_ring(&mut self.taken, &mut self.spent);
        self.taken.next(&mut self.spent)
    }

    fn waiting(&self) -> usize {
        self.taken.len() + self.backlog.lock().ring.len()
    }

    fn dropped(&self) -> u64 {
        self.backlog.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for BacklogReader {
    fn drop(&mut self) {
        self.backlog.close();
        for key in self.taken.unread() {
            self.backlog.count_unread(key);
        }
    }
}

/// What a message holds of this process's memory. Shared memory is its sender's, and bounded there:
/// so small on the link, more of it would come before a stop is heard than there may be here.
fn held_bytes(parcel: &Parcel<'_>) -> usize {
    if parcel.is_shared() {
        parcel.header.len()
    } else if parcel.is_small() {
        parcel.n_bytes
    } else {
        parcel.n_bytes + BUFFER_BYTES
    }
}
