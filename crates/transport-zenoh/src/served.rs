//! Answers to queries, given and asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_oni::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_transport::{DropPlace, DropReason, REPLIES_MAX, Received, Replies, Served, Wake};
use zenoh::Wait as _;
use zenoh::handlers::CallbackDrop;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::{ConsolidationMode, Query, QueryTarget, Queryable, Reply};

use crate::history::ANSWERS;
use crate::lanes::{Job, Lanes};
use crate::payload::{self, Outgoing};
use crate::session::{Declared, Shared};

/// Has a query answered by a lane's thread. What it has no room for ends without an answer.
pub(crate) fn answer_later(lanes: &Lanes, answer: Box<dyn Job>) {
    let taken = lanes
        .lane(ANSWERS)
        .map(|lane| lane.push(answer, Duration::ZERO));
    if !matches!(taken, Some(Ok(()))) {
        tracing::debug!("query.shed");
    }
}

/// A served message as its session knows it.
pub(crate) struct Answerer {
    shared: Arc<Shared>,
    fixed: Arc<Fixed>,
    declared: Mutex<Option<Queryable<()>>>,
}

struct Fixed {
    key: Key,
    message: EncodedMessage,
}

impl Answerer {
    pub(crate) fn new(shared: &Arc<Shared>, key: &Key, message: EncodedMessage) -> Self {
        let key = key.clone();
        Self {
            shared: Arc::clone(shared),
            fixed: Arc::new(Fixed { key, message }),
            declared: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Queryable<()>>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Declared for Answerer {
    fn declare(&self, session: &zenoh::Session) -> zenoh::Result<()> {
        let (fixed, lanes) = (Arc::clone(&self.fixed), Arc::clone(&self.shared.lanes));
        let queryable = session
            .declare_queryable(fixed.key.as_str().to_string())
            .callback(move |query| {
                let fixed = Arc::clone(&fixed);
                // Answering may wait for a link, which a receiving thread must not.
                answer_later(&lanes, Box::new(Answer { query, fixed }));
            })
            .wait()?;
        *self.lock() = Some(queryable);
        Ok(())
    }

    fn release(&self) {
        let declared = self.lock().take();
        drop(declared);
    }
}

struct Answer {
    query: Query,
    fixed: Arc<Fixed>,
}

impl Job for Answer {
    fn len_bytes(&self) -> usize {
        0
    }

    fn run(self: Box<Self>) {
        let Fixed { key, message } = &*self.fixed;
        let Outgoing { header, payload } = Outgoing::of(message);
        let reply = self.query.reply(key.as_str(), payload).attachment(header);
        if let Err(error) = reply.wait() {
            tracing::debug!(%key, %error, "query.answer");
        }
    }
}

/// The handle of a served message.
pub(crate) struct ZenohServed(pub(crate) Arc<Answerer>);

impl Served for ZenohServed {
    fn key(&self) -> &Key {
        &self.0.fixed.key
    }
}

impl Drop for ZenohServed {
    fn drop(&mut self) {
        self.0.release();
    }
}

#[derive(Default)]
struct Answers {
    queue: VecDeque<Received>,
    dropped: u64,
    is_over: bool,
    /// Nobody reads them any more.
    is_abandoned: bool,
}

/// The answers to one query.
pub(crate) struct ZenohReplies(Arc<Mutex<Answers>>);

fn lock(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks everybody who serves a matching key.
pub(crate) fn ask(
    shared: &Arc<Shared>,
    pattern: &KeyPattern,
    timeout: Duration,
    wake: Wake,
) -> zenoh::Result<ZenohReplies> {
    let answers = Arc::new(Mutex::new(Answers::default()));
    let (taken, ended) = (Arc::clone(&answers), Arc::clone(&answers));
    let (on_answer, on_end) = (Arc::clone(&wake), wake);
    let receiver = Arc::clone(shared);
    let handler = CallbackDrop {
        callback: move |reply: Reply| {
            if take(&receiver, reply, &taken) {
                on_answer();
            }
        },
        drop: move || {
            lock(&ended).is_over = true;
            on_end();
        },
    };
    shared
        .session()
        .get(pattern.as_str())
        .target(QueryTarget::All)
        .consolidation(ConsolidationMode::None)
        .timeout(timeout)
        // Answers come with the same; where nothing drops, see `lane_of`.
        .priority(Priority::InteractiveLow)
        .congestion_control(CongestionControl::Block)
        .with(handler)
        .wait()?;
    Ok(ZenohReplies(answers))
}

/// Runs on a receiving thread; whether there is something to read.
fn take(shared: &Shared, reply: Reply, answers: &Mutex<Answers>) -> bool {
    let Ok(sample) = reply.into_result() else {
        return false;
    };
    let arrival = shared.clock.now();
    let key = Key::parse(sample.key_expr().as_str()).ok();
    let is_whole = sample.payload().len() <= PAYLOAD_BYTES_MAX
        && sample
            .attachment()
            .is_some_and(|header| header.len() <= HEADER_BYTES_MAX);
    let (Some(key), Some(header), true) = (key, sample.attachment(), is_whole) else {
        shared.refuse(sample.key_expr().as_str());
        return false;
    };
    let mut answers = lock(answers);
    if answers.is_abandoned {
        return false;
    }
    if answers.queue.len() == REPLIES_MAX {
        answers.dropped += 1;
        shared.drops.count(&key, DropPlace::Queue, DropReason::Full);
        return false;
    }
    let message = payload::received(&header.to_bytes(), sample.payload());
    answers.queue.push_back(Received {
        key,
        message,
        arrival,
    });
    true
}

impl Replies for ZenohReplies {
    fn try_next(&mut self) -> Option<Received> {
        lock(&self.0).queue.pop_front()
    }

    fn is_finished(&self) -> bool {
        let answers = lock(&self.0);
        answers.is_over && answers.queue.is_empty()
    }

    fn dropped(&self) -> u64 {
        lock(&self.0).dropped
    }
}

impl Drop for ZenohReplies {
    fn drop(&mut self) {
        let mut answers = lock(&self.0);
        answers.is_abandoned = true;
        answers.queue.clear();
    }
}
