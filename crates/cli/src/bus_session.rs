//! Listening to a bus: what the commands that only look have in common.

use std::io::{self, IsTerminal as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle as BarStyle};
use sedge_oni::KeyPattern;
use sedge_runtime::bus::doctor::Dialled;
use sedge_runtime::{Shutdown, SystemClock};
use sedge_spacetime::{Clock as _, Stamp};
use sedge_transport::{Network as _, Qos, QosClass, Received, Signal, Subscriber};
use sedge_transport_zenoh::{ZenohConfig, ZenohError, ZenohNetwork};
use serde::Deserialize;

use crate::endpoint::{Side, zenoh_config};
use crate::interrupt::shutdown_of_process;
use crate::{Endpoint, read_launch_file};

/// Every key.
pub(crate) const EVERYTHING: &str = "oni/**";
/// How long the first peer is waited for.
const PEER_WAIT_MAX: Duration = Duration::from_secs(3);
/// How long a lone connection attempt may take.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(1);
/// Messages that may wait for us: seconds of a busy fleet.
const RING_DEPTH: usize = 8_192;
/// Where others on this machine can dial us, any free port: peers do not relay each other's
/// messages, so whoever is found through somebody else must be able to reach us.
const LOOPBACK: &str = "tcp/127.0.0.1:0";
/// How often figures on the way are shown.
const NEWS_EVERY: Duration = Duration::from_secs(1);

/// Whom a command listens to.
#[derive(Debug, Clone, Default, Args)]
pub struct LinkArgs {
    /// Whom to dial (default tcp/127.0.0.1:7447 when it listens nowhere).
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Vec<Endpoint>,
    /// Where to listen for others; on this machine any free port unless told otherwise.
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Vec<Endpoint>,
    /// A launch file that says `connect` and `listen`; what is typed overrides it.
    #[arg(long, value_name = "LAUNCH.toml")]
    pub launch: Option<PathBuf>,
}

/// What a launch file says to commands that only look.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LinkSettings {
    connect: Vec<Endpoint>,
    listen: Vec<Endpoint>,
}

/// A pattern of keys as people type it, with a hint for those who leave out how keys begin.
pub(crate) fn parse_pattern(text: &str) -> Result<KeyPattern, String> {
    KeyPattern::parse(text).map_err(|error| {
        let hint = match text.split('/').collect::<Vec<_>>().as_slice() {
            [one] if one.contains('.') => format!("; did you mean oni/*/*/{one}/**"),
            ["oni", ..] | [""] => "; * stands for one chunk, a last ** for any rest".into(),
            chunks if chunks.len() <= 4 => {
                format!("; keys begin with oni/, did you mean oni/{text}")
            }
            _ => String::new(),
        };
        format!("{error}{hint}")
    })
}

impl LinkArgs {
    /// The session's configuration: typed, else written, else this machine's default.
    pub(crate) fn config(&self) -> anyhow::Result<ZenohConfig> {
        let written: LinkSettings = match &self.launch {
            Some(path) => read_launch_file(path)?,
            None => LinkSettings::default(),
        };
        let or = |typed: &[Endpoint], written: Vec<Endpoint>| {
            if typed.is_empty() {
                written
            } else {
                typed.to_vec()
            }
        };
        let (listen, connect) = (
            or(&self.listen, written.listen),
            or(&self.connect, written.connect),
        );
        let mut config = zenoh_config(&listen, &connect, Side::Dials);
        if config.listen.is_empty() && config.connect.iter().all(|place| is_loopback(place)) {
            config.listen.push(LOOPBACK.to_owned());
        }
        Ok(config)
    }
}

fn is_loopback(endpoint: &str) -> bool {
    let host = host_and_port(endpoint).and_then(|place| place.rsplit_once(':'));
    host.is_some_and(|(host, _)| host == "localhost" || host.starts_with("127.") || host == "[::1]")
}

/// `robot:7447` of `tcp/robot:7447#iface=eth0`.
fn host_and_port(endpoint: &str) -> Option<&str> {
    let (_, address) = endpoint.split_once('/')?;
    address.split(['?', '#']).next()
}

/// Tries an end point by itself, without a session; only those over TCP can be.
pub(crate) fn dial(endpoint: &str) -> Dialled {
    let is_stream = endpoint.starts_with("tcp/") || endpoint.starts_with("tls/");
    let Some(place) = host_and_port(endpoint).filter(|_| is_stream) else {
        return Dialled::NotTried;
    };
    let addresses = match place.to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return Dialled::Error(error.to_string()),
    };
    let mut last = Dialled::Error("the name has no address".into());
    for address in addresses {
        match TcpStream::connect_timeout(&address, DIAL_WAIT_MAX) {
            Ok(_) => return Dialled::Accepted,
            Err(error) => {
                last = match error.kind() {
                    io::ErrorKind::ConnectionRefused => Dialled::Refused,
                    io::ErrorKind::TimedOut => Dialled::Silent(DIAL_WAIT_MAX),
                    _ => Dialled::Error(error.to_string()),
                };
            }
        }
    }
    last
}

/// A session that only listens.
pub(crate) struct BusSession {
    pub(crate) network: ZenohNetwork,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) signal: Signal,
    pub(crate) shutdown: Shutdown,
}

impl BusSession {
    /// Opens a session and waits for somebody at its other end.
    ///
    /// # Errors
    /// When nobody answers, saying of each end point why.
    pub(crate) fn open(links: &LinkArgs) -> anyhow::Result<Self> {
        let config = links.config()?;
        let session = Self::open_alone(&config)?;
        match session.network.wait_for_peers(1, PEER_WAIT_MAX) {
            Err(ZenohError::Unreachable { got: 0, .. }) => bail!(nobody(&config)),
            Err(error @ ZenohError::Unreachable { .. }) => tracing::warn!("{error}"),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
        Ok(session)
    }

    /// Opens a session that may be alone.
    pub(crate) fn open_alone(config: &ZenohConfig) -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock::new());
        let network = ZenohNetwork::open(config, Arc::<SystemClock>::clone(&clock))?;
        Ok(Self {
            network,
            clock,
            signal: Signal::new(),
            shutdown: shutdown_of_process(),
        })
    }

    pub(crate) fn now(&self) -> Stamp {
        self.clock.now()
    }

    /// Subscribes to a pattern; `history` is how many of each publisher's last messages come first,
    /// where it keeps any.
    pub(crate) fn subscribe(
        &self,
        pattern: &KeyPattern,
        history: usize,
    ) -> anyhow::Result<Box<dyn Subscriber>> {
        // Telemetry's class never refuses a message for its age.
        let qos = Qos::of(QosClass::Log)
            .with_depth(RING_DEPTH)
            .with_history(history);
        Ok(self.network.subscriber(pattern, qos, self.signal.wake())?)
    }

    /// Hands every message to `take`, with the number of the subscriber that it came to, until that
    /// says that it has enough, the time is up, or somebody asks for the end; `news` is called once
    /// a second.
    pub(crate) fn listen(
        &self,
        subscribers: &mut [Box<dyn Subscriber>],
        until: Option<Stamp>,
        take: &mut dyn FnMut(usize, Received) -> anyhow::Result<Enough>,
        news: &mut dyn FnMut(Stamp) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let _guard = self.shutdown.wakes(self.signal.wake());
        let mut next_news = self.now() + NEWS_EVERY;
        while !self.shutdown.is_requested() {
            for (idx, subscriber) in subscribers.iter_mut().enumerate() {
                // Bounded, so that a flood cannot keep the news and the end away.
                for _ in 0..RING_DEPTH {
                    let Some(received) = subscriber.try_next() else {
                        break;
                    };
                    if take(idx, received)? == Enough::Yes {
                        return Ok(());
                    }
                }
            }
            let now = self.now();
            if until.is_some_and(|until| now >= until) {
                return Ok(());
            }
            if now >= next_news {
                news(now)?;
                next_news = now + NEWS_EVERY;
            }
            if subscribers.iter().all(|each| each.waiting() == 0) {
                let wake_at = until.map_or(next_news, |until| until.min(next_news));
                self.signal.wait(wake_at.saturating_since(now));
            }
        }
        Ok(())
    }
}

/// Whether a listener has heard what it came for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enough {
    Yes,
    No,
}

/// Why nobody answered, end point by end point, and what to do.
fn nobody(config: &ZenohConfig) -> String {
    if config.connect.is_empty() {
        return format!(
            "nobody dialled {:?} within {PEER_WAIT_MAX:?}; say whom to dial with \
             --connect tcp/HOST:PORT",
            config.listen
        );
    }
    let reason = |endpoint: &String| {
        let reason = match dial(endpoint) {
            Dialled::Accepted => "it accepts connections, and is no Sedge or Zenoh 1.x program",
            Dialled::Refused => "the machine is there, nobody listens at that port",
            Dialled::Silent(_) => "no answer: wrong address, or a firewall",
            Dialled::NotTried => "no answer",
            Dialled::Error(error) => return format!("{endpoint}: {error}"),
        };
        format!("{endpoint}: {reason}")
    };
    let reasons: Vec<String> = config.connect.iter().map(reason).collect();
    format!(
        "nobody answers ({}); start `sedge play`, `sedge router` or an agent that listens there, \
         or say whom to dial with --connect tcp/HOST:PORT; `sedge doctor` looks closer",
        reasons.join("; ")
    )
}

/// Figures that are drawn over themselves on standard error while they grow, where that is a
/// terminal.
pub(crate) struct LiveText(Option<ProgressBar>);

impl LiveText {
    pub(crate) fn detect() -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = BarStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// Shows a text in place of the last; it is only made where it is shown.
    pub(crate) fn set(&self, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.0 {
            bar.set_message(text());
            bar.tick();
        }
    }

    /// Whether nothing is shown.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    /// Takes it away.
    pub(crate) fn end(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_is_none_comes_back_with_a_hint() {
        assert!(parse_pattern("oni/*/crane/**").is_ok());
        let check = |text: &str, hint: &str| {
            let error = parse_pattern(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        };
        check("sensor.lidar", "did you mean oni/*/*/sensor.lidar/**");
        check("sedge/crane/**", "did you mean oni/sedge/crane/**");
        check("oni/sedge", "a last ** for any rest");
        check("oni/a*/b/c/d", "between the slashes");
    }

    #[test]
    fn on_this_machine_others_can_dial_us_and_elsewhere_nothing_is_opened() {
        let listens = |connect: &str| {
            let args = LinkArgs {
                connect: vec![connect.parse().unwrap()],
                ..LinkArgs::default()
            };
            args.config().unwrap().listen
        };
        assert_eq!(listens("tcp/127.0.0.1:7447"), [LOOPBACK]);
        assert_eq!(listens("tcp/[::1]:7447"), [LOOPBACK]);
        assert_eq!(listens("tcp/10.0.0.7:7447"), [""; 0]);
        let default = LinkArgs::default().config().unwrap();
        assert_eq!(default.listen, [LOOPBACK]);
    }

    #[test]
    fn a_port_without_a_listener_is_refused_and_other_kinds_are_not_tried() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        assert_eq!(dial(&format!("tcp/127.0.0.1:{port}")), Dialled::Accepted);
        drop(free);
        assert_eq!(dial(&format!("tcp/127.0.0.1:{port}")), Dialled::Refused);
        assert_eq!(dial("udp/127.0.0.1:7447"), Dialled::NotTried);
    }
}
