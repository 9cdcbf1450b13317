//! A whole swarm on one screen: the world, every robot's imagined futures, and how they came out.
//!
//! A robot says what it senses, plans and believes whenever it likes; the newest of each is kept,
//! and drawn together at the beat of [`SwarmViewer::team`]. So 64 robots cost as many entities as
//! one where nobody looks closer, and their share of a fixed number of points and lines.

mod belief;
mod body;
mod cast;
mod costs;
mod counts;
mod drawing;
mod errors;
mod goals;
mod lanes;
mod latencies;
mod layer;
mod messages;
mod mode;
mod movers;
mod neighbours;
mod newest;
mod painter;
mod plan;
mod rates;
mod robot_canvas;
mod robot_screen;
mod scans;
mod scene;
mod screen;
mod swarm_viewer;
mod trails;
mod walkers;
mod walls;

pub use counts::{LayerCounts, SwarmCounts};
pub use layer::SwarmLayer;
pub use messages::MessageFlow;
pub use mode::{RobotMode, RobotState};
pub use movers::SeenMover;
pub use neighbours::SeenNeighbour;
pub use plan::{FanLine, ImaginedPlan, PlanHorizon};
pub use rates::SwarmRates;
pub use robot_canvas::RobotCanvas;
pub use robot_screen::save_robot_blueprint;
pub use scene::{SceneRobot, SceneWalker, SwarmScene, WallBox};
pub use swarm_viewer::SwarmViewer;

/// Whether a part of the world is drawn anew at every beat or so, and so needs no history.
pub(crate) fn shows_newest(part: &str) -> bool {
    const NEWEST: [&str; 13] = [
        "robots",
        "headings",
        "names",
        "walkers",
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
    NEWEST.contains(&part)
}

/// How high things are drawn over the floor, in metres: what matters more lies on top.
mod height {
    pub(super) const TRAIL: f32 = 0.01;
    pub(super) const GOAL: f32 = 0.015;
    pub(super) const SCAN: f32 = 0.05;
    pub(super) const FAN: f32 = 0.06;
    pub(super) const DOUBT: f32 = 0.09;
    pub(super) const PLAN: f32 = 0.11;
    pub(super) const BELIEF: f32 = 0.12;
    pub(super) const BODY: f32 = 0.3;
}
