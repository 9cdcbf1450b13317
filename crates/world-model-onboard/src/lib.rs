//! The trained network as a CPU engine for a robot: the same checkpoint as
//! `sedge-world-model-burn`, and no tensor framework.
//!
//! A robot looks at a handful of futures at a time. A framework spends most of that on small
//! operations: tensors made, shapes checked, threads woken. Here a network is two products over
//! plain slices, in memory that serves again, on the caller's thread. Vectors are as wide as the
//! machine has, chosen when it runs.
//!
//! [`load`] gives the world model. Whoever scores plans on the latent alone, hundreds at a time,
//! takes an [`OnboardEngine`] and [imagines](OnboardEngine::imagine) them, on as many threads and
//! in the [`Precision`] that [`EngineConfig`] says; an engine that was made ready for both changes
//! from one to the other between two calls.
//!
//! It never trains, never starts more threads than it was told to (none, unless told), and never
//! chooses another engine by itself.
//!
//! The same weights and inputs give the same bits on the same machine, however many threads there
//! are; machines with vectors of another width round differently in the last digits, as two
//! frameworks do.

mod activations;
mod aligned;
mod byte_product;
mod core_weights;
mod decoder;
mod encoder;
mod engine_config;
mod imagination;
mod layers;
mod linear;
mod narrow;
mod onboard_engine;
mod parts;
mod products;
mod recurrent_core;
mod workers;
pub mod workload;

pub use engine_config::EngineConfig;
pub use imagination::{ImaginedRows, PlanRows};
pub use onboard_engine::{Decoded, LoadError, OnboardEngine, load, load_with};
pub use sedge_world_model::Precision;
