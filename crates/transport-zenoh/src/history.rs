//! A publisher's last messages, for whoever subscribes later.
//!
//! It answers what the cache of Zenoh's advanced publishers answers, under the key that theirs
//! would have, so that advanced subscribers of other programs can ask it. It is not Zenoh's own
//! because that one caches when a message is sent: ours may still wait in a lane then, and must
//! survive its session.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key};
use sedge_transport::Priority;
use zenoh::Wait as _;
use zenoh::query::{Query, Queryable};
use zenoh::sample::SourceInfo;
use zenoh::session::EntityGlobalId;

use crate::lanes::{Job, LaneName, Lanes};
use crate::payload;

/// A message and its number among its publisher's.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) message: EncodedMessage,
    pub(crate) sequence: u32,
}

/// The last messages of one publisher, oldest first.
pub(crate) struct History {
    kept: Mutex<VecDeque<Kept>>,
    depth: usize,
}

/// What a session keeps declared for a history.
pub(crate) struct Cache {
    _answers: Queryable<()>,
    /// By which advanced subscribers learn that there is a cache to ask.
    _token: zenoh::liveliness::LivelinessToken,
}

impl History {
    pub(crate) fn new(depth: usize) -> Self {
        Self {
            kept: Mutex::default(),
            depth,
        }
    }

    /// Keeps a message, at the cost of the oldest.
    pub(crate) fn keep(&self, kept: Kept) {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == self.depth {
            all.pop_front();
        }
        all.push_back(kept);
    }

    /// Forgets a message again, if it is the last one; the oldest that went for it stays lost.
    pub(crate) fn take_back(&self, sequence: u32) {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.pop_back_if(|last| last.sequence == sequence);
    }

    fn last(&self, n_max: usize) -> Vec<Kept> {
        let all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = all.len().saturating_sub(n_max);
        all.iter().skip(skipped).cloned().collect()
    }

    pub(crate) fn declare(
        self: &Arc<Self>,
        session: &zenoh::Session,
        key: &Key,
        identity: EntityGlobalId,
        lanes: &Arc<Lanes>,
    ) -> zenoh::Result<Cache> {
        let own_key = format!("{key}/@adv/pub/{}/{}/_", identity.zid(), identity.eid());
        let (history, lanes, key) = (Arc::clone(self), Arc::clone(lanes), key.clone());
        let answers = session
            .declare_queryable(own_key.clone())
            .callback(move |query| {
                // Answering may wait for a link, which a receiving thread must not.
                let answer = Answer {
                    query,
                    key: key.clone(),
                    identity,
                    history: Arc::clone(&history),
                };
                crate::served::answer_later(&lanes, Box::new(answer));
            })
            .wait()?;
        let token = session.liveliness().declare_token(own_key).wait()?;
        Ok(Cache {
            _answers: answers,
            _token: token,
        })
    }
}

/// A reader's question for the last messages.
struct Answer {
    query: Query,
    key: Key,
    identity: EntityGlobalId,
    history: Arc<History>,
}

impl Job for Answer {
    fn len_bytes(&self) -> usize {
        0
    }

    fn run(self: Box<Self>) {
        let parameters = self.query.parameters();
        let n_max = parameters.get("_max").and_then(|max| max.parse().ok());
        let range = parameters.get("_sn").map_or((0, u32::MAX), sequence_range);
        for kept in self.history.last(n_max.unwrap_or(usize::MAX)) {
            if kept.sequence < range.0 || kept.sequence > range.1 {
                continue;
            }
            let message = &kept.message;
            let reply = self
                .query
                .reply(self.key.as_str(), payload::outgoing(message))
                .attachment(message.header())
                .source_info(SourceInfo::new(self.identity, kept.sequence));
            if let Err(error) = reply.wait() {
                tracing::debug!(key = %self.key, %error, "history.answer");
            }
        }
    }
}

/// `first..last` as advanced subscribers write it, both included and both optional.
fn sequence_range(text: &str) -> (u32, u32) {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    (first.parse().unwrap_or(0), last.parse().unwrap_or(u32::MAX))
}

/// The lane that answers go over: requests are as urgent as parameters.
pub(crate) const ANSWERS: LaneName = LaneName {
    priority: Priority::InteractiveLow,
    is_lossless: false,
};
/// How long an asker waits for the last messages of publishers that do not answer.
pub(crate) const HISTORY_WAIT: Duration = Duration::from_secs(2);
