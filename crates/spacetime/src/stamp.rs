//! A point in time, as integer nanoseconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

const NANOS_PER_SEC: f64 = 1e9;

/// A point in time: nanoseconds since the origin of the clock that made it.
///
/// The origin is whatever the clock says (the Unix epoch for a robot, the log's own origin for a
/// recording); stamps of different clocks must not be compared. Time is never a float inside the
/// system: [`Stamp::from_secs`] is for the boundary where other people's logs are read.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Stamp(i64);

/// Why a number is no stamp.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StampError {
    /// The seconds are not finite or do not fit in 64 bits of nanoseconds.
    #[error("expected a finite time within +-292 years in seconds, got {secs}")]
    OutOfRange {
        /// What came.
        secs: f64,
    },
}

impl Stamp {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds since the clock's origin.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds since the clock's origin, rounded to the nearest nanosecond.
    ///
    /// # Errors
    /// [`StampError::OutOfRange`] for NaN, infinities and times that do not fit.
    pub fn from_secs(secs: f64) -> Result<Self, StampError> {
        let nanos = (secs * NANOS_PER_SEC).round();
        if nanos.is_finite() && nanos.abs() < i64::MAX as f64 {
            Ok(Self(nanos as i64))
        } else {
            Err(StampError::OutOfRange { secs })
        }
    }

    /// Nanoseconds since the clock's origin.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds since the clock's origin, for display and for models (rounded to `f64`).
    pub fn secs(self) -> f64 {
        self.0 as f64 / NANOS_PER_SEC
    }

    /// Signed seconds from `earlier` to `self`.
    pub fn secs_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / NANOS_PER_SEC
    }

    /// The time since `earlier`, or `None` if `earlier` is later.
    pub fn checked_since(self, earlier: Self) -> Option<Duration> {
        let nanos = self.0.checked_sub(earlier.0)?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// The time since `earlier`, zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.checked_since(earlier).unwrap_or_default()
    }
}

/// Saturates at the end of time.
impl Add<Duration> for Stamp {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(rhs.as_nanos()).unwrap_or(i64::MAX)),
        )
    }
}

/// Saturates at the beginning of time.
impl Sub<Duration> for Stamp {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(rhs.as_nanos()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        write!(
            f,
            "{sign}{}.{:09} s",
            nanos / 1_000_000_000,
            nanos % 1_000_000_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_that_are_no_time_are_refused() {
        for secs in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -9.3e9] {
            assert!(Stamp::from_secs(secs).is_err(), "{secs}");
        }
    }

    #[test]
    fn seconds_round_to_the_nearest_nanosecond() {
        assert_eq!(
            Stamp::from_secs(1.234_567_891_4).unwrap().nanos(),
            1_234_567_891
        );
        assert_eq!(Stamp::from_secs(-0.5).unwrap().nanos(), -500_000_000);
    }

    #[test]
    fn arithmetic_saturates_and_never_wraps() {
        let end = Stamp::from_nanos(i64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(
            Stamp::from_nanos(i64::MIN) - Duration::MAX,
            Stamp::from_nanos(i64::MIN)
        );
        assert_eq!(Stamp::ZERO.checked_since(end), None);
        assert_eq!(Stamp::ZERO.saturating_since(end), Duration::ZERO);
    }

    #[test]
    fn display_keeps_the_sign_of_fractions() {
        assert_eq!(
            Stamp::from_nanos(-500_000_000).to_string(),
            "-0.500000000 s"
        );
        assert_eq!(
            Stamp::from_nanos(12_000_000_034).to_string(),
            "12.000000034 s"
        );
    }
}
