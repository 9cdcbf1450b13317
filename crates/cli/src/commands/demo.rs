//! `sedge demo`: all of it at once, with nothing else installed.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use sedge_viewer::{ScreenshotOutcome, ViewerTarget};
use serde::Deserialize;

use super::agent::viewer_target;
use super::{log_demo, swarm_demo};
use crate::read_launch_file;

/// Seed of the demo unless told otherwise.
const SEED: u64 = 1;
/// Where the demo writes unless told otherwise.
const OUT: &str = "runs/demo";

/// What `sedge demo` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge demo                                      eight robots cross a hallway with walkers
  sedge demo --seed 7 --rerun spawn
  sedge demo --log synthetic                      one robot: train, play, predict
  sedge dataset get killian && sedge demo --log killian
  sedge demo --log a.log.gz

The swarm runs in simulation, in lockstep, each robot with the weights that come with Sedge. With a
log it trains a tiny model on the first 70 % of it for about a minute, plays the rest over Zenoh to
an agent in a process of its own, and says how the agent's predictions fared.")]
pub struct DemoArgs {
    /// A launch file; what is typed here overrides what it says.
    #[arg(value_name = "LAUNCH.toml")]
    pub launch: Option<PathBuf>,
    /// Everything that a launch file may say too.
    #[command(flatten)]
    pub settings: DemoSettings,
}

/// What the demo is told, on the command line or in a launch file.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemoSettings {
    /// One robot and a log instead of the swarm: a file, `killian` (once `sedge dataset get
    /// killian` has fetched it) or `synthetic`.
    #[arg(long, value_name = "LOG")]
    pub log: Option<PathBuf>,
    /// Seed of the run; with a log, of the training and of a synthetic log (default 1).
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The folder to write to (default runs/demo); a demo in it is replaced.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Show it: off, file PATH (default demo.rrd in the folder), serve (at IP:PORT), connect (to
    /// URL) or spawn.
    #[arg(long, value_name = "TARGET", num_args = 1..=2)]
    #[serde(deserialize_with = "super::agent::viewer_words")]
    pub rerun: Vec<String>,
    /// Seconds instead of minutes: to see that it runs.
    #[arg(long)]
    pub quick: bool,
}

impl DemoSettings {
    /// These settings where they say something, `otherwise`'s elsewhere.
    #[must_use]
    pub fn or(self, otherwise: Self) -> Self {
        Self {
            log: self.log.or(otherwise.log),
            seed: self.seed.or(otherwise.seed),
            out: self.out.or(otherwise.out),
            rerun: if self.rerun.is_empty() {
                otherwise.rerun
            } else {
                self.rerun
            },
            quick: self.quick || otherwise.quick,
        }
    }
}

/// Where a demo writes and what it is shown by.
pub(super) struct DemoPlace {
    pub(super) seed: u64,
    pub(super) out: PathBuf,
    pub(super) target: ViewerTarget,
    pub(super) quick: bool,
}

/// Runs the demo.
///
/// # Errors
/// When any part of it fails.
pub fn run(args: &DemoArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let written = match &args.launch {
        Some(path) => read_launch_file(path)?,
        None => DemoSettings::default(),
    };
    let settings = args.settings.clone().or(written);
    let folder = settings.out.unwrap_or_else(|| OUT.into());
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let target = if settings.rerun.is_empty() {
        ViewerTarget::File(folder.join("demo.rrd"))
    } else {
        viewer_target(&settings.rerun)?
    };
    let place = DemoPlace {
        seed: settings.seed.unwrap_or(SEED),
        out: folder,
        target,
        quick: settings.quick,
    };
    match settings.log {
        Some(log) => log_demo::run(&log, place, out),
        None => swarm_demo::run(&place, out),
    }
}

/// Says what became of a picture.
pub(super) fn say_picture(
    outcome: &ScreenshotOutcome,
    picture: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match outcome {
        ScreenshotOutcome::Taken => writeln!(out, "picture:   {}", picture.display())?,
        ScreenshotOutcome::NotInstalled => writeln!(
            out,
            "picture:   none, there is no rerun viewer in PATH (`pip install rerun-sdk`)"
        )?,
        ScreenshotOutcome::Failed { stderr } => {
            let last = stderr.lines().last().unwrap_or("it said nothing");
            writeln!(
                out,
                "picture:   none, the rerun viewer could not draw it: {last}"
            )?;
        }
    }
    Ok(())
}
