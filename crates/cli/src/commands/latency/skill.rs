//! `sedge latency skill`: what each rung of a ladder takes and is worth, where it drives alone.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use sedge_latency::{ReportRow, StageLedger};
use sedge_runtime::latency_run::{MeasuredRung, MeasuredSkills, Readable, this_machine};
use sedge_runtime::{RungAction, RungConfig, Shutdown};
use toml::Value;

use super::report::write_file;
use crate::cockpit::Cockpit;
use crate::commands::agent::{AgentSettings, UntrainedModel};
use crate::commands::swarm::{SwarmArgs, plan_of, settings_of, written_driving};
use crate::commands::write_json;
use crate::interrupt::shutdown_of_process;
use crate::rung_costs::RungCosts;
use crate::seed_crew::SeedCrew;
use crate::swarm_minds::Minds;
use crate::swarm_run::{SwarmPlan, Who};
use crate::{
    Estimate, Progress, ProgressStyle, SeedOutcome, SeedRange, SwarmSettings, Table, UsageError,
    read_launch_file,
};

/// Where the figures go, and where a report looks for them, unless told otherwise.
pub(super) const SKILLS: &str = "runs/skill.json";
/// A plan that is kept is kept for so many plans more: a command lives as long.
const N_KEPT: usize = 2;

/// What `sedge latency skill` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge latency skill launch/load_step.toml --seeds 0..12 --robots 2
  sedge latency skill launch/load_step.toml --run runs/a --seeds 0..24 --out runs/skill.json
  sedge latency skill launch/driver.toml --scenario sims/corridor_swap/scenario.toml --seeds 0..8

Each rung of the launch file's `driving.ladder` drives all robots of its scenario alone, in
lockstep, with each seed. A rung that keeps the plan before drives two of three plans, after
one of the full rung. Skill is the speed of arrival, 1 / time to the goal and 0 for who does not
arrive, as a share of the full rung's with the same seed. `sedge latency report --skill` takes what
is written to --out in place of the skills that launch files say.")]
pub struct SkillArgs {
    /// A launch file of a swarm, with a ladder; with --scenario, that of an agent that drives.
    #[arg(value_name = "LAUNCH.toml")]
    pub path: PathBuf,
    /// The scenario for the ladder of one agent's launch file: each robot drives as that one does.
    #[arg(long, value_name = "SCENARIO.toml")]
    pub scenario: Option<PathBuf>,
    /// The folder of the run whose model every agent believes with.
    #[arg(long, value_name = "RUN", conflicts_with = "model")]
    pub run: Option<PathBuf>,
    /// A model that needs no training, instead of a run's.
    #[arg(long, value_enum)]
    pub model: Option<UntrainedModel>,
    /// The seeds, from A to the one before B.
    #[arg(long, value_name = "A..B")]
    pub seeds: SeedRange,
    /// So many of the robots that the scenario places one by one, spread evenly over them (default
    /// all of them, and those that it places in groups).
    #[arg(long, value_name = "N")]
    pub robots: Option<NonZeroUsize>,
    /// Runs at a time. With more than one, what plans take is of a busy machine.
    #[arg(long, value_name = "T", default_value = "1")]
    pub threads: NonZeroUsize,
    /// The file for the figures, as JSON.
    #[arg(long, value_name = "PATH", default_value = SKILLS)]
    pub out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What is driven with.
struct Held {
    name: String,
    rungs: Vec<String>,
    plan: SwarmPlan,
}

/// What came of it.
struct Driven {
    outcomes: Vec<SeedOutcome>,
    costs: StageLedger,
}

/// Drives, prints and keeps.
pub(super) fn run(args: &SkillArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let plan = plan(args)?;
    let Who::Agents(minds) = &plan.who else {
        return Err(UsageError("expected agents, got a driver".to_owned()).into());
    };
    let all = variants(&plan, minds)?;
    let shutdown = shutdown_of_process();
    let seeds: Vec<u64> = args.seeds.0.clone().collect();
    let driven = drive(&all, &seeds, (args.threads.get(), &shutdown))?;
    let full = driven.first().context("expected a rung, got none")?;
    let rungs = all.iter().zip(&driven);
    let rungs = rungs.map(|(held, it)| measured(held, it, full));
    let skills = MeasuredSkills {
        machine: this_machine(),
        load: load_averages(),
        scenario: format!(
            "{}, {} robots",
            plan.scenario.name,
            plan.scenario.n_robots()
        ),
        model: plan.who.name(),
        seeds: [args.seeds.0.start, args.seeds.0.end],
        rungs: rungs.collect::<anyhow::Result<_>>()?,
    };
    write_file(&args.out, &(serde_json::to_string_pretty(&skills)? + "\n"))?;
    if args.json {
        return write_json(&skills, out);
    }
    write!(out, "{}", text(&skills))?;
    eprintln!("wrote {}", args.out.display());
    Ok(())
}

fn plan(args: &SkillArgs) -> anyhow::Result<SwarmPlan> {
    let swarm = SwarmArgs {
        path: args.path.clone(),
        settings: SwarmSettings {
            run: args.run.clone(),
            model: args.model,
            ..SwarmSettings::default()
        },
        json: false,
    };
    let (settings, driving) = match &args.scenario {
        None => settings_of(&swarm)?,
        Some(scenario) => of_agent(&swarm, scenario)?,
    };
    let mut plan = plan_of(&args.path, &settings, driving)?;
    if let Some(n) = args.robots {
        let all = std::mem::take(&mut plan.scenario.robots);
        let n_all = all.len();
        let text = format!("expected at most the scenario's {n_all} robots, got {n}");
        ensure!(n.get() <= n_all, UsageError(text));
        plan.scenario.robots = (0..n.get())
            .map(|idx| all[idx * n_all / n].clone())
            .collect();
        plan.scenario.groups.clear();
    }
    plan.check()?;
    // Nothing is to depend on how long anything takes.
    plan.budgets = None;
    Ok(plan)
}

/// A scenario whose robots all believe and drive as the launch file of one agent says.
fn of_agent(swarm: &SwarmArgs, scenario: &Path) -> anyhow::Result<(SwarmSettings, toml::Table)> {
    let written: AgentSettings = read_launch_file(&swarm.path)?;
    let written = SwarmSettings {
        scenario: Some(scenario.to_owned()),
        run: written.run,
        model: written.model,
        engine: written.engine,
        device: written.device,
        horizons_secs: written.horizons_secs,
        driving: written.driving,
        ..SwarmSettings::default()
    };
    let driving = written_driving(&swarm.path)?;
    Ok((swarm.settings.clone().or(written), driving))
}

/// Each rung alone, the full one first.
fn variants(plan: &SwarmPlan, minds: &Minds) -> anyhow::Result<Vec<Held>> {
    let kinds = plan.kinds(minds)?;
    let ladder = kinds.values().map(|kind| &kind.driving.ladder).next();
    let ladder = ladder.map_or(&[][..], Vec::as_slice);
    let Some(full) = ladder.first() else {
        let text = "expected a `driving.ladder` in the launch file, got none";
        return Err(UsageError(text.to_owned()).into());
    };
    let full = full.name.to_string();
    let mut all: Vec<Held> = Vec::new();
    for rung in ladder {
        let rungs = turns(rung, &full);
        all.push(Held {
            name: rung.name.to_string(),
            plan: holding(plan, &rungs),
            rungs,
        });
    }
    Ok(all)
}

/// The rungs that plans are made on in turn.
fn turns(rung: &RungConfig, full: &str) -> Vec<String> {
    let name = rung.name.to_string();
    match rung.action {
        RungAction::Search | RungAction::Stop => vec![name],
        RungAction::LastPlan => {
            let kept = std::iter::repeat_n(name, N_KEPT);
            [full.to_owned()].into_iter().chain(kept).collect()
        }
    }
}

fn holding(plan: &SwarmPlan, rungs: &[String]) -> SwarmPlan {
    let mut plan = plan.clone();
    let names = rungs.iter().cloned().map(Value::String).collect();
    plan.driving
        .insert("ladder_held".to_owned(), Value::Array(names));
    plan
}

/// Drives every rung with every seed. All rungs take turns with one seed after the other, so that a
/// machine that has other things to do for a while has them for all rungs.
fn drive(
    all: &[Held],
    seeds: &[u64],
    (n_threads, shutdown): (usize, &Shutdown),
) -> anyhow::Result<Vec<Driven>> {
    let n_runs = all.len() * seeds.len();
    let mut shown = Progress::begin("driving", ProgressStyle::detect(), 0, n_runs as u64);
    let crew = SeedCrew {
        name: "skill-seeds",
        n_threads,
        stop: shutdown.clone(),
    };
    let costs: Vec<RungCosts> = all.iter().map(|_| RungCosts::default()).collect();
    let plans: Vec<SwarmPlan> = all.iter().map(|held| held.plan.clone()).collect();
    let (seeds, stop, timed) = (seeds.to_vec(), shutdown.clone(), costs.clone());
    let work = move |turn: u64| {
        let (seed_idx, nth) = (turn as usize / plans.len(), turn as usize % plans.len());
        let mut cockpit = Cockpit::off();
        cockpit.time_rungs(&timed[nth]);
        let run = plans[nth].run(seeds[seed_idx], 1, &mut cockpit, &stop)?;
        Ok(run.map(|it| (nth, it.outcome)))
    };
    let mut outcomes: Vec<Vec<SeedOutcome>> = vec![Vec::new(); all.len()];
    let mut n_done = 0;
    crew.run((0..n_runs as u64).collect(), work, &mut |(nth, outcome)| {
        outcomes[nth].push(outcome);
        n_done += 1;
        shown.set(n_done, |_| format!("runs, {}", all[nth].name));
        Ok(())
    })?;
    shown.end_in_place();
    ensure!(n_done == n_runs as u64, "stopped before the end");
    let driven = outcomes
        .into_iter()
        .zip(&costs)
        .map(|(mut outcomes, costs)| {
            outcomes.sort_by_key(|it| it.seed);
            Driven {
                outcomes,
                costs: costs.ledger(),
            }
        });
    Ok(driven.collect())
}

/// The mean speed of arrival of a run's robots, in goals a second.
fn speed(outcome: &SeedOutcome) -> f64 {
    let speeds = outcome.arrival_secs.iter().map(|secs| 1.0 / secs.max(0.1));
    // The sum of nothing has a sign.
    (0.0 + speeds.sum::<f64>()) / outcome.n_going.max(1) as f64
}

fn measured(held: &Held, driven: &Driven, full: &Driven) -> anyhow::Result<MeasuredRung> {
    let outcomes = &driven.outcomes;
    let pairs = outcomes.iter().zip(&full.outcomes);
    // A seed in which nobody arrives with the full rung says nothing of the others.
    let shares = pairs.filter_map(|(it, full)| {
        let whole = speed(full);
        (whole > 0.0).then(|| speed(it) / whole)
    });
    let skill = Estimate::mean(&shares.collect::<Vec<f64>>())
        .context("expected seeds with which robots arrive on the full rung, got none")?;
    let arrivals: Vec<f64> = outcomes
        .iter()
        .flat_map(|it| it.arrival_secs.clone())
        .collect();
    let contacts = outcomes.iter().map(|it| f64::from(it.n_collisions()));
    let costs = driven.costs.report();
    let timed = held.rungs.last().map_or("", String::as_str);
    let row: Option<&ReportRow> = costs.rows.iter().find(|row| row.stage.as_str() == timed);
    let figure = |of: fn(&ReportRow) -> u64| row.map_or(0, of);
    let engine = match &held.plan.who {
        Who::Agents(Minds::Trained { engine, .. }) => engine.as_str(),
        _ => "none",
    };
    Ok(MeasuredRung {
        name: held.name.clone(),
        held: held.rungs.clone(),
        engine: engine.to_owned(),
        n_plans: figure(|row| row.n),
        p50_nanos: figure(|row| row.p50_nanos),
        p99_nanos: figure(|row| row.p99_nanos),
        n_going: outcomes.iter().map(|it| it.n_going).sum(),
        n_arrived: outcomes.iter().map(|it| it.n_arrived).sum(),
        arrival_secs: Estimate::mean(&arrivals).map(|it| it.value),
        contacts_per_run: contacts.sum::<f64>() / outcomes.len().max(1) as f64,
        skill: skill.value,
        skill_interval: [skill.low, skill.high],
    })
}

/// The machine's load averages; nothing where it does not say.
pub(super) fn load_averages() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    words.join(", ")
}

fn text(skills: &MeasuredSkills) -> String {
    let mut table = Table::new([
        "rung",
        "plans",
        "p50",
        "p99",
        "arrived",
        "time to goal",
        "contacts",
        "skill",
        "lost",
    ]);
    for rung in &skills.rungs {
        let [low, high] = rung.skill_interval;
        let secs = rung.arrival_secs.map(|secs| format!("{secs:.1} s"));
        table.push([
            rung.name.clone(),
            rung.n_plans.to_string(),
            Readable(rung.p50_nanos).to_string(),
            Readable(rung.p99_nanos).to_string(),
            format!("{} of {}", rung.n_arrived, rung.n_going),
            secs.unwrap_or_else(|| "-".to_owned()),
            format!("{:.2}", rung.contacts_per_run),
            format!("{:.3} [{low:.3}, {high:.3}]", rung.skill),
            format!("{:.1} %", 100.0 * (1.0 - rung.skill)),
        ]);
    }
    let [first, end] = skills.seeds;
    format!(
        "{} by {}, seeds {first}..{end}, on {}, load averages {}\n{}\
         contacts a run; skill as a share of the full rung's, with the 95 % interval over seeds\n",
        skills.scenario,
        skills.model,
        skills.machine,
        skills.load,
        table.text()
    )
}
