//! How a session is opened.

use serde::Deserialize;

use sedge_oni::limits::PAYLOAD_BYTES_MAX;

mod settings;
mod tls;

pub use tls::{PeerCertificates, Tls};

/// Links that this build of Zenoh has.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "tls"];
/// Endpoints on either side; a fleet that needs more needs routers.
const ENDPOINTS_MAX: usize = 64;

/// What a session is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Talks to those that it is connected to, and relays nothing. All peers connect to each
    /// other: a router does not relay between two peers either, it only tells them of each other
    /// where there is gossip, and they connect if one of them listens.
    #[default]
    Peer,
    /// Relays between clients, and between clients and peers.
    Router,
    /// Has one connection, to the first of its endpoints that answers, and everybody else behind
    /// it. They are dialled for ever: where nobody answers yet, it waits.
    Client,
}

/// Whether peers that meet at a third one connect to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gossip {
    /// They do; peers do not relay for each other, so a star of explicit endpoints needs it.
    On,
    /// Only the explicit endpoints connect.
    Off,
}

/// Whether large payloads travel through shared memory to processes of the same machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SharedMemoryMode {
    /// Everything goes over the links.
    #[default]
    Off,
    /// Large payloads do, to those who have it switched on too and can reach the memory.
    On,
}

/// How much shared memory there is, and for which payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedMemory {
    /// Whether it is used. Off by default: containers often have 64 MiB of it or none.
    pub mode: SharedMemoryMode,
    /// Bytes of the pool that payloads are put into, at least twice the largest payload that
    /// shall fit, at most 4 GiB. 64 MiB by default. A payload stays in it until every reader let
    /// go of it, and at least about 0.1 s: the pool bounds how many bytes a second go through it.
    pub pool_bytes: usize,
    /// Payloads of at least so many bytes go into the pool, at least 1024. 32 KiB by default:
    /// below, a copy into a packet is cheaper.
    pub threshold_bytes: usize,
}

impl Default for SharedMemory {
    fn default() -> Self {
        Self {
            mode: SharedMemoryMode::Off,
            pool_bytes: PAYLOAD_BYTES_MAX,
            threshold_bytes: 32 * 1024,
        }
    }
}

/// How a session is opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZenohConfig {
    /// What the session is to the others. A peer by default.
    pub mode: Mode,
    /// Where to listen, such as `tcp/127.0.0.1:7447`; port 0 is any free one, see
    /// [`crate::ZenohNetwork::locators`]. None by default: nothing listens unless it is told to.
    pub listen: Vec<String>,
    /// Whom to dial, such as `tcp/127.0.0.1:7447`; dialled again whenever it is lost. None by
    /// default. Of two sides, only one should dial.
    pub connect: Vec<String>,
    /// Whether peers that meet here connect to each other. On by default.
    pub gossip: Gossip,
    /// The first wait before a lost peer is dialled again, in milliseconds, at least 1; it doubles
    /// up to the longest. 100 by default: a restarted process is back within a blink.
    pub retry_first_millis: u64,
    /// The longest wait before a lost peer is dialled again, in milliseconds. 300 by default: with
    /// [`ZenohConfig::open_millis_max`] it is what recovery after an outage costs at most, beside
    /// the handshake.
    pub retry_longest_millis: u64,
    /// How long a message that must not be dropped waits for a stalled link to take 64 KiB before
    /// the link is closed (and dialled again), in milliseconds, at least 1. 1000 by default, as
    /// long as the lease: Zenoh does not give a link up while somebody waits for it, so that this
    /// is what an outage costs at most. Links below half a megabit a second need more. It waits in
    /// a thread of the network's, not in its caller's.
    pub stall_millis_max: u64,
    /// How long connecting and the handshake of a link may take before they are begun anew, in
    /// milliseconds, 100 to 60,000. 600 by default: into a link that is cut, systems repeat their
    /// first packet after a second and then ever more seldom. Links by satellite need more.
    pub open_millis_max: u64,
    /// After how long without a sign of life a link is given up, in milliseconds, 100 to 60,000.
    /// 1000 by default. Signs of life are sent four times as often.
    pub lease_millis: u64,
    /// How often each session tells all others, on the way that data takes, whom it hears, in
    /// milliseconds: 20 to 10,000, or 0 for never. 200 by default. Where that way is dead though
    /// the link looks alive, the session is opened anew.
    pub heartbeat_millis: u64,
    /// Shared memory for large payloads. Off by default.
    pub shared_memory: SharedMemory,
    /// Encrypted links to peers who prove who they are; then no others are opened or accepted,
    /// and every endpoint begins with `tls/`. None by default.
    pub tls: Option<Tls>,
}

impl Default for ZenohConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Peer,
            listen: Vec::new(),
            connect: Vec::new(),
            gossip: Gossip::On,
            retry_first_millis: 100,
            retry_longest_millis: 300,
            stall_millis_max: 1_000,
            open_millis_max: 600,
            lease_millis: 1_000,
            heartbeat_millis: 200,
            shared_memory: SharedMemory::default(),
            tls: None,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An endpoint is none.
    #[error("expected an endpoint such as tcp/127.0.0.1:7447, got {endpoint:?}: {reason}")]
    Endpoint {
        /// What came.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A number is out of range.
    #[error("expected {field} to be {expected}, got {got}")]
    Range {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What came.
        got: u64,
    },
    /// What is needed for encrypted links is missing or is not used.
    #[error("expected {expected}, got {got}")]
    Tls {
        /// What is needed.
        expected: &'static str,
        /// What there is.
        got: String,
    },
    /// The endpoints do not fit the mode.
    #[error("expected a {mode} to {expected}")]
    Topology {
        /// The mode.
        mode: &'static str,
        /// What is missing.
        expected: &'static str,
    },
}

impl ZenohConfig {
    /// Checks everything that can be known to be wrong before a socket is opened.
    ///
    /// # Errors
    /// [`ConfigError`] naming the endpoint or field.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.listen
            .iter()
            .chain(&self.connect)
            .try_for_each(|endpoint| check_endpoint(endpoint))?;
        if let Some(endpoint) = self
            .connect
            .iter()
            .find(|endpoint| endpoint.ends_with(":0"))
        {
            return Err(refuse(endpoint, "port 0 can be listened to, not dialled"));
        }
        self.check_topology()?;
        tls::check(self)?;
        self.ranges().into_iter().try_for_each(Range::check)
    }

    fn check_topology(&self) -> Result<(), ConfigError> {
        let topology = |mode, expected| Err(ConfigError::Topology { mode, expected });
        match self.mode {
            Mode::Client if self.connect.is_empty() => {
                topology("client", "dial somebody, got no endpoint to connect to")
            }
            Mode::Client if !self.listen.is_empty() => {
                topology("client", "listen nowhere, got endpoints to listen on")
            }
            Mode::Router if self.listen.is_empty() && self.connect.is_empty() => {
                topology("router", "listen or dial, got no endpoint at all")
            }
            _ => Ok(()),
        }
    }

    fn ranges(&self) -> [Range; 10] {
        let range = |field, got, least, most| Range {
            field,
            got,
            least,
            most,
        };
        let first = self.retry_first_millis;
        let beat = self.heartbeat_millis;
        let endpoints = ENDPOINTS_MAX as u64;
        let memory = &self.shared_memory;
        let threshold = memory.threshold_bytes as u64;
        [
            range(
                "the number of listen",
                self.listen.len() as u64,
                0,
                endpoints,
            ),
            range(
                "the number of connect",
                self.connect.len() as u64,
                0,
                endpoints,
            ),
            range("retry_first_millis", first, 1, u64::MAX),
            range(
                "retry_longest_millis",
                self.retry_longest_millis,
                first,
                u64::MAX,
            ),
            range("stall_millis_max", self.stall_millis_max, 1, 3_600_000),
            range("open_millis_max", self.open_millis_max, 100, 60_000),
            range("lease_millis", self.lease_millis, 100, 60_000),
            range(
                "heartbeat_millis",
                beat,
                if beat == 0 { 0 } else { 20 },
                10_000,
            ),
            range("shared_memory.threshold_bytes", threshold, 1024, 1 << 32),
            range(
                "shared_memory.pool_bytes",
                memory.pool_bytes as u64,
                2 * threshold,
                1 << 32,
            ),
        ]
    }
}

/// A number and what it may be.
struct Range {
    field: &'static str,
    got: u64,
    least: u64,
    most: u64,
}

impl Range {
    fn check(self) -> Result<(), ConfigError> {
        let expected = match self {
            Self { got, least, .. } if got < least => format!("at least {least}"),
            Self { got, most, .. } if got > most => format!("at most {most}"),
            _ => return Ok(()),
        };
        Err(ConfigError::Range {
            field: self.field,
            expected,
            got: self.got,
        })
    }
}

fn refuse(endpoint: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Endpoint {
        endpoint: endpoint.chars().take(256).collect(),
        reason: reason.into(),
    }
}

/// Checks a text that shall be an endpoint, such as `tcp/127.0.0.1:7447`, by itself: whether it
/// fits a configuration is [`ZenohConfig::check`]'s to say.
///
/// # Errors
/// [`ConfigError::Endpoint`] saying what is wrong with it.
pub fn check_endpoint(endpoint: &str) -> Result<(), ConfigError> {
    let Some((protocol, address)) = endpoint.split_once('/') else {
        return Err(refuse(endpoint, "no slash between protocol and address"));
    };
    if !PROTOCOLS.contains(&protocol) {
        return Err(refuse(
            endpoint,
            format!("the protocol must be one of {PROTOCOLS:?}"),
        ));
    }
    let host_and_port = address.split(['?', '#']).next().unwrap_or_default();
    let Some((host, port)) = host_and_port.rsplit_once(':') else {
        return Err(refuse(endpoint, "no colon between host and port"));
    };
    if host.is_empty() {
        return Err(refuse(endpoint, "the host is empty"));
    }
    if port.parse::<u16>().is_err() {
        return Err(refuse(endpoint, format!("{port:?} is no port")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
