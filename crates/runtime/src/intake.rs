//! The reorder buffer: sensor events on several keys become one sequence in time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{LedgerEntry, TraceContext};
use sedge_spacetime::{Stamp, StampError};
use sedge_world_model::{Observation, Reused, SensorEvent};

use crate::dead_reckoning::DeadReckoning;

/// Events of one kind that may wait at once. A scanner has a few scans a second and odometry a few
/// hundred samples, so this is seconds of both: whoever fills it is broken or hostile.
const WAITING_MAX: usize = 1_024;

/// A sensor event and what is known of its way here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArrivedEvent {
    pub(crate) event: SensorEvent,
    pub(crate) arrived: Stamp,
    /// When it came, on the clock that stages are measured with.
    pub(crate) timed: Stamp,
    /// When the sender put it, where sender and receiver share a clock.
    pub(crate) put: Option<Stamp>,
    pub(crate) decode: Duration,
    /// What the message's own ledger says of the stages before it was put; empty where the put is
    /// not known here.
    pub(crate) upstream: Reused<LedgerEntry>,
    pub(crate) trace: Option<TraceContext>,
    /// Which clock the event's stamp is of.
    pub(crate) clock: Arc<str>,
    pub(crate) stamp_error: Duration,
}

/// Why an event is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Not newer than what was released of its kind, or of the same stamp as one that waits.
    Late,
    /// The buffer is full; the newcomer is refused, since what waits is older and wanted first.
    Full,
}

/// An event whose turn it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Released {
    pub(crate) arrived: ArrivedEvent,
    /// A scan that did not get the odometry that it waited for.
    pub(crate) waited_out: bool,
    /// What is to be believed before it, in place of the odometry that has not come yet.
    pub(crate) reckoned: Option<SensorEvent>,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<ArrivedEvent>,
    released: Option<Stamp>,
}

/// Holds scans until the odometry that places them is in, or velocity carries on to there, or they
/// have waited long enough.
///
/// A scan stamped `t` was seen at `t - latency`, so it needs odometry up to there. Odometry up to
/// the scan's stamp goes first; later odometry goes after it, so that the order of release depends
/// on stamps and not on which key was quicker. Within a kind, stamps strictly increase.
#[derive(Debug)]
pub(crate) struct Intake {
    latency_nanos: i64,
    wait_max: Duration,
    reckoning: DeadReckoning,
    odometry: Lane,
    scans: Lane,
    /// What waits for nothing: the model itself judges its stamps.
    others: VecDeque<ArrivedEvent>,
}

impl Intake {
    /// # Errors
    /// [`StampError`] for a latency that is no time.
    pub(crate) fn new(latency_secs: f64, wait_max: Duration) -> Result<Self, StampError> {
        Ok(Self {
            latency_nanos: Stamp::from_secs(latency_secs)?.nanos(),
            wait_max,
            reckoning: DeadReckoning::default(),
            odometry: Lane::default(),
            scans: Lane::default(),
            others: VecDeque::new(),
        })
    }

    /// With scans that are placed by velocity, so far beyond the newest odometry.
    pub(crate) fn with_reach(self, reach: Duration) -> Self {
        Self {
            reckoning: DeadReckoning::new(reach),
            ..self
        }
    }

    /// What velocity says between odometry.
    pub(crate) fn reckoning(&mut self) -> &mut DeadReckoning {
        &mut self.reckoning
    }

    /// Forgets everything, as after a restart of the streams.
    pub(crate) fn clear(&mut self) {
        self.reckoning.clear();
        self.odometry = Lane::default();
        self.scans = Lane::default();
        self.others.clear();
    }

    /// The newest stamp of this event's kind, waiting ones included.
    pub(crate) fn newest_of_kind(&self, event: &SensorEvent) -> Option<Stamp> {
        match event.observation {
            Observation::Lidar(_) => self.scans.newest(),
            Observation::Odometry(_) => self.odometry.newest(),
            _ => None,
        }
    }

    /// Takes an event in, to be released in its turn.
    pub(crate) fn push(&mut self, arrived: ArrivedEvent) -> Result<(), NotTaken> {
        match arrived.event.observation {
            Observation::Lidar(_) => self.scans.push(arrived),
            Observation::Odometry(_) => self.odometry.push(arrived),
            _ => {
                if self.others.len() >= WAITING_MAX {
                    return Err(NotTaken::Full);
                }
                self.others.push_back(arrived);
                Ok(())
            }
        }
    }

    /// The event whose turn it is at `now`.
    pub(crate) fn release(&mut self, now: Stamp) -> Option<Released> {
        if let Some(arrived) = self.others.pop_front() {
            return Some(Released {
                arrived,
                waited_out: false,
                reckoned: None,
            });
        }
        let Some(scan) = self.scans.waiting.front() else {
            return self.odometry.release(Waited::Enough);
        };
        let stamp = scan.event.stamp;
        let needed = self.seen_at(stamp);
        let goes_first = |event: &ArrivedEvent| event.event.stamp <= stamp.max(needed);
        if self.odometry.waiting.front().is_some_and(goes_first) {
            return self.odometry.release(Waited::Enough);
        }
        if self
            .odometry
            .newest()
            .is_some_and(|newest| newest >= needed)
        {
            return self.scans.release(Waited::Enough);
        }
        if let Some(reckoned) = self.reckoning.at(needed) {
            let released = self.scans.release(Waited::Enough);
            return released.map(|released| Released {
                reckoned: Some(reckoned),
                ..released
            });
        }
        (now >= scan.arrived + self.wait_max).then(|| self.scans.release(Waited::TooLong))?
    }

    /// When a waiting scan will have waited long enough.
    pub(crate) fn next_release(&self) -> Option<Stamp> {
        self.scans
            .waiting
            .front()
            .map(|scan| scan.arrived + self.wait_max)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.scans.waiting.is_empty() && self.odometry.waiting.is_empty() && self.others.is_empty()
    }

    fn seen_at(&self, stamp: Stamp) -> Stamp {
        Stamp::from_nanos(stamp.nanos().saturating_sub(self.latency_nanos))
    }
}

#[derive(Debug, Clone, Copy)]
enum Waited {
    Enough,
    TooLong,
}

impl Lane {
    fn newest(&self) -> Option<Stamp> {
        self.waiting
            .back()
            .map(|event| event.event.stamp)
            .or(self.released)
    }

    fn push(&mut self, arrived: ArrivedEvent) -> Result<(), NotTaken> {
        let stamp = arrived.event.stamp;
        if self.released.is_some_and(|released| stamp <= released) {
            return Err(NotTaken::Late);
        }
        let idx = self
            .waiting
            .partition_point(|waiting| waiting.event.stamp < stamp);
        if self
            .waiting
            .get(idx)
            .is_some_and(|waiting| waiting.event.stamp == stamp)
        {
            return Err(NotTaken::Late);
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err(NotTaken::Full);
        }
        self.waiting.insert(idx, arrived);
        Ok(())
    }

    fn release(&mut self, waited: Waited) -> Option<Released> {
        let arrived = self.waiting.pop_front()?;
        self.released = Some(arrived.event.stamp);
        Some(Released {
            arrived,
            waited_out: matches!(waited, Waited::TooLong),
            reckoned: None,
        })
    }
}

#[cfg(test)]
mod tests;
