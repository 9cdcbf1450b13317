//! Messages out of a file of frames, one at a time.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sedge_oni::{FrameError, Message};

use crate::LogError;

/// Magic and both lengths.
const PREAMBLE_BYTES: usize = 16;

/// A file of frames, read to its end or to its first break. Memory: one frame.
pub(crate) struct Frames {
    path: PathBuf,
    input: io::BufReader<File>,
    hasher: blake3::Hasher,
    /// The newest frame.
    frame: Vec<u8>,
    /// Where the newest frame begins.
    offset: u64,
}

impl Frames {
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let file = File::open(path).map_err(|source| LogError::Io {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            path: path.into(),
            input: io::BufReader::with_capacity(1 << 18, file),
            hasher: blake3::Hasher::new(),
            frame: Vec::new(),
            offset: 0,
        })
    }

    /// The next message; `None` at the end of the file.
    pub(crate) fn next_message(&mut self) -> Result<Option<Message<'_>>, LogError> {
        self.offset += self.frame.len() as u64;
        self.frame.clear();
        self.fill(PREAMBLE_BYTES)?;
        if self.frame.is_empty() {
            return Ok(None);
        }
        // A preamble is never a whole frame: what it says is how long the frame is.
        match Message::from_frame(&self.frame) {
            Err(FrameError::Truncated { expected, .. }) => self.fill(expected)?,
            Err(error) => return Err(self.broken(error)),
            Ok(_) => {}
        }
        self.hasher.update(&self.frame);
        match Message::from_frame(&self.frame) {
            Ok((message, _)) => Ok(Some(message)),
            Err(error) => Err(LogError::Frame {
                path: self.path.clone(),
                offset: self.offset,
                source: error.into(),
            }),
        }
    }

    /// Where the newest message begins in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Hash of everything that was read, hexadecimal.
    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Reads until the frame has `expected` bytes or the file ends; memory grows only with what
    /// really comes.
    fn fill(&mut self, expected: usize) -> Result<(), LogError> {
        let missing = expected.saturating_sub(self.frame.len()) as u64;
        let read = (&mut self.input).take(missing).read_to_end(&mut self.frame);
        read.map(drop).map_err(|source| LogError::Io {
            path: self.path.clone(),
            source,
        })
    }

    fn broken(&self, source: FrameError) -> LogError {
        LogError::Frame {
            path: self.path.clone(),
            offset: self.offset,
            source: source.into(),
        }
    }
}
