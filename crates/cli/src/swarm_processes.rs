//! A swarm as processes: the world here, and an agent process for each robot, over Zenoh and in
//! real time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sedge_oni::{Health, KeyPattern, TypedMessage as _};
use sedge_runtime::{
    AgentReport, DrivingConfig, NodeRun, Punctuality, RealTime, RunEnd, Shutdown, SystemClock,
    Wiring, run_node,
};
use sedge_simulation::{RobotDraw, STEP_SECS, Simulation, SimulationNode, SimulationNodeConfig};
use sedge_spacetime::Clock as _;
use sedge_transport::{Qos, QosClass};
use sedge_transport_zenoh::ZenohNetwork;
use serde::Serialize;
use toml::Value;

use crate::Table;
use crate::chaos::silences;
use crate::endpoint::{Side, zenoh_config};
use crate::scenario_file::{FLEET, fleet};
use crate::scripted_run::{EPOCH, RunStory};
use crate::swarm_child::SwarmChild;
use crate::swarm_keeper::{Keeper, Keeping, Kept};
use crate::swarm_minds::Minds;
use crate::swarm_outcome::SeedOutcome;
use crate::swarm_run::{SwarmPlan, agent_seed};
use crate::swarm_verdict::{Evidence, Verdict};
use crate::swarm_witness::{Delays, Killable, LastWords, Muster, Watched, Witness};

/// Agents have this long to load their models and be heard.
const MUSTER_MAX: Duration = Duration::from_mins(2);
/// The world's ticks may be this late.
const LATE_MAX: Duration = Duration::from_millis(100);
/// Messages about agents that wait to be read.
const HEALTH_DEPTH: usize = 256;
/// What live agents plan with unless the launch file says otherwise, in seconds: eight of them
/// share two cores.
const PLAN_SECS_MAX: f64 = 0.02;
const COMMAND_LATENCY_SECS: f64 = 0.03;

/// What is run as processes.
pub(crate) struct ProcessPlan<'a> {
    pub(crate) plan: &'a SwarmPlan,
    pub(crate) minds: &'a Minds,
    pub(crate) seed: u64,
    /// Seed of what goes wrong on purpose.
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
    pub(crate) verdict: Verdict,
    /// Of each robot: its commands, and what was seen of it.
    pub(crate) commands: Vec<CommandRow>,
    pub(crate) watched: Vec<Watched>,
    /// Agents killed by the chaos.
    pub(crate) n_kills: u64,
    /// Times that the chaos made sensors fall silent, once where it was all of them.
    pub(crate) n_silences: u64,
    /// Agents that ended by themselves, which none is to do.
    pub(crate) n_died: u64,
    pub(crate) n_starts: u64,
    /// Messages that the world could not send.
    pub(crate) n_unsent: u64,
    /// Messages that came to the world and were no commands for its robots.
    pub(crate) n_strange: u64,
    /// How well the world kept up with the machine's clock.
    pub(crate) punctuality: Punctuality,
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
            "kills",
            "stop ms",
            "lapse ms",
            "stands ms",
            "drives",
        ]);
        let worst = |delays: &Delays| {
            let millis = |it: Duration| format!("{:.0}", it.as_secs_f64() * 1e3);
            delays.worst().map_or("-".to_owned(), millis)
        };
        let rows = self.commands.iter().zip(&self.watched).zip(&self.agents);
        for ((row, seen), agent) in rows {
            let secs = |steps: u64| format!("{:.1}", steps as f64 * STEP_SECS);
            let driving = agent.as_ref().and_then(|it| it.driving.as_ref());
            let stands = seen.stand_millis.clone().plus(&seen.kill_to_stand_millis);
            table.push([
                row.robot.clone(),
                row.taken.to_string(),
                row.older.to_string(),
                row.expired.to_string(),
                (row.malformed + row.other_clock).to_string(),
                secs(row.steps_driven),
                secs(row.steps_stopped),
                seen.n_kills.to_string(),
                worst(&seen.stop_millis),
                worst(&seen.lapse_millis),
                worst(&stands),
                driving.map_or("dead".to_owned(), ToString::to_string),
            ]);
        }
        let Self {
            n_starts,
            n_kills,
            n_silences,
            n_died,
            n_unsent,
            n_strange,
            ..
        } = self;
        let Punctuality {
            n_ticks, n_late, ..
        } = self.punctuality;
        let late_millis = self.punctuality.late_nanos_max as f64 / 1e6;
        let sum = format!(
            "\nWorst cases: `stop`, from losing evidence to the command to stop; `lapse`, from the \
             end of a dead agent's last command to the base's own stop; `stands`, from loss or \
             kill to a standstill.\n\
             {n_starts} agents started, {n_kills} killed, {n_died} ended by themselves; sensors \
             fell silent {n_silences} times; the world left {n_unsent} messages unsent, refused \
             {n_strange}, and was late for {n_late} of {n_ticks} ticks, {late_millis:.1} ms at \
             most\n\n"
        );
        table.text() + &sum + &self.verdict.text()
    }
}

/// Runs world and agents until the world's end.
///
/// # Errors
/// When there is no network, no process, or no room for everybody, or the machine does not name
/// its clock.
pub(crate) fn run_processes(it: &ProcessPlan<'_>) -> anyhow::Result<ProcessReport> {
    let scenario = &it.plan.scenario;
    let simulation = Simulation::new(scenario, it.seed)
        .with_context(|| format!("scenario {}, seed {}", scenario.name, it.seed))?;
    let draws = simulation.header().robots.clone();
    let names: Vec<String> = draws.iter().map(|draw| draw.name.clone()).collect();
    let clock = Arc::new(SystemClock::new());
    let config = zenoh_config(&["tcp/127.0.0.1:0".parse()?], &[], Side::Listens);
    let network = ZenohNetwork::open(&config, Arc::<SystemClock>::clone(&clock))?;
    let locators = network.locators();
    let locator = locators.first().context("expected the network to listen")?;
    let (deeds, done) = channel();
    let killable: Killable = names.iter().map(|_| AtomicBool::new(false)).collect();
    let node = node_of(simulation)?;
    let mut wiring = Wiring::connect(&network, &subscriptions_of(&node)?, &node.publications())?;
    let mut witness = Witness::new(node, done, Arc::clone(&killable));
    if let Some(seed) = it.chaos {
        witness = witness.with_silences(silences(seed, names.len()));
    }
    let keeper = Keeper::start(Keeping {
        children: children(it, &draws, locator)?,
        chaos: it.chaos,
        whole: it.shutdown.clone(),
        deeds,
        killable,
        secs: (scenario.duration_secs as u64, witness.secs()),
    })?;
    let mut muster = Muster::new(names.iter().cloned(), clock.as_ref(), MUSTER_MAX);
    run_node(&mut muster, &mut wiring, clock.as_ref(), &it.shutdown);
    if !muster.missing().is_empty() {
        keeper.join()?;
        bail!(
            "expected every robot's agent to be heard within {MUSTER_MAX:?}, not heard: {}",
            muster.missing().join(", ")
        );
    }
    let lived = live(&mut witness, keeper, (&mut wiring, clock.as_ref()), it)?;
    report_of(it, (&draws, &names), &witness, lived)
}

/// The world, by the machine's clock.
fn node_of(simulation: Simulation) -> anyhow::Result<SimulationNode> {
    let mut config = SimulationNodeConfig::new(fleet()?, EPOCH);
    config.clock = SystemClock::domain().context("expected a machine that names its clock")?;
    Ok(SimulationNode::new(simulation, config)?)
}

/// What the world listens to, and how its agents are.
fn subscriptions_of(node: &SimulationNode) -> anyhow::Result<Vec<(KeyPattern, Qos)>> {
    let health = KeyPattern::parse(&format!("oni/{FLEET}/*/{}/**", Health::NAME))?;
    let qos = Qos::of(QosClass::of_message_type(Health::NAME)).with_depth(HEALTH_DEPTH);
    let mut subscriptions = node.subscriptions();
    subscriptions.push((health, qos));
    Ok(subscriptions)
}

/// What is left of a run.
struct Lived {
    ran: NodeRun,
    punctuality: Punctuality,
    commands: Vec<CommandRow>,
    counted_differently: Vec<String>,
    kept: Kept,
}

/// Runs the world to its end, and then the agents to theirs.
fn live(
    witness: &mut Witness,
    keeper: Keeper,
    (wiring, clock): (&mut Wiring<'_>, &SystemClock),
    it: &ProcessPlan<'_>,
) -> anyhow::Result<Lived> {
    let mut world = RealTime::new(witness, LATE_MAX);
    let ran = run_node(&mut world, wiring, clock, &it.shutdown);
    let punctuality = world.punctuality();
    tracing::info!("the world ended: {ran:?}");
    witness.finish();
    let commands = commands_of(witness);
    let counted_differently = counted_differently(&commands, witness);
    let mut last_words = LastWords {
        witness,
        all_have_ended: keeper.ask_to_end(),
        quiet_at: clock.now(),
    };
    run_node(&mut last_words, wiring, clock, &Shutdown::new());
    Ok(Lived {
        ran,
        punctuality,
        commands,
        counted_differently,
        kept: keeper.join()?,
    })
}

fn report_of(
    it: &ProcessPlan<'_>,
    (draws, names): (&[RobotDraw], &[String]),
    witness: &Witness,
    lived: Lived,
) -> anyhow::Result<ProcessReport> {
    let Lived {
        ran,
        punctuality,
        commands,
        counted_differently,
        kept,
    } = lived;
    let verdict = Verdict::of(&Evidence {
        names,
        witness,
        kept: &kept,
        punctuality,
        late_max: LATE_MAX,
        lifespan: lifespan(it, draws)?,
        counted_differently,
        has_finished: ran.end == RunEnd::Finished,
    });
    let story = RunStory::of(witness.node().simulation(), it.minds.name());
    let mut outcome = SeedOutcome::of(&story.header, &story.metrics);
    outcome.real_time_factor = 1.0;
    Ok(ProcessReport {
        outcome,
        verdict,
        commands,
        watched: (0..names.len())
            .map(|idx| witness.watched(idx).clone())
            .collect(),
        n_kills: kept.n_kills,
        n_silences: witness.n_silences(),
        n_died: kept.n_died,
        n_starts: kept.n_starts,
        n_unsent: witness.node().n_unsent() + ran.shed + ran.late,
        n_strange: witness.node().n_strange(),
        punctuality,
        agents: kept.agents,
        story,
    })
}

/// The agents of all robots, with their launch files.
fn children(
    it: &ProcessPlan<'_>,
    draws: &[RobotDraw],
    locator: &str,
) -> anyhow::Result<Vec<SwarmChild>> {
    std::fs::create_dir_all(&it.folder)
        .with_context(|| format!("cannot make {}", it.folder.display()))?;
    let child = |robot: (usize, &RobotDraw)| {
        SwarmChild::new(&it.folder, &robot.1.name, &launch_of(it, robot, locator)?)
    };
    draws.iter().enumerate().map(child).collect()
}

/// How long commands live at most.
fn lifespan(it: &ProcessPlan<'_>, draws: &[RobotDraw]) -> anyhow::Result<Duration> {
    let mut secs: f64 = 0.0;
    for draw in draws {
        secs = secs.max(it.plan.driving_of(&draw.kind)?.command_lifespan_secs);
    }
    Ok(Duration::from_secs_f64(secs))
}

/// Robots of whose commands more or fewer came than were taken or refused.
fn counted_differently(commands: &[CommandRow], witness: &Witness) -> Vec<String> {
    let rows = commands.iter().enumerate();
    let differ = rows.filter_map(|(robot_idx, row)| {
        let judged = row.taken + row.older + row.expired + row.malformed + row.other_clock;
        let came = witness.watched(robot_idx).n_commands;
        let name = &row.robot;
        (judged != came).then(|| format!("{name}: {came} commands came, {judged} were judged"))
    });
    differ.collect()
}

fn commands_of(witness: &Witness) -> Vec<CommandRow> {
    let draws = witness.node().simulation().header().robots.iter();
    let row = |(robot_idx, draw): (usize, &RobotDraw)| {
        let counts = witness.node().command_counts(robot_idx);
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
    draws.enumerate().map(row).collect()
}

/// The launch file of one robot's agent.
fn launch_of(
    it: &ProcessPlan<'_>,
    (robot_idx, draw): (usize, &RobotDraw),
    locator: &str,
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
        Minds::Trained { run, engine, .. } => {
            put("run", run.canonicalize()?.display().to_string().into());
            put("engine", engine.as_str().into());
            if let Some(device) = engine.device() {
                put("device", device.to_string().into());
            }
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
    if let Some(budgets) = &it.plan.budgets {
        put("budgets", Value::try_from(budgets)?);
    }
    put("driving", Value::try_from::<DrivingConfig>(driving)?);
    Ok(toml::to_string(&launch)?)
}

/// Where the files of agents go.
pub(crate) fn agents_folder(out: Option<&Path>) -> PathBuf {
    let otherwise = || std::env::temp_dir().join(format!("sedge-swarm-{}", std::process::id()));
    out.map_or_else(otherwise, |out| out.join("agents"))
}
