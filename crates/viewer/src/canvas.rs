//! What callers draw on: one agent at one point in sensor time.

use std::time::Duration;

use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp};
use sedge_world_model::{LidarScan, PredictedScan, ScanGeometry};

use crate::Viewer;
use crate::drawing::{
    ArrivedScan, Forecaster, PosedPrediction, PosedRobot, PosedScan, ScanError, Shape, TextLevel,
};
use crate::rate::Layer;

/// One agent at one point in sensor time.
///
/// No call fails, and none blocks unless [`ViewerConfig::queue_full`](crate::ViewerConfig) says
/// so: what cannot be drawn is counted (see [`Viewer::counts`]). Spatial drawings are capped in
/// rate, series and text are not.
#[derive(Debug, Clone, Copy)]
pub struct Canvas<'a> {
    pub(crate) viewer: &'a Viewer,
    pub(crate) agent: &'a AgentName,
    pub(crate) stamp: Stamp,
}

impl Canvas<'_> {
    /// A measured scan, in the world.
    pub fn scan(&self, world_from_scanner: Pose2, scan: &LidarScan) {
        self.spatial(Layer::Scan, world_from_scanner, || {
            Shape::Scan(PosedScan {
                world_from_scanner,
                scan: scan.clone(),
            })
        });
    }

    /// The robot, the 95 % ellipse of where it is, and one more piece of its trajectory.
    ///
    /// # Units and frames
    /// `covariance` is of the pose, in the robot's own frame.
    pub fn pose(&self, world_from_base: Pose2, covariance: &Covariance2) {
        self.spatial(Layer::Pose, world_from_base, || {
            Shape::Pose(PosedRobot {
                world_from_base,
                covariance: *covariance,
            })
        });
    }

    /// A predicted scan where the scanner is expected to be: its most probable ranges, the surer
    /// the brighter, and its 5 % to 95 % span.
    pub fn prediction(
        &self,
        horizon: Duration,
        world_from_scanner_then: Pose2,
        scan: &PredictedScan,
        geometry: &ScanGeometry,
    ) {
        self.spatial(Layer::Prediction(horizon), world_from_scanner_then, || {
            Shape::Prediction(Box::new(PosedPrediction {
                horizon,
                world_from_scanner: world_from_scanner_then,
                scan: scan.clone(),
                geometry: *geometry,
            }))
        });
    }

    /// What was predicted a horizon ago, beside the scan that came: beam by beam, in the frame of
    /// the scanner.
    pub fn arrived(&self, horizon: Duration, predicted: &PredictedScan, came: &LidarScan) {
        self.spatial(Layer::Arrived(horizon), Pose2::IDENTITY, || {
            Shape::Arrived(Box::new(ArrivedScan {
                horizon,
                predicted: predicted.clone(),
                came: came.clone(),
            }))
        });
    }

    /// How far a forecast was off, for the series over time.
    pub fn error(&self, horizon: Duration, forecaster: Forecaster, error: ScanError) {
        self.any(|| Shape::Error {
            horizon,
            forecaster,
            error,
        });
    }

    /// How long a stage took, for the series over time.
    pub fn latency(&self, stage: &str, taken: Duration) {
        self.any(|| Shape::Latency {
            stage: stage.to_owned(),
            taken,
        });
    }

    /// How long a stage may take, beside how long it took: drawn with each span, so that a look at
    /// the series says which of them were past it.
    pub fn budget(&self, stage: &str, limit: Duration) {
        self.any(|| Shape::Budget {
            stage: stage.to_owned(),
            limit,
        });
    }

    /// The rung of its degradation ladder that it plans on from now on, by name, of all its rungs,
    /// the full one first: said when it changes.
    pub fn rung(&self, rungs: &[&str], rung: &str) {
        self.any(|| Shape::Rung {
            rungs: rungs.iter().map(ToString::to_string).collect(),
            rung: rung.to_owned(),
        });
    }

    /// A line for the log beside the pictures.
    pub fn text(&self, level: TextLevel, message: &str) {
        self.any(|| Shape::Text {
            level,
            message: message.to_owned(),
        });
    }

    fn spatial(&self, layer: Layer, pose: Pose2, shape: impl FnOnce() -> Shape) {
        self.viewer.draw_spatial(self, layer, pose, shape);
    }

    fn any(&self, shape: impl FnOnce() -> Shape) {
        self.viewer.draw(self, shape);
    }
}
