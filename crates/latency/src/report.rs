//! What a ledger holds, for people and for the wire.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Stage;

/// One stage or chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRow {
    /// The stage or chain.
    pub stage: Stage,
    /// How many spans.
    pub n: u64,
    /// The median span.
    pub p50_nanos: u64,
    /// What 99 % of the spans do not exceed, within 0.1 %.
    pub p99_nanos: u64,
    /// What 99.9 % of the spans do not exceed, within 0.1 %.
    pub p999_nanos: u64,
    /// The longest span, exactly.
    pub max_nanos: u64,
    /// How many spans were past [`crate::SPAN_MAX`] and count as that.
    pub n_saturated: u64,
}

/// All stages and counters of one ledger. `Display` prints a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyReport {
    /// One row a stage, in the order of their names.
    pub rows: Vec<ReportRow>,
    /// Events without a span, by name.
    pub counters: BTreeMap<Stage, u64>,
}

impl LatencyReport {
    /// The row of a stage or chain.
    pub fn row(&self, stage: &Stage) -> Option<&ReportRow> {
        self.rows.iter().find(|row| row.stage == *stage)
    }
}

impl fmt::Display for LatencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .rows
            .iter()
            .map(|row| &row.stage)
            .chain(self.counters.keys());
        let width = names
            .map(|name| name.as_str().len())
            .max()
            .unwrap_or(0)
            .max("stage".len());
        let [n, p50, p99, p999, max] = ["n", "p50 ms", "p99 ms", "p99.9 ms", "max ms"];
        write!(
            f,
            "{:width$} {n:>9} {p50:>10} {p99:>10} {p999:>10} {max:>10}",
            "stage"
        )?;
        for row in &self.rows {
            write!(f, "\n{:width$} {:>9}", row.stage, row.n)?;
            for nanos in [row.p50_nanos, row.p99_nanos, row.p999_nanos, row.max_nanos] {
                write!(f, " {:>10.3}", nanos as f64 / 1e6)?;
            }
            if row.n_saturated > 0 {
                write!(f, "  ({} beyond a minute)", row.n_saturated)?;
            }
        }
        for (name, n) in &self.counters {
            write!(f, "\n{name:width$} {n:>9}")?;
        }
        Ok(())
    }
}
