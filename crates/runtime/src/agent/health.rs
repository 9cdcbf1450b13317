//! What an agent says of itself, and whose messages it does not read.

use std::borrow::Cow;

use sedge_oni::HealthState;
use sedge_spacetime::Stamp;
use sedge_transport::{DropLedger, Outbox};

use super::AgentNode;
use crate::announcer::{Condition, refusals};
use crate::registry::ContactVerdict;
use crate::{DriveMode, Severity};

impl AgentNode {
    /// Reads or refuses what waited for a publisher's answer, and says once what was decided.
    pub(super) fn settle_contacts(&mut self, now: Stamp) {
        self.contacts.poll(now);
        while let Some(received) = self.contacts.release() {
            self.receive(&received, now);
        }
        while let Some(row) = self.contacts.news() {
            let (counter, severity) = match row.verdict {
                ContactVerdict::Waiting | ContactVerdict::Accepted => {
                    ("streams-of-other-schema", Severity::Info)
                }
                ContactVerdict::Refused | ContactVerdict::Unknown => {
                    ("streams-refused", Severity::Warn)
                }
            };
            self.counters.add(counter);
            self.tell(severity, counter, &row.to_string());
        }
    }

    /// Says what is due of the manifest and of its health.
    pub(super) fn announce(&mut self, now: Stamp, outbox: &mut Outbox) {
        if !self.announcer.is_due(now) {
            return;
        }
        let (state, detail) = self.state();
        let drops = self.all_drops();
        let condition = Condition {
            state,
            detail,
            loss: &self.loss,
            drops: &drops,
        };
        let said = self.announcer.announce(now, &condition, outbox);
        self.spoke(said);
    }

    /// Says how it was when it ends.
    pub(super) fn last_word(&mut self, now: Stamp, outbox: &mut Outbox) {
        let drops = self.all_drops();
        let condition = Condition {
            state: HealthState::Stopped,
            detail: Cow::Borrowed("the sensor streams have ended"),
            loss: &self.loss,
            drops: &drops,
        };
        let said = self.announcer.say_health(now, &condition, outbox);
        self.spoke(said);
    }

    /// What was dropped here and, as far as it has said, by this side of the network.
    pub(super) fn all_drops(&self) -> DropLedger {
        let mut all = self.drops.clone();
        all.merge(&self.network_drops);
        all
    }

    fn state(&self) -> (HealthState, Cow<'static, str>) {
        if !self.has_mind {
            let text = "the model could not be made at the last restart";
            return (HealthState::Failed, Cow::Borrowed(text));
        }
        if let Some(text) = refusals(self.contacts.current()) {
            return (HealthState::Degraded, Cow::Owned(text));
        }
        if self.counters.of("scans") == 0 {
            return (HealthState::Starting, Cow::Borrowed("no scan so far"));
        }
        self.driving_state()
    }

    fn driving_state(&self) -> (HealthState, Cow<'static, str>) {
        let Some(controller) = &self.controller else {
            return (HealthState::Running, Cow::Borrowed(""));
        };
        let (mode, why) = controller.state();
        let state = match mode {
            DriveMode::Stopped => HealthState::Degraded,
            _ => HealthState::Running,
        };
        let detail = match why {
            "" => Cow::Borrowed(mode.name()),
            _ => Cow::Owned(format!("{mode}: {why}")),
        };
        (state, detail)
    }
}

#[cfg(test)]
mod tests;
