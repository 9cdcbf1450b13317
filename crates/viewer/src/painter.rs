//! The drawing thread: plain values in, log messages out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rerun::{AsComponents, EntityPath, RecordingStream, Scalars, TimeCell};
use sedge_spacetime::{AgentName, Stamp};

use crate::blueprint::Screen;
use crate::drawing::{Drawing, Forecaster, PosedRobot, ScanError, Shape};
use crate::tally::Tally;
use crate::trajectory::Trail;
use crate::{arrived, color, error, latency, path, prediction, scan, text, trajectory};

/// Stamps from here on (the year 2001) can only be counted from the Unix epoch, and are shown as
/// dates; smaller ones are shown as time since the clock's origin. In nanoseconds.
const DATES_FROM_NANOS: i64 = 1_000_000_000 * 1_000_000_000;
/// Things that never change, such as the look of a series, are logged once; this many at most.
const ONCE_MAX: usize = 4096;

/// How stamps are shown, settled by the first: a timeline has one type.
#[derive(Debug, Clone, Copy)]
enum Clockface {
    Dates,
    SinceOrigin,
}

/// What the drawing thread holds.
#[derive(Debug)]
pub(crate) struct Painter {
    recording: RecordingStream,
    tally: Arc<Tally>,
    clockface: Option<Clockface>,
    screen: Screen,
    trails: BTreeMap<AgentName, Trail>,
    logged_once: BTreeSet<EntityPath>,
    n_stages: usize,
}

impl Painter {
    pub(crate) fn new(recording: RecordingStream, tally: Arc<Tally>) -> Self {
        Self {
            recording,
            tally,
            clockface: None,
            screen: Screen::new(),
            trails: BTreeMap::new(),
            logged_once: BTreeSet::new(),
            n_stages: 0,
        }
    }

    /// Draws one thing.
    pub(crate) fn draw(&mut self, drawing: &Drawing) {
        self.set_time(drawing.stamp);
        let agent = &drawing.agent;
        if self.screen.notice(agent, horizon(&drawing.shape))
            && let Err(error) = self.screen.send(&self.recording)
        {
            self.tally.failed(&error);
        }
        let name = agent.as_str();
        match &drawing.shape {
            Shape::Scan(posed) => self.log(&["world", name, "scan"], &scan::points(posed)),
            Shape::Pose(robot) => self.robot(agent, drawing.stamp, robot),
            Shape::Prediction(posed) => {
                let horizon = path::horizon(posed.horizon);
                let at = |part| path::entity(&["world", name, "prediction", &horizon, part]);
                self.log_at(at("uncertainty"), &prediction::uncertainty(posed));
                self.log_at(at("points"), &prediction::points(posed));
                let hue = color::of_horizon(posed.horizon);
                let ghost = trajectory::ghost(posed.world_from_scanner, hue, &horizon);
                self.log_at(at("robot"), &ghost);
            }
            Shape::Arrived(scans) => {
                let horizon = path::horizon(scans.horizon);
                let at = |part| path::entity(&["arrived", name, &horizon, part]);
                self.once(&at("scanner"), trajectory::origin);
                self.log_at(at("error"), &arrived::error(scans));
                self.log_at(at("came"), &arrived::came(scans));
                self.log_at(at("predicted"), &arrived::predicted(scans));
            }
            Shape::Error {
                horizon,
                forecaster,
                error,
            } => {
                self.error(name, *horizon, *forecaster, *error);
            }
            Shape::Latency { stage, taken } => {
                let series = path::entity(&["latency", name, stage]);
                let nth = self.n_stages;
                if self.once(&series, || latency::style(stage, nth)) {
                    self.n_stages += 1;
                }
                self.log_at(series, &latency::scalar(*taken));
            }
            Shape::Text { level, message } => {
                self.log(&["log", name], &text::line(*level, message));
            }
        }
    }

    /// Waits until all that was drawn has left the process.
    pub(crate) fn flush(&self, wait_max: Duration) -> Result<(), rerun::sink::SinkFlushError> {
        self.recording.flush_with_timeout(wait_max)
    }

    fn robot(&mut self, agent: &AgentName, stamp: Stamp, robot: &PosedRobot) {
        let name = agent.as_str();
        self.log(&["world", name, "followed"], &trajectory::followed(robot));
        self.log(&["world", name, "robot"], &trajectory::outline(robot, name));
        self.log(&["world", name, "covariance"], &trajectory::ellipse(robot));
        let pose = robot.world_from_base;
        let trail = self
            .trails
            .entry(agent.clone())
            .or_insert_with(|| Trail::new(stamp, pose));
        if let Some(piece) = trail.extend(stamp, pose) {
            self.log(&["world", name, "trajectory"], &piece);
        }
    }

    fn error(&mut self, name: &str, horizon: Duration, by: Forecaster, scan_error: ScanError) {
        let values = [scan_error.mae_m, scan_error.within_10cm];
        let (said, by_name) = (path::horizon(horizon), by.to_string());
        for (metric, value) in error::METRICS.into_iter().zip(values) {
            let series = path::entity(&["error", name, &said, metric, &by_name]);
            self.once(&series, || error::style(horizon, by));
            self.log_at(series, &Scalars::single(value));
        }
    }

    /// Logs what never changes, the first time; whether this was it.
    fn once<A: AsComponents>(&mut self, entity: &EntityPath, make: impl FnOnce() -> A) -> bool {
        let first = self.logged_once.len() < ONCE_MAX && self.logged_once.insert(entity.clone());
        if first {
            self.count(self.recording.log_static(entity.clone(), &make()));
        }
        first
    }

    fn log(&self, parts: &[&str], archetype: &impl AsComponents) {
        self.log_at(path::entity(parts), archetype);
    }

    fn log_at(&self, entity: EntityPath, archetype: &impl AsComponents) {
        self.count(self.recording.log(entity, archetype));
    }

    fn count(&self, logged: rerun::RecordingStreamResult<()>) {
        if let Err(error) = logged {
            self.tally.failed(&error);
        }
    }

    fn set_time(&mut self, stamp: Stamp) {
        let nanos = stamp.nanos();
        let clockface = *self.clockface.get_or_insert(if nanos >= DATES_FROM_NANOS {
            Clockface::Dates
        } else {
            Clockface::SinceOrigin
        });
        // The recording has no word for the very first nanosecond of time.
        let nanos = nanos.max(i64::MIN + 1);
        let cell = match clockface {
            Clockface::Dates => TimeCell::from_timestamp_nanos_since_epoch(nanos),
            Clockface::SinceOrigin => TimeCell::from_duration_nanos(nanos),
        };
        self.recording.set_time(path::TIMELINE, cell);
    }
}

fn horizon(shape: &Shape) -> Option<Duration> {
    match shape {
        Shape::Prediction(posed) => Some(posed.horizon),
        Shape::Arrived(scans) => Some(scans.horizon),
        Shape::Error { horizon, .. } => Some(*horizon),
        _ => None,
    }
}
