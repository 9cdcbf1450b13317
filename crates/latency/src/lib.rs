//! Where the time went: spans per stage, chains of stages, budgets and the report.
//!
//! It reads no clock and does no I/O: whoever has a clock hands in a [`Duration`]. It never holds
//! more than [`N_STAGES_MAX`] histograms of a fixed size, whatever it is fed.
//!
//! [`Duration`]: std::time::Duration
//!
//! ```
//! use sedge_latency::{Budget, BudgetMonitor, Budgets, Chain, MissPolicy, Stage, StageLedger};
//! use std::time::Duration;
//!
//! let mut ledger = StageLedger::default();
//! let chain = Chain {
//!     name: Stage::new("believe")?,
//!     stages: vec![Stage::WIRE, Stage::DECODE, Stage::FUSE],
//! };
//! let spans = [
//!     (Stage::WIRE, Duration::from_micros(180)),
//!     (Stage::DECODE, Duration::from_micros(9)),
//!     (Stage::FUSE, Duration::from_micros(700)),
//! ];
//! let total = ledger.record_chain(&chain, &spans)?;
//! assert_eq!(total, Duration::from_micros(889));
//!
//! let budgets = Budgets::new(vec![Budget::new(Stage::FUSE, 500, MissPolicy::Degrade)])?;
//! let mut monitor = BudgetMonitor::new(&budgets);
//! let miss = monitor.observe(&Stage::FUSE, Duration::from_micros(700));
//! assert_eq!(miss.map(|miss| miss.calls_for()), Some(MissPolicy::Degrade));
//! println!("{}", ledger.report());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod budgets;
mod chain;
mod ladder;
mod ladder_trace;
mod ledger;
mod recent;
mod report;
mod span_histogram;
mod stage;

pub use budget::{Budget, BudgetMonitor, BudgetRow, Miss, MissPolicy};
pub use budgets::{BudgetError, Budgets};
pub use chain::{Chain, ChainError};
pub use ladder::{
    Effort, LadderController, LadderReport, N_RUNGS_MAX, Patience, RungReport, RungSpec,
};
pub use ladder_trace::{LadderTrace, N_TRACED_MAX, TracedPlan};
pub use ledger::{LedgerError, N_COUNTERS_MAX, N_STAGES_MAX, StageLedger};
pub use recent::RecentSpans;
pub use report::{LatencyReport, ReportRow};
pub use span_histogram::SPAN_MAX;
pub use stage::{STAGE_BYTES_MAX, Stage, StageError};
