//! The world model's networks, training and checkpoints, on burn.
//!
//! Geometry first: what rigid motion explains is computed by `sedge-world-model`; the network
//! learns which geometric candidate to trust, how far to shift it and how sure to be. A recurrent
//! categorical latent (DreamerV3's, with the time step as an input) remembers what geometry
//! cannot.
//!
//! It never knows a wire type or a log format, and never chooses a device by itself.

mod batch;
mod burn_engine;
mod checkpoint;
mod decoder;
mod device;
mod encoder;
mod gathered_drives;
mod layers;
mod losses;
mod motion_head;
mod network;
mod optimizer;
mod recurrent_core;
mod trainer;
mod training_set;

pub use burn_engine::{LoadError, load};
pub use device::{DeviceError, DeviceKind};
pub use gathered_drives::GatheredDrives;
pub use losses::LossValues;
pub use network::Network;
pub use trainer::{TrainError, Trainer, TrainingData, UpdateReport};
pub use training_set::TrainingSetError;
