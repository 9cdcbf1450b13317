//! Where the time went, once: real traffic beside synthetic probes, to be compared with the last
//! time.

mod history;
mod page;
mod plot;
mod rungs;
mod step_plot;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::AgentReport;
use crate::bus::AgentStages;
use crate::wakeups::{Sleeper, WakeReport};

pub use history::{HistoryError, LatencyHistory, RUNS_MAX};
pub use page::page;
pub use rungs::{
    MeasuredRung, MeasuredSkills, RungRow, rungs_of_agent, rungs_of_report, skill_lost,
};
pub use step_plot::{StepPlot, span_row};

/// Where the time went when somebody looked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyRun {
    /// When, in nanoseconds since the Unix epoch.
    pub stamp_nanos: i64,
    /// The machine that looked: figures of two machines are not compared.
    pub machine: String,
    /// Where the figures of real traffic are from.
    pub source: String,
    /// What agents' stages took in real traffic, since each agent started.
    pub real: Vec<SpanRow>,
    /// What messages and questions of our own took, and how late threads were woken.
    pub probes: Vec<SpanRow>,
    /// The rungs of agents' degradation ladders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<RungRow>,
}

/// One thing that takes time, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanRow {
    /// Whose time: an agent, such as `sedge/crane`, or what a probe goes through.
    pub whose: String,
    /// What took it: a stage or a probe.
    pub what: String,
    /// How often.
    pub n: u64,
    /// Median.
    pub p50_nanos: u64,
    /// 99 % quantile.
    pub p99_nanos: u64,
    /// 99.9 % quantile.
    pub p999_nanos: u64,
    /// The longest.
    pub max_nanos: u64,
    /// How long it may take, where that is declared.
    pub budget_nanos: Option<u64>,
    /// How often it took longer than its budget; of a probe, how often no answer came.
    pub missed: u64,
}

/// How figures moved since the last run, as shares of the last: 0.1 is 10 % more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// Of the median.
    pub p50: f64,
    /// Of the 99 % quantile.
    pub p99: f64,
    /// Of the 99.9 % quantile.
    pub p999: f64,
}

impl SpanRow {
    /// Of a row of a ledger, without a budget.
    pub(crate) fn of_row(whose: &str, what: &str, row: &sedge_latency::ReportRow) -> Self {
        Self {
            whose: whose.to_owned(),
            what: what.to_owned(),
            n: row.n,
            p50_nanos: row.p50_nanos,
            p99_nanos: row.p99_nanos,
            p999_nanos: row.p999_nanos,
            max_nanos: row.max_nanos,
            budget_nanos: None,
            missed: 0,
        }
    }

    /// Of nothing that has a duration.
    pub(crate) fn without_figures(whose: &str, what: &str) -> Self {
        Self {
            whose: whose.to_owned(),
            what: what.to_owned(),
            n: 0,
            p50_nanos: 0,
            p99_nanos: 0,
            p999_nanos: 0,
            max_nanos: 0,
            budget_nanos: None,
            missed: 0,
        }
    }

    fn of_sleeper(what: &str, sleeper: &Sleeper) -> Self {
        Self {
            whose: "this machine".to_owned(),
            what: what.to_owned(),
            n: sleeper.n,
            p50_nanos: sleeper.p50_nanos,
            p99_nanos: sleeper.p99_nanos,
            p999_nanos: sleeper.p999_nanos,
            max_nanos: sleeper.max_nanos,
            budget_nanos: None,
            missed: 0,
        }
    }

    /// How this row moved since the run before, where that has one of the same name and both have
    /// figures.
    pub fn change(&self, before: &[Self]) -> Option<Change> {
        let is_same = |row: &&Self| row.whose == self.whose && row.what == self.what;
        let old = before.iter().find(is_same)?;
        let moved = |now: u64, then: u64| (then > 0).then(|| now as f64 / then as f64 - 1.0);
        Some(Change {
            p50: moved(self.p50_nanos, old.p50_nanos)?,
            p99: moved(self.p99_nanos, old.p99_nanos)?,
            p999: moved(self.p999_nanos, old.p999_nanos)?,
        })
    }
}

fn whose(agent: &AgentStages) -> String {
    match agent.stream.as_str() {
        "main" => format!("{}/{}", agent.fleet, agent.agent),
        stream => format!("{}/{}/{stream}", agent.fleet, agent.agent),
    }
}

/// What an agent said of its stages, those that have run.
pub fn rows_of_agent(agent: &AgentStages) -> Vec<SpanRow> {
    let whose = whose(agent);
    let ran = agent.stages.iter().filter(|stage| stage.n > 0);
    let row = |stage: &crate::bus::StageFigures| SpanRow {
        whose: whose.clone(),
        what: stage.stage.clone(),
        n: stage.n,
        p50_nanos: stage.p50_nanos,
        p99_nanos: stage.p99_nanos,
        p999_nanos: stage.p999_nanos,
        max_nanos: stage.max_nanos,
        budget_nanos: stage.budget_nanos,
        missed: stage.missed,
    };
    ran.map(row).collect()
}

/// What the report says that an agent wrote when it ended.
pub fn rows_of_report(report: &AgentReport) -> Vec<SpanRow> {
    let row = |row: &sedge_latency::ReportRow| {
        let mut kept = report.budgets.iter();
        let kept = kept.find(|kept| kept.budget.stage == row.stage);
        let limit = kept.map(|kept| kept.budget.limit().as_nanos());
        SpanRow {
            budget_nanos: limit.map(|nanos| u64::try_from(nanos).unwrap_or(u64::MAX)),
            missed: kept.map_or(0, |kept| kept.n_missed),
            ..SpanRow::of_row(&report.agent, row.stage.as_str(), row)
        }
    };
    report.latency.rows.iter().map(row).collect()
}

/// How late threads of this machine were woken.
pub fn rows_of_wake_ups(report: &WakeReport) -> Vec<SpanRow> {
    let mut rows = vec![SpanRow::of_sleeper("wake-up", &report.plain)];
    if report.asked.granted == crate::Granted::Yes {
        rows.push(SpanRow::of_sleeper(
            "wake-up, SCHED_FIFO",
            &report.real_time,
        ));
    }
    rows
}

/// This machine in a few words: processors and system, as far as it says.
pub fn this_machine() -> String {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    machine_of(&file("/proc/cpuinfo"), &file("/proc/version"))
}

fn machine_of(cpuinfo: &str, version: &str) -> String {
    let models = || {
        let models = cpuinfo
            .lines()
            .filter_map(|line| line.strip_prefix("model name"));
        models.map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim())
    };
    let cores = match (models().next(), models().count()) {
        (Some(model), n) => format!("{n} x {model}"),
        (None, _) => std::env::consts::ARCH.to_owned(),
    };
    let system = match version.split_whitespace().collect::<Vec<_>>()[..] {
        [name, "version", release, ..] => format!("{name} {release}"),
        _ => std::env::consts::OS.to_owned(),
    };
    format!("{cores}, {system}")
}

/// A duration in the unit that reads best: from nanoseconds to seconds, three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readable(pub u64);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0 as f64;
        let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
        let unit = units.into_iter().find(|(size, _)| nanos >= *size);
        let (size, name) = unit.unwrap_or((1.0, "ns"));
        let number = nanos / size;
        let digits = match number {
            _ if size < 2.0 => 0,
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        write!(f, "{number:.digits$} {name}")
    }
}

#[cfg(test)]
mod tests;
