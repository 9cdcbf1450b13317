//! Times, shares, rates and windows as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sedge_transport::{Loss, Partition, Rate};
use serde::Deserialize;

/// The longest time that can be written: a day.
const SECS_MAX: f64 = 86_400.0;
const NANOS_PER_SEC: f64 = 1e9;
/// Longest units first, so that `ms` is not taken for `s`.
const TIME_UNITS: [(&str, f64); 5] = [
    ("min", 60.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("h", 3_600.0),
    ("s", 1.0),
];
const RATE_UNITS: [(&str, f64); 4] = [
    ("Gbit/s", 1e9),
    ("Mbit/s", 1e6),
    ("kbit/s", 1e3),
    ("bit/s", 1.0),
];
/// The slowest and the fastest rate that can be written, in bits a second.
const RATE_MIN: f64 = 8.0;
const RATE_MAX: f64 = 1e12;

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got:?}")]
pub struct QuantityError {
    /// What it should have been, with an example.
    pub expected: &'static str,
    /// What came, cut to 64 characters.
    pub got: String,
}

impl QuantityError {
    fn new(expected: &'static str, got: &str) -> Self {
        Self {
            expected,
            got: got.chars().take(64).collect(),
        }
    }
}

/// A span of time: a number and `us`, `ms`, `s`, `min` or `h`, such as `20ms`; 0 to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeSpan(pub Duration);

impl FromStr for TimeSpan {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let refuse = || QuantityError::new("a time of at most a day, such as 20ms or 1.5s", text);
        let secs = number_with_unit(text, &TIME_UNITS).ok_or_else(refuse)?;
        if secs > SECS_MAX {
            return Err(refuse());
        }
        let nanos = (secs * NANOS_PER_SEC).round();
        Ok(Self(Duration::from_nanos(nanos as u64)))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A share of a whole: a number and `%`, such as `5%`; 0 to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Percent(f64);

impl Percent {
    /// As a probability from 0 to 1.
    pub fn probability(self) -> f64 {
        self.0 / 100.0
    }
}

/// Each message on its own.
impl From<Percent> for Loss {
    fn from(share: Percent) -> Self {
        match share.probability() {
            0.0 => Self::None,
            probability => Self::Independent { probability },
        }
    }
}

impl FromStr for Percent {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        number_with_unit(text, &[("%", 1.0)])
            .filter(|percent| *percent <= 100.0)
            .map(Self)
            .ok_or_else(|| QuantityError::new("a share from 0% to 100%, such as 5%", text))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// A rate: a number above zero and `bit/s`, `kbit/s`, `Mbit/s` or `Gbit/s`, such as `10Mbit/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct BitRate(u64);

impl From<BitRate> for Rate {
    fn from(rate: BitRate) -> Self {
        Self {
            bytes_per_sec: (rate.0 / 8).max(1),
        }
    }
}

impl FromStr for BitRate {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        number_with_unit(text, &RATE_UNITS)
            .filter(|rate| (RATE_MIN..=RATE_MAX).contains(rate))
            .map(|rate| Self(rate.round() as u64))
            .ok_or_else(|| {
                let expected = "a rate from 8bit/s to 1000Gbit/s, such as 10Mbit/s or 64kbit/s";
                QuantityError::new(expected, text)
            })
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}bit/s", self.0)
    }
}

/// A window of time since the start: two times with `..` between, such as `10s..20s`; the second
/// is later than the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeWindow {
    from: Duration,
    until: Duration,
}

impl From<TimeWindow> for Partition {
    fn from(window: TimeWindow) -> Self {
        Self {
            from: window.from,
            until: window.until,
        }
    }
}

impl FromStr for TimeWindow {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let refuse = || {
            let expected = "two times, the second later than the first, such as 10s..20s";
            QuantityError::new(expected, text)
        };
        let (from, until) = text.split_once("..").ok_or_else(refuse)?;
        let TimeSpan(from) = from.parse().or(Err(refuse()))?;
        let TimeSpan(until) = until.parse().or(Err(refuse()))?;
        if until <= from {
            return Err(refuse());
        }
        Ok(Self { from, until })
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}..{:?}", self.from, self.until)
    }
}

macro_rules! read_from_text {
    ($($quantity:ty),*) => {$(
        impl TryFrom<String> for $quantity {
            type Error = QuantityError;
            fn try_from(text: String) -> Result<Self, QuantityError> {
                text.parse()
            }
        }
    )*};
}
read_from_text!(TimeSpan, Percent, BitRate, TimeWindow);

/// A finite number of at least zero in the first unit; `None` where the text is something else.
fn number_with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let is_plain = |c: char| c.is_ascii_digit() || c == '.';
    if !number.chars().all(is_plain) {
        return None;
    }
    let value = number.parse::<f64>().ok()? * factor;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_their_unit() {
        let check = |text: &str, expected: Duration| {
            assert_eq!(text.parse(), Ok(TimeSpan(expected)), "{text}");
        };
        check("20ms", Duration::from_millis(20));
        check("1.5s", Duration::from_millis(1_500));
        check("250us", Duration::from_micros(250));
        check("2min", Duration::from_mins(2));
        check("24h", Duration::from_hours(24));
        check("0s", Duration::ZERO);
        for bad in [
            "", "20", "ms", "-1s", "1e3s", "infs", "NaNs", "25h", "1 s", "1.2.3s",
        ] {
            let error = bad.parse::<TimeSpan>().unwrap_err().to_string();
            assert!(
                error.contains("20ms") && error.contains(&format!("{bad:?}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_share_needs_its_sign_and_is_no_more_than_all() {
        let five: Percent = "5%".parse().unwrap();
        assert!((five.probability() - 0.05).abs() < 1e-12);
        for bad in ["5", "0.05", "-1%", "100.1%", "%", "inf%"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_is_in_bits_and_above_zero() {
        let check = |text: &str, bytes_per_sec: u64| {
            let rate = text.parse::<BitRate>().map(Rate::from);
            assert_eq!(rate, Ok(Rate { bytes_per_sec }), "{text}");
        };
        check("10Mbit/s", 1_250_000);
        check("64kbit/s", 8_000);
        check("0.5Gbit/s", 62_500_000);
        check("8bit/s", 1);
        for bad in ["10", "10MB/s", "7bit/s", "1001Gbit/s", "10mbit/s"] {
            assert!(bad.parse::<BitRate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_window_ends_after_it_begins() {
        let window: TimeWindow = "10s..20.5s".parse().unwrap();
        let expected = Partition {
            from: Duration::from_secs(10),
            until: Duration::from_millis(20_500),
        };
        assert_eq!(Partition::from(window), expected);
        for bad in [
            "10s",
            "10s..10s",
            "20s..10s",
            "10..20",
            "..",
            "10s..20s..30s",
        ] {
            assert!(bad.parse::<TimeWindow>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        fn check<Q: FromStr<Err = QuantityError> + fmt::Display + PartialEq + fmt::Debug>(
            text: &str,
        ) {
            let quantity: Q = text.parse().unwrap();
            assert_eq!(quantity.to_string().parse(), Ok(quantity), "{text}");
        }
        check::<TimeSpan>("20ms");
        check::<TimeSpan>("2min");
        check::<Percent>("12.5%");
        check::<BitRate>("10Mbit/s");
        check::<TimeWindow>("250ms..1.5s");
    }
}
