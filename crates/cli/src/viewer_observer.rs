//! What an agent does, drawn by the viewer.

use std::time::Duration;

use sedge_latency::{Budgets, LadderReport, Stage};
use sedge_runtime::{
    AgentObserver, ArrivedFuture, ForecastError, MadePrediction, MethodRole, SeenScan, Severity,
};
use sedge_spacetime::{AgentName, Stamp};
use sedge_viewer::{Forecaster, ScanError, TextLevel, Viewer};

/// The read-out whose errors are drawn: made for the metrics that are drawn.
const DRAWN_READ_OUT: &str = " least_error";

/// What is drawn of an error and as whose; nothing of read-outs made for other metrics.
pub(crate) fn drawn_error(error: &ForecastError<'_>) -> Option<(Forecaster, ScanError)> {
    let forecaster = match error.role {
        MethodRole::Model if error.method.ends_with(DRAWN_READ_OUT) => Forecaster::Model,
        MethodRole::Model => return None,
        MethodRole::Persistence => Forecaster::Persistence,
        MethodRole::Baseline => Forecaster::Geometry,
    };
    let drawn = ScanError {
        mae_m: error.mae_m,
        within_10cm: error.within_10cm,
    };
    Some((forecaster, drawn))
}

/// How much the viewer makes of a line.
pub(crate) fn text_level(severity: Severity) -> TextLevel {
    match severity {
        Severity::Error => TextLevel::Error,
        Severity::Warn => TextLevel::Warn,
        Severity::Info => TextLevel::Info,
    }
}

/// Draws everything an agent tells it.
pub(crate) struct ViewerObserver {
    viewer: Viewer,
    agent: AgentName,
    budgets: Budgets,
}

impl ViewerObserver {
    /// Of an agent with these budgets, which are drawn beside what its stages take.
    pub(crate) fn new(viewer: Viewer, agent: AgentName, budgets: Budgets) -> Self {
        Self {
            viewer,
            agent,
            budgets,
        }
    }
}

impl AgentObserver for ViewerObserver {
    fn on_scan(&mut self, seen: &SeenScan<'_>) {
        let canvas = self.viewer.at(&self.agent, seen.stamp);
        canvas.scan(seen.belief.pose, seen.scan);
        canvas.pose(seen.belief.pose, &seen.belief.covariance);
    }

    fn on_prediction(&mut self, made: &MadePrediction<'_>) {
        let world_from_scanner_then = made.world_from_scanner * made.prediction.motion;
        self.viewer.at(&self.agent, made.stamp).prediction(
            made.prediction.horizon,
            world_from_scanner_then,
            &made.prediction.scan,
            made.geometry,
        );
    }

    fn on_arrived(&mut self, arrived: &ArrivedFuture<'_>) {
        let canvas = self.viewer.at(&self.agent, arrived.came_at);
        canvas.arrived(arrived.horizon, arrived.predicted, arrived.came);
    }

    fn on_error(&mut self, error: &ForecastError<'_>) {
        let Some((forecaster, drawn)) = drawn_error(error) else {
            return;
        };
        self.viewer
            .at(&self.agent, error.stamp)
            .error(error.horizon, forecaster, drawn);
    }

    fn on_latency(&mut self, stamp: Stamp, stage: &Stage, span: Duration) {
        let canvas = self.viewer.at(&self.agent, stamp);
        canvas.latency(stage.as_str(), span);
        if let Some(budget) = self.budgets.iter().find(|budget| budget.stage == *stage) {
            canvas.budget(stage.as_str(), budget.limit());
        }
    }

    fn on_rung(&mut self, stamp: Stamp, ladder: &LadderReport) {
        let names = ladder.rungs.iter().map(|rung| rung.name.as_str());
        let names: Vec<&str> = names.collect();
        if let Some(rung) = names.get(ladder.rung) {
            self.viewer.at(&self.agent, stamp).rung(&names, rung);
        }
    }

    fn on_text(&mut self, stamp: Stamp, severity: Severity, message: &str) {
        let level = text_level(severity);
        self.viewer.at(&self.agent, stamp).text(level, message);
    }
}
