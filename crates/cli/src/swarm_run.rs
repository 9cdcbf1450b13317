//! One run of a swarm in lockstep.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sedge_latency::{Budget, Budgets, MissPolicy};
use sedge_runtime::swarm::{
    MemberFactory, SwarmClocks, SwarmConfig, SwarmMember, SwarmReport, World, run_swarm,
};
use sedge_runtime::{AgentConfig, AgentNode, DrivingConfig, Shutdown, SystemClock};
use sedge_simulation::{
    RobotDraw, RunHeader, STEP, Scenario, Simulation, SimulationNode, SimulationNodeConfig, Truth,
};
use sedge_spacetime::Clock as _;
use sedge_transport::Outgoing;
use sedge_world_model::ScanGeometry;
use toml::Table;

use crate::belief_errors::BeliefErrors;
use crate::cockpit::{Cockpit, Eye};
use crate::scenario_file::fleet;
use crate::scripted_run::{EPOCH, RunStory, SIMULATED_CLOCK, ScriptedRun, ticks_max};
use crate::swarm_driving::driving_of;
use crate::swarm_minds::Minds;
use crate::swarm_outcome::SeedOutcome;
use crate::{ScriptedDriver, UsageError};

/// Who drives the robots.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// An agent each.
    Agents(Minds),
    /// A script that knows the truth.
    Script(ScriptedDriver),
}

impl Who {
    /// What it is called in tables.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Agents(minds) => minds.name(),
            Self::Script(driver) => driver.as_str().to_owned(),
        }
    }
}

/// What is run, for any seed.
#[derive(Debug, Clone)]
pub(crate) struct SwarmPlan {
    pub(crate) scenario: Scenario,
    pub(crate) who: Who,
    /// The launch file's table `driving`.
    pub(crate) driving: Table,
    /// What every agent is to keep to; an agent's own default where nothing is written.
    pub(crate) budgets: Option<Budgets>,
    /// How far ahead agents predict; their own default where there are none.
    pub(crate) horizons: Vec<Duration>,
}

/// How a run went.
pub(crate) struct SwarmRun {
    pub(crate) outcome: SeedOutcome,
    pub(crate) story: RunStory,
    /// Where there are agents.
    pub(crate) report: Option<SwarmReport>,
}

/// What agents of one kind of robot share.
pub(crate) struct KindSetup {
    pub(crate) geometry: ScanGeometry,
    pub(crate) driving: DrivingConfig,
}

impl SwarmPlan {
    /// Checks what no seed changes.
    ///
    /// # Errors
    /// [`UsageError`] where model, scanner and driving do not fit each other.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.scenario.n_robots() > 0,
            UsageError(format!(
                "expected a scenario with robots, {} has none",
                self.scenario.name
            ))
        );
        match &self.who {
            Who::Agents(minds) => self.kinds(minds).map(drop),
            Who::Script(driver) if self.budgets.is_some() => {
                let driver = driver.as_str();
                let text = format!("expected agents to keep `budgets`, got the driver {driver}");
                Err(UsageError(text).into())
            }
            Who::Script(_) => Ok(()),
        }
    }

    /// Checks that nothing would depend on how long something took, which in lockstep is chance.
    ///
    /// # Errors
    /// [`UsageError`] for a budget that calls for more than a warning.
    pub(crate) fn check_lockstep(&self) -> anyhow::Result<()> {
        let acts = |it: &&Budget| it.harshest() > MissPolicy::Warn;
        let Some(budget) = self.budgets.iter().flatten().find(acts) else {
            return Ok(());
        };
        let (stage, policy) = (&budget.stage, budget.harshest().name());
        let text = format!(
            "expected --processes with a budget of {stage} that calls for {policy}: in lockstep a \
             run depends on its seed alone, not on how long anything takes, so budgets there only \
             warn"
        );
        Err(UsageError(text).into())
    }

    /// What agents share by kind of robot.
    ///
    /// # Errors
    /// As [`SwarmPlan::check`].
    pub(crate) fn kinds(&self, minds: &Minds) -> anyhow::Result<BTreeMap<&str, KindSetup>> {
        let kinds = self.scenario.kinds.iter();
        let setup = kinds.map(|(name, kind)| {
            let geometry = minds.check(name, kind)?;
            let driving = driving_of(kind, &self.driving)?;
            let budgets = self.budgets.clone().unwrap_or_default();
            driving
                .check_with(&budgets)
                .map_err(|error| UsageError(format!("robots of kind {name:?}: {error}")))?;
            minds.check_rungs(&driving)?;
            Ok((name.as_str(), KindSetup { geometry, driving }))
        });
        setup.collect()
    }

    /// How agents of a kind of robot drive.
    ///
    /// # Errors
    /// When there is no such kind, or what is written of driving does not fit.
    pub(crate) fn driving_of(&self, kind: &str) -> anyhow::Result<DrivingConfig> {
        let known = self.scenario.kinds.get(kind);
        let known = known.with_context(|| format!("expected a kind {kind:?}, found none"))?;
        driving_of(known, &self.driving)
    }

    /// Runs a seed to its end; `None` when asked to stop before.
    ///
    /// # Errors
    /// When there is no room for everybody, or no threads.
    pub(crate) fn run(
        &self,
        seed: u64,
        n_threads: usize,
        cockpit: &mut Cockpit,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<SwarmRun>> {
        match &self.who {
            Who::Script(driver) => self.run_script(seed, *driver, cockpit, shutdown),
            Who::Agents(minds) => self.run_agents((seed, minds), n_threads, cockpit, shutdown),
        }
    }

    fn run_script(
        &self,
        seed: u64,
        driver: ScriptedDriver,
        cockpit: &mut Cockpit,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<SwarmRun>> {
        let run = ScriptedRun {
            scenario: &self.scenario,
            seed,
            driver,
            truth: Truth::default(),
        };
        cockpit.begin(&self.scenario, &RunHeader::draw(&self.scenario, seed)?)?;
        let clock = SystemClock::new();
        let began = clock.now();
        let mut watch = |outgoing: &Outgoing| -> anyhow::Result<()> {
            cockpit.hear(outgoing);
            Ok(())
        };
        let Some(story) = run.run(&mut watch, shutdown)? else {
            return Ok(None);
        };
        let wall_secs = clock.now().secs_since(began);
        let mut outcome = SeedOutcome::of(&story.header, &story.metrics);
        outcome.hash.clone_from(&story.simulation_hash);
        outcome.real_time_factor = story.metrics.secs / wall_secs.max(1e-9);
        Ok(Some(SwarmRun {
            outcome,
            story,
            report: None,
        }))
    }

    fn run_agents(
        &self,
        (seed, minds): (u64, &Minds),
        n_threads: usize,
        cockpit: &mut Cockpit,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<SwarmRun>> {
        let about = || format!("scenario {}, seed {seed}", self.scenario.name);
        let simulation = Simulation::new(&self.scenario, seed).with_context(about)?;
        let kinds = self.kinds(minds)?;
        let mut ladders = kinds.values().map(|kind| &kind.driving.ladder);
        let rungs = ladders.next().into_iter().flatten();
        cockpit.promise(
            &self.budgets.clone().unwrap_or_default(),
            rungs.map(|rung| rung.name.to_string()).collect(),
        );
        cockpit.begin(&self.scenario, simulation.header())?;
        let draws = simulation.header().robots.iter().enumerate();
        let members = draws.map(|(robot_idx, draw)| {
            let kind = kinds.get(draw.kind.as_str()).with_context(|| {
                let (name, kind) = (&draw.name, &draw.kind);
                format!("expected {name}'s kind {kind:?} in the scenario, found none")
            })?;
            let eye = cockpit.eye(robot_idx);
            self.member((draw, kind), minds, agent_seed(seed, robot_idx), eye)
        });
        let members = members.collect::<anyhow::Result<Vec<SwarmMember>>>()?;
        let header = simulation.header().clone();
        let config = SimulationNodeConfig::new(fleet()?, EPOCH);
        let mut node = SimulationNode::new(simulation, config)?;
        let world = World {
            subscriptions: node.subscriptions(),
            publications: node.publications(),
            node: &mut node,
        };
        let config = SwarmConfig {
            n_threads,
            tick: STEP,
            n_ticks_max: ticks_max(&self.scenario),
        };
        let mut watch = BeliefErrors::new(&header, cockpit);
        let report = run_swarm(&config, world, members, &mut watch, shutdown)?;
        let place_error = watch.place_error();
        if shutdown.is_requested() {
            return Ok(None);
        }
        let story = RunStory::of(node.simulation(), minds.name());
        let mut outcome = SeedOutcome::of(&story.header, &story.metrics);
        outcome.hash.clone_from(&report.hash);
        outcome.real_time_factor = report.real_time_factor();
        outcome.place_error_mean_m = place_error.map(|it| it.mean_m);
        outcome.place_error_max_m = place_error.map(|it| it.max_m);
        let failed = report.members.iter();
        let failed = failed.filter_map(|it| Some(format!("{}: {}", it.name, it.failure.as_ref()?)));
        outcome.failures = failed.collect();
        Ok(Some(SwarmRun {
            outcome,
            story,
            report: Some(report),
        }))
    }

    /// What an agent of this plan is told before it starts.
    pub(crate) fn agent_config(
        &self,
        draw: &RobotDraw,
        minds: &Minds,
    ) -> anyhow::Result<AgentConfig> {
        let mut config = AgentConfig::new(fleet()?, draw.agent_name(), EPOCH);
        config.clock_domain = Some(SIMULATED_CLOCK.to_owned());
        config.model_hash = minds.hash()?;
        config.scanner_latency_secs = minds.scanner_latency_secs();
        if let Some(budgets) = &self.budgets {
            config.budgets = budgets.clone();
        }
        if !self.horizons.is_empty() {
            config.horizons.clone_from(&self.horizons);
        }
        Ok(config)
    }

    fn member(
        &self,
        (draw, kind): (&RobotDraw, &KindSetup),
        minds: &Minds,
        agent_seed: u64,
        eye: Option<Eye>,
    ) -> anyhow::Result<SwarmMember> {
        let name = draw.agent_name();
        let config = self.agent_config(draw, minds)?;
        let (geometry, driving) = (kind.geometry, kind.driving.clone());
        let minds = minds.clone();
        let make: MemberFactory = Box::new(move |clocks: &SwarmClocks| {
            let (model, baselines) = (minds.factory(geometry, &driving), minds.baselines(geometry));
            let clock = Arc::clone(&clocks.simulated);
            let agent = AgentNode::new(config, clock, model, baselines)?
                .with_driving(driving, agent_seed)?
                .with_stopwatch(Arc::clone(&clocks.stopwatch));
            Ok(match eye {
                Some(eye) => agent.with_observer(eye),
                None => agent,
            })
        });
        Ok(SwarmMember { name, make })
    }
}

/// Agents of one run draw different numbers, and so do those of different runs.
pub(crate) fn agent_seed(seed: u64, robot_idx: usize) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(robot_idx as u64)
}
