//! The drawing thread of a swarm: everybody's newest, at the beat of the team.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rerun::sink::SinkFlushError;
use rerun::{AsComponents, Clear};
use sedge_spacetime::{AgentName, Stamp};

use super::body::{self, Body};
use super::cast::{Cast, ROBOTS_MAX};
use super::counts::{Fate, LayerTally};
use super::drawing::{RobotPart, Subject, SwarmDrawing, TeamFrame};
use super::errors::Errors;
use super::lanes::Lanes;
use super::latencies::Latencies;
use super::layer::SwarmLayer;
use super::movers::WorldMover;
use super::neighbours::WorldNeighbour;
use super::newest::{Due, Newest};
use super::plan::WorldPlan;
use super::scans::ScanPoints;
use super::scene::SwarmScene;
use super::trails::TrailEnd;
use super::{belief, goals, messages, movers, neighbours, plan, scans, trails, walkers, walls};
use crate::drawing::PosedRobot;
use crate::line::Artist;
use crate::recorder::Recorder;
use crate::{path, text, trajectory};

/// The radius of a robot that joined without being announced, in metres.
const USUAL_RADIUS_M: f64 = 0.3;
/// The last part of the path of what is drawn of many robots together.
const EVERYBODY: &str = "everybody";

/// What the drawing thread holds.
#[derive(Debug)]
pub(super) struct SwarmPainter {
    recorder: Recorder,
    scene: SwarmScene,
    cast: Cast,
    layers: Arc<LayerTally>,
    trails: BTreeMap<AgentName, TrailEnd>,
    lanes: Lanes,
    scans: Newest<ScanPoints>,
    plans: Newest<WorldPlan>,
    beliefs: Newest<PosedRobot>,
    movers: Newest<Vec<WorldMover>>,
    neighbours: Newest<Vec<WorldNeighbour>>,
    errors: Errors,
    latencies: Latencies,
    series_due: Option<Stamp>,
}

impl SwarmPainter {
    pub(super) fn new(
        recorder: Recorder,
        scene: SwarmScene,
        cast: Cast,
        layers: Arc<LayerTally>,
    ) -> Self {
        let mut painter = Self {
            recorder,
            scene,
            cast,
            layers,
            trails: BTreeMap::new(),
            lanes: Lanes::default(),
            scans: Newest::default(),
            plans: Newest::default(),
            beliefs: Newest::default(),
            movers: Newest::default(),
            neighbours: Newest::default(),
            errors: Errors::default(),
            latencies: Latencies::default(),
            series_due: None,
        };
        painter.begin();
        painter
    }

    /// The screen and what never changes.
    fn begin(&mut self) {
        let sent = super::screen::send(self.recorder.recording(), &self.scene);
        if let Err(error) = sent {
            self.recorder.failed(&error);
        }
        let scene = &self.scene;
        let at = |part| path::entity(&["world", part]);
        self.recorder
            .once(&at("walls"), || walls::boxes(&scene.walls));
        self.recorder
            .once(&at("goals"), || goals::rings(&scene.robots));
    }

    fn skip(&self, layer: SwarmLayer) {
        self.layers.add(layer, Fate::Skipped, 1);
    }

    fn robot(&mut self, stamp: Stamp, name: AgentName, part: RobotPart) {
        let layer = part.layer();
        let has_room = match part {
            RobotPart::Scan(scan) => self.scans.put(name, stamp, scan),
            RobotPart::Plan(plan) => self.plans.put(name, stamp, plan),
            RobotPart::Belief(belief) => self.beliefs.put(name, stamp, belief),
            RobotPart::Movers(movers) => self.movers.put(name, stamp, movers),
            RobotPart::Neighbours(known) => self.neighbours.put(name, stamp, known),
            RobotPart::Error {
                horizon,
                forecaster,
                error,
            } => {
                let of = (horizon, forecaster);
                self.errors.add(&self.cast, &name, of, error.mae_m)
            }
            RobotPart::Latency { stage, taken } => {
                self.latencies.add(&self.cast, &name, &stage, taken)
            }
            RobotPart::Budget { stage, limit } => {
                self.latencies.limit(&self.cast, &name, &stage, limit)
            }
            RobotPart::Rung(rung) => self.rung(stamp, &name, &rung),
            RobotPart::Text(level, message) => {
                self.recorder.set_time(stamp);
                let line = text::line(level, &message);
                self.recorder.log(&["log", name.as_str()], &line);
                true
            }
        };
        if !has_room {
            self.skip(layer);
        }
    }

    /// Another rung is in force; whether there is such a rung.
    fn rung(&mut self, stamp: Stamp, name: &AgentName, rung: &str) -> bool {
        let rungs = &self.scene.rungs;
        let is_known = rungs.iter().any(|known| known == rung);
        if is_known {
            let lane = path::entity(&["rungs", name.as_str()]);
            self.recorder.set_time(stamp);
            self.recorder
                .once(&lane, || crate::rung::configuration(rungs));
            self.recorder.log_at(lane, &crate::rung::change(rung));
        }
        is_known
    }

    fn team(&mut self, stamp: Stamp, frame: &TeamFrame) {
        let radius_m = |name: &AgentName| {
            let idx = self.cast.idx_by_name().get(name);
            idx.map_or(USUAL_RADIUS_M, |idx| self.scene.robots[*idx].radius_m)
        };
        let drawn: Vec<_> = frame
            .robots
            .iter()
            .map(|state| Body {
                state,
                radius_m: radius_m(&state.name).clamp(0.02, 5.0),
            })
            .collect();
        let recorder = &mut self.recorder;
        recorder.log(&["world", "robots"], &body::bodies(&drawn));
        recorder.log(&["world", "headings"], &body::headings(&drawn));
        recorder.log(&["world", "names"], &body::names(&drawn));
        if !frame.walkers.is_empty() {
            let capsules = walkers::capsules(&frame.walkers, &self.scene.walkers);
            recorder.log(&["world", "walkers"], &capsules);
        }
        let mut pieces = Vec::new();
        for state in &frame.robots {
            let (name, pose) = (&state.name, state.world_from_base);
            if self.cast.detail(name).is_own {
                let followed = trajectory::around(pose);
                recorder.log(&["followed", name.as_str()], &followed);
            }
            if self.trails.len() >= ROBOTS_MAX && !self.trails.contains_key(name) {
                continue;
            }
            self.lanes.log(recorder, state);
            let new = || TrailEnd::new(stamp, pose);
            let end = self.trails.entry(name.clone()).or_insert_with(new);
            pieces.extend(end.extend(stamp, pose, state.mode));
        }
        if !pieces.is_empty() {
            recorder.log(&["world", "trails"], &trails::strips(&pieces));
        }
        self.newest(stamp);
        self.series(stamp);
    }

    /// What robots said since the last time.
    fn newest(&mut self, stamp: Stamp) {
        let (recorder, cast) = (&self.recorder, &self.cast);
        let period = |layer| self.scene.rates.period(layer);
        self.scans
            .draw_if_due(stamp, period(SwarmLayer::Scans), |due| {
                log_each(recorder, cast, &due, "scans", |each| {
                    scans::points(each.iter().copied())
                });
            });
        self.plans
            .draw_if_due(stamp, period(SwarmLayer::Plans), |due| {
                log_each(recorder, cast, &due, "fans", |each| {
                    plan::fans(each.iter().copied())
                });
                log_each(recorder, cast, &due, "plans", |each| {
                    plan::chosen(each.iter().copied())
                });
                log_each(recorder, cast, &due, "doubts", |each| {
                    plan::doubts(each.iter().copied())
                });
            });
        self.beliefs
            .draw_if_due(stamp, period(SwarmLayer::Beliefs), |due| {
                log_own(recorder, cast, &due, "beliefs", belief::ellipse);
            });
        self.movers
            .draw_if_due(stamp, period(SwarmLayer::Movers), |due| {
                log_own(recorder, cast, &due, "movers", |seen| movers::circles(seen));
                log_own(recorder, cast, &due, "velocities", |seen| {
                    movers::arrows(seen)
                });
            });
        self.neighbours
            .draw_if_due(stamp, period(SwarmLayer::Neighbours), |due| {
                log_own(recorder, cast, &due, "neighbours", |known| {
                    neighbours::circles(known)
                });
                log_own(recorder, cast, &due, "intentions", |known| {
                    neighbours::intentions(known)
                });
            });
    }

    fn series(&mut self, stamp: Stamp) {
        let period = self.scene.rates.period(SwarmLayer::Errors);
        let waits = |due: Stamp| stamp < due && stamp + period >= due;
        if self.series_due.is_some_and(waits) {
            return;
        }
        self.errors.log(&mut self.recorder, &self.cast);
        self.latencies.log(&mut self.recorder);
        self.series_due = Some(stamp + period);
    }
}

/// Logs what each robot with entities of its own said, and what all others did as one.
fn log_each<T, A: AsComponents>(
    recorder: &Recorder,
    cast: &Cast,
    due: &Due<'_, T>,
    kind: &str,
    make: impl Fn(&[&T]) -> A,
) {
    let (mut many, mut has_news) = (Vec::new(), false);
    for (name, what, is_new) in &due.fresh {
        if !cast.detail(name).is_own {
            many.push(*what);
            has_news |= is_new;
        } else if *is_new {
            recorder.log(&["world", kind, name.as_str()], &make(&[what]));
        }
    }
    has_news |= clear_gone(recorder, cast, due, kind) > 0;
    if has_news {
        recorder.log(&["world", kind, EVERYBODY], &make(&many));
    }
}

/// Logs what the robots with entities of their own said.
fn log_own<T, A: AsComponents>(
    recorder: &Recorder,
    cast: &Cast,
    due: &Due<'_, T>,
    kind: &str,
    make: impl Fn(&T) -> A,
) {
    for (name, what, is_new) in &due.fresh {
        if *is_new && cast.detail(name).is_own {
            recorder.log(&["world", kind, name.as_str()], &make(what));
        }
    }
    clear_gone(recorder, cast, due, kind);
}

/// Clears the entities of those who fell silent; how many others did.
fn clear_gone<T>(recorder: &Recorder, cast: &Cast, due: &Due<'_, T>, kind: &str) -> usize {
    let (own, others): (Vec<_>, Vec<_>) = due.gone.iter().partition(|n| cast.detail(n).is_own);
    for name in own {
        recorder.log(&["world", kind, name.as_str()], &Clear::flat());
    }
    others.len()
}

impl Artist<SwarmDrawing> for SwarmPainter {
    fn draw(&mut self, drawing: SwarmDrawing) {
        let stamp = drawing.stamp;
        match drawing.subject {
            Subject::Robot { name, part } => self.robot(stamp, name, part),
            Subject::Team(frame) => {
                self.recorder.set_time(stamp);
                self.team(stamp, &frame);
            }
            Subject::Messages(flows) => {
                self.recorder.set_time(stamp);
                self.recorder.log(&["messages"], &messages::nodes(&flows));
                self.recorder.log(&["messages"], &messages::edges(&flows));
            }
            Subject::Text(level, message) => {
                self.recorder.set_time(stamp);
                let line = text::line(level, &message);
                self.recorder.log(&["log", "team"], &line);
            }
        }
    }

    fn flush(&self, wait_max: Duration) -> Result<(), SinkFlushError> {
        self.recorder.flush(wait_max)
    }
}
