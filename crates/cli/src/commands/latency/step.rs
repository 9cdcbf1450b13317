//! `sedge latency step`: a load step with a real planner on a real engine.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sedge_latency::{BudgetRow, LadderReport, LadderTrace, Stage};
use sedge_runtime::latency_run::{Readable, SpanRow, StepPlot, span_row, this_machine};
use sedge_runtime::relay::TimeSpan;
use sedge_viewer::{QueueFull, Viewer, ViewerConfig};
use serde::Serialize;

use super::report::write_file;
use super::skill::load_averages;
use crate::commands::agent::{UntrainedModel, viewer_target};
use crate::commands::swarm::{SwarmArgs, plan_of, settings_of};
use crate::commands::write_json;
use crate::interrupt::shutdown_of_process;
use crate::load_step::{LoadStep, LoadStepRun, N_PHASES};
use crate::swarm_run::{SwarmPlan, Who};
use crate::viewer_observer::ViewerObserver;
use crate::{SwarmSettings, Table, UsageError};

/// A change of rung that is taken back within so many plans is an oscillation: two seconds of a
/// robot that plans ten times a second.
const SOON: usize = 20;
/// A recording comes out whole: the run waits for the viewer.
const DRAWING_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a phase lasts unless told otherwise.
const PHASE: Duration = Duration::from_secs(30);
/// Phases in which nothing would settle, or nobody waits for.
const PHASE_MIN: Duration = Duration::from_secs(2);
const PHASE_MAX: Duration = Duration::from_mins(10);

/// What `sedge latency step` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge latency step launch/load_step.toml
  sedge latency step launch/load_step.toml --svg step.svg --rerun file step.rrd

The first robot of the launch file's scenario drives to and fro, alone with the walkers, with its
budgets and its ladder. In the second third, busy threads want the core that it plans on; three of
them leave it a quarter. The world is simulated and waits for it; what planning takes is real, is
judged by the budgets, and moves the ladder. A change of rung that is taken back within 20 plans
counts as an oscillation.")]
pub struct StepArgs {
    /// A launch file of a swarm, with a budget of sensor-to-command and a ladder.
    #[arg(value_name = "LAUNCH.toml")]
    pub path: PathBuf,
    /// The folder of the run whose model it believes with.
    #[arg(long, value_name = "RUN", conflicts_with = "model")]
    pub run: Option<PathBuf>,
    /// A model that needs no training, instead of a run's.
    #[arg(long, value_enum)]
    pub model: Option<UntrainedModel>,
    /// The run's seed.
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// How long each third lasts, in simulated time (default 30s).
    #[arg(long, value_name = "TIME")]
    pub phase: Option<TimeSpan>,
    /// Busy threads in the second third.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = parse_neighbours)]
    pub neighbours: usize,
    /// The core that it plans on, counted from 0.
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    pub core: usize,
    /// Write a picture of rungs and times to this file.
    #[arg(long, value_name = "PATH")]
    pub svg: Option<PathBuf>,
    /// Show it: off (default), file PATH, serve (at IP:PORT), connect (to URL) or spawn.
    #[arg(long, value_name = "TARGET", num_args = 1..=2)]
    pub rerun: Vec<String>,
    /// Print JSON, with every plan.
    #[arg(long)]
    pub json: bool,
}

fn parse_neighbours(text: &str) -> Result<usize, String> {
    let n = text.parse::<usize>().ok().filter(|n| *n <= 64);
    n.ok_or_else(|| format!("expected 0 to 64 busy threads, got {text:?}"))
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Printed {
    machine: String,
    load: String,
    scenario: String,
    model: String,
    /// How long each third lasted, in seconds.
    phase_secs: f64,
    n_neighbours: usize,
    /// What the planner's thread asked the operating system for, and got.
    threads: Vec<String>,
    /// Plans of each third: how many, and how many commands came too late.
    phases: Vec<PhaseRow>,
    n_changes: usize,
    n_oscillations: usize,
    /// Plans within which a change that is taken back is an oscillation.
    oscillates_within: usize,
    budgets: Vec<BudgetRow>,
    ladder: Option<LadderReport>,
    /// What planning took, by third and rung.
    plans: Vec<SpanRow>,
    trace: LadderTrace,
}

/// One third.
#[derive(Debug, Serialize)]
struct PhaseRow {
    load: &'static str,
    plans: usize,
    late: usize,
    changes: usize,
}

const LOADS: [&str; N_PHASES as usize] = ["1x", "loaded", "1x again"];

/// Drives, prints and draws.
pub(super) fn run(args: &StepArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let phase = args.phase.map_or(PHASE, |span| span.0);
    if !(PHASE_MIN..=PHASE_MAX).contains(&phase) {
        let text = format!("expected --phase from {PHASE_MIN:?} to {PHASE_MAX:?}, got {phase:?}");
        return Err(UsageError(text).into());
    }
    let (plan, seed) = plan(args)?;
    let Who::Agents(minds) = &plan.who else {
        return Err(UsageError("expected agents, got a driver".to_owned()).into());
    };
    let budgets = plan.budgets.clone().unwrap_or_default();
    let whole = budgets
        .iter()
        .find(|it| it.stage == Stage::SENSOR_TO_COMMAND);
    let Some(whole_max) = whole.map(sedge_latency::Budget::limit) else {
        let text = "expected a budget of sensor-to-command in the launch file, got none";
        return Err(UsageError(text.to_owned()).into());
    };
    let step = LoadStep {
        plan: &plan,
        minds,
        seed,
        phase,
        n_neighbours: args.neighbours,
        core: args.core,
        viewer: viewer(args, &plan)?,
        shutdown: shutdown_of_process(),
    };
    let ran = step.run()?;
    let title = format!(
        "{} by {}, loaded in between",
        plan.scenario.name,
        plan.who.name()
    );
    if let Some(path) = &args.svg {
        let picture = StepPlot {
            title: &title,
            trace: &ran.trace,
            whole_max,
            loaded: [phase, 2 * phase],
            end: N_PHASES * phase,
        };
        write_file(path, &picture.svg())?;
        eprintln!("wrote {}", path.display());
    }
    let printed = printed(args, (&plan, phase, whole_max), ran);
    if args.json {
        return write_json(&printed, out);
    }
    Ok(write!(out, "{}", text(&printed))?)
}

fn plan(args: &StepArgs) -> anyhow::Result<(SwarmPlan, u64)> {
    let swarm = SwarmArgs {
        path: args.path.clone(),
        settings: SwarmSettings {
            run: args.run.clone(),
            model: args.model,
            seed: args.seed,
            ..SwarmSettings::default()
        },
        json: false,
    };
    let (settings, driving) = settings_of(&swarm)?;
    let plan = plan_of(&args.path, &settings, driving)?;
    plan.check()?;
    let seed = settings.seed;
    let seed = seed.ok_or_else(|| UsageError("expected a --seed, got none".to_owned()))?;
    Ok((plan, seed))
}

fn viewer(args: &StepArgs, plan: &SwarmPlan) -> anyhow::Result<Option<ViewerObserver>> {
    let target = viewer_target(&args.rerun)?;
    let mut config = ViewerConfig::new("sedge", format!("load-step-{}", plan.scenario.name));
    config.queue_full = QueueFull::Wait(DRAWING_WAIT_MAX);
    let viewer = Viewer::open(&target, &config)?;
    if viewer.is_off() {
        return Ok(None);
    }
    let robot = sedge_spacetime::AgentName::new("crane1")?;
    let budgets = plan.budgets.clone().unwrap_or_default();
    Ok(Some(ViewerObserver::new(viewer, robot, budgets)))
}

fn printed(
    args: &StepArgs,
    (plan, phase, whole_max): (&SwarmPlan, Duration, Duration),
    ran: LoadStepRun,
) -> Printed {
    let LoadStepRun {
        report,
        trace,
        threads,
    } = ran;
    let changes = trace.changes();
    let limit = whole_max.as_nanos();
    let thirds = LOADS.iter().zip(0..);
    let between = |third: u32| trace.between(phase * third, phase * (third + 1));
    let row = |(load, third): (&&'static str, u32)| {
        let plans = between(third);
        let late = plans.iter().filter(|it| u128::from(it.whole_nanos) > limit);
        let [from, until] = [phase * third, phase * (third + 1)].map(|it| it.as_nanos());
        let at = |idx: &&usize| u128::from(trace.plans[**idx].at_nanos);
        PhaseRow {
            load,
            plans: plans.len(),
            late: late.count(),
            changes: changes
                .iter()
                .filter(|it| (from..until).contains(&at(it)))
                .count(),
        }
    };
    let phases = thirds.clone().map(row).collect();
    let mut plans = Vec::new();
    for (load, third) in thirds {
        let all = between(third);
        for (rung_idx, rung) in trace.rungs.iter().enumerate() {
            let on_rung = all.iter().filter(|plan| plan.rung == rung_idx);
            let nanos: Vec<u64> = on_rung.map(|plan| plan.plan_nanos).collect();
            if !nanos.is_empty() {
                plans.push(span_row(load, rung.as_str(), nanos));
            }
        }
    }
    Printed {
        machine: this_machine(),
        load: load_averages(),
        scenario: plan.scenario.name.clone(),
        model: plan.who.name(),
        phase_secs: phase.as_secs_f64(),
        n_neighbours: args.neighbours,
        threads: threads.iter().map(ToString::to_string).collect(),
        phases,
        n_changes: changes.len(),
        n_oscillations: trace.n_oscillations(SOON),
        oscillates_within: SOON,
        budgets: report.budgets,
        ladder: report.driving.and_then(|driving| driving.ladder),
        plans,
        trace,
    }
}

fn text(printed: &Printed) -> String {
    let mut phases = Table::new(["load", "plans", "late", "changes of rung"]);
    for row in &printed.phases {
        phases.push([
            row.load.to_owned(),
            row.plans.to_string(),
            row.late.to_string(),
            row.changes.to_string(),
        ]);
    }
    let mut plans = Table::new(["load", "rung", "plans", "p50", "p99", "max"]);
    for row in &printed.plans {
        plans.push([
            row.whose.clone(),
            row.what.clone(),
            row.n.to_string(),
            Readable(row.p50_nanos).to_string(),
            Readable(row.p99_nanos).to_string(),
            Readable(row.max_nanos).to_string(),
        ]);
    }
    let lost = printed.ladder.as_ref().map(LadderReport::skill_lost);
    format!(
        "{} by {}: {} busy threads on the planner's core in the second of three times {} s\n\
         {}, load averages {}; {}\n\n{}\nwhat planning took\n{}\n\
         {} changes of rung, {} of them taken back within {} plans; {:.1} % of the skill lost\n",
        printed.scenario,
        printed.model,
        printed.n_neighbours,
        printed.phase_secs,
        printed.machine,
        printed.load,
        printed.threads.join("; "),
        phases.text(),
        plans.text(),
        printed.n_changes,
        printed.n_oscillations,
        printed.oscillates_within,
        100.0 * lost.unwrap_or_default(),
    )
}
