//! Numbers of case files, with their limits.

use serde::Deserialize;

/// A number with limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "u64")]
pub struct Limited<const LEAST: u64, const MOST: u64>(u64);

/// Turns, rounds or messages.
pub(super) type Count = Limited<1, 10_000_000>;
/// Bytes of a payload.
pub(super) type PayloadBytes = Limited<1, 16_777_216>;
/// Turns a second.
pub(super) type RateHz = Limited<1, 10_000>;
/// Plans, samples, steps or iterations of what an engine imagines.
pub(super) type Imagined = Limited<1, 4_096>;
/// Threads of an engine.
pub(super) type Threads = Limited<1, 64>;

impl<const LEAST: u64, const MOST: u64> Limited<LEAST, MOST> {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<const LEAST: u64, const MOST: u64> TryFrom<u64> for Limited<LEAST, MOST> {
    type Error = String;

    fn try_from(n: u64) -> Result<Self, String> {
        if (LEAST..=MOST).contains(&n) {
            Ok(Self(n))
        } else {
            Err(format!("expected a number from {LEAST} to {MOST}, got {n}"))
        }
    }
}
