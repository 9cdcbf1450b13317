//! The `sedge` command line: parses arguments and launch files, chooses adapters, installs
//! tracing, runs, and prints.
//!
//! It never holds estimation, a wire format or a vendor's types: those live in the rooms below.
//! Everything a command prints for machines or people goes to standard output; progress, warnings
//! and logs go to standard error.
//!
//! ```
//! use clap::Parser as _;
//!
//! let parsed = sedge::Cli::try_parse_from(["sedge", "devices", "--json"]);
//! assert!(parsed.is_ok());
//! ```

mod agent_process;
mod arguments;
mod belief_errors;
mod bench;
mod bus_session;
mod chaos;
mod chosen_model;
mod cockpit;
mod collecting;
mod collection_report;
pub mod commands;
mod data_set;
mod endpoint;
mod engine;
mod eval_pool;
mod eval_rows;
mod first_scan_model;
mod interrupt;
mod intervals;
mod launch_file;
mod load_step;
mod log_file;
mod logging;
mod place;
mod plan_agreement;
mod progress;
mod run_folder;
mod rung_costs;
mod scenario_file;
mod scripted_run;
mod seconds;
mod seed_crew;
mod shipped_weights;
mod swarm_child;
mod swarm_driving;
mod swarm_keeper;
mod swarm_minds;
mod swarm_outcome;
mod swarm_processes;
mod swarm_run;
mod swarm_settings;
mod swarm_verdict;
mod swarm_witness;
mod table;
mod training;
mod viewer_observer;
mod watching;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

pub use arguments::{Cli, Command};
pub use bench::{Case, CaseFile};
pub use data_set::{CollectedDrives, DataSet, open_data_set};
pub use endpoint::Endpoint;
pub use engine::EngineChoice;
pub use eval_rows::{EvalRow, Spread};
pub use intervals::Estimate;
pub use launch_file::{LaunchFileError, read_launch_file};
pub use log_file::{OpenedLog, open_log};
pub use place::data_folder;
pub use progress::{Progress, ProgressStyle};
pub use run_folder::{RunFile, RunStatus, START_FILE, STEPS_FILE};
pub use scenario_file::ScriptedDriver;
pub use swarm_outcome::{SeedOutcome, SwarmSummary};
pub use swarm_settings::{RunSecs, SeedRange, SwarmSettings};
pub use table::Table;
pub use training::{SCANS_MAX, Start, Stop, TrainOutcome, TrainPlan, TrainSource, train};

/// The command did what was asked.
const EXIT_DONE: u8 = 0;
/// The command could not do it.
const EXIT_FAILED: u8 = 1;
/// The command was asked for something that makes no sense.
const EXIT_USAGE: u8 = 2;

/// What was asked for makes no sense, whatever the machine and the files: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The command did its work and has said what it found; this is what the process says to scripts.
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
pub struct ExitWith(pub u8);

/// Parses and runs; the exit code is 0 when done, 1 when it failed, 2 when the request made no
/// sense.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Where even the help text cannot be printed there is nobody left to tell.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE));
        }
    };
    logging::install(cli.log_filter.as_deref(), &cli.command);
    let mut out = io::stdout().lock();
    let result = commands::run(&cli.command, &mut out).and_then(|()| Ok(out.flush()?));
    ExitCode::from(match result {
        Ok(()) => EXIT_DONE,
        Err(error) if is_closed_pipe(&error) => EXIT_DONE,
        Err(error) if error.is::<ExitWith>() => error
            .downcast_ref()
            .map_or(EXIT_FAILED, |ExitWith(code)| *code),
        Err(error) => {
            eprintln!("error: {error:#}");
            if is_usage(&error) {
                EXIT_USAGE
            } else {
                EXIT_FAILED
            }
        }
    })
}

/// Whether the reader of our output went away, as `sedge ... | head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io_error = error.downcast_ref::<io::Error>();
    io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let is_launch = cause.is::<UsageError>() || cause.is::<LaunchFileError>();
        is_launch || scenario_file::is_scenario_error(cause)
    })
}
