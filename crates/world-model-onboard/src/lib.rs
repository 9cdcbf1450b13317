//! The trained network as a CPU engine for a robot: the same checkpoint as
//! `sedge-world-model-burn`, and no tensor framework.
//!
//! A robot looks at a handful of futures at a time. A framework spends most of that on small
//! operations: tensors made, shapes checked, threads woken. Here a network is two products over
//! plain slices, in memory that serves again, on the caller's thread. Vectors are as wide as the
//! machine has, chosen when it runs.
//!
//! It never trains, starts no thread and never chooses another engine by itself.
//!
//! The same weights and inputs give the same bits on the same machine; machines with vectors of
//! another width round differently in the last digits, as two frameworks do.

mod decoder;
mod encoder;
mod layers;
mod onboard_engine;
mod products;
mod recurrent_core;

pub use onboard_engine::load;
