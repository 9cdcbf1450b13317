//! Driving: from a belief and a goal to commands that are safe to execute.

mod controller;
mod discs;
mod ladder;
mod mission;
mod neighbourhood;
mod sent_command;
mod stop_orders;
mod whereabouts;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sedge_latency::{Budget, Budgets, LadderReport, MissPolicy, Patience, Stage};
use sedge_planning::{PlannerConfig, RouteConfig, SafetyConfig};
use sedge_spacetime::Pose2;
use sedge_world_model::{Precision, WorldModel};
use serde::{Deserialize, Serialize};

use crate::DrivingError;

pub(crate) use controller::{Cause, Controller, Decision, Timing};
pub use ladder::{RungAction, RungConfig};
pub(crate) use mission::NotTaken as GoalNotTaken;
pub(crate) use neighbourhood::Hearing;
pub(crate) use sent_command::write_command;
pub(crate) use stop_orders::Heard as StopHeard;

/// Commands are sent at least this often, and live at most this long: seconds.
const PERIOD_SECS_MAX: f64 = 2.0;
const LIFESPAN_SECS_MAX: f64 = 5.0;
/// Velocity carries on for this long at most, in seconds: beyond, robots have changed their minds.
const DEAD_RECKONING_SECS_MAX: f64 = 0.1;
/// More neighbours than anybody can plan around.
const N_NEIGHBOURS_MAX: usize = 64;

/// Names of the streams of a driving agent: the last chunk of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SensorStreams {
    /// `sensor.lidar`. Default `front`.
    pub lidar: String,
    /// `sensor.odometry`, its own and its neighbours'. Default `wheels`.
    pub odometry: String,
    /// `sensor.imu`. Default `base`.
    pub imu: String,
    /// `sensor.range_bearing`, its own and its neighbours'. Default `peers`.
    pub range_bearing: String,
    /// Neighbours' `model.prediction`. Default `main`.
    pub prediction: String,
}

impl Default for SensorStreams {
    fn default() -> Self {
        Self {
            lidar: "front".into(),
            odometry: "wheels".into(),
            imu: "base".into(),
            range_bearing: "peers".into(),
            prediction: "main".into(),
        }
    }
}

/// When the model imagines what plans are searched in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Imagining {
    /// Before each plan, on the newest scan: a command waits for it, and there is one a scan.
    #[default]
    First,
    /// After each command: the next are searched for in what was imagined on the scan before, in
    /// which all things have moved on as predicted. A command waits for no model then, and there
    /// can be more of them than scans; the safety filter looks at the newest scan in any case.
    Afterwards,
}

/// How an agent drives: data for launch files. Every key has a default; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrivingConfig {
    /// How it searches for plans. It keeps off obstacles (`field.keep_off_m`) at least as far as
    /// `safety.margin_m` says.
    pub planner: PlannerConfig,
    /// What it never does, whatever the plan says. Default that of the filter, but with a scan of
    /// at most 0.16 s and odometry of at most 0.08 s: at 10 Hz and 50 Hz, a stop is decided 0.06 s
    /// after the message that did not come, and has 0.04 s to reach the base by the 0.1 s that
    /// are promised, also where a plan is being searched for or other programs have the cores.
    pub safety: SafetyConfig,
    /// When waypoints count as reached, where a goal does not say.
    pub route: RouteConfig,
    /// What it listens to.
    pub streams: SensorStreams,
    /// Where the scanner sits on the base: x and y in metres, yaw in radians. Default the middle.
    pub base_from_scanner: [f64; 3],
    /// How far beyond its newest odometry a robot's velocity places a scan, in seconds, so that a
    /// command need not wait for odometry; the odometry that comes then takes its place. Beyond it
    /// scans wait as those of a robot that does not drive. At most 0.1; 0 for never. Default 0.02:
    /// a period of odometry at 50 Hz.
    pub dead_reckoning_secs_max: f64,
    /// When the model imagines. Default first.
    pub imagining: Imagining,
    /// Time from one command to the next, in seconds, where scans come that fast or imagining is
    /// done afterwards. Default 0.1.
    pub command_period_secs: f64,
    /// How long a command may be executed after it was decided, in seconds: a robot that hears
    /// nothing newer stops then. Default 0.3: three periods.
    pub command_lifespan_secs: f64,
    /// How long after a decision its command takes effect, in seconds; what was commanded before
    /// goes on until then. Default 0, as in lockstep; a live agent needs at least
    /// `plan_secs_max`.
    pub command_latency_secs: f64,
    /// How long a plan may be searched for on the agent's clock, in seconds. Default none: only
    /// the planner's own limit on iterations, which gives the same plans on any machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_secs_max: Option<f64>,
    /// A tick of the agent that takes longer than this has stalled, and a watchdog stops the robot
    /// ([`crate::Watchdog`]), in seconds. Default 0.25: less than the lifespan of a command, and
    /// ten times what a plan takes.
    pub stall_secs_max: f64,
    /// Neighbours that are listened to, the nearest first. Default 8.
    pub n_neighbours_max: usize,
    /// The degradation ladder: other ways to plan, the best first, for when budgets leave less
    /// time. Default none: always as `planner` says.
    pub ladder: Vec<RungConfig>,
    /// Rungs of the ladder by name that are taken in turn, one a plan and then again from the
    /// first, whatever they cost: for measuring what a rung is worth. Default none: the best rung
    /// that fits the time left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ladder_held: Vec<Stage>,
    /// How slowly the ladder is climbed again.
    pub ladder_patience: Patience,
}

impl Default for DrivingConfig {
    fn default() -> Self {
        Self {
            planner: PlannerConfig::default(),
            safety: SafetyConfig {
                scan_age_secs_max: 0.16,
                odometry_age_secs_max: 0.08,
                ..SafetyConfig::default()
            },
            route: RouteConfig::default(),
            streams: SensorStreams::default(),
            base_from_scanner: [0.0; 3],
            dead_reckoning_secs_max: 0.02,
            imagining: Imagining::First,
            command_period_secs: 0.1,
            command_lifespan_secs: 0.3,
            command_latency_secs: 0.0,
            plan_secs_max: None,
            stall_secs_max: 0.25,
            n_neighbours_max: 8,
            ladder: Vec::new(),
            ladder_held: Vec::new(),
            ladder_patience: Patience::default(),
        }
    }
}

impl DrivingConfig {
    /// Checks that an agent with these budgets can drive so, before there is one.
    ///
    /// # Errors
    /// [`DrivingError`] for a number out of its range, a planner, filter, route or rung of the
    /// ladder that is none, and a budget that calls for a ladder where there is none.
    pub fn check_with(&self, budgets: &Budgets) -> Result<(), DrivingError> {
        let degrading = |it: &&Budget| it.on_miss == MissPolicy::Degrade;
        if let Some(budget) = budgets.iter().find(degrading)
            && self.ladder.is_empty()
        {
            let stage = budget.stage.clone();
            return Err(DrivingError::NoLadder { stage });
        }
        self.safety.check()?;
        self.planner.check()?;
        self.check()
    }

    /// Whether a rung of the ladder has the model imagine in these numbers, by name: a model must
    /// be made ready for that.
    pub fn asks_for(&self, precision: Precision) -> bool {
        let rungs = self.ladder.iter();
        rungs
            .filter_map(|rung| rung.precision)
            .any(|it| it == precision)
    }

    /// Checks that a model can imagine in what rungs of the ladder say.
    ///
    /// # Errors
    /// [`DrivingError::Precision`] where it cannot.
    pub(crate) fn check_model(&self, model: &mut dyn WorldModel) -> Result<(), DrivingError> {
        ladder::check_model(&self.ladder, model)
    }

    pub(crate) fn check(&self) -> Result<(), DrivingError> {
        let within = |key, got: f64, (min, max)| {
            if (min..=max).contains(&got) {
                Ok(())
            } else {
                Err(DrivingError::OutOfRange { key, min, max, got })
            }
        };
        let period = (0.01, PERIOD_SECS_MAX);
        within("command_period_secs", self.command_period_secs, period)?;
        // Shorter, and the robot would stop between two commands.
        let lifespan = (self.command_period_secs, LIFESPAN_SECS_MAX);
        within(
            "command_lifespan_secs",
            self.command_lifespan_secs,
            lifespan,
        )?;
        let latency = (0.0, self.command_lifespan_secs);
        within("command_latency_secs", self.command_latency_secs, latency)?;
        if let Some(secs) = self.plan_secs_max {
            within("plan_secs_max", secs, (0.001, PERIOD_SECS_MAX))?;
        }
        let reach = (0.0, DEAD_RECKONING_SECS_MAX);
        within(
            "dead_reckoning_secs_max",
            self.dead_reckoning_secs_max,
            reach,
        )?;
        let stall = (0.01, LIFESPAN_SECS_MAX);
        within("stall_secs_max", self.stall_secs_max, stall)?;
        let n_neighbours = self.n_neighbours_max as f64;
        within(
            "n_neighbours_max",
            n_neighbours,
            (0.0, N_NEIGHBOURS_MAX as f64),
        )?;
        for number in self.base_from_scanner {
            within("base_from_scanner", number, (-10.0, 10.0))?;
        }
        let patience = &self.ladder_patience;
        let ticks = f64::from(patience.climb_after_ticks);
        within("ladder_patience.climb_after_ticks", ticks, (1.0, 1_000.0))?;
        let share = (0.1, 1.0);
        within("ladder_patience.climb_share", patience.climb_share, share)?;
        ladder::check(self)
    }

    pub(crate) fn mount(&self) -> Pose2 {
        let [x_m, y_m, yaw_rad] = self.base_from_scanner;
        Pose2::new(x_m, y_m, yaw_rad)
    }

    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs_f64(self.command_period_secs)
    }

    pub(crate) fn lifespan(&self) -> Duration {
        Duration::from_secs_f64(self.command_lifespan_secs)
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.command_latency_secs)
    }
}

/// What a driving agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriveMode {
    /// It has nowhere to go.
    Idle,
    /// It is on its way.
    Driving,
    /// It stands where it was to go.
    Arrived,
    /// It was told to hold.
    Holding,
    /// It has stopped: it was told to, or it does not know enough to move.
    Stopped,
}

impl DriveMode {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Driving => "driving",
            Self::Arrived => "arrived",
            Self::Holding => "holding",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for DriveMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How an agent has driven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrivingReport {
    /// What it does at the end.
    pub mode: DriveMode,
    /// Why.
    pub why: String,
    /// Commands sent.
    pub n_commands: u64,
    /// Decisions by what was done.
    pub n_by_mode: BTreeMap<DriveMode, u64>,
    /// Decisions that the safety filter changed, by reason.
    pub n_by_safety_reason: BTreeMap<String, u64>,
    /// What became of its degradation ladder, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<LadderReport>,
}

impl fmt::Display for DrivingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mode)?;
        if !self.why.is_empty() {
            write!(f, " ({})", self.why)?;
        }
        write!(f, ", {} commands", self.n_commands)?;
        for (reason, n) in &self.n_by_safety_reason {
            write!(f, ", {reason} {n}")?;
        }
        let Some(ladder) = &self.ladder else {
            return Ok(());
        };
        for rung in &ladder.rungs {
            let (name, n, skill) = (&rung.name, rung.n, rung.skill);
            let cost_millis = rung.cost_nanos as f64 / 1e6;
            write!(
                f,
                "\nrung {name}: {n} plans, {cost_millis:.2} ms, skill {skill}"
            )?;
        }
        let (n_changes, lost) = (ladder.n_changes, 100.0 * ladder.skill_lost());
        write!(
            f,
            "\n{n_changes} changes of rung, {lost:.1} % of the skill lost"
        )
    }
}
