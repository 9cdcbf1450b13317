//! What each robot was doing, as one lane over time.

use std::collections::BTreeMap;

use rerun::{StateChange, StateConfiguration};
use sedge_spacetime::AgentName;

use super::mode::{RobotMode, RobotState};
use crate::path;
use crate::recorder::Recorder;

/// The mode each robot was last seen in.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    modes: BTreeMap<AgentName, RobotMode>,
}

impl Lanes {
    /// Logs the changes.
    pub(super) fn log(&mut self, recorder: &mut Recorder, state: &RobotState) {
        if self.modes.insert(state.name.clone(), state.mode) == Some(state.mode) {
            return;
        }
        let lane = path::entity(&["modes", state.name.as_str()]);
        recorder.once(&lane, configuration);
        recorder.log_at(lane, &StateChange::single(state.mode.as_str()));
    }
}

fn configuration() -> StateConfiguration {
    let modes = RobotMode::ALL;
    StateConfiguration::new()
        .with_values(modes.map(RobotMode::as_str))
        .with_labels(modes.map(RobotMode::as_str))
        .with_colors(modes.map(|mode| {
            let [red, green, blue] = mode.color();
            rerun::Color::from_rgb(red, green, blue)
        }))
}
