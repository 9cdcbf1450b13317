//! Which motion model suits a belief that registers its scans: whichever predicts best.

use std::time::Duration;

use crate::calibrate::{latency_pairs, n_fitted};
use crate::metrics::ErrorPool;
use crate::{
    CalibrationFit, Candidate, Episode, MotionModel, MotionNoise, PoseScansError, RegisteredScans,
};

/// Smoothings of odometry that are tried, seconds.
const SMOOTHINGS_SECS: [f64; 3] = [0.0, 0.06, 0.12];
/// A model must lower the error of the one before by this share to be taken: less is noise.
const GAIN_MIN: f64 = 0.002;

/// The motion model for a registering belief.
#[derive(Debug, Clone, PartialEq)]
pub struct BeliefFit {
    /// The model.
    pub model: MotionModel,
    /// What it leaves unexplained.
    pub noise: MotionNoise,
    /// What was tried: the model and its mean absolute range error in metres. Empty where nothing
    /// could be tried, so that the model is the reference one.
    pub tried: Vec<(MotionModel, f64)>,
}

/// Tries the calibrations at hand with several smoothings, on the part of the log that everything
/// is fitted to.
pub(crate) fn fit_belief(
    episode: &Episode,
    reference: (MotionModel, MotionNoise),
    registered: Option<&CalibrationFit>,
) -> BeliefFit {
    let mut choices = vec![reference];
    if let Some(fit) = registered {
        choices.push((
            MotionModel {
                calibration: fit.calibration,
                ..reference.0
            },
            fit.noise,
        ));
    }
    let choices: Vec<(MotionModel, MotionNoise)> = SMOOTHINGS_SECS
        .iter()
        .flat_map(|&smoothing_secs| {
            let smoothed = |&(model, noise)| {
                (
                    MotionModel {
                        smoothing_secs,
                        ..model
                    },
                    noise,
                )
            };
            choices
                .iter()
                .map(smoothed)
                .collect::<Vec<(MotionModel, MotionNoise)>>()
        })
        .collect();
    let errors = try_models(episode, &choices).unwrap_or_default();
    let mut best: Option<(usize, f64)> = None;
    for (idx, &error) in errors.iter().enumerate() {
        if best.is_none_or(|(_, least)| error < (1.0 - GAIN_MIN) * least) {
            best = Some((idx, error));
        }
    }
    let (model, noise) = best.map_or(reference, |(idx, _)| choices[idx]);
    let tried = choices
        .iter()
        .zip(errors)
        .map(|(&(model, _), error)| (model, error))
        .collect();
    BeliefFit {
        model,
        noise,
        tried,
    }
}

/// The mean absolute error of each model; nothing for a log too short to tell.
fn try_models(
    episode: &Episode,
    choices: &[(MotionModel, MotionNoise)],
) -> Result<Vec<f64>, PoseScansError> {
    let pairs = latency_pairs(episode);
    let mut fitted_part = episode.clone();
    fitted_part.scans.truncate(n_fitted(episode));
    let (Some(&(reference, _)), false) = (choices.first(), pairs.is_empty()) else {
        return Ok(Vec::new());
    };
    // Registration hardly depends on the model: once is enough.
    let posed = RegisteredScans::new(&fitted_part, &reference)?
        .posed()
        .clone();
    let error = |&(model, _): &(MotionModel, MotionNoise)| {
        let scans = RegisteredScans::with_poses(&fitted_part, &model, posed.clone())?;
        let mut pool = ErrorPool::default();
        for &(from, to) in &pairs {
            let view = posed
                .window_of(from, 0.0)
                .rows(scans.expected_motion(from, to), Duration::ZERO);
            pool.add(
                view.filled(Candidate::Last),
                &fitted_part.scans[to].scan,
                0.0,
            );
        }
        Ok(pool.mae_m())
    };
    choices.iter().map(error).collect()
}
