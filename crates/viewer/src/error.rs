//! Errors over time, by horizon, beside the baselines.

use std::time::Duration;

use rerun::SeriesLines;

use crate::color::{self, Rgb};
use crate::drawing::Forecaster;
use crate::path;

/// What of an error is drawn, and how its parts of a path are called.
pub(crate) const METRICS: [&str; 2] = ["mae_m", "within_10cm"];

/// How a series looks: the model strong, the baselines ever fainter in the same colour.
pub(crate) fn style(horizon: Duration, forecaster: Forecaster) -> SeriesLines {
    let (share, width) = look(forecaster);
    let faded: Rgb = color::mix(color::BACKGROUND, color::of_horizon(horizon), share);
    SeriesLines::new()
        .with_names([format!("{} {forecaster}", path::horizon(horizon))])
        .with_colors([faded])
        .with_widths([width])
}

fn look(forecaster: Forecaster) -> (f32, f32) {
    match forecaster {
        Forecaster::Model => (1.0, 2.2),
        Forecaster::Geometry => (0.65, 1.3),
        Forecaster::Persistence => (0.42, 1.0),
    }
}
