//! `sedge latency`: where the time goes, written down.

mod agree;
mod report;
mod skill;
mod step;

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
    /// Whether plans that are imagined in eight bits are those in f32.
    Agree(agree::AgreeArgs),
    /// Measure what each rung of a degradation ladder takes and is worth, in lockstep.
    Skill(skill::SkillArgs),
    /// Load a planner four times and once again, and watch it go down its ladder and up.
    Step(step::StepArgs),
}

/// Does what was asked.
///
/// # Errors
/// When nobody can be reached, no agent speaks, or a file cannot be read or written.
pub fn run(args: &LatencyArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.task {
        LatencyTask::Report(args) => report::run(args, out),
        LatencyTask::Agree(args) => agree::run(args, out),
        LatencyTask::Skill(args) => skill::run(args, out),
        LatencyTask::Step(args) => step::run(args, out),
    }
}
