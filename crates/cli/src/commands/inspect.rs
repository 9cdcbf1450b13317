//! `sedge inspect`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use sedge_datasets::{COLLECTION_FILE, LogFormat, LogWarnings, Opened, open_any};
use sedge_world_model::ScanGeometry;
use sedge_world_model_trained::{CheckpointStory, read_story};
use serde::Serialize;

use super::write_json;
use crate::collection_report::{CollectionReport, RunReport};
use crate::log_file::warn_about;
use crate::{OpenedLog, RunFile, RunStatus, Table};

/// What `sedge inspect` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge inspect a.log.gz
  sedge inspect data/doorway                     collected runs, or one of them:
  sedge inspect data/doorway/000001.oni
  sedge inspect runs/a --json")]
pub struct InspectArgs {
    /// A log, collected runs, or a training run's folder (or the model.safetensors in it).
    #[arg(value_name = "CHECKPOINT|LOG|DIR")]
    pub path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A log, as `--json` prints it.
#[derive(Debug, Serialize)]
struct LogReport<'a> {
    kind: &'static str,
    name: &'a str,
    format: LogFormat,
    source_hash: &'a str,
    n_scans: usize,
    geometry: ScanGeometry,
    n_odometry: usize,
    secs: f64,
    odometry_m: f64,
    median_scan_period_secs: f64,
    has_reference: bool,
    warnings: &'a LogWarnings,
    defect: Option<&'a str>,
}

/// A checkpoint, as `--json` prints it.
#[derive(Debug, Serialize)]
struct CheckpointReport {
    kind: &'static str,
    #[serde(flatten)]
    story: CheckpointStory,
    status: Option<RunStatus>,
}

/// Says what a log or a run holds.
///
/// # Errors
/// When it cannot be read, or is neither.
pub fn run(args: &InspectArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if let Some(folder) = run_folder(&args.path) {
        let status = RunFile::read(&folder).ok().map(|run| run.status);
        let story = read_story(&folder)?;
        let report = CheckpointReport {
            kind: "checkpoint",
            story,
            status,
        };
        return if args.json {
            write_json(&report, out)
        } else {
            say_checkpoint(&report, out)
        };
    }
    match open_any(&args.path).with_context(|| format!("cannot use {}", args.path.display()))? {
        Opened::Log(reading) => {
            let log = OpenedLog::of(args.path.clone(), reading);
            warn_about(&log);
            let report = log_report(&log);
            if args.json {
                write_json(&report, out)
            } else {
                say_log(&report, out)
            }
        }
        Opened::Run(run) => {
            let report = RunReport::of(&run);
            if args.json {
                write_json(&report, out)
            } else {
                report.say(out)
            }
        }
        Opened::Collections(collections) => {
            let report = CollectionReport::of(&collections);
            if args.json {
                write_json(&report, out)
            } else {
                report.say(out)
            }
        }
    }
}

/// The run's folder that a path means, if it means one.
fn run_folder(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return (!has_collections(path)).then(|| path.to_owned());
    }
    let is_weights = path.extension().is_some_and(|end| end == "safetensors");
    is_weights.then(|| path.parent().unwrap_or(Path::new(".")).to_owned())
}

/// Whether a folder holds collected runs, by itself or in the folders in it.
fn has_collections(path: &Path) -> bool {
    let has_file = |folder: &Path| folder.join(COLLECTION_FILE).is_file();
    let parts = std::fs::read_dir(path).into_iter().flatten();
    has_file(path) || parts.filter_map(Result::ok).any(|it| has_file(&it.path()))
}

fn log_report(log: &OpenedLog) -> LogReport<'_> {
    let episode = &log.episode;
    let ends = episode.scans.first().zip(episode.scans.last());
    let steps = episode.odometry.windows(2);
    let step_m = |pair: &[sedge_world_model::OdometrySample]| {
        pair[0]
            .odometry_from_base
            .between(pair[1].odometry_from_base)
            .distance_m()
    };
    LogReport {
        kind: "log",
        name: &episode.name,
        format: log.format,
        source_hash: &episode.source_hash,
        n_scans: episode.scans.len(),
        geometry: episode.geometry,
        n_odometry: episode.odometry.len(),
        secs: ends.map_or(0.0, |(first, last)| last.stamp.secs_since(first.stamp)),
        odometry_m: steps.map(step_m).sum(),
        median_scan_period_secs: episode.median_scan_period_secs(),
        has_reference: episode.scans.iter().any(|scan| scan.reference.is_some()),
        warnings: &log.warnings,
        defect: log.defect.as_deref(),
    }
}

fn say_log(report: &LogReport<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let ScanGeometry {
        first_angle_rad,
        n_beams,
        ..
    } = report.geometry;
    let last_angle_rad = report.geometry.angle_rad(n_beams.saturating_sub(1));
    let beams = format!(
        "{n_beams}, {:.1} to {:.1} deg",
        first_angle_rad.to_degrees(),
        last_angle_rad.to_degrees()
    );
    let reference = if report.has_reference {
        "on the scans, never an input"
    } else {
        "none"
    };
    let mut table = Table::new(["log", report.name]);
    table.push(["format", &report.format.to_string()]);
    table.push(["blake3", report.source_hash]);
    table.push(["scans", &report.n_scans.to_string()]);
    table.push(["beams", &beams]);
    table.push([
        "scan period",
        &format!("{:.3} s (median)", report.median_scan_period_secs),
    ]);
    table.push(["time", &format!("{:.1} s", report.secs)]);
    table.push(["odometry", &format!("{} samples", report.n_odometry)]);
    table.push(["driven", &format!("{:.1} m by odometry", report.odometry_m)]);
    table.push(["reference poses", reference]);
    write!(out, "{}", table.lines())?;
    Ok(())
}

fn say_checkpoint(report: &CheckpointReport, out: &mut dyn Write) -> anyhow::Result<()> {
    let story = &report.story;
    let status = report
        .status
        .map_or("unknown".to_owned(), |status| format!("{status:?}"));
    let facts = BTreeMap::from([
        ("beams", story.geometry.n_beams.to_string()),
        ("log", format!("{} ({})", story.dataset, story.dataset_hash)),
        (
            "scanner latency",
            format!("{} s", story.motion_model.latency_secs),
        ),
        ("seed", story.config.seed.to_string()),
        ("status", status.to_lowercase()),
        (
            "updates",
            format!("{} of {}", story.updates, story.config.updates),
        ),
        (
            "version",
            format!("{} (sedge {})", story.version, story.sedge),
        ),
        (
            "without",
            if story.config.network.latent {
                "nothing"
            } else {
                "latent"
            }
            .to_owned(),
        ),
    ]);
    let mut table = Table::new(["model", &story.model_hash]);
    for (name, value) in &facts {
        table.push([*name, value]);
    }
    write!(out, "{}", table.lines())?;
    writeln!(out, "{}", serde_json::to_string(&story.config)?)?;
    Ok(())
}
