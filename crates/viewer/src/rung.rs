//! The rung of the degradation ladder that an agent plans on, as one lane over time.

use rerun::{StateChange, StateConfiguration};

use crate::color;

/// Rungs that are told apart; there are no longer ladders.
pub(crate) const RUNGS_MAX: usize = 16;

/// What a rung looks like in its lane: the full one as all is well, the last one as a stop.
pub(crate) fn configuration(rungs: &[String]) -> StateConfiguration {
    let shown = &rungs[..rungs.len().min(RUNGS_MAX)];
    StateConfiguration::new()
        .with_values(shown.iter().map(String::as_str))
        .with_labels(shown.iter().map(String::as_str))
        .with_colors((0..shown.len()).map(|idx| {
            let [red, green, blue] = color::of_rung(idx, shown.len());
            rerun::Color::from_rgb(red, green, blue)
        }))
}

/// Another rung is in force from now on.
pub(crate) fn change(rung: &str) -> StateChange {
    StateChange::single(rung)
}
