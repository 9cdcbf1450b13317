//! `sedge eval`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use sedge_datasets::Split;
use sedge_world_model::{
    Candidate, Episode, GeometricModel, Horizons, MetricRow, MotionModel, MotionNoise, Protocol,
    ProtocolError, RegisteredScans, evaluate_baselines, evaluate_candidates, evaluate_model,
};
use sedge_world_model_burn::DeviceKind;
use sedge_world_model_trained::{HorizonRange, read_story};

use super::write_json;
use crate::engine::{Engine, EngineChoice};
use crate::eval_pool::pooled_over_drives;
use crate::eval_rows::{EvalRow, markdown, pooled, text};
use crate::log_file::fit_and_say;
use crate::{
    CollectedDrives, DataSet, OpenedLog, Progress, ProgressStyle, UsageError, open_data_set,
};

/// What `sedge eval` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge eval --log a.log.gz                       the baselines alone
  sedge eval --log a.log.gz --run runs/a --json
  sedge eval --log a.log.gz --run runs/1 --run runs/2 --run runs/3 --out table.md

  sedge eval --log data --run runs/swarm --split test

Runs of one kind are shown as mean +- standard deviation over the runs. Thinned logs (one scan per
metre, say) are graded by scans ahead, others by seconds ahead.")]
pub struct EvalArgs {
    /// The log to grade on, or a folder of collected runs.
    #[arg(long, value_name = "LOG|DIR")]
    pub log: PathBuf,
    /// A trained run's folder; repeat it for several seeds or kinds.
    #[arg(long, value_name = "RUN")]
    pub run: Vec<PathBuf>,
    /// Predict from the scans after this share of the log (default 0.8), or of each drive of
    /// collected runs (default 0.1).
    #[arg(long, value_name = "SHARE")]
    pub from: Option<f64>,
    /// Of collected runs: which episodes, train, validation or test.
    #[arg(long, value_name = "SPLIT", default_value_t = Split::Test)]
    pub split: Split,
    /// Of collected runs: how many robots' drives at most, spread evenly over the episodes.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub drives: usize,
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
    /// What computes the network: onboard (default; our own, for CPUs), burn, or auto, which
    /// measures both when it starts.
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
    /// Where burn runs: flex (CPU), vulkan, cuda; see `sedge devices`. Implies the engine burn.
    #[arg(long)]
    pub device: Option<DeviceKind>,
    /// Print the rows as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write the table as Markdown to this file.
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
}

/// Candidates of the belief's geometry that get a row.
const BELIEF_CANDIDATES: [Candidate; 7] = [
    Candidate::Last,
    Candidate::Map1Med3,
    Candidate::Map5Med3,
    Candidate::Map20Med3,
    Candidate::StillMed3,
    Candidate::Movers,
    Candidate::MoversWide,
];
/// Most of a log is learnt from; drives of collected runs are learnt from whole or not at all.
const FROM_OF_LOG: f64 = 0.8;
const FROM_OF_DRIVE: f64 = 0.1;

/// Grades and prints the table.
///
/// # Errors
/// When the log or a run cannot be used, or they do not fit each other.
pub fn run(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    // Before a log is read for minutes.
    if let Some(device) = args.device {
        device.open()?;
    }
    let rows = match open_data_set(&args.log)? {
        DataSet::Log(log) => evaluate(args, &log)?,
        DataSet::Collected(drives) => evaluate_drives(args, &drives)?,
    };
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

/// What computes each run, chosen once: a table is of one engine, also where it is measured.
fn engines(args: &EvalArgs) -> anyhow::Result<Vec<Engine>> {
    let choose = |run: &PathBuf| Engine::choose(args.engine, args.device, run);
    args.run.iter().map(choose).collect()
}

/// All rows: baselines, then each run, then the mean over runs of one kind.
///
/// # Errors
/// As [`run`].
pub fn evaluate(args: &EvalArgs, log: &OpenedLog) -> anyhow::Result<Vec<EvalRow>> {
    let protocol = Protocol {
        from: args.from.unwrap_or(FROM_OF_LOG),
        horizons: horizons(args, &log.episode),
    };
    protocol.starts(&log.episode)?;
    for run in &args.run {
        check_run(run, log, protocol.from)?;
    }
    let engines = engines(args)?;
    let fit = fit_and_say(log);
    tracing::info!("grading the baselines");
    let graded = Graded {
        episode: &log.episode,
        protocol: &protocol,
    };
    let baselines = graded.baselines(&fit.model, &fit.belief.model)?;
    let mut of_runs = Vec::new();
    for (run, engine) in args.run.iter().zip(engines) {
        tracing::info!("grading {}", run.display());
        let (rows, seed) = graded.run(run, engine)?;
        of_runs.extend(rows.into_iter().map(|row| of_run(row, run, seed)));
    }
    Ok(in_order(baselines, of_runs))
}

/// As [`evaluate`], on the drives of collected runs, pooled over all of them.
///
/// # Errors
/// As [`run`].
pub fn evaluate_drives(args: &EvalArgs, drives: &CollectedDrives) -> anyhow::Result<Vec<EvalRow>> {
    for run in &args.run {
        check_run_of_drives(run, drives, args.split)?;
    }
    let engines = engines(args)?;
    let (motion, _) = drives.fit_motion()?;
    let n_drives = drives.count(args.split).min(args.drives);
    let mut shown = Progress::begin("grading", ProgressStyle::detect(), 0, n_drives as u64);
    let mut baselines = Vec::new();
    let mut of_runs = vec![(Vec::new(), 0); args.run.len()];
    let (mut n_done, mut n_too_short) = (0, 0);
    drives.visit(args.split, args.drives, &mut |episode| {
        n_done += 1;
        shown.set(n_done, |rate_hz| format!("drives, {rate_hz:.2}/s"));
        let protocol = Protocol {
            from: args.from.unwrap_or(FROM_OF_DRIVE),
            horizons: horizons(args, &episode),
        };
        if let Err(ProtocolError::NoStarts { .. }) = protocol.starts(&episode) {
            n_too_short += 1;
            return Ok(());
        }
        let graded = Graded {
            episode: &episode,
            protocol: &protocol,
        };
        baselines.extend(graded.baselines(&motion, &motion)?);
        let runs = args.run.iter().zip(&engines);
        for ((run, engine), (rows, seed)) in runs.zip(&mut of_runs) {
            let (more, its_seed) = graded.run(run, *engine)?;
            rows.extend(more);
            *seed = its_seed;
        }
        Ok(())
    })?;
    shown.end_in_place();
    ensure!(
        n_too_short < n_done,
        "expected drives with 20 s before a start and 5.25 s after it, all {n_done} are shorter"
    );
    if n_too_short > 0 {
        tracing::warn!("{n_too_short} of {n_done} drives are too short to be graded");
    }
    let of_runs = args
        .run
        .iter()
        .zip(of_runs)
        .flat_map(|(run, (rows, seed))| {
            let rows = pooled_over_drives(&rows);
            rows.into_iter().map(move |row| of_run(row, run, seed))
        });
    Ok(in_order(pooled_over_drives(&baselines), of_runs.collect()))
}

fn of_run(metrics: MetricRow, run: &Path, seed: u64) -> EvalRow {
    EvalRow::of_run(metrics, run.display().to_string(), seed)
}

/// By horizon: baselines, then the mean over runs of one kind, then each run.
fn in_order(baselines: Vec<MetricRow>, of_runs: Vec<EvalRow>) -> Vec<EvalRow> {
    let mut rows: Vec<EvalRow> = baselines.into_iter().map(EvalRow::baseline).collect();
    rows.extend(pooled(&of_runs));
    rows.extend(of_runs);
    let place = |row: &EvalRow| {
        row.metrics
            .horizon_steps
            .map_or(row.metrics.horizon_secs, |n| n as f64)
    };
    rows.sort_by(|a, b| place(a).total_cmp(&place(b)));
    rows
}

/// One drive that is graded.
struct Graded<'a> {
    episode: &'a Episode,
    protocol: &'a Protocol,
}

impl Graded<'_> {
    fn baselines(
        &self,
        motion: &MotionModel,
        belief: &MotionModel,
    ) -> anyhow::Result<Vec<MetricRow>> {
        let mut rows = evaluate_baselines(self.episode, motion, self.protocol)?;
        rows.extend(self.belief_rows(belief)?);
        Ok(rows)
    }

    /// What the belief's own geometry predicts, without a network: candidates from registered
    /// scans, moved as the belief expects. They stand apart from the reference baselines, whose
    /// definitions others can repeat.
    fn belief_rows(&self, motion: &MotionModel) -> anyhow::Result<Vec<MetricRow>> {
        let scans = RegisteredScans::new(self.episode, motion)?;
        let expected = |from, to| scans.expected_motion(from, to);
        let chosen = ("registered", &BELIEF_CANDIDATES[..]);
        let posed = scans.posed();
        let mut rows = evaluate_candidates(self.episode, self.protocol, chosen, posed, expected)?;
        for row in &mut rows {
            row.method = format!("sedge geometry, {}", row.method);
        }
        if !self.episode.others.is_empty() {
            rows.extend(self.neighbour_rows(motion)?);
        }
        Ok(rows)
    }

    /// As [`Graded::belief_rows`], with known robots where they mean to be: what a planner
    /// without a network goes by.
    fn neighbour_rows(&self, motion: &MotionModel) -> anyhow::Result<Vec<MetricRow>> {
        let geometry = self.episode.geometry;
        let mut model = GeometricModel::with_movers(geometry, *motion, MotionNoise::ASSUMED);
        let rows = evaluate_model(&mut model, self.episode, self.protocol)?;
        // It is certain: its read-outs are one.
        let one = rows.into_iter().filter_map(|row| {
            let (name, beams) = row.method.split_once(" mean")?;
            let method = format!("sedge {name}{beams}");
            Some(MetricRow { method, ..row })
        });
        Ok(one.collect())
    }

    /// Rows of a trained run, and its seed.
    fn run(&self, run: &Path, engine: Engine) -> anyhow::Result<(Vec<MetricRow>, u64)> {
        let mut model = engine
            .load(run)
            .with_context(|| format!("cannot load the model in {}", run.display()))?;
        let seed = model.story().config.seed;
        let rows = evaluate_model(&mut model, self.episode, self.protocol)?;
        Ok((rows, seed))
    }
}

fn horizons(args: &EvalArgs, episode: &Episode) -> Horizons {
    match (args.horizons.as_slice(), args.steps.as_slice()) {
        ([], []) => Horizons::fitting(episode),
        (secs, []) => Horizons::Secs(secs.to_vec()),
        (_, steps) => Horizons::Steps(steps.to_vec()),
    }
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

fn check_run_of_drives(run: &Path, drives: &CollectedDrives, split: Split) -> anyhow::Result<()> {
    let story = read_story(run)?;
    let (expected, got) = (story.geometry, drives.geometry);
    ensure!(
        expected == got,
        UsageError(format!(
            "expected runs with the scanner that {} was trained for, {expected:?}; {} has {got:?}",
            run.display(),
            drives.path.display()
        ))
    );
    if split == Split::Train && story.dataset_hash == drives.hash {
        let run = run.display();
        tracing::warn!("{run} was trained on these episodes: grading on them flatters it");
    }
    Ok(())
}
