//! Collections: folders of simulated runs as framed ONI messages, one file a seed.
//!
//! ```text
//! DIR/collection.toml   what was run, and each file's hash
//! DIR/scenario.toml     the scenario, as it was
//! DIR/000001.oni        seed 1: framed messages in the order in which they were sent
//! DIR/000001.json       seed 1: what was drawn from the seed, and how the run went
//! ```
//!
//! In a file a stream is known by its sender, its type and, for what a grader alone may know, by
//! its content: odometry in the frame [`WORLD_FRAME`] is the true pose, and a scan with a tensor
//! `moving` is the noise-free one. Readers skip what they do not use.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::LogError;

mod episode_writer;
mod frames;
mod hearsay;
mod robot_log;
mod run_reading;
#[cfg(test)]
mod tests;

pub use episode_writer::EpisodeWriter;
pub use run_reading::{RobotReading, RunReading, read_run};

/// The file that says what a collection is.
pub const COLLECTION_FILE: &str = "collection.toml";
/// The frame of true poses.
pub const WORLD_FRAME: &str = "world";
/// What this crate reads and writes.
const FORMAT: u32 = 1;
/// A longer file is none of ours: a million episodes take less.
const COLLECTION_BYTES_MAX: u64 = 256 << 20;
/// More collections than anybody keeps in one folder.
const PARTS_MAX: usize = 1000;

/// What a collection was made of: whoever goes on with it must do the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionRecipe {
    /// The layout of the folder and its files.
    pub format: u32,
    /// Version of Sedge that made it.
    pub sedge: String,
    /// The scenario's name.
    pub scenario: String,
    /// Hash of the scenario (hexadecimal).
    pub scenario_hash: String,
    /// Who drove the robots.
    pub driver: String,
    /// Seed of the first episode; the others count up by one.
    pub first_seed: u64,
}

impl CollectionRecipe {
    /// In the layout that this crate writes.
    pub fn new(scenario: String, scenario_hash: String, driver: String, first_seed: u64) -> Self {
        Self {
            format: FORMAT,
            sedge: env!("CARGO_PKG_VERSION").to_owned(),
            scenario,
            scenario_hash,
            driver,
            first_seed,
        }
    }
}

/// One whole episode of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpisodeEntry {
    /// What all its random numbers came from.
    pub seed: u64,
    /// Messages in its file.
    pub messages: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Simulated seconds.
    pub secs: f64,
    /// blake3 of its messages' file, hexadecimal.
    pub blake3: String,
    /// blake3 of the file beside it that says how it went, hexadecimal.
    pub run_blake3: String,
}

impl EpisodeEntry {
    /// Name of the file with its messages.
    pub fn file_name(&self) -> String {
        episode_file_name(self.seed, "oni")
    }
}

pub(crate) fn episode_file_name(seed: u64, ending: &str) -> String {
    format!("{seed:06}.{ending}")
}

/// What [`COLLECTION_FILE`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionFile {
    /// What it is made of.
    pub recipe: CollectionRecipe,
    /// How many episodes it is to have.
    pub n_episodes: u64,
    /// [`CollectionFile::hash_episodes`] of all of them; missing until they are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_hash: Option<String>,
    /// The whole ones, by seed.
    #[serde(default, rename = "episode")]
    pub episodes: Vec<EpisodeEntry>,
}

impl CollectionFile {
    /// Reads the file in a folder.
    ///
    /// # Errors
    /// [`LogError::Io`] where there is none, [`LogError::Line`] where it does not say what it must.
    pub fn read(folder: &Path) -> Result<Self, LogError> {
        let path = folder.join(COLLECTION_FILE);
        let io_error = |source| LogError::Io {
            path: path.clone(),
            source,
        };
        let bytes = std::fs::metadata(&path).map_err(io_error)?.len();
        if bytes > COLLECTION_BYTES_MAX {
            return Err(LogError::TooLong {
                path,
                line: 0,
                bytes_max: COLLECTION_BYTES_MAX,
            });
        }
        let text = std::fs::read_to_string(&path).map_err(io_error)?;
        let file: Self = toml::from_str(&text).map_err(|error| {
            let begin = error.span().map_or(0, |span| span.start);
            line_error(&path, &text, begin, error.message().to_owned())
        })?;
        let got = file.recipe.format;
        if got != FORMAT {
            let actual = format!("format {got}, which another version of sedge wrote");
            return Err(line_error(&path, &text, 0, actual));
        }
        let ascends = |pair: &[EpisodeEntry]| pair[0].seed < pair[1].seed;
        if !file.episodes.windows(2).all(ascends) {
            let actual = "episodes out of the order of their seeds".to_owned();
            return Err(line_error(&path, &text, 0, actual));
        }
        Ok(file)
    }

    /// Writes the file into a folder: beside its place first, so that it is never half there.
    ///
    /// # Errors
    /// [`LogError::Io`] when it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), LogError> {
        let path = folder.join(COLLECTION_FILE);
        let text = toml::to_string(self).map_err(std::io::Error::other);
        let partial = path.with_extension("partial");
        let write = |text: String| {
            std::fs::write(&partial, text)?;
            std::fs::rename(&partial, &path)
        };
        text.and_then(write)
            .map_err(|source| LogError::Io { path, source })
    }

    /// blake3 over a line `seed blake3 run_blake3` for each episode, in the order of their seeds,
    /// hexadecimal.
    pub fn hash_episodes(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for it in &self.episodes {
            hasher.update(format!("{} {} {}\n", it.seed, it.blake3, it.run_blake3).as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn line_error(path: &Path, text: &str, begin: usize, actual: String) -> LogError {
    LogError::Line {
        path: path.into(),
        line: text.get(..begin).unwrap_or(text).matches('\n').count() as u64 + 1,
        expected: format!("a collection of format {FORMAT}"),
        actual,
    }
}

/// What an episode is for. The seed decides, so that an episode stays what it is when more are
/// collected, and no window of a test episode is ever learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To be learnt from: seven seeds of ten (last digit 0 to 6).
    Train,
    /// To choose settings by: one of ten (last digit 7).
    Validation,
    /// To be graded on, once: two of ten (last digit 8 or 9).
    Test,
}

impl Split {
    /// What the episode of this seed is for.
    pub fn of(seed: u64) -> Self {
        match seed % 10 {
            0..=6 => Self::Train,
            7 => Self::Validation,
            _ => Self::Test,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Split {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Train, Self::Validation, Self::Test];
        all.into_iter()
            .find(|split| split.as_str() == text)
            .ok_or_else(|| format!("expected train, validation or test, got {text:?}"))
    }
}

/// A collection on disk; no episode is in memory until it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// The folder.
    pub folder: PathBuf,
    /// What its file says.
    pub file: CollectionFile,
}

impl Collection {
    /// Opens a folder.
    ///
    /// # Errors
    /// As [`CollectionFile::read`].
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        Ok(Self {
            file: CollectionFile::read(folder)?,
            folder: folder.into(),
        })
    }

    /// The whole episodes that are for this, by seed.
    pub fn entries(&self, split: Option<Split>) -> impl Iterator<Item = &EpisodeEntry> {
        let wanted =
            move |entry: &&EpisodeEntry| split.is_none_or(|it| Split::of(entry.seed) == it);
        self.file.episodes.iter().filter(wanted)
    }

    /// Reads one episode. A file that breaks gives what came before the break; so does one whose
    /// bytes are not those that were collected.
    ///
    /// # Errors
    /// [`LogError`] when nothing of it can be read.
    pub fn read(&self, entry: &EpisodeEntry) -> Result<RunReading, LogError> {
        let path = self.folder.join(entry.file_name());
        let mut reading = read_run(&path)?;
        for robot in &mut reading.robots {
            robot.episode.name = format!(
                "{} seed {} {}",
                self.file.recipe.scenario, entry.seed, robot.name
            );
        }
        if reading.defect.is_none() && reading.blake3 != entry.blake3 {
            reading.defect = Some(LogError::Hash {
                path,
                expected: entry.blake3.clone(),
                actual: reading.blake3.clone(),
            });
        }
        Ok(reading)
    }
}

/// The collections of a folder: itself, or those of the folders in it, by name.
///
/// # Errors
/// [`LogError`] when there is none, or one of them cannot be opened.
pub fn open_collections(folder: &Path) -> Result<Vec<Collection>, LogError> {
    if folder.join(COLLECTION_FILE).is_file() {
        return Ok(vec![Collection::open(folder)?]);
    }
    let listed = std::fs::read_dir(folder).and_then(|entries| {
        let paths = entries.take(PARTS_MAX).map(|entry| Ok(entry?.path()));
        paths.collect::<std::io::Result<Vec<_>>>()
    });
    let mut parts = listed.map_err(|source| LogError::Io {
        path: folder.into(),
        source,
    })?;
    parts.retain(|part| part.join(COLLECTION_FILE).is_file());
    parts.sort();
    if parts.is_empty() {
        return Err(LogError::Unsupported {
            path: folder.into(),
            looks_like: format!("a folder without {COLLECTION_FILE}, and so are those in it"),
        });
    }
    parts.iter().map(|part| Collection::open(part)).collect()
}

/// One hash for several collections: their own where there is one, else blake3 over theirs in
/// order.
pub fn dataset_hash(collections: &[Collection]) -> String {
    let mut hashes = collections.iter().map(|it| it.file.hash_episodes());
    if let [_] = collections {
        return hashes.next().unwrap_or_default();
    }
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(hash.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}
