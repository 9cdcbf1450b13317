//! The network within one process: bounded, and a function of what is put into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::Clock;

use crate::ring::RingReader;
use crate::{
    Network, NetworkError, Publisher, PutOutcome, Qos, Received, RingWriter, Subscriber, Wake, ring,
};

struct Listener {
    pattern: KeyPattern,
    ring: RingWriter,
}

struct Speaker {
    key: Key,
    /// Dead when its publisher is gone.
    wake: std::sync::Weak<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    listeners: Vec<Listener>,
    speakers: Vec<Speaker>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wakes of the publishers that a pattern matches, to be called without the lock.
    fn speakers_of(state: &mut State, pattern: &KeyPattern) -> Vec<Wake> {
        state
            .speakers
            .retain(|speaker| speaker.wake.strong_count() > 0);
        let matching = state
            .speakers
            .iter()
            .filter(|speaker| pattern.matches(&speaker.key));
        matching
            .filter_map(|speaker| speaker.wake.upgrade())
            .collect()
    }
}

/// A network whose messages arrive while they are put, in the order in which subscribers came.
/// Clones are the same network.
#[derive(Clone)]
pub struct InProcessNetwork(Arc<Shared>);

impl InProcessNetwork {
    /// Arrivals are stamped with `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            clock,
            state: Mutex::default(),
        }))
    }
}

impl Network for InProcessNetwork {
    fn publisher(
        &self,
        key: &Key,
        _qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError> {
        let speaker = Speaker {
            key: key.clone(),
            wake: Arc::downgrade(&wake),
        };
        self.0.lock().speakers.push(speaker);
        let network = Arc::clone(&self.0);
        Ok(Box::new(InProcessPublisher {
            network,
            key: key.clone(),
            _wake: wake,
        }))
    }

    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError> {
        let (writer, reader) = ring(qos, wake);
        let mut state = self.0.lock();
        state.listeners.push(Listener {
            pattern: pattern.clone(),
            ring: writer,
        });
        let speakers = Shared::speakers_of(&mut state, pattern);
        drop(state);
        for wake in speakers {
            wake();
        }
        let network = Arc::clone(&self.0);
        Ok(Box::new(InProcessSubscriber {
            network,
            pattern: pattern.clone(),
            reader,
        }))
    }
}

struct InProcessPublisher {
    network: Arc<Shared>,
    key: Key,
    /// Keeps the network's weak one alive.
    _wake: Wake,
}

impl Publisher for InProcessPublisher {
    fn key(&self) -> &Key {
        &self.key
    }

    /// Sheds, before anybody got the message, where a lossless ring is full.
    fn put(&mut self, message: &EncodedMessage) -> PutOutcome {
        let arrival = self.network.clock.now();
        let state = self.network.lock();
        let listeners = || {
            state
                .listeners
                .iter()
                .filter(|l| l.pattern.matches(&self.key))
        };
        if !listeners().all(|listener| listener.ring.has_room()) {
            return PutOutcome::Shed;
        }
        for listener in listeners() {
            // There is room: the lock keeps other publishers out, and readers only make room.
            listener.ring.offer(Received {
                key: self.key.clone(),
                message: message.clone(),
                arrival,
            });
        }
        PutOutcome::Sent
    }

    fn has_subscribers(&self) -> bool {
        let state = self.network.lock();
        state
            .listeners
            .iter()
            .any(|listener| listener.pattern.matches(&self.key))
    }
}

struct InProcessSubscriber {
    network: Arc<Shared>,
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
        self.reader.close();
        let mut state = self.network.lock();
        state
            .listeners
            .retain(|listener| !listener.ring.is_closed());
        let speakers = Shared::speakers_of(&mut state, &self.pattern);
        drop(state);
        for wake in speakers {
            wake();
        }
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
