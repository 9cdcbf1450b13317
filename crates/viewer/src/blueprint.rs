//! The screen a recording opens to.
//!
//! Left the world from above, the camera on the first robot; right what was predicted beside what
//! came, the errors and the times taken by stage. It is written as blueprint entities by hand:
//! the SDK's builder has no way to place a 3D camera or to show the whole trail of one entity.

use std::collections::BTreeSet;
use std::time::Duration;

use rerun::blueprint::components::{
    BackgroundKind, ContainerKind, Corner2D, PanelState, PlayState,
};
use rerun::blueprint::{BlueprintActivation, components as parts};
use rerun::external::re_log_types::{BlueprintActivationCommand, LogMsg};
use rerun::external::re_sdk_types::blueprint::archetypes::{
    Background, ContainerBlueprint, EyeControls3D, LineGrid3D, PanelBlueprint, PlotLegend,
    ScalarAxis, TimePanelBlueprint, ViewBlueprint, ViewContents, ViewportBlueprint,
    VisibleTimeRanges,
};
use rerun::{
    AsComponents, EntityPath, RecordingStream, RecordingStreamBuilder, RecordingStreamError,
    datatypes,
};
use sedge_spacetime::AgentName;

use crate::error::METRICS;
use crate::{color, path};

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
}

impl Screen {
    /// A screen of the usual horizons, 0.5, 1 and 2 s.
    pub(crate) fn new() -> Self {
        let horizons = [500, 1000, 2000].map(Duration::from_millis).into();
        Self {
            agents: BTreeSet::new(),
            horizons,
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

    /// Sends the screen into a recording, as the default and at once.
    pub(crate) fn send(&self, recording: &RecordingStream) -> Result<(), RecordingStreamError> {
        let Some(info) = recording.store_info() else {
            return Ok(());
        };
        let (stream, storage) = RecordingStreamBuilder::new(info.application_id().clone())
            .send_properties(false)
            .blueprint()
            .memory()?;
        stream.set_log_time_enabled(false);
        stream.set_time_sequence("blueprint", 0);
        Writer { stream, n_ids: 0 }.write(self)?;
        let messages = storage.take();
        let Some(blueprint_id) = messages
            .first()
            .map(|first: &LogMsg| first.store_id().clone())
        else {
            return Ok(());
        };
        let BlueprintActivation {
            make_active,
            make_default,
        } = BlueprintActivation::default();
        recording.send_blueprint(
            messages,
            BlueprintActivationCommand {
                blueprint_id,
                make_active,
                make_default,
            },
        );
        Ok(())
    }
}

/// What stands in a container: where, and how wide or high beside its neighbours.
struct Child {
    path: EntityPath,
    share: f32,
}

/// A view to be written.
struct ViewSpec<'a> {
    class: &'a str,
    name: String,
    origin: EntityPath,
    contents: Vec<String>,
}

type Written<T> = Result<T, RecordingStreamError>;

/// Writes views and containers with ids in the order of writing, the same each time.
struct Writer {
    stream: RecordingStream,
    n_ids: u128,
}

impl Writer {
    fn write(mut self, screen: &Screen) -> Written<()> {
        let world = self.world(screen)?;
        let arrived = self.arrived(screen)?;
        let errors = self.errors(screen)?;
        let latency = self.latency()?;
        let log = self.log()?;
        let times = self.container(
            ContainerKind::Horizontal,
            &[
                Child {
                    path: latency,
                    share: 1.0,
                },
                Child {
                    path: log,
                    share: 1.0,
                },
            ],
        )?;
        let right = self.container(
            ContainerKind::Vertical,
            &[
                Child {
                    path: arrived,
                    share: 3.5,
                },
                Child {
                    path: errors,
                    share: 4.0,
                },
                Child {
                    path: times,
                    share: 2.2,
                },
            ],
        )?;
        self.container(
            ContainerKind::Horizontal,
            &[
                Child {
                    path: world,
                    share: 5.0,
                },
                Child {
                    path: right,
                    share: 6.0,
                },
            ],
        )?;
        let root = datatypes::Uuid {
            bytes: self.n_ids.to_be_bytes(),
        };
        let viewport = ViewportBlueprint::new()
            .with_root_container(root)
            .with_auto_views(false);
        self.stream.log("viewport", &viewport)?;
        self.panels()
    }

    /// The time panel stays as one line that follows the newest data; the rest is one click away.
    fn panels(&self) -> Written<()> {
        let hidden = PanelBlueprint::new().with_state(PanelState::Hidden);
        self.stream.log("blueprint_panel", &hidden)?;
        self.stream.log("selection_panel", &hidden)?;
        let time = TimePanelBlueprint::new()
            .with_state(PanelState::Collapsed)
            .with_timeline(path::TIMELINE)
            .with_play_state(PlayState::Following);
        self.stream.log("time_panel", &time)
    }

    /// The world from above.
    fn world(&mut self, screen: &Screen) -> Written<EntityPath> {
        let view = self.view(&ViewSpec {
            class: "3D",
            name: "World from above: scan, and the scans to come".to_owned(),
            origin: path::entity(&["world"]),
            contents: vec!["$origin/**".to_owned()],
        })?;
        self.top_down(&view, screen.agents.first())?;
        for agent in &screen.agents {
            let trail = path::entity(&["world", agent.as_str(), "trajectory"]);
            self.show_all_until_now(&view, &trail)?;
        }
        Ok(view)
    }

    /// What was predicted beside what came, one view per horizon, for the first agent.
    fn arrived(&mut self, screen: &Screen) -> Written<EntityPath> {
        let mut views = Vec::new();
        let first = screen.agents.first().map_or("", AgentName::as_str);
        for horizon in &screen.horizons {
            let horizon = path::horizon(*horizon);
            let view = self.view(&ViewSpec {
                class: "3D",
                name: format!("{horizon} ahead: predicted, came"),
                origin: path::entity(&["arrived", first, &horizon]),
                contents: vec!["$origin/**".to_owned()],
            })?;
            self.top_down(&view, None)?;
            views.push(Child {
                path: view,
                share: 1.0,
            });
        }
        self.container(ContainerKind::Horizontal, &views)
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
            let view = self.view(&ViewSpec {
                class: "TimeSeries",
                name: name.to_owned(),
                origin: path::entity(&["error"]),
                contents,
            })?;
            self.plot(&view)?;
            tabs.push(Child {
                path: view,
                share: 1.0,
            });
        }
        self.container(ContainerKind::Tabs, &tabs)
    }

    fn latency(&mut self) -> Written<EntityPath> {
        let view = self.view(&ViewSpec {
            class: "TimeSeries",
            name: "Time taken (µs)".to_owned(),
            origin: path::entity(&["latency"]),
            contents: vec!["$origin/**".to_owned()],
        })?;
        self.plot(&view)?;
        Ok(view)
    }

    fn log(&mut self) -> Written<EntityPath> {
        self.view(&ViewSpec {
            class: "TextLog",
            name: "Log".to_owned(),
            origin: path::entity(&["log"]),
            contents: vec!["$origin/**".to_owned()],
        })
    }

    fn view(&mut self, spec: &ViewSpec<'_>) -> Written<EntityPath> {
        let view = path::entity(&["view", &self.next_id()]);
        let contents = spec
            .contents
            .iter()
            .map(|rule| parts::QueryExpression::from(rule.as_str()));
        self.property(&view, "ViewContents", &ViewContents::new(contents))?;
        let blueprint = ViewBlueprint::new(spec.class)
            .with_display_name(spec.name.as_str())
            .with_space_origin(spec.origin.to_string());
        self.stream.log(view.clone(), &blueprint)?;
        Ok(view)
    }

    fn container(&mut self, kind: ContainerKind, children: &[Child]) -> Written<EntityPath> {
        let container = path::entity(&["container", &self.next_id()]);
        let contents = children.iter().map(|child| child.path.to_string());
        let shares = children.iter().map(|child| child.share);
        let blueprint = ContainerBlueprint::new(kind).with_contents(contents);
        let blueprint = match kind {
            ContainerKind::Horizontal => blueprint.with_col_shares(shares),
            ContainerKind::Vertical => blueprint.with_row_shares(shares),
            ContainerKind::Tabs | ContainerKind::Grid => blueprint,
        };
        self.stream.log(container.clone(), &blueprint)?;
        Ok(container)
    }

    /// Straight down from above; north up on a robot that is followed, else forward up.
    fn top_down(&self, view: &EntityPath, followed: Option<&AgentName>) -> Written<()> {
        let (up, ahead_m, height_m) = match followed {
            Some(_) => ([0.0, 1.0, 0.0], 0.0, WORLD_CAMERA_HEIGHT_M),
            None => ([1.0, 0.0, 0.0], CAMERA_AHEAD_M, CAMERA_HEIGHT_M),
        };
        let eye = EyeControls3D::new()
            .with_position([ahead_m, 0.0, height_m])
            .with_look_target([ahead_m, 0.0, 0.0])
            .with_eye_up(up);
        let eye = match followed {
            Some(agent) => {
                let path = path::entity(&["world", agent.as_str(), "followed"]);
                eye.with_tracking_entity(path.to_string().as_str())
            }
            None => eye,
        };
        self.property(view, "EyeControls3D", &eye)?;
        let background = Background::new(BackgroundKind::SolidColor).with_color(color::BACKGROUND);
        self.property(view, "Background", &background)?;
        let grid = LineGrid3D::new()
            .with_spacing(1.0)
            .with_stroke_width(1.0)
            .with_color(color::GRID);
        self.property(view, "LineGrid3D", &grid)
    }

    fn plot(&self, view: &EntityPath) -> Written<()> {
        self.property(
            view,
            "PlotLegend",
            &PlotLegend::new().with_corner(Corner2D::LeftTop),
        )?;
        self.property(view, "ScalarAxis", &ScalarAxis::new().with_zoom_lock(false))
    }

    /// Shows every piece of an entity up to the time cursor, not only the newest.
    fn show_all_until_now(&self, view: &EntityPath, shown: &EntityPath) -> Written<()> {
        use rerun::external::re_sdk_types::blueprint::components::VisibleTimeRange;
        let range = VisibleTimeRange(datatypes::VisibleTimeRange {
            timeline: path::TIMELINE.into(),
            range: datatypes::TimeRange {
                start: datatypes::TimeRangeBoundary::Infinite,
                end: datatypes::TimeRangeBoundary::AT_CURSOR,
            },
        });
        let overrides = view
            .join(&path::entity(&["ViewContents", "overrides"]))
            .join(shown)
            .join(&path::entity(&["visualizers"]));
        self.stream.log(overrides, &VisibleTimeRanges::new([range]))
    }

    fn property(&self, view: &EntityPath, name: &str, archetype: &dyn AsComponents) -> Written<()> {
        self.stream
            .log(view.join(&path::entity(&[name])), archetype)
    }

    /// The next id, written as the viewer reads it: a UUID.
    fn next_id(&mut self) -> String {
        self.n_ids += 1;
        format!("00000000-0000-0000-0000-{:012x}", self.n_ids)
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
