//! Time taken per stage, over time.

use std::time::Duration;

use rerun::{Scalars, SeriesLines};

use crate::color;

/// One measurement, in microseconds.
pub(crate) fn scalar(taken: Duration) -> Scalars {
    Scalars::single(taken.as_secs_f64() * 1e6)
}

/// How the series of the `nth` stage looks.
pub(crate) fn style(stage: &str, nth: usize) -> SeriesLines {
    SeriesLines::new()
        .with_names([stage])
        .with_colors([color::nth(nth)])
        .with_widths([1.5])
}
