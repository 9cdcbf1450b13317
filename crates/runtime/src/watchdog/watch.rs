//! What a watchdog makes of a pulse: stamps in, alarms out.

use std::time::Duration;

use sedge_spacetime::Stamp;

use super::Pulse;

/// A watched loop that waits is looked at this often at least: a clock that jumped must not put a
/// watchdog to sleep.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);

/// What a look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Nothing.
    None,
    /// The tick that began then has not ended within the bound.
    Stalled { since: Stamp },
    /// It still has not ended.
    Still,
    /// The tick that began then has ended.
    Over { since: Stamp },
}

/// Judges ticks by one bound.
#[derive(Debug)]
pub(super) struct Watch {
    stall_max: Duration,
    /// The tick that stalled, and when the alarm was last given.
    stalled: Option<(Stamp, Stamp)>,
}

impl Watch {
    pub(super) fn new(stall_max: Duration) -> Self {
        Self {
            stall_max,
            stalled: None,
        }
    }

    /// Looks at `now`. The alarm of the pulse is raised before a stall is said, and cleared when
    /// it is over.
    pub(super) fn look(&mut self, now: Stamp, pulse: &Pulse) -> Alarm {
        let busy_since = pulse.busy_since();
        if let Some((since, said)) = &mut self.stalled {
            let since = *since;
            if busy_since != Some(since) {
                self.stalled = None;
                pulse.clear();
                return Alarm::Over { since };
            }
            if now < *said + self.repeat() {
                return Alarm::None;
            }
            self.stalled = Some((since, now));
            return Alarm::Still;
        }
        match busy_since {
            Some(since) if now >= since + self.stall_max => {
                self.stalled = Some((since, now));
                pulse.raise();
                Alarm::Stalled { since }
            }
            _ => Alarm::None,
        }
    }

    /// How long it may sleep: to the moment when the tick in hand has stalled, or when one that
    /// begins right now would have.
    pub(super) fn next_look(&self, now: Stamp, pulse: &Pulse) -> Duration {
        let at = match (self.stalled, pulse.busy_since()) {
            (Some((_, said)), _) => said + self.repeat(),
            (None, Some(since)) => since + self.stall_max,
            (None, None) => now + self.stall_max,
        };
        at.saturating_since(now).min(LOOK_EVERY_MAX)
    }

    /// A stop is repeated this often: each of its commands is executed for longer.
    fn repeat(&self) -> Duration {
        self.stall_max / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(100);

    fn millis(millis: i64) -> Stamp {
        Stamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_tick_is_stalled_at_its_bound_and_not_before() {
        let (mut watch, pulse) = (Watch::new(BOUND), Pulse::default());
        assert_eq!(watch.look(millis(0), &pulse), Alarm::None);
        assert_eq!(watch.next_look(millis(0), &pulse), BOUND);
        pulse.begin(millis(30));
        assert_eq!(watch.look(millis(100), &pulse), Alarm::None);
        // It sleeps to the very moment.
        let left = watch.next_look(millis(100), &pulse);
        assert_eq!(left, Duration::from_millis(30));
        let since = millis(30);
        assert!(!pulse.is_alarmed());
        assert_eq!(watch.look(millis(130), &pulse), Alarm::Stalled { since });
        assert!(pulse.is_alarmed());
        assert_eq!(watch.look(millis(131), &pulse), Alarm::None);
        assert_eq!(
            watch.next_look(millis(131), &pulse),
            Duration::from_millis(49)
        );
        assert_eq!(watch.look(millis(180), &pulse), Alarm::Still);
        pulse.end();
        assert_eq!(watch.look(millis(181), &pulse), Alarm::Over { since });
        assert!(!pulse.is_alarmed());
        assert_eq!(watch.look(millis(900), &pulse), Alarm::None);
    }

    #[test]
    fn a_loop_that_waits_never_stalls_and_one_that_goes_on_is_released() {
        let (mut watch, pulse) = (Watch::new(BOUND), Pulse::default());
        assert_eq!(watch.look(millis(1_000_000), &pulse), Alarm::None);
        for tick in 0..100 {
            pulse.begin(millis(10 * tick));
            assert_eq!(watch.look(millis(10 * tick + 99), &pulse), Alarm::None);
        }
        let since = millis(990);
        assert_eq!(watch.look(millis(2_000), &pulse), Alarm::Stalled { since });
        // The next tick begins before anybody looks: that one is not stalled.
        pulse.begin(millis(2_001));
        assert_eq!(watch.look(millis(2_001), &pulse), Alarm::Over { since });
        assert_eq!(watch.look(millis(2_100), &pulse), Alarm::None);
    }
}
