//! Benchmarks: cases that are data, ours beside peers, by turns in one run.

pub(crate) mod case;
mod caterpillar;
mod dora;
mod engines;
mod far;
mod numbers;
mod report;
mod run;
mod sensor_to_command;
mod torch;
mod wires;

pub use case::{Case, CaseFile};
pub(crate) use far::{FarRole, run_far_end};
pub(crate) use report::BenchReport;
pub(crate) use run::{Bench, Effort, Peers, run_case};
