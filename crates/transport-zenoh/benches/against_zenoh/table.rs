//! Percentiles without trimming, and cells.

use std::time::Duration;

/// What was measured, and how often nothing came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies {
    nanos: Vec<u64>,
    pub(crate) lost: u64,
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.nanos.push(latency.as_nanos() as u64);
    }

    /// By nearest rank; zero where nothing was measured.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let mut sorted = self.nanos.clone();
        sorted.sort_unstable();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        Duration::from_nanos(sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0))
    }

    /// p50, p99, p99.9 and the maximum, in microseconds.
    pub(crate) fn cells(&self) -> String {
        let cell = |percent| format!("{:.1}", self.percentile(percent).as_secs_f64() * 1e6);
        [50.0, 99.0, 99.9, 100.0].map(cell).join(" | ")
    }
}

/// How many times one is the other.
pub(crate) fn ratio(ours: Duration, theirs: Duration) -> String {
    if theirs.is_zero() {
        return "-".to_string();
    }
    format!("{:.2}x", ours.as_secs_f64() / theirs.as_secs_f64())
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median and range, in whole messages a second.
pub(crate) fn spread(values: &mut [f64]) -> String {
    let middle = median(values);
    format!(
        "{middle:.0} ({:.0} to {:.0})",
        values[0],
        values[values.len() - 1]
    )
}
