use sedge_spacetime::Stamp;

use super::*;
use crate::test_scenes::wander;
use crate::{
    ActionSequence, Belief, Candidate, Futures, GeometricModel, MotionModel, MotionNoise, Reused,
    evaluate_baselines,
};

fn geometric(episode: &Episode, motion: MotionModel) -> GeometricModel {
    GeometricModel::new(episode.geometry, motion, MotionNoise::ASSUMED)
}

#[test]
fn a_model_that_lives_through_the_log_grades_like_the_baseline_it_is() {
    let episode = wander(61, 40.0);
    let protocol = Protocol::fitting(&episode, 0.6);
    for latency_secs in [0.1, -0.1] {
        let motion = MotionModel {
            latency_secs,
            ..MotionModel::default()
        };
        let mut model = geometric(&episode, motion).with_candidate(Candidate::Map20Med3);
        let rows = evaluate_model(&mut model, &episode, &protocol).unwrap();
        assert_eq!(rows.len(), 4 * 3, "read-outs at each horizon");
        let baselines = evaluate_baselines(&episode, &motion, &protocol).unwrap();
        for row in &rows {
            let is_twin = |twin: &&MetricRow| {
                twin.method == "map20-med3 cal"
                    && (twin.horizon_secs - row.horizon_secs).abs() < 1e-9
            };
            let twin = baselines.iter().find(is_twin).unwrap();
            assert_eq!((row.n, row.n_beams), (twin.n, twin.n_beams));
            assert!(
                (row.mae_m - twin.mae_m).abs() < 1e-6,
                "{row:?} for {twin:?}"
            );
        }
        assert!(rows[0].method.ends_with(" mean"), "{}", rows[0].method);
    }
}

#[test]
fn late_events_are_passed_over() {
    let mut episode = wander(31, 40.0);
    let twin = episode.scans[30].clone();
    episode.scans.insert(31, twin);
    let protocol = Protocol::fitting(&episode, 0.6);
    let mut model = geometric(&episode, MotionModel::default());
    assert!(evaluate_model(&mut model, &episode, &protocol).is_ok());
}

#[test]
fn a_scan_of_another_scanner_ends_the_evaluation() {
    let episode = wander(31, 40.0);
    let other = wander(61, 1.0);
    let mut model = geometric(&other, MotionModel::default());
    let error = evaluate_model(&mut model, &episode, &Protocol::fitting(&episode, 0.6));
    assert!(
        matches!(error, Err(EvaluateError::Observe { .. })),
        "{error:?}"
    );
}

/// Forgets half of what it was asked.
struct Forgetful(GeometricModel);

impl WorldModel for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }
    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        self.0.observe(event)
    }
    fn belief(&self) -> Option<Belief> {
        self.0.belief()
    }
    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        self.0.imagine(plans, &horizons[..1])
    }
}

#[test]
fn missing_predictions_are_an_error() {
    let episode = wander(31, 40.0);
    let mut model = Forgetful(geometric(&episode, MotionModel::default()));
    let error = evaluate_model(&mut model, &episode, &Protocol::fitting(&episode, 0.6));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("expected 3 predictions of forgetful"),
        "{error}"
    );
}

#[test]
fn a_log_without_odometry_at_the_first_start_says_so() {
    let mut episode = wander(31, 40.0);
    episode
        .odometry
        .retain(|sample| sample.stamp > Stamp::from_nanos(36_000_000_000));
    let mut model = geometric(&episode, MotionModel::default());
    let error = evaluate_model(&mut model, &episode, &Protocol::fitting(&episode, 0.6));
    assert!(
        matches!(error, Err(EvaluateError::Imagine { .. })),
        "{error:?}"
    );
}
