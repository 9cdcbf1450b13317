//! What a side's publishers, subscribers, servers and askers hold.

use std::sync::Arc;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::Stamp;

use super::Shared;
use super::state::call_all;
use crate::{
    Delivery, DropPlace, DropReason, Publisher, PutOutcome, Qos, Queued, Received, Replies,
    RingReader, Served, Subscriber,
};

pub(super) struct ImpairedPublisher {
    pub(super) network: Arc<Shared>,
    pub(super) side: usize,
    pub(super) number: u64,
    pub(super) key: Key,
    pub(super) qos: Qos,
}

impl ImpairedPublisher {
    /// A lossless publisher's message is shed, before anybody got it, where a lossless reader has
    /// no room; a live publisher is held up by nobody.
    fn put_until(&self, message: &EncodedMessage, expiry: Option<Stamp>) -> PutOutcome {
        let arrival = self.network.clock.now();
        let mut state = self.network.lock();
        if self.qos.delivery() == Delivery::Lossless && !state.has_room(&self.key) {
            return PutOutcome::Shed;
        }
        let received = Received {
            key: self.key.clone(),
            message: message.clone(),
            arrival,
        };
        let mut wakes = Vec::new();
        state.put(self.number, Queued { received, expiry }, &mut wakes);
        wakes.extend(state.pump(arrival));
        drop(state);
        call_all(&wakes);
        PutOutcome::Sent
    }
}

impl Publisher for ImpairedPublisher {
    fn key(&self) -> &Key {
        &self.key
    }

    fn put(&mut self, message: &EncodedMessage) -> PutOutcome {
        self.put_until(message, None)
    }

    fn has_subscribers(&self) -> bool {
        self.network.lock().is_heard(&self.key)
    }

    fn put_before(&mut self, message: &EncodedMessage, expiry: Stamp, now: Stamp) -> PutOutcome {
        if now <= expiry {
            return self.put_until(message, Some(expiry));
        }
        let reason = DropReason::too_old(self.qos.class().profile().age);
        let drops = self.network.lock().drops_of(self.side);
        drops.count(&self.key, DropPlace::Sender, reason);
        PutOutcome::Late
    }
}

impl Drop for ImpairedPublisher {
    fn drop(&mut self) {
        let wake = self.network.lock().remove_speaker(self.number);
        // It is a user's, and is let go of without the lock.
        drop(wake);
    }
}

pub(super) struct ImpairedSubscriber {
    pub(super) network: Arc<Shared>,
    pub(super) number: u64,
    pub(super) pattern: KeyPattern,
    pub(super) reader: RingReader,
}

impl Subscriber for ImpairedSubscriber {
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

impl Drop for ImpairedSubscriber {
    fn drop(&mut self) {
        let mut state = self.network.lock();
        let listener = state.remove_listener(self.number);
        let wakes = state.speakers_of(&self.pattern);
        drop(state);
        drop(listener);
        call_all(&wakes);
    }
}

pub(super) struct ImpairedServed {
    pub(super) network: Arc<Shared>,
    pub(super) number: u64,
    pub(super) key: Key,
}

impl Served for ImpairedServed {
    fn key(&self) -> &Key {
        &self.key
    }
}

impl Drop for ImpairedServed {
    fn drop(&mut self) {
        self.network.lock().remove_served(self.number);
    }
}

pub(super) struct ImpairedReplies {
    pub(super) network: Arc<Shared>,
    pub(super) number: u64,
}

impl Replies for ImpairedReplies {
    fn try_next(&mut self) -> Option<Received> {
        self.network.lock().next_answer(self.number)
    }

    fn is_finished(&self) -> bool {
        self.network.lock().is_answered(self.number)
    }

    fn dropped(&self) -> u64 {
        self.network.lock().dropped_answers(self.number)
    }
}

impl Drop for ImpairedReplies {
    fn drop(&mut self) {
        let wake = self.network.lock().remove_query(self.number);
        drop(wake);
    }
}
