//! Reading scenario files, and saying where one is wrong.

use std::io::Read as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Scenario;
use super::check::{Finding, check};
use crate::limits::SCENARIO_BYTES_MAX;

/// Why a scenario is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ScenarioError {
    /// The file, as the caller calls it.
    pub file: String,
    /// The line, from 1 on, where one is to blame.
    pub line: Option<usize>,
    /// What was expected, and what came instead.
    pub reason: String,
}

pub(super) fn read(path: &Path) -> Result<Scenario, ScenarioError> {
    let file = path.display().to_string();
    let refused = |reason: String| ScenarioError {
        file: file.clone(),
        line: None,
        reason,
    };
    let mut text = String::new();
    let opened = std::fs::File::open(path).map_err(|error| refused(error.to_string()))?;
    // One byte more than allowed, so that a longer file is seen to be longer.
    opened
        .take(SCENARIO_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| refused(error.to_string()))?;
    parse(&text, &file)
}

pub(super) fn parse(text: &str, file: &str) -> Result<Scenario, ScenarioError> {
    let refused = |line: Option<usize>, reason: String| ScenarioError {
        file: file.to_owned(),
        line,
        reason,
    };
    if text.len() > SCENARIO_BYTES_MAX {
        let reason = format!("expected at most {SCENARIO_BYTES_MAX} bytes of scenario, got more");
        return Err(refused(None, reason));
    }
    let scenario: Scenario = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        refused(line, error.message().trim().to_owned())
    })?;
    check(&scenario).map_err(|Finding { path, reason }| {
        let line = offset_of(text, &path).map(|offset| line_of(text, offset));
        refused(line, format!("{path}: {reason}"))
    })?;
    Ok(scenario)
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + before.split(|byte| *byte == b'\n').skip(1).count()
}

/// Where the value at a path such as `robots[2].start` stands; of what is not there, where the
/// nearest thing around it does. The text has been read before, so it is a table.
fn offset_of(text: &str, path: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
    let first = table.get_ref().get(steps.next()?)?;
    Some(offset_below(first, steps))
}

fn offset_below<'s>(
    value: &Spanned<DeValue<'_>>,
    mut steps: impl Iterator<Item = &'s str>,
) -> usize {
    let below = steps.next().and_then(|step| match value.get_ref() {
        DeValue::Table(table) => table.get(step),
        DeValue::Array(array) => array.get(step.parse::<usize>().ok()?),
        _ => None,
    });
    match below {
        Some(below) => offset_below(below, steps),
        None => value.span().start,
    }
}
