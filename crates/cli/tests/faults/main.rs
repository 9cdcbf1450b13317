//! The fault table: real processes on links that fail, routers that die and robots that freeze.
//!
//! ```text
//! cargo test -p sedge --test faults                        every kind of fault
//! SEDGE_FAULTS=all cargo test -p sedge --test faults       the long ones too
//! SEDGE_FAULTS=write cargo test -p sedge --test faults     and the table kept in its file
//! cargo test -p sedge --test faults -- cut                 the rows that have `cut` in their name
//! ```
//!
//! This program is also the speaker and the listener of its rows: `faults speaker CONFIG`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod listener;
mod orders;
mod process;
mod rows;
mod scene;
mod speaker;
mod stepped_clock;
mod table;

use std::io::Write as _;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rows::{Length, ROWS, Row};

/// How much is run: everything, or without the long rows.
const CHOICE: &str = "SEDGE_FAULTS";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["speaker", config] => speaker::run(serde_json::from_str(config).unwrap()),
        ["listener", config] => listener::run(&serde_json::from_str(config).unwrap()),
        _ if arguments.iter().any(|argument| argument == "--list") => {
            for row in &ROWS {
                println!("{}: test", row.fault);
            }
        }
        _ => return run_rows(&arguments),
    }
    ExitCode::SUCCESS
}

fn run_rows(arguments: &[String]) -> ExitCode {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let words: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_chosen = |row: &&Row| {
        let is_named = words.iter().all(|word| row.fault.contains(word.as_str()));
        is_named && (row.length == Length::Always || matches!(choice.as_str(), "all" | "write"))
    };
    let mut table = String::from(table::HEADER);
    let mut failed = Vec::new();
    print!("{table}");
    for row in ROWS.iter().filter(is_chosen) {
        std::io::stdout().flush().unwrap();
        if let Ok(line) = catch_unwind(row.run) {
            let line = table::markdown(row.fault, &line);
            print!("{line}");
            table += &line;
        } else {
            println!("| {} | FAILED |", row.fault);
            failed.push(row.fault);
        }
    }
    if !failed.is_empty() {
        println!("failed: {failed:?}");
        return ExitCode::FAILURE;
    }
    if choice == "write" && words.is_empty() {
        write_table(&table);
    }
    ExitCode::SUCCESS
}

fn write_table(table: &str) {
    let path = table_path();
    let before = std::fs::read_to_string(&path).unwrap();
    let start = before.find("| fault |").unwrap();
    let length = before[start..]
        .find("\n\n")
        .map_or(before.len() - start, |end| end + 1);
    let after = [&before[..start], table, &before[start + length..]].concat();
    std::fs::write(&path, after).unwrap();
}

fn table_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../transport-zenoh/FAULTS.md")
}
