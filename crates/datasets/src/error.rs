//! Why a log could not be read, or not to its end.

use std::path::{Path, PathBuf};

use crate::reading::LogFormat;

/// What this crate can read, for messages.
const SUPPORTED: &str = "a CARMEN text log (FLASER, ROBOTLASER1 or RAWLASER1 lines) or a planar \
                         g2o file with ROBOTLASER1 lines (plain, gzip or zip), a file of framed \
                         ONI messages, or a folder of those";

/// Why a log could not be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened or read at all.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("expected {SUPPORTED}; {} seems to be {looks_like}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        looks_like: String,
    },
    /// A line does not say what it must.
    #[error("{}, line {line}: expected {expected}, got {actual}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1 in the unpacked text.
        line: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        actual: String,
    },
    /// The bytes stop making sense: a truncated or corrupt archive, a failing disk.
    #[error("{}, after line {line}: expected more of the file, got: {source}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The last complete line, counted from 1 in the unpacked text.
        line: u64,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// The unpacked text is longer than this crate is willing to read.
    #[error(
        "{}, line {line}: expected at most {bytes_max} bytes of unpacked text, got more",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line where the limit was crossed.
        line: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Bytes of a file of framed messages are no frame.
    #[error("{}, at byte {offset}: {source}", path.display())]
    Frame {
        /// The file.
        path: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// What is wrong with it.
        source: Box<sedge_oni::FrameError>,
    },
    /// A framed message does not say what it must.
    #[error("{}, at byte {offset}: {reason}", path.display())]
    Message {
        /// The file.
        path: PathBuf,
        /// Where its frame begins.
        offset: u64,
        /// What was expected and what came.
        reason: String,
    },
    /// A file is not the one that was collected.
    #[error("{}: expected the collected file of blake3 {expected}, got {actual}", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// What the collection says.
        expected: String,
        /// What was read.
        actual: String,
    },
    /// A file of framed messages was read to its end and holds no scan.
    #[error(
        "{}: expected sensor.lidar messages of robots, got {n_messages} messages without",
        path.display()
    )]
    NoScanMessages {
        /// The file.
        path: PathBuf,
        /// How many messages it has.
        n_messages: u64,
    },
    /// The file was read to its end and holds no scan.
    #[error(
        "{} looks like {format} and holds no scan (expected at least one {keywords} line, \
         got {n_lines} other lines)",
        path.display()
    )]
    NoScans {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        format: LogFormat,
        /// The keywords of lines with scans.
        keywords: &'static str,
        /// How many lines it has.
        n_lines: u64,
    },
}

impl LogError {
    /// The file it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::Unsupported { path, .. }
            | Self::Line { path, .. }
            | Self::Broken { path, .. }
            | Self::TooLong { path, .. }
            | Self::Frame { path, .. }
            | Self::Message { path, .. }
            | Self::Hash { path, .. }
            | Self::NoScanMessages { path, .. }
            | Self::NoScans { path, .. } => path,
        }
    }
}
