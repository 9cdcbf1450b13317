//! Subscribers: a receiving thread checks sizes and enqueues; nothing else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sedge_oni::{Key, KeyPattern};
use sedge_transport::{Delivery, Qos, Received, RingWriter, Subscriber, Wake};
use zenoh::Wait as _;
use zenoh::qos::CongestionControl;
use zenoh::sample::Sample;

use crate::backlog::{Backlog, BacklogReader, Source};
use crate::late::{LateJoiner, Watching};
use crate::parcel::{self, Parcel};
use crate::session::{Declared, Shared};

/// What a receiving thread needs.
pub(crate) struct Intake {
    clock: Arc<dyn sedge_spacetime::Clock>,
    drops: sedge_transport::SharedDrops,
    refused: Arc<AtomicU64>,
    target: Target,
    /// Of what came last for a ring; most come again.
    last_key: Mutex<Option<Key>>,
}

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
        let arrival = self.clock.now();
        let is_message = parcel::each_of(sample, arrival, |parcel| match &self.target {
            Target::Live(ring) => self.offer(ring, parcel),
            Target::Lossless(backlog) => backlog.push(parcel, source(sample)),
        });
        if !is_message {
            crate::session::refuse(&self.refused, &self.drops, sample.key_expr().as_str());
        }
    }

    /// What a ring drops for it, the ring counts; a closed one has no reader.
    fn offer(&self, ring: &RingWriter, parcel: &Parcel<'_>) -> bool {
        let Some(key) = self.key(parcel.key) else {
            return false;
        };
        ring.offer(Received {
            key,
            message: parcel.message(),
            arrival: parcel.arrival,
        });
        true
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

/// Lossless publishers have a priority of their own, and never drop; see `lane_of` of publishers.
fn source(sample: &Sample) -> Source {
    let is_patient = sample.congestion_control() == CongestionControl::Block;
    if is_patient && sample.priority() == zenoh::qos::Priority::Background {
        Source::Lossless
    } else {
        Source::Live
    }
}

/// A subscriber as its session knows it.
pub(crate) struct Listener {
    pattern: KeyPattern,
    intake: Arc<Intake>,
    /// Where a history is wanted.
    late: Option<Arc<LateJoiner>>,
    ear: Mutex<Option<Ear>>,
}

/// What a session gave a subscriber; undeclared when dropped.
struct Ear {
    _subscriber: zenoh::pubsub::Subscriber<()>,
    _late: Option<Watching>,
}

impl Declared for Listener {
    fn declare(&self, session: &zenoh::Session) -> zenoh::Result<()> {
        let pattern = self.pattern.as_str().to_string();
        let builder = session.declare_subscriber(pattern);
        let (subscriber, late) = match &self.late {
            None => {
                let intake = Arc::clone(&self.intake);
                let plain = builder.callback(move |sample| intake.receive(&sample));
                (plain.wait()?, None)
            }
            Some(joiner) => {
                let taker = Arc::clone(joiner);
                let subscriber = builder.callback(move |sample| taker.take(sample)).wait()?;
                // Those that come back after an outage are late too: what they put meanwhile comes.
                (subscriber, Some(joiner.declare(session)?))
            }
        };
        let ear = Ear {
            _subscriber: subscriber,
            _late: late,
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
    reader: Box<dyn Subscriber>,
}

impl ZenohSubscriber {
    pub(crate) fn new(shared: &Arc<Shared>, pattern: &KeyPattern, qos: Qos, wake: Wake) -> Self {
        let clock = Arc::clone(&shared.clock);
        let drops = shared.drops.clone();
        let (target, reader): (_, Box<dyn Subscriber>) = match qos.delivery() {
            Delivery::Live => {
                let (ring, reader) = sedge_transport::accounted_ring(qos, wake, clock, drops);
                (Target::Live(ring), Box::new(reader))
            }
            Delivery::Lossless => {
                let backlog = Backlog::new(shared, qos, wake);
                let reader = BacklogReader::new(&backlog);
                (Target::Lossless(backlog), Box::new(reader))
            }
        };
        let intake = Intake {
            clock: Arc::clone(&shared.clock),
            drops: shared.drops.clone(),
            refused: Arc::clone(&shared.refused),
            target,
            last_key: Mutex::default(),
        };
        let intake = Arc::new(intake);
        let late = (qos.history() > 0).then(|| {
            let intake = Arc::clone(&intake);
            let deliver = Box::new(move |sample: &Sample| intake.receive(sample));
            Arc::new(LateJoiner::new(shared, pattern, qos.history(), deliver))
        });
        let listener = Listener {
            pattern: pattern.clone(),
            intake,
            late,
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
}

impl Subscriber for ZenohSubscriber {
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

impl Drop for ZenohSubscriber {
    fn drop(&mut self) {
        self.listener.release();
    }
}

/// How many samples were refused.
pub(crate) fn refused(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
