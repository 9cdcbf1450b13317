//! `sedge latency agree`: whether plans in eight bits are those in `f32`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use sedge_datasets::Split;
use sedge_planning::PlannerConfig;
use sedge_runtime::latency_run::this_machine;
use serde::Serialize;

use super::skill::load_averages;
use crate::commands::write_json;
use crate::plan_agreement::{Compared, Difference, compare, quantile, share_within};
use crate::{DataSet, Progress, ProgressStyle, Table, open_data_set};

/// An action within this share is the same for a robot.
const SHARE: f64 = 0.05;

/// What `sedge latency agree` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge latency agree --log data --run weights/swarm-s
  sedge latency agree --log data --run runs/a --drives 4 --json

It lives through drives, and at every fifth scan plans three times from the same belief to where
the drive goes on to, each time without a plan before: imagined in f32, in eight bits with the same
random numbers, and in f32 with others. The first actions are compared: as shares of what the base
can do, the larger of forward and turning, and as a share of the first action itself.")]
pub struct AgreeArgs {
    /// A log, or a folder of collected runs.
    #[arg(long, value_name = "LOG|DIR")]
    pub log: PathBuf,
    /// A trained run's folder.
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Of collected runs: which episodes, train, validation or test.
    #[arg(long, value_name = "SPLIT", default_value_t = Split::Test)]
    pub split: Split,
    /// Of collected runs: how many robots' drives at most, spread evenly over the episodes.
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub drives: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Printed {
    machine: String,
    load: String,
    drives: usize,
    rows: Vec<Row>,
}

/// How far apart plans were.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    of: &'static str,
    n: usize,
    /// Share of cases within 5 %.
    within: f64,
    p50: f64,
    p95: f64,
    max: f64,
}

/// Plans, compares, prints.
pub(super) fn run(args: &AgreeArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let planner = PlannerConfig::default();
    let mut compared = Vec::new();
    let mut n_drives = 0;
    match open_data_set(&args.log)? {
        DataSet::Log(log) => {
            compared = compare(&log.episode, &args.run, &planner)?;
            n_drives = 1;
        }
        DataSet::Collected(drives) => {
            let total = drives.count(args.split).min(args.drives) as u64;
            let mut shown = Progress::begin("planning", ProgressStyle::detect(), 0, total);
            drives.visit(args.split, args.drives, &mut |episode| {
                compared.extend(compare(&episode, &args.run, &planner)?);
                n_drives += 1;
                shown.set(n_drives as u64, |_| "drives".to_owned());
                Ok(())
            })?;
            shown.end_in_place();
        }
    }
    ensure!(
        !compared.is_empty(),
        "expected drives that go on for 3 m after a scan, got none"
    );
    let printed = Printed {
        machine: this_machine(),
        load: load_averages(),
        drives: n_drives,
        rows: rows(&compared),
    };
    if args.json {
        return write_json(&printed, out);
    }
    Ok(write!(out, "{}", text(&printed))?)
}

fn rows(compared: &[Compared]) -> Vec<Row> {
    let by_engine: Vec<Difference> = compared.iter().map(|it| it.by_engine).collect();
    let by_seed: Vec<Difference> = compared.iter().map(|it| it.by_seed).collect();
    let pairs = [
        ("f32 and int8, same random numbers", by_engine),
        ("f32 twice, other random numbers", by_seed),
    ];
    let mut rows = Vec::new();
    for (what, all) in pairs {
        let of_range: Vec<f64> = all.iter().map(|it| it.of_range).collect();
        let relative: Vec<f64> = all.iter().map(|it| it.relative).collect();
        rows.push(row([what, "the action's range"], &of_range));
        rows.push(row([what, "the action itself"], &relative));
    }
    rows
}

fn row([what, of]: [&'static str; 2], differences: &[f64]) -> Row {
    Row {
        what,
        of,
        n: differences.len(),
        within: share_within(differences, SHARE),
        p50: quantile(differences, 0.5),
        p95: quantile(differences, 0.95),
        max: quantile(differences, 1.0),
    }
}

fn text(printed: &Printed) -> String {
    let mut table = Table::new([
        "plans",
        "difference of",
        "cases",
        "within 5 %",
        "p50",
        "p95",
        "max",
    ]);
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    for row in &printed.rows {
        table.push([
            row.what.to_owned(),
            row.of.to_owned(),
            row.n.to_string(),
            percent(row.within),
            percent(row.p50),
            percent(row.p95),
            percent(row.max),
        ]);
    }
    format!(
        "{} drives, on {}, load averages {}\n{}",
        printed.drives,
        printed.machine,
        printed.load,
        table.text()
    )
}
