//! Opening a log and saying what is odd about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use sedge_datasets::{LogFormat, LogReading, LogWarnings, SyntheticConfig, synthetic_corridor};
use sedge_world_model::{Episode, Horizons, MotionFit, fit_motion};

/// A log that could be read, at least in part.
#[derive(Debug)]
pub struct OpenedLog {
    /// Where it is; a made-up name for a log that no file holds.
    pub path: PathBuf,
    /// What it holds.
    pub episode: Episode,
    /// What kind of log it is.
    pub format: LogFormat,
    /// What is odd about it.
    pub warnings: LogWarnings,
    /// What ended the reading early, if anything did.
    pub defect: Option<String>,
}

impl OpenedLog {
    /// Whether horizons in seconds make sense: several scans come in a second.
    pub fn is_dense(&self) -> bool {
        matches!(Horizons::fitting(&self.episode), Horizons::Secs(_))
    }

    /// Whether no robot ever made it.
    pub fn is_synthetic(&self) -> bool {
        self.format == LogFormat::Synthetic
    }

    /// From what a reader gave.
    pub fn of(path: PathBuf, reading: LogReading) -> Self {
        let LogReading {
            episode,
            format,
            defect,
            warnings,
        } = reading;
        Self {
            path,
            episode,
            format,
            warnings,
            defect: defect.map(|error| error.to_string()),
        }
    }
}

/// Opens a log; says on standard error what is odd about it.
///
/// # Errors
/// When nothing of it can be read.
pub fn open_log(path: &Path) -> anyhow::Result<OpenedLog> {
    let reading = sedge_datasets::open(path)
        .with_context(|| format!("cannot use the log {}", path.display()))?;
    let log = OpenedLog::of(path.to_owned(), reading);
    warn_about(&log);
    Ok(log)
}

/// Fits scanner latency and odometry calibration on the log's first 60 %; says on standard error
/// what could not be fitted.
pub(crate) fn fit_and_say(log: &OpenedLog) -> MotionFit {
    let fit = fit_motion(&log.episode);
    if let Err(error) = &fit.latency {
        tracing::warn!("scanner latency is taken to be zero: {error}");
    }
    if let Err(error) = &fit.calibration {
        tracing::warn!("odometry is taken as it is: {error}");
    }
    fit
}

/// A corridor that nobody ever drove; the same seed gives the same log.
pub(crate) fn synthetic_log(seed: u64, duration: Duration) -> anyhow::Result<OpenedLog> {
    let config = SyntheticConfig {
        duration,
        ..SyntheticConfig::new(seed)
    };
    let reading = synthetic_corridor(&config)?;
    Ok(OpenedLog::of(
        format!("synthetic corridor, seed {seed}").into(),
        reading,
    ))
}

pub(crate) fn warn_about(log: &OpenedLog) {
    if let Some(defect) = &log.defect {
        let n_scans = log.episode.scans.len();
        tracing::warn!("{defect}; going on with the {n_scans} scans before it");
    }
    for message in log.warnings.messages() {
        tracing::warn!("{}: {message}", log.path.display());
    }
}
