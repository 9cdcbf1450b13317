//! `sedge play`.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use sedge_datasets::{OniStream, OniStreamConfig};
use sedge_runtime::{
    Lossless, Pace, PlayItem, PlayReport, PlayState, Player, PlayerConfig, RunEnd, SharedClock,
    Shutdown, SystemClock, Wiring, WithoutListener, new_epoch, run_node,
};
use sedge_spacetime::{AgentName, Clock as _, Stamp};
use sedge_transport_zenoh::ZenohNetwork;
use serde::{Deserialize, Serialize};

use super::agent::{DEFAULT_FLEET, DEFAULT_ROBOT, HorizonSecs, parse_name};
use super::write_json;
use crate::endpoint::{Side, zenoh_config};
use crate::interrupt::shutdown_of_process;
use crate::{Endpoint, OpenedLog, UsageError, open_log, read_launch_file};

/// Scans without a prediction, as fast as the listener keeps up.
const IN_FLIGHT_MAX: usize = 2;
/// How long a scan's prediction is waited for, as fast as the listener keeps up.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long a listener is waited for unless told otherwise, seconds.
const WAIT_SECS: u32 = 30;

/// What `sedge play` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge play a.log.gz                    as it was recorded
  sedge play a.log.gz --speed 8          eight times as fast
  sedge play a.log.gz --speed max        as fast as the listener answers
  sedge play launch/play.toml --from 0.7

It waits for an agent first. Scans, odometry and, unless --plan off, the motion to come go out as
ONI messages under oni/FLEET/ROBOT/.")]
pub struct PlayArgs {
    /// The log, or a launch file (*.toml); what is typed here overrides what that says.
    #[arg(value_name = "LOG|LAUNCH.toml")]
    pub path: PathBuf,
    /// Everything that a launch file may say too.
    #[command(flatten)]
    pub settings: PlaySettings,
    /// Print what was played as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a player is told, on the command line or in a launch file (keys with `_` for `-`).
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlaySettings {
    /// The log, in a launch file.
    #[arg(skip)]
    pub log: Option<PathBuf>,
    /// 1 as recorded (default), N times as fast, or max: as fast as the listener answers.
    #[arg(long, value_name = "1|N|max")]
    pub speed: Option<Speed>,
    /// Play from this share of the log on (default 0: all of it).
    #[arg(long, value_name = "SHARE")]
    pub from: Option<Share>,
    /// Whether the motion to come goes out as commands (default on).
    #[arg(long, value_enum, value_name = "on|off")]
    pub plan: Option<Plan>,
    /// How many seconds ahead that motion reaches (default 2.75).
    #[arg(long, value_name = "SECS")]
    pub plan_secs: Option<HorizonSecs>,
    /// The robot that the log stands for (default `crane`).
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub robot: Option<AgentName>,
    /// The fleet that the robot belongs to (default `sedge`).
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub fleet: Option<AgentName>,
    /// Where to listen for agents (default tcp/127.0.0.1:7447 when it dials nobody).
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Vec<Endpoint>,
    /// Whom to dial; dialled again when lost.
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Vec<Endpoint>,
    /// How many seconds to wait for a listener (default 30); 0 plays to nobody too.
    #[arg(long, value_name = "SECS")]
    pub wait: Option<u32>,
    /// What keeps this machine's clock with others', in a launch file.
    #[arg(skip)]
    pub clock: Option<SharedClock>,
}

/// How fast a log goes out. Its text is a number or `max`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as the listener answers.
    Max,
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let times = text
            .parse()
            .ok()
            .filter(|times: &f64| times.is_finite() && *times > 0.0);
        match (text, times) {
            ("max", _) => Ok(Self::Max),
            (_, Some(times)) => Ok(Self::Times(times)),
            _ => Err(format!("expected a number above 0 or max, got {text:?}")),
        }
    }
}

impl TryFrom<String> for Speed {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A share, from 0 to below 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(f64);

impl TryFrom<f64> for Share {
    type Error = String;
    fn try_from(share: f64) -> Result<Self, String> {
        if (0.0..1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(format!("expected a share from 0 to below 1, got {share}"))
        }
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.parse::<f64>();
        share
            .map_err(|error| format!("expected a share, got {text:?}: {error}"))
            .and_then(Self::try_from)
    }
}

/// Whether the motion to come goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// It does: predictions are for what the robot then really does.
    On,
    /// It does not: an agent takes it that the motion goes on.
    Off,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

impl PlaySettings {
    /// These settings where they say something, `otherwise`'s elsewhere.
    #[must_use]
    pub fn or(self, otherwise: Self) -> Self {
        let first = |here: Vec<Endpoint>, otherwise| if here.is_empty() { otherwise } else { here };
        Self {
            log: self.log.or(otherwise.log),
            speed: self.speed.or(otherwise.speed),
            from: self.from.or(otherwise.from),
            plan: self.plan.or(otherwise.plan),
            plan_secs: self.plan_secs.or(otherwise.plan_secs),
            robot: self.robot.or(otherwise.robot),
            fleet: self.fleet.or(otherwise.fleet),
            listen: first(self.listen, otherwise.listen),
            connect: first(self.connect, otherwise.connect),
            wait: self.wait.or(otherwise.wait),
            clock: self.clock.or(otherwise.clock),
        }
    }
}

/// Plays a log and says what went out.
///
/// # Errors
/// When the log or the network cannot be had, or no listener came.
pub fn run(args: &PlayArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let is_launch = args.path.extension().is_some_and(|end| end == "toml");
    let written = if is_launch {
        read_launch_file(&args.path)?
    } else {
        PlaySettings {
            log: Some(args.path.clone()),
            ..PlaySettings::default()
        }
    };
    let settings = args.settings.clone().or(written);
    let log = settings.log.clone().with_context(|| {
        UsageError(format!(
            "{}: expected a key `log`, found none",
            args.path.display()
        ))
    })?;
    let log = open_log(&log)?;
    let stage = Stage::open(&settings)?;
    let report = stage.play(&log, &settings, &shutdown_of_process())?;
    if args.json {
        write_json(&report, out)?;
    } else {
        say(&report, out)?;
    }
    ensure!(
        report.state != PlayState::Refused,
        "expected a listener, none came"
    );
    Ok(())
}

fn say(report: &PlayReport, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "{} messages with {} scans in {:.1} s; {} shed, {} refused; {} scans answered, {} not; at \
         most {:.1} ms late",
        report.put,
        report.scans,
        report.elapsed.as_secs_f64(),
        report.shed,
        report.refused,
        report.answered,
        report.unanswered,
        1e3 * report.late_max.as_secs_f64()
    )?;
    Ok(())
}

/// An open network that a log can be played on.
pub(crate) struct Stage {
    clock: Arc<SystemClock>,
    network: ZenohNetwork,
}

impl Stage {
    pub(crate) fn open(settings: &PlaySettings) -> anyhow::Result<Self> {
        let config = zenoh_config(&settings.listen, &settings.connect, Side::Listens);
        let clock = Arc::new(SystemClock::new());
        let network = ZenohNetwork::open(&config, Arc::<SystemClock>::clone(&clock))?;
        tracing::info!(
            "listening on {:?}, dialling {:?}",
            network.locators(),
            config.connect
        );
        Ok(Self { clock, network })
    }

    /// Where others can dial.
    pub(crate) fn locators(&self) -> Vec<String> {
        self.network.locators()
    }

    pub(crate) fn play(
        &self,
        log: &OpenedLog,
        settings: &PlaySettings,
        shutdown: &Shutdown,
    ) -> anyhow::Result<PlayReport> {
        let epoch = new_epoch(self.clock.as_ref());
        let name = |name: &Option<AgentName>, default: &str| {
            name.clone().map_or_else(|| AgentName::new(default), Ok)
        };
        let robot = name(&settings.robot, DEFAULT_ROBOT)?;
        let fleet = name(&settings.fleet, DEFAULT_FLEET)?;
        let mut told = OniStreamConfig::new(fleet.clone(), robot.clone(), epoch);
        told.start = first_stamp(log, settings.from.unwrap_or_default());
        match (settings.plan, settings.plan_secs) {
            (Some(Plan::Off), _) => told.plan_horizon = None,
            (_, Some(secs)) => told.plan_horizon = Some(secs.duration()),
            (_, None) => {}
        }
        let stream = OniStream::new(&log.episode, told)?;
        let keys = stream.keys();
        let items = stream.map(|item| PlayItem {
            due: item.due,
            key: item.key,
            message: item.message,
        });
        let config = PlayerConfig {
            epoch,
            ..player_config(settings)
        };
        let mut player = Player::new(config, (&fleet, &robot), keys, items)?;
        let (subscriptions, publications) = (player.subscriptions(), player.publications());
        let wiring = Wiring::connect(&self.network, &subscriptions, &publications)?;
        let mut wiring = wiring.serving(player.services(self.clock.now())?)?;
        let ran = run_node(&mut player, &mut wiring, self.clock.as_ref(), shutdown);
        if ran.end == RunEnd::NetworkClosed {
            bail!("the network closed while playing");
        }
        Ok(player.report())
    }
}

/// The stamp of the first scan after a share of the log; from the beginning, nothing is left out.
fn first_stamp(log: &OpenedLog, Share(share): Share) -> Option<Stamp> {
    let scans = &log.episode.scans;
    let scan_idx = (share * scans.len() as f64).ceil() as usize;
    scans
        .get(scan_idx)
        .filter(|_| scan_idx > 0)
        .map(|scan| scan.stamp)
}

fn player_config(settings: &PlaySettings) -> PlayerConfig {
    let (pace, lossless) = match settings.speed.unwrap_or(Speed::Times(1.0)) {
        Speed::Times(speed) => (Pace::SensorTime { speed }, Lossless::No),
        Speed::Max => {
            let (in_flight_max, answer_wait_max) = (IN_FLIGHT_MAX, ANSWER_WAIT_MAX);
            (
                Pace::Credit {
                    in_flight_max,
                    answer_wait_max,
                },
                Lossless::Yes,
            )
        }
    };
    let wait_secs = settings.wait.unwrap_or(WAIT_SECS);
    let (clock_domain, clock_error) = SharedClock::or_own(settings.clock.as_ref());
    PlayerConfig {
        listener_wait_max: Duration::from_secs(u64::from(wait_secs)),
        without_listener: match wait_secs {
            0 => WithoutListener::Play,
            _ => WithoutListener::Refuse,
        },
        clock_domain,
        clock_error,
        lossless,
        ..PlayerConfig::new(pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_above_zero_or_max() {
        assert_eq!("1".parse(), Ok(Speed::Times(1.0)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for bad in ["0", "-1", "inf", "NaN", "fast", ""] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_wait_of_zero_plays_to_nobody() {
        let config = |wait| {
            player_config(&PlaySettings {
                wait,
                ..PlaySettings::default()
            })
        };
        assert_eq!(config(None).without_listener, WithoutListener::Refuse);
        assert_eq!(config(Some(0)).without_listener, WithoutListener::Play);
    }
}
