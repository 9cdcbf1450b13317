//! How far other machines' clocks are from ours, with a bound, from messages alone.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_oni::Header;
use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::STREAMS_MAX;
use serde::Serialize;

use crate::put_time::newest_put;

/// Types whose capture stamp is the time of putting, on the machine's clock.
const STAMPED_AT_PUT: [&str; 3] = ["agent.manifest", "telemetry.health", "telemetry.latency"];

/// Bounds the offset of each agent's clock.
///
/// A message put at `s` on their clock and come at `a` on ours says that their clock is ahead by at
/// least `s - a`: it cannot have come before it was put. Taken that the quickest message took no
/// longer than the quickest round trip, theirs is ahead by at most that much more.
#[derive(Debug, Default)]
pub struct Clocks {
    ours: Option<String>,
    theirs: BTreeMap<AgentName, Theirs>,
}

#[derive(Debug, Default)]
struct Theirs {
    clock: String,
    /// How far off it is said to be at most, where that is said.
    declared: Option<Duration>,
    stamps: u64,
    /// The greatest `s - a`, in nanoseconds.
    ahead_nanos_min: i64,
    round_trip: Option<Duration>,
}

/// One agent's clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockView {
    /// Whose.
    pub agent: String,
    /// The clock's name in its stamps.
    pub clock: String,
    /// Whether it is this machine's own clock; then there is no offset.
    pub is_ours: bool,
    /// How far off it may be by its own account, in seconds; see [`crate::SharedClock`]. `None`
    /// where it says nothing of that.
    pub declared_error_secs: Option<f64>,
    /// Stamps that this is made from.
    pub stamps: u64,
    /// Their clock minus ours, in seconds: the middle of what is possible. `None` without a round
    /// trip, when only the least is known.
    pub offset_secs: Option<f64>,
    /// How wrong that may be either way, in seconds.
    pub error_secs: Option<f64>,
    /// Their clock is ahead by at least this, in seconds.
    pub ahead_secs_min: f64,
    /// The quickest round trip, in seconds.
    pub round_trip_secs: Option<f64>,
}

impl Clocks {
    /// `ours` is this machine's clock in stamps; see [`crate::SystemClock::domain`].
    pub fn new(ours: Option<String>) -> Self {
        Self {
            ours,
            theirs: BTreeMap::new(),
        }
    }

    /// Takes in when a message was put, where its header says so.
    pub fn observe(&mut self, header: &Header, arrival: Stamp) {
        let envelope = &header.envelope;
        let (clock, stamp) = if STAMPED_AT_PUT.contains(&header.schema.name.as_str()) {
            (envelope.capture.clock.as_str(), envelope.capture.stamp)
        } else if let Some(put) = newest_put(envelope) {
            put
        } else {
            return;
        };
        let agent = &envelope.source.agent;
        if !self.theirs.contains_key(agent) && self.theirs.len() == STREAMS_MAX {
            return;
        }
        let theirs = self.theirs.entry(agent.clone()).or_default();
        if theirs.clock != clock {
            // It runs elsewhere now: what was known of the other machine's clock is worth nothing.
            *theirs = Theirs {
                clock: clock.to_owned(),
                ahead_nanos_min: i64::MIN,
                declared: None,
                round_trip: theirs.round_trip,
                stamps: 0,
            };
        }
        let capture = &envelope.capture;
        if capture.clock == clock && !capture.error.is_zero() {
            theirs.declared = theirs.declared.max(Some(capture.error));
        }
        let ahead_nanos = stamp.nanos().saturating_sub(arrival.nanos());
        theirs.ahead_nanos_min = theirs.ahead_nanos_min.max(ahead_nanos);
        theirs.stamps = theirs.stamps.saturating_add(1);
    }

    /// Takes in how long an agent took to answer; of agents without a stamp nothing is kept.
    pub fn answered(&mut self, agent: &str, round_trip: Duration) {
        let theirs = self.theirs.iter_mut();
        for (_, theirs) in theirs.filter(|(name, _)| name.as_str() == agent) {
            let quickest = theirs
                .round_trip
                .map_or(round_trip, |old| old.min(round_trip));
            theirs.round_trip = Some(quickest);
        }
    }

    /// Every clock, in the order of agents.
    pub fn views(&self) -> Vec<ClockView> {
        let views = self.theirs.iter().map(|(agent, theirs)| {
            let ahead_secs_min = theirs.ahead_nanos_min as f64 / 1e9;
            let round_trip_secs = theirs.round_trip.map(|time| time.as_secs_f64());
            let is_ours = self.ours.as_ref() == Some(&theirs.clock);
            let half = round_trip_secs.map(|secs| secs / 2.0);
            ClockView {
                agent: agent.to_string(),
                clock: theirs.clock.clone(),
                is_ours,
                declared_error_secs: theirs.declared.map(|error| error.as_secs_f64()),
                stamps: theirs.stamps,
                offset_secs: if is_ours {
                    Some(0.0)
                } else {
                    half.map(|half| ahead_secs_min + half)
                },
                error_secs: if is_ours { Some(0.0) } else { half },
                ahead_secs_min,
                round_trip_secs,
            }
        });
        views.collect()
    }
}

#[cfg(test)]
mod tests;
