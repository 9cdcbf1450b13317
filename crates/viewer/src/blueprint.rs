//! The screen a recording opens to.
//!
//! Left the world from above, the camera on the first robot; right what was predicted beside what
//! came, the errors and the times taken by stage.

use std::collections::BTreeSet;
use std::time::Duration;

use rerun::blueprint::components::ContainerKind;
use rerun::{EntityPath, RecordingStream, RecordingStreamError, datatypes};
use sedge_spacetime::AgentName;

use crate::blueprint_writer::{self, Child, Eye, ViewSpec, Writer, Written};
use crate::error::METRICS;
use crate::path;

/// Agents and horizons that get views of their own; the rest is still in the recording.
const AGENTS_MAX: usize = 32;
const HORIZONS_MAX: usize = 4;
/// Height of the camera over the world and over the scanner in the views of what came, in metres:
/// a bit less than what is then seen from side to side.
pub(crate) const WORLD_CAMERA_HEIGHT_M: f32 = 14.0;
const CAMERA_HEIGHT_M: f32 = 10.0;
/// How far ahead of the scanner that camera looks: most beams point forward. In metres.
const CAMERA_AHEAD_M: f32 = 2.0;

/// Which agents and horizons the screen has, and whether a recording knows it.
#[derive(Debug)]
pub(crate) struct Screen {
    agents: BTreeSet<AgentName>,
    horizons: BTreeSet<Duration>,
    /// Whether somebody has a degradation ladder.
    has_ladder: bool,
}

impl Screen {
    /// A screen of the usual horizons, 0.5, 1 and 2 s.
    pub(crate) fn new() -> Self {
        let horizons = [500, 1000, 2000].map(Duration::from_millis).into();
        Self {
            agents: BTreeSet::new(),
            horizons,
            has_ladder: false,
        }
    }

    /// Takes note of what is drawn; true when the screen changed and must be sent (again).
    pub(crate) fn notice(&mut self, agent: &AgentName, horizon: Option<Duration>) -> bool {
        let new_agent = !self.agents.contains(agent) && self.agents.len() < AGENTS_MAX;
        if new_agent {
            self.agents.insert(agent.clone());
        }
        let horizon = horizon.filter(|_| self.horizons.len() < HORIZONS_MAX);
        let new_horizon = horizon.is_some_and(|horizon| self.horizons.insert(horizon));
        new_agent || new_horizon
    }

    /// Takes note that an agent has a degradation ladder; true the first time, when the screen
    /// changes.
    pub(crate) fn notice_ladder(&mut self) -> bool {
        !std::mem::replace(&mut self.has_ladder, true)
    }

    /// Sends the screen into a recording, as the default and at once.
    pub(crate) fn send(&self, recording: &RecordingStream) -> Result<(), RecordingStreamError> {
        blueprint_writer::send(recording, |writer| ScreenWriter { writer }.write(self))
    }
}

/// The screen's parts, one by one.
struct ScreenWriter<'a> {
    writer: &'a mut Writer,
}

impl ScreenWriter<'_> {
    fn write(mut self, screen: &Screen) -> Written<()> {
        let world = self.world(screen)?;
        let arrived = self.arrived(screen)?;
        let errors = self.errors(screen)?;
        let latency = self.latency()?;
        let log = self.log()?;
        let times = self.writer.container(
            ContainerKind::Horizontal,
            &[Child::new(latency, 1.0), Child::new(log, 1.0)],
        )?;
        let mut right = vec![
            Child::new(arrived, 3.5),
            Child::new(errors, 4.0),
            Child::new(times, if screen.has_ladder { 4.0 } else { 2.2 }),
        ];
        if screen.has_ladder {
            right.push(Child::new(self.rungs()?, 1.6));
        }
        let right = self.writer.container(ContainerKind::Vertical, &right)?;
        self.writer.container(
            ContainerKind::Horizontal,
            &[Child::new(world, 5.0), Child::new(right, 6.0)],
        )?;
        Ok(())
    }

    /// The world from above.
    fn world(&mut self, screen: &Screen) -> Written<EntityPath> {
        let view = self.writer.view(&ViewSpec {
            class: "3D",
            name: "World from above: scan, and the scans to come".to_owned(),
            origin: path::entity(&["world"]),
            contents: vec!["$origin/**".to_owned()],
        })?;
        self.top_down(&view, screen.agents.first())?;
        for agent in &screen.agents {
            let trail = path::entity(&["world", agent.as_str(), "trajectory"]);
            let always = datatypes::TimeRangeBoundary::Infinite;
            self.writer.show_until_now(&view, &trail, always)?;
        }
        Ok(view)
    }

    /// What was predicted beside what came, one view per horizon, for the first agent.
    fn arrived(&mut self, screen: &Screen) -> Written<EntityPath> {
        let mut views = Vec::new();
        let first = screen.agents.first().map_or("", AgentName::as_str);
        for horizon in &screen.horizons {
            let horizon = path::horizon(*horizon);
            let view = self.writer.view(&ViewSpec {
                class: "3D",
                name: format!("{horizon} ahead: predicted, came"),
                origin: path::entity(&["arrived", first, &horizon]),
                contents: vec!["$origin/**".to_owned()],
            })?;
            self.top_down(&view, None)?;
            views.push(Child::new(view, 1.0));
        }
        self.writer.container(ContainerKind::Horizontal, &views)
    }

    /// Errors over time, one tab per metric.
    fn errors(&mut self, screen: &Screen) -> Written<EntityPath> {
        let names = ["Mean absolute error (m)", "Share within 10 cm"];
        let mut tabs = Vec::new();
        for (metric, name) in METRICS.into_iter().zip(names) {
            let mut contents = Vec::new();
            for agent in &screen.agents {
                for horizon in &screen.horizons {
                    let series =
                        path::entity(&["error", agent.as_str(), &path::horizon(*horizon), metric]);
                    contents.push(format!("+ {series}/**"));
                }
            }
            let view = self.writer.view(&ViewSpec {
                class: "TimeSeries",
                name: name.to_owned(),
                origin: path::entity(&["error"]),
                contents,
            })?;
            self.writer.plot(&view)?;
            tabs.push(Child::new(view, 1.0));
        }
        self.writer.container(ContainerKind::Tabs, &tabs)
    }

    /// What stages take, beside their budgets.
    fn latency(&mut self) -> Written<EntityPath> {
        let view = self.writer.view(&ViewSpec {
            class: "TimeSeries",
            name: "Time taken (µs)".to_owned(),
            origin: path::entity(&["latency"]),
            contents: vec!["$origin/**".to_owned()],
        })?;
        self.writer.plot(&view)?;
        Ok(view)
    }

    /// The rung of the degradation ladder, over time.
    fn rungs(&mut self) -> Written<EntityPath> {
        self.writer.view(&ViewSpec {
            class: "StateTimeline",
            name: "Rung of the ladder".to_owned(),
            origin: path::entity(&["rungs"]),
            contents: vec!["$origin/**".to_owned()],
        })
    }

    fn log(&mut self) -> Written<EntityPath> {
        self.writer.view(&ViewSpec {
            class: "TextLog",
            name: "Log".to_owned(),
            origin: path::entity(&["log"]),
            contents: vec!["$origin/**".to_owned()],
        })
    }

    /// Straight down from above; north up on a robot that is followed, else forward up.
    fn top_down(&self, view: &EntityPath, followed: Option<&AgentName>) -> Written<()> {
        let (up, ahead_m, height_m) = match followed {
            Some(_) => ([0.0, 1.0, 0.0], 0.0, WORLD_CAMERA_HEIGHT_M),
            None => ([1.0, 0.0, 0.0], CAMERA_AHEAD_M, CAMERA_HEIGHT_M),
        };
        let follow = |agent: &AgentName| path::entity(&["world", agent.as_str(), "followed"]);
        let eye = Eye {
            position_m: [ahead_m, 0.0, height_m],
            target_m: [ahead_m, 0.0, 0.0],
            up,
            tracked: followed.map(follow),
            grid_m: 1.0,
        };
        self.writer.eye(view, &eye)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_changes_only_for_agents_and_horizons_it_lacks() {
        let agent = |name: &str| AgentName::new(name).unwrap();
        let mut screen = Screen::new();
        assert!(screen.notice(&agent("crane1"), None));
        assert!(!screen.notice(&agent("crane1"), Some(Duration::from_secs(1))));
        assert!(screen.notice(&agent("crane2"), None));
        assert!(screen.notice(&agent("crane1"), Some(Duration::from_secs(4))));
        assert!(
            !screen.notice(&agent("crane1"), Some(Duration::from_secs(5))),
            "full"
        );
        assert!(screen.notice_ladder());
        assert!(!screen.notice_ladder());
    }

    #[test]
    fn a_swarm_cannot_make_the_screen_grow_without_end() {
        let mut screen = Screen::new();
        let changes = (0..1000)
            .filter(|i| screen.notice(&AgentName::new(format!("crane{i}")).unwrap(), None))
            .count();
        assert_eq!(changes, AGENTS_MAX);
    }
}
