//! Lines of a text of unknown length and sanity, in bounded memory.

use std::borrow::Cow;
use std::io::{BufRead, Read as _};
use std::path::Path;

use crate::LogError;
use crate::fields::Problem;

/// What a reader is willing to take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The longest line: 65,536 beams with remissions, at 16 bytes each.
    pub(crate) line_bytes_max: u64,
    /// The longest text. The largest public CARMEN log is a quarter of this.
    pub(crate) text_bytes_max: u64,
}

impl Limits {
    /// What files are read with.
    pub(crate) const FILE: Self = Self {
        line_bytes_max: 2 << 20,
        text_bytes_max: 1 << 30,
    };
}

/// Reads a text line by line and knows where it is.
pub(crate) struct Lines<'a> {
    path: &'a Path,
    input: &'a mut dyn BufRead,
    limits: Limits,
    buffer: Vec<u8>,
    line: u64,
    text_bytes: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(path: &'a Path, input: &'a mut dyn BufRead, limits: Limits) -> Self {
        Self {
            path,
            input,
            limits,
            buffer: Vec::new(),
            line: 0,
            text_bytes: 0,
        }
    }

    /// Moves to the next line; false at the end of the text.
    ///
    /// # Errors
    /// When the input breaks, or is longer than the limits.
    pub(crate) fn advance(&mut self) -> Result<bool, LogError> {
        self.buffer.clear();
        let limit = self.limits.line_bytes_max + 1;
        let n_bytes = (&mut self.input)
            .take(limit)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| LogError::Broken {
                path: self.path.into(),
                line: self.line,
                source,
            })?;
        if n_bytes == 0 {
            return Ok(false);
        }
        self.line += 1;
        self.text_bytes += n_bytes as u64;
        if n_bytes as u64 == limit {
            let expected = format!("a line of at most {} bytes", self.limits.line_bytes_max);
            return Err(self.error(Problem::new(expected, "a longer one")));
        }
        if self.text_bytes > self.limits.text_bytes_max {
            let bytes_max = self.limits.text_bytes_max;
            return Err(LogError::TooLong {
                path: self.path.into(),
                line: self.line,
                bytes_max,
            });
        }
        Ok(true)
    }

    /// The line as text, with its line break; bytes that are no UTF-8 become replacement
    /// characters.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.buffer)
    }

    /// How many lines came so far.
    pub(crate) fn n_lines(&self) -> u64 {
        self.line
    }

    /// A problem with the current line.
    pub(crate) fn error(&self, problem: Problem) -> LogError {
        LogError::Line {
            path: self.path.into(),
            line: self.line,
            expected: problem.expected,
            actual: problem.actual,
        }
    }
}
