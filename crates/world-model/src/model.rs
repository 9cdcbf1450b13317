//! The world-model trait: believe what was sensed, imagine what would come.

use std::time::Duration;

use sedge_spacetime::{Covariance2, Pose2, Stamp, Twist2};
use serde::{Deserialize, Serialize};

use crate::{
    Mover, Neighbour, PREDICTION_MIN_M, Precision, PrecisionError, RANGE_MAX_M, Reused,
    ScanGeometry, SensorEvent,
};

/// One stretch of motion: what odometry would report while a command is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Action {
    /// How long the twist is held.
    pub duration: Duration,
    /// Velocity of the base in its own frame.
    pub twist: Twist2,
}

/// What the robot will do, one action after the other, from the belief's newest odometry on. After
/// the last action the robot is taken to stand still.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActionSequence {
    /// The actions, in order.
    pub actions: Reused<Action>,
}

/// What a model believes now.
#[derive(Debug, Clone, PartialEq)]
pub struct Belief {
    /// The newest event that is in it.
    pub stamp: Stamp,
    /// `world_from_scanner`, where the world is where the model began.
    pub pose: Pose2,
    /// Uncertainty of the movement since the scan before, in the scanner's frame.
    pub covariance: Covariance2,
    /// The latent state, for a model that has one. `[latent]`
    pub latent: Reused<f32>,
}

/// Probability that the range is below [`PredictedScan::cautious_m`].
pub const CAUTIOUS_SHARE: f32 = 0.35;

/// A scan that has not been seen yet, each point read-out made for its own metric.
///
/// # Shapes
/// Every vector is `[beam]`; ranges in metres, within `[0.05, 20]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictedScan {
    /// Expected range: least squared error.
    pub mean_m: Reused<f32>,
    /// Median range: least absolute error.
    pub least_error_m: Reused<f32>,
    /// The most probable range.
    pub mode_m: Reused<f32>,
    /// [`CAUTIOUS_SHARE`] quantile of the range: nearer than the median, for whoever must not run
    /// into what is probably there. Where something may move into the way, an error towards it
    /// costs less than one away from it.
    pub cautious_m: Reused<f32>,
    /// 5 % quantile of the range.
    pub low_m: Reused<f32>,
    /// 95 % quantile of the range.
    pub high_m: Reused<f32>,
    /// Probability that the beam returns at all.
    pub hit_probability: Reused<f32>,
}

/// One of the ranges that a predicted distribution is read out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeReadout {
    /// The 5 % quantile: where the obstacle could already be. Among people that is everywhere, and
    /// robots turn on the spot.
    Low,
    /// The quantile between that and the median that models call cautious.
    Cautious,
    /// The median.
    #[default]
    Median,
    /// The most probable range.
    Mode,
    /// The mean; between two surfaces it is at neither.
    Mean,
}

impl PredictedScan {
    /// One read-out. `[beam]`, or empty where it was not asked for.
    pub fn ranges_m(&self, read_out: RangeReadout) -> &[f32] {
        match read_out {
            RangeReadout::Low => &self.low_m,
            RangeReadout::Cautious => &self.cautious_m,
            RangeReadout::Median => &self.least_error_m,
            RangeReadout::Mode => &self.mode_m,
            RangeReadout::Mean => &self.mean_m,
        }
    }

    /// A prediction without doubt: every read-out is the same, clipped to what may be stated.
    pub fn certain(ranges_m: impl IntoIterator<Item = f32>) -> Self {
        let clip = |range: f32| range.clamp(PREDICTION_MIN_M, RANGE_MAX_M);
        let ranges: Reused<f32> = ranges_m.into_iter().map(clip).collect();
        Self {
            hit_probability: Reused::filled(1.0, ranges.len()),
            least_error_m: ranges.clone(),
            mode_m: ranges.clone(),
            cautious_m: ranges.clone(),
            low_m: ranges.clone(),
            high_m: ranges.clone(),
            mean_m: ranges,
        }
    }
}

/// What a model expects at one horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// How far ahead of the newest scan.
    pub horizon: Duration,
    /// `now_from_then`: where the scanner will be, seen from where it is at the newest scan.
    pub motion: Pose2,
    /// Uncertainty of `motion`, in the frame of the scanner then.
    pub covariance: Covariance2,
    /// What the scanner will see there.
    pub scan: PredictedScan,
}

/// What one action sequence would lead to: one prediction per horizon asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Futures {
    /// In the order of the horizons asked for.
    pub predictions: Reused<Prediction>,
}

/// Why an event was not taken in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ObserveError {
    /// The event is older than what the belief already holds of its kind.
    #[error("late event: expected a stamp after {newest}, got {stamp}")]
    Late {
        /// Newest stamp of that kind.
        newest: Stamp,
        /// What came.
        stamp: Stamp,
    },
    /// The scan is not of the scanner that the model was made for.
    #[error("expected a scan of {expected:?}, got {got:?}")]
    OtherScanner {
        /// The model's scanner.
        expected: ScanGeometry,
        /// What came.
        got: ScanGeometry,
    },
    /// A number is NaN or infinite.
    #[error("expected finite numbers in {what}")]
    NotFinite {
        /// Which part of the event.
        what: &'static str,
    },
    /// A number is finite but no measurement of this world.
    #[error("expected numbers up to {max:e} in {what}, got {got:e}")]
    TooLarge {
        /// Which part of the event.
        what: &'static str,
        /// The limit.
        max: f64,
        /// What came.
        got: f64,
    },
    /// A number that cannot be negative is.
    #[error("expected no negative {what}, got {got}")]
    Negative {
        /// Which part of the event.
        what: &'static str,
        /// What came.
        got: f64,
    },
    /// There are more of something than anybody needs.
    #[error("expected at most {max} {what}, got {got}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
        /// What came.
        got: usize,
    },
    /// Parts of an event are missing, doubled or out of order.
    #[error("expected {what} in order and at least one")]
    Disordered {
        /// Which part of the event.
        what: &'static str,
    },
}

/// Why nothing can be imagined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImagineError {
    /// Nothing has been sensed yet.
    #[error("expected at least one scan and one odometry sample before imagining")]
    NoBelief,
    /// An action is NaN or infinite.
    #[error("expected finite twists, got {twist:?} in action {action_idx}")]
    BadAction {
        /// Which action.
        action_idx: usize,
        /// What came.
        twist: Twist2,
    },
}

/// A model of the world around one robot.
///
/// The contract, checked by [`crate::conformance`]: a refused event changes nothing; `imagine`
/// changes nothing that a later call can see; the same events, plans and horizons give the same
/// bits; every read-out has the scanner's beams and stays within `[0.05, 20]` metres;
/// `imagine_ranges` gives the bits that `imagine` gives; of dead reckoning nothing is left once
/// odometry is there again; of imagining in other numbers nothing is left once they are those
/// before again.
pub trait WorldModel {
    /// What this model is called in tables.
    fn name(&self) -> &str;

    /// Takes in one timed event.
    ///
    /// # Errors
    /// [`ObserveError`] when the event is late, malformed or of another scanner.
    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError>;

    /// What it believes now, or `None` before the first scan.
    fn belief(&self) -> Option<Belief>;

    /// What moves around the robot, in the scanner's frame at the newest scan; a model that does
    /// not look for it knows of nothing.
    fn movers(&self) -> &[Mover] {
        &[]
    }

    /// Robots known by name, in the same frame and at the same time as [`WorldModel::movers`].
    fn neighbours(&self) -> &[Neighbour] {
        &[]
    }

    /// What each plan would lead to, at each horizon after the newest scan.
    ///
    /// # Shapes
    /// One [`Futures`] per plan, each with one prediction per horizon.
    ///
    /// # Errors
    /// [`ImagineError`] before the first scan, or for plans that are not numbers.
    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError>;

    /// As [`WorldModel::imagine`], for who looks at one read-out alone and whether beams return:
    /// the others may be left empty, where reading them out takes time.
    ///
    /// # Errors
    /// Those of [`WorldModel::imagine`].
    fn imagine_ranges(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
        _read_out: RangeReadout,
    ) -> Result<Reused<Futures>, ImagineError> {
        self.imagine(plans, horizons)
    }

    /// Imagines in these numbers from now on, until told otherwise, and gives those before. What is
    /// believed stays as it is, and is filtered as before. Models without weights, or with weights
    /// in one precision alone, have nothing to choose: they refuse.
    ///
    /// # Errors
    /// [`PrecisionError`] where it cannot, and goes on as before.
    fn imagine_in(&mut self, precision: Precision) -> Result<Precision, PrecisionError> {
        Err(PrecisionError { precision })
    }
}
