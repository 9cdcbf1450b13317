//! Runs, kept in a file: one line of JSON each, the newest last.

use super::LatencyRun;

/// Runs that are kept; the oldest go first.
pub const RUNS_MAX: usize = 100;

/// Runs that were kept, the newest last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LatencyHistory {
    runs: Vec<LatencyRun>,
}

/// A line that is no run.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: expected a run of a latency report: {source}")]
pub struct HistoryError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

impl LatencyHistory {
    /// Reads what [`LatencyHistory::text`] wrote; an empty text holds none.
    ///
    /// # Errors
    /// [`HistoryError`] at the first line that is no run: a file that is something else must not be
    /// written over.
    pub fn parse(text: &str) -> Result<Self, HistoryError> {
        let run = |(idx, line): (usize, &str)| {
            let line_number = idx + 1;
            serde_json::from_str(line).map_err(|source| HistoryError {
                line: line_number,
                source,
            })
        };
        let lines = text.lines().enumerate();
        let runs = lines.filter(|(_, line)| !line.trim().is_empty()).map(run);
        Ok(Self {
            runs: runs.collect::<Result<_, _>>()?,
        })
    }

    /// The newest run, of those of this machine: what another one took says nothing here.
    pub fn last_of(&self, machine: &str) -> Option<&LatencyRun> {
        self.runs.iter().rev().find(|run| run.machine == machine)
    }

    /// All runs of this machine, the newest last.
    pub fn runs_of<'h>(&'h self, machine: &'h str) -> impl Iterator<Item = &'h LatencyRun> {
        self.runs.iter().filter(move |run| run.machine == machine)
    }

    /// Adds a run; of more than [`RUNS_MAX`] the oldest go.
    pub fn push(&mut self, run: LatencyRun) {
        self.runs.push(run);
        let surplus = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..surplus);
    }

    /// The text to be kept.
    ///
    /// # Errors
    /// When a run cannot be written as JSON, which its types allow.
    pub fn text(&self) -> serde_json::Result<String> {
        let mut text = String::new();
        for run in &self.runs {
            text += &serde_json::to_string(run)?;
            text.push('\n');
        }
        Ok(text)
    }
}
