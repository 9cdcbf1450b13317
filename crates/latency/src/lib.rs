//! Where the time went: spans per stage, chains of stages, budgets and the report.
//!
//! It reads no clock and does no I/O: whoever has a clock hands in a [`Duration`]. It never holds
//! more than [`N_STAGES_MAX`] histograms of a fixed size, whatever it is fed.
//!
//! [`Duration`]: std::time::Duration
//!
//! ```
//! use sedge_latency::{Budget, BudgetMonitor, Chain, Stage, StageLedger};
//! use std::time::Duration;
//!
//! let mut ledger = StageLedger::default();
//! let chain = Chain::sensor_to_prediction();
//! let spans = [
//!     (Stage::WIRE, Duration::from_micros(180)),
//!     (Stage::DECODE, Duration::from_micros(9)),
//!     (Stage::FUSE, Duration::from_micros(700)),
//!     (Stage::PREDICT, Duration::from_micros(900)),
//! ];
//! let total = ledger.record_chain(&chain, &spans)?;
//! assert_eq!(total, Duration::from_micros(1789));
//!
//! let mut monitor = BudgetMonitor::new(vec![Budget::sensor_to_prediction()])?;
//! assert!(monitor.observe(&chain.name, total).is_none());
//! println!("{}", ledger.report());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod chain;
mod ledger;
mod report;
mod span_histogram;
mod stage;

pub use budget::{Budget, BudgetError, BudgetMonitor, BudgetRow, Miss, MissPolicy};
pub use chain::{Chain, ChainError};
pub use ledger::{LedgerError, N_COUNTERS_MAX, N_STAGES_MAX, StageLedger};
pub use report::{LatencyReport, ReportRow};
pub use span_histogram::SPAN_MAX;
pub use stage::{STAGE_BYTES_MAX, Stage, StageError};
