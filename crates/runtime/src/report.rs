//! What an agent has to show.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sedge_latency::{BudgetRow, LatencyReport};
use sedge_oni::Key;
use sedge_spacetime::AgentName;
use sedge_transport::{DropRow, LossCounts};
use serde::{Deserialize, Serialize};

use crate::error_tally::Pooled;
use crate::grader::Method;
use crate::registry::ContactRow;
use crate::{AskedRow, DrivingReport};

/// The figures of one method at one horizon, pooled over every counted beam of every graded start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionRow {
    /// `<model> mean`, `<model> least_error`, `<model> mode`, `persistence` or a baseline's name.
    pub method: String,
    /// How far ahead, in seconds.
    pub horizon_secs: f64,
    /// Graded starts.
    pub n: u64,
    /// Counted beams.
    pub n_beams: u64,
    /// Mean absolute error, in metres.
    pub mae_m: f64,
    /// Root mean squared error, in metres.
    pub rmse_m: f64,
    /// Median absolute error, in metres, within 1 mm.
    pub median_m: f64,
    /// Share of beams within 5 cm.
    pub within_5cm: f64,
    /// Share of beams within 10 cm.
    pub within_10cm: f64,
    /// Share of beams within 20 cm.
    pub within_20cm: f64,
    /// Root mean squared error of the logarithm of the range.
    pub log_rmse: f64,
    /// Share of beams inside the interval from the 5 % to the 95 % quantile; 0.9 is calibrated.
    /// Only where a method states an interval.
    pub coverage_90: Option<f64>,
}

/// What became of the messages of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRow {
    /// Who sent them.
    pub sender: String,
    /// The key.
    pub key: String,
    /// Messages received, each counted once.
    pub received: u64,
    /// Messages that were sent since the first one received, and never came.
    pub lost: u64,
    /// Copies of messages that had already come.
    pub duplicated: u64,
    /// Messages that came after a later one.
    pub reordered: u64,
    /// New epochs of the sender.
    pub restarts: u64,
    /// Messages that were sent before the first one received.
    pub missed_at_start: u64,
    /// Messages too far behind, or of an epoch before, to tell.
    pub unplaced: u64,
}

/// Messages that were dropped on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropCountRow {
    /// The key.
    pub key: String,
    /// Where: sender, link, queue or reader.
    pub place: String,
    /// Why, such as `expired`.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// Everything that an agent counts. `Display` prints the two tables and what was not as it should
/// be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentReport {
    /// The robot.
    pub agent: String,
    /// The start of the agent.
    pub epoch: u64,
    /// The model's name.
    pub model: String,
    /// The model's hash, hexadecimal.
    pub model_hash: String,
    /// Predictions against what came.
    pub predictions: Vec<PredictionRow>,
    /// Where the time went.
    pub latency: LatencyReport,
    /// How the budgets were kept.
    pub budgets: Vec<BudgetRow>,
    /// What became of the messages.
    pub streams: Vec<StreamRow>,
    /// Streams of another schema than the agent's own, and what became of them.
    pub contacts: Vec<ContactRow>,
    /// Messages that were dropped on purpose, by the agent or by its side of the network.
    pub drops: Vec<DropCountRow>,
    /// Countable events by name.
    pub counters: BTreeMap<String, u64>,
    /// How it drove, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driving: Option<DrivingReport>,
    /// What the operating system was asked for, for the agent's loop, and what became of it; empty
    /// where it was asked for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<AskedRow>,
}

impl From<(Duration, &Method, Pooled)> for PredictionRow {
    fn from((horizon, method, pooled): (Duration, &Method, Pooled)) -> Self {
        let [within_5cm, within_10cm, within_20cm] = pooled.within;
        Self {
            method: method.name.clone(),
            horizon_secs: horizon.as_secs_f64(),
            n: pooled.n_starts,
            n_beams: pooled.n_beams,
            mae_m: pooled.mae_m,
            rmse_m: pooled.rmse_m,
            median_m: pooled.median_m,
            within_5cm,
            within_10cm,
            within_20cm,
            log_rmse: pooled.log_rmse,
            coverage_90: pooled.coverage,
        }
    }
}

impl From<(&AgentName, &Key, LossCounts)> for StreamRow {
    fn from((sender, key, counts): (&AgentName, &Key, LossCounts)) -> Self {
        Self {
            sender: sender.to_string(),
            key: key.to_string(),
            received: counts.received,
            lost: counts.lost,
            duplicated: counts.duplicated,
            reordered: counts.reordered,
            restarts: counts.restarts,
            missed_at_start: counts.missed_at_start,
            unplaced: counts.unplaced,
        }
    }
}

impl From<DropRow> for DropCountRow {
    fn from(row: DropRow) -> Self {
        Self {
            key: row.key.to_string(),
            place: row.place.name().to_owned(),
            reason: row.reason.name().to_owned(),
            count: row.count,
        }
    }
}

impl fmt::Display for AgentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.model_hash.get(..12).unwrap_or(&self.model_hash);
        writeln!(f, "{} with {} ({hash})\n", self.agent, self.model)?;
        write!(f, "{}", PredictionTable(&self.predictions))?;
        writeln!(f, "\n{}\n", self.latency)?;
        for row in &self.budgets {
            let (stage, limit) = (&row.budget.stage, row.budget.limit());
            writeln!(
                f,
                "budget {stage} {limit:?}: {} of {} missed",
                row.n_missed, row.n
            )?;
        }
        for row in &self.streams {
            writeln!(
                f,
                "{}: {} received, {} lost, {} duplicated, {} reordered, {} restarts, {} before \
                 we listened, {} unplaced",
                row.key,
                row.received,
                row.lost,
                row.duplicated,
                row.reordered,
                row.restarts,
                row.missed_at_start,
                row.unplaced,
            )?;
        }
        for row in &self.contacts {
            writeln!(f, "{row}: {} read, {} refused", row.read, row.refused)?;
        }
        for DropCountRow {
            key,
            place,
            reason,
            count,
        } in &self.drops
        {
            writeln!(f, "{key}: {count} dropped at the {place}, {reason}")?;
        }
        if let Some(driving) = &self.driving {
            writeln!(f, "{driving}")?;
        }
        for row in &self.threads {
            writeln!(f, "loop: {row}")?;
        }
        let counters: Vec<String> = self
            .counters
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        write!(f, "{}", counters.join(", "))
    }
}

/// Predictions against what came, a line each.
#[derive(Debug, Clone, Copy)]
pub struct PredictionTable<'r>(pub &'r [PredictionRow]);

impl fmt::Display for PredictionTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(rows) = self;
        let names = rows.iter().map(|row| row.method.len());
        let width = names.max().unwrap_or(0).max("method".len());
        writeln!(
            f,
            "{:>7} {:width$} {:>6} {:>7} {:>7} {:>8} {:>6} {:>6} {:>6} {:>8}",
            "horizon",
            "method",
            "n",
            "MAE m",
            "RMSE m",
            "median m",
            "5 cm",
            "10 cm",
            "20 cm",
            "in 5-95%",
        )?;
        for row in *rows {
            let coverage = row
                .coverage_90
                .map_or("-".into(), |share| format!("{share:.3}"));
            writeln!(
                f,
                "{:>5} s {:width$} {:>6} {:>7.3} {:>7.3} {:>8.4} {:>6.3} {:>6.3} {:>6.3} \
                 {coverage:>8}",
                row.horizon_secs,
                row.method,
                row.n,
                row.mae_m,
                row.rmse_m,
                row.median_m,
                row.within_5cm,
                row.within_10cm,
                row.within_20cm,
            )?;
        }
        Ok(())
    }
}
