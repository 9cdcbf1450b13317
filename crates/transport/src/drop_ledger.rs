//! Who dropped what, where and why.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sedge_oni::{Envelope, Key};
use sedge_spacetime::Stamp;

use crate::AgeRule;

/// How many keys a ledger tells apart; drops of further ones are only counted, see
/// [`DropLedger::unplaced`].
pub const DROP_KEYS_MAX: usize = 1024;

/// Where a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropPlace {
    /// At the publisher, before the network had it: nobody gets it.
    Sender,
    /// Between sender and reader. Only a link that is simulated or relayed by us can say so.
    Link,
    /// In the queue of one reader: others may have got it.
    Queue,
    /// By a reader that had it in hand.
    Reader,
}

impl DropPlace {
    /// Every place, in the order of a message's way.
    pub const ALL: [Self; 4] = [Self::Sender, Self::Link, Self::Queue, Self::Reader];

    /// What it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Link => "link",
            Self::Queue => "queue",
            Self::Reader => "reader",
        }
    }
}

/// Why a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It was past its lifespan.
    Expired,
    /// It was past its deadline.
    PastDeadline,
    /// A queue had no room for it.
    Full,
    /// The link could not keep up.
    Congested,
    /// The network or the reader was closed.
    Closed,
    /// It was no message within the limits.
    Malformed,
    /// The link lost it.
    Lost,
    /// The link was cut.
    Partition,
    /// A reader could not use it: another schema, another epoch, a duplicate.
    Refused,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Expired,
        Self::PastDeadline,
        Self::Full,
        Self::Congested,
        Self::Closed,
        Self::Malformed,
        Self::Lost,
        Self::Partition,
        Self::Refused,
    ];

    /// What it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::PastDeadline => "past-deadline",
            Self::Full => "full",
            Self::Congested => "congested",
            Self::Closed => "closed",
            Self::Malformed => "malformed",
            Self::Lost => "lost",
            Self::Partition => "partition",
            Self::Refused => "refused",
        }
    }

    /// Why a message that a class's age rule no longer admits is dropped.
    pub const fn too_old(rule: AgeRule) -> Self {
        match rule {
            AgeRule::Deadline => Self::PastDeadline,
            _ => Self::Expired,
        }
    }
}

impl fmt::Display for DropPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many messages of one key were dropped at one place for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRow {
    /// Whose message.
    pub key: Key,
    /// Where.
    pub place: DropPlace,
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub count: u64,
}

/// Counts dropped messages by key, place and reason.
///
/// A message that a sender did not send counts once; one that two readers' queues dropped counts
/// twice, because it was lost to two. What was tried again after
/// [`crate::PutOutcome::Shed`] counts each time, except for lossless publishers, whose waiting is
/// no loss. Memory is bounded by [`DROP_KEYS_MAX`] keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DropLedger {
    keys: BTreeMap<Key, BTreeMap<(DropPlace, DropReason), u64>>,
    unplaced: u64,
}

impl DropLedger {
    /// Nothing dropped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts `count` messages of `key`.
    pub fn add(&mut self, key: &Key, place: DropPlace, reason: DropReason, count: u64) {
        if count == 0 {
            return;
        }
        // Looked up before it is cloned: a drop on a busy path must not allocate.
        if let Some(counts) = self.keys.get_mut(key) {
            let sum = counts.entry((place, reason)).or_default();
            *sum = sum.saturating_add(count);
        } else if self.keys.len() < DROP_KEYS_MAX {
            let counts = BTreeMap::from([((place, reason), count)]);
            self.keys.insert(key.clone(), counts);
        } else {
            self.unplaced = self.unplaced.saturating_add(count);
        }
    }

    /// Counts what cannot be put under a key: it had none, or none that is one.
    pub fn add_unplaced(&mut self, count: u64) {
        self.unplaced = self.unplaced.saturating_add(count);
    }

    /// Adds everything that another ledger counted.
    pub fn merge(&mut self, other: &Self) {
        for row in other.rows() {
            self.add(&row.key, row.place, row.reason, row.count);
        }
        self.add_unplaced(other.unplaced);
    }

    /// Every count above zero, in the order of keys, places and reasons.
    pub fn rows(&self) -> impl Iterator<Item = DropRow> {
        self.keys.iter().flat_map(|(key, counts)| {
            counts.iter().map(|(&(place, reason), &count)| DropRow {
                key: key.clone(),
                place,
                reason,
                count,
            })
        })
    }

    /// How many messages of one key were dropped at one place for one reason.
    pub fn of(&self, key: &Key, place: DropPlace, reason: DropReason) -> u64 {
        let counts = self.keys.get(key);
        counts.map_or(0, |counts| {
            counts.get(&(place, reason)).copied().unwrap_or(0)
        })
    }

    /// How many messages were dropped at one place, whatever their key and reason.
    pub fn at(&self, place: DropPlace) -> u64 {
        self.sum_where(|at, _| at == place)
    }

    /// How many messages were dropped for one reason, whatever their key and place.
    pub fn because(&self, wanted: DropReason) -> u64 {
        self.sum_where(|_, reason| reason == wanted)
    }

    /// How many messages were dropped in all.
    pub fn total(&self) -> u64 {
        self.sum_where(|_, _| true).saturating_add(self.unplaced)
    }

    /// Messages of keys beyond [`DROP_KEYS_MAX`], or of no key.
    pub fn unplaced(&self) -> u64 {
        self.unplaced
    }

    fn sum_where(&self, wanted: impl Fn(DropPlace, DropReason) -> bool) -> u64 {
        let counts = self.keys.values().flatten();
        counts
            .filter(|((place, reason), _)| wanted(*place, *reason))
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// One ledger that many count into. Clones are the same ledger.
#[derive(Debug, Clone, Default)]
pub struct SharedDrops(Arc<Mutex<DropLedger>>);

impl SharedDrops {
    /// Nothing dropped.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, DropLedger> {
        // Counting leaves nothing half changed, so a poisoned lock is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one message.
    pub fn count(&self, key: &Key, place: DropPlace, reason: DropReason) {
        self.add(key, place, reason, 1);
    }

    /// Counts `count` messages.
    pub fn add(&self, key: &Key, place: DropPlace, reason: DropReason, count: u64) {
        self.lock().add(key, place, reason, count);
    }

    /// Counts a message that had no key.
    pub fn count_unplaced(&self) {
        self.lock().add_unplaced(1);
    }

    /// Whether a reader may still use a message of a class with this age rule at `now`, on the
    /// clock of the capture stamp; one that is too old is counted at [`DropPlace::Reader`].
    pub fn admit(&self, key: &Key, rule: AgeRule, envelope: &Envelope, now: Stamp) -> bool {
        let is_admitted = rule.admits(envelope, now);
        if !is_admitted {
            self.count(key, DropPlace::Reader, DropReason::too_old(rule));
        }
        is_admitted
    }

    /// What was counted so far.
    pub fn snapshot(&self) -> DropLedger {
        self.lock().clone()
    }
}

#[cfg(test)]
mod tests;
