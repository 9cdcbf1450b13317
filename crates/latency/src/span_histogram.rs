//! One stage's spans, in bounded memory.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest span that is told apart from longer ones; longer ones count as this and as
/// saturated. A minute is far past any budget of a robot, so what is beyond it is only "lost".
pub const SPAN_MAX: Duration = Duration::from_mins(1);

const SPAN_NANOS_MAX: u64 = 60_000_000_000;
/// 0.1 % is finer than any budget needs and costs about 200 kB a stage.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Spans from 1 ns to [`SPAN_MAX`] at three significant digits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpanHistogram {
    histogram: Histogram<u64>,
    n_saturated: u64,
    /// Exact, unlike the histogram's own.
    max_nanos: u64,
}

impl SpanHistogram {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, SPAN_NANOS_MAX, SIGNIFICANT_DIGITS)
            .expect("the bounds are constants that hdrhistogram accepts");
        Self {
            histogram,
            n_saturated: 0,
            max_nanos: 0,
        }
    }

    pub(crate) fn record(&mut self, span: Duration) {
        if span > SPAN_MAX {
            self.n_saturated += 1;
        }
        let nanos = span.min(SPAN_MAX).as_nanos() as u64;
        self.max_nanos = self.max_nanos.max(nanos);
        self.histogram.saturating_record(nanos.max(1));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("both histograms have the same bounds");
        self.n_saturated += other.n_saturated;
        self.max_nanos = self.max_nanos.max(other.max_nanos);
    }

    pub(crate) fn len(&self) -> u64 {
        self.histogram.len()
    }

    pub(crate) fn n_saturated(&self) -> u64 {
        self.n_saturated
    }

    pub(crate) fn max_nanos(&self) -> u64 {
        self.max_nanos
    }

    /// The smallest span that at least this share of the spans does not exceed, within 0.1 %.
    pub(crate) fn quantile_nanos(&self, share: f64) -> u64 {
        // A bucket's upper end may lie past the longest span that is in it.
        self.histogram.value_at_quantile(share).min(self.max_nanos)
    }
}
