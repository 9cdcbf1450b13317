//! The network within one process: bounded, and a function of what is put into it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::{Clock, Stamp};

use crate::history::History;
use crate::{
    Delivery, DropLedger, DropPlace, DropReason, Network, NetworkError, Offer, Publisher,
    PutOutcome, Qos, Queued, REPLIES_MAX, Received, Replies, RingReader, RingWriter, Served,
    SharedDrops, Subscriber, Wake, accounted_ring,
};

struct Listener {
    pattern: KeyPattern,
    ring: RingWriter,
}

struct Speaker {
    key: Key,
    wake: Wake,
    history: History,
}

/// Whatever publishes, subscribes or answers has a number; these count up and never come again.
#[derive(Default)]
struct State {
    n_declared: u64,
    listeners: BTreeMap<u64, Listener>,
    speakers: BTreeMap<u64, Speaker>,
    served: BTreeMap<u64, Received>,
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.n_declared += 1;
        self.n_declared
    }

    /// The wakes of the publishers that a pattern matches, to be called without the lock.
    fn speakers_of(&self, pattern: &KeyPattern) -> Vec<Wake> {
        let speakers = self.speakers.values();
        speakers
            .filter(|speaker| pattern.matches(&speaker.key))
            .map(|speaker| Arc::clone(&speaker.wake))
            .collect()
    }

    fn listeners_of(&self, key: &Key) -> impl Iterator<Item = &Listener> {
        let listeners = self.listeners.values();
        listeners.filter(|listener| listener.pattern.matches(key))
    }
}

struct Shared {
    clock: Arc<dyn Clock>,
    drops: SharedDrops,
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a message to a ring, and counts it where a ring that drops nothing has no room.
    fn offer(listener: &Listener, queued: Queued, wakes: &mut Vec<Wake>) {
        let ring = &listener.ring;
        // Cloned for the account before the ring takes it: rings account for all else themselves.
        let key = queued.received.key.clone();
        match ring.offer_quietly(queued) {
            Offer::Kept | Offer::KeptForOldest => wakes.push(ring.waker()),
            Offer::Full => ring.refuse(&key),
            Offer::Expired | Offer::Closed => {}
        }
    }

    /// Hands a subscriber what was put before it came, of each publisher the last ones.
    fn hand_over_history(state: &State, listener: &Listener) -> Vec<Wake> {
        let mut wakes = Vec::new();
        let speakers = state.speakers.values();
        for speaker in speakers.filter(|speaker| listener.pattern.matches(&speaker.key)) {
            for queued in speaker.history.last(listener.ring.qos()) {
                Self::offer(listener, queued.clone(), &mut wakes);
            }
        }
        wakes
    }
}

fn call_all(wakes: &[Wake]) {
    for wake in wakes {
        wake();
    }
}

/// A network whose messages arrive while they are put, in the order in which subscribers came.
/// Clones are the same network.
#[derive(Clone)]
pub struct InProcessNetwork(Arc<Shared>);

impl InProcessNetwork {
    /// Arrivals are stamped, and messages expire, by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            clock,
            drops: SharedDrops::new(),
            state: Mutex::default(),
        }))
    }
}

impl Network for InProcessNetwork {
    fn publisher(
        &self,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError> {
        let mut state = self.0.lock();
        let number = state.next_number();
        let speaker = Speaker {
            key: key.clone(),
            wake,
            history: History::new(qos),
        };
        state.speakers.insert(number, speaker);
        drop(state);
        Ok(Box::new(InProcessPublisher {
            network: Arc::clone(&self.0),
            number,
            key: key.clone(),
            qos,
            wakes: Vec::new(),
        }))
    }

    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError> {
        let clock = Arc::clone(&self.0.clock);
        let (ring, reader) = accounted_ring(qos, wake, clock, self.0.drops.clone());
        let pattern = pattern.clone();
        let listener = Listener { pattern, ring };
        let mut state = self.0.lock();
        let mut wakes = Shared::hand_over_history(&state, &listener);
        wakes.extend(state.speakers_of(&listener.pattern));
        let subscriber = InProcessSubscriber {
            network: Arc::clone(&self.0),
            number: state.next_number(),
            pattern: listener.pattern.clone(),
            reader,
        };
        state.listeners.insert(subscriber.number, listener);
        drop(state);
        call_all(&wakes);
        Ok(Box::new(subscriber))
    }

    fn serve(&self, key: &Key, message: EncodedMessage) -> Result<Box<dyn Served>, NetworkError> {
        let mut state = self.0.lock();
        let number = state.next_number();
        let answer = Received {
            key: key.clone(),
            message,
            arrival: Stamp::ZERO,
        };
        state.served.insert(number, answer);
        drop(state);
        Ok(Box::new(InProcessServed {
            network: Arc::clone(&self.0),
            number,
            key: key.clone(),
        }))
    }

    /// Every answer is there when this returns, so that nothing is left to wait for.
    fn query(
        &self,
        pattern: &KeyPattern,
        _timeout: Duration,
        wake: Wake,
    ) -> Result<Box<dyn Replies>, NetworkError> {
        let arrival = self.0.clock.now();
        let mut answers = VecDeque::new();
        let mut dropped = 0;
        let state = self.0.lock();
        let served = state.served.values();
        for answer in served.filter(|answer| pattern.matches(&answer.key)) {
            if answers.len() == REPLIES_MAX {
                dropped += 1;
                continue;
            }
            answers.push_back(Received {
                arrival,
                ..answer.clone()
            });
        }
        drop(state);
        wake();
        Ok(Box::new(InProcessReplies { answers, dropped }))
    }

    fn drops(&self) -> DropLedger {
        self.0.drops.snapshot()
    }
}

struct InProcessPublisher {
    network: Arc<Shared>,
    number: u64,
    key: Key,
    qos: Qos,
    /// Of the readers of the message in hand; empty in between, and kept for its memory.
    wakes: Vec<Wake>,
}

impl InProcessPublisher {
    /// A lossless publisher's message is shed, before anybody got it, where a lossless ring is
    /// full; a live publisher is held up by nobody.
    fn put_until(&mut self, message: &EncodedMessage, expiry: Option<Stamp>) -> PutOutcome {
        let arrival = self.network.clock.now();
        let mut state = self.network.lock();
        // Readers only make room and the lock keeps other publishers out: what has room keeps it.
        let mut listeners = state.listeners_of(&self.key);
        if self.qos.delivery() == Delivery::Lossless
            && !listeners.all(|listener| listener.ring.room() > 0)
        {
            return PutOutcome::Shed;
        }
        drop(listeners);
        let queued = Queued {
            received: Received {
                key: self.key.clone(),
                message: message.clone(),
                arrival,
            },
            expiry,
        };
        for listener in state.listeners_of(&self.key) {
            Shared::offer(listener, queued.clone(), &mut self.wakes);
        }
        if let Some(speaker) = state.speakers.get_mut(&self.number) {
            speaker.history.keep(queued);
        }
        drop(state);
        for wake in self.wakes.drain(..) {
            wake();
        }
        PutOutcome::Sent
    }
}

impl Publisher for InProcessPublisher {
    fn key(&self) -> &Key {
        &self.key
    }

    fn put(&mut self, message: &EncodedMessage) -> PutOutcome {
        self.put_until(message, None)
    }

    fn has_subscribers(&self) -> bool {
        let state = self.network.lock();
        state.listeners_of(&self.key).next().is_some()
    }

    fn put_before(&mut self, message: &EncodedMessage, expiry: Stamp, now: Stamp) -> PutOutcome {
        if now <= expiry {
            return self.put_until(message, Some(expiry));
        }
        let reason = DropReason::too_old(self.qos.class().profile().age);
        self.network
            .drops
            .count(&self.key, DropPlace::Sender, reason);
        PutOutcome::Late
    }
}

impl Drop for InProcessPublisher {
    fn drop(&mut self) {
        let speaker = self.network.lock().speakers.remove(&self.number);
        // Its wake is a user's, and is let go of without the lock.
        drop(speaker);
    }
}

struct InProcessSubscriber {
    network: Arc<Shared>,
    number: u64,
    pattern: KeyPattern,
    reader: RingReader,
}

impl Subscriber for InProcessSubscriber {
    fn try_next(&mut self) -> Option<Received> {
        self.reader.try_next()
    }

    fn waiting(&self) -> usize {
        self.reader.waiting()
    }

    fn dropped(&self) -> u64 {
        self.reader.dropped()
    }
}

impl Drop for InProcessSubscriber {
    fn drop(&mut self) {
        let mut state = self.network.lock();
        let listener = state.listeners.remove(&self.number);
        let wakes = state.speakers_of(&self.pattern);
        drop(state);
        drop(listener);
        call_all(&wakes);
    }
}

struct InProcessServed {
    network: Arc<Shared>,
    number: u64,
    key: Key,
}

impl Served for InProcessServed {
    fn key(&self) -> &Key {
        &self.key
    }
}

impl Drop for InProcessServed {
    fn drop(&mut self) {
        let answer = self.network.lock().served.remove(&self.number);
        drop(answer);
    }
}

struct InProcessReplies {
    answers: VecDeque<Received>,
    dropped: u64,
}

impl Replies for InProcessReplies {
    fn try_next(&mut self) -> Option<Received> {
        self.answers.pop_front()
    }

    fn is_finished(&self) -> bool {
        self.answers.is_empty()
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests;
