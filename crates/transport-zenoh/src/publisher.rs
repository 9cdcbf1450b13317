//! Publishers: class of service to Zenoh's settings, message to sample.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key};
use sedge_spacetime::Stamp;
use sedge_transport::{
    Batching, Congestion, Delivery, DropPlace, DropReason, Priority, Publisher, PutOutcome, Qos,
    QosClass, Wake,
};
use zenoh::Wait as _;
use zenoh::qos::CongestionControl;
use zenoh::sample::SourceInfo;
use zenoh::session::EntityGlobalId;

use crate::gather::Gather;
use crate::history::{History, Kept};
use crate::lanes::{Job, Lane, LaneName, Refusal};
use crate::payload::Outgoing;
use crate::session::{Declared, Shared};

mod gathered;

/// A live message of more bytes would not fit into a link's queue at once, and be dropped even on
/// a link that is free: it waits in a lane.
const DIRECT_BYTES_MAX: usize = 8 * 64 * 1024;
/// How urgent such messages are to Zenoh.
const BULK: Priority = Priority::DataLow;

/// By which lane messages of a stream go to Zenoh, and how urgent they are to it then; `None`
/// where they are handed over by the caller itself.
///
/// Zenoh has one queue and one lock for each priority of a link. Whoever waits in a queue holds
/// its lock, and whoever would rather drop waits for the lock: what waits and what drops must
/// never be of the same priority.
fn lane_of(qos: Qos) -> Option<Priority> {
    if qos.delivery() == Delivery::Lossless {
        return Some(Priority::Background);
    }
    match qos.class() {
        QosClass::Command | QosClass::State | QosClass::Belief => None,
        QosClass::Safety => Some(Priority::RealTime),
        QosClass::Parameter => Some(Priority::InteractiveLow),
        QosClass::Image => Some(Priority::DataLow),
        QosClass::Model | QosClass::Log => Some(Priority::Background),
    }
}

/// A publisher as its session knows it; it outlives its handle while messages of it are queued.
pub(crate) struct Speaker {
    shared: Arc<Shared>,
    key: Key,
    qos: Qos,
    wake: Wake,
    /// `None` while there is no session.
    voice: Mutex<Option<Arc<Voice>>>,
    /// Under which name readers count its messages; the first session's, and kept for ever.
    identity: std::sync::OnceLock<EntityGlobalId>,
    next_sequence: AtomicU32,
    history: Option<Arc<History>>,
    /// What the session said last about whether somebody listens; it may be late.
    is_heard: Arc<AtomicBool>,
    /// Whether a message was too large to go by itself: then all later ones take the lane too, or
    /// they would overtake it.
    has_bulk: AtomicBool,
    /// Whether a reader asked to be spared; see [`crate::flow`].
    is_stopped: Arc<AtomicBool>,
    /// Small messages of a lossless stream on their way to a lane.
    gather: Gather,
    itself: Weak<Self>,
}

/// What a session gave a publisher.
struct Voice {
    session: zenoh::Session,
    publisher: zenoh::pubsub::Publisher<'static>,
    /// Keeps the history's answers declared.
    _cache: Option<crate::history::Cache>,
}

impl Speaker {
    fn voice(&self) -> Option<Arc<Voice>> {
        let voice = self.voice.lock().unwrap_or_else(PoisonError::into_inner);
        voice.clone()
    }

    fn source(&self, sequence: u32) -> Option<SourceInfo> {
        let identity = self.history.as_ref().and(self.identity.get())?;
        Some(SourceInfo::new(*identity, sequence))
    }

    /// A message's turn has come.
    fn hand_on(&self, sequence: u32) {
        if let Some(history) = &self.history {
            history.hand_on(sequence);
        }
    }

    /// Hands a message to Zenoh, as the session was told at the beginning.
    fn send(&self, voice: Option<&Voice>, message: &EncodedMessage, sequence: u32) -> bool {
        let Some(voice) = voice else {
            return false;
        };
        let Outgoing { header, payload } = self.shared.outgoing(message);
        let put = voice.publisher.put(payload).attachment(header);
        put.source_info(self.source(sequence)).wait().is_ok()
    }

    /// Hands a message to Zenoh that its publisher's priority has no room for.
    fn send_bulk(&self, message: &EncodedMessage, sequence: u32) -> bool {
        let Some(voice) = self.voice() else {
            return false;
        };
        let Outgoing { header, payload } = self.shared.outgoing(message);
        let put = voice.session.put(voice.publisher.key_expr(), payload);
        put.attachment(header)
            .source_info(self.source(sequence))
            .priority(priority(BULK))
            .congestion_control(CongestionControl::Block)
            .wait()
            .is_ok()
    }

    /// Whether a put waits for the link on its caller's thread. Not where a history is kept: its
    /// answers go through a lane, and must not be overtaken.
    fn waits_itself(&self) -> bool {
        self.qos.delivery() == Delivery::Lossless && self.history.is_none()
    }

    fn count(&self, reason: DropReason) {
        self.shared
            .drops
            .count(&self.key, DropPlace::Sender, reason);
    }

    fn too_old(&self) -> DropReason {
        DropReason::too_old(self.qos.class().profile().age)
    }

    /// Counts a message, and keeps it for whoever subscribes later; whether it has to be sent too.
    ///
    /// It is kept before it is sent, or whoever subscribes in between would miss it. It is not sent
    /// where nobody listens: on its way through a lane or a router it would meet somebody who
    /// subscribed after it was put, and come before what that one may have.
    fn keep(&self, message: &EncodedMessage, sequence: u32) -> bool {
        self.next_sequence
            .store(sequence.wrapping_add(1), Ordering::Relaxed);
        let is_heard = || self.is_heard.load(Ordering::Acquire) || self.has_subscribers();
        match &self.history {
            None => is_heard(),
            Some(history) => {
                let message = message.clone();
                history.keep(Kept { message, sequence }, is_heard)
            }
        }
    }

    /// A message that was kept is not sent after all, and may be put again.
    fn take_back(&self, sequence: u32) {
        self.next_sequence.store(sequence, Ordering::Relaxed);
        if let Some(history) = &self.history {
            history.take_back(sequence);
        }
    }

    fn has_subscribers(&self) -> bool {
        let Some(voice) = self.voice() else {
            return false;
        };
        let status = voice.publisher.matching_status().wait();
        status.is_ok_and(|status| status.matching())
    }

    /// Why a message that Zenoh did not take was not taken.
    fn why_not_taken(&self) -> (DropReason, PutOutcome) {
        if self.shared.is_closed() {
            (DropReason::Closed, PutOutcome::Closed)
        } else {
            // The session is being opened anew.
            (DropReason::Congested, PutOutcome::Shed)
        }
    }

    fn not_taken(&self) -> PutOutcome {
        let (reason, outcome) = self.why_not_taken();
        self.count(reason);
        outcome
    }
}

impl Declared for Speaker {
    fn declare(&self, session: &zenoh::Session) -> zenoh::Result<()> {
        let profile = self.qos.class().profile();
        let lane = lane_of(self.qos);
        let publisher = session
            .declare_publisher(self.key.as_str().to_string())
            .priority(priority(lane.unwrap_or(profile.priority)))
            .congestion_control(match lane {
                None => CongestionControl::Drop,
                // It is the lane's thread that waits.
                Some(_) => CongestionControl::Block,
            })
            .express(profile.batching == Batching::Express)
            .wait()?;
        let (wake, is_heard) = (Arc::clone(&self.wake), Arc::clone(&self.is_heard));
        publisher
            .matching_listener()
            .callback(move |status| {
                is_heard.store(status.matching(), Ordering::Release);
                wake();
            })
            .background()
            .wait()?;
        let identity = *self.identity.get_or_init(|| publisher.id());
        let cache = self.history.as_ref().map(|history| {
            let lanes = &self.shared.lanes;
            history.declare(session, &self.key, identity, lanes)
        });
        let voice = Voice {
            session: session.clone(),
            publisher,
            _cache: cache.transpose()?,
        };
        *self.voice.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(voice));
        (self.wake)();
        Ok(())
    }

    fn release(&self) {
        let voice = self
            .voice
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(voice);
        self.is_heard.store(false, Ordering::Release);
        (self.wake)();
    }

    fn tick(&self) {
        self.send_for_rest();
    }
}

/// A message in a lane.
struct Queued {
    speaker: Arc<Speaker>,
    message: EncodedMessage,
    sequence: u32,
    expiry: Option<Stamp>,
}

impl Job for Queued {
    fn len_bytes(&self) -> usize {
        self.message.len_bytes()
    }

    fn run(self: Box<Self>) {
        let speaker = &self.speaker;
        speaker.hand_on(self.sequence);
        let now = speaker.shared.clock.now();
        if self.expiry.is_some_and(|expiry| now > expiry) {
            speaker.count(speaker.too_old());
            return;
        }
        if !speaker.is_heard.load(Ordering::Acquire) && !speaker.has_subscribers() {
            // Somebody listened when it was put: the link or the reader is gone since.
            speaker.count(DropReason::Closed);
            return;
        }
        let is_sent = match lane_of(speaker.qos) {
            Some(_) => speaker.send(speaker.voice().as_deref(), &self.message, self.sequence),
            None => speaker.send_bulk(&self.message, self.sequence),
        };
        if !is_sent {
            speaker.count(speaker.why_not_taken().0);
        }
    }

    fn replaces(&self, waiting: &dyn Job) -> bool {
        let keeps_newest = self.speaker.qos.congestion() == Congestion::BlockFirst;
        keeps_newest && waiting.owner() == self.owner()
    }

    fn owner(&self) -> usize {
        Arc::as_ptr(&self.speaker).addr()
    }

    fn replaced(self: Box<Self>) {
        self.speaker.count(DropReason::Congested);
    }
}

pub(crate) struct ZenohPublisher {
    speaker: Arc<Speaker>,
    /// Of others than live ones found when it is first needed.
    lane: Option<Arc<Lane>>,
    /// The speaker's last one, which takes a lock to ask for.
    voice: Weak<Voice>,
}

impl ZenohPublisher {
    pub(crate) fn new(shared: &Arc<Shared>, key: &Key, qos: Qos, wake: Wake) -> Self {
        let history = qos.history();
        let speaker = |itself: &Weak<Speaker>| Speaker {
            shared: Arc::clone(shared),
            key: key.clone(),
            qos,
            wake,
            voice: Mutex::default(),
            identity: std::sync::OnceLock::new(),
            next_sequence: AtomicU32::new(0),
            history: (history > 0).then(|| Arc::new(History::new(history))),
            is_heard: Arc::default(),
            has_bulk: AtomicBool::new(false),
            is_stopped: shared.flow.publisher(key, qos),
            gather: Gather::default(),
            itself: Weak::clone(itself),
        };
        // Its thread starts here: that of the first put may be a loop's with real-time scheduling,
        // which threads inherit.
        let lane = lane_of(qos).filter(|_| qos.delivery() == Delivery::Live);
        Self {
            speaker: Arc::new_cyclic(speaker),
            lane: lane.and_then(|priority| shared.lanes.live(priority)),
            voice: Weak::new(),
        }
    }

    pub(crate) fn speaker(&self) -> &Arc<Speaker> {
        &self.speaker
    }

    /// What the session gave, while there is one; a session that was closed keeps none.
    fn voice(&mut self) -> Option<Arc<Voice>> {
        self.voice.upgrade().or_else(|| {
            let voice = self.speaker.voice()?;
            self.voice = Arc::downgrade(&voice);
            Some(voice)
        })
    }

    fn put_until(&mut self, message: &EncodedMessage, expiry: Option<Stamp>) -> PutOutcome {
        let speaker = &self.speaker;
        if speaker.shared.is_closed() {
            return speaker.not_taken();
        }
        if speaker.waits_itself() {
            return self.put_waiting(message, expiry);
        }
        if let Some(priority) = lane_of(speaker.qos) {
            return self.enqueue(message, expiry, priority);
        }
        let is_large =
            message.len_bytes() > DIRECT_BYTES_MAX && !speaker.shared.is_shareable(message);
        if is_large || speaker.has_bulk.load(Ordering::Relaxed) {
            speaker.has_bulk.store(true, Ordering::Relaxed);
            return self.enqueue(message, expiry, BULK);
        }
        let sequence = speaker.next_sequence.load(Ordering::Relaxed);
        if !speaker.keep(message, sequence) {
            return PutOutcome::Sent;
        }
        speaker.hand_on(sequence);
        let voice = self.voice();
        let speaker = &self.speaker;
        if speaker.send(voice.as_deref(), message, sequence) {
            PutOutcome::Sent
        } else {
            speaker.not_taken()
        }
    }

    /// A lossless publisher may wait for its link: a second thread would only cost time, but for
    /// small messages, which it sends together.
    fn put_waiting(&mut self, message: &EncodedMessage, expiry: Option<Stamp>) -> PutOutcome {
        let speaker = &self.speaker;
        let hold = speaker.qos.put_wait_max();
        if !speaker.shared.flow.wait(&speaker.is_stopped, hold) {
            return PutOutcome::Shed;
        }
        let voice = self.voice();
        let (speaker, voice) = (&self.speaker, voice.as_deref());
        let sequence = speaker.next_sequence.load(Ordering::Relaxed);
        if !speaker.keep(message, sequence) {
            return PutOutcome::Sent;
        }
        // What expires waits for no others.
        if voice.is_some() && expiry.is_none() && speaker.is_gathered(message) {
            return speaker.gather(message, hold);
        }
        if !speaker.gather.wait_until_empty(hold) {
            return PutOutcome::Shed;
        }
        if speaker.send(voice, message, sequence) {
            return PutOutcome::Sent;
        }
        match speaker.why_not_taken() {
            // Its waiting is no loss: it is put again.
            (_, PutOutcome::Shed) => PutOutcome::Shed,
            _ => speaker.not_taken(),
        }
    }

    fn enqueue(
        &mut self,
        message: &EncodedMessage,
        expiry: Option<Stamp>,
        priority: Priority,
    ) -> PutOutcome {
        let speaker = &self.speaker;
        let is_lossless = speaker.qos.delivery() == Delivery::Lossless;
        // A live one knows at once.
        let hold = if is_lossless {
            speaker.qos.put_wait_max()
        } else {
            Duration::ZERO
        };
        if is_lossless && !speaker.shared.flow.wait(&speaker.is_stopped, hold) {
            return PutOutcome::Shed;
        }
        if self.lane.is_none() {
            self.lane = speaker.shared.lanes.lane(LaneName {
                priority,
                is_lossless,
            });
        }
        let Some(lane) = &self.lane else {
            return speaker.not_taken();
        };
        let sequence = speaker.next_sequence.load(Ordering::Relaxed);
        if !speaker.keep(message, sequence) {
            return PutOutcome::Sent;
        }
        let job = Queued {
            speaker: Arc::clone(speaker),
            message: message.clone(),
            sequence,
            expiry,
        };
        let refusal = match lane.push(Box::new(job), hold) {
            Ok(()) => return PutOutcome::Sent,
            Err(refusal) => refusal,
        };
        speaker.take_back(sequence);
        match refusal {
            // Its waiting is no loss: it is put again.
            Refusal::Full if is_lossless => {}
            Refusal::Full => speaker.count(DropReason::Congested),
            Refusal::Closed => speaker.count(DropReason::Closed),
        }
        match refusal {
            Refusal::Full => PutOutcome::Shed,
            Refusal::Closed => PutOutcome::Closed,
        }
    }
}

impl Publisher for ZenohPublisher {
    fn key(&self) -> &Key {
        &self.speaker.key
    }

    /// Live commands, states and beliefs are handed to Zenoh at once, which waits at most 50
    /// microseconds for room on the link and does not say when there was none: the reader's loss
    /// ledger does. All others, and those of more than 512 KiB, are queued; a full queue sheds.
    fn put(&mut self, message: &EncodedMessage) -> PutOutcome {
        self.put_until(message, None)
    }

    fn put_before(&mut self, message: &EncodedMessage, expiry: Stamp, now: Stamp) -> PutOutcome {
        if now > expiry {
            self.speaker.count(self.speaker.too_old());
            return PutOutcome::Late;
        }
        self.put_until(message, Some(expiry))
    }

    fn has_subscribers(&self) -> bool {
        self.speaker.has_subscribers()
    }
}

fn priority(priority: Priority) -> zenoh::qos::Priority {
    match priority {
        Priority::RealTime => zenoh::qos::Priority::RealTime,
        Priority::InteractiveHigh => zenoh::qos::Priority::InteractiveHigh,
        Priority::InteractiveLow => zenoh::qos::Priority::InteractiveLow,
        Priority::DataHigh => zenoh::qos::Priority::DataHigh,
        Priority::Data => zenoh::qos::Priority::Data,
        Priority::DataLow => zenoh::qos::Priority::DataLow,
        Priority::Background => zenoh::qos::Priority::Background,
    }
}
