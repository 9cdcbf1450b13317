//! How many scans may be out without an answer.

use std::collections::VecDeque;
use std::time::Duration;

use sedge_spacetime::Stamp;

use super::Pace;

/// Scans in flight that are remembered when there is no limit to them, as in sensor time: to count
/// answers. Older ones are taken for unanswered.
const REMEMBERED_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Credit {
    /// `None` in sensor time.
    limit: Option<(usize, Duration)>,
    /// Capture stamps, and when each went out.
    in_flight: VecDeque<(Stamp, Stamp)>,
    unanswered: u64,
}

impl Credit {
    pub(super) fn new(pace: Pace) -> Self {
        let limit = match pace {
            Pace::SensorTime { .. } => None,
            Pace::Credit {
                in_flight_max,
                answer_wait_max,
            } => Some((in_flight_max, answer_wait_max)),
        };
        Self {
            limit,
            in_flight: VecDeque::new(),
            unanswered: 0,
        }
    }

    /// Until when the next scan has to wait if no answer comes; `None` if it need not.
    pub(super) fn scan_allowed_at(&mut self, now: Stamp) -> Option<Stamp> {
        let (n_max, _) = self.limit?;
        if self.in_flight.len() < n_max {
            None
        } else {
            self.settled_at(now)
        }
    }

    /// Until when there is something to wait for; `None` when nothing is in flight.
    pub(super) fn settled_at(&mut self, now: Stamp) -> Option<Stamp> {
        let (_, wait_max) = self.limit?;
        let (_, newest_sent) = self.in_flight.back()?;
        let deadline = *newest_sent + wait_max;
        if now < deadline {
            return Some(deadline);
        }
        self.unanswered += self.in_flight.len() as u64;
        self.in_flight.clear();
        None
    }

    pub(super) fn sent(&mut self, stamp: Stamp, now: Stamp) {
        self.in_flight.push_back((stamp, now));
        if self.in_flight.len() > REMEMBERED_MAX {
            self.in_flight.pop_front();
        }
    }

    /// Takes an answer; how many scans it settles. A prediction of a scan is only made after the
    /// scans before it, so those that it overtakes will have none.
    pub(super) fn answered(&mut self, stamp: Stamp) -> u64 {
        let Some(idx) = self.in_flight.iter().position(|(sent, _)| *sent == stamp) else {
            return 0;
        };
        if self.limit.is_some() {
            self.unanswered += idx as u64;
        }
        self.in_flight.drain(..=idx);
        1
    }

    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered
    }
}
