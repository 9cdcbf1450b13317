//! A second screen for one robot: what did it believe, and why.

use std::fs::File;
use std::io;
use std::path::Path;

use rerun::EntityPath;
use rerun::blueprint::components::ContainerKind;
use rerun::external::re_build_info::CrateVersion;
use rerun::external::re_log_encoding::{Encoder, EncodingOptions};
use rerun::external::re_log_types::{ApplicationId, LogMsg};
use sedge_spacetime::AgentName;

use super::screen::{lanes, log, plot, trails};
use crate::ViewerError;
use crate::blueprint::WORLD_CAMERA_HEIGHT_M;
use crate::blueprint_writer::{self, Child, Eye, ViewSpec, Writer, Written};
use crate::path;

/// What the world has for everybody.
const SHARED: [&str; 7] = [
    "walls", "goals", "trails", "robots", "headings", "names", "walkers",
];
/// What it has for one robot alone.
const OWN: [&str; 9] = [
    "scans",
    "fans",
    "plans",
    "doubts",
    "beliefs",
    "movers",
    "velocities",
    "neighbours",
    "intentions",
];

/// Saves the screen of one robot as a blueprint file (`.rbl`), to be opened beside a recording of
/// the same application: `rerun run.rrd crane3.rbl`.
///
/// It shows where the robot believed it was, its scan, what it saw moving and how fast, what it
/// knew of the others, the futures it imagined, the one it chose, its errors, times, modes and
/// log. A robot that was not drawn in full detail has less to show, see
/// [`SwarmScene::focus`](super::SwarmScene).
///
/// # Errors
/// [`ViewerError`] when the application id is empty or the file cannot be written.
pub fn save_robot_blueprint(
    application_id: &str,
    robot: &AgentName,
    blueprint: &Path,
) -> Result<(), ViewerError> {
    let application =
        ApplicationId::try_new(application_id).map_err(|_empty| ViewerError::NoName {
            application_id: application_id.to_owned(),
            recording_id: "any".to_owned(),
        })?;
    let written =
        blueprint_writer::messages(&application, |writer| RobotScreen { writer, robot }.write())?;
    let failed = |source| ViewerError::File {
        path: blueprint.to_owned(),
        source,
    };
    let file = File::create(blueprint).map_err(failed)?;
    let options = EncodingOptions::PROTOBUF_COMPRESSED;
    let other = |error: &dyn ToString| failed(io::Error::other(error.to_string()));
    let mut encoder =
        Encoder::new_eager(CrateVersion::LOCAL, options, file).map_err(|e| other(&e))?;
    if let Some((messages, activation)) = written {
        let activation = LogMsg::BlueprintActivationCommand(activation);
        for message in messages.iter().chain([&activation]) {
            encoder.append(message).map_err(|e| other(&e))?;
        }
    }
    encoder.finish().map_err(|e| other(&e))
}

/// The screen's parts, one by one.
struct RobotScreen<'a> {
    writer: &'a mut Writer,
    robot: &'a AgentName,
}

impl RobotScreen<'_> {
    fn write(mut self) -> Written<()> {
        let name = self.robot.as_str();
        let world = self.world()?;
        let of = |kind: &str| format!("/{kind}/{name}");
        let errors = plot(self.writer, "Prediction error (m)", &of("error/robots"))?;
        let latency = plot(
            self.writer,
            "Time by stage, worst (ms)",
            &of("latency/robots"),
        )?;
        let modes = lanes(self.writer, "What it does", &of("modes"))?;
        let rungs = lanes(self.writer, "Rung of its ladder", &of("rungs"))?;
        let does = [modes, rungs].map(|part| Child::new(part, 1.0));
        let does = self.writer.container(ContainerKind::Tabs, &does)?;
        let log = log(self.writer, "Log", &of("log"))?;
        let beside = [
            Child::new(errors, 3.0),
            Child::new(latency, 3.0),
            Child::new(does, 1.6),
            Child::new(log, 2.0),
        ];
        let beside = self.writer.container(ContainerKind::Vertical, &beside)?;
        let all = [Child::new(world, 6.4), Child::new(beside, 3.6)];
        self.writer.container(ContainerKind::Horizontal, &all)?;
        Ok(())
    }

    /// The world around the robot, north up.
    fn world(&mut self) -> Written<EntityPath> {
        let name = self.robot.as_str();
        let shared = SHARED.iter().map(|part| format!("+ /world/{part}/**"));
        let own = OWN.iter().map(|part| format!("+ /world/{part}/{name}/**"));
        let followed = path::entity(&["followed", name]);
        let view = self.writer.view(&ViewSpec {
            class: "3D",
            name: format!("What {name} believes, and what it expects"),
            origin: EntityPath::root(),
            contents: shared
                .chain(own)
                .chain([format!("+ {followed}/**")])
                .collect(),
        })?;
        let eye = Eye {
            position_m: [0.0, 0.0, WORLD_CAMERA_HEIGHT_M],
            target_m: [0.0; 3],
            up: [0.0, 1.0, 0.0],
            tracked: Some(followed),
            grid_m: 1.0,
        };
        self.writer.eye(&view, &eye)?;
        trails(self.writer, &view)?;
        Ok(view)
    }
}
