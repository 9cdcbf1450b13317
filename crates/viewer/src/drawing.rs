//! What can be drawn, as plain values on their way to the drawing thread.

use std::fmt;
use std::time::Duration;

use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp};
use sedge_world_model::{LidarScan, PredictedScan, ScanGeometry};

/// Who made a forecast whose error is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forecaster {
    /// The world model.
    Model,
    /// The newest scan, said again.
    Persistence,
    /// The newest scan, moved rigidly.
    Geometry,
}

impl fmt::Display for Forecaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Persistence => "persistence",
            Self::Geometry => "geometry",
        })
    }
}

/// How far a forecast was from what came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanError {
    /// Mean absolute error over the graded beams, in metres.
    pub mae_m: f64,
    /// Share of the graded beams that were within 0.1 m, from 0 to 1.
    pub within_10cm: f64,
}

/// How much a line of text matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextLevel {
    /// Something is broken.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something happened.
    Info,
    /// Something for those who look closely.
    Debug,
}

/// One thing to draw.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) agent: AgentName,
    pub(crate) stamp: Stamp,
    pub(crate) shape: Shape,
}

/// Its kind and content.
#[derive(Debug)]
pub(crate) enum Shape {
    Scan(PosedScan),
    Pose(PosedRobot),
    Prediction(Box<PosedPrediction>),
    Arrived(Box<ArrivedScan>),
    Error {
        horizon: Duration,
        forecaster: Forecaster,
        error: ScanError,
    },
    Latency {
        stage: String,
        taken: Duration,
    },
    Budget {
        stage: String,
        limit: Duration,
    },
    Rung {
        rungs: Vec<String>,
        rung: String,
    },
    Text {
        level: TextLevel,
        message: String,
    },
}

/// A scan and where it was made.
#[derive(Debug)]
pub(crate) struct PosedScan {
    pub(crate) world_from_scanner: Pose2,
    pub(crate) scan: LidarScan,
}

/// A robot and how sure it is of where it is.
#[derive(Debug)]
pub(crate) struct PosedRobot {
    pub(crate) world_from_base: Pose2,
    pub(crate) covariance: Covariance2,
}

/// A predicted scan and where it is expected to be made.
#[derive(Debug)]
pub(crate) struct PosedPrediction {
    pub(crate) horizon: Duration,
    pub(crate) world_from_scanner: Pose2,
    pub(crate) scan: PredictedScan,
    pub(crate) geometry: ScanGeometry,
}

/// What was predicted, beside what came.
#[derive(Debug)]
pub(crate) struct ArrivedScan {
    pub(crate) horizon: Duration,
    pub(crate) predicted: PredictedScan,
    pub(crate) came: LidarScan,
}
