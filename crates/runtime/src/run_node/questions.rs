//! The questions about schemas that a node has out.

use std::time::Duration;

use sedge_oni::KeyPattern;
use sedge_spacetime::Stamp;
use sedge_transport::{Network, Replies, Wake};

use super::Driven;
use crate::registry::SchemaQuestion;

/// The shortest time that a query is given, so that one that is asked late can still be answered.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Asks the network what a node wants to know of other programs' schemas. Nothing here waits.
pub(super) struct Questions<'n> {
    network: &'n dyn Network,
    wake: Wake,
    /// As many as the node's [`crate::FirstContact`] lets out.
    out: Vec<(SchemaQuestion, Box<dyn Replies>)>,
}

impl<'n> Questions<'n> {
    pub(super) fn new(network: &'n dyn Network, wake: Wake) -> Self {
        Self {
            network,
            wake,
            out: Vec::new(),
        }
    }

    /// Hands the answers that came to the node.
    pub(super) fn hand_in(&mut self, node: &mut dyn Driven, now: Stamp) {
        let Some(contacts) = node.contacts() else {
            return;
        };
        self.out.retain_mut(|(question, replies)| {
            while let Some(reply) = replies.try_next() {
                contacts.answer(question, &reply.message);
            }
            let is_over = replies.is_finished();
            if is_over {
                contacts.unanswered(now, question);
            }
            !is_over
        });
    }

    /// Asks what the node wants to know.
    pub(super) fn ask(&mut self, node: &mut dyn Driven, now: Stamp) {
        let Some(contacts) = node.contacts() else {
            return;
        };
        while let Some(question) = contacts.ask(now) {
            let pattern = KeyPattern::from(&question.key);
            let timeout = question.timeout.max(TIMEOUT_MIN);
            let wake = Wake::clone(&self.wake);
            match self.network.query(&pattern, timeout, wake) {
                Ok(replies) => self.out.push((question, replies)),
                Err(error) => {
                    tracing::debug!(key = %question.key, "cannot ask for a schema: {error}");
                    contacts.unanswered(now, &question);
                }
            }
        }
    }
}
