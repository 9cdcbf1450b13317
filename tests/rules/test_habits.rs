//! Habits that make tests lie.

use crate::{Finding, SourceFile};

// Put together here so that this file does not contain them.
const IGNORES: [&str; 2] = [concat!("#[ig", "nore]"), concat!("#[ig", "nore =")];
const SLEEPS: [&str; 2] = [concat!("thread::", "sleep"), concat!("time::", "sleep")];

const WHY_RUN: &str = "a test that is not run rots, and looks like safety";
const WHY_AWAKE: &str = "a sleep is too short on a slow machine and wasted on a fast one";

/// Tests that are switched off.
pub fn ignored_tests(file: &SourceFile) -> Vec<Finding> {
    rust_lines_with(file, &IGNORES)
        .map(|(number, needle)| Finding::at(&file.path, number, needle, WHY_RUN))
        .collect()
}

/// Sleeps in test code. Elsewhere clippy's `disallowed_methods` stands guard.
pub fn sleeping_tests(file: &SourceFile) -> Vec<Finding> {
    let test_lines = file.test_lines();
    rust_lines_with(file, &SLEEPS)
        .filter(|(number, _)| test_lines[number - 1])
        .map(|(number, needle)| Finding::at(&file.path, number, needle, WHY_AWAKE))
        .collect()
}

fn rust_lines_with<'a>(
    file: &'a SourceFile,
    needles: &'a [&'a str],
) -> impl Iterator<Item = (usize, &'a str)> {
    let is_rust = file.has_extension("rs");
    file.numbered_lines()
        .filter(move |_| is_rust)
        .filter_map(move |(number, line)| {
            let needle = needles.iter().find(|needle| line.contains(**needle))?;
            Some((number, *needle))
        })
}
