//! How long files and lines may be. Functions are clippy's `too_many_lines`.

use crate::{Finding, SourceFile};

/// Lines of production code in a file, and lines of tests in a file.
pub const N_LINES_MAX: usize = 500;
const N_COLUMNS_MAX: usize = 100;

const WHY_SHORT: &str = "a file is one concept; what is longer is two (tests are counted apart)";
const WHY_NARROW: &str = "two files fit side by side at 100 columns";

/// Rust files of more than [`N_LINES_MAX`] lines of production code, or as many of tests.
pub fn file_lengths(file: &SourceFile) -> Vec<Finding> {
    if !file.has_extension("rs") {
        return Vec::new();
    }
    let test_lines = file.test_lines();
    let n_tests = test_lines.iter().filter(|is_test| **is_test).count();
    let parts = [
        (test_lines.len() - n_tests, "production code"),
        (n_tests, "tests"),
    ];
    let too_long = parts.into_iter().filter(|(n, _)| *n > N_LINES_MAX);
    too_long
        .map(|(n, kind)| {
            let what = format!("expected at most {N_LINES_MAX} lines of {kind}, got {n}");
            Finding::about(&file.path, what, WHY_SHORT)
        })
        .collect()
}

/// Lines of Rust and shell that are wider than 100 columns; a line with an address may be.
pub fn line_widths(file: &SourceFile) -> Vec<Finding> {
    if !file.has_extension("rs") && !file.path.starts_with(".ci/") {
        return Vec::new();
    }
    let lines = file
        .numbered_lines()
        .map(|(number, line)| (number, line, line.chars().count()));
    let too_wide = lines.filter(|(_, line, n)| *n > N_COLUMNS_MAX && !line.contains("://"));
    too_wide
        .map(|(number, _, n)| {
            let what = format!("expected at most {N_COLUMNS_MAX} columns, got {n}");
            Finding::at(&file.path, number, what, WHY_NARROW)
        })
        .collect()
}
