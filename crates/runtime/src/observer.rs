//! Whoever wants to see what an agent does, such as a viewer.

use std::time::Duration;

use sedge_latency::{LadderReport, Stage};
use sedge_planning::{Goal, Plan, Verdict};
use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{Belief, LidarScan, PredictedScan, Prediction, ScanGeometry};

use crate::{DriveMode, PlanSource};

/// A scan that was taken in, and the belief that holds it.
#[derive(Debug, Clone, Copy)]
pub struct SeenScan<'a> {
    /// The scan's stamp.
    pub stamp: Stamp,
    /// The scan.
    pub scan: &'a LidarScan,
    /// What the model believes with it.
    pub belief: &'a Belief,
}

/// A prediction that was published.
#[derive(Debug, Clone, Copy)]
pub struct MadePrediction<'a> {
    /// The stamp of the scan that it starts from.
    pub stamp: Stamp,
    /// The scanner.
    pub geometry: &'a ScanGeometry,
    /// Where the scanner was believed to be at that scan.
    pub world_from_scanner: Pose2,
    /// The prediction.
    pub prediction: &'a Prediction,
    /// Whether the actions were commanded or assumed.
    pub plan: PlanSource,
}

/// A prediction and what came.
#[derive(Debug, Clone, Copy)]
pub struct ArrivedFuture<'a> {
    /// How far ahead it was made.
    pub horizon: Duration,
    /// The stamp of the scan that it was made from.
    pub started: Stamp,
    /// The stamp of the scan that came.
    pub came_at: Stamp,
    /// What the model had predicted.
    pub predicted: &'a PredictedScan,
    /// What came.
    pub came: &'a LidarScan,
}

/// What kind of forecaster an error is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodRole {
    /// A read-out of the agent's model.
    Model,
    /// The scan of the start, repeated.
    Persistence,
    /// One of the other baselines.
    Baseline,
}

/// How far one forecast was off.
#[derive(Debug, Clone, Copy)]
pub struct ForecastError<'a> {
    /// The stamp of the scan that came.
    pub stamp: Stamp,
    /// How far ahead the forecast was made.
    pub horizon: Duration,
    /// The row of the report that it counts in.
    pub method: &'a str,
    /// What kind of forecaster made it.
    pub role: MethodRole,
    /// Mean absolute error over the counted beams, in metres.
    pub mae_m: f64,
    /// Root mean squared error over the counted beams, in metres.
    pub rmse_m: f64,
    /// Share of the counted beams within 10 cm.
    pub within_10cm: f64,
    /// Counted beams.
    pub n_beams: u64,
}

/// A plan that was searched for, and what was made of it.
#[derive(Debug, Clone, Copy)]
pub struct DrivenPlan<'a> {
    /// When it was decided: the plan's places are in the base's frame at this time.
    pub stamp: Stamp,
    /// Where the base is in the model's world, as in [`SeenScan::belief`].
    pub world_from_base: Pose2,
    /// Where the base is in the frame of its goals; none before that is known.
    pub start_from_base: Option<Pose2>,
    /// Where it wants to go, in the base's frame.
    pub goal_in_base: Option<Goal>,
    /// The plan, with the motions that were tried.
    pub plan: &'a Plan,
    /// What the safety filter made of it.
    pub verdict: Verdict,
}

/// How much a text matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The agent cannot do its work.
    Error,
    /// Something was lost or refused.
    Warn,
    /// Worth knowing.
    Info,
}

/// Sees what an agent does, always after the prediction has been handed to the transport, so that
/// a slow observer never delays one. Every method does nothing by default.
#[expect(
    unused_variables,
    reason = "the names document what an observer is given"
)]
pub trait AgentObserver {
    /// A scan was taken in.
    fn on_scan(&mut self, seen: &SeenScan<'_>) {}

    /// A prediction was made; called once for each horizon.
    fn on_prediction(&mut self, made: &MadePrediction<'_>) {}

    /// The future of a prediction arrived.
    fn on_arrived(&mut self, arrived: &ArrivedFuture<'_>) {}

    /// A forecast was graded; called once for each method.
    fn on_error(&mut self, error: &ForecastError<'_>) {}

    /// A stage took its time for the scan of this stamp.
    fn on_latency(&mut self, stamp: Stamp, stage: &Stage, span: Duration) {}

    /// A plan was searched for, and a command sent.
    fn on_plan(&mut self, driven: &DrivenPlan<'_>) {}

    /// A driving agent with a degradation ladder plans on another rung from this time on: the one
    /// that the report says is in force. Called for its first plan too.
    fn on_rung(&mut self, stamp: Stamp, ladder: &LadderReport) {}

    /// A driving agent does something else from now on, and why.
    fn on_mode(&mut self, stamp: Stamp, mode: DriveMode, why: &str) {}

    /// Something is worth saying; the stamp is the newest scan's.
    fn on_text(&mut self, stamp: Stamp, severity: Severity, message: &str) {}
}

/// Looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl AgentObserver for NoObserver {}
