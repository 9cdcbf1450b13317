//! What a subscriber that comes late gets of what was put before, and in which order.
//!
//! It speaks what Zenoh's advanced subscribers and publishers speak, but is not one of those: they
//! count publishers without sequence numbers by the stamps of their sessions, across keys, and
//! drop what one priority lets overtake another; and they ask from the receiving thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sedge_oni::{Key, KeyPattern};
use sedge_transport::{DropPlace, DropReason};
use zenoh::Wait as _;
use zenoh::handlers::CallbackDrop;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::{ConsolidationMode, QueryTarget, Reply, ReplyKeyExpr};
use zenoh::sample::{Sample, SampleKind};

use crate::history::{HISTORY_WAIT, is_after};
use crate::lanes::Job;
use crate::session::Shared;

/// Publishers that are told apart; the histories of further ones may come twice, or late.
const SOURCES_MAX: usize = 1024;

/// A publisher: its first session and its number there.
type SourceId = ([u8; 16], u32);

#[derive(Default)]
struct Source {
    /// The last message that was handed on.
    last: Option<u32>,
    /// The last one that came by itself.
    last_live: Option<u32>,
    /// Those that came as answers, and may come by themselves too.
    answered: BTreeSet<u32>,
    /// Messages that came while older ones were asked for.
    held: BTreeMap<u32, Sample>,
}

#[derive(Default)]
struct State {
    /// Questions without an answer yet.
    n_asked: usize,
    sources: BTreeMap<SourceId, Source>,
}

/// How a sample came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Live,
    Answer,
}

impl Source {
    /// Takes note of a message that came; whether it is one that is lost now, because an answer
    /// overtook it on the link and readers get messages in order.
    fn note(&mut self, sequence: u32, origin: Origin, depth: usize) -> bool {
        if origin == Origin::Answer {
            self.answered.insert(sequence);
            if self.answered.len() > depth {
                self.answered.pop_first();
            }
            return false;
        }
        let is_late = self.last.is_some_and(|last| is_after(last, sequence));
        let is_new = self.last_live.is_none_or(|last| is_after(sequence, last));
        self.last_live = Some(sequence);
        is_late && is_new && !self.answered.contains(&sequence)
    }
}

/// Where samples go that are in order and no copies.
pub(crate) type Deliver = Box<dyn Fn(&Sample) + Send + Sync>;

/// Puts the histories of publishers before what they put later, and drops what comes twice.
pub(crate) struct LateJoiner {
    shared: Weak<Shared>,
    pattern: KeyPattern,
    depth: usize,
    state: Mutex<State>,
    deliver: Deliver,
}

/// What a session keeps declared for a late joiner.
pub(crate) struct Watching {
    _publishers: zenoh::pubsub::Subscriber<()>,
}

impl LateJoiner {
    /// Wants the last `depth` messages of each publisher.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        pattern: &KeyPattern,
        depth: usize,
        deliver: Deliver,
    ) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            pattern: pattern.clone(),
            depth,
            state: Mutex::default(),
            deliver,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample that came by itself. Runs on a receiving thread.
    pub(crate) fn take(&self, sample: Sample) {
        self.take_from(sample, Origin::Live);
    }

    fn take_from(&self, sample: Sample, origin: Origin) {
        let Some(info) = sample.source_info() else {
            (self.deliver)(&sample);
            return;
        };
        let id = (info.source_id().zid().to_le_bytes(), info.source_id().eid());
        let sequence = info.source_sn();
        let mut state = self.lock();
        if state.sources.len() >= SOURCES_MAX && !state.sources.contains_key(&id) {
            drop(state);
            (self.deliver)(&sample);
            return;
        }
        // Where one is wanted, the newest is the one.
        let is_asking = state.n_asked > 0 && self.depth > 1;
        let source = state.sources.entry(id).or_default();
        if source.note(sequence, origin, self.depth) {
            self.count_overtaken(sample.key_expr().as_str());
        }
        if source.last.is_some_and(|last| !is_after(sequence, last)) {
            return;
        }
        source.held.insert(sequence, sample);
        if source.last.is_some() || !is_asking {
            self.release(source, 0);
        } else {
            self.release(source, self.depth);
        }
    }

    /// Hands on what is held, oldest first, until `n_held_max` are left.
    fn release(&self, source: &mut Source, n_held_max: usize) {
        while source.held.len() > n_held_max {
            let Some((sequence, sample)) = source.held.pop_first() else {
                return;
            };
            source.last = Some(sequence);
            // Under the lock, or another thread's sample would come in between.
            (self.deliver)(&sample);
        }
    }

    fn count_overtaken(&self, key_expr: &str) {
        if let (Some(shared), Ok(key)) = (self.shared.upgrade(), Key::parse(key_expr)) {
            let reason = DropReason::Congested;
            shared.drops.count(&key, DropPlace::Queue, reason);
        }
    }

    fn end_of_answers(&self) {
        let mut state = self.lock();
        state.n_asked = state.n_asked.saturating_sub(1);
        if state.n_asked == 0 {
            for source in state.sources.values_mut() {
                self.release(source, 0);
            }
        }
    }

    /// Asks everybody who is there, and whoever comes later.
    pub(crate) fn declare(self: &Arc<Self>, session: &zenoh::Session) -> zenoh::Result<Watching> {
        let caches = format!("{}/@adv/pub/**", self.pattern);
        let joiner = Arc::downgrade(self);
        let publishers = session
            .liveliness()
            .declare_subscriber(caches.clone())
            .callback(move |token| {
                let joiner = joiner.upgrade();
                if let Some(joiner) = joiner.filter(|_| token.kind() == SampleKind::Put) {
                    joiner.ask_later(token.key_expr().to_string());
                }
            })
            .wait()?;
        self.lock().n_asked += 1;
        self.ask(session, &caches);
        Ok(Watching {
            _publishers: publishers,
        })
    }

    /// Has one publisher's cache asked: asking may wait for a link, and this is a receiving thread.
    fn ask_later(self: &Arc<Self>, cache: String) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        self.lock().n_asked += 1;
        let question = Question {
            joiner: Some(Arc::clone(self)),
            cache,
        };
        crate::served::answer_later(&shared.lanes, Box::new(question));
    }

    /// Asks the caches under a key; the question was counted.
    fn ask(self: &Arc<Self>, session: &zenoh::Session, caches: &str) {
        let (answered, ended) = (Arc::downgrade(self), EndOfAnswers(Arc::downgrade(self)));
        let handler = CallbackDrop {
            callback: move |reply: Reply| {
                if let (Some(joiner), Ok(sample)) = (answered.upgrade(), reply.into_result()) {
                    let key = Key::parse(sample.key_expr().as_str());
                    if key.is_ok_and(|key| joiner.pattern.matches(&key)) {
                        joiner.take_from(sample, Origin::Answer);
                    }
                }
            },
            drop: move || ended.tell(),
        };
        let asked = session
            .get(format!("{caches}?_max={}", self.depth))
            .target(QueryTarget::All)
            .consolidation(ConsolidationMode::None)
            .accept_replies(ReplyKeyExpr::Any)
            .timeout(HISTORY_WAIT)
            // Answers come with the same; where nothing drops, see `lane_of` of publishers.
            .priority(Priority::InteractiveLow)
            .congestion_control(CongestionControl::Block)
            .with(handler)
            .wait();
        if let Err(error) = asked {
            tracing::debug!(caches, %error, "history.ask");
        }
    }
}

/// Says that a question has got all its answers.
struct EndOfAnswers(Weak<LateJoiner>);

impl EndOfAnswers {
    fn tell(&self) {
        if let Some(joiner) = self.0.upgrade() {
            joiner.end_of_answers();
        }
    }
}

/// A question to one publisher's cache.
struct Question {
    /// Taken when it is asked.
    joiner: Option<Arc<LateJoiner>>,
    cache: String,
}

impl Job for Question {
    fn len_bytes(&self) -> usize {
        0
    }

    fn run(mut self: Box<Self>) {
        let shared = self
            .joiner
            .as_ref()
            .and_then(|joiner| joiner.shared.upgrade());
        if let Some(shared) = shared
            && let Some(joiner) = self.joiner.take()
        {
            joiner.ask(&shared.session(), &self.cache);
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // The lane had no room: it was counted and is not asked.
        if let Some(joiner) = &self.joiner {
            joiner.end_of_answers();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands a message on as [`LateJoiner::take_from`] does where one is wanted; whether it came
    /// too late.
    fn take(source: &mut Source, sequence: u32, origin: Origin) -> bool {
        let is_lost = source.note(sequence, origin, 1);
        if source.last.is_none_or(|last| is_after(sequence, last)) {
            source.last = Some(sequence);
        }
        is_lost
    }

    #[test]
    fn what_an_answer_overtakes_is_lost_and_what_comes_twice_is_not() {
        let mut source = Source::default();
        assert!(!take(&mut source, 1, Origin::Live));
        assert!(!take(&mut source, 4, Origin::Answer));
        assert!(take(&mut source, 2, Origin::Live));
        assert!(take(&mut source, 3, Origin::Live));
        assert!(!take(&mut source, 3, Origin::Live), "counted once");
        assert!(!take(&mut source, 4, Origin::Live));
        assert!(!take(&mut source, 3, Origin::Answer));
        assert!(!take(&mut source, 5, Origin::Live));
    }
}
