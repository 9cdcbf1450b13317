//! How often, how regularly and how much: arrivals in bounded memory.

use std::time::Duration;

use sedge_spacetime::Stamp;
use serde::Serialize;

/// Seconds that are kept, the running one among them: enough for a stream of 1 Hz to have a rate,
/// few enough to see one stop.
const RECENT_SECS: i64 = 5;
const NANOS_PER_SEC: i64 = 1_000_000_000;

/// The messages of one second.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    /// Counted from the first arrival.
    number: i64,
    n: u64,
    bytes: u64,
}

/// Counts arrivals; its size does not depend on how many come.
#[derive(Debug, Clone)]
pub struct Arrivals {
    n: u64,
    bytes: u64,
    ends: Option<(Stamp, Stamp)>,
    /// Welford's running mean and sum of squared differences of the gaps, in seconds.
    gap_mean_secs: f64,
    gap_squares: f64,
    gap_min_secs: f64,
    gap_max_secs: f64,
    recent: [Second; RECENT_SECS as usize],
}

/// How regularly messages came, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rhythm {
    /// Messages a second.
    pub mean_hz: f64,
    /// Standard deviation of the gaps between messages, in seconds.
    pub jitter_secs: f64,
    /// The shortest gap, in seconds.
    pub gap_min_secs: f64,
    /// The longest gap, in seconds.
    pub gap_max_secs: f64,
}

/// What came in a while, a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Flow {
    /// Messages a second.
    pub messages_per_sec: f64,
    /// Bytes of headers and payloads a second.
    pub bytes_per_sec: f64,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            n: 0,
            bytes: 0,
            ends: None,
            gap_mean_secs: 0.0,
            gap_squares: 0.0,
            gap_min_secs: f64::INFINITY,
            gap_max_secs: 0.0,
            recent: [Second::default(); RECENT_SECS as usize],
        }
    }
}

impl Arrivals {
    /// Counts a message of so many bytes; one that seems to come before its predecessor counts as
    /// coming with it.
    pub fn add(&mut self, arrival: Stamp, bytes: u64) {
        let arrival = match self.ends {
            Some((_, last)) => arrival.max(last),
            None => arrival,
        };
        if let Some((first, last)) = self.ends {
            self.add_gap(arrival.saturating_since(last).as_secs_f64());
            self.ends = Some((first, arrival));
        } else {
            self.ends = Some((arrival, arrival));
        }
        self.n += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let number = self.second_of(arrival);
        let second = &mut self.recent[(number % RECENT_SECS) as usize];
        if second.number != number {
            *second = Second {
                number,
                ..Second::default()
            };
        }
        second.n += 1;
        second.bytes = second.bytes.saturating_add(bytes);
    }

    /// `self.n` messages came before the gap.
    fn add_gap(&mut self, gap_secs: f64) {
        let before = self.gap_mean_secs;
        self.gap_mean_secs += (gap_secs - before) / self.n as f64;
        self.gap_squares += (gap_secs - before) * (gap_secs - self.gap_mean_secs);
        self.gap_min_secs = self.gap_min_secs.min(gap_secs);
        self.gap_max_secs = self.gap_max_secs.max(gap_secs);
    }

    /// Whole seconds from the first arrival on, never below zero.
    fn second_of(&self, time: Stamp) -> i64 {
        let first = self.ends.map_or(time, |(first, _)| first);
        let nanos = time.saturating_since(first).as_nanos();
        i64::try_from(nanos / NANOS_PER_SEC as u128).unwrap_or(i64::MAX)
    }

    /// Messages so far.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The mean size in bytes, or `None` before the first message.
    pub fn mean_bytes(&self) -> Option<f64> {
        (self.n > 0).then(|| self.bytes as f64 / self.n as f64)
    }

    /// Time since the last message, or `None` before the first one.
    pub fn age(&self, now: Stamp) -> Option<Duration> {
        self.ends.map(|(_, last)| now.saturating_since(last))
    }

    /// The rhythm so far, or `None` before there are two messages at two times.
    pub fn rhythm(&self) -> Option<Rhythm> {
        let (first, last) = self.ends?;
        let secs = last.saturating_since(first).as_secs_f64();
        let n_gaps = self.n - 1;
        (secs > 0.0).then(|| Rhythm {
            mean_hz: n_gaps as f64 / secs,
            jitter_secs: (self.gap_squares / n_gaps as f64).max(0.0).sqrt(),
            gap_min_secs: self.gap_min_secs,
            gap_max_secs: self.gap_max_secs,
        })
    }

    /// What came in the last whole seconds before `now`, four at most: a stream that stops fades
    /// out.
    /// `None` within the first second after the first message.
    pub fn recently(&self, now: Stamp) -> Option<Flow> {
        let (first, _) = self.ends?;
        // The second that has not ended yet is left out: it would read too low.
        let ended = self.second_of(now);
        let seconds = ended.min(RECENT_SECS - 1);
        if seconds == 0 || now < first {
            return None;
        }
        let of_them = |second: &&Second| (ended - seconds..ended).contains(&second.number);
        let recent = self.recent.iter().filter(of_them);
        let (n, bytes) = recent.fold((0_u64, 0_u64), |(n, bytes), second| {
            (n + second.n, bytes.saturating_add(second.bytes))
        });
        Some(Flow {
            messages_per_sec: n as f64 / seconds as f64,
            bytes_per_sec: bytes as f64 / seconds as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_millis(millis: i64) -> Stamp {
        Stamp::from_nanos(1_000_000_000_000 + millis * 1_000_000)
    }

    fn arrivals(at: &[i64]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for at in at {
            arrivals.add(at_millis(*at), 100);
        }
        arrivals
    }

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9, "{got} {expected}");
    }

    #[test]
    fn a_rhythm_needs_two_messages_at_two_times() {
        assert_eq!(arrivals(&[]).rhythm(), None);
        assert_eq!(arrivals(&[5]).rhythm(), None);
        assert_eq!(arrivals(&[5, 5]).rhythm(), None);
        assert!(arrivals(&[5, 6]).rhythm().is_some());
    }

    #[test]
    fn figures_are_those_of_a_hand_calculation() {
        let arrivals = arrivals(&[0, 100, 200, 400]);
        let rhythm = arrivals.rhythm().unwrap();
        close(rhythm.mean_hz, 7.5);
        close(rhythm.gap_min_secs, 0.1);
        close(rhythm.gap_max_secs, 0.2);
        // Gaps of 0.1, 0.1 and 0.2 s: the mean is 0.4/3, the variance 0.02/9.
        close(rhythm.jitter_secs, (0.02_f64 / 9.0).sqrt());
        assert_eq!((arrivals.n(), arrivals.bytes()), (4, 400));
        assert_eq!(
            arrivals.age(at_millis(450)),
            Some(Duration::from_millis(50))
        );
    }

    #[test]
    fn a_stream_that_stops_fades_out_of_the_recent_flow() {
        let times: Vec<i64> = (0..100).map(|n| n * 100).collect();
        let arrivals = arrivals(&times);
        let recently = |millis| arrivals.recently(at_millis(millis)).unwrap();
        close(recently(9_950).messages_per_sec, 10.0);
        close(recently(9_950).bytes_per_sec, 1_000.0);
        close(recently(12_000).messages_per_sec, 5.0);
        close(recently(60_000).messages_per_sec, 0.0);
        assert_eq!(arrivals.recently(at_millis(900)), None);
    }

    #[test]
    fn time_that_runs_backwards_counts_as_standing_still() {
        let rhythm = arrivals(&[0, 100, 50, 200]).rhythm().unwrap();
        close(rhythm.gap_min_secs, 0.0);
        close(rhythm.mean_hz, 15.0);
    }
}
