//! A clock that several machines are kept to.

use std::time::Duration;

use sedge_spacetime::AgentName;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::SystemClock;

/// A clock that may be off by more keeps nothing together.
const ERROR_MICROS_MAX: u64 = 1_000_000;

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
    #[serde(deserialize_with = "within_a_second")]
    pub error_micros_max: u64,
}

fn within_a_second<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let got = u64::deserialize(deserializer)?;
    if got > ERROR_MICROS_MAX {
        let expected = format!("expected at most {ERROR_MICROS_MAX} microseconds, got {got}");
        return Err(D::Error::custom(expected));
    }
    Ok(got)
}

impl SharedClock {
    /// The name of the clock that a program goes by, and how far that may be off: the shared one,
    /// or the machine's own, which no other has.
    pub fn or_own(shared: Option<&Self>) -> (Option<String>, Duration) {
        match shared {
            Some(clock) => {
                let error = Duration::from_micros(clock.error_micros_max);
                (Some(clock.name.to_string()), error)
            }
            None => (SystemClock::domain(), Duration::ZERO),
        }
    }
}
