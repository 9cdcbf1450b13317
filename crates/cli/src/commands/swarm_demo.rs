//! `sedge demo`: eight robots cross a hallway in which people walk.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sedge_runtime::PredictionTable;
use sedge_runtime::swarm::SwarmReport;
use sedge_simulation::Scenario;
use sedge_spacetime::Stamp;
use sedge_viewer::{ScreenshotConfig, ViewerTarget, screenshot_at};
use toml::Table;

use super::collect::n_threads;
use super::demo::{DemoPlace, say_picture};
use super::swarm::{Report, report_of, write_report};
use crate::cockpit::Cockpit;
use crate::engine::Engine;
use crate::interrupt::shutdown_of_process;
use crate::shipped_weights::unpack_shipped_weights;
use crate::swarm_minds::Minds;
use crate::swarm_run::{SwarmPlan, Who};
use crate::{ProgressStyle, SeedOutcome};

/// The scenario, as it is in the repository.
const SCENARIO: &str = include_str!("../../../../sims/hallway/scenario.toml");
const SCENARIO_FILE: &str = "sims/hallway/scenario.toml";
/// How long the run may be where seconds must do, in simulated seconds.
const SECS_QUICK: f64 = 3.0;
/// When the picture is taken: the two groups have met.
const PICTURE_SHARE: f64 = 0.4;

/// Runs the swarm with the shipped weights, and says how it went.
///
/// # Errors
/// When any part of it fails.
pub(super) fn run(place: &DemoPlace, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut scenario = Scenario::parse(SCENARIO, SCENARIO_FILE)?;
    if place.quick {
        scenario.duration_secs = SECS_QUICK;
    }
    let weights = place.out.join("model");
    unpack_shipped_weights(&weights)?;
    let minds = Minds::trained(weights, Engine::Onboard)?;
    let hash: String = minds.hash_text()?.chars().take(12).collect();
    writeln!(
        out,
        "{} robots cross a hallway in which {} people walk, in simulation. Each senses, believes, \
         predicts, plans and drives for itself, with the shipped weights ({hash}).",
        scenario.n_robots(),
        scenario.n_walkers(),
    )?;
    out.flush()?;
    let plan = SwarmPlan {
        scenario,
        who: Who::Agents(minds),
        driving: Table::new(),
        budgets: None,
        horizons: Vec::new(),
    };
    let shutdown = shutdown_of_process();
    let mut cockpit = Cockpit::new(place.target.clone()).with_progress(ProgressStyle::detect());
    let run = plan.run(place.seed, n_threads(None), &mut cockpit, &shutdown)?;
    cockpit.finish();
    let Some(run) = run else {
        return Ok(writeln!(out, "stopped")?);
    };
    let outcomes = [run.outcome.clone()];
    let report = report_of(&plan, &outcomes, Some(&run))?;
    write_report(&report, Some(&run), &place.out)?;
    say(&report, &run.outcome, out)?;
    writeln!(out, "\nmodel:     {}", place.out.join("model").display())?;
    writeln!(
        out,
        "report:    {}",
        place.out.join("report.json").display()
    )?;
    if let ViewerTarget::File(recording) = &place.target {
        writeln!(out, "recording: {}", recording.display())?;
        take_picture(recording, &place.out, run.outcome.secs, out)?;
    }
    Ok(())
}

fn say(report: &Report<'_>, outcome: &SeedOutcome, out: &mut dyn Write) -> anyhow::Result<()> {
    let swarm = report.swarm.context("expected agents in the swarm")?;
    writeln!(out, "\n{}", success(outcome))?;
    writeln!(
        out,
        "contacts: {} with robots, {} with people, {} with walls",
        outcome.collisions_robot, outcome.collisions_walker, outcome.collisions_wall,
    )?;
    writeln!(out, "{}\n", speed(swarm))?;
    writeln!(out, "what was predicted against what came, all robots:")?;
    writeln!(out, "{}", PredictionTable(&swarm.predictions))?;
    writeln!(out, "where the time went, all robots:\n{}", swarm.latency)?;
    for failure in &outcome.failures {
        writeln!(out, "out of the swarm: {failure}")?;
    }
    Ok(())
}

fn success(outcome: &SeedOutcome) -> String {
    let n = outcome.arrival_secs.len();
    let mean_secs = outcome.arrival_secs.iter().sum::<f64>() / n.max(1) as f64;
    let arrived = format!("{} of {} arrived", outcome.n_arrived, outcome.n_going);
    if n == 0 {
        return arrived;
    }
    format!("{arrived}, after {mean_secs:.1} s on average")
}

fn speed(swarm: &SwarmReport) -> String {
    format!(
        "{:.1} s simulated in {:.1} s, {:.2} times real time; {} messages, recording hash {}",
        swarm.simulated_secs,
        swarm.wall_secs,
        swarm.real_time_factor(),
        swarm.n_messages,
        swarm.hash.chars().take(16).collect::<String>(),
    )
}

fn take_picture(
    recording: &Path,
    folder: &Path,
    secs: f64,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let picture = folder.join("demo.png");
    let at = Stamp::ZERO + Duration::from_secs_f64(PICTURE_SHARE * secs);
    let outcome = screenshot_at(recording, at, &picture, &ScreenshotConfig::default())?;
    say_picture(&outcome, &picture, out)
}
