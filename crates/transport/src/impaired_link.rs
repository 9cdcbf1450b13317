//! One direction of a link that misbehaves, as a state machine.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sedge_spacetime::Stamp;

use crate::{DropReason, ImpairmentError, Impairments, LinkOrder, Loss, Rate};

/// How many messages may be under way on one link; what comes beyond is dropped as from a full
/// queue, so that a link with a delay of hours cannot take all memory.
pub const IN_FLIGHT_MAX: usize = 65_536;

/// A message that a link did not take, and why: [`DropReason::Partition`], [`DropReason::Full`] or
/// [`DropReason::Lost`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDrop<T> {
    /// The message.
    pub item: T,
    /// Why.
    pub reason: DropReason,
}

/// What became of everything that was offered to a link; `offered` is the sum of `taken`, `lost`,
/// `full` and `cut`, and what comes out is `taken` and `copied` together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Messages offered.
    pub offered: u64,
    /// Messages taken.
    pub taken: u64,
    /// Copies made.
    pub copied: u64,
    /// Messages held back for later ones to overtake.
    pub held_back: u64,
    /// Messages that the link lost.
    pub lost: u64,
    /// Messages that found no room.
    pub full: u64,
    /// Messages that came while the link was cut.
    pub cut: u64,
}

struct InFlight<T> {
    due: Stamp,
    /// Those due at one time come in this order.
    number: u64,
    item: T,
}

impl<T> InFlight<T> {
    fn rank(&self) -> (Stamp, u64) {
        (self.due, self.number)
    }
}

impl<T> PartialEq for InFlight<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl<T> Eq for InFlight<T> {}

impl<T> PartialOrd for InFlight<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for InFlight<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// What chance decides about one message. Each is drawn for every message, whether it is asked or
/// not, so that two runs of one seed that differ in one impairment differ in nothing else.
struct Draws {
    change: f64,
    loss: f64,
    jitter: f64,
    hold_back: f64,
    copy: f64,
    copy_jitter: f64,
}

impl Draws {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut draw = || rng.random::<f64>();
        Self {
            change: draw(),
            loss: draw(),
            jitter: draw(),
            hold_back: draw(),
            copy: draw(),
            copy_jitter: draw(),
        }
    }
}

/// One direction of a link, without I/O: it is told the time and what comes in, and says what comes
/// out when. The same seed, times and messages give the same result.
///
/// Whatever is dropped is dropped, and given back, by [`ImpairedLink::offer`]; what was taken comes
/// out.
pub struct ImpairedLink<T> {
    impairments: Impairments,
    start: Stamp,
    rng: ChaCha8Rng,
    /// Cut by hand, whatever the partitions say.
    is_cut: bool,
    /// The bad state of [`Loss::Bursts`].
    is_bad: bool,
    /// End and size of each transmission that waits for the rate or is under way.
    waiting: VecDeque<(Stamp, u64)>,
    waiting_bytes: u64,
    /// No message of a link that keeps order is due before this.
    newest_due: Stamp,
    n_offered: u64,
    in_flight: BinaryHeap<Reverse<InFlight<T>>>,
    counts: LinkCounts,
}

impl<T: Clone> ImpairedLink<T> {
    /// A link whose partitions count from `start`.
    ///
    /// # Errors
    /// [`ImpairmentError`] where the impairments cannot be used.
    pub fn new(seed: u64, start: Stamp, impairments: Impairments) -> Result<Self, ImpairmentError> {
        impairments.check()?;
        Ok(Self {
            impairments,
            start,
            rng: ChaCha8Rng::seed_from_u64(seed),
            is_cut: false,
            is_bad: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            newest_due: start,
            n_offered: 0,
            in_flight: BinaryHeap::new(),
            counts: LinkCounts::default(),
        })
    }

    /// Changes what the link does to what is offered from now on; what is under way stays so.
    ///
    /// # Errors
    /// [`ImpairmentError`] where the impairments cannot be used; the old ones stay.
    pub fn set_impairments(&mut self, impairments: Impairments) -> Result<(), ImpairmentError> {
        impairments.check()?;
        self.impairments = impairments;
        self.is_bad = false;
        Ok(())
    }

    /// What the link does.
    pub fn impairments(&self) -> &Impairments {
        &self.impairments
    }

    /// Cuts the link until it is healed, beside whatever its partitions say.
    pub fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Takes back what [`ImpairedLink::cut`] did.
    pub fn heal(&mut self) {
        self.is_cut = false;
    }

    /// Whether the link is cut now.
    pub fn is_cut(&self, now: Stamp) -> bool {
        self.is_cut || self.impairments.is_cut_at(now.saturating_since(self.start))
    }

    /// Offers a message of `n_bytes`; how many copies of it will come out, 1 or 2.
    ///
    /// # Errors
    /// [`LinkDrop`] with the message, where the link did not take it.
    pub fn offer(&mut self, now: Stamp, item: T, n_bytes: u64) -> Result<u32, LinkDrop<T>> {
        let draws = Draws::new(&mut self.rng);
        self.counts.offered += 1;
        if self.is_cut(now) {
            self.counts.cut += 1;
            let reason = DropReason::Partition;
            return Err(LinkDrop { item, reason });
        }
        if !self.has_room(now, n_bytes) {
            self.counts.full += 1;
            let reason = DropReason::Full;
            return Err(LinkDrop { item, reason });
        }
        let sent = self.transmit(now, n_bytes);
        if self.loses(&draws) {
            self.counts.lost += 1;
            let reason = DropReason::Lost;
            return Err(LinkDrop { item, reason });
        }
        self.counts.taken += 1;
        let due = self.due(sent, &draws);
        let is_copied = draws.copy < self.impairments.duplication;
        if is_copied {
            let late = self.impairments.jitter.mul_f64(draws.copy_jitter);
            self.put(due + late, item.clone());
            self.counts.copied += 1;
        }
        self.put(due, item);
        Ok(1 + u32::from(is_copied))
    }

    /// When the next message comes out.
    pub fn next_due(&self) -> Option<Stamp> {
        self.in_flight.peek().map(|Reverse(next)| next.due)
    }

    /// The next message that is due by `now`, and when it was.
    pub fn pop_due(&mut self, now: Stamp) -> Option<(Stamp, T)> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(next) = self.in_flight.pop()?;
        Some((next.due, next.item))
    }

    /// How many messages are under way, copies included.
    pub fn n_in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// How many bytes wait for the link's rate, or are being sent.
    pub fn waiting_bytes(&mut self, now: Stamp) -> u64 {
        while let Some((_, n_bytes)) = self.waiting.pop_front_if(|(sent, _)| *sent <= now) {
            self.waiting_bytes -= n_bytes;
        }
        self.waiting_bytes
    }

    /// Whether the queue has room for a message of `n_bytes`.
    pub fn has_room(&mut self, now: Stamp, n_bytes: u64) -> bool {
        let waiting_bytes = self.waiting_bytes(now);
        let queue = self.impairments.queue;
        let fits = self.waiting.is_empty()
            || (self.waiting.len() < queue.items_max
                && waiting_bytes.saturating_add(n_bytes) <= queue.bytes_max);
        fits && self.in_flight.len() + 2 <= IN_FLIGHT_MAX
    }

    /// What became of everything that was offered.
    pub fn counts(&self) -> LinkCounts {
        self.counts
    }

    /// When a message that is offered now has left the queue.
    fn transmit(&mut self, now: Stamp, n_bytes: u64) -> Stamp {
        let Some(Rate { bytes_per_sec }) = self.impairments.rate else {
            return now;
        };
        let begins = self.waiting.back().map_or(now, |(sent, _)| *sent).max(now);
        let nanos = u128::from(n_bytes) * 1_000_000_000 / u128::from(bytes_per_sec.max(1));
        let sent = begins + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.waiting.push_back((sent, n_bytes));
        self.waiting_bytes += n_bytes;
        sent
    }

    fn loses(&mut self, draws: &Draws) -> bool {
        match self.impairments.loss {
            Loss::None => false,
            Loss::Independent { probability } => draws.loss < probability,
            Loss::Bursts {
                fail,
                recover,
                loss_good,
                loss_bad,
            } => {
                let change = if self.is_bad { recover } else { fail };
                self.is_bad ^= draws.change < change;
                draws.loss < if self.is_bad { loss_bad } else { loss_good }
            }
        }
    }

    fn due(&mut self, sent: Stamp, draws: &Draws) -> Stamp {
        let impairments = &self.impairments;
        let due = sent + impairments.delay + impairments.jitter.mul_f64(draws.jitter);
        if draws.hold_back < impairments.reordering.probability {
            self.counts.held_back += 1;
            return due + impairments.reordering.by;
        }
        if impairments.order == LinkOrder::Free {
            return due;
        }
        self.newest_due = self.newest_due.max(due);
        self.newest_due
    }

    fn put(&mut self, due: Stamp, item: T) {
        let number = self.n_offered;
        self.n_offered += 1;
        self.in_flight.push(Reverse(InFlight { due, number, item }));
    }
}

#[cfg(test)]
mod tests;
