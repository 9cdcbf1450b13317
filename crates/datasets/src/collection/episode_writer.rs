//! Writing one episode: its messages as they are sent, then how it went.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sedge_oni::EncodedMessage;

use super::{EpisodeEntry, episode_file_name};
use crate::LogError;

/// Writes one episode's files. They stand at their places only once they are whole: whoever is
/// killed in the middle leaves a `.partial` file, which the next attempt replaces.
#[derive(Debug)]
pub struct EpisodeWriter {
    folder: PathBuf,
    seed: u64,
    output: BufWriter<File>,
    hasher: blake3::Hasher,
    messages: u64,
    bytes: u64,
}

impl EpisodeWriter {
    /// Begins the episode of a seed in a folder that is there.
    ///
    /// # Errors
    /// [`LogError::Io`] when the file cannot be made.
    pub fn create(folder: &Path, seed: u64) -> Result<Self, LogError> {
        let path = partial(folder, seed);
        let file = File::create(&path).map_err(|source| LogError::Io { path, source })?;
        Ok(Self {
            folder: folder.into(),
            seed,
            output: BufWriter::with_capacity(1 << 18, file),
            hasher: blake3::Hasher::new(),
            messages: 0,
            bytes: 0,
        })
    }

    /// Adds a message.
    ///
    /// # Errors
    /// [`LogError::Io`] when it cannot be written.
    pub fn push(&mut self, message: &EncodedMessage) -> Result<(), LogError> {
        let frame = message.to_frame();
        self.hasher.update(&frame);
        self.messages += 1;
        self.bytes += frame.len() as u64;
        self.output
            .write_all(&frame)
            .map_err(|source| LogError::Io {
                path: partial(&self.folder, self.seed),
                source,
            })
    }

    /// Ends the episode. `run` is JSON: what was drawn from the seed, and how the run went.
    ///
    /// # Errors
    /// [`LogError::Io`] when it cannot be written.
    pub fn finish(self, run: &str, secs: f64) -> Result<EpisodeEntry, LogError> {
        let Self {
            folder,
            seed,
            output,
            hasher,
            messages,
            bytes,
        } = self;
        let run_path = folder.join(episode_file_name(seed, "json"));
        let path = folder.join(episode_file_name(seed, "oni"));
        let write = || -> io::Result<()> {
            output.into_inner()?.sync_data()?;
            std::fs::write(&run_path, run)?;
            // Last: where this file is, both are whole.
            std::fs::rename(partial(&folder, seed), &path)
        };
        write().map_err(|source| LogError::Io {
            path: path.clone(),
            source,
        })?;
        Ok(EpisodeEntry {
            seed,
            messages,
            bytes,
            secs,
            blake3: hasher.finalize().to_hex().to_string(),
            run_blake3: blake3::hash(run.as_bytes()).to_hex().to_string(),
        })
    }
}

fn partial(folder: &Path, seed: u64) -> PathBuf {
    folder.join(episode_file_name(seed, "oni.partial"))
}
