//! How often one thing is drawn, in sensor time.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_spacetime::{AgentName, Stamp};

/// More things than a screen can show; when there are more, all start anew.
const THINGS_MAX: usize = 16_384;

/// What is capped: each kind of spatial drawing of each agent, by horizon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    Scan,
    Pose,
    Prediction(Duration),
    Arrived(Duration),
}

/// Lets through at most one drawing of a thing per period, on average.
#[derive(Debug)]
pub(crate) struct RateCap {
    period: Duration,
    cap: Cap<(AgentName, Layer)>,
}

impl RateCap {
    /// A cap in drawings per second of sensor time; no cap for what is not a positive number.
    pub(crate) fn new(hz_max: f64) -> Self {
        let period = Duration::try_from_secs_f64(1.0 / hz_max).unwrap_or_default();
        Self {
            period,
            cap: Cap::default(),
        }
    }

    /// Whether a drawing at this stamp is due. Time that runs backwards (a log played again)
    /// starts anew.
    pub(crate) fn admits(&mut self, agent: &AgentName, layer: Layer, stamp: Stamp) -> bool {
        self.cap.admits((agent.clone(), layer), self.period, stamp)
    }
}

/// The same for things of any kind, each with a period of its own.
#[derive(Debug)]
pub(crate) struct Cap<K> {
    /// The last stamp let through and the next stamp at which a drawing is due.
    things: BTreeMap<K, (Stamp, Stamp)>,
}

impl<K> Default for Cap<K> {
    fn default() -> Self {
        Self {
            things: BTreeMap::new(),
        }
    }
}

impl<K: Ord> Cap<K> {
    /// Whether a drawing at this stamp is due.
    pub(crate) fn admits(&mut self, key: K, period: Duration, stamp: Stamp) -> bool {
        if self.things.len() >= THINGS_MAX {
            self.things.clear();
        }
        let next_due = match self.things.get(&key) {
            Some((last, due)) if stamp >= *last => {
                if stamp < *due {
                    return false;
                }
                // A small delay is made good, so that a jittery 10 Hz sensor keeps its 10 Hz.
                let late = stamp.saturating_since(*due);
                if late < period {
                    *due + period
                } else {
                    stamp + period
                }
            }
            _ => stamp + period,
        };
        self.things.insert(key, (stamp, next_due));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(hz_max: f64, stamps_millis: &[i64]) -> Vec<i64> {
        let agent = AgentName::new("crane1").unwrap();
        let mut cap = RateCap::new(hz_max);
        let admits = |millis: &&i64| {
            cap.admits(&agent, Layer::Scan, Stamp::from_nanos(**millis * 1_000_000))
        };
        stamps_millis.iter().filter(admits).copied().collect()
    }

    #[test]
    fn a_fast_sensor_is_thinned_to_the_rate() {
        let stamps: Vec<i64> = (0..100).map(|i| i * 10).collect();
        assert_eq!(
            drawn(10.0, &stamps),
            (0..10).map(|i| i * 100).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_jittery_sensor_at_the_rate_is_not_halved() {
        let stamps: Vec<i64> = (0..100)
            .map(|i| i * 100 + [0, 9, -7, 4][i as usize % 4])
            .collect();
        assert!(drawn(10.0, &stamps).len() > 70);
    }

    #[test]
    fn a_slow_sensor_is_not_thinned() {
        assert_eq!(drawn(10.0, &[0, 500, 1000, 1100]).len(), 4);
    }

    #[test]
    fn time_that_runs_backwards_starts_anew() {
        assert_eq!(drawn(10.0, &[5000, 5050, 0, 50, 100]), [5000, 0, 100]);
    }

    #[test]
    fn a_rate_that_is_no_rate_caps_nothing() {
        for hz_max in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(drawn(hz_max, &[0, 1, 2]).len(), 3, "{hz_max}");
        }
    }

    #[test]
    fn agents_and_layers_are_capped_apart() {
        let (a, b) = (AgentName::new("a").unwrap(), AgentName::new("b").unwrap());
        let mut cap = RateCap::new(10.0);
        let half = Layer::Prediction(Duration::from_millis(500));
        let one = Layer::Prediction(Duration::from_secs(1));
        for (agent, layer) in [(&a, half), (&b, half), (&a, one), (&a, Layer::Scan)] {
            assert!(cap.admits(agent, layer, Stamp::ZERO));
            assert!(!cap.admits(agent, layer, Stamp::ZERO));
        }
    }
}
