//! Which stamps of others can be compared with the own clock's.

use std::time::Duration;

use sedge_oni::Envelope;
use sedge_spacetime::Stamp;

use super::AgentNode;
use crate::Severity;
use crate::intake::ArrivedEvent;

/// How far ahead of the own clock a stamp may be beside what both clocks may be off. Processes of
/// one machine read its clock once each, and count from there.
const AHEAD_MAX: Duration = Duration::from_millis(1);

/// When something was, by whose clock, and how wrong that may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamped<'s> {
    at: Stamp,
    clock: &'s str,
    error: Duration,
}

impl<'s> From<&'s Envelope> for Stamped<'s> {
    fn from(envelope: &'s Envelope) -> Self {
        let capture = &envelope.capture;
        Self {
            at: capture.stamp,
            clock: &capture.clock,
            error: capture.error,
        }
    }
}

impl<'s> From<&'s ArrivedEvent> for Stamped<'s> {
    fn from(arrived: &'s ArrivedEvent) -> Self {
        Self {
            at: arrived.event.stamp,
            clock: &arrived.clock,
            error: arrived.stamp_error,
        }
    }
}

impl AgentNode {
    /// Whether a stamp can be compared with ours: it is of the same clock, and of a time that may
    /// have been when it came.
    pub(super) fn is_comparable(&mut self, stamp: Stamped<'_>, arrival: Stamp) -> bool {
        let Stamped { at, clock, error } = stamp;
        self.config.clock_domain.as_deref() == Some(clock) && self.is_possible(at, error, arrival)
    }

    /// Whether our clock had passed a time when it came, or may have: either clock may be off by as
    /// much as is said of it.
    pub(super) fn is_possible(&mut self, at: Stamp, error: Duration, arrival: Stamp) -> bool {
        let ahead = at.saturating_since(arrival);
        let possible = self.config.clock_error + error + AHEAD_MAX;
        if ahead > possible {
            let text = format!(
                "expected stamps at most {possible:?} ahead of our clock, got one {ahead:?} ahead; \
                 `sedge doctor` measures clocks"
            );
            self.say("stamps-from-the-future", Severity::Warn, &text);
        }
        ahead <= possible
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::put_time::note_put;
    use crate::test_drive::{Bench, Robot, WallModel, millis, name};
    use crate::{AgentConfig, DrivingConfig};

    /// What is counted of a scan that is stamped and put 10 ms after our clock's time, which may be
    /// off by so much: stamps from the future, scans that are no evidence, scans answered.
    fn counted(clock_error: Duration) -> [u64; 3] {
        let (bench, mut robot) = (Bench::new(), Robot::new(1));
        let mut config = AgentConfig::new(name("flock"), name("crane3"), 7);
        config.clock_domain = Some("log".into());
        config.clock_error = clock_error;
        let (clock, model) = (Arc::clone(&bench.clock), WallModel::factory("wall", 0.0));
        let node = AgentNode::new(config, clock, model, Vec::new()).unwrap();
        let node = node.with_driving(DrivingConfig::default(), 1).unwrap();
        let (subscriptions, publications) = (node.subscriptions(), node.publications());
        let mut agent = bench.bind(node, &subscriptions, &publications);
        bench.clock.advance_to(millis(240));
        agent.feed(&bench.clock, &[robot.odometry(millis(240))]);
        let mut scan = robot.scan(millis(250));
        note_put(scan.message.envelope_mut(), "log", millis(250));
        agent.feed(&bench.clock, &[scan]);
        let all = agent.node.report().counters;
        ["stamps-from-the-future", "scans-of-another-clock", "scans"]
            .map(|name| all.get(name).copied().unwrap_or_default())
    }

    #[test]
    fn a_stamp_that_our_clock_cannot_have_reached_is_no_evidence() {
        assert_eq!(counted(Duration::ZERO), [2, 1, 1]);
        assert_eq!(counted(Duration::from_millis(8)), [2, 1, 1]);
        assert_eq!(counted(Duration::from_millis(9)), [0, 0, 1]);
    }
}
