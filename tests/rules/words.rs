//! Words that have no place in the tree.

use crate::{Finding, SourceFile};

// The needles are put together here so that this file does not contain them.
const REMINDERS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
const MACHINE_FOLDERS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    USER_FOLDERS[0],
    USER_FOLDERS[1],
];
const USER_FOLDERS: [&str; 2] = [concat!("/ho", "me/"), concat!("/Us", "ers/")];
const DATA_OUTSIDE: &str = concat!("../sha", "red");

const WHY_SIGNED: &str = "a reminder without a name belongs to nobody: write `(name):` after it";
const WHY_ANYWHERE: &str = "such a path exists on one machine only";
const WHY_INSIDE: &str = "a clone is all that a user has; only tests may look for more, and skip";

/// Reminders that nobody signed.
pub fn anonymous_reminders(file: &SourceFile) -> Vec<Finding> {
    let unsigned = |line: &str| {
        REMINDERS.iter().find(|reminder| {
            line.match_indices(**reminder).any(|(start, _)| {
                let before = line[..start].chars().next_back();
                let after = &line[start + reminder.len()..];
                let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
                let is_whole = !before.is_some_and(is_word) && !after.starts_with(is_word);
                is_whole && !is_signed(after)
            })
        })
    };
    find(file, unsigned, WHY_SIGNED)
}

/// Absolute paths into somebody's own folders; a test may make up a user.
pub fn machine_paths(file: &SourceFile) -> Vec<Finding> {
    let names_machine = |line: &str| {
        MACHINE_FOLDERS.iter().find(|folder| {
            // `https://host/home/` is an address; a path begins after something else.
            line.match_indices(**folder).any(|(start, _)| {
                let before = line[..start].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '.' || c == '_' || c == '-')
            })
        })
    };
    let test_lines = file.test_lines();
    let mut findings = find(file, names_machine, WHY_ANYWHERE);
    findings.retain(|finding| {
        let is_made_up = USER_FOLDERS
            .iter()
            .any(|folder| finding.what.contains(folder));
        !(is_made_up && file.has_extension("rs") && test_lines[finding.line - 1])
    });
    findings
}

/// Data outside the repository, anywhere but in tests.
pub fn outside_data(file: &SourceFile) -> Vec<Finding> {
    let is_rust = file.has_extension("rs");
    let test_lines = file.test_lines();
    let names_data = |line: &str| line.contains(DATA_OUTSIDE).then_some(&DATA_OUTSIDE);
    let mut findings = find(file, names_data, WHY_INSIDE);
    findings.retain(|finding| !(is_rust && test_lines[finding.line - 1]));
    findings
}

/// Whether a name follows, as in `(ada): `.
fn is_signed(after: &str) -> bool {
    let name = after
        .strip_prefix('(')
        .and_then(|rest| rest.split_once("):"));
    name.is_some_and(|(name, _)| !name.trim().is_empty())
}

fn find<'a>(
    file: &SourceFile,
    needle_in: impl Fn(&str) -> Option<&'a &'a str>,
    why: &'static str,
) -> Vec<Finding> {
    // Lock files are written by tools and hold hashes, which may spell anything.
    if file.has_extension("lock") {
        return Vec::new();
    }
    let hits = file
        .numbered_lines()
        .filter_map(|(number, line)| Some((number, needle_in(line)?)));
    hits.map(|(number, needle)| Finding::at(&file.path, number, format!("`{needle}`"), why))
        .collect()
}
