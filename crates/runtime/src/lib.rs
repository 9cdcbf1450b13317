//! What keeps nodes alive: the machine's clock, threads, ticks, shutdown; the agent and the player.
//!
//! [`AgentNode`] turns sensor messages into beliefs and predictions and grades each prediction when
//! its future arrives; [`Player`] puts a recording as if a robot were driving. Both are nodes
//! without I/O, so in-process, with a clock that is passed in, a run is a function of its inputs;
//! [`run_node`] drives them on a real network.
//!
//! It never names a vendor: which network, which model and which viewer is the caller's choice.
//! Whoever wants to see what an agent does implements [`AgentObserver`]; whoever has a model hands
//! in a [`ModelFactory`].
//!
//! ```
//! use std::sync::Arc;
//! use sedge_runtime::{Shutdown, SystemClock, new_epoch};
//! use sedge_spacetime::Clock;
//!
//! let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
//! let (first, second) = (new_epoch(clock.as_ref()), new_epoch(clock.as_ref()));
//! assert!(first <= second);
//!
//! let shutdown = Shutdown::new();
//! shutdown.request();
//! assert!(shutdown.is_requested());
//! ```

mod agent;
mod agent_config;
mod announcer;
pub mod bench;
pub mod bus;
mod counters;
mod dead_reckoning;
mod driving;
mod error_tally;
mod grader;
mod intake;
pub mod latency_run;
mod machine;
mod metrics;
mod observer;
mod plans;
mod player;
mod pooled_predictions;
pub mod probes;
mod put_time;
mod real_time;
mod registry;
pub mod relay;
mod report;
mod restarts;
mod run_node;
mod shared_clock;
mod shutdown;
pub mod swarm;
#[cfg(test)]
mod test_drive;
mod threads;
mod voice;
pub mod wakeups;
mod watchdog;

pub use agent::AgentNode;
pub use agent_config::{
    AgentConfig, AgentError, DrivingError, Lossless, ModelError, ModelFactory, OnEnd,
    named_model_hash,
};
pub use driving::{
    DriveMode, DrivingConfig, DrivingReport, Imagining, RungAction, RungConfig, SensorStreams,
};
pub use machine::{SystemClock, new_epoch, spawn_named};
pub use metrics::{MetricsBoard, MetricsPlace, MetricsPlaceError, MetricsServer};
pub use observer::{
    AgentObserver, ArrivedFuture, DrivenPlan, ForecastError, MadePrediction, MethodRole,
    NoObserver, SeenScan, Severity,
};
pub use plans::PlanSource;
pub use player::{
    Pace, PlayItem, PlayReport, PlayState, Player, PlayerConfig, PlayerError, WithoutListener,
};
pub use real_time::{Punctuality, RealTime};
pub use registry::{
    AnswerError, CheckedFrame, CheckedFrames, ContactRow, ContactVerdict, FirstContact,
    SchemaQuestion, ServeError, Standing, check_message, schema_key, schema_message,
    schema_of_message,
};
pub use report::{AgentReport, DropCountRow, PredictionRow, PredictionTable, StreamRow};
pub use run_node::{Driven, Links, NodeRun, RunEnd, Wiring, run_node, run_watched_node};
pub use shared_clock::SharedClock;
pub use shutdown::{Shutdown, WakeGuard};
pub use threads::{
    AskedRow, FifoPriority, FifoPriorityError, Granted, ThreadsConfig, prepare_thread,
};
pub use watchdog::{Pulse, Watchdog, WatchdogConfig, WatchdogError, WatchdogReport};
