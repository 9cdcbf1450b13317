//! The machine's clock, counted from a time that several processes agree on.

use std::time::Duration;

use sedge_runtime::SystemClock;
use sedge_spacetime::{Clock, Stamp};

/// Shows how long ago `origin` was on the machine's clock; less than zero before it.
#[derive(Debug)]
pub(crate) struct OffsetClock {
    machine: SystemClock,
    origin: Stamp,
}

impl OffsetClock {
    pub(crate) fn new(origin: Stamp) -> Self {
        Self {
            machine: SystemClock::new(),
            origin,
        }
    }

    /// Time 0 lies this far ahead of now.
    pub(crate) fn starting_in(lead: Duration) -> Self {
        let machine = SystemClock::new();
        let origin = machine.now() + lead;
        Self { machine, origin }
    }

    /// When time 0 is on the machine's clock.
    pub(crate) fn origin(&self) -> Stamp {
        self.origin
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Stamp {
        let since = self.machine.now().nanos();
        Stamp::from_nanos(since.saturating_sub(self.origin.nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_of_one_origin_show_the_same_time() {
        let one = OffsetClock::starting_in(Duration::from_hours(1));
        assert!(one.now() < Stamp::ZERO);
        let other = OffsetClock::new(one.origin());
        // Two readers of the machine's clock do not agree to the last microsecond.
        let apart = other.now().nanos().abs_diff(one.now().nanos());
        assert!(u128::from(apart) < Duration::from_mins(10).as_nanos());
    }
}
