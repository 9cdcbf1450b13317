//! What a running relay can be told, one line an order.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::quantities::{BitRate, Percent, QuantityError, TimeSpan};

/// One way through a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From those who dial the relay to the endpoint that it dials.
    Forward,
    /// From the endpoint that it dials to those who dial the relay.
    Back,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Back => "back",
        })
    }
}

/// A cut of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The one direction that is cut; none for both.
    pub only: Option<Direction>,
    /// Heals by itself after this long; none for when it is told to.
    pub heals_after: Option<Duration>,
}

/// An order to a running relay. As text: `cut`, `cut 10s`, `cut forward`, `cut back 10s`, `heal`,
/// `reset`, `delay 20ms`, `jitter 5ms`, `loss 5%`, `duplicate 1%`, `reorder 2%`, `rate 10Mbit/s`,
/// `rate none`, `stats`, `quit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RelayOrder {
    /// Lets nothing through.
    Cut(Cut),
    /// Ends a cut.
    Heal,
    /// Resets every TCP connection and forgets every UDP sender; who comes again is let through.
    Reset,
    /// How long everything takes from now on.
    Delay(TimeSpan),
    /// By how much that varies.
    Jitter(TimeSpan),
    /// Which share is lost.
    Loss(Percent),
    /// Which share comes twice.
    Duplicate(Percent),
    /// Which share comes after what was sent later.
    Reorder(Percent),
    /// How much fits through; none for no limit.
    Rate(Option<BitRate>),
    /// Says what went through so far.
    Stats,
    /// Ends the relay.
    Quit,
}

/// Why a line is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The first word is none.
    #[error(
        "expected cut, heal, reset, delay, jitter, loss, duplicate, reorder, rate, stats or quit, \
         got {got:?}"
    )]
    Unknown {
        /// What came, cut to 64 characters.
        got: String,
    },
    /// Words are missing or too many.
    #[error("expected {form}, got {got:?}")]
    Form {
        /// How the order is written.
        form: &'static str,
        /// What came, cut to 64 characters.
        got: String,
    },
    /// The quantity is none.
    #[error("{order}: {source}")]
    Quantity {
        /// The order.
        order: &'static str,
        /// What is wrong with it.
        source: QuantityError,
    },
}

impl FromStr for RelayOrder {
    type Err = OrderError;
    fn from_str(line: &str) -> Result<Self, OrderError> {
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        let got = || line.trim().chars().take(64).collect();
        let form = |form| OrderError::Form { form, got: got() };
        match words[..] {
            ["cut", ref rest @ ..] => {
                Ok(Self::Cut(parse_cut(rest).ok_or_else(|| {
                    form("cut, cut 10s, cut forward, cut back or cut forward 10s")
                })?))
            }
            ["heal"] => Ok(Self::Heal),
            ["reset"] => Ok(Self::Reset),
            ["delay", span] => Ok(Self::Delay(quantity("delay", span)?)),
            ["jitter", span] => Ok(Self::Jitter(quantity("jitter", span)?)),
            ["loss", share] => Ok(Self::Loss(quantity("loss", share)?)),
            ["duplicate", share] => Ok(Self::Duplicate(quantity("duplicate", share)?)),
            ["reorder", share] => Ok(Self::Reorder(quantity("reorder", share)?)),
            ["rate", "none"] => Ok(Self::Rate(None)),
            ["rate", rate] => Ok(Self::Rate(Some(quantity("rate", rate)?))),
            ["stats"] => Ok(Self::Stats),
            ["quit"] => Ok(Self::Quit),
            ["heal" | "reset" | "stats" | "quit", ..] => Err(form("a word alone")),
            ["delay" | "jitter", ..] => Err(form("one time, such as delay 20ms")),
            ["loss" | "duplicate" | "reorder", ..] => Err(form("one share, such as loss 5%")),
            ["rate", ..] => Err(form("one rate, such as rate 10Mbit/s, or rate none")),
            _ => Err(OrderError::Unknown { got: got() }),
        }
    }
}

fn parse_cut(words: &[&str]) -> Option<Cut> {
    let (only, rest) = match words {
        ["forward", rest @ ..] => (Some(Direction::Forward), rest),
        ["back", rest @ ..] => (Some(Direction::Back), rest),
        rest => (None, rest),
    };
    let heals_after = match rest {
        [] => None,
        [span] => Some(span.parse::<TimeSpan>().ok()?.0),
        _ => return None,
    };
    Some(Cut { only, heals_after })
}

fn quantity<Q: FromStr<Err = QuantityError>>(
    order: &'static str,
    text: &str,
) -> Result<Q, OrderError> {
    text.parse()
        .map_err(|source| OrderError::Quantity { order, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_order() {
        let check = |line: &str, expected: RelayOrder| {
            assert_eq!(line.parse(), Ok(expected), "{line}");
        };
        let cut = |only, secs: Option<u64>| {
            RelayOrder::Cut(Cut {
                only,
                heals_after: secs.map(Duration::from_secs),
            })
        };
        check("cut", cut(None, None));
        check(" cut  10s ", cut(None, Some(10)));
        check("cut forward", cut(Some(Direction::Forward), None));
        check("cut back 1s", cut(Some(Direction::Back), Some(1)));
        check("heal", RelayOrder::Heal);
        check("reset", RelayOrder::Reset);
        check(
            "delay 20ms",
            RelayOrder::Delay(TimeSpan(Duration::from_millis(20))),
        );
        check("loss 20%", RelayOrder::Loss("20%".parse().unwrap()));
        check("rate none", RelayOrder::Rate(None));
        check(
            "rate 1Mbit/s",
            RelayOrder::Rate(Some("1Mbit/s".parse().unwrap())),
        );
        check("quit", RelayOrder::Quit);
    }

    #[test]
    fn a_line_that_is_none_says_what_was_expected() {
        let check = |line: &str, expected: &str| {
            let error = line.parse::<RelayOrder>().unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        };
        check("", "expected cut, heal");
        check("explode", "\"explode\"");
        check("loss", "such as loss 5%");
        check("loss 5", "loss: expected a share");
        check("loss 5% 6%", "such as loss 5%");
        check("cut sideways", "cut forward");
        check("cut 1s 2s", "cut forward");
        check("heal now", "a word alone");
        check("rate 10", "rate: expected a rate");
        check("delay fast", "delay: expected a time");
    }
}
