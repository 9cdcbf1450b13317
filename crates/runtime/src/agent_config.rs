//! What an agent node is told before it starts.

use std::time::Duration;

use sedge_latency::{Budgets, Stage};
use sedge_oni::{Key, KeyError, KeyPattern};
use sedge_planning::ConfigError;
use sedge_spacetime::{AgentName, StampError};
use sedge_transport::{Qos, QosClass};
use sedge_world_model::{Precision, WorldModel};

use crate::DrivingConfig;
use crate::announcer::Speaking;

/// Rings of live sensor streams, in messages: seconds of a fast sensor, so that a slow tick or a
/// player that catches up loses nothing.
const SENSOR_DEPTH: usize = 1_024;
/// Plans in a ring: all of them are looked at, also by an agent with a backlog.
const COMMAND_DEPTH: usize = 64;
/// A prediction holds the read-outs of a few methods, about 10 kB each.
const PENDING_MAX: usize = 1_024;

/// What went wrong while a model was made.
pub type ModelError = Box<dyn std::error::Error + Send + Sync>;

/// Makes a model that believes nothing yet: at the start, and at each restart of the sensor
/// streams. A model need not be `Send`: build the node on the thread that runs it.
pub type ModelFactory = Box<dyn Fn() -> Result<Box<dyn WorldModel>, ModelError>>;

/// What an agent does when the sender of its sensor streams says that they have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnd {
    /// Finishes, once nothing waits any more.
    Finish,
    /// Waits for them to begin anew.
    Wait,
}

/// What an agent node is told before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// Chunk 2 of every key.
    pub fleet: AgentName,
    /// The robot whose sensors it listens to, and in whose name it publishes.
    pub robot: AgentName,
    /// Last chunk of the keys that it publishes under. Default `main`.
    pub stream: String,
    /// New and larger at each start; see [`crate::new_epoch`].
    pub epoch: u64,
    /// Which clock it runs on ([`crate::SystemClock::domain`]); put times of senders on the same
    /// clock are measured. Default none.
    pub clock_domain: Option<String>,
    /// How far that clock may be off, either way; see [`crate::SharedClock`]. Default 0, as for a
    /// clock that no other machine has.
    pub clock_error: Duration,
    /// Hash of the model. Default zeros, for a model without one; see [`named_model_hash`].
    pub model_hash: [u8; 32],
    /// How long before its stamp a scan was seen: the latency of the model's motion model, in
    /// seconds. Default 0.
    pub scanner_latency_secs: f64,
    /// How far ahead it predicts, rising. Default 0.5, 1 and 2 s, those of the protocol.
    pub horizons: Vec<Duration>,
    /// How long a scan waits for the odometry that places it. Default 20 ms: ten times what
    /// odometry needs between two processes, and a fifth of a scan period of 10 Hz.
    pub scan_wait_max: Duration,
    /// How much older than the newest odometry a plan may be to be used. Default 150 ms: half a
    /// scan period of slow scanners.
    pub command_age_max: Duration,
    /// Time between two `telemetry.latency`. Default 1 s.
    pub telemetry_period: Duration,
    /// Predictions that may wait for their future. Default 1024.
    pub pending_max: usize,
    /// Budgets to be kept. Misses are acted on where the agent's own clock measures, and only
    /// counted where a stopwatch does; only an agent that drives degrades or stops. Default a
    /// warning past 10 ms from the arrival of a scan to its prediction.
    pub budgets: Budgets,
    /// What it does when its sensor streams have ended. Default wait.
    pub on_end: OnEnd,
    /// Finishes when no message came for this long, once one has come. Default never.
    pub quiet_max: Option<Duration>,
    /// Asks the transport to drop nothing, for replay; the sender must ask too. Default no.
    pub lossless: Lossless,
}

/// Whether sensor streams may drop messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lossless {
    /// They may, as live streams do; every loss is counted.
    No,
    /// They may not: the sender waits instead.
    Yes,
}

impl Lossless {
    pub(crate) fn apply(self, qos: Qos) -> Qos {
        match self {
            Self::No => qos,
            Self::Yes => qos.lossless(),
        }
    }
}

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The model or a baseline could not be made.
    #[error("cannot make the model: {0}")]
    Model(ModelError),
    /// The stream's name is no chunk of a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The scanner's latency is no time.
    #[error("scanner_latency_secs: {0}")]
    Latency(#[from] StampError),
    /// It cannot drive.
    #[error(transparent)]
    Driving(#[from] DrivingError),
    /// The horizons are none, or do not rise from above zero.
    #[error("expected horizons that rise from above zero, got {got:?}")]
    Horizons {
        /// What came.
        got: Vec<Duration>,
    },
}

/// Why an agent cannot drive.
#[derive(Debug, thiserror::Error)]
pub enum DrivingError {
    /// A number is out of its range.
    #[error("expected {key} within [{min}, {max}], got {got}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The least.
        min: f64,
        /// The most.
        max: f64,
        /// What came.
        got: f64,
    },
    /// A rung of the degradation ladder is none.
    #[error("expected rung {name} of the ladder {expected}")]
    Rung {
        /// The rung.
        name: Stage,
        /// What it should be.
        expected: &'static str,
    },
    /// A rung of the degradation ladder imagines in numbers that the model does not have.
    #[error(
        "expected a model that can imagine in {precision}, as rung {name} of the ladder says, got \
         {model}, which cannot: leave out the rung, or drive with trained weights that are loaded \
         for {precision} too"
    )]
    Precision {
        /// The rung.
        name: Stage,
        /// What it is to imagine in.
        precision: Precision,
        /// What the model is called.
        model: String,
    },
    /// A budget calls for a ladder, and there is none.
    #[error("expected a ladder to go down, as the budget of {stage} says, got none")]
    NoLadder {
        /// The stage or chain.
        stage: Stage,
    },
    /// Planner, safety or route are none.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A stream's name is no chunk of a key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The hash that stands for a model without learned parts: its name's.
pub fn named_model_hash(name: &str) -> [u8; 32] {
    *blake3::hash(name.as_bytes()).as_bytes()
}

impl AgentConfig {
    /// For one robot, everything else by default.
    pub fn new(fleet: AgentName, robot: AgentName, epoch: u64) -> Self {
        Self {
            fleet,
            robot,
            stream: "main".into(),
            epoch,
            clock_domain: None,
            clock_error: Duration::ZERO,
            model_hash: [0; 32],
            scanner_latency_secs: 0.0,
            horizons: [500, 1_000, 2_000].map(Duration::from_millis).to_vec(),
            scan_wait_max: Duration::from_millis(20),
            command_age_max: Duration::from_millis(150),
            telemetry_period: Duration::from_secs(1),
            pending_max: PENDING_MAX,
            budgets: Budgets::default(),
            on_end: OnEnd::Wait,
            quiet_max: None,
            lossless: Lossless::No,
        }
    }

    /// What the agent listens to, scans first: a driver that reads in this order finds with each
    /// scan what was sent before it.
    pub(crate) fn subscriptions(&self) -> Result<Vec<(KeyPattern, Qos)>, KeyError> {
        let (fleet, robot) = (&self.fleet, &self.robot);
        let subscription = |(message_type, depth): (&str, usize)| {
            let pattern = KeyPattern::parse(&format!("oni/{fleet}/{robot}/{message_type}/**"))?;
            let qos = Qos::of(QosClass::of_message_type(message_type)).with_depth(depth);
            Ok((pattern, self.lossless.apply(qos)))
        };
        [
            ("sensor.lidar", SENSOR_DEPTH),
            ("sensor.odometry", SENSOR_DEPTH),
            ("actuator.cmd", COMMAND_DEPTH),
        ]
        .into_iter()
        .map(subscription)
        .collect()
    }

    /// What a driving agent listens to: its own sensors by name, so that truth which is published
    /// beside them for graders never reaches it; its goals; everybody's stop orders; neighbours.
    pub(crate) fn driving_subscriptions(
        &self,
        driving: &DrivingConfig,
    ) -> Result<Vec<(KeyPattern, Qos)>, KeyError> {
        let (robot, streams) = (self.robot.as_str(), &driving.streams);
        // Its own come with its neighbours': a second subscription would bring them twice.
        let everybody = match driving.n_neighbours_max {
            0 => robot,
            _ => "*",
        };
        let predictions = (driving.n_neighbours_max > 0).then_some("*");
        let all = [
            (Some(robot), "sensor.lidar", streams.lidar.as_str()),
            (Some(everybody), "sensor.odometry", &streams.odometry),
            (Some(robot), "sensor.imu", &streams.imu),
            (
                Some(everybody),
                "sensor.range_bearing",
                &streams.range_bearing,
            ),
            (predictions, "model.prediction", &streams.prediction),
            (Some(robot), "mission.goal", "**"),
            (Some("*"), "event.stop", "**"),
        ];
        let subscription = |(agent, message_type, stream): (Option<&str>, &str, &str)| {
            let fleet = &self.fleet;
            let pattern = format!("oni/{fleet}/{}/{message_type}/{stream}", agent?);
            let class = QosClass::of_message_type(message_type);
            let depth = match class {
                QosClass::State | QosClass::Belief => SENSOR_DEPTH,
                _ => class.profile().queue_depth,
            };
            let pattern = KeyPattern::parse(&pattern);
            Some(pattern.map(|pattern| (pattern, Qos::of(class).with_depth(depth))))
        };
        all.into_iter().filter_map(subscription).collect()
    }

    /// What the agent publishes.
    pub(crate) fn publications(&self) -> Result<Vec<(Key, Qos)>, KeyError> {
        let publication = |message_type: &str| {
            let key = Key::new(&self.fleet, &self.robot, message_type, &self.stream)?;
            Ok((key, Qos::of(QosClass::of_message_type(message_type))))
        };
        ["model.prediction", "model.belief", "telemetry.latency"]
            .into_iter()
            .map(publication)
            .collect()
    }

    /// In whose name the agent speaks of itself.
    pub(crate) fn speaking(&self) -> Speaking {
        Speaking {
            fleet: self.fleet.clone(),
            robot: self.robot.clone(),
            stream: self.stream.clone(),
            epoch: self.epoch,
            clock: self.clock_domain.clone(),
            clock_error: self.clock_error,
        }
    }

    pub(crate) fn check(&self) -> Result<(), AgentError> {
        let from_zero = [Duration::ZERO]
            .into_iter()
            .chain(self.horizons.iter().copied());
        let rising = from_zero
            .zip(&self.horizons)
            .all(|(before, after)| before < *after);
        if rising && !self.horizons.is_empty() {
            Ok(())
        } else {
            Err(AgentError::Horizons {
                got: self.horizons.clone(),
            })
        }
    }
}
