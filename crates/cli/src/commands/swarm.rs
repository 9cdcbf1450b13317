//! `sedge swarm`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use sedge_runtime::Shutdown;
use sedge_runtime::swarm::SwarmReport;
use sedge_viewer::ViewerTarget;
use serde::Serialize;
use toml::Table;

use super::agent::viewer_target;
use super::collect::n_threads;
use super::write_json;
use crate::cockpit::Cockpit;
use crate::engine::Engine;
use crate::interrupt::shutdown_of_process;
use crate::scenario_file::{hex, read_scenario};
use crate::seed_crew::SeedCrew;
use crate::swarm_minds::Minds;
use crate::swarm_outcome::seed_table;
use crate::swarm_processes::{ProcessPlan, ProcessReport, agents_folder, run_processes};
use crate::swarm_run::{SwarmPlan, SwarmRun, Who};
use crate::{
    ExitWith, Progress, ProgressStyle, SeedOutcome, SwarmSettings, SwarmSummary, UsageError,
    read_launch_file,
};

/// The file with everything that a run counts.
const REPORT_FILE: &str = "report.json";
/// The file with what was drawn from the seed and how the run went, as collected runs have it.
const RUN_FILE: &str = "run.json";

/// What `sedge swarm` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge swarm launch/swarm.toml
  sedge swarm launch/swarm.toml --run runs/a --rerun file a.rrd
  sedge swarm sims/doorway/scenario.toml --model constant-velocity --seeds 0..100
  sedge swarm sims/doorway/scenario.toml --driver orca --seeds 0..100
  sedge swarm launch/swarm.toml --processes --chaos 1 --secs 600

In one process the run is in lockstep: the same seed gives the same messages, bit for bit, on any
number of threads; the hash says whether it did. Of many seeds, one a thread is run at a time.
As processes the run is in real time, and ends with a verdict on what the swarm promises; where a
promise was broken, the exit code is 1.
Paths in a launch file are seen from where the command is given.")]
pub struct SwarmArgs {
    /// A launch file, or a scenario (named scenario.toml).
    #[arg(value_name = "LAUNCH.toml|SCENARIO.toml")]
    pub path: PathBuf,
    /// Everything that a launch file may say too.
    #[command(flatten)]
    pub settings: SwarmSettings,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The report, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    scenario: &'a str,
    scenario_hash: String,
    /// The model's name or folder, or the script's name.
    who: String,
    model_hash: Option<String>,
    summary: SwarmSummary,
    runs: &'a [SeedOutcome],
    /// Of a single run with agents.
    pub(super) swarm: Option<&'a SwarmReport>,
}

/// Runs a swarm.
///
/// # Errors
/// When the launch file or scenario is refused, or a run cannot be made.
pub fn run(args: &SwarmArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let (settings, driving) = settings_of(args)?;
    let plan = plan_of(&args.path, &settings, driving)?;
    plan.check()?;
    let target = viewer_target(&settings.rerun)?;
    let shutdown = shutdown_of_process();
    for (is_there, name) in [
        (settings.chaos.is_some(), "--chaos"),
        (settings.secs.is_some(), "--secs"),
        (settings.agent_threads.is_some(), "agent_threads"),
    ] {
        ensure!(
            settings.processes || !is_there,
            UsageError(format!(
                "expected --processes with {name}, got {name} alone"
            ))
        );
    }
    if settings.processes {
        return run_as_processes(args, &settings, (&plan, &target), out);
    }
    plan.check_lockstep()?;
    let threads = n_threads(settings.threads);
    let (outcomes, single) = if let Some(seeds) = &settings.seeds {
        ensure!(
            matches!(target, ViewerTarget::Off),
            UsageError("expected one --seed to show by --rerun, got --seeds".into())
        );
        let seeds = seeds.0.clone().collect();
        (many_runs(&plan, seeds, threads, &shutdown)?, None)
    } else {
        let seed = settings
            .seed
            .ok_or_else(|| UsageError("expected a --seed, or --seeds A..B, got neither".into()))?;
        let mut cockpit = Cockpit::new(target).with_progress(ProgressStyle::detect());
        let run = plan.run(seed, threads, &mut cockpit, &shutdown)?;
        cockpit.finish();
        let run = run.context("stopped before the end of the run")?;
        (vec![run.outcome.clone()], Some(run))
    };
    let report = report_of(&plan, &outcomes, single.as_ref())?;
    if let Some(folder) = &settings.out {
        write_report(&report, single.as_ref(), folder)?;
    }
    if args.json {
        return write_json(&report, out);
    }
    say(&report, single.as_ref(), out)
}

/// A launch file or scenario as processes, whatever else `args` says; how it went.
///
/// # Errors
/// When the launch file is refused, or the run cannot be made.
pub(crate) fn run_in_processes(
    args: &SwarmArgs,
    shutdown: &Shutdown,
) -> anyhow::Result<ProcessReport> {
    let (settings, driving) = settings_of(args)?;
    let plan = plan_of(&args.path, &settings, driving)?;
    plan.check()?;
    process_report(&settings, &plan, shutdown)
}

/// The world here, and each agent as a process of its own.
fn process_report(
    settings: &SwarmSettings,
    plan: &SwarmPlan,
    shutdown: &Shutdown,
) -> anyhow::Result<ProcessReport> {
    let usage = |message: &str| UsageError(message.to_owned());
    let Who::Agents(minds) = &plan.who else {
        return Err(usage("expected agents for --processes, got a --driver").into());
    };
    let seed = settings.seed;
    let seed = seed.ok_or_else(|| usage("expected one --seed for --processes, got none"))?;
    let patrol = settings.secs.map(|secs| SwarmPlan {
        scenario: plan.scenario.patrolling(secs.secs()),
        ..plan.clone()
    });
    run_processes(&ProcessPlan {
        plan: patrol.as_ref().unwrap_or(plan),
        minds,
        seed,
        threads: settings.agent_threads.clone(),
        chaos: settings.chaos,
        folder: agents_folder(settings.out.as_deref()),
        shutdown: shutdown.clone(),
    })
}

fn run_as_processes(
    args: &SwarmArgs,
    settings: &SwarmSettings,
    (plan, target): (&SwarmPlan, &ViewerTarget),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    ensure!(
        matches!(target, ViewerTarget::Off),
        UsageError("expected no --rerun with --processes, got one".to_owned())
    );
    let report = process_report(settings, plan, &shutdown_of_process())?;
    if let Some(folder) = &settings.out {
        write_json_file(folder, REPORT_FILE, &report)?;
        write_json_file(folder, RUN_FILE, &report.story)?;
    }
    if args.json {
        write_json(&report, out)?;
    } else {
        let outcomes = std::slice::from_ref(&report.outcome);
        writeln!(out, "{}", seed_table(outcomes).text())?;
        write!(out, "{}", report.text())?;
    }
    let broken = report.verdict.broken();
    if broken.is_empty() {
        return Ok(());
    }
    tracing::error!("promises were broken: {}", broken.join("; "));
    out.flush()?;
    Err(ExitWith(1).into())
}

/// What is typed and written together, and what is written of driving.
///
/// # Errors
/// When the launch file cannot be read, or is none.
pub(super) fn settings_of(args: &SwarmArgs) -> anyhow::Result<(SwarmSettings, Table)> {
    let is_scenario = args
        .path
        .file_name()
        .is_some_and(|name| name == "scenario.toml");
    if is_scenario {
        let mut settings = args.settings.clone();
        settings.scenario = Some(args.path.clone());
        return Ok((settings, Table::new()));
    }
    let written: SwarmSettings = read_launch_file(&args.path)?;
    let driving = written_driving(&args.path)?;
    Ok((args.settings.clone().or(written), driving))
}

/// What a launch file says of driving, without defaults: what is not written fits the robots.
///
/// # Errors
/// When the launch file cannot be read, or is none.
pub(super) fn written_driving(path: &Path) -> anyhow::Result<Table> {
    let text = std::fs::read_to_string(path)?;
    Ok(match text.parse::<Table>()?.remove("driving") {
        Some(toml::Value::Table(driving)) => driving,
        _ => Table::new(),
    })
}

/// What is to be run, for any seed.
///
/// # Errors
/// When there is no scenario, or not one who drives.
pub(super) fn plan_of(
    path: &Path,
    settings: &SwarmSettings,
    driving: Table,
) -> anyhow::Result<SwarmPlan> {
    let scenario = settings.scenario.as_ref().ok_or_else(|| {
        UsageError(format!(
            "{}: expected a key `scenario`, found none",
            path.display()
        ))
    })?;
    let (scenario, _) = read_scenario(scenario)?;
    let who = match (&settings.run, settings.model, settings.driver) {
        (Some(run), None, None) => {
            let driving = settings.driving.as_ref();
            let engine = Engine::choose_for(driving, settings.engine, settings.device, run)?;
            Who::Agents(Minds::trained(run.clone(), engine)?)
        }
        (None, Some(model), None) => Who::Agents(Minds::Untrained(model)),
        (None, None, Some(driver)) => Who::Script(driver),
        (None, None, None) => {
            return Err(UsageError(
                "expected who drives: --run RUN for a trained model, --model geometric or \
                 constant-velocity, or --driver orca, got none"
                    .into(),
            )
            .into());
        }
        _ => {
            return Err(
                UsageError("expected one of run, model and driver, got more".into()).into(),
            );
        }
    };
    let horizons = settings.horizons_secs.iter();
    Ok(SwarmPlan {
        scenario,
        who,
        driving,
        budgets: settings.budgets.clone(),
        horizons: horizons.map(|it| it.duration()).collect(),
    })
}

/// One run a thread at a time; rows come in the order of their seeds.
fn many_runs(
    plan: &SwarmPlan,
    seeds: Vec<u64>,
    threads: usize,
    shutdown: &Shutdown,
) -> anyhow::Result<Vec<SeedOutcome>> {
    let n_seeds = seeds.len();
    let mut progress = Progress::begin("runs", ProgressStyle::detect(), 0, n_seeds as u64);
    let crew = SeedCrew {
        name: "swarm-seeds",
        n_threads: threads,
        stop: shutdown.clone(),
    };
    let (mine, stop) = (plan.clone(), shutdown.clone());
    let work = move |seed| {
        let run = mine.run(seed, 1, &mut Cockpit::off(), &stop)?;
        Ok(run.map(|it| it.outcome))
    };
    let mut outcomes: Vec<SeedOutcome> = Vec::with_capacity(n_seeds);
    crew.run(seeds, work, &mut |outcome: SeedOutcome| {
        outcomes.push(outcome);
        progress.set(outcomes.len() as u64, |_| {
            let n_success = outcomes.iter().filter(|it| it.is_success).count();
            format!("{n_success} of {} succeeded", outcomes.len())
        });
        Ok(())
    })?;
    progress.end_in_place();
    outcomes.sort_by_key(|it| it.seed);
    if outcomes.len() < n_seeds {
        tracing::warn!("stopped after {} of {n_seeds} runs", outcomes.len());
    }
    Ok(outcomes)
}

pub(super) fn report_of<'a>(
    plan: &'a SwarmPlan,
    outcomes: &'a [SeedOutcome],
    single: Option<&'a SwarmRun>,
) -> anyhow::Result<Report<'a>> {
    Ok(Report {
        scenario: &plan.scenario.name,
        scenario_hash: hex(&plan.scenario.hash()),
        who: plan.who.name(),
        model_hash: match &plan.who {
            Who::Agents(minds) => Some(minds.hash_text()?),
            Who::Script(_) => None,
        },
        summary: SwarmSummary::of(outcomes),
        runs: outcomes,
        swarm: single.and_then(|run| run.report.as_ref()),
    })
}

pub(super) fn write_report(
    report: &Report<'_>,
    single: Option<&SwarmRun>,
    folder: &Path,
) -> anyhow::Result<()> {
    write_json_file(folder, REPORT_FILE, report)?;
    single.map_or(Ok(()), |run| write_json_file(folder, RUN_FILE, &run.story))
}

fn write_json_file(folder: &Path, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(name);
    let text = serde_json::to_string_pretty(value)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn say(report: &Report<'_>, single: Option<&SwarmRun>, out: &mut dyn Write) -> anyhow::Result<()> {
    let title = format!("{} by {}", report.scenario, report.who);
    if let Some(swarm) = report.swarm {
        writeln!(out, "{swarm}")?;
    }
    write!(out, "{}", seed_table(report.runs).text())?;
    if single.is_none() {
        writeln!(out)?;
        write!(out, "{}", report.summary.table(&title).lines())?;
    } else if let [run] = report.runs {
        writeln!(out, "hash {}", run.hash)?;
    }
    let failures = report.runs.iter().flat_map(|run| &run.failures);
    for failure in failures {
        writeln!(out, "out of the swarm: {failure}")?;
    }
    Ok(())
}
