//! How a publisher's small messages go out together.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sedge_oni::EncodedMessage;
use sedge_transport::{DropReason, Priority, PutOutcome};
use zenoh::Wait as _;

use super::Speaker;
use crate::gather::{Added, Gathered};
use crate::lanes::{Job, Lane, LaneName, Refusal};
use crate::payload::COPY_OUT_BYTES_MAX;

/// Sends what a publisher has gathered.
struct Take {
    speaker: Arc<Speaker>,
    lane: Arc<Lane>,
}

impl Job for Take {
    /// Its bundle is memory of the publisher's, whether it is in a lane or not.
    fn len_bytes(&self) -> usize {
        0
    }

    fn run(self: Box<Self>) {
        while self.speaker.send_gathered() {
            let (speaker, lane) = (Arc::clone(&self.speaker), Arc::clone(&self.lane));
            // The others' turn; where the lane takes no more, it goes on by itself.
            if self
                .lane
                .push(Box::new(Self { speaker, lane }), Duration::ZERO)
                .is_ok()
            {
                return;
            }
        }
    }
}

impl Speaker {
    /// Whether a message goes out with others; that costs a copy.
    pub(super) fn is_gathered(&self, message: &EncodedMessage) -> bool {
        message.len_bytes() < COPY_OUT_BYTES_MAX && !self.shared.is_shareable(message)
    }

    /// Puts a message behind those that wait to be sent together.
    pub(super) fn gather(&self, message: &EncodedMessage, hold: Duration) -> PutOutcome {
        let added = self.gather.add(message, hold);
        let is_sent_for = match added {
            Added::Promised | Added::Full => true,
            Added::Unpromised | Added::Stuck => self.send_for(),
        };
        match added {
            // Lanes are closed with their network, and count what they find.
            _ if !is_sent_for => PutOutcome::Closed,
            Added::Promised | Added::Unpromised => PutOutcome::Sent,
            Added::Full | Added::Stuck => PutOutcome::Shed,
        }
    }

    /// Sends for what was left when there was no session, once there is one.
    pub(super) fn send_for_rest(&self) {
        if self.voice().is_some() && self.gather.promise() {
            self.send_for();
        }
    }

    /// Has a lane's thread take what is gathered; where there is none, it is lost and counted.
    fn send_for(&self) -> bool {
        let lane = self.shared.lanes.lane(LaneName {
            priority: Priority::Background,
            is_lossless: true,
        });
        let (Some(lane), Some(speaker)) = (lane, self.itself.upgrade()) else {
            self.lose(DropReason::Closed);
            return false;
        };
        let job = Take {
            speaker,
            lane: Arc::clone(&lane),
        };
        match lane.push(Box::new(job), self.qos.put_wait_max()) {
            Ok(()) => true,
            Err(Refusal::Closed) => {
                self.lose(DropReason::Closed);
                false
            }
            Err(Refusal::Full) => {
                // More publishers than a lane has places: it is sent for with the next message.
                self.gather.break_promise();
                true
            }
        }
    }

    /// Sends one bundle; whether there was one and may be another.
    fn send_gathered(&self) -> bool {
        let Some(gathered) = self.gather.take() else {
            return false;
        };
        if !self.is_heard.load(Ordering::Acquire) && !self.has_subscribers() {
            // Somebody listened when they were put: the link or the reader is gone since.
            self.count_all(DropReason::Closed, gathered.n_messages);
            return true;
        }
        let Some(unsent) = self.try_send(gathered) else {
            return true;
        };
        if self.shared.is_closed() {
            self.count_all(DropReason::Closed, unsent.n_messages);
            return true;
        }
        // The session is being opened anew.
        self.gather.take_back(unsent);
        false
    }

    /// What could not be sent.
    fn try_send(&self, gathered: Gathered) -> Option<Gathered> {
        let Some(voice) = self.voice() else {
            return Some(gathered);
        };
        let Gathered {
            attachment,
            payload,
            ..
        } = gathered.clone();
        let put = voice.publisher.put(payload).attachment(attachment).wait();
        put.is_err().then_some(gathered)
    }

    /// What is gathered will never be sent.
    pub(super) fn lose(&self, reason: DropReason) {
        self.count_all(reason, self.gather.clear());
    }

    fn count_all(&self, reason: DropReason, n_messages: usize) {
        (0..n_messages).for_each(|_| self.count(reason));
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.lose(DropReason::Closed);
    }
}
