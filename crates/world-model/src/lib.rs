//! Sensor events, beliefs, futures, the [`WorldModel`] trait, geometric baselines, metrics and the
//! evaluation protocol.
//!
//! It never holds a tensor of any framework, knows no wire type, starts no thread and has no
//! global random numbers.
//!
//! ```
//! use sedge_world_model::{GeometricModel, Horizons, Protocol, conformance};
//! use sedge_world_model::{evaluate_model, fit_motion};
//!
//! let episode = conformance::drive(conformance::half_circle(61), 40.0);
//! let fit = fit_motion(&episode);
//! let (motion, noise) = (fit.belief.model, fit.belief.noise);
//! let mut model = GeometricModel::registered(episode.geometry, motion, noise);
//! let protocol = Protocol { from: 0.6, horizons: Horizons::secs() };
//! let rows = evaluate_model(&mut model, &episode, &protocol)?;
//! assert!(rows.iter().all(|row| row.median_m < 0.01));
//! # Ok::<(), sedge_world_model::EvaluateError>(())
//! ```

mod anchoring;
mod baselines;
mod bearing;
mod belief_fit;
mod calibrate;
mod calibration;
mod candidates;
mod company;
pub mod conformance;
mod crowd;
mod discs;
mod episode;
mod evaluate;
mod event;
mod event_check;
mod geometric_model;
mod gyro_track;
mod intention;
mod metrics;
mod model;
mod motion_prior;
mod mover_track;
mod movers;
mod neighbour_lidar;
mod neighbour_place;
mod neighbours;
mod odometry_track;
mod posed_scans;
mod precision;
mod protocol;
mod registered_scans;
mod registration;
mod render;
mod reused;
mod room;
mod scan_clusters;
mod scan_memory;
mod scoreboard;
mod seen_space;
mod surface;
#[cfg(test)]
mod test_scenes;

pub use baselines::{BaselineError, evaluate_baselines, evaluate_candidates};
pub use belief_fit::BeliefFit;
pub use calibrate::{
    CalibrateError, CalibrationFit, LatencyFit, MotionFit, MotionNoise, fit_calibration,
    fit_latency, fit_motion, fit_registered_calibration,
};
pub use calibration::{MotionModel, OdometryCalibration};
pub use candidates::{Candidate, CandidateSet, N_CANDIDATES, ScanWindow, WINDOW_SECS, WindowScan};
pub use company::Company;
pub use discs::MoverRows;
pub use episode::{Episode, EpisodeScan, OdometrySample};
pub use evaluate::{EvaluateError, GradedPrediction, evaluate_model, visit_predictions};
pub use event::{
    Broadcast, ImuSample, IntendedMotion, LidarScan, Measured, NeighbourReport, Observation,
    PREDICTION_MIN_M, RANGE_MAX_M, RANGE_MIN_M, ScanGeometry, Seen, SensorEvent, Sighting,
};
pub use geometric_model::GeometricModel;
pub use gyro_track::ImuNow;
pub use intention::Intention;
pub use metrics::{ErrorPool, MetricRow};
pub use model::{
    Action, ActionSequence, Belief, CAUTIOUS_SHARE, Futures, ImagineError, ObserveError,
    PredictedScan, Prediction, RangeReadout, WorldModel,
};
pub use motion_prior::MotionPrior;
pub use movers::{Mover, MoverTracker};
pub use neighbours::{Neighbour, Neighbours};
pub use odometry_track::{ExtendedTrack, OdometryTrack};
pub use posed_scans::{PoseScansError, PosedScans, odometry_poses, reference_poses};
pub use precision::{Precision, PrecisionError};
pub use protocol::{Horizons, Protocol, ProtocolError, Start, Target};
pub use registered_scans::RegisteredScans;
pub use registration::{RegisteredScan, Registrar, RegistrationOutcome, register_episode};
pub use render::{RenderableScan, Renderer, Views, fill_far, fill_near};
pub use reused::Reused;
pub use scan_memory::ScanMemory;
