//! What a link does to what goes through it.

use std::time::Duration;

/// How a link loses messages.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Loss {
    /// It does not.
    #[default]
    None,
    /// Each message on its own.
    Independent {
        /// Of losing a message, 0 to 1.
        probability: f64,
    },
    /// In bursts (Gilbert 1960, Elliott 1963): the link is good or bad, and may change before each
    /// message. A burst lasts `1 / recover` messages in the mean, and in the long run the link is
    /// bad for `fail / (fail + recover)` of them.
    Bursts {
        /// Of a good link's turning bad, 0 to 1.
        fail: f64,
        /// Of a bad link's turning good, 0 to 1.
        recover: f64,
        /// Of losing a message while the link is good, 0 to 1.
        loss_good: f64,
        /// Of losing a message while the link is bad, 0 to 1.
        loss_bad: f64,
    },
}

/// Whether messages may overtake each other by jitter alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkOrder {
    /// They may not: one that would, comes with the one before it.
    #[default]
    Kept,
    /// They may.
    Free,
}

/// Messages that are held back, so that later ones overtake them whatever the [`LinkOrder`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reordering {
    /// Of holding a message back, 0 to 1.
    pub probability: f64,
    /// By how much, on top of delay and jitter.
    pub by: Duration,
}

/// How fast a link takes messages off its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At least 1.
    pub bytes_per_sec: u64,
}

/// How much may wait for a link with a [`Rate`]; what comes beyond is dropped (tail drop). A
/// message larger than the queue passes a link that is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkQueue {
    /// Messages, at least 1.
    pub items_max: usize,
    /// Bytes.
    pub bytes_max: u64,
}

/// A MiB in a thousand messages: a second of a robot's scans at one megabyte a second.
impl Default for LinkQueue {
    fn default() -> Self {
        Self {
            items_max: 1_000,
            bytes_max: 1 << 20,
        }
    }
}

/// A time during which a link is cut, counted from the link's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// From here on.
    pub from: Duration,
    /// Until before here.
    pub until: Duration,
}

/// What a link does to what goes through it; nothing by default.
///
/// Every message that is offered meets them in this order: a cut refuses it, a full queue refuses
/// it, it waits for the link's rate, the link may lose it, it takes its delay, and a copy may come
/// behind it. What is under way when a cut begins still arrives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Impairments {
    /// Every message takes at least this long.
    pub delay: Duration,
    /// Up to this much more, evenly spread.
    pub jitter: Duration,
    /// Whether messages may overtake each other by jitter alone.
    pub order: LinkOrder,
    /// How messages are lost.
    pub loss: Loss,
    /// Of a message's coming twice, the copy with a jitter of its own, 0 to 1.
    pub duplication: f64,
    /// Which messages are held back.
    pub reordering: Reordering,
    /// How fast the link is; unlimited where `None`.
    pub rate: Option<Rate>,
    /// How much may wait for the rate.
    pub queue: LinkQueue,
    /// When the link is cut, in any order; they may overlap.
    pub partitions: Vec<Partition>,
}

/// Why impairments cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImpairmentError {
    /// A probability is none.
    #[error("expected {field} to be a probability of 0 to 1, got {got}")]
    Probability {
        /// The field.
        field: &'static str,
        /// What came.
        got: f64,
    },
    /// A number that must not be zero is.
    #[error("expected {field} to be at least 1, got 0")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// A partition ends before it begins.
    #[error("expected a partition to end after it begins, got {from:?} to {until:?}")]
    Partition {
        /// Its beginning.
        from: Duration,
        /// Its end.
        until: Duration,
    },
}

impl Impairments {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ImpairmentError`] naming the first field that cannot be used.
    pub fn check(&self) -> Result<(), ImpairmentError> {
        let probabilities = [
            ("duplication", self.duplication),
            ("reordering.probability", self.reordering.probability),
        ];
        for (field, got) in probabilities.into_iter().chain(self.loss.probabilities()) {
            if !(0.0..=1.0).contains(&got) {
                return Err(ImpairmentError::Probability { field, got });
            }
        }
        if self.rate.is_some_and(|rate| rate.bytes_per_sec == 0) {
            let field = "rate.bytes_per_sec";
            return Err(ImpairmentError::Zero { field });
        }
        if self.queue.items_max == 0 {
            let field = "queue.items_max";
            return Err(ImpairmentError::Zero { field });
        }
        let wrong = self.partitions.iter().find(|cut| cut.until <= cut.from);
        match wrong {
            None => Ok(()),
            Some(&Partition { from, until }) => Err(ImpairmentError::Partition { from, until }),
        }
    }

    /// Whether the link is cut this long after its start.
    pub fn is_cut_at(&self, since_start: Duration) -> bool {
        self.partitions
            .iter()
            .any(|cut| cut.from <= since_start && since_start < cut.until)
    }
}

impl Loss {
    fn probabilities(self) -> Vec<(&'static str, f64)> {
        match self {
            Self::None => Vec::new(),
            Self::Independent { probability } => vec![("loss.probability", probability)],
            Self::Bursts {
                fail,
                recover,
                loss_good,
                loss_bad,
            } => vec![
                ("loss.fail", fail),
                ("loss.recover", recover),
                ("loss.loss_good", loss_good),
                ("loss.loss_bad", loss_bad),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let check = |impairments: Impairments, expected: &str| {
            let error = impairments.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let fine = Impairments::default;
        assert_eq!(fine().check(), Ok(()));
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let loss = Loss::Independent { probability: bad };
            check(Impairments { loss, ..fine() }, "loss.probability");
            let duplication = bad;
            check(
                Impairments {
                    duplication,
                    ..fine()
                },
                "duplication",
            );
        }
        let rate = Some(Rate { bytes_per_sec: 0 });
        check(Impairments { rate, ..fine() }, "rate.bytes_per_sec");
        let empty = Partition {
            from: Duration::from_secs(1),
            until: Duration::from_secs(1),
        };
        let partitions = vec![empty];
        check(
            Impairments {
                partitions,
                ..fine()
            },
            "1s to 1s",
        );
    }

    #[test]
    fn a_partition_ends_where_it_heals() {
        let millis = Duration::from_millis;
        let impairments = Impairments {
            partitions: vec![
                Partition {
                    from: millis(10),
                    until: millis(20),
                },
                Partition {
                    from: millis(15),
                    until: millis(30),
                },
            ],
            ..Impairments::default()
        };
        let cut: Vec<u64> = (0..40)
            .filter(|at| impairments.is_cut_at(millis(*at)))
            .collect();
        assert_eq!(cut, (10..30).collect::<Vec<_>>());
    }
}
