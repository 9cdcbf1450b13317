//! Subscribers: a receiving thread checks sizes and enqueues; nothing else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sedge_oni::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_transport::{Delivery, Qos, Received, RingReader, RingWriter, Subscriber, Wake};
use zenoh::Wait as _;
use zenoh::sample::{Sample, SampleKind};
use zenoh::session::EntityGlobalId;
use zenoh_ext::{AdvancedSubscriber, AdvancedSubscriberBuilderExt as _, HistoryConfig};

use crate::backlog::Backlog;
use crate::history::HISTORY_WAIT;
use crate::payload;
use crate::session::{Declared, Shared};

/// What a receiving thread needs.
pub(crate) struct Intake {
    clock: Arc<dyn sedge_spacetime::Clock>,
    drops: sedge_transport::SharedDrops,
    refused: Arc<AtomicU64>,
    target: Target,
    /// The key that came last; most come again.
    last_key: Mutex<Option<Key>>,
    /// Which message of each publisher with a history came last. A session that is opened anew is
    /// given the history once more.
    last_sequences: Option<Mutex<HashMap<EntityGlobalId, u32>>>,
}

/// Publishers whose last message is remembered; of further ones a history may come twice.
const SEQUENCES_MAX: usize = 1024;

/// Where what came goes.
enum Target {
    /// Never waits: a full ring drops its oldest.
    Live(RingWriter),
    /// Never waits either: what the ring has no room for yet waits behind it.
    Lossless(Arc<Backlog>),
}

impl Intake {
    /// Runs on Zenoh's receiving thread, or on that of a publisher of the same session.
    fn receive(&self, sample: &Sample) {
        if !self.is_new(sample) {
            return;
        }
        let arrival = self.clock.now();
        let Some((key, message)) = self.message(sample) else {
            crate::session::refuse(&self.refused, &self.drops, sample.key_expr().as_str());
            return;
        };
        let received = Received {
            key,
            message,
            arrival,
        };
        match &self.target {
            // What the ring drops for it, the ring counts; a closed one has no reader.
            Target::Live(ring) => {
                ring.offer(received);
            }
            Target::Lossless(backlog) => backlog.push(received),
        }
    }

    fn is_new(&self, sample: &Sample) -> bool {
        let (Some(last), Some(source)) = (&self.last_sequences, sample.source_info()) else {
            return true;
        };
        let (id, sequence) = (source.source_id(), source.source_sn());
        let mut sequences = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = sequences.get_mut(id) {
            // They count up and begin again at 0; what is far ahead is behind.
            let is_new = sequence.wrapping_sub(*last).wrapping_sub(1) < u32::MAX / 2;
            if is_new {
                *last = sequence;
            }
            return is_new;
        }
        if sequences.len() < SEQUENCES_MAX {
            sequences.insert(*id, sequence);
        }
        true
    }

    /// The message in a sample; sizes are checked before anything is copied.
    fn message(&self, sample: &Sample) -> Option<(Key, EncodedMessage)> {
        let header = sample.attachment()?;
        let payload = sample.payload();
        let is_put = sample.kind() == SampleKind::Put;
        if !is_put || header.len() > HEADER_BYTES_MAX || payload.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        let key = self.key(sample.key_expr().as_str())?;
        Some((key, payload::received(header, payload)))
    }

    fn key(&self, text: &str) -> Option<Key> {
        let mut last = self.last_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = last.as_ref().filter(|key| key.as_str() == text) {
            return Some(key.clone());
        }
        let key = Key::parse(text).ok()?;
        *last = Some(key.clone());
        Some(key)
    }
}

/// A subscriber as its session knows it.
pub(crate) struct Listener {
    pattern: KeyPattern,
    qos: Qos,
    intake: Arc<Intake>,
    ear: Mutex<Option<Ear>>,
}

/// What a session gave a subscriber; undeclared when dropped.
enum Ear {
    Plain {
        _subscriber: zenoh::pubsub::Subscriber<()>,
    },
    WithHistory {
        _subscriber: AdvancedSubscriber<()>,
    },
}

impl Declared for Listener {
    fn declare(&self, session: &zenoh::Session) -> zenoh::Result<()> {
        let intake = Arc::clone(&self.intake);
        let plain = session
            .declare_subscriber(self.pattern.as_str().to_string())
            .callback(move |sample| intake.receive(&sample));
        let ear = if self.qos.history() == 0 {
            Ear::Plain {
                _subscriber: plain.wait()?,
            }
        } else {
            // Those that come back after an outage count as late: what they put meanwhile comes.
            let wanted = HistoryConfig::default()
                .max_samples(self.qos.history())
                .detect_late_publishers();
            let advanced = plain.history(wanted).query_timeout(HISTORY_WAIT);
            Ear::WithHistory {
                _subscriber: advanced.wait()?,
            }
        };
        *self.ear.lock().unwrap_or_else(PoisonError::into_inner) = Some(ear);
        Ok(())
    }

    fn release(&self) {
        let ear = self
            .ear
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(ear);
    }

    fn tick(&self) {
        if let Target::Lossless(backlog) = &self.intake.target {
            backlog.repeat_stops();
        }
    }
}

pub(crate) struct ZenohSubscriber {
    listener: Arc<Listener>,
    reader: RingReader,
}

impl ZenohSubscriber {
    pub(crate) fn new(shared: &Arc<Shared>, pattern: &KeyPattern, qos: Qos, wake: Wake) -> Self {
        let clock = Arc::clone(&shared.clock);
        let drops = shared.drops.clone();
        let (target, reader) = match qos.delivery() {
            Delivery::Live => {
                let (ring, reader) = sedge_transport::accounted_ring(qos, wake, clock, drops);
                (Target::Live(ring), reader)
            }
            Delivery::Lossless => {
                let (backlog, reader) = Backlog::new(shared, qos, wake);
                (Target::Lossless(backlog), reader)
            }
        };
        let intake = Intake {
            clock: Arc::clone(&shared.clock),
            drops: shared.drops.clone(),
            refused: Arc::clone(&shared.refused),
            target,
            last_key: Mutex::default(),
            last_sequences: (qos.history() > 0).then(Mutex::default),
        };
        let listener = Listener {
            pattern: pattern.clone(),
            qos,
            intake: Arc::new(intake),
            ear: Mutex::default(),
        };
        Self {
            listener: Arc::new(listener),
            reader,
        }
    }

    pub(crate) fn listener(&self) -> &Arc<Listener> {
        &self.listener
    }

    fn backlog(&self) -> Option<&Arc<Backlog>> {
        match &self.listener.intake.target {
            Target::Live(_) => None,
            Target::Lossless(backlog) => Some(backlog),
        }
    }
}

impl Subscriber for ZenohSubscriber {
    fn try_next(&mut self) -> Option<Received> {
        let next = self.reader.try_next();
        if let Some(backlog) = self.backlog() {
            backlog.fill_ring();
            return next.or_else(|| self.reader.try_next());
        }
        next
    }

    fn waiting(&self) -> usize {
        self.reader.waiting()
    }

    fn dropped(&self) -> u64 {
        let beyond = self.backlog().map_or(0, |backlog| backlog.dropped());
        self.reader.dropped() + beyond
    }
}

impl Drop for ZenohSubscriber {
    fn drop(&mut self) {
        self.reader.close();
        self.listener.release();
        if let Some(backlog) = self.backlog() {
            backlog.close();
        }
    }
}

/// How many samples were refused.
pub(crate) fn refused(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
