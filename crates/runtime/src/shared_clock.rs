//! A clock that several machines are kept to.

use std::time::Duration;

use sedge_spacetime::AgentName;
use serde::Deserialize;

use crate::SystemClock;

/// What keeps the clocks of several machines together, such as PTP or NTP: they give it the same
/// name, and compare stamps. Without, a machine's clock is its own, and nobody elsewhere is heard
/// whose words are worth nothing without their age.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedClock {
    /// Its name, the same on all machines.
    pub name: AgentName,
    /// How far this machine's clock may be off, either way, in microseconds, up to a second. What
    /// it sends says so. `sedge doctor` measures it from another machine.
    pub error_micros_max: u64,
}

/// Why a shared clock is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected clock.error_micros_max of at most {}, got {got}",
    SharedClock::ERROR_MICROS_MAX
)]
pub struct SharedClockError {
    got: u64,
}

impl SharedClock {
    /// A clock that may be off by more keeps nothing together.
    pub const ERROR_MICROS_MAX: u64 = 1_000_000;

    /// The name of the clock that a program goes by, and how far that may be off: the shared one,
    /// or the machine's own, which no other has.
    ///
    /// # Errors
    /// [`SharedClockError`] where a shared clock may be off by more than a second.
    pub fn or_own(shared: Option<&Self>) -> Result<(Option<String>, Duration), SharedClockError> {
        let Some(Self {
            name,
            error_micros_max: got,
        }) = shared
        else {
            return Ok((SystemClock::domain(), Duration::ZERO));
        };
        if *got > Self::ERROR_MICROS_MAX {
            return Err(SharedClockError { got: *got });
        }
        Ok((Some(name.to_string()), Duration::from_micros(*got)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_clock_has_a_name_and_a_bound_and_nobody_elses_clock_has_ours() {
        let shared = |error_micros_max| SharedClock {
            name: AgentName::new("fleet").unwrap(),
            error_micros_max,
        };
        let kept = SharedClock::or_own(Some(&shared(500)));
        let expected = (Some("fleet".to_owned()), Duration::from_micros(500));
        assert_eq!(kept, Ok(expected));
        let own = SharedClock::or_own(None);
        assert_eq!(own, Ok((SystemClock::domain(), Duration::ZERO)));
        let error = SharedClock::or_own(Some(&shared(1_000_001))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected clock.error_micros_max of at most 1000000, got 1000001"
        );
    }
}
