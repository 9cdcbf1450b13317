//! Messages and beliefs drawn with Rerun.
//!
//! An agent says what it senses, believes and expects in plain Sedge values; this crate turns that
//! into a recording file, a stream to a viewer, or nothing at all. It never blocks an agent, never
//! fails it, never reads a clock (all is drawn in sensor time), and shows no type of the viewer's
//! SDK: nothing but the command line needs to know it is there.
//!
//! ```
//! use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp};
//! use sedge_viewer::{TextLevel, Viewer, ViewerConfig, ViewerTarget};
//!
//! let target: ViewerTarget = "off".parse()?;
//! let viewer = Viewer::open(&target, &ViewerConfig::new("sedge", "seed-7"))?;
//! let crane1 = AgentName::new("crane1")?;
//! let canvas = viewer.at(&crane1, Stamp::ZERO);
//! canvas.pose(Pose2::IDENTITY, &Covariance2::zero());
//! canvas.text(TextLevel::Info, "awake");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrived;
mod blueprint;
mod blueprint_writer;
mod canvas;
mod color;
mod cut;
mod drawing;
mod error;
mod film;
mod latency;
mod line;
mod painter;
mod path;
mod prediction;
mod rate;
mod recorder;
#[cfg(test)]
mod recording_contents;
mod rung;
mod scan;
mod screenshot;
mod sink;
mod swarm;
mod tally;
mod target;
mod text;
mod trajectory;
mod version;
mod viewer;

pub use canvas::Canvas;
pub use drawing::{Forecaster, ScanError, TextLevel};
pub use film::{FilmConfig, film};
pub use screenshot::{ScreenshotConfig, ScreenshotOutcome, screenshot, screenshot_at};
pub use swarm::{
    FanLine, ImaginedPlan, LayerCounts, MessageFlow, PlanHorizon, RobotCanvas, RobotMode,
    RobotState, SceneRobot, SceneWalker, SeenMover, SeenNeighbour, SwarmCounts, SwarmLayer,
    SwarmRates, SwarmScene, SwarmViewer, WallBox, save_robot_blueprint,
};
pub use tally::ViewerCounts;
pub use target::{TargetError, ViewerTarget};
pub use version::viewer_version;
pub use viewer::{FlushOutcome, QueueFull, Viewer, ViewerConfig, ViewerError};
