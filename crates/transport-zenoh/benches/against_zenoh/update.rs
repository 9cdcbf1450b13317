//! A file of earlier tables in which the rows that were measured anew take the places of the old.

use std::collections::BTreeMap;

const SECTION: &str = "## ";

/// Which row of a section's table a line is: the payload, and with round trips the load and stack.
fn row_of(section: &str, line: &str) -> Option<String> {
    let cells: Vec<_> = line.strip_prefix("| ")?.split(" | ").collect();
    let n_names = if section.contains("Round trip") { 3 } else { 1 };
    Some(cells.get(..n_names)?.join(" | "))
}

/// Lines with the section that each is in.
fn in_sections(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut section = "";
    text.lines().map(move |line| {
        if line.starts_with(SECTION) {
            section = line;
        }
        (section, line)
    })
}

/// `old` with the rows of `new`, and under each table that has some of them `note`, which says how
/// they were made.
pub(crate) fn updated(old: &str, new: &str, note: &str) -> String {
    let rows: BTreeMap<_, _> = in_sections(new)
        .filter_map(|(section, line)| Some(((section, row_of(section, line)?), line)))
        .collect();
    let mut lines = Vec::new();
    let mut is_changed = false;
    for (section, line) in in_sections(old) {
        let row = row_of(section, line);
        let is_row = row.is_some();
        let anew = row.and_then(|row| rows.get(&(section, row)).copied());
        // The tables' heads are the same in both.
        is_changed |= anew.is_some_and(|anew| anew != line);
        if !is_row && line.is_empty() && is_changed {
            lines.extend(["", note]);
            is_changed = false;
        }
        lines.push(anew.unwrap_or(line));
    }
    lines.join("\n") + "\n"
}
