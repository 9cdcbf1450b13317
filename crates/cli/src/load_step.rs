//! A planner whose computer is loaded four times and once again: what its ladder makes of it.
//!
//! The world is simulated in lockstep; what planning takes is real, and acted on. So the robot's
//! clock shows simulated time plus what its tick has taken so far, and the world waits for it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender as Said, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sedge_latency::{LadderReport, LadderTrace, Stage, TracedPlan};
use sedge_runtime::swarm::{
    MemberFactory, SwarmClocks, SwarmConfig, SwarmMember, SwarmObserver, World, run_swarm,
};
use sedge_runtime::{
    AgentNode, AgentObserver, AgentReport, AskedRow, DriveMode, SeenScan, Severity, Shutdown,
    ThreadsConfig, prepare_thread, spawn_named,
};
use sedge_simulation::{STEP, Simulation, SimulationNode, SimulationNodeConfig};
use sedge_spacetime::{Clock, Stamp};

use crate::UsageError;
use crate::scenario_file::fleet;
use crate::scripted_run::{EPOCH, ticks_max};
use crate::swarm_minds::Minds;
use crate::swarm_run::{SwarmPlan, agent_seed};
use crate::viewer_observer::ViewerObserver;

/// The load is once, some times, and once again.
pub(crate) const N_PHASES: u32 = 3;

/// What is run.
pub(crate) struct LoadStep<'a> {
    pub(crate) plan: &'a SwarmPlan,
    pub(crate) minds: &'a Minds,
    pub(crate) seed: u64,
    /// How long each phase lasts, in simulated time.
    pub(crate) phase: Duration,
    /// Threads that want the planner's core while it is loaded.
    pub(crate) n_neighbours: usize,
    /// The core of the planner and of its neighbours.
    pub(crate) core: usize,
    pub(crate) viewer: Option<ViewerObserver>,
    pub(crate) shutdown: Shutdown,
}

/// What came of it.
pub(crate) struct LoadStepRun {
    pub(crate) report: AgentReport,
    pub(crate) trace: LadderTrace,
    /// What the planner's thread asked the operating system for, and got.
    pub(crate) threads: Vec<AskedRow>,
}

impl LoadStep<'_> {
    /// Drives one robot of the scenario to and fro through all phases.
    ///
    /// # Errors
    /// When there is no robot placed by the scenario, no room for it, or no thread.
    pub(crate) fn run(self) -> anyhow::Result<LoadStepRun> {
        let mut scenario = self.plan.scenario.clone();
        scenario.robots.truncate(1);
        scenario.groups.clear();
        ensure!(
            !scenario.robots.is_empty(),
            UsageError("expected a scenario with a robot of its own, got none".to_owned())
        );
        let scenario = scenario.patrolling((self.phase * N_PHASES).as_secs_f64());
        let simulation = Simulation::new(&scenario, self.seed)?;
        let trace = Arc::<Mutex<LadderTrace>>::default();
        let (say, heard) = channel();
        let (phase, n_neighbours, core) = (self.phase, self.n_neighbours, self.core);
        let (n_ticks_max, shutdown) = (ticks_max(&scenario), self.shutdown.clone());
        let member = self.member(&simulation, (Arc::clone(&trace), say))?;
        let mut node = SimulationNode::new(simulation, SimulationNodeConfig::new(fleet()?, EPOCH))?;
        let world = World {
            subscriptions: node.subscriptions(),
            publications: node.publications(),
            node: &mut node,
        };
        let config = SwarmConfig {
            n_threads: 1,
            tick: STEP,
            n_ticks_max,
        };
        let mut phases = Phases {
            phase,
            n_neighbours,
            core,
            neighbours: None,
        };
        let report = run_swarm(&config, world, vec![member], &mut phases, &shutdown)?;
        let member = report.members.into_iter().next();
        let member = member.context("expected one robot, got none")?;
        if let Some(failure) = member.failure {
            anyhow::bail!("{}: {failure}", member.name);
        }
        let trace = trace.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(LoadStepRun {
            report: member.report.context("expected a report, got none")?,
            trace,
            threads: heard.try_recv().unwrap_or_default(),
        })
    }

    fn member(
        self,
        simulation: &Simulation,
        (trace, say): (Arc<Mutex<LadderTrace>>, Said<Vec<AskedRow>>),
    ) -> anyhow::Result<SwarmMember> {
        let draw = simulation.header().robots.first();
        let draw = draw.context("expected one robot, got none")?;
        let config = self.plan.agent_config(draw, self.minds)?;
        let mut kinds = self.plan.kinds(self.minds)?;
        let kind = kinds.remove(draw.kind.as_str());
        let kind = kind.context("expected the robot's kind in the scenario")?;
        let (seed, minds, core) = (agent_seed(self.seed, 0), self.minds.clone(), self.core);
        let watcher = Watcher {
            trace,
            rung: None,
            plan: Duration::ZERO,
            drives: false,
            viewer: self.viewer,
        };
        let name = draw.agent_name();
        let make: MemberFactory = Box::new(move |clocks: &SwarmClocks| {
            // Nobody hears only where the run has failed already.
            drop(say.send(pin(core)));
            let clock = Arc::new(ActingClock::new(clocks));
            // Without baselines: what grading them takes is no part of the loop.
            let model = minds.factory(kind.geometry, &kind.driving);
            let agent = AgentNode::new(config, clock, model, Vec::new())?;
            let agent = agent.with_driving(kind.driving, seed)?;
            Ok(agent.with_observer(Box::new(watcher)))
        });
        Ok(SwarmMember { name, make })
    }
}

fn pin(core: usize) -> Vec<AskedRow> {
    prepare_thread(&ThreadsConfig {
        cores: vec![core],
        ..ThreadsConfig::default()
    })
}

/// Simulated time, and within a tick what the machine's clock says that the tick has taken: so
/// budgets are of real time, in a world that waits.
struct ActingClock {
    clocks: SwarmClocks,
    /// The tick, and when it was first looked at.
    tick: Mutex<(Stamp, Stamp)>,
}

impl ActingClock {
    fn new(clocks: &SwarmClocks) -> Self {
        let tick = (clocks.simulated.now(), clocks.stopwatch.now());
        Self {
            clocks: clocks.clone(),
            tick: Mutex::new(tick),
        }
    }
}

impl Clock for ActingClock {
    fn now(&self) -> Stamp {
        let (simulated, real) = (self.clocks.simulated.now(), self.clocks.stopwatch.now());
        let mut tick = self.tick.lock().unwrap_or_else(PoisonError::into_inner);
        if tick.0 != simulated {
            *tick = (simulated, real);
        }
        simulated + real.saturating_since(tick.1)
    }
}

/// Loads the planner's core in the middle of a run.
struct Phases {
    phase: Duration,
    n_neighbours: usize,
    core: usize,
    neighbours: Option<Neighbours>,
}

impl SwarmObserver for Phases {
    fn on_tick(&mut self, at: Stamp) -> ControlFlow<()> {
        let since_begin = at.saturating_since(Stamp::ZERO);
        let is_loaded = since_begin >= self.phase && since_begin < 2 * self.phase;
        if !is_loaded {
            self.neighbours = None;
        } else if self.neighbours.is_none() {
            self.neighbours = Some(Neighbours::start(self.n_neighbours, self.core));
        }
        ControlFlow::Continue(())
    }
}

/// Threads that want a core and do nothing with it; they end when this is dropped.
struct Neighbours {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Neighbours {
    fn start(n: usize, core: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let start = |idx: usize| {
            let is_over = Arc::clone(&is_over);
            let spin = move || {
                pin(core);
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            };
            spawn_named(&format!("neighbour-{idx}"), spin)
                .map_err(|error| tracing::warn!("a neighbour less: {error}"))
                .ok()
        };
        let threads = (0..n).filter_map(start).collect();
        Self { is_over, threads }
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // They cannot panic.
            drop(thread.join());
        }
    }
}

/// Writes down each plan of the robot while it is on its way.
struct Watcher {
    trace: Arc<Mutex<LadderTrace>>,
    rung: Option<usize>,
    plan: Duration,
    drives: bool,
    viewer: Option<ViewerObserver>,
}

impl Watcher {
    fn trace(&mut self, change: impl FnOnce(&mut LadderTrace)) {
        change(&mut self.trace.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl AgentObserver for Watcher {
    fn on_scan(&mut self, seen: &SeenScan<'_>) {
        if let Some(viewer) = &mut self.viewer {
            viewer.on_scan(seen);
        }
    }

    fn on_rung(&mut self, stamp: Stamp, ladder: &LadderReport) {
        self.rung = Some(ladder.rung);
        self.trace(|trace| trace.rungs = ladder.rungs.iter().map(|it| it.name.clone()).collect());
        if let Some(viewer) = &mut self.viewer {
            viewer.on_rung(stamp, ladder);
        }
    }

    fn on_mode(&mut self, _stamp: Stamp, mode: DriveMode, _why: &str) {
        self.drives = matches!(mode, DriveMode::Driving | DriveMode::Stopped);
    }

    fn on_latency(&mut self, stamp: Stamp, stage: &Stage, span: Duration) {
        if *stage == Stage::PLAN {
            self.plan = span;
        }
        let rung = self.rung.filter(|_| self.drives);
        if let Some(rung) = rung.filter(|_| *stage == Stage::SENSOR_TO_COMMAND) {
            let nanos = |it: Duration| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX);
            let plan = TracedPlan {
                at_nanos: nanos(stamp.saturating_since(Stamp::ZERO)),
                rung,
                plan_nanos: nanos(self.plan),
                whole_nanos: nanos(span),
            };
            self.trace(|trace| trace.push(plan));
        }
        if let Some(viewer) = &mut self.viewer {
            viewer.on_latency(stamp, stage, span);
        }
    }

    fn on_text(&mut self, stamp: Stamp, severity: Severity, message: &str) {
        if let Some(viewer) = &mut self.viewer {
            viewer.on_text(stamp, severity, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use sedge_spacetime::ManualClock;

    use super::*;

    #[test]
    fn within_a_tick_the_clock_shows_what_the_tick_took() {
        let at = |millis: i64| Stamp::from_nanos(millis * 1_000_000);
        let simulated = Arc::new(ManualClock::new(at(0)));
        let stopwatch = Arc::new(ManualClock::new(at(5_000)));
        let clock = ActingClock::new(&SwarmClocks {
            simulated: Arc::<ManualClock>::clone(&simulated),
            stopwatch: Arc::<ManualClock>::clone(&stopwatch),
        });
        simulated.advance_to(at(10));
        assert_eq!(clock.now(), at(10));
        stopwatch.advance_to(at(5_025));
        assert_eq!(clock.now(), at(35));
        // The world waited: the next tick begins where it would have in any case.
        simulated.advance_to(at(20));
        stopwatch.advance_to(at(5_100));
        assert_eq!(clock.now(), at(20));
    }

    #[test]
    fn neighbours_end_when_they_are_dropped() {
        let neighbours = Neighbours::start(3, 0);
        assert_eq!(neighbours.threads.len(), 3);
        let is_over = Arc::clone(&neighbours.is_over);
        drop(neighbours);
        assert!(is_over.load(Ordering::Relaxed));
        assert_eq!(Arc::strong_count(&is_over), 1, "nobody holds it any more");
    }
}
