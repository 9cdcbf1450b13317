//! `sedge eval`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use sedge_world_model::{
    Candidate, Horizons, MetricRow, MotionModel, Protocol, RegisteredScans, evaluate_baselines,
    evaluate_candidates, evaluate_model,
};
use sedge_world_model_burn::{BurnWorldModel, DeviceKind, HorizonRange, read_story};

use super::write_json;
use crate::eval_rows::{EvalRow, markdown, pooled, text};
use crate::log_file::fit_and_say;
use crate::{OpenedLog, UsageError, open_log};

/// What `sedge eval` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge eval --log a.log.gz                       the baselines alone
  sedge eval --log a.log.gz --run runs/a --json
  sedge eval --log a.log.gz --run runs/1 --run runs/2 --run runs/3 --out table.md

Runs of one kind are shown as mean +- standard deviation over the runs. Thinned logs (one scan per
metre, say) are graded by scans ahead, others by seconds ahead.")]
pub struct EvalArgs {
    /// The log to grade on.
    #[arg(long, value_name = "PATH")]
    pub log: PathBuf,
    /// A trained run's folder; repeat it for several seeds or kinds.
    #[arg(long, value_name = "RUN")]
    pub run: Vec<PathBuf>,
    /// Predict from the scans after this share of the log.
    #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
    pub from: f64,
    /// How many seconds ahead to predict.
    #[arg(
        long,
        value_name = "SECS",
        value_delimiter = ',',
        conflicts_with = "steps"
    )]
    pub horizons: Vec<f64>,
    /// How many scans ahead to predict.
    #[arg(long, value_name = "SCANS", value_delimiter = ',')]
    pub steps: Vec<usize>,
    /// Where networks run; see `sedge devices`.
    #[arg(long, default_value_t = DeviceKind::Flex)]
    pub device: DeviceKind,
    /// Print the rows as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write the table as Markdown to this file.
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
}

/// Candidates of the belief's geometry that get a row.
const BELIEF_CANDIDATES: [Candidate; 4] = [
    Candidate::Last,
    Candidate::Map1Med3,
    Candidate::Map5Med3,
    Candidate::Map20Med3,
];

/// Grades and prints the table.
///
/// # Errors
/// When the log or a run cannot be used, or they do not fit each other.
pub fn run(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    args.device.open()?;
    let log = open_log(&args.log)?;
    let rows = evaluate(args, &log)?;
    if let Some(path) = &args.out {
        let page = markdown(&args.log.display().to_string(), &rows);
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        write_json(&rows, out)
    } else {
        Ok(write!(out, "{}", text(&rows))?)
    }
}

/// All rows: baselines, then each run, then the mean over runs of one kind.
///
/// # Errors
/// As [`run`].
pub fn evaluate(args: &EvalArgs, log: &OpenedLog) -> anyhow::Result<Vec<EvalRow>> {
    let protocol = Protocol {
        from: args.from,
        horizons: horizons(args, log),
    };
    protocol.starts(&log.episode)?;
    for run in &args.run {
        check_run(run, log, args.from)?;
    }
    let fit = fit_and_say(log);
    tracing::info!("grading the baselines");
    let mut baselines = evaluate_baselines(&log.episode, &fit.model, &protocol)?;
    baselines.extend(belief_rows(log, &protocol, fit.belief.model)?);
    let mut rows: Vec<EvalRow> = baselines.into_iter().map(EvalRow::baseline).collect();
    let mut of_runs = Vec::new();
    for run in &args.run {
        tracing::info!("grading {}", run.display());
        of_runs.extend(rows_of_run(run, args.device, log, &protocol)?);
    }
    rows.extend(pooled(&of_runs));
    rows.extend(of_runs);
    let place = |row: &EvalRow| {
        row.metrics
            .horizon_steps
            .map_or(row.metrics.horizon_secs, |n| n as f64)
    };
    rows.sort_by(|a, b| place(a).total_cmp(&place(b)));
    Ok(rows)
}

fn horizons(args: &EvalArgs, log: &OpenedLog) -> Horizons {
    match (args.horizons.as_slice(), args.steps.as_slice()) {
        ([], []) => Horizons::fitting(&log.episode),
        (secs, []) => Horizons::Secs(secs.to_vec()),
        (_, steps) => Horizons::Steps(steps.to_vec()),
    }
}

/// What the belief's own geometry predicts, without a network: candidates from registered scans,
/// moved as the belief expects. They stand apart from the reference baselines, whose definitions
/// others can repeat.
fn belief_rows(
    log: &OpenedLog,
    protocol: &Protocol,
    motion: MotionModel,
) -> anyhow::Result<Vec<MetricRow>> {
    let scans = RegisteredScans::new(&log.episode, &motion)?;
    let expected = |from, to| scans.expected_motion(from, to);
    let chosen = ("registered", &BELIEF_CANDIDATES[..]);
    let mut rows = evaluate_candidates(&log.episode, protocol, chosen, scans.posed(), expected)?;
    for row in &mut rows {
        row.method = format!("sedge geometry, {}", row.method);
    }
    Ok(rows)
}

fn check_run(run: &Path, log: &OpenedLog, from: f64) -> anyhow::Result<()> {
    let story = read_story(run)?;
    let (expected, got) = (story.geometry, log.episode.geometry);
    ensure!(
        expected == got,
        UsageError(format!(
            "expected a log of the scanner that {} was trained for, {expected:?}; {} has {got:?}",
            run.display(),
            log.path.display()
        ))
    );
    if story.dataset_hash == log.episode.source_hash && from < story.config.train_share {
        tracing::warn!(
            "{} was trained on the first {:.0} % of this log: grading from {:.0} % flatters it",
            run.display(),
            100.0 * story.config.train_share,
            100.0 * from
        );
    }
    let in_scans = matches!(story.config.horizons, HorizonRange::Scans { .. });
    if in_scans == log.is_dense() {
        tracing::warn!(
            "{} was trained for horizons of another kind than this log's",
            run.display()
        );
    }
    Ok(())
}

fn rows_of_run(
    run: &Path,
    device: DeviceKind,
    log: &OpenedLog,
    protocol: &Protocol,
) -> anyhow::Result<Vec<EvalRow>> {
    let mut model = BurnWorldModel::load(run, device)
        .with_context(|| format!("cannot load the model in {}", run.display()))?;
    let seed = model.story().config.seed;
    let rows: Vec<MetricRow> = evaluate_model(&mut model, &log.episode, protocol)?;
    let of_run = |metrics| EvalRow::of_run(metrics, run.display().to_string(), seed);
    Ok(rows.into_iter().map(of_run).collect())
}
