//! Launch files: TOML that says what a person would otherwise type.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// A launch file longer than this is none.
const BYTES_MAX: u64 = 1 << 20;

/// Why a launch file is refused.
#[derive(Debug, thiserror::Error)]
pub enum LaunchFileError {
    /// It cannot be read.
    #[error("cannot read the launch file {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is too long to be one.
    #[error("{}: expected a launch file of at most {BYTES_MAX} bytes, got {bytes}", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// A key is unknown, or a value is not what its key takes.
    #[error("{}:{place}: {message}", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What was expected and what came.
        message: String,
    },
}

/// A place in a text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Reads a launch file of one kind.
///
/// # Errors
/// [`LaunchFileError`], with file, line and column where a key or value is refused.
pub fn read_launch_file<Launch: DeserializeOwned>(path: &Path) -> Result<Launch, LaunchFileError> {
    let io = |source| LaunchFileError::Io {
        path: path.into(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    if bytes > BYTES_MAX {
        return Err(LaunchFileError::TooLong {
            path: path.into(),
            bytes,
        });
    }
    parse_launch_text(path, &std::fs::read_to_string(path).map_err(io)?)
}

/// Reads the text of a launch file; `path` is what an error calls it.
///
/// # Errors
/// [`LaunchFileError::Refused`] where a key or value is refused.
pub(crate) fn parse_launch_text<Launch: DeserializeOwned>(
    path: &Path,
    text: &str,
) -> Result<Launch, LaunchFileError> {
    toml::from_str(text).map_err(|error| LaunchFileError::Refused {
        path: path.into(),
        place: place_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })
}

fn place_of(text: &str, byte_idx: usize) -> Place {
    let before = text.get(..byte_idx).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline_idx| newline_idx + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_in_characters() {
        let check = |text: &str, byte_idx: usize, line: usize, column: usize| {
            assert_eq!(
                place_of(text, byte_idx),
                Place { line, column },
                "{text:?} {byte_idx}"
            );
        };
        check("", 0, 1, 1);
        check("a = 1\nb = 2\n", 6, 2, 1);
        check("é = 1", 3, 1, 3);
        check("a\n", 99, 2, 1);
    }
}
