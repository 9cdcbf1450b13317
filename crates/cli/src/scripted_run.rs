//! One run of a scenario whose robots are driven by a script: no agents, no network.

use std::time::Duration;

use anyhow::Context as _;
use sedge_runtime::Shutdown;
use sedge_simulation::{
    Driver, RunHeader, RunMetrics, STEP, Scenario, Simulation, SimulationNode,
    SimulationNodeConfig, Truth,
};
use sedge_spacetime::Stamp;
use sedge_transport::{Inbox, NextTick, Node as _, Outbox, Outgoing};
use serde::Serialize;

use crate::ScriptedDriver;
use crate::scenario_file::{fleet, hex};

/// Nothing else starts under these names, so that an epoch needs no clock: the same seed gives the
/// same bytes.
pub(crate) const EPOCH: u64 = 1;
/// The clock of simulated stamps.
pub(crate) const SIMULATED_CLOCK: &str = "simulation";

/// What is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScriptedRun<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) seed: u64,
    pub(crate) driver: ScriptedDriver,
    pub(crate) truth: Truth,
}

/// How a run went, as its JSON says it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunStory {
    pub(crate) sedge: &'static str,
    pub(crate) driver: String,
    /// What was drawn from the seed.
    pub(crate) header: RunHeader,
    pub(crate) metrics: RunMetrics,
    /// blake3 over all states and readings, hexadecimal.
    pub(crate) simulation_hash: String,
    #[serde(skip)]
    pub(crate) n_steps: u64,
}

impl RunStory {
    /// Of a simulation that has ended.
    pub(crate) fn of(simulation: &Simulation, driver: String) -> Self {
        let hash = simulation.hash();
        Self {
            sedge: env!("CARGO_PKG_VERSION"),
            driver,
            header: simulation.header().clone(),
            metrics: simulation.metrics(),
            simulation_hash: hex(&hash),
            n_steps: simulation.n_steps(),
        }
    }
}

impl ScriptedRun<'_> {
    /// Runs to the end; `sink` is given every message in order. `None` when asked to stop before.
    ///
    /// # Errors
    /// When there is no room for everybody, or `sink` fails.
    pub(crate) fn run(
        &self,
        sink: &mut dyn FnMut(&Outgoing) -> anyhow::Result<()>,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<RunStory>> {
        let about = || format!("scenario {}, seed {}", self.scenario.name, self.seed);
        let simulation = Simulation::new(self.scenario, self.seed).with_context(about)?;
        let driver = Driver::Scripted(self.driver.scripted());
        let config = SimulationNodeConfig {
            fleet: fleet()?,
            epoch: EPOCH,
            clock: SIMULATED_CLOCK.to_owned(),
            truth: self.truth,
            driver,
        };
        let mut node = SimulationNode::new(simulation, config)?;
        let mut inbox = Inbox::new(1);
        let mut outbox = Outbox::new(node.outbox_depth());
        let mut now = Stamp::ZERO;
        for _ in 0..ticks_max(self.scenario) {
            if shutdown.is_requested() {
                return Ok(None);
            }
            now = now + STEP;
            let next = node.tick(now, &mut inbox, &mut outbox);
            outbox.drain().try_for_each(|outgoing| sink(&outgoing))?;
            if next == NextTick::Finished {
                break;
            }
        }
        let driver = self.driver.as_str().to_owned();
        Ok(Some(RunStory::of(node.simulation(), driver)))
    }
}

/// Ticks that a run takes at most.
pub(crate) fn ticks_max(scenario: &Scenario) -> u64 {
    let duration = Duration::from_secs_f64(scenario.duration_secs.max(0.0));
    duration.as_nanos().div_ceil(STEP.as_nanos()) as u64 + 1
}
