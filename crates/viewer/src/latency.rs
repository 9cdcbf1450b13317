//! Time taken per stage, over time.

use std::time::Duration;

use rerun::{Scalars, SeriesLines};

/// One measurement, in microseconds.
pub(crate) fn scalar(taken: Duration) -> Scalars {
    Scalars::single(taken.as_secs_f64() * 1e6)
}

/// How a stage's series looks; its colour is the viewer's choice, there may be any number.
pub(crate) fn style(stage: &str) -> SeriesLines {
    SeriesLines::new().with_names([stage]).with_widths([1.5])
}
