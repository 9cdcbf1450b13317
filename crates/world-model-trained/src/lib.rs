//! A trained network as a [`WorldModel`](sedge_world_model::WorldModel), whichever engine computes
//! it.
//!
//! What every engine agrees on lives here: the checkpoint and its story, what the network is told
//! of a scan, of others and of a future, and what its numbers mean. An [`Engine`] holds the weights
//! and the recurrent state and does the arithmetic.
//!
//! It never learns, and knows no tensor framework.

mod checkpoint;
mod company_rows;
mod config;
mod engine;
mod features;
mod mixture;
mod motion_correction;
pub mod structure;
mod trained_model;

pub use checkpoint::{
    CHECKPOINT_VERSION, CheckpointError, CheckpointStory, MODEL_FILE, NamedTensors, Normalisation,
    TRAINER_FILE, hash_of, read_checkpoint, read_story, read_weights, take, write_checkpoint,
};
pub use company_rows::{CompanyRow, Hidden};
pub use config::{HorizonRange, NetworkConfig, Preset, TrainConfig, UnknownPreset};
pub use engine::{Engine, Foreseen, FutureRows, SensedStep};
pub use features::{DecoderRows, FutureView, encoder_scan, motion_row, normalisation};
pub use mixture::{MixtureRows, read_out};
pub use motion_correction::{ERROR_SCALE, corrected_motion, motion_error};
pub use trained_model::TrainedModel;
