//! `sedge train`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sedge_world_model_burn::DeviceKind;
use sedge_world_model_trained::{HorizonRange, Preset, TrainConfig};
use serde::Serialize;

use super::write_json;
use crate::interrupt::shutdown_of_process;
use crate::log_file::fit_and_say;
use crate::{
    DataSet, OpenedLog, ProgressStyle, RunFile, RunStatus, Start, Stop, TrainOutcome, TrainPlan,
    TrainSource, open_data_set, train,
};

/// Scans ahead that are learnt from thinned logs.
const THINNED_HORIZONS: HorizonRange = HorizonRange::Scans { min: 1, max: 4 };

/// What `sedge train` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge train --log a.log.gz --preset s --seed 1 --out runs/a
  sedge train --log a.log.gz --preset s --seed 1 --out runs/a --resume
  sedge train --log data --preset s --seed 1 --out runs/swarm
  sedge train --log a.log.gz --preset tiny --seed 1 --out runs/ablation --without latent

The first 70 % of the log is learnt from; scanner latency and odometry calibration are fitted on the
first 60 %. Of collections (`sedge collect`), the training episodes are learnt from, up to 60,000
scans of drives spread evenly over them, and motion is fitted on three of these. Ctrl-c saves;
--resume goes on with the same command and gives the same bits as if nothing had happened. RUN then
holds model.safetensors, trainer.safetensors, run.json and train.jsonl.")]
pub struct TrainArgs {
    /// The log to learn from, or a folder of collected runs.
    #[arg(long, value_name = "LOG|DIR")]
    pub log: PathBuf,
    /// The network's size: `tiny` (about a minute) or `s` (about 0.7 million).
    #[arg(long)]
    pub preset: Preset,
    /// Seed of the weights and the batches.
    #[arg(long, value_name = "N")]
    pub seed: u64,
    /// The run's folder.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Where the network runs: flex (CPU), vulkan, cuda; see `sedge devices`.
    #[arg(long, default_value_t = DeviceKind::Flex)]
    pub device: DeviceKind,
    /// Updates to do, instead of the preset's.
    #[arg(long, value_name = "N")]
    pub updates: Option<usize>,
    /// Parts to leave out, to see what they are worth.
    #[arg(long, value_enum)]
    pub without: Vec<Part>,
    /// Save and stop after this many updates; go on later with --resume.
    #[arg(long, value_name = "N")]
    pub stop_after: Option<usize>,
    /// Go on with the run that RUN holds.
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Replace a run that RUN holds.
    #[arg(long)]
    pub force: bool,
    /// Print the outcome as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A part of the network that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The recurrent latent.
    Latent,
}

/// The outcome, as `--json` prints it.
#[derive(Debug, Serialize)]
struct OutcomeRow<'a> {
    #[serde(flatten)]
    run: &'a RunFile,
    loss: Option<f32>,
    updates_per_sec: f64,
}

/// Trains.
///
/// # Errors
/// When the log cannot be learnt from, the device is absent, or the run's folder holds a run
/// already.
pub fn run(args: &TrainArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    args.device.open()?;
    let outcome = match open_data_set(&args.log)? {
        DataSet::Log(log) => {
            let motion = fit_and_say(&log);
            let source = TrainSource::Log {
                log: &log,
                motion: &motion,
            };
            let mut config = recipe(args);
            fit_to_log(&mut config, &log);
            train_from(args, source, config)?
        }
        DataSet::Collected(drives) => {
            let (motion_model, motion_noise) = drives.fit_motion()?;
            let source = TrainSource::Drives {
                drives: &drives,
                motion_model,
                motion_noise,
            };
            train_from(args, source, recipe(args))?
        }
    };
    if args.json {
        return write_json(&outcome_row(&outcome), out);
    }
    say(args, &outcome, out)
}

fn train_from(
    args: &TrainArgs,
    source: TrainSource<'_>,
    config: TrainConfig,
) -> anyhow::Result<TrainOutcome> {
    train(&TrainPlan {
        config,
        source,
        device: args.device,
        out: &args.out,
        start: match (args.resume, args.force) {
            (true, _) => Start::Resume,
            (false, true) => Start::Replace,
            (false, false) => Start::Fresh,
        },
        stop: Stop {
            shutdown: shutdown_of_process(),
            after_updates: args.stop_after,
            after: None,
        },
        progress: ProgressStyle::detect(),
    })
}

fn recipe(args: &TrainArgs) -> TrainConfig {
    let mut config = args.preset.train(args.seed);
    config.network.latent = !args.without.contains(&Part::Latent);
    config.updates = args.updates.unwrap_or(config.updates);
    config
}

/// Learns horizons in scans where the log is too thin for seconds.
pub(crate) fn fit_to_log(config: &mut TrainConfig, log: &OpenedLog) {
    if !log.is_dense() {
        config.horizons = THINNED_HORIZONS;
    }
}

fn outcome_row(outcome: &TrainOutcome) -> OutcomeRow<'_> {
    OutcomeRow {
        run: &outcome.run,
        loss: outcome.last.map(|report| report.loss),
        updates_per_sec: outcome.updates_per_sec,
    }
}

fn say(args: &TrainArgs, outcome: &TrainOutcome, out: &mut dyn Write) -> anyhow::Result<()> {
    let TrainOutcome {
        run,
        updates_per_sec,
        ..
    } = outcome;
    writeln!(
        out,
        "{} updates of {} on {} ({} parameters, {} pairs, {updates_per_sec:.2} updates/s)",
        run.updates, run.config.updates, run.device, run.n_parameters, run.n_pairs
    )?;
    let folder = args.out.display();
    writeln!(
        out,
        "model {} in {folder}",
        run.model_hash.as_deref().unwrap_or("none")
    )?;
    let log = args.log.display();
    match run.status {
        RunStatus::Done => writeln!(out, "next: sedge eval --log {log} --run {folder}")?,
        _ => writeln!(out, "stopped early: the same command with --resume goes on")?,
    }
    Ok(())
}
