//! Time taken per stage, over time.

use std::time::Duration;

use rerun::{Scalars, SeriesLines};

use crate::color;

/// What is past a budget is past this.
const LIMIT_RGB: [u8; 3] = [200, 60, 40];

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

/// How the line of a budget looks.
pub(crate) fn limit_style(name: &str) -> SeriesLines {
    let [red, green, blue] = LIMIT_RGB;
    SeriesLines::new()
        .with_names([name])
        .with_colors([rerun::Color::from_rgb(red, green, blue)])
        .with_widths([1.0])
}
