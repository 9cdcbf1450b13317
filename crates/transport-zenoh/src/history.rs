//! A publisher's last messages, for whoever subscribes later.
//!
//! It answers what the cache of Zenoh's advanced publishers answers, under the key that theirs
//! would have, so that advanced subscribers of other programs can ask it. It is not Zenoh's own
//! because that one caches when a message is sent: ours may still wait in a lane then, and must
//! survive its session.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key};
use sedge_transport::Priority;
use zenoh::Wait as _;
use zenoh::query::{Query, Queryable};
use zenoh::sample::SourceInfo;
use zenoh::session::EntityGlobalId;

use crate::lanes::{Job, LaneName, Lanes};
use crate::payload::Outgoing;

/// A message and its number among its publisher's.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) message: EncodedMessage,
    pub(crate) sequence: u32,
}

/// The last messages of one publisher, oldest first.
pub(crate) struct History {
    state: Mutex<State>,
    depth: usize,
}

#[derive(Default)]
struct State {
    kept: VecDeque<Kept>,
    /// The last message that no longer waits for its turn.
    handed_on: Option<u32>,
}

impl State {
    fn hand_on(&mut self, sequence: u32) {
        if self.handed_on.is_none_or(|last| is_after(sequence, last)) {
            self.handed_on = Some(sequence);
        }
    }
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
            state: Mutex::default(),
            depth,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message, at the cost of the oldest; whether it has to be sent too, as `must_go`
    /// says. One that has not is for answers at once: nobody may subscribe in between.
    pub(crate) fn keep(&self, kept: Kept, must_go: impl FnOnce() -> bool) -> bool {
        let mut state = self.lock();
        let sequence = kept.sequence;
        if state.kept.len() == self.depth {
            state.kept.pop_front();
        }
        state.kept.push_back(kept);
        let must_go = must_go();
        if !must_go {
            state.hand_on(sequence);
        }
        must_go
    }

    /// A message is about to be sent: those who subscribe from now on may miss it, and get it as
    /// an answer. Until then they get it when it is sent, after those that wait before it; an
    /// answer would overtake these, and they would count as old.
    pub(crate) fn hand_on(&self, sequence: u32) {
        self.lock().hand_on(sequence);
    }

    /// Forgets a message again, if it is the last one; the oldest that went for it stays lost.
    pub(crate) fn take_back(&self, sequence: u32) {
        let mut state = self.lock();
        state.kept.pop_back_if(|last| last.sequence == sequence);
    }

    fn last(&self, n_max: usize) -> Vec<Kept> {
        let state = self.lock();
        let Some(handed_on) = state.handed_on else {
            return Vec::new();
        };
        let waiting = |kept: &&Kept| is_after(kept.sequence, handed_on);
        let n_waiting = state.kept.iter().rev().take_while(waiting).count();
        let n_sent = state.kept.len() - n_waiting;
        let skipped = n_sent.saturating_sub(n_max);
        let sent = state.kept.iter().take(n_sent);
        sent.skip(skipped).cloned().collect()
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
            let Outgoing { header, payload } = Outgoing::of(&kept.message);
            let reply = self
                .query
                .reply(self.key.as_str(), payload)
                .attachment(header)
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

/// Numbers count up and begin again at 0; what is more than half of them ahead is behind.
pub(crate) fn is_after(sequence: u32, last: u32) -> bool {
    sequence != last && sequence.wrapping_sub(last) < u32::MAX / 2
}

/// The lane that answers go over: requests are as urgent as parameters.
pub(crate) const ANSWERS: LaneName = LaneName {
    priority: Priority::InteractiveLow,
    is_lossless: false,
};
/// How long an asker waits for the last messages of publishers that do not answer.
pub(crate) const HISTORY_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_oni::AlignedBytes;

    #[test]
    fn numbers_that_begin_again_are_after_those_before() {
        assert!(is_after(1, 0) && is_after(0, u32::MAX) && is_after(7, u32::MAX - 7));
        assert!(!is_after(0, 0) && !is_after(0, 1) && !is_after(u32::MAX, 0));
    }

    fn kept(sequence: u32) -> Kept {
        let message = EncodedMessage::new([0; 4], AlignedBytes::copy_of(&[]));
        Kept { message, sequence }
    }

    fn keep_to_send(history: &History, sequence: u32) {
        assert!(history.keep(kept(sequence), || true));
    }

    fn last(history: &History, n_max: usize) -> Vec<u32> {
        let kept = history.last(n_max);
        kept.iter().map(|kept| kept.sequence).collect()
    }

    #[test]
    fn what_waits_to_be_sent_is_no_answer_yet() {
        let history = History::new(3);
        keep_to_send(&history, u32::MAX);
        assert!(last(&history, 9).is_empty());
        keep_to_send(&history, 0);
        history.hand_on(u32::MAX);
        assert_eq!(last(&history, 9), [u32::MAX]);
        history.hand_on(0);
        keep_to_send(&history, 1);
        history.take_back(1);
        assert_eq!(last(&history, 1), [0]);
        assert!(!history.keep(kept(1), || false));
        assert_eq!(last(&history, 2), [0, 1], "what is not sent is one at once");
        history.hand_on(0);
        keep_to_send(&history, 2);
        assert_eq!(last(&history, 9), [0, 1], "the oldest made room");
    }
}
