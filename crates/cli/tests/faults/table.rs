//! The table that the rows make.

use std::fmt::Write as _;
use std::time::Duration;

use crate::scene::Account;

/// One line of the table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    pub(crate) sent: u64,
    pub(crate) came: u64,
    pub(crate) lost: u64,
    pub(crate) claimed: u64,
    /// From when the network was whole until a message that was sent after that came.
    pub(crate) recovery: Option<Duration>,
    /// What else is worth knowing.
    pub(crate) notes: String,
}

impl Line {
    pub(crate) fn of(account: &Account) -> Self {
        let (spoke, heard) = (&account.spoke, &account.heard);
        Self {
            sent: spoke.given - heard.first,
            came: heard.distinct,
            lost: account.lost,
            claimed: heard.lost,
            ..Self::default()
        }
    }

    pub(crate) fn recovered(self, after: Duration) -> Self {
        Self {
            recovery: Some(after),
            ..self
        }
    }

    pub(crate) fn noted(self, notes: impl Into<String>) -> Self {
        Self {
            notes: notes.into(),
            ..self
        }
    }
}

pub(crate) const HEADER: &str = "\
| fault | sent | came | lost | lost, by the counters | messages flow again after, ms | notes |
|---|---:|---:|---:|---:|---:|---|
";

/// A row of Markdown.
pub(crate) fn markdown(fault: &str, line: &Line) -> String {
    let recovery = line.recovery.map_or_else(
        || "-".to_owned(),
        |span| format!("{:.0}", 1e3 * span.as_secs_f64()),
    );
    let Line {
        sent,
        came,
        lost,
        claimed,
        notes,
        ..
    } = line;
    let mut row = String::new();
    writeln!(
        row,
        "| {fault} | {sent} | {came} | {lost} | {claimed} | {recovery} | {notes} |"
    )
    .expect("a string takes all");
    row
}
