//! The recording as those who draw hold it: paths, times, and what is logged once.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use rerun::{AsComponents, EntityPath, RecordingStream, TimeCell};
use sedge_spacetime::Stamp;

use crate::path;
use crate::tally::Tally;

/// Stamps from here on (the year 2001) can only be counted from the Unix epoch, and are shown as
/// dates; smaller ones are shown as time since the clock's origin. In nanoseconds.
const DATES_FROM_NANOS: i64 = 1_000_000_000 * 1_000_000_000;
/// Things that never change, such as the look of a series, are logged once; this many at most.
const ONCE_MAX: usize = 4096;

/// How stamps are shown, settled by the first: a timeline has one type.
#[derive(Debug, Clone, Copy)]
enum Clockface {
    Dates,
    SinceOrigin,
}

/// A recording that is written to; what cannot be written is counted.
#[derive(Debug)]
pub(crate) struct Recorder {
    recording: RecordingStream,
    tally: Arc<Tally>,
    clockface: Option<Clockface>,
    logged_once: BTreeSet<EntityPath>,
}

impl Recorder {
    pub(crate) fn new(recording: RecordingStream, tally: Arc<Tally>) -> Self {
        Self {
            recording,
            tally,
            clockface: None,
            logged_once: BTreeSet::new(),
        }
    }

    pub(crate) fn recording(&self) -> &RecordingStream {
        &self.recording
    }

    /// Counts what could not be drawn.
    pub(crate) fn failed(&self, error: &dyn Display) {
        self.tally.failed(error);
    }

    /// Waits until all that was drawn has left the process.
    pub(crate) fn flush(&self, wait_max: Duration) -> Result<(), rerun::sink::SinkFlushError> {
        self.recording.flush_with_timeout(wait_max)
    }

    /// Logs what never changes, the first time; whether this was it.
    pub(crate) fn once<A: AsComponents>(
        &mut self,
        entity: &EntityPath,
        make: impl FnOnce() -> A,
    ) -> bool {
        let first = self.logged_once.len() < ONCE_MAX && self.logged_once.insert(entity.clone());
        if first {
            self.count(self.recording.log_static(entity.clone(), &make()));
        }
        first
    }

    pub(crate) fn log(&self, parts: &[&str], archetype: &impl AsComponents) {
        self.log_at(path::entity(parts), archetype);
    }

    pub(crate) fn log_at(&self, entity: EntityPath, archetype: &impl AsComponents) {
        self.count(self.recording.log(entity, archetype));
    }

    fn count(&self, logged: rerun::RecordingStreamResult<()>) {
        if let Err(error) = logged {
            self.tally.failed(&error);
        }
    }

    /// The time of all that is logged from here on.
    pub(crate) fn set_time(&mut self, stamp: Stamp) {
        let nanos = stamp.nanos();
        let clockface = *self.clockface.get_or_insert(if nanos >= DATES_FROM_NANOS {
            Clockface::Dates
        } else {
            Clockface::SinceOrigin
        });
        // The recording has no word for the very first nanosecond of time.
        let nanos = nanos.max(i64::MIN + 1);
        let cell = match clockface {
            Clockface::Dates => TimeCell::from_timestamp_nanos_since_epoch(nanos),
            Clockface::SinceOrigin => TimeCell::from_duration_nanos(nanos),
        };
        self.recording.set_time(path::TIMELINE, cell);
    }
}
