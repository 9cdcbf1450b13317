//! A publisher's last messages, for whoever subscribes later.

use std::collections::VecDeque;

use crate::{Qos, Queued};

/// At most as many as the publisher's history says.
pub(crate) struct History {
    kept: VecDeque<Queued>,
    depth: usize,
}

impl History {
    pub(crate) fn new(publisher: Qos) -> Self {
        Self {
            kept: VecDeque::new(),
            depth: publisher.history(),
        }
    }

    pub(crate) fn keep(&mut self, queued: Queued) {
        if self.depth == 0 {
            return;
        }
        if self.kept.len() >= self.depth {
            self.kept.pop_front();
        }
        self.kept.push_back(queued);
    }

    /// What a subscriber gets, oldest first: no more than it asks for, and than its ring holds.
    pub(crate) fn last(&self, subscriber: Qos) -> impl Iterator<Item = &Queued> {
        let wanted = subscriber.history().min(subscriber.depth());
        let skipped = self.kept.len().saturating_sub(wanted);
        self.kept.iter().skip(skipped)
    }
}
