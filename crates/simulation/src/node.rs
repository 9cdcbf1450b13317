//! The simulation on a network: commands in, sensors and truth out.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_oni::{Command, Key, KeyError, KeyPattern, TypedMessage as _};
use sedge_spacetime::{AgentName, Stamp, Twist2};
use sedge_transport::{Inbox, NextTick, Node, Outbox, Qos, QosClass, Received};

use crate::scripted::Scripted;
use crate::{STEP, Simulation};
use command_slot::CommandSlot;
use lanes::Lanes;

mod command_slot;
mod lanes;
mod outgoing;

pub use command_slot::CommandCounts;

/// Steps of one tick: a driver that comes late by more catches up in several ticks.
pub const STEPS_PER_TICK_MAX: u32 = 100;
/// Rings of commands, in messages: robots command ten times a second, and only the newest counts.
const COMMAND_DEPTH: usize = 16;

/// Who drives the robots.
#[derive(Debug, Clone)]
pub enum Driver {
    /// Whoever sends `actuator.cmd`.
    Commands,
    /// A scripted controller that sees the truth, as a yardstick; commands are refused.
    Scripted(Scripted),
}

/// Which truth goes out beside what sensors measure, for graders and viewers.
///
/// Agents must not read it: it lies under the robots' own keys, as streams named `truth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// How often poses and twists of robots and walkers go out; none for never. Default 100 ms.
    pub pose_period: Option<Duration>,
    /// Whether noise-free scans go out with the measured ones. Default no: they cost as much.
    pub scans: TrueScans,
}

/// Whether noise-free scans go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrueScans {
    /// None.
    Never,
    /// One with each measured scan, saying which beams hit what moves.
    WithEachScan,
}

impl Default for Truth {
    fn default() -> Self {
        Self {
            pose_period: Some(Duration::from_millis(100)),
            scans: TrueScans::Never,
        }
    }
}

/// How a simulation is put on a network.
#[derive(Debug, Clone)]
pub struct SimulationNodeConfig {
    /// Second chunk of every key.
    pub fleet: AgentName,
    /// New and larger at each start; it goes into every header.
    pub epoch: u64,
    /// The name of the clock whose stamps the node is ticked with, from 0 at the start. Commands
    /// on another clock are refused.
    pub clock: String,
    /// What goes out for graders and viewers.
    pub truth: Truth,
    /// Who drives.
    pub driver: Driver,
}

impl SimulationNodeConfig {
    /// For commands, everything else by default.
    pub fn new(fleet: AgentName, epoch: u64) -> Self {
        Self {
            fleet,
            epoch,
            clock: "simulation".to_owned(),
            truth: Truth::default(),
            driver: Driver::Commands,
        }
    }
}

/// A run as a node. Ticked with simulated time, it steps until its own time is that of the tick and
/// sends what its sensors measured on the way; before the first step it sends each robot its goals.
///
/// A robot drives by its newest command: the steps of held twists count from the capture stamp.
/// Past the last of them, the deadline or the lifespan it brakes to a stop, and so it does before
/// its first command.
pub struct SimulationNode {
    name: String,
    simulation: Simulation,
    config: SimulationNodeConfig,
    lanes: Lanes,
    slots: Vec<CommandSlot>,
    robot_of: BTreeMap<String, usize>,
    targets: Vec<Twist2>,
    is_begun: bool,
    n_strange: u64,
}

impl SimulationNode {
    /// Of a simulation, which need not be at its start.
    ///
    /// # Errors
    /// [`KeyError`] where the names make no keys.
    pub fn new(simulation: Simulation, config: SimulationNodeConfig) -> Result<Self, KeyError> {
        let lanes = Lanes::new(&simulation, &config)?;
        let n_robots = simulation.robots().len();
        let robot_of = |idx: usize| (simulation.robot_name(idx).as_str().to_owned(), idx);
        Ok(Self {
            name: "simulation".to_owned(),
            robot_of: (0..n_robots).map(robot_of).collect(),
            slots: vec![CommandSlot::default(); n_robots],
            targets: vec![Twist2::default(); n_robots],
            is_begun: false,
            n_strange: 0,
            lanes,
            simulation,
            config,
        })
    }

    /// What it listens to.
    ///
    /// # Panics
    /// Never: the fleet's name is a chunk of keys.
    pub fn subscriptions(&self) -> Vec<(KeyPattern, Qos)> {
        if !matches!(self.config.driver, Driver::Commands) {
            return Vec::new();
        }
        let command = Command::NAME;
        let depth = COMMAND_DEPTH * self.slots.len().max(1);
        let pattern = KeyPattern::parse(&format!("oni/{}/*/{command}/**", self.config.fleet));
        let pattern = pattern.expect("a fleet's name is a chunk of keys");
        vec![(pattern, Qos::of(QosClass::Command).with_depth(depth))]
    }

    /// What it sends, and how. Goals have a history, for agents that come later.
    pub fn publications(&self) -> Vec<(Key, Qos)> {
        self.lanes.publications()
    }

    /// How many messages one tick of one step may put; an outbox with less room loses some.
    pub fn outbox_depth(&self) -> usize {
        2 * self.lanes.publications().len() + 1
    }

    /// The simulation.
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// The simulation, off the network.
    pub fn into_simulation(self) -> Simulation {
        self.simulation
    }

    /// What became of a robot's commands.
    ///
    /// # Panics
    /// When there is no such robot.
    pub fn command_counts(&self, robot_idx: usize) -> CommandCounts {
        self.slots[robot_idx].counts
    }

    /// The twist that a robot was told to drive in the newest step: zero without a valid command.
    ///
    /// # Panics
    /// When there is no such robot.
    pub fn target(&self, robot_idx: usize) -> Twist2 {
        self.targets[robot_idx]
    }

    /// Messages that came and were for no robot, or were no commands.
    pub fn n_strange(&self) -> u64 {
        self.n_strange
    }

    /// Messages that the outbox had no room for.
    pub fn n_unsent(&self) -> u64 {
        self.lanes.n_unsent()
    }

    fn take(&mut self, received: &Received) {
        let robot_idx = self.robot_of.get(received.key.agent());
        let is_command = received.key.message_type() == Command::NAME;
        match robot_idx.filter(|_| is_command && matches!(self.config.driver, Driver::Commands)) {
            Some(robot_idx) => {
                let now = self.simulation.now();
                self.slots[*robot_idx].take(&received.message, &self.config.clock, now);
            }
            None => self.n_strange += 1,
        }
    }

    fn step(&mut self, outbox: &mut Outbox) {
        let now = self.simulation.now();
        match &mut self.config.driver {
            Driver::Commands => {
                let slots = self.slots.iter_mut().zip(&mut self.targets);
                slots.for_each(|(slot, target)| *target = slot.target(now));
            }
            Driver::Scripted(scripted) => scripted.targets(&self.simulation, &mut self.targets),
        }
        self.simulation.step(&self.targets);
        self.lanes.send_step(&self.simulation, &self.config, outbox);
    }
}

impl Node for SimulationNode {
    fn name(&self) -> &str {
        &self.name
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        if !self.is_begun {
            self.is_begun = true;
            self.lanes
                .send_goals(&self.simulation, &self.config, outbox);
        }
        while let Some(received) = inbox.pop() {
            self.take(&received);
        }
        for _ in 0..STEPS_PER_TICK_MAX {
            if self.simulation.is_over() || self.simulation.now() + STEP > now {
                break;
            }
            self.step(outbox);
        }
        if self.simulation.is_over() {
            return NextTick::Finished;
        }
        NextTick::At(self.simulation.now() + STEP)
    }
}
