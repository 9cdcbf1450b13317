//! Sensor events, beliefs, futures, the [`WorldModel`] trait, geometric baselines, metrics and the
//! evaluation protocol.
//!
//! It never holds a tensor of any framework, knows no wire type, starts no thread and has no
//! global random numbers.

mod episode;
mod event;
mod model;

pub use episode::{Episode, EpisodeScan, OdometrySample};
pub use event::{
    LidarScan, Observation, PREDICTION_MIN_M, RANGE_MAX_M, RANGE_MIN_M, ScanGeometry, SensorEvent,
};
pub use model::{
    Action, ActionSequence, Belief, Futures, ImagineError, ObserveError, PredictedScan, Prediction,
    WorldModel,
};
