//! The network within one process: bounded, and a function of what is put into it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::{Clock, Stamp};

use crate::history::History;
use crate::{
    Delivery, DropLedger, DropPlace, DropReason, Network, NetworkError, Publisher, PutOutcome, Qos,
    Queued, REPLIES_MAX, Received, Replies, RingReader, RingWriter, Served, SharedDrops,
    Subscriber, Wake, accounted_ring,
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

    /// Hands a subscriber what was put before it came, of each publisher the last ones.
    fn hand_over_history(&self, state: &State, listener: &Listener) {
        let speakers = state.speakers.values();
        for speaker in speakers.filter(|speaker| listener.pattern.matches(&speaker.key)) {
            for queued in speaker.history.last(listener.ring.qos()) {
                if listener.ring.offer_quietly(queued.clone()) == crate::Offer::Full {
                    let drops = &self.0.drops;
                    drops.count(&speaker.key, DropPlace::Queue, DropReason::Full);
                }
            }
        }
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
        self.hand_over_history(&state, &listener);
        let mut wakes = state.speakers_of(&listener.pattern);
        if reader.waiting() > 0 {
            wakes.push(listener.ring.waker());
        }
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
}

impl InProcessPublisher {
    /// Sheds, before anybody got the message, where a lossless ring is full.
    fn put_until(&self, message: &EncodedMessage, expiry: Option<Stamp>) -> PutOutcome {
        let arrival = self.network.clock.now();
        let mut state = self.network.lock();
        // Readers only make room and the lock keeps other publishers out: what has room keeps it.
        if !state
            .listeners_of(&self.key)
            .all(|listener| listener.ring.room() > 0)
        {
            // A lossless publisher tries again: that is flow control and no loss.
            if self.qos.delivery() == Delivery::Live {
                self.count(DropReason::Congested);
            }
            return PutOutcome::Shed;
        }
        let queued = Queued {
            received: Received {
                key: self.key.clone(),
                message: message.clone(),
                arrival,
            },
            expiry,
        };
        let wakes: Vec<Wake> = state
            .listeners_of(&self.key)
            .filter(|listener| listener.ring.offer_quietly(queued.clone()).is_kept())
            .map(|listener| listener.ring.waker())
            .collect();
        if let Some(speaker) = state.speakers.get_mut(&self.number) {
            speaker.history.keep(queued);
        }
        drop(state);
        call_all(&wakes);
        PutOutcome::Sent
    }

    fn count(&self, reason: DropReason) {
        let drops = &self.network.drops;
        drops.count(&self.key, DropPlace::Sender, reason);
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
        self.count(DropReason::too_old(self.qos.class().profile().age));
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
mod tests {
    use super::*;
    use sedge_spacetime::{ManualClock, Stamp};

    #[test]
    fn it_keeps_the_contract_of_networks() {
        crate::conformance::check_all(&mut || {
            let network = InProcessNetwork::new(Arc::new(ManualClock::new(Stamp::from_nanos(1))));
            (Box::new(network.clone()), Box::new(network))
        });
    }

    #[test]
    fn a_wake_may_read_from_the_ring_that_it_is_called_for() {
        let network = InProcessNetwork::new(Arc::new(ManualClock::default()));
        let key = Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let slot: Arc<Mutex<Option<Box<dyn Subscriber>>>> = Arc::default();
        let wake: Wake = {
            let (slot, seen) = (Arc::clone(&slot), Arc::clone(&seen));
            Arc::new(move || {
                if let Some(subscriber) = slot.lock().unwrap().as_mut() {
                    seen.lock().unwrap().extend(subscriber.try_next());
                }
            })
        };
        let qos = Qos::of(crate::QosClass::State);
        *slot.lock().unwrap() = Some(
            network
                .subscriber(&KeyPattern::from(&key), qos, wake)
                .unwrap(),
        );
        let mut publisher = network.publisher(&key, qos, crate::no_wake()).unwrap();
        let message = EncodedMessage::new(b"header", sedge_oni::AlignedBytes::default());
        assert_eq!(publisher.put(&message), PutOutcome::Sent);
        assert_eq!(seen.lock().unwrap().len(), 1);
        *slot.lock().unwrap() = None;
    }
}
