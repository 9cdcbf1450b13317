//! A run's folder: what was asked for, what happened at each update, and the checkpoint.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use sedge_world_model::MotionModel;
use sedge_world_model_burn::{DeviceKind, UpdateReport};
use sedge_world_model_trained::TrainConfig;
use serde::{Deserialize, Serialize};

/// The file that says what a run is.
pub const START_FILE: &str = "run.json";
/// The file with one line for each update.
pub const STEPS_FILE: &str = "train.jsonl";

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It is being trained, or its process died.
    Running,
    /// It was stopped and can go on with `--resume`.
    Stopped,
    /// All updates are done.
    Done,
}

/// What a run is: everything that changes its result, and what came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// Sedge's version.
    pub sedge: String,
    /// How far it is.
    pub status: RunStatus,
    /// The log, as it was given.
    pub log: String,
    /// blake3 of the log's bytes.
    pub dataset_hash: String,
    /// Where it is trained.
    pub device: DeviceKind,
    /// The whole recipe.
    pub config: TrainConfig,
    /// Scanner latency and odometry calibration that were fitted before.
    pub motion_model: MotionModel,
    /// Numbers in the network.
    pub n_parameters: usize,
    /// Pairs of a start and a target that are learnt from.
    pub n_pairs: usize,
    /// Updates in the checkpoint.
    pub updates: usize,
    /// Hash of the checkpoint's weights; `None` before the first checkpoint.
    pub model_hash: Option<String>,
}

impl RunFile {
    /// Writes it beside its place and then moves it there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(START_FILE);
        let partial = path.with_extension("partial");
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(&partial, text)
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads it.
    ///
    /// # Errors
    /// When there is none or it is damaged.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(START_FILE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("expected a run in {}, without", folder.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

/// One line for each update, in order, also after a stop and a resume.
pub(crate) struct StepsFile(BufWriter<File>);

impl StepsFile {
    /// Keeps the lines of the first `updates` updates and goes on after them: what a killed
    /// process did after its last checkpoint will be done again.
    pub(crate) fn open(folder: &Path, updates: usize) -> anyhow::Result<Self> {
        let path = folder.join(STEPS_FILE);
        let kept = match File::open(&path) {
            Ok(file) => BufReader::new(file)
                .lines()
                .take(updates)
                .collect::<Result<Vec<_>, _>>(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let rewrite = |kept: Vec<String>| {
            let mut file = BufWriter::new(File::create(&path)?);
            kept.iter().try_for_each(|line| writeln!(file, "{line}"))?;
            file.flush()?;
            Ok(file)
        };
        let file = kept.and_then(rewrite);
        file.map(Self)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Adds an update's line.
    pub(crate) fn push(&mut self, report: &UpdateReport) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.0, report)?;
        writeln!(self.0)?;
        Ok(self.0.flush()?)
    }
}
