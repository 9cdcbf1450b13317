//! The fields of one line, parsed with words for what was expected.

use std::f64::consts::PI;
use std::str::SplitAsciiWhitespace;

use sedge_spacetime::{Pose2, Stamp, wrap_angle};

/// Positions beyond this are no robot's, metres.
const POSITION_M_MAX: f64 = 1e7;
/// Headings beyond this are no robot's, radians (many thousand turns).
const YAW_RAD_MAX: f64 = 1e6;
/// How much of a bad field is shown.
const SHOWN_CHARS_MAX: usize = 40;

/// What is wrong with a line; the reader adds the path and the line number.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) expected: String,
    pub(crate) actual: String,
}

impl Problem {
    pub(crate) fn new(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            actual: actual.into(),
        }
    }
}

/// The rest of a line, read field by field.
pub(crate) struct Fields<'a> {
    tokens: SplitAsciiWhitespace<'a>,
    position: usize,
    has_line_break: bool,
}

impl<'a> Fields<'a> {
    /// The fields of a line; the keyword is the first.
    pub(crate) fn of(line: &'a str) -> Self {
        Self {
            tokens: line.split_ascii_whitespace(),
            position: 0,
            has_line_break: line.ends_with('\n'),
        }
    }

    /// The next field, if there is one.
    pub(crate) fn next_token(&mut self) -> Option<&'a str> {
        self.position += 1;
        self.tokens.next()
    }

    /// The next field, which must be there.
    pub(crate) fn token(&mut self, what: &str) -> Result<&'a str, Problem> {
        let token = self.next_token();
        let position = self.position;
        token.ok_or_else(|| {
            Problem::new(format!("{what} as field {position}"), "the end of the line")
        })
    }

    /// Passes over fields that must be there.
    pub(crate) fn skip(&mut self, n_fields: usize, what: &str) -> Result<(), Problem> {
        (0..n_fields).try_for_each(|_| self.token(what).map(drop))
    }

    /// Whether the text stops in the middle of this line (or lacks its last line break).
    pub(crate) fn may_be_cut(&self) -> bool {
        !self.has_line_break
    }

    /// Demands the fields after the last one used where the line may be cut: else a number cut in
    /// the middle would pass for a number.
    pub(crate) fn tail(&mut self, n_fields: usize, what: &str) -> Result<(), Problem> {
        if self.may_be_cut() {
            self.skip(n_fields, what)
        } else {
            Ok(())
        }
    }

    fn problem(&self, what: &str, token: &str) -> Problem {
        let shown: String = token.chars().take(SHOWN_CHARS_MAX).collect();
        Problem::new(
            format!("{what} as field {}", self.position),
            format!("{shown:?}"),
        )
    }

    /// The next field as any number, NaN and infinities included.
    pub(crate) fn any_number(&mut self, what: &str) -> Result<f64, Problem> {
        let token = self.token(what)?;
        token.parse().map_err(|_error| self.problem(what, token))
    }

    /// The next field as a finite number within `-limit..=limit`.
    pub(crate) fn number(&mut self, what: &str, limit: f64) -> Result<f64, Problem> {
        let token = self.token(what)?;
        match token.parse::<f64>() {
            Ok(number) if number.abs() <= limit => Ok(number),
            _ => Err(self.problem(&format!("{what} within +-{limit:e}"), token)),
        }
    }

    /// The next field as a count within `min..=max`.
    pub(crate) fn count(&mut self, what: &str, min: usize, max: usize) -> Result<usize, Problem> {
        let token = self.token(what)?;
        match token.parse::<usize>() {
            Ok(count) if (min..=max).contains(&count) => Ok(count),
            _ => Err(self.problem(&format!("{what} of {min} to {max}"), token)),
        }
    }

    /// The next fields as ranges in metres.
    pub(crate) fn ranges(&mut self, n_beams: usize, max_m: f32) -> Result<Vec<f32>, Problem> {
        let mut ranges = Vec::with_capacity(n_beams);
        for _ in 0..n_beams {
            let token = self.token("a range")?;
            match token.parse::<f32>() {
                Ok(range) if (0.0..=max_m).contains(&range) => ranges.push(range),
                _ => return Err(self.problem(&format!("a range of 0 to {max_m} m"), token)),
            }
        }
        Ok(ranges)
    }

    /// The next three fields as a pose: metres, metres, radians (wrapped).
    pub(crate) fn pose(&mut self, what: &str) -> Result<Pose2, Problem> {
        let x_m = self.number(what, POSITION_M_MAX)?;
        let y_m = self.number(what, POSITION_M_MAX)?;
        let yaw_rad = self.number(what, YAW_RAD_MAX)?;
        // Wrapping rounds: an angle in range stays as it is written.
        let in_range = (-PI..PI).contains(&yaw_rad);
        Ok(Pose2::new(
            x_m,
            y_m,
            if in_range {
                yaw_rad
            } else {
                wrap_angle(yaw_rad)
            },
        ))
    }

    /// The next field as a time in seconds.
    pub(crate) fn stamp(&mut self, what: &str) -> Result<Stamp, Problem> {
        let token = self.token(what)?;
        let stamp = token
            .parse()
            .ok()
            .and_then(|secs| Stamp::from_secs(secs).ok());
        stamp.ok_or_else(|| self.problem(&format!("{what} in seconds"), token))
    }
}
