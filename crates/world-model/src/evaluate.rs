//! Grading any world model by the protocol: it lives through an episode and predicts on the way.

use std::time::Duration;

use sedge_spacetime::Stamp;

use crate::scoreboard::Scoreboard;
use crate::{
    Episode, ImagineError, MetricRow, Observation, ObserveError, Prediction, Protocol,
    ProtocolError, Reused, SensorEvent, Start, WorldModel,
};

/// Why a model cannot be graded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluateError {
    /// The protocol does not fit the episode.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The model refused an event for another reason than being late.
    #[error("{model} refused an event")]
    Observe {
        /// The model.
        model: String,
        /// Why.
        source: ObserveError,
    },
    /// The model could not predict.
    #[error("{model} could not predict from scan {scan_idx}")]
    Imagine {
        /// The model.
        model: String,
        /// Index of the start in the episode.
        scan_idx: usize,
        /// Why.
        source: ImagineError,
    },
    /// The model's predictions are not one per horizon.
    #[error("expected {expected} predictions of {model} from scan {scan_idx}, got {got}")]
    PredictionCount {
        /// The model.
        model: String,
        /// Index of the start in the episode.
        scan_idx: usize,
        /// How many horizons were asked for.
        expected: usize,
        /// How many predictions came.
        got: usize,
    },
}

/// Grades a model that has seen nothing yet: feeds it the episode's events in time order and asks,
/// at each start, for the scans to come, given the real odometry as actions. Late events (logs
/// whose stamps run backwards) are passed over, as the model itself does.
///
/// Rows are named `<model> mean`, `least_error`, `mode` and `cautious`; where the episode knows
/// which beams hit movers, rows of the same names with `, on movers` and `, on static` come along.
///
/// # Errors
/// [`EvaluateError`] when the protocol does not fit the episode or the model fails.
pub fn evaluate_model(
    model: &mut dyn WorldModel,
    episode: &Episode,
    protocol: &Protocol,
) -> Result<Vec<MetricRow>, EvaluateError> {
    let mut board = Scoreboard::default();
    let name = model.name().to_owned();
    visit_predictions(model, episode, protocol, |graded| {
        let read_outs = [
            ("mean", &graded.prediction.scan.mean_m),
            ("least_error", &graded.prediction.scan.least_error_m),
            ("mode", &graded.prediction.scan.mode_m),
            ("cautious", &graded.prediction.scan.cautious_m),
        ];
        let target = &episode.scans[graded.target_idx];
        let ahead_secs = graded.prediction.horizon.as_secs_f64();
        for (read_out, ranges) in read_outs {
            let method = format!("{name} {read_out}");
            let predicted: Vec<f64> = ranges.iter().map(|&range| f64::from(range)).collect();
            board.grade(
                (graded.horizon_idx, &method),
                &predicted,
                target,
                ahead_secs,
            );
        }
    })?;
    Ok(board.rows(&protocol.horizons))
}

/// A prediction and where its answer is.
#[derive(Debug, Clone, Copy)]
pub struct GradedPrediction<'a> {
    /// Index of the start in the episode's scans.
    pub start_idx: usize,
    /// Index of the target in the episode's scans.
    pub target_idx: usize,
    /// Index into the protocol's horizons.
    pub horizon_idx: usize,
    /// What the model expected.
    pub prediction: &'a Prediction,
}

/// As [`evaluate_model`], but hands every prediction to `visit`: for calibration, plots and other
/// figures than the table's.
///
/// # Errors
/// [`EvaluateError`] when the protocol does not fit the episode or the model fails.
pub fn visit_predictions(
    model: &mut dyn WorldModel,
    episode: &Episode,
    protocol: &Protocol,
    mut visit: impl FnMut(GradedPrediction<'_>),
) -> Result<(), EvaluateError> {
    let starts = protocol.starts(episode)?;
    let mut life = Life::new(episode);
    for start in &starts {
        life.go_on_to(start.scan_idx, model)?;
        for (target, prediction) in start.targets.iter().zip(&life.predict(start, model)?) {
            visit(GradedPrediction {
                start_idx: start.scan_idx,
                target_idx: target.scan_idx,
                horizon_idx: target.horizon_idx,
                prediction,
            });
        }
    }
    Ok(())
}

/// How far a model has lived through an episode.
///
/// Scans come in the log's order, each after all odometry up to its stamp. Where stamps increase
/// that is time order; where they run backwards no scan is seen before it was logged.
struct Life<'a> {
    episode: &'a Episode,
    n_scans: usize,
    n_odometry: usize,
    n_others: usize,
    newest_scan: Stamp,
}

impl<'a> Life<'a> {
    fn new(episode: &'a Episode) -> Self {
        Self {
            episode,
            n_scans: 0,
            n_odometry: 0,
            n_others: 0,
            newest_scan: Stamp::from_nanos(i64::MIN),
        }
    }

    fn go_on_to(
        &mut self,
        scan_idx: usize,
        model: &mut dyn WorldModel,
    ) -> Result<(), EvaluateError> {
        for scan in &self.episode.scans[self.n_scans..=scan_idx] {
            let stamp = scan.stamp;
            let until = self
                .episode
                .odometry
                .partition_point(|sample| sample.stamp <= stamp);
            for sample in self
                .episode
                .odometry
                .get(self.n_odometry..until)
                .unwrap_or_default()
            {
                let observation = Observation::Odometry(sample.odometry_from_base);
                feed(
                    model,
                    &SensorEvent {
                        stamp: sample.stamp,
                        observation,
                    },
                )?;
            }
            self.n_odometry = self.n_odometry.max(until);
            let others = &self.episode.others;
            let until = others.partition_point(|event| event.stamp <= stamp);
            for event in others.get(self.n_others..until).unwrap_or_default() {
                feed(model, event)?;
            }
            self.n_others = self.n_others.max(until);
            let observation = Observation::Lidar(scan.scan.clone());
            feed(model, &SensorEvent { stamp, observation })?;
            self.newest_scan = self.newest_scan.max(stamp);
        }
        self.n_scans = scan_idx + 1;
        Ok(())
    }

    /// One prediction per target of a start.
    fn predict(
        &self,
        start: &Start,
        model: &mut dyn WorldModel,
    ) -> Result<Reused<Prediction>, EvaluateError> {
        let (scan_idx, now) = (start.scan_idx, self.newest_scan);
        let ahead = |idx: usize| self.episode.scans[idx].stamp.saturating_since(now);
        let horizons: Vec<Duration> = start.targets.iter().map(|it| ahead(it.scan_idx)).collect();
        let longest = horizons.iter().copied().max().unwrap_or_default();
        let plan = self.episode.actions_after(now, longest);
        let name = model.name().to_owned();
        let mut futures =
            model
                .imagine(&[plan], &horizons)
                .map_err(|source| EvaluateError::Imagine {
                    model: name.clone(),
                    scan_idx,
                    source,
                })?;
        let first = futures.drain(..).next();
        let predictions = first.map_or_else(Reused::new, |it| it.predictions);
        let (expected, got) = (horizons.len(), predictions.len());
        if got != expected {
            return Err(EvaluateError::PredictionCount {
                model: name,
                scan_idx,
                expected,
                got,
            });
        }
        Ok(predictions)
    }
}

fn feed(model: &mut dyn WorldModel, event: &SensorEvent) -> Result<(), EvaluateError> {
    match model.observe(event) {
        Ok(()) | Err(ObserveError::Late { .. }) => Ok(()),
        Err(source) => Err(EvaluateError::Observe {
            model: model.name().to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
