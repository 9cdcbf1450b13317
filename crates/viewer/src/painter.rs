//! The drawing thread: plain values in, log messages out.

use std::collections::BTreeMap;
use std::time::Duration;

use rerun::Scalars;
use rerun::sink::SinkFlushError;
use sedge_spacetime::{AgentName, Stamp};

use crate::blueprint::Screen;
use crate::drawing::{Drawing, Forecaster, PosedRobot, ScanError, Shape};
use crate::line::Artist;
use crate::recorder::Recorder;
use crate::trajectory::Trail;
use crate::{arrived, color, error, latency, path, prediction, rung, scan, text, trajectory};

/// What the drawing thread holds.
#[derive(Debug)]
pub(crate) struct Painter {
    recorder: Recorder,
    screen: Screen,
    trails: BTreeMap<AgentName, Trail>,
    n_stages: usize,
}

impl Painter {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            screen: Screen::new(),
            trails: BTreeMap::new(),
            n_stages: 0,
        }
    }

    fn paint(&mut self, drawing: &Drawing) {
        self.recorder.set_time(drawing.stamp);
        let agent = &drawing.agent;
        let has_ladder = matches!(drawing.shape, Shape::Rung { .. });
        let is_first_rung = has_ladder && self.screen.notice_ladder();
        if (self.screen.notice(agent, horizon(&drawing.shape)) || is_first_rung)
            && let Err(error) = self.screen.send(self.recorder.recording())
        {
            self.recorder.failed(&error);
        }
        let name = agent.as_str();
        match &drawing.shape {
            Shape::Scan(posed) => self
                .recorder
                .log(&["world", name, "scan"], &scan::points(posed)),
            Shape::Pose(robot) => self.robot(agent, drawing.stamp, robot),
            Shape::Prediction(posed) => {
                let horizon = path::horizon(posed.horizon);
                let at = |part| path::entity(&["world", name, "prediction", &horizon, part]);
                self.recorder
                    .log_at(at("uncertainty"), &prediction::uncertainty(posed));
                self.recorder
                    .log_at(at("points"), &prediction::points(posed));
                let hue = color::of_horizon(posed.horizon);
                let ghost = trajectory::ghost(posed.world_from_scanner, hue, &horizon);
                self.recorder.log_at(at("robot"), &ghost);
            }
            Shape::Arrived(scans) => {
                let horizon = path::horizon(scans.horizon);
                let at = |part| path::entity(&["arrived", name, &horizon, part]);
                self.recorder.once(&at("scanner"), trajectory::origin);
                self.recorder.log_at(at("error"), &arrived::error(scans));
                self.recorder.log_at(at("came"), &arrived::came(scans));
                self.recorder
                    .log_at(at("predicted"), &arrived::predicted(scans));
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
                if self.recorder.once(&series, || latency::style(stage, nth)) {
                    self.n_stages += 1;
                }
                self.recorder.log_at(series, &latency::scalar(*taken));
            }
            Shape::Budget { stage, limit } => {
                // Not below the stage's own series: a series is a leaf.
                let lane = format!("{stage}-budget");
                let series = path::entity(&["latency", name, &lane]);
                self.recorder.once(&series, || latency::limit_style(&lane));
                self.recorder.log_at(series, &latency::scalar(*limit));
            }
            Shape::Rung { rungs, rung } => {
                let lane = path::entity(&["rungs", name]);
                self.recorder.once(&lane, || rung::configuration(rungs));
                self.recorder.log_at(lane, &rung::change(rung));
            }
            Shape::Text { level, message } => {
                self.recorder
                    .log(&["log", name], &text::line(*level, message));
            }
        }
    }

    fn robot(&mut self, agent: &AgentName, stamp: Stamp, robot: &PosedRobot) {
        let name = agent.as_str();
        self.recorder
            .log(&["world", name, "followed"], &trajectory::followed(robot));
        self.recorder
            .log(&["world", name, "robot"], &trajectory::outline(robot, name));
        self.recorder
            .log(&["world", name, "covariance"], &trajectory::ellipse(robot));
        let pose = robot.world_from_base;
        let trail = self
            .trails
            .entry(agent.clone())
            .or_insert_with(|| Trail::new(stamp, pose));
        if let Some(piece) = trail.extend(stamp, pose) {
            self.recorder.log(&["world", name, "trajectory"], &piece);
        }
    }

    fn error(&mut self, name: &str, horizon: Duration, by: Forecaster, scan_error: ScanError) {
        let values = [scan_error.mae_m, scan_error.within_10cm];
        let (said, by_name) = (path::horizon(horizon), by.to_string());
        for (metric, value) in error::METRICS.into_iter().zip(values) {
            let series = path::entity(&["error", name, &said, metric, &by_name]);
            self.recorder.once(&series, || error::style(horizon, by));
            self.recorder.log_at(series, &Scalars::single(value));
        }
    }
}

impl Artist<Drawing> for Painter {
    fn draw(&mut self, drawing: Drawing) {
        self.paint(&drawing);
    }

    fn flush(&self, wait_max: Duration) -> Result<(), SinkFlushError> {
        self.recorder.flush(wait_max)
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
