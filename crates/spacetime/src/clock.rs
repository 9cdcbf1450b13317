//! Clocks as values.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::Stamp;

/// Where "now" comes from; always a parameter, so that a run is a function of its inputs.
pub trait Clock: Send + Sync {
    /// The time now. Never goes backwards.
    fn now(&self) -> Stamp;
}

/// A clock that stands still until it is set: for tests, replay and simulation.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Stamp) -> Self {
        Self(AtomicI64::new(now.nanos()))
    }

    /// Moves the clock to `now`; an earlier time is ignored, since clocks never go backwards.
    pub fn advance_to(&self, now: Stamp) {
        self.0.fetch_max(now.nanos(), Ordering::AcqRel);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Stamp {
        Stamp::from_nanos(self.0.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_never_goes_backwards() {
        let clock = ManualClock::new(Stamp::from_nanos(10));
        clock.advance_to(Stamp::from_nanos(5));
        assert_eq!(clock.now().nanos(), 10);
        clock.advance_to(Stamp::from_nanos(15));
        assert_eq!(clock.now().nanos(), 15);
    }
}
