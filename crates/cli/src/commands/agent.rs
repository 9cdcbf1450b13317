//! `sedge agent`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sedge_latency::{Budget, Budgets, MissPolicy};
use sedge_runtime::{
    AgentConfig, AgentNode, AgentReport, AskedRow, DrivingConfig, FifoPriority, Granted, Lossless,
    MetricsBoard, MetricsPlace, MetricsServer, OnEnd, SharedClock, Shutdown, SystemClock,
    ThreadsConfig, Watchdog, WatchdogConfig, Wiring, new_epoch, prepare_thread, run_watched_node,
    spawn_named,
};
use sedge_spacetime::{AgentName, Clock};
use sedge_transport_zenoh::ZenohNetwork;
use sedge_viewer::{QueueFull, Viewer, ViewerConfig, ViewerTarget};
use sedge_world_model_burn::DeviceKind;
use serde::{Deserialize, Deserializer, Serialize};

use super::write_json;
use crate::chosen_model::ChosenModel;
use crate::endpoint::{Side, zenoh_config};
use crate::engine::EngineChoice;
use crate::interrupt::shutdown_of_process;
use crate::seconds::parse_secs;
use crate::viewer_observer::ViewerObserver;
use crate::{Endpoint, UsageError, read_launch_file};

/// The robot and fleet that play and agent speak of unless told otherwise.
pub(crate) const DEFAULT_ROBOT: &str = "crane";
pub(crate) const DEFAULT_FLEET: &str = "sedge";

/// How long a replay waits for the viewer, so that its recording comes out whole.
const DRAWING_WAIT_MAX: Duration = Duration::from_secs(1);

/// What `sedge agent` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge agent --run runs/a
  sedge agent --run runs/a --rerun file a.rrd --until-end
  sedge agent --model geometric --connect tcp/192.168.1.7:7447
  sedge agent launch/agent.toml --robot crane3

It ends with ctrl-c (or, with --until-end, with the log that is played to it) and then prints how
its predictions fared and where its time went.")]
pub struct AgentArgs {
    /// A launch file; what is typed here overrides what it says.
    #[arg(value_name = "LAUNCH.toml")]
    pub launch: Option<PathBuf>,
    /// Everything that a launch file may say too.
    #[command(flatten)]
    pub settings: AgentSettings,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What an agent is told, on the command line or in a launch file (keys with `_` for `-`).
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSettings {
    /// The folder of the run whose model it believes with.
    #[arg(long, value_name = "RUN", conflicts_with = "model")]
    pub run: Option<PathBuf>,
    /// A model that needs no training, instead of a run's.
    #[arg(long, value_enum)]
    pub model: Option<UntrainedModel>,
    /// Latency and calibration for `--model geometric`, from `sedge calibrate --out`; none
    /// otherwise.
    #[arg(long, value_name = "PATH")]
    pub calibration: Option<PathBuf>,
    /// What computes the network: onboard (default; our own, for CPUs), burn, or auto, which
    /// measures both when it starts.
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
    /// Where burn runs: flex (CPU), vulkan, cuda; see `sedge devices`. Implies the engine burn.
    #[arg(long)]
    pub device: Option<DeviceKind>,
    /// The robot whose sensors it listens to and in whose name it speaks (default `crane`).
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub robot: Option<AgentName>,
    /// The fleet that the robot belongs to (default `sedge`).
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub fleet: Option<AgentName>,
    /// Where to listen for others, such as tcp/127.0.0.1:7447.
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Vec<Endpoint>,
    /// Whom to dial (default tcp/127.0.0.1:7447 when it listens nowhere); dialled again when lost.
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Vec<Endpoint>,
    /// How many seconds ahead to predict (default 0.5,1,2).
    #[arg(long, value_name = "SECS", value_delimiter = ',')]
    pub horizons_secs: Vec<HorizonSecs>,
    /// Show it: off (default), file PATH, serve (at IP:PORT), connect (to URL) or spawn.
    #[arg(long, value_name = "TARGET", num_args = 1..=2)]
    #[serde(deserialize_with = "viewer_words")]
    pub rerun: Vec<String>,
    /// Write the report as JSON to this file when it ends.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
    /// Serve what its stages take to Prometheus, under /metrics: IP:PORT, or a port of 127.0.0.1.
    #[arg(long, value_name = "IP:PORT")]
    pub metrics: Option<MetricsPlace>,
    /// End when the log that is played to it ends.
    #[arg(long)]
    pub until_end: bool,
    /// End when standard input ends: for a program that starts an agent and may die itself.
    #[arg(long)]
    #[serde(skip)]
    pub until_stdin_ends: bool,
    /// Ask the network to drop nothing: for a log that is played as fast as can be.
    #[arg(long)]
    pub lossless: bool,
    /// Seed of the planner of an agent that drives (default 0).
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// How long stages and chains of them may take, in a launch file, and what is done about those
    /// that took longer (default: a warning past 10 ms from a scan to its prediction).
    #[arg(skip)]
    pub budgets: Option<Budgets>,
    /// How it drives, in a launch file; without, it only watches and predicts.
    #[arg(skip)]
    pub driving: Option<DrivingConfig>,
    /// What its loop asks of the operating system, in a launch file: cores, priority, locked
    /// memory; without, nothing.
    #[arg(skip)]
    pub threads: Option<ThreadsConfig>,
    /// What keeps this machine's clock with others', in a launch file; without, it is a clock of
    /// its own, and neighbours on other machines are not heard.
    #[arg(skip)]
    pub clock: Option<SharedClock>,
}

/// Models that need no training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UntrainedModel {
    /// Recent scans, moved by odometry: the world stands still.
    Geometric,
    /// Recent scans; what was seen moving goes on as it moved.
    ConstantVelocity,
}

impl UntrainedModel {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Geometric => "geometric",
            Self::ConstantVelocity => "constant-velocity",
        }
    }
}

/// A horizon: seconds above zero and at most a minute.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct HorizonSecs(f64);

impl HorizonSecs {
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl TryFrom<f64> for HorizonSecs {
    type Error = String;
    fn try_from(secs: f64) -> Result<Self, String> {
        if secs > 0.0 && secs <= 60.0 {
            Ok(Self(secs))
        } else {
            Err(format!(
                "expected a horizon above 0 and at most 60 seconds, got {secs}"
            ))
        }
    }
}

impl std::str::FromStr for HorizonSecs {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse_secs(text)
    }
}

pub(crate) fn parse_name(text: &str) -> Result<AgentName, String> {
    AgentName::new(text).map_err(|error| error.to_string())
}

/// The one text of a launch file as the words of the command line.
pub(crate) fn viewer_words<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    let target = ViewerTarget::deserialize(deserializer)?.to_string();
    Ok(match target.split_once(' ') {
        Some((kind, place)) => vec![kind.to_owned(), place.to_owned()],
        None => vec![target],
    })
}

impl AgentSettings {
    /// These settings where they say something, `otherwise`'s elsewhere.
    #[must_use]
    pub fn or(self, otherwise: Self) -> Self {
        fn first<T>(here: Vec<T>, otherwise: Vec<T>) -> Vec<T> {
            if here.is_empty() { otherwise } else { here }
        }
        // A run typed here overrides a model written there, and the other way round.
        let says_model = self.run.is_some() || self.model.is_some();
        let (run, model) = if says_model {
            (self.run, self.model)
        } else {
            (otherwise.run, otherwise.model)
        };
        Self {
            run,
            model,
            calibration: self.calibration.or(otherwise.calibration),
            engine: self.engine.or(otherwise.engine),
            device: self.device.or(otherwise.device),
            robot: self.robot.or(otherwise.robot),
            fleet: self.fleet.or(otherwise.fleet),
            listen: first(self.listen, otherwise.listen),
            connect: first(self.connect, otherwise.connect),
            horizons_secs: first(self.horizons_secs, otherwise.horizons_secs),
            rerun: first(self.rerun, otherwise.rerun),
            report: self.report.or(otherwise.report),
            metrics: self.metrics.or(otherwise.metrics),
            until_end: self.until_end || otherwise.until_end,
            until_stdin_ends: self.until_stdin_ends || otherwise.until_stdin_ends,
            lossless: self.lossless || otherwise.lossless,
            seed: self.seed.or(otherwise.seed),
            budgets: self.budgets.or(otherwise.budgets),
            driving: self.driving.or(otherwise.driving),
            threads: self.threads.or(otherwise.threads),
            clock: self.clock.or(otherwise.clock),
        }
    }
}

/// Runs an agent until its end and prints its report.
///
/// # Errors
/// When the model, the network or the viewer cannot be had.
pub fn run(args: &AgentArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let written = match &args.launch {
        Some(path) => read_launch_file(path)?,
        None => AgentSettings::default(),
    };
    let settings = args.settings.clone().or(written);
    let report = live(&settings)?;
    // First to whoever looks: a file that cannot be written must not cost the figures.
    if args.json {
        write_json(&report, out)?;
    } else {
        writeln!(out, "{report}")?;
    }
    let Some(path) = &settings.report else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(&report)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Senses, believes and predicts until the end.
///
/// # Errors
/// As [`run`].
fn live(settings: &AgentSettings) -> anyhow::Result<AgentReport> {
    let target = viewer_target(&settings.rerun)?;
    let shutdown = shutdown_of_process();
    if settings.until_stdin_ends {
        end_with_stdin(shutdown.clone())?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let chosen = ChosenModel::of(settings)?;
    let config = agent_config(settings, &chosen, clock.as_ref())?;
    let robot = config.robot.clone();
    let epoch = config.epoch;
    let budgets = config.budgets.clone();
    let baselines = chosen.baselines();
    let agent = AgentNode::new(config, Arc::clone(&clock), chosen.model, baselines)?;
    let agent = match &settings.driving {
        Some(driving) => agent.with_driving(driving.clone(), settings.seed.unwrap_or(0))?,
        None => agent,
    };
    let mut viewer_config = ViewerConfig::new("sedge", format!("{robot}-{epoch}"));
    if settings.lossless {
        viewer_config.queue_full = QueueFull::Wait(DRAWING_WAIT_MAX);
    }
    let viewer = Viewer::open(&target, &viewer_config)?;
    let agent = agent.with_observer(Box::new(ViewerObserver::new(
        viewer,
        robot.clone(),
        budgets,
    )));
    let (mut agent, _metrics) = with_metrics(agent, settings)?;

    let config = zenoh_config(&settings.listen, &settings.connect, Side::Dials);
    let network = ZenohNetwork::open(&config, Arc::clone(&clock))?;
    tracing::info!(
        "{robot} listens on {:?}, dials {:?}",
        network.locators(),
        config.connect
    );
    let wiring = Wiring::connect(&network, &agent.subscriptions(), &agent.publications())?;
    let mut wiring = wiring.serving(agent.services(clock.now())?)?;
    let watchdog = watchdog_of(&agent, settings, (&network, &clock))?;
    let pulse = watchdog.as_ref().map(Watchdog::pulse).unwrap_or_default();
    // Last, so that only this thread, the loop's, gets what it asks for: threads inherit it.
    let loop_rows = settings.threads.as_ref().map(prepare_thread);
    let watchdog_rows = watchdog.iter().flat_map(Watchdog::granted).cloned();
    let threads: Vec<AskedRow> = loop_rows
        .into_iter()
        .flatten()
        .chain(watchdog_rows)
        .collect();
    say_granted(&threads);
    let ran = run_watched_node(&mut agent, &mut wiring, clock.as_ref(), &shutdown, &pulse);
    tracing::info!("ended: {ran:?}");
    let mut report = agent.report();
    report.threads = threads;
    if let Some(stood) = watchdog.map(|watchdog| watchdog.report())
        && stood.n_stalls > 0
    {
        let counters = &mut report.counters;
        counters.insert("watchdog-stalls".to_owned(), stood.n_stalls);
        // Whoever counts the robot's commands counts these too.
        *counters.entry("commands-sent".to_owned()).or_default() += stood.n_commands;
    }
    Ok(report)
}

/// Has the agent's figures served where that is asked for, for as long as the server lives.
fn with_metrics(
    agent: AgentNode,
    settings: &AgentSettings,
) -> anyhow::Result<(AgentNode, Option<MetricsServer>)> {
    let Some(place) = settings.metrics else {
        return Ok((agent, None));
    };
    let board = MetricsBoard::new();
    let server = MetricsServer::start(place, board.clone())
        .with_context(|| format!("cannot serve metrics at {place}"))?;
    tracing::info!("metrics at http://{}/metrics", server.address());
    Ok((agent.with_metrics(board), Some(server)))
}

/// Who stops the robot when the loop stalls; nobody where the agent does not drive.
fn watchdog_of(
    agent: &AgentNode,
    settings: &AgentSettings,
    (network, clock): (&ZenohNetwork, &Arc<dyn Clock>),
) -> anyhow::Result<Option<Watchdog>> {
    let Some(config) = agent.watchdog_config() else {
        return Ok(None);
    };
    let of_loop = settings.threads.as_ref().and_then(|it| it.priority);
    let priority = of_loop.map(FifoPriority::above);
    let config = WatchdogConfig { priority, ..config };
    Ok(Some(Watchdog::start(network, Arc::clone(clock), &config)?))
}

/// Says what the operating system gave.
fn say_granted(rows: &[AskedRow]) {
    for row in rows {
        match row.granted {
            Granted::Yes => tracing::info!("loop: {row}"),
            Granted::No | Granted::NotSupported => tracing::warn!("loop: {row}"),
        }
    }
}

/// Asks for the end when nobody holds the other end of standard input any more.
pub(crate) fn end_with_stdin(shutdown: Shutdown) -> std::io::Result<()> {
    let watch = move || {
        let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        tracing::info!("standard input ended: {ended:?}");
        shutdown.request();
    };
    // Never joined: it lives as long as standard input does.
    spawn_named("stdin", watch).map(drop)
}

pub(crate) fn viewer_target(words: &[String]) -> anyhow::Result<ViewerTarget> {
    Ok(
        ViewerTarget::parse_words(words)
            .map_err(|error| UsageError(format!("--rerun: {error}")))?,
    )
}

fn agent_config(
    settings: &AgentSettings,
    chosen: &ChosenModel,
    clock: &dyn Clock,
) -> anyhow::Result<AgentConfig> {
    let name = |name: &Option<AgentName>, default: &str| {
        name.clone().map_or_else(|| AgentName::new(default), Ok)
    };
    let fleet = name(&settings.fleet, DEFAULT_FLEET)?;
    let robot = name(&settings.robot, DEFAULT_ROBOT)?;
    let mut config = AgentConfig::new(fleet, robot, new_epoch(clock));
    if !settings.horizons_secs.is_empty() {
        config.horizons = settings
            .horizons_secs
            .iter()
            .map(|secs| secs.duration())
            .collect();
    }
    config.budgets = budgets(settings)?;
    (config.clock_domain, config.clock_error) = SharedClock::or_own(settings.clock.as_ref());
    config.model_hash = chosen.hash;
    config.scanner_latency_secs = chosen.motion.latency_secs;
    config.on_end = if settings.until_end {
        OnEnd::Finish
    } else {
        OnEnd::Wait
    };
    config.lossless = if settings.lossless {
        Lossless::Yes
    } else {
        Lossless::No
    };
    Ok(config)
}

/// The budgets, all of which can be acted on: only who drives can drive worse, or stop.
fn budgets(settings: &AgentSettings) -> anyhow::Result<Budgets> {
    let budgets = settings.budgets.clone().unwrap_or_default();
    let of_driver = |it: &&Budget| it.harshest() >= MissPolicy::Degrade;
    if let Some(budget) = budgets.iter().find(of_driver)
        && settings.driving.is_none()
    {
        let (stage, policy) = (&budget.stage, budget.harshest().name());
        let text = format!(
            "expected the table `driving` beside a budget of {stage} that calls for {policy}, \
             got none"
        );
        return Err(UsageError(text).into());
    }
    Ok(budgets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_drive_has_no_budget_that_drives_worse() {
        let written = |on_miss: &str| -> AgentSettings {
            let budget = "stage = 'fuse'\nspan_micros_max = 9\non_miss";
            toml::from_str(&format!("[[budgets]]\n{budget} = '{on_miss}'")).unwrap()
        };
        assert_eq!(budgets(&written("skip")).unwrap().iter().count(), 1);
        let refused = budgets(&written("safe-stop")).unwrap_err().to_string();
        assert!(
            refused.contains("`driving`") && refused.contains("fuse"),
            "{refused}"
        );
        let mut driver = written("degrade");
        assert!(budgets(&driver).is_err());
        driver.driving = Some(DrivingConfig::default());
        assert!(budgets(&driver).is_ok());
        let default = budgets(&AgentSettings::default()).unwrap();
        assert_eq!(default, Budgets::default());
    }

    #[test]
    fn what_is_typed_overrides_what_is_written() {
        let written: AgentSettings =
            toml::from_str("run = 'a'\nrobot = 'one'\nconnect = ['tcp/127.0.0.1:1']").unwrap();
        let typed = AgentSettings {
            model: Some(UntrainedModel::Geometric),
            robot: Some(AgentName::new("two").unwrap()),
            ..AgentSettings::default()
        };
        let both = typed.or(written);
        assert_eq!(
            (both.run, both.model),
            (None, Some(UntrainedModel::Geometric))
        );
        assert_eq!(both.robot.unwrap().as_str(), "two");
        assert_eq!(both.connect.len(), 1);
    }

    #[test]
    fn a_viewer_target_reads_the_same_in_both_places() {
        let words = |text: &str| {
            let toml = format!("rerun = {text:?}");
            toml::from_str::<AgentSettings>(&toml).map(|settings| settings.rerun)
        };
        assert_eq!(words("off").unwrap(), ["off"]);
        assert_eq!(words("file a b.rrd").unwrap(), ["file", "a b.rrd"]);
        assert_eq!(words("serve").unwrap(), ["serve", "127.0.0.1:9876"]);
        assert!(
            words("show")
                .unwrap_err()
                .to_string()
                .contains("got \"show\"")
        );
        assert!(viewer_target(&["file".to_owned()]).is_err());
    }

    #[test]
    fn horizons_are_above_zero() {
        assert!("0.5".parse::<HorizonSecs>().is_ok());
        for bad in ["0", "-1", "NaN", "61", "soon"] {
            assert!(bad.parse::<HorizonSecs>().is_err(), "{bad}");
        }
    }
}
