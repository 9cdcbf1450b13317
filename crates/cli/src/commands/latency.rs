//! `sedge latency`: where the time goes, written down.

mod report;

use std::io::Write;

use clap::{Args, Subcommand};

/// What `sedge latency` takes.
#[derive(Debug, Args)]
pub struct LatencyArgs {
    /// What to do.
    #[command(subcommand)]
    pub task: LatencyTask,
}

/// What can be done about latency.
#[derive(Debug, Subcommand)]
pub enum LatencyTask {
    /// Write down what real traffic takes and what synthetic probes take, beside the last time.
    Report(report::ReportArgs),
}

/// Does what was asked.
///
/// # Errors
/// When nobody can be reached, no agent speaks, or a file cannot be read or written.
pub fn run(args: &LatencyArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.task {
        LatencyTask::Report(args) => report::run(args, out),
    }
}
