//! What was received, lost, duplicated and reordered, from epochs and sequence numbers.

use std::collections::BTreeMap;

use sedge_oni::{Key, Source};
use sedge_spacetime::AgentName;

/// How many streams a ledger tells apart; messages of further ones are only counted.
pub const STREAMS_MAX: usize = 1024;
/// How far behind the newest sequence number a message can still be told from a duplicate.
pub const WINDOW: u64 = 1024;

const WORD_BITS: u64 = u64::BITS as u64;
const N_WORDS: usize = (WINDOW / WORD_BITS) as usize;

/// What happened to the messages of a stream, as far as its reader can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LossCounts {
    /// Messages received, each counted once.
    pub received: u64,
    /// Messages that were sent since the first one received, and never came.
    pub lost: u64,
    /// Copies of messages that had already come.
    pub duplicated: u64,
    /// Messages among `received` that came after a later one.
    pub reordered: u64,
    /// New epochs of a sender that was known.
    pub restarts: u64,
    /// Messages that were sent before the first one received; the reader came late.
    pub missed_at_start: u64,
    /// Messages too far behind, or of an epoch before, to tell whether they are new.
    pub unplaced: u64,
}

impl LossCounts {
    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            received: self.received.saturating_add(other.received),
            lost: self.lost.saturating_add(other.lost),
            duplicated: self.duplicated.saturating_add(other.duplicated),
            reordered: self.reordered.saturating_add(other.reordered),
            restarts: self.restarts.saturating_add(other.restarts),
            missed_at_start: self.missed_at_start.saturating_add(other.missed_at_start),
            unplaced: self.unplaced.saturating_add(other.unplaced),
        }
    }
}

/// How a message stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The first of its stream.
    First,
    /// The next one.
    InOrder,
    /// Some before it are missing so far.
    AfterGap {
        /// How many.
        missing: u64,
    },
    /// It was missing until now.
    Reordered,
    /// It had already come.
    Duplicate,
    /// Its sender began anew.
    Restarted {
        /// How many of the new epoch are missing so far.
        missing: u64,
    },
    /// It is too old to tell.
    Unplaced,
    /// There are too many streams to tell.
    Untracked,
}

struct Stream {
    epoch: u64,
    /// The first sequence number received of the first epoch, 0 in later epochs.
    first: u64,
    newest: u64,
    /// Bit `n` of the window: whether `newest - n` came.
    seen: [u64; N_WORDS],
    counts: LossCounts,
}

impl Stream {
    fn new(source: &Source) -> Self {
        let first = source.sequence;
        let counts = LossCounts {
            received: 1,
            missed_at_start: first,
            ..LossCounts::default()
        };
        let mut stream = Self {
            epoch: source.epoch,
            first,
            newest: first,
            seen: [0; N_WORDS],
            counts,
        };
        stream.seen[0] = 1;
        stream
    }

    fn observe(&mut self, source: &Source) -> Arrival {
        if source.epoch < self.epoch {
            self.counts.unplaced += 1;
            return Arrival::Unplaced;
        }
        if source.epoch > self.epoch {
            return self.restart(source);
        }
        match source.sequence.checked_sub(self.newest) {
            Some(0) => self.duplicate(),
            Some(ahead) => self.advance(ahead),
            None => self.look_back(self.newest - source.sequence),
        }
    }

    fn restart(&mut self, source: &Source) -> Arrival {
        // Whoever was listening before the restart has lost what the new epoch sent before this.
        let missing = source.sequence;
        self.counts.restarts += 1;
        self.counts.received += 1;
        self.counts.lost = self.counts.lost.saturating_add(missing);
        (self.epoch, self.first, self.newest) = (source.epoch, 0, source.sequence);
        self.seen = [0; N_WORDS];
        self.seen[0] = 1;
        Arrival::Restarted { missing }
    }

    fn advance(&mut self, ahead: u64) -> Arrival {
        self.newest += ahead;
        self.shift(ahead);
        self.seen[0] |= 1;
        self.counts.received += 1;
        let missing = ahead - 1;
        self.counts.lost = self.counts.lost.saturating_add(missing);
        if missing == 0 {
            Arrival::InOrder
        } else {
            Arrival::AfterGap { missing }
        }
    }

    fn look_back(&mut self, behind: u64) -> Arrival {
        if behind >= WINDOW {
            self.counts.unplaced += 1;
            return Arrival::Unplaced;
        }
        let (word, bit) = ((behind / WORD_BITS) as usize, 1 << (behind % WORD_BITS));
        if self.seen[word] & bit != 0 {
            return self.duplicate();
        }
        self.seen[word] |= bit;
        self.counts.received += 1;
        self.counts.reordered += 1;
        let was_before_first = self.newest - behind < self.first;
        let missing = if was_before_first {
            &mut self.counts.missed_at_start
        } else {
            &mut self.counts.lost
        };
        *missing = missing.saturating_sub(1);
        Arrival::Reordered
    }

    fn duplicate(&mut self) -> Arrival {
        self.counts.duplicated += 1;
        Arrival::Duplicate
    }

    /// Moves the window `ahead`: what was `newest - n` is `newest - n - ahead` now.
    fn shift(&mut self, ahead: u64) {
        if ahead >= WINDOW {
            self.seen = [0; N_WORDS];
            return;
        }
        let (words, bits) = ((ahead / WORD_BITS) as usize, ahead % WORD_BITS);
        for idx in (0..N_WORDS).rev() {
            let at = |idx: Option<usize>| idx.map_or(0, |idx| self.seen[idx]);
            let low = at(idx.checked_sub(words));
            let lower = at(idx.checked_sub(words + 1));
            let carried = if bits == 0 {
                0
            } else {
                lower >> (WORD_BITS - bits)
            };
            self.seen[idx] = low << bits | carried;
        }
    }
}

/// Counts the messages of every stream that a reader has.
///
/// Memory is bounded by [`STREAMS_MAX`] streams of [`WINDOW`] bits.
#[derive(Default)]
pub struct LossLedger {
    streams: BTreeMap<(AgentName, Key), Stream>,
    untracked: u64,
}

impl LossLedger {
    /// Nothing counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a message that came under `key`.
    pub fn observe(&mut self, key: &Key, source: &Source) -> Arrival {
        let stream = (source.agent.clone(), key.clone());
        if let Some(stream) = self.streams.get_mut(&stream) {
            return stream.observe(source);
        }
        if self.streams.len() == STREAMS_MAX {
            self.untracked += 1;
            return Arrival::Untracked;
        }
        self.streams.insert(stream, Stream::new(source));
        Arrival::First
    }

    /// The counts of one stream.
    pub fn of(&self, agent: &AgentName, key: &Key) -> Option<LossCounts> {
        self.streams
            .get(&(agent.clone(), key.clone()))
            .map(|stream| stream.counts)
    }

    /// The counts of every stream, in the order of agents and keys.
    pub fn streams(&self) -> impl Iterator<Item = (&AgentName, &Key, LossCounts)> {
        self.streams
            .iter()
            .map(|((agent, key), stream)| (agent, key, stream.counts))
    }

    /// The counts of all streams together.
    pub fn total(&self) -> LossCounts {
        self.streams
            .values()
            .fold(LossCounts::default(), |sum, each| sum.plus(each.counts))
    }

    /// Messages of streams beyond [`STREAMS_MAX`].
    pub fn untracked(&self) -> u64 {
        self.untracked
    }
}

#[cfg(test)]
mod tests;
