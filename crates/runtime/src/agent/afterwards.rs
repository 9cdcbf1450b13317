//! What an agent does when its prediction is out: grading, baselines, observers.

use std::time::Duration;

use sedge_latency::Stage;
use sedge_spacetime::Stamp;
use sedge_world_model::{ActionSequence, Belief, LidarScan, Prediction, Reused, fill_far};

use super::AgentNode;
use crate::driving::Decision;
use crate::grader::Expectation;
use crate::{DrivenPlan, MadePrediction, PlanSource, SeenScan};

/// A scan that was taken in and answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) stamp: Stamp,
    pub(super) scan: LidarScan,
    pub(super) belief: Belief,
    pub(super) response: Response,
    pub(super) spans: Reused<(Stage, Duration)>,
}

/// What a scan has led to.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) predictions: Reused<Prediction>,
    pub(super) actions: ActionSequence,
    pub(super) plan: PlanSource,
    pub(super) decision: Option<Decision>,
}

impl Response {
    /// Nothing.
    pub(super) fn none() -> Self {
        Self {
            predictions: Reused::new(),
            actions: ActionSequence::default(),
            plan: PlanSource::Assumed,
            decision: None,
        }
    }
}

impl AgentNode {
    /// Does what was put off until the prediction was handed to the transport.
    pub(super) fn afterwards(&mut self, answered: Answered) {
        let Answered {
            stamp,
            scan,
            belief,
            response,
            spans,
        } = answered;
        let Response {
            mut predictions,
            actions,
            plan,
            decision,
        } = response;
        self.observer.on_scan(&SeenScan {
            stamp,
            scan: &scan,
            belief: &belief,
        });
        for prediction in &predictions {
            self.observer.on_prediction(&MadePrediction {
                stamp,
                geometry: &scan.geometry,
                world_from_scanner: belief.pose,
                prediction,
                plan,
            });
        }
        if let Some(decision) = &decision {
            self.show(decision);
        }
        for (stage, span) in &spans {
            self.observer.on_latency(stamp, stage, *span);
        }
        self.grader.arrived(stamp, &scan, self.observer.as_mut());
        let n_refused = self.minds.catch_up();
        self.counters.add_many("refused-by-baselines", n_refused);
        if predictions.is_empty() {
            return;
        }
        let horizons = &self.config.horizons;
        let mut baselines = self.minds.imagine_baselines(&actions, horizons);
        let persistence = filled(&scan);
        for (horizon_idx, prediction) in predictions.drain(..).enumerate() {
            let least_error = |it: &mut Prediction| std::mem::take(&mut it.scan.least_error_m);
            let baselines = baselines
                .iter_mut()
                .map(|rows| rows.get_mut(horizon_idx).map(least_error));
            self.grader.expect(Expectation {
                started: stamp,
                horizon_idx,
                model: prediction.scan,
                others: [Some(persistence.clone())]
                    .into_iter()
                    .chain(baselines)
                    .collect(),
            });
        }
    }
}

impl AgentNode {
    /// Shows a plan, where one was searched for.
    fn show(&mut self, decision: &Decision) {
        let Some((plan, world_from_base)) = decision.plan.as_ref().zip(decision.world_from_base)
        else {
            return;
        };
        self.observer.on_plan(&DrivenPlan {
            stamp: decision.now,
            world_from_base,
            start_from_base: decision.start_from_base,
            goal_in_base: decision.goal_in_base,
            plan,
            verdict: decision.verdict,
        });
    }
}

/// The scan, with what is no measurement filled from its neighbours.
fn filled(scan: &LidarScan) -> Reused<f32> {
    let range = |beam_idx: usize| {
        let valid = scan.is_valid(beam_idx);
        if valid {
            f64::from(scan.ranges_m[beam_idx])
        } else {
            f64::NAN
        }
    };
    let mut row: Reused<f64> = (0..scan.ranges_m.len()).map(range).collect();
    fill_far(&mut row);
    row.iter().map(|&range| range as f32).collect()
}
