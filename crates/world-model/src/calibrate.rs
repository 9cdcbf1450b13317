//! Fitting a robot's motion model from a log: scanner latency, odometry calibration, and how far
//! off the calibrated odometry still is.

use std::time::Duration;

use nalgebra::{Matrix3, Vector3};
use sedge_spacetime::{Covariance2, Pose2, Stamp};
use serde::{Deserialize, Serialize};

use crate::belief_fit::{BeliefFit, fit_belief};
use crate::metrics::ErrorPool;
use crate::protocol::{NearestScan, is_thinned};
use crate::{
    Candidate, Episode, MotionModel, OdometryCalibration, PoseScansError, PosedScans,
    odometry_poses, reference_poses, register_episode,
};

/// Only the first part of a log is fitted to; the rest is for judging.
const FIT_SHARE: f64 = 0.6;
/// Scans this far apart make the pairs that calibration is fitted to (protocol constant).
const PAIR_GAPS: [usize; 3] = [2, 4, 8];
/// Scans at the end of the fitted part that begin no pair (protocol constant).
const PAIR_MARGIN: usize = 12;
/// Fewer pairs than this say nothing about nine numbers.
const N_PAIRS_MIN: usize = 30;
/// Rounds of reweighted least squares (protocol constant).
const N_ROUNDS: usize = 20;
/// Residuals below this weigh alike, metres or radians (protocol constant).
const RESIDUAL_MIN: f64 = 0.005;
/// Share of a normal distribution within one standard deviation.
const ONE_SIGMA_SHARE: f64 = 0.6827;
/// A normal matrix worse conditioned than this (by its eigenvalues) fits anything.
const CONDITION_MAX: f64 = 1e9;
/// The largest correction that is believed: real logs stay below 0.1 m or rad per m or rad.
const CORRECTION_MAX: f64 = 0.5;
/// Latencies tried, in steps of 0.05 s (protocol constants), then around the best in 0.01 s.
const LATENCY_COARSE_STEPS: std::ops::RangeInclusive<i32> = -4..=12;
const LATENCY_COARSE_SECS: f64 = 0.05;
const LATENCY_FINE_STEPS: std::ops::RangeInclusive<i32> = -4..=4;
const LATENCY_FINE_SECS: f64 = 0.01;
/// A finer latency must lower the error by this share to be taken: less is noise.
const LATENCY_GAIN_MIN: f64 = 0.005;
/// Which starts latency is judged on: from this scan, so many before the end, every so many
/// (protocol constants).
const LATENCY_FIRST_START: usize = 20;
const LATENCY_END_MARGIN: usize = 60;
const LATENCY_STRIDE: usize = 7;
/// How far ahead latency is judged, seconds; thinned logs take the next scan.
const LATENCY_HORIZON_SECS: f64 = 1.0;
/// Fewer starts than this judge nothing.
const N_LATENCY_STARTS_MIN: usize = 10;

/// Why something cannot be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrateError {
    /// The scans have no usable poses.
    #[error(transparent)]
    Poses(#[from] PoseScansError),
    /// There is too little data.
    #[error("expected at least {expected} {what} in the first 60 % of the log, got {got}")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// The least that would do.
        expected: usize,
        /// What there is.
        got: usize,
    },
    /// The robot did not move in enough ways to tell the unknowns apart.
    #[error(
        "expected motion in x, y and yaw to fit a calibration, the normal matrix is singular \
         (condition {condition:.1e})"
    )]
    Singular {
        /// Ratio of its largest to its smallest eigenvalue.
        condition: f64,
    },
    /// The fit asks for a correction that no real odometry needs.
    #[error(
        "expected corrections of at most {CORRECTION_MAX} per unit of motion, the fit gave \
         {correction:.2}: the log moves \
         in too few ways to tell the unknowns apart"
    )]
    Absurd {
        /// The largest entry of the row.
        correction: f64,
    },
}

/// How far calibrated odometry is off, growing with time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MotionNoise {
    /// Variance per second of x (m2/s), y (m2/s) and yaw (rad2/s), in the moving frame.
    pub variance_per_sec: [f64; 3],
}

impl MotionNoise {
    /// What is assumed where nothing could be fitted: 10 cm and 6 degrees after a second.
    pub const ASSUMED: Self = Self {
        variance_per_sec: [0.01, 0.01, 0.01],
    };

    /// Uncertainty of a movement that takes this long.
    pub fn covariance(&self, secs: f64) -> Covariance2 {
        Covariance2::from_sigmas(
            self.variance_per_sec
                .map(|variance| (variance * secs.max(0.0)).max(0.0).sqrt()),
        )
    }
}

/// A fitted calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationFit {
    /// The calibration.
    pub calibration: OdometryCalibration,
    /// What it leaves unexplained.
    pub noise: MotionNoise,
    /// Pairs of scans that were fitted to.
    pub n_pairs: usize,
    /// Mean absolute residual before: x (m), y (m), yaw (rad).
    pub residual_before: [f64; 3],
    /// Mean absolute residual after: x (m), y (m), yaw (rad).
    pub residual_after: [f64; 3],
}

/// A fitted latency.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyFit {
    /// The best latency, in seconds.
    pub latency_secs: f64,
    /// What was tried: latency in seconds and mean absolute range error in metres, ascending.
    pub tried: Vec<(f64, f64)>,
}

/// Everything that could be fitted, and why the rest could not.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionFit {
    /// The model: fitted parts, zeros for the others.
    pub model: MotionModel,
    /// What it leaves unexplained, or [`MotionNoise::ASSUMED`].
    pub noise: MotionNoise,
    /// The latency fit.
    pub latency: Result<LatencyFit, CalibrateError>,
    /// The calibration fit to the log's reference poses.
    pub calibration: Result<CalibrationFit, CalibrateError>,
    /// The calibration fit to poses that registration found.
    pub registered: Result<CalibrationFit, CalibrateError>,
    /// What suits a belief that registers its scans.
    pub belief: BeliefFit,
}

/// Fits latency, then calibration, to the first 60 % of a log. Never fails: what cannot be fitted
/// stays zero, and the reason is kept.
pub fn fit_motion(episode: &Episode) -> MotionFit {
    let latency = fit_latency(episode);
    let latency_secs = latency.as_ref().map_or(0.0, |fit| fit.latency_secs);
    let calibration = fit_calibration(episode, latency_secs);
    let (matrix, noise) = calibration
        .as_ref()
        .map_or((OdometryCalibration::NONE, MotionNoise::ASSUMED), |fit| {
            (fit.calibration, fit.noise)
        });
    let model = MotionModel {
        calibration: matrix,
        latency_secs,
        ..MotionModel::default()
    };
    let registered = fit_registered_calibration(episode, &model);
    let belief = fit_belief(episode, (model, noise), registered.as_ref().ok());
    MotionFit {
        model,
        noise,
        latency,
        calibration,
        registered,
        belief,
    }
}

/// Fits the calibration that explains the reference poses best, in the sense of least absolute
/// error (20 rounds of reweighted least squares), on scan pairs 2, 4 and 8 apart.
///
/// # Errors
/// [`CalibrateError`] without reference poses, odometry, enough scans or enough kinds of motion.
pub fn fit_calibration(
    episode: &Episode,
    latency_secs: f64,
) -> Result<CalibrationFit, CalibrateError> {
    fit_to_poses(episode, latency_secs, &reference_poses(episode)?)
}

/// Fits the calibration to the poses that registration finds, starting from `model`: needs no
/// reference poses, and does not inherit their jitter.
///
/// # Errors
/// [`CalibrateError`] without odometry, enough scans or enough kinds of motion.
pub fn fit_registered_calibration(
    episode: &Episode,
    model: &MotionModel,
) -> Result<CalibrationFit, CalibrateError> {
    let mut fitted_part = episode.clone();
    fitted_part.scans.truncate(n_fitted(episode));
    let mut poses = register_episode(&fitted_part, model)?;
    // Pairs never reach beyond the fitted part; the other scans only need to be there.
    poses.resize(episode.scans.len(), Pose2::IDENTITY);
    fit_to_poses(episode, model.latency_secs, &poses)
}

fn fit_to_poses(
    episode: &Episode,
    latency_secs: f64,
    reference: &[Pose2],
) -> Result<CalibrationFit, CalibrateError> {
    let model = MotionModel {
        latency_secs,
        ..MotionModel::default()
    };
    let odometry = odometry_poses(episode, &model)?;
    let n_fit = n_fitted(episode);
    let n_first = n_fit.saturating_sub(PAIR_MARGIN);
    let pairs = (0..n_first).flat_map(|from| PAIR_GAPS.map(|gap| (from, from + gap)));
    let (mut moved, mut rest, mut secs) = (Vec::new(), Vec::new(), Vec::new());
    for (from, to) in pairs {
        let increment = odometry[from].between(odometry[to]);
        moved.push(vector(increment));
        rest.push(vector(
            increment.between(reference[from].between(reference[to])),
        ));
        secs.push(
            episode.scans[to]
                .stamp
                .secs_since(episode.scans[from].stamp),
        );
    }
    if moved.len() < N_PAIRS_MIN {
        let (what, got) = ("scan pairs", moved.len());
        return Err(CalibrateError::TooFew {
            what,
            expected: N_PAIRS_MIN,
            got,
        });
    }
    let mut matrix = [[0.0; 3]; 3];
    for (axis, row) in matrix.iter_mut().enumerate() {
        *row = fit_row(&moved, &rest, axis)?.into();
    }
    let unexplained =
        |axis: usize, pair: usize| rest[pair][axis] - Vector3::from(matrix[axis]).dot(&moved[pair]);
    let n_pairs = moved.len();
    let mean = |value: &dyn Fn(usize) -> f64| (0..n_pairs).map(value).sum::<f64>() / n_pairs as f64;
    // The 68 % quantile and not the mean square: references jump where a map was closed.
    let rate = |axis| {
        let timed = (0..n_pairs).filter(|&pair| secs[pair] > 0.0);
        let mut rates: Vec<f64> = timed
            .map(|pair| unexplained(axis, pair).powi(2) / secs[pair])
            .collect();
        rates.sort_by(f64::total_cmp);
        rates
            .get((ONE_SIGMA_SHARE * rates.len() as f64) as usize)
            .copied()
            .unwrap_or(0.0)
    };
    Ok(CalibrationFit {
        calibration: OdometryCalibration { matrix },
        noise: MotionNoise {
            variance_per_sec: [0, 1, 2].map(rate),
        },
        n_pairs,
        residual_before: [0, 1, 2].map(|axis| mean(&|pair| rest[pair][axis].abs())),
        residual_after: [0, 1, 2].map(|axis| mean(&|pair| unexplained(axis, pair).abs())),
    })
}

/// One row of the calibration: least absolute error of `rest[axis] = row . moved`.
fn fit_row(
    moved: &[Vector3<f64>],
    rest: &[Vector3<f64>],
    axis: usize,
) -> Result<Vector3<f64>, CalibrateError> {
    let mut weights = vec![1.0; moved.len()];
    let mut row = Vector3::zeros();
    for _ in 0..N_ROUNDS {
        let (mut normal, mut right) = (Matrix3::zeros(), Vector3::zeros());
        for ((x, y), weight) in moved.iter().zip(rest).zip(&weights) {
            normal += x * x.transpose() * *weight;
            right += x * (*weight * y[axis]);
        }
        let eigenvalues = normal.symmetric_eigenvalues();
        let condition = eigenvalues.max() / eigenvalues.min().max(0.0);
        let solved = normal.cholesky().filter(|_| condition < CONDITION_MAX);
        row = solved
            .ok_or(CalibrateError::Singular { condition })?
            .solve(&right);
        for ((x, y), weight) in moved.iter().zip(rest).zip(&mut weights) {
            *weight = 1.0 / (y[axis] - row.dot(x)).abs().max(RESIDUAL_MIN);
        }
    }
    let correction = row.amax();
    if correction > CORRECTION_MAX {
        return Err(CalibrateError::Absurd { correction });
    }
    Ok(row)
}

/// Fits the latency at which the last scan, moved by raw odometry, predicts the scan a second
/// later best (the next scan, in thinned logs). Needs no reference poses.
///
/// # Errors
/// [`CalibrateError`] without odometry or enough scans.
pub fn fit_latency(episode: &Episode) -> Result<LatencyFit, CalibrateError> {
    let pairs = latency_pairs(episode);
    if pairs.len() < N_LATENCY_STARTS_MIN {
        let (what, got) = ("scans to judge latency on", pairs.len());
        return Err(CalibrateError::TooFew {
            what,
            expected: N_LATENCY_STARTS_MIN,
            got,
        });
    }
    let posed = PosedScans::calibrated(episode, &MotionModel::default())?;
    let coarse = LATENCY_COARSE_STEPS.map(|step| f64::from(step) * LATENCY_COARSE_SECS);
    let mut tried = try_latencies(episode, &posed, &pairs, coarse)?;
    let coarse_best = best_of(&tried);
    let fine = LATENCY_FINE_STEPS
        .filter(|&step| step != 0)
        .map(|step| coarse_best.0 + f64::from(step) * LATENCY_FINE_SECS);
    tried.extend(try_latencies(episode, &posed, &pairs, fine)?);
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fine_best = best_of(&tried);
    let is_better = fine_best.1 < (1.0 - LATENCY_GAIN_MIN) * coarse_best.1;
    let (latency_secs, _) = if is_better { fine_best } else { coarse_best };
    Ok(LatencyFit {
        latency_secs,
        tried,
    })
}

/// The latency with the smallest error, and that error; the smaller latency of equals.
fn best_of(tried: &[(f64, f64)]) -> (f64, f64) {
    let best = tried
        .iter()
        .min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.abs().total_cmp(&b.0.abs())));
    best.copied().unwrap_or_default()
}

fn try_latencies(
    episode: &Episode,
    posed: &PosedScans,
    pairs: &[(usize, usize)],
    latencies_secs: impl Iterator<Item = f64>,
) -> Result<Vec<(f64, f64)>, CalibrateError> {
    let mut tried = Vec::new();
    for latency_secs in latencies_secs {
        // Multiples of a hundredth: rounding takes out what binary fractions left over.
        let latency_secs = (latency_secs * 1e4).round() / 1e4;
        let model = MotionModel {
            latency_secs,
            ..MotionModel::default()
        };
        let posed = posed.with_poses(odometry_poses(episode, &model)?)?;
        let mut pool = ErrorPool::default();
        for &(from, to) in pairs {
            let view = posed
                .window_of(from, 0.0)
                .rows(posed.motion(from, to), Duration::ZERO);
            pool.add(view.filled(Candidate::Last), &episode.scans[to].scan, 0.0);
        }
        tried.push((latency_secs, pool.mae_m()));
    }
    Ok(tried)
}

/// Starts and targets that latency is judged on, all within the fitted part.
pub(crate) fn latency_pairs(episode: &Episode) -> Vec<(usize, usize)> {
    let stamps: Vec<Stamp> = episode.scans.iter().map(|scan| scan.stamp).collect();
    let nearest = NearestScan::new(&stamps);
    let one_step = is_thinned(episode);
    let n_fit = n_fitted(episode);
    let target = |from: usize| {
        let to = if one_step {
            from + 1
        } else {
            nearest.find(stamps[from], LATENCY_HORIZON_SECS)?
        };
        (to > from && to < n_fit).then_some((from, to))
    };
    (LATENCY_FIRST_START..n_fit.saturating_sub(LATENCY_END_MARGIN))
        .step_by(LATENCY_STRIDE)
        .filter_map(target)
        .collect()
}

pub(crate) fn n_fitted(episode: &Episode) -> usize {
    (FIT_SHARE * episode.scans.len() as f64) as usize
}

fn vector(pose: Pose2) -> Vector3<f64> {
    Vector3::new(pose.x_m, pose.y_m, pose.yaw_rad)
}

#[cfg(test)]
mod tests;
