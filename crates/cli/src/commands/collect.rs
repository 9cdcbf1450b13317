//! `sedge collect`.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::write_json;
use crate::collecting::{CollectOutcome, CollectPlan, collect};
use crate::interrupt::shutdown_of_process;
use crate::scenario_file::read_scenario;
use crate::{ProgressStyle, ScriptedDriver, Table};

/// What `sedge collect` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge collect sims/doorway/scenario.toml --episodes 100 --seed 1 --out data/doorway
  sedge collect sims/doorway/scenario.toml --episodes 200 --seed 1 --out data/doorway
  sedge train --log data --preset s --seed 1 --out runs/a

Each episode is one run by a seed of its own, counting up from --seed: a file of framed ONI
messages with what every robot sensed, the true poses, and which beams hit what moves. The same
seed gives the same file, whatever the number of threads. The same command again goes on where it
stopped; with a larger --episodes it adds to what is there. For `train` and `eval`, a folder of
several collections is one data set; the last digit of an episode's seed says what it is for: 0 to 6
train, 7 validation, 8 and 9 test.")]
pub struct CollectArgs {
    /// The scenario.
    #[arg(value_name = "SCENARIO.toml")]
    pub scenario: PathBuf,
    /// How many episodes the folder is to hold.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub episodes: u64,
    /// Seed of the first episode.
    #[arg(long, value_name = "SEED")]
    pub seed: u64,
    /// The folder.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Who drives the robots.
    #[arg(long, value_enum, default_value_t = ScriptedDriver::Orca)]
    pub driver: ScriptedDriver,
    /// Worlds at a time (default: one a core).
    #[arg(long, value_name = "T")]
    pub threads: Option<NonZeroUsize>,
    /// Print the outcome as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Collects.
///
/// # Errors
/// When the scenario is refused, the folder holds another collection, or nothing can be written.
pub fn run(args: &CollectArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let (scenario, scenario_text) = read_scenario(&args.scenario)?;
    let outcome = collect(&CollectPlan {
        scenario,
        scenario_text: &scenario_text,
        driver: args.driver,
        first_seed: args.seed,
        n_episodes: args.episodes,
        n_threads: n_threads(args.threads),
        out: &args.out,
        progress: ProgressStyle::detect(),
        shutdown: shutdown_of_process(),
    })?;
    if args.json {
        return write_json(&outcome, out);
    }
    say(args, &outcome, out)
}

/// As many as were asked for, or one a core.
pub(crate) fn n_threads(asked: Option<NonZeroUsize>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    asked.map_or_else(cores, NonZeroUsize::get)
}

fn say(args: &CollectArgs, outcome: &CollectOutcome, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new(["collection".to_owned(), args.out.display().to_string()]);
    let episodes = format!(
        "{} of {}, {} of them new",
        outcome.n_episodes, outcome.n_wanted, outcome.n_new
    );
    table.push(["episodes", &episodes]);
    let agents = format!("{} and {} walkers", outcome.n_robots, outcome.n_walkers);
    table.push(["robots", &agents]);
    table.push(["size", &format!("{:.1} MB", outcome.bytes as f64 / 1e6)]);
    let rate = format!(
        "{:.2} episodes/s, {:.0} robot-steps/s, {:.1} times real time",
        outcome.episodes_per_sec, outcome.robot_steps_per_sec, outcome.real_time_factor
    );
    table.push(["rate", &rate]);
    if let (Some(success), Some(collisions)) =
        (outcome.success_share, outcome.collisions_per_episode)
    {
        let driver = format!(
            "{}: {:.0} % fulfilled the task, {collisions:.2} contacts an episode",
            args.driver.as_str(),
            100.0 * success
        );
        table.push(["driver", &driver]);
    }
    let hash = outcome.dataset_hash.as_deref();
    table.push(["dataset", hash.unwrap_or("not whole yet")]);
    write!(out, "{}", table.lines())?;
    if outcome.n_episodes < outcome.n_wanted {
        writeln!(out, "stopped early: the same command goes on")?;
    }
    Ok(())
}
