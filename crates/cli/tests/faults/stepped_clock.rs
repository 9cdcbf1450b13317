//! A machine's clock that somebody sets while a process runs.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sedge_runtime::SystemClock;
use sedge_spacetime::{Clock, Stamp};

/// The machine's clock and what it was set by.
pub(crate) struct SteppedClock {
    machine: SystemClock,
    set_by_nanos: AtomicI64,
}

impl SteppedClock {
    pub(crate) fn new() -> Self {
        Self {
            machine: SystemClock::new(),
            set_by_nanos: AtomicI64::new(0),
        }
    }

    /// Sets the clock forward, or back where negative.
    pub(crate) fn step(&self, millis: i64) {
        let nanos = millis * Duration::from_millis(1).as_nanos() as i64;
        self.set_by_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Stamp {
        let set_by = self.set_by_nanos.load(Ordering::Relaxed);
        Stamp::from_nanos(self.machine.now().nanos() + set_by)
    }
}
