//! `sedge bench`.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use sedge_runtime::SystemClock;
use sedge_runtime::bench::Surroundings;

use super::write_json;
use crate::bench::{Bench, BenchReport, CaseFile, Effort, FarRole, Peers, run_case, run_far_end};
use crate::interrupt::shutdown_of_process;
use crate::{Table, UsageError};

/// Where our sides of other people's programs lie, from the repository's root.
const NOTEBOOKS: &str = "notebooks";

/// What `sedge bench` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge bench --list
  sedge bench --quick
  sedge bench ping-pong throughput --json
  sedge bench filter plan --peers .venv/bin/python --out results.md
  sedge bench my_case.toml

A case is a TOML file; those of launch/bench come with Sedge and are called by their names. Ours and
peers take turns in one run on the same machine. Every turn is timed by itself, nothing is left out,
and turns that are paced and those back to back are apart. Raw Zenoh is built in. PyTorch and dora
are other people's: they take part with --peers, from a copy of Sedge's repository, and where they
are missing the table says so. What else the machine does shows in every figure: stop it first, and
believe ratios before times.")]
pub struct BenchArgs {
    /// Cases by name, or files; all that come with Sedge where none is named.
    #[arg(value_name = "CASE|CASE.toml")]
    pub cases: Vec<String>,
    /// Say which cases there are.
    #[arg(long, conflicts_with_all = ["quick", "peers", "out"])]
    pub list: bool,
    /// Cut counts down to a hundredth: a look whether it works, not a measurement.
    #[arg(long)]
    pub quick: bool,
    /// The Python in which peers are installed (`notebooks/peers/engine_requirements.txt`
    /// and `dora_requirements.txt`).
    #[arg(long, value_name = "PYTHON")]
    pub peers: Option<PathBuf>,
    /// Write the tables to this file too, as Markdown.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// What a process at the other end does: for `sedge bench` itself.
    #[arg(long, value_name = "JSON", hide = true)]
    pub far_end: Option<String>,
}

/// A case in the list.
#[derive(Debug, serde::Serialize)]
struct Listed<'c> {
    name: &'c str,
    kind: crate::bench::case::Kind,
    title: &'c str,
}

/// Measures, prints and writes.
///
/// # Errors
/// When a case is unknown or refused, or cannot be measured.
pub fn run(args: &BenchArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if let Some(role) = &args.far_end {
        let role: FarRole = serde_json::from_str(role)
            .map_err(|error| UsageError(format!("--far-end: {error}")))?;
        return run_far_end(&role, out);
    }
    let cases = chosen(&args.cases)?;
    if args.list {
        return list(&cases, args, out);
    }
    let bench = Bench {
        effort: if args.quick {
            Effort::Quick
        } else {
            Effort::Full
        },
        peers: Peers {
            python: args.peers.clone(),
            notebooks: NOTEBOOKS.into(),
        },
        clock: Arc::new(SystemClock::new()),
        shutdown: shutdown_of_process(),
    };
    let mut report = BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        is_optimised: !cfg!(debug_assertions),
        is_quick: args.quick,
        surroundings: Surroundings::now(),
        cases: Vec::new(),
    };
    for (idx, case) in cases.iter().enumerate() {
        let (name, n) = (&case.name, cases.len());
        tracing::info!("case {} of {n}: {name}", idx + 1);
        let found = run_case(case, &bench).with_context(|| format!("case {name}"))?;
        report.cases.push(found);
        if let Some(path) = &args.out {
            // After each case: who stops it early has what was measured until then.
            let page = report.markdown(&command());
            std::fs::write(path, page)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    if args.json {
        return write_json(&report, out);
    }
    Ok(write!(out, "{}", report.text())?)
}

/// Those that are named, or all that come with Sedge.
fn chosen(names: &[String]) -> anyhow::Result<Vec<CaseFile>> {
    let shipped = CaseFile::shipped()?;
    if names.is_empty() {
        return Ok(shipped);
    }
    let case = |name: &String| {
        let path = Path::new(name);
        if path.extension() == Some(OsStr::new("toml")) {
            return Ok(CaseFile::read(path)?);
        }
        let found = shipped.iter().find(|case| case.name == *name).cloned();
        let known = || shipped.iter().map(|case| case.name.as_str());
        found.ok_or_else(|| {
            let known: Vec<&str> = known().collect();
            let known = known.join(", ");
            UsageError(format!(
                "expected a file that ends with .toml or one of {known}, got {name:?}"
            ))
            .into()
        })
    };
    names.iter().map(case).collect()
}

fn list(cases: &[CaseFile], args: &BenchArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let listed: Vec<Listed<'_>> = cases
        .iter()
        .map(|it| Listed {
            name: &it.name,
            kind: it.kind,
            title: it.case.title(),
        })
        .collect();
    if args.json {
        return write_json(&listed, out);
    }
    let mut table = Table::new(["case", "what it measures"]);
    for it in listed {
        table.push([it.name, it.title]);
    }
    Ok(write!(out, "{}", table.lines())?)
}

/// How this was started, for the page.
fn command() -> String {
    let words = std::env::args().skip(1);
    std::iter::once("sedge".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}
