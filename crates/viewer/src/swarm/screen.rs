//! The cockpit: the world large, and beside it errors, latency, modes, messages and the log.

use rerun::blueprint::components::ContainerKind;
use rerun::external::re_sdk_types::blueprint::archetypes::{PlotLegend, TimeAxis};
use rerun::external::re_sdk_types::blueprint::components::LinkAxis;
use rerun::{EntityPath, RecordingStream, datatypes};

use super::scene::{Bounds, SwarmScene};
use crate::blueprint_writer::{self, Child, Eye, ViewSpec, Writer, Written};
use crate::path;

/// What of the world everybody's screen has; what single robots know is on screens of their own.
const WORLD: [&str; 10] = [
    "walls", "goals", "trails", "robots", "headings", "names", "walkers", "scans", "fans", "plans",
];
/// Horizons whose errors the team's plot has; all are in the recording.
const HORIZONS: [&str; 3] = ["0.5s", "1s", "2s"];
/// How long a way a trail shows, in nanoseconds.
const TRAIL_NANOS: i64 = 12_000_000_000;
/// A world this much longer than wide stands above the rest instead of beside it.
const WIDE: f64 = 1.5;
/// The angle from the top to the bottom of a picture that the viewer's camera sees, in radians.
const FIELD_OF_VIEW_RAD: f64 = 0.96;
/// How far the camera looks down, in radians: steep enough that nobody hides behind anybody.
const PITCH_RAD: f64 = 1.12;
/// Width over height of the view of the world, when it stands above the rest and beside it.
const ASPECT_ABOVE: f64 = 2.6;
const ASPECT_BESIDE: f64 = 1.05;
/// The camera keeps some distance.
const MARGIN: f64 = 1.08;
/// Worlds longer than this get a coarser grid, in metres.
const FINE_GRID_MAX_M: f64 = 60.0;

/// Sends the cockpit into a recording, as the default and at once.
pub(super) fn send(recording: &RecordingStream, scene: &SwarmScene) -> Written<()> {
    blueprint_writer::send(recording, |writer| Cockpit { writer, scene }.write())
}

/// The cockpit's parts, one by one.
struct Cockpit<'a> {
    writer: &'a mut Writer,
    scene: &'a SwarmScene,
}

impl Cockpit<'_> {
    fn write(mut self) -> Written<()> {
        let bounds = self.scene.bounds();
        let [long_m, short_m] = sides_m(&bounds);
        let is_wide = long_m > WIDE * short_m;
        let world = self.world(&bounds, if is_wide { ASPECT_ABOVE } else { ASPECT_BESIDE })?;
        let errors = self.errors()?;
        let latency = self.latency()?;
        let modes = self.modes()?;
        let graph = self.writer.view(&ViewSpec {
            class: "Graph",
            name: "Who sends what to whom".to_owned(),
            origin: path::entity(&["messages"]),
            contents: vec!["$origin/**".to_owned()],
        })?;
        let log = log(self.writer, "Log", "/log")?;
        let talk = [Child::new(graph, 1.0), Child::new(log, 1.0)];
        let talk = self.writer.container(ContainerKind::Tabs, &talk)?;
        let parts = [errors, modes, latency, talk].map(|part| Child::new(part, 1.0));
        if is_wide {
            let below = self.writer.container(ContainerKind::Horizontal, &parts)?;
            let all = [Child::new(world, 6.0), Child::new(below, 3.4)];
            self.writer.container(ContainerKind::Vertical, &all)?;
        } else {
            let beside = self.writer.container(ContainerKind::Vertical, &parts)?;
            let all = [Child::new(world, 6.4), Child::new(beside, 3.6)];
            self.writer.container(ContainerKind::Horizontal, &all)?;
        }
        Ok(())
    }

    /// The world from above, a little from the side.
    fn world(&mut self, bounds: &Bounds, aspect: f64) -> Written<EntityPath> {
        let shown = WORLD.iter().map(|part| format!("+ /world/{part}/**"));
        let view = self.writer.view(&ViewSpec {
            class: "3D",
            name: self.scene.title.clone(),
            origin: path::entity(&["world"]),
            contents: shown.chain(["+ /world/doubts/**".to_owned()]).collect(),
        })?;
        self.writer.eye(&view, &eye(bounds, aspect))?;
        trails(self.writer, &view)?;
        Ok(view)
    }

    /// What each robot does and, where they have a ladder, the rung that each plans on.
    fn modes(&mut self) -> Written<EntityPath> {
        let modes = lanes(self.writer, "What each robot does", "/modes")?;
        if self.scene.rungs.is_empty() {
            return Ok(modes);
        }
        let rungs = lanes(self.writer, "Rung of the ladder", "/rungs")?;
        let both = [modes, rungs].map(|part| Child::new(part, 1.0));
        self.writer.container(ContainerKind::Horizontal, &both)
    }

    /// What everybody waits for, and behind it what is usual.
    fn latency(&mut self) -> Written<EntityPath> {
        let worst = plot(self.writer, "Time by stage, worst (ms)", "/latency/worst")?;
        let median = plot(self.writer, "Median", "/latency/median")?;
        let tabs = [Child::new(worst, 1.0), Child::new(median, 1.0)];
        self.writer.container(ContainerKind::Tabs, &tabs)
    }

    /// The model beside the best geometry can do; persistence would only make the axis longer.
    fn team_errors(&mut self) -> Written<EntityPath> {
        let shown = HORIZONS.iter().flat_map(|horizon| {
            ["model", "geometry"].map(|by| format!("+ /error/team/{horizon}/{by}"))
        });
        let view = self.writer.view(&ViewSpec {
            class: "TimeSeries",
            name: "Prediction error of the team (m)".to_owned(),
            origin: path::entity(&["error", "team"]),
            contents: shown.collect(),
        })?;
        series(self.writer, &view)?;
        Ok(view)
    }

    /// Errors of the team, and behind it of every robot.
    fn errors(&mut self) -> Written<EntityPath> {
        let team = self.team_errors()?;
        let each = plot(self.writer, "Each robot (m)", "/error/everybody")?;
        // A legend of 64 names would cover the plot.
        if self.scene.robots.len() > 16 {
            let hidden = PlotLegend::new().with_visible(false);
            self.writer.property(&each, "PlotLegend", &hidden)?;
        }
        let tabs = [Child::new(team, 1.0), Child::new(each, 1.0)];
        self.writer.container(ContainerKind::Tabs, &tabs)
    }
}

/// The longer and the shorter side.
fn sides_m(bounds: &Bounds) -> [f64; 2] {
    let [width_m, depth_m] = bounds.size_m();
    [width_m.max(depth_m).max(1.0), width_m.min(depth_m)]
}

/// A camera that sees all of it, with its long side from left to right.
fn eye(bounds: &Bounds, aspect: f64) -> Eye {
    let [width_m, depth_m] = bounds.size_m();
    let center_m = bounds.center_m();
    let [long_m, short_m] = sides_m(bounds);
    let (sin, cos) = PITCH_RAD.sin_cos();
    let tan = (0.5 * FIELD_OF_VIEW_RAD).tan();
    // The near edge is nearer by this much, and so looks longer.
    let nearer_m = 0.5 * short_m * cos;
    let for_width_m = 0.5 * long_m / (tan * aspect) + nearer_m;
    let for_depth_m = 0.5 * short_m * sin / tan + nearer_m;
    let distance_m = MARGIN * for_width_m.max(for_depth_m) + 0.5;
    // Where it stands, seen from the centre: before the long side.
    let [x, y] = if width_m >= depth_m {
        [0.0, -1.0]
    } else {
        [1.0, 0.0]
    };
    let back_m = distance_m * cos;
    let position_m = [
        center_m[0] + back_m * x,
        center_m[1] + back_m * y,
        distance_m * sin,
    ];
    Eye {
        position_m: position_m.map(|x| x as f32),
        target_m: [center_m[0] as f32, center_m[1] as f32, 0.0],
        up: [0.0, 0.0, 1.0],
        tracked: None,
        grid_m: if long_m > FINE_GRID_MAX_M { 10.0 } else { 1.0 },
    }
}

/// Shows the last part of all trails.
pub(super) fn trails(writer: &Writer, view: &EntityPath) -> Written<()> {
    let from = datatypes::TimeRangeBoundary::CursorRelative((-TRAIL_NANOS).into());
    writer.show_until_now(view, &path::entity(&["world", "trails"]), from)
}

/// Series over time, all with the same time axis.
pub(super) fn plot(writer: &mut Writer, name: &str, origin: &str) -> Written<EntityPath> {
    let view = writer.view(&ViewSpec {
        class: "TimeSeries",
        name: name.to_owned(),
        origin: EntityPath::parse_forgiving(origin),
        contents: vec!["$origin/**".to_owned()],
    })?;
    series(writer, &view)?;
    Ok(view)
}

/// Settings of series over time.
fn series(writer: &Writer, view: &EntityPath) -> Written<()> {
    writer.plot(view)?;
    let axis = TimeAxis::new().with_link(LinkAxis::LinkToGlobal);
    writer.property(view, "TimeAxis", &axis)
}

/// Lanes of modes.
pub(super) fn lanes(writer: &mut Writer, name: &str, origin: &str) -> Written<EntityPath> {
    writer.view(&ViewSpec {
        class: "StateTimeline",
        name: name.to_owned(),
        origin: EntityPath::parse_forgiving(origin),
        contents: vec!["$origin/**".to_owned()],
    })
}

/// Lines of text.
pub(super) fn log(writer: &mut Writer, name: &str, origin: &str) -> Written<EntityPath> {
    writer.view(&ViewSpec {
        class: "TextLog",
        name: name.to_owned(),
        origin: EntityPath::parse_forgiving(origin),
        contents: vec!["$origin/**".to_owned()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_camera_stands_before_the_long_side_and_further_from_larger_worlds() {
        let bounds = |width_m: f64, depth_m: f64| Bounds {
            min_m: [0.0, 0.0],
            max_m: [width_m, depth_m],
        };
        let wide = eye(&bounds(20.0, 6.0), ASPECT_ABOVE);
        assert!(wide.position_m[1] < wide.target_m[1] && wide.position_m[2] > 0.0);
        let deep = eye(&bounds(6.0, 20.0), ASPECT_ABOVE);
        assert!(deep.position_m[0] > deep.target_m[0]);
        assert!((deep.position_m[2] - wide.position_m[2]).abs() < 1e-4);
        let larger = eye(&bounds(40.0, 12.0), ASPECT_ABOVE);
        assert!(larger.position_m[2] > 1.9 * wide.position_m[2] - 1.0);
    }
}
