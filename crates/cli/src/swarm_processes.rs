//! A swarm as processes: the world here, and an agent process for each robot, over Zenoh and in
//! real time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sedge_runtime::{
    AgentReport, DrivingConfig, Shutdown, SystemClock, Wiring, run_node, spawn_named,
};
use sedge_simulation::{RobotDraw, STEP_SECS, Simulation, SimulationNode, SimulationNodeConfig};
use sedge_spacetime::{Clock as _, Stamp};
use sedge_transport_zenoh::ZenohNetwork;
use serde::Serialize;
use toml::Value;

use crate::Table;
use crate::chaos::{Chaos, Kill};
use crate::endpoint::{Side, zenoh_config};
use crate::live_world::LiveWorld;
use crate::offset_clock::OffsetClock;
use crate::scenario_file::{FLEET, fleet};
use crate::scripted_run::{EPOCH, RunStory, SIMULATED_CLOCK};
use crate::swarm_child::SwarmChild;
use crate::swarm_minds::Minds;
use crate::swarm_outcome::SeedOutcome;
use crate::swarm_run::{SwarmPlan, agent_seed};

/// Simulated time begins so long after the start: agents load their models and find each other.
const LEAD: Duration = Duration::from_secs(4);
const LEAD_PER_AGENT: Duration = Duration::from_millis(750);
/// How often agents are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// An agent that ends by itself is started again so often, all agents together.
const RESTARTS_MAX: u64 = 100;
/// What live agents plan with unless the launch file says otherwise, in seconds: eight of them
/// share two cores.
const PLAN_SECS_MAX: f64 = 0.02;
const COMMAND_LATENCY_SECS: f64 = 0.03;

/// What is run as processes.
pub(crate) struct ProcessPlan<'a> {
    pub(crate) plan: &'a SwarmPlan,
    pub(crate) minds: &'a Minds,
    pub(crate) seed: u64,
    /// Seed of the kills.
    pub(crate) chaos: Option<u64>,
    /// Where launch files, logs and reports of the agents go.
    pub(crate) folder: PathBuf,
    pub(crate) shutdown: Shutdown,
}

/// What became of one robot's commands, as the world counted them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CommandRow {
    robot: String,
    taken: u64,
    older: u64,
    expired: u64,
    malformed: u64,
    other_clock: u64,
    steps_driven: u64,
    steps_stopped: u64,
}

/// How it went.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProcessReport {
    pub(crate) outcome: SeedOutcome,
    pub(crate) commands: Vec<CommandRow>,
    /// Agents killed by the chaos.
    pub(crate) n_kills: u64,
    /// Agents that ended by themselves, which none is to do.
    pub(crate) n_died: u64,
    pub(crate) n_starts: u64,
    /// Messages that the world could not send.
    pub(crate) n_unsent: u64,
    /// Messages that came to the world and were no commands for its robots.
    pub(crate) n_strange: u64,
    /// What agents that lived until the end report, by robot.
    pub(crate) agents: Vec<Option<AgentReport>>,
    #[serde(skip)]
    pub(crate) story: RunStory,
}

impl ProcessReport {
    /// What the world counted, for people.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new([
            "robot",
            "commands",
            "older",
            "expired",
            "refused",
            "driven s",
            "stopped s",
            "drives",
        ]);
        for (row, agent) in self.commands.iter().zip(&self.agents) {
            let secs = |steps: u64| format!("{:.1}", steps as f64 * STEP_SECS);
            let driving = agent.as_ref().and_then(|it| it.driving.as_ref());
            table.push([
                row.robot.clone(),
                row.taken.to_string(),
                row.older.to_string(),
                row.expired.to_string(),
                (row.malformed + row.other_clock).to_string(),
                secs(row.steps_driven),
                secs(row.steps_stopped),
                driving.map_or("dead".to_owned(), ToString::to_string),
            ]);
        }
        let Self {
            n_starts,
            n_kills,
            n_died,
            n_unsent,
            n_strange,
            ..
        } = self;
        let sum = format!(
            "{n_starts} agents started, {n_kills} killed, {n_died} ended by themselves; the world \
             left {n_unsent} messages unsent and refused {n_strange}\n"
        );
        table.text() + &sum
    }
}

/// Runs world and agents until the world's end.
///
/// # Errors
/// When there is no network, no process, or no room for everybody.
pub(crate) fn run_processes(it: &ProcessPlan<'_>) -> anyhow::Result<ProcessReport> {
    let scenario = &it.plan.scenario;
    let simulation = Simulation::new(scenario, it.seed)
        .with_context(|| format!("scenario {}, seed {}", scenario.name, it.seed))?;
    let draws = simulation.header().robots.clone();
    let lead = LEAD + LEAD_PER_AGENT * u32::try_from(draws.len()).unwrap_or(u32::MAX);
    let clock = Arc::new(OffsetClock::starting_in(lead));
    let config = zenoh_config(&["tcp/127.0.0.1:0".parse()?], &[], Side::Listens);
    let network = ZenohNetwork::open(&config, Arc::<OffsetClock>::clone(&clock))?;
    let locators = network.locators();
    let locator = locators.first().context("expected the network to listen")?;
    std::fs::create_dir_all(&it.folder)
        .with_context(|| format!("cannot make {}", it.folder.display()))?;
    let mut children = Vec::new();
    for (robot_idx, draw) in draws.iter().enumerate() {
        let launch = launch_of(it, (robot_idx, draw), locator, clock.origin())?;
        children.push(SwarmChild::new(&it.folder, &draw.name, &launch)?);
    }
    let mut config = SimulationNodeConfig::new(fleet()?, EPOCH);
    SIMULATED_CLOCK.clone_into(&mut config.clock);
    let mut world = LiveWorld::new(SimulationNode::new(simulation, config)?);
    let (subscriptions, publications) = (world.node().subscriptions(), world.node().publications());
    let mut wiring = Wiring::connect(&network, &subscriptions, &publications)?;
    let keeper = Keeper::start(children, it.chaos, &it.shutdown)?;
    let ran = run_node(&mut world, &mut wiring, clock.as_ref(), &it.shutdown);
    tracing::info!("the world ended: {ran:?}");
    let kept = keeper.end()?;
    let story = RunStory::of(world.node().simulation(), it.minds.name());
    let mut outcome = SeedOutcome::of(&story.header, &story.metrics);
    outcome.real_time_factor = story.metrics.secs / clock.now().secs().max(1e-9);
    Ok(ProcessReport {
        outcome,
        commands: commands_of(&world, &draws),
        n_kills: kept.n_kills,
        n_died: kept.n_died,
        n_starts: kept.n_starts,
        n_unsent: world.n_dropped() + ran.late,
        n_strange: world.node().n_strange(),
        agents: kept.agents,
        story,
    })
}

fn commands_of(world: &LiveWorld, draws: &[RobotDraw]) -> Vec<CommandRow> {
    let row = |(robot_idx, draw): (usize, &RobotDraw)| {
        let counts = world.node().command_counts(robot_idx);
        CommandRow {
            robot: draw.name.clone(),
            taken: counts.taken,
            older: counts.older,
            expired: counts.expired,
            malformed: counts.malformed,
            other_clock: counts.other_clock,
            steps_driven: counts.steps_driven,
            steps_stopped: counts.steps_stopped,
        }
    };
    draws.iter().enumerate().map(row).collect()
}

/// The launch file of one robot's agent.
fn launch_of(
    it: &ProcessPlan<'_>,
    (robot_idx, draw): (usize, &RobotDraw),
    locator: &str,
    origin: Stamp,
) -> anyhow::Result<String> {
    let mut driving = it.plan.driving_of(&draw.kind)?;
    let plan_secs_max = driving.plan_secs_max.get_or_insert(PLAN_SECS_MAX);
    if driving.command_latency_secs < *plan_secs_max {
        driving.command_latency_secs = COMMAND_LATENCY_SECS.max(*plan_secs_max);
    }
    let mut launch = toml::Table::new();
    let mut put = |key: &str, value: Value| launch.insert(key.to_owned(), value);
    put("fleet", FLEET.into());
    put("robot", draw.name.clone().into());
    match it.minds {
        Minds::Trained { run, device, .. } => {
            put("run", run.canonicalize()?.display().to_string().into());
            put("device", device.to_string().into());
        }
        Minds::Untrained(model) => {
            put("model", model.as_str().into());
        }
    }
    put("connect", vec![locator].into());
    put("listen", vec!["tcp/127.0.0.1:0"].into());
    if !it.plan.horizons.is_empty() {
        let secs: Vec<f64> = it.plan.horizons.iter().map(Duration::as_secs_f64).collect();
        put("horizons_secs", secs.into());
    }
    // TOML's integers have a sign; all 64 bits of a seed are as good as 63.
    let seed = (agent_seed(it.seed, robot_idx) >> 1) as i64;
    put("seed", seed.into());
    put("clock_origin_nanos", origin.nanos().into());
    put("driving", Value::try_from::<DrivingConfig>(driving)?);
    Ok(toml::to_string(&launch)?)
}

/// What the keeper has done.
#[derive(Default)]
struct Kept {
    n_kills: u64,
    n_died: u64,
    n_starts: u64,
    agents: Vec<Option<AgentReport>>,
}

/// Starts the agents, kills them by plan, and starts again who is dead, on a thread of its own.
struct Keeper {
    stop: Shutdown,
    thread: std::thread::JoinHandle<anyhow::Result<Kept>>,
}

impl Keeper {
    fn start(
        children: Vec<SwarmChild>,
        chaos: Option<u64>,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Self> {
        let stop = Shutdown::new();
        let (stops, whole) = (stop.clone(), shutdown.clone());
        let keep = move || {
            let kept = keep(children, chaos, &stops);
            if kept.is_err() {
                // Without agents the world need not go on.
                whole.request();
            }
            kept
        };
        let thread = spawn_named("swarm-keeper", keep)?;
        Ok(Self { stop, thread })
    }

    fn end(self) -> anyhow::Result<Kept> {
        self.stop.request();
        match self.thread.join() {
            Ok(kept) => kept,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn keep(
    mut children: Vec<SwarmChild>,
    chaos: Option<u64>,
    stop: &Shutdown,
) -> anyhow::Result<Kept> {
    let clock = SystemClock::new();
    let mut kept = Kept::default();
    for child in &mut children {
        child.start()?;
        kept.n_starts += 1;
    }
    let n_agents = children.len();
    let mut kills = chaos
        .into_iter()
        .flat_map(|seed| Chaos::new(seed, n_agents));
    let mut next = kills.next();
    let mut next_at = clock.now() + LEAD + next.map_or(Duration::ZERO, |kill: Kill| kill.after);
    let mut back_at: Vec<Option<Stamp>> = vec![None; n_agents];
    while !stop.wait(LOOK_EVERY) {
        let now = clock.now();
        if let Some(kill) = next.filter(|_| now >= next_at) {
            let child = &mut children[kill.agent_idx];
            if child.is_started() {
                child.kill();
                kept.n_kills += 1;
                back_at[kill.agent_idx] = Some(now + kill.away);
            }
            next = kills.next();
            next_at = now + next.map_or(Duration::ZERO, |kill| kill.after);
        }
        for (child, back_at) in children.iter_mut().zip(&mut back_at) {
            if child.has_died() {
                kept.n_died += 1;
                anyhow::ensure!(
                    kept.n_died <= RESTARTS_MAX,
                    "expected agents to live: {RESTARTS_MAX} have ended by themselves"
                );
                *back_at = Some(now);
            }
            if back_at.is_some_and(|at| now >= at) {
                *back_at = None;
                child.start()?;
                kept.n_starts += 1;
            }
        }
    }
    // All are asked first, so that they end at the same time.
    let asked: Vec<_> = children.iter_mut().map(SwarmChild::ask_to_end).collect();
    let reports = children.iter().zip(asked).map(|(child, process)| {
        let report = child.last_word(process?);
        report
            .inspect_err(|error| tracing::warn!("an agent's report is missing: {error:#}"))
            .ok()
    });
    kept.agents = reports.collect();
    Ok(kept)
}

/// Where the files of agents go.
pub(crate) fn agents_folder(out: Option<&Path>) -> PathBuf {
    let otherwise = || std::env::temp_dir().join(format!("sedge-swarm-{}", std::process::id()));
    out.map_or_else(otherwise, |out| out.join("agents"))
}
