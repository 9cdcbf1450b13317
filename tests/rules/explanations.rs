//! Folders and crates explain themselves.

use crate::{Finding, SourceFile, SourceTree};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
/// Of the tour; the decisions behind it grow with the house, and are looked up rather than read.
const N_ARCHITECTURE_LINES_MAX: usize = 150;
const DECISIONS: &str = "## Decisions";
const N_CRATE_DOC_LINES_MIN: usize = 3;

const WHY_README: &str = "whoever opens a folder learns what may live there";
const WHY_CRATE_DOC: &str = "a crate says what it is and what it will never do";
const WHY_MAPPED: &str = "a map that is not kept true is worse than none";

/// Top-level folders and scenarios without a README. Where a folder holds only one folder
/// (`schemas/oni`), that one's README will do.
pub fn explained_folders(tree: &SourceTree) -> Vec<Finding> {
    let top_level = tree
        .folders_in("")
        .into_iter()
        .filter(|name| !name.starts_with('.'));
    let scenarios = tree
        .folders_in("sims")
        .into_iter()
        .map(|name| format!("sims/{name}"));
    let is_explained = |folder: &String| {
        let only_folder = |names: Vec<&str>| match names.as_slice() {
            [name] => tree.has(&format!("{folder}/{name}/README.md")),
            _ => false,
        };
        tree.has(&format!("{folder}/README.md")) || only_folder(tree.folders_in(folder))
    };
    let folders = top_level.map(str::to_owned).chain(scenarios);
    folders
        .filter(|folder| !is_explained(folder))
        .map(|folder| Finding::about(&folder, "there is no README.md", WHY_README))
        .collect()
}

/// Crates whose documentation is too short, does not say "never", or is not in `crates/README.md`.
pub fn explained_crates(tree: &SourceTree) -> Vec<Finding> {
    let list = tree.file("crates/README.md").map_or("", |file| &file.text);
    let mut findings = Vec::new();
    for room in tree.folders_in("crates") {
        let path = format!("crates/{room}/src/lib.rs");
        let docs: Vec<&str> = tree.file(&path).map_or_else(Vec::new, crate_doc);
        let says_never = docs
            .iter()
            .any(|line| line.to_lowercase().contains("never"));
        if docs.len() < N_CRATE_DOC_LINES_MIN || !says_never {
            let what = format!(
                "expected `//!` of at least {N_CRATE_DOC_LINES_MIN} lines with the word \"never\""
            );
            findings.push(Finding::at(&path, 1, what, WHY_CRATE_DOC));
        }
        if !list.contains(&format!("`{room}`")) {
            let what = format!("expected a line about `{room}`");
            findings.push(Finding::about("crates/README.md", what, WHY_README));
        }
    }
    findings
}

/// Rooms that are not in the code map of `ARCHITECTURE.md`, entries of rooms that do not exist,
/// entries without an invariant, and a page that is too long to be read.
pub fn code_map(tree: &SourceTree) -> Vec<Finding> {
    let Some(page) = tree.file(ARCHITECTURE) else {
        return vec![Finding::about(
            ARCHITECTURE,
            "there is no such file",
            WHY_MAPPED,
        )];
    };
    let rooms = tree.folders_in("crates");
    let entries = map_entries(page);
    let mut findings = Vec::new();
    for room in &rooms {
        if !entries.iter().any(|entry| entry.room == *room) {
            let what = format!("expected an entry `### crates/{room}`");
            findings.push(Finding::about(ARCHITECTURE, what, WHY_MAPPED));
        }
    }
    for entry in entries {
        if !rooms.contains(&entry.room) {
            let what = format!("there is no crates/{}", entry.room);
            findings.push(Finding::at(ARCHITECTURE, entry.line, what, WHY_MAPPED));
        }
        if !entry.has_invariant {
            let what = format!("expected an \"Invariant:\" line for {}", entry.room);
            findings.push(Finding::at(ARCHITECTURE, entry.line, what, WHY_MAPPED));
        }
    }
    let tour = page.text.lines().take_while(|line| *line != DECISIONS);
    let n_lines = tour.count();
    if n_lines > N_ARCHITECTURE_LINES_MAX {
        let what = format!("expected at most {N_ARCHITECTURE_LINES_MAX} lines, got {n_lines}");
        findings.push(Finding::about(
            ARCHITECTURE,
            what,
            "a page is read, a book is not",
        ));
    }
    findings
}

struct MapEntry<'a> {
    room: &'a str,
    line: usize,
    has_invariant: bool,
}

fn map_entries(page: &SourceFile) -> Vec<MapEntry<'_>> {
    let mut entries: Vec<MapEntry<'_>> = Vec::new();
    let mut is_inside = false;
    for (line, text) in page.numbered_lines() {
        if text.starts_with('#') {
            let room = text.strip_prefix("### crates/");
            is_inside = room.is_some();
            let entry = room.map(|room| MapEntry {
                room: room.trim(),
                line,
                has_invariant: false,
            });
            entries.extend(entry);
        } else if let Some(entry) = entries.last_mut().filter(|_| is_inside) {
            entry.has_invariant |= text.contains("Invariant:");
        }
    }
    entries
}

fn crate_doc(file: &SourceFile) -> Vec<&str> {
    let lines = file.text.lines();
    lines
        .skip_while(|line| line.is_empty())
        .take_while(|line| line.starts_with("//!"))
        .collect()
}
