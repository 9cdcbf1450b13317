//! Training as a command does it: with progress, checkpoints, and an orderly stop.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sedge_datasets::Split;
use sedge_runtime::Shutdown;
use sedge_world_model::{MotionFit, MotionModel, MotionNoise, RegisteredScans};
use sedge_world_model_burn::{DeviceKind, GatheredDrives, Trainer, TrainingData, UpdateReport};
use sedge_world_model_trained::{MODEL_FILE, TRAINER_FILE, TrainConfig};

use crate::run_folder::{RunFile, RunStatus, START_FILE, StepsFile};
use crate::{CollectedDrives, OpenedLog, Progress, ProgressStyle, UsageError};

/// Updates between checkpoints: about a minute's work on two cores.
const SAVE_EVERY: usize = 200;
/// Scans that are learnt from at most: about half a gigabyte, and two hours of driving at 10 Hz.
pub const SCANS_MAX: usize = 60_000;

/// What to do about a run that the folder already holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Refuse.
    Fresh,
    /// Throw it away.
    Replace,
    /// Go on with it.
    Resume,
}

/// When to stop before all updates are done.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// When this is requested.
    pub shutdown: Shutdown,
    /// After so many updates in this call.
    pub after_updates: Option<usize>,
    /// After so much time in this call.
    pub after: Option<Duration>,
}

/// What is learnt from.
#[derive(Clone, Copy)]
pub enum TrainSource<'a> {
    /// The first part of a log.
    Log {
        /// The log.
        log: &'a OpenedLog,
        /// Its scanner latency and odometry calibration.
        motion: &'a MotionFit,
    },
    /// The training episodes of collected runs: as many drives, spread evenly, as
    /// [`SCANS_MAX`] scans take.
    Drives {
        /// The collections.
        drives: &'a CollectedDrives,
        /// Their scanner latency and odometry calibration.
        motion_model: MotionModel,
        /// What that leaves unexplained.
        motion_noise: MotionNoise,
    },
}

impl TrainSource<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::Log { log, .. } => &log.path,
            Self::Drives { drives, .. } => &drives.path,
        }
    }

    fn hash(&self) -> &str {
        match self {
            Self::Log { log, .. } => &log.episode.source_hash,
            Self::Drives { drives, .. } => &drives.hash,
        }
    }

    fn motion_model(&self) -> MotionModel {
        match self {
            Self::Log { motion, .. } => motion.belief.model,
            Self::Drives { motion_model, .. } => *motion_model,
        }
    }
}

/// What to train, and where.
pub struct TrainPlan<'a> {
    /// What is learnt from.
    pub source: TrainSource<'a>,
    /// The recipe.
    pub config: TrainConfig,
    /// Where the network runs.
    pub device: DeviceKind,
    /// The run's folder.
    pub out: &'a Path,
    /// What to do about a run that is already there.
    pub start: Start,
    /// When to stop early.
    pub stop: Stop,
    /// How progress is shown.
    pub progress: ProgressStyle,
}

/// How training ended.
#[derive(Debug, Clone)]
pub struct TrainOutcome {
    /// What the run's folder now says.
    pub run: RunFile,
    /// The last update of this call, if there was one.
    pub last: Option<UpdateReport>,
    /// Updates per second in this call.
    pub updates_per_sec: f64,
}

/// Trains, writing the run's folder as it goes.
///
/// # Errors
/// When the folder holds another run, the log or recipe cannot be used, or nothing can be written.
pub fn train(plan: &TrainPlan<'_>) -> anyhow::Result<TrainOutcome> {
    claim_folder(plan)?;
    let trainer = open_trainer(plan)?;
    let run = RunFile {
        sedge: env!("CARGO_PKG_VERSION").to_owned(),
        status: RunStatus::Running,
        log: plan.source.path().display().to_string(),
        dataset_hash: plan.source.hash().to_owned(),
        device: plan.device,
        config: plan.config.clone(),
        motion_model: plan.source.motion_model(),
        n_parameters: trainer.n_parameters(),
        n_pairs: trainer.n_pairs(),
        updates: trainer.updates(),
        model_hash: None,
    };
    run.write(plan.out)?;
    update_until_stopped(plan, trainer, run)
}

fn claim_folder(plan: &TrainPlan<'_>) -> anyhow::Result<()> {
    let out = plan.out;
    let files = [START_FILE, MODEL_FILE, TRAINER_FILE];
    let is_run = files.into_iter().any(|file| out.join(file).exists());
    match plan.start {
        Start::Fresh if is_run => bail!(UsageError(format!(
            "expected a new folder for the run, but {} already holds one; \
             go on with it by --resume or throw it away by --force",
            out.display()
        ))),
        Start::Resume => check_recipe(plan)?,
        Start::Replace => {
            for file in files {
                match std::fs::remove_file(out.join(file)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).context(format!("cannot replace {}", out.display()));
                    }
                    _ => {}
                }
            }
        }
        Start::Fresh => {}
    }
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))
}

/// A run goes on with the recipe it began with, or the result would be neither's.
fn check_recipe(plan: &TrainPlan<'_>) -> anyhow::Result<()> {
    let expected = RunFile::read(plan.out)?.config;
    let text = serde_json::to_string(&plan.config)?;
    // Through text as the other one: numbers then differ only where the recipes do.
    let got: TrainConfig = serde_json::from_str(&text)?;
    ensure!(
        expected == got,
        UsageError(format!(
            "expected the recipe that the run in {} began with, {}; got {text}",
            plan.out.display(),
            serde_json::to_string(&expected)?
        ))
    );
    Ok(())
}

fn open_trainer(plan: &TrainPlan<'_>) -> anyhow::Result<Trainer> {
    let trainer = match plan.source {
        TrainSource::Log { log, motion } => {
            let scans = RegisteredScans::new(&log.episode, &motion.belief.model)?;
            let data = TrainingData {
                episode: &log.episode,
                motion_model: motion.belief.model,
                motion_noise: motion.belief.noise,
                scans: &scans,
            };
            open_log_trainer(plan, &data)
        }
        TrainSource::Drives {
            drives,
            motion_model,
            motion_noise,
        } => open_drives_trainer(plan, drives, (motion_model, motion_noise)),
    };
    trainer.with_context(|| format!("cannot train on {}", plan.source.path().display()))
}

/// A run that died before its first checkpoint begins anew: the result is the same.
fn resumes(plan: &TrainPlan<'_>) -> bool {
    plan.start == Start::Resume && plan.out.join(TRAINER_FILE).exists()
}

fn open_log_trainer(plan: &TrainPlan<'_>, data: &TrainingData<'_>) -> anyhow::Result<Trainer> {
    let mut shown = None;
    let mut gathered = |done: usize, total: usize| {
        let begin = || Progress::begin("gathering", plan.progress, 0, total as u64);
        shown
            .get_or_insert_with(begin)
            .set(done as u64, |rate_hz| format!("{rate_hz:.0}/s"));
    };
    let trainer = if resumes(plan) {
        Trainer::resume(plan.out, data, plan.device, &mut gathered)
    } else {
        Trainer::new(data, plan.config.clone(), plan.device, &mut gathered)
    };
    if let Some(shown) = shown {
        shown.end_in_place();
    }
    Ok(trainer?)
}

/// Reads one file after the other; only what is learnt from stays.
fn open_drives_trainer(
    plan: &TrainPlan<'_>,
    drives: &CollectedDrives,
    (motion_model, motion_noise): (MotionModel, MotionNoise),
) -> anyhow::Result<Trainer> {
    let drives_max = (SCANS_MAX / drives.n_scans.max(1)).max(1);
    let n_drives = drives.count(Split::Train).min(drives_max);
    let name = drives.path.display().to_string();
    let mut gathered = GatheredDrives::new((&name, &drives.hash), n_drives);
    let mut shown = Progress::begin("gathering", plan.progress, 0, n_drives as u64);
    let mut n_done = 0;
    drives.visit(Split::Train, drives_max, &mut |episode| {
        ensure!(
            !plan.stop.shutdown.is_requested(),
            "stopped while gathering the training set"
        );
        let scans = RegisteredScans::new(&episode, &motion_model)?;
        let drive = TrainingData {
            episode: &episode,
            motion_model,
            motion_noise,
            scans: &scans,
        };
        gathered.add(&drive, &plan.config)?;
        n_done += 1;
        shown.set(n_done, |rate_hz| format!("drives, {rate_hz:.2}/s"));
        Ok(())
    })?;
    shown.end_in_place();
    let (n_pairs, n_too_short) = (gathered.n_pairs(), gathered.n_too_short());
    tracing::info!("{n_pairs} pairs of {n_done} drives, {n_too_short} too short");
    Ok(if resumes(plan) {
        Trainer::resume_drives(plan.out, gathered, plan.device)?
    } else {
        Trainer::of_drives(gathered, plan.config.clone(), plan.device)?
    })
}

fn update_until_stopped(
    plan: &TrainPlan<'_>,
    mut trainer: Trainer,
    mut run: RunFile,
) -> anyhow::Result<TrainOutcome> {
    let total = plan.config.updates;
    let began_at = trainer.updates();
    let mut steps = StepsFile::open(plan.out, began_at)?;
    let mut progress = Progress::begin("training", plan.progress, began_at as u64, total as u64);
    let mut last = None;
    while trainer.updates() < total && !is_stopped(&plan.stop, &trainer, began_at, &progress) {
        let report = trainer.update()?;
        steps.push(&report)?;
        progress.set(report.update as u64, |rate_hz| news(&report, rate_hz));
        last = Some(report);
        if report.update.is_multiple_of(SAVE_EVERY) {
            save(&trainer, &mut run, plan.out)?;
        }
    }
    run.status = if trainer.updates() < total {
        RunStatus::Stopped
    } else {
        RunStatus::Done
    };
    save(&trainer, &mut run, plan.out)?;
    let done = trainer.updates();
    let updates_per_sec = progress.rate_hz(done as u64);
    let end = last.map_or("nothing to do".to_owned(), |report| {
        news(&report, updates_per_sec)
    });
    progress.end(done as u64, &end);
    Ok(TrainOutcome {
        run,
        last,
        updates_per_sec,
    })
}

fn is_stopped(stop: &Stop, trainer: &Trainer, began_at: usize, progress: &Progress) -> bool {
    let done = trainer.updates() - began_at;
    stop.shutdown.is_requested()
        || stop
            .after_updates
            .is_some_and(|updates_max| done >= updates_max)
        || stop
            .after
            .is_some_and(|time_max| progress.elapsed() >= time_max)
}

fn news(report: &UpdateReport, rate_hz: f64) -> String {
    format!("loss {:.3}, {rate_hz:.2} updates/s", report.loss)
}

fn save(trainer: &Trainer, run: &mut RunFile, out: &Path) -> anyhow::Result<()> {
    run.model_hash = Some(trainer.save(out)?);
    run.updates = trainer.updates();
    run.write(out)
}
