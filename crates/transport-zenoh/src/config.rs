//! How a session is opened, and what that means in Zenoh's own configuration.

use serde::Deserialize;
use serde_json::{Value, json};

use sedge_oni::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};

/// Links that this build of Zenoh has.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "tls"];
/// Batches of 64 KiB that may wait for a link, per priority: a burst of scans fits.
const QUEUE_BATCHES: u32 = 16;
/// How long a message that may be dropped waits for room on its link before it is dropped.
const DROP_WAIT_MICROS: u64 = 1_000;
/// Room for keys and Zenoh's own fields beside header and payload.
const SAMPLE_OVERHEAD_BYTES: usize = 64 * 1024;

/// Whether peers that meet at a third one connect to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gossip {
    /// They do; peers do not relay for each other, so a star of explicit endpoints needs it.
    On,
    /// Only the explicit endpoints connect.
    Off,
}

/// How a session is opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZenohConfig {
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
    /// The longest wait before a lost peer is dialled again, in milliseconds. 2000 by default.
    pub retry_longest_millis: u64,
    /// How long a message that must not be dropped waits for a stalled link before the link is
    /// closed (and dialled again), in milliseconds, at least 1. 30,000 by default: longer than any
    /// listener that is alive keeps a replay waiting.
    pub stall_millis_max: u64,
}

impl Default for ZenohConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            connect: Vec::new(),
            gossip: Gossip::On,
            retry_first_millis: 100,
            retry_longest_millis: 2_000,
            stall_millis_max: 30_000,
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
    /// A time is out of range.
    #[error("expected {field} to be {expected}, got {got}")]
    Millis {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What came.
        got: u64,
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
        let millis = [
            ("retry_first_millis", self.retry_first_millis, 1),
            (
                "retry_longest_millis",
                self.retry_longest_millis,
                self.retry_first_millis,
            ),
            ("stall_millis_max", self.stall_millis_max, 1),
        ];
        match millis.into_iter().find(|(_, got, least)| got < least) {
            None => Ok(()),
            Some((field, got, least)) => Err(ConfigError::Millis {
                field,
                expected: format!("at least {least}"),
                got,
            }),
        }
    }

    /// What differs from Zenoh's defaults, and those defaults that must not change under us.
    pub(crate) fn settings(&self) -> Vec<(&'static str, Value)> {
        let queue_sizes = json!({
            "control": 2,
            "real_time": QUEUE_BATCHES,
            "interactive_high": QUEUE_BATCHES,
            "interactive_low": QUEUE_BATCHES,
            "data_high": QUEUE_BATCHES,
            "data": QUEUE_BATCHES,
            "data_low": QUEUE_BATCHES,
            "background": QUEUE_BATCHES,
        });
        let sample_bytes = HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX + SAMPLE_OVERHEAD_BYTES;
        vec![
            ("mode", json!("peer")),
            ("scouting/multicast/enabled", json!(false)),
            ("scouting/gossip/enabled", json!(self.gossip == Gossip::On)),
            // Zenoh's default listens on every interface.
            ("listen/endpoints", json!(self.listen)),
            ("listen/timeout_ms", json!(0)),
            ("listen/exit_on_failure", json!(true)),
            ("connect/endpoints", json!(self.connect)),
            ("connect/timeout_ms", json!(-1)),
            ("connect/exit_on_failure", json!(false)),
            (
                "connect/retry",
                json!({
                    "period_init_ms": self.retry_first_millis,
                    "period_max_ms": self.retry_longest_millis,
                    "period_increase_factor": 2.0,
                }),
            ),
            ("timestamping/enabled", json!(true)),
            ("adminspace/enabled", json!(false)),
            ("transport/link/tx/queue/size", queue_sizes),
            (
                "transport/link/tx/queue/congestion_control/drop/wait_before_drop",
                json!(DROP_WAIT_MICROS),
            ),
            (
                "transport/link/tx/queue/congestion_control/block/wait_before_close",
                json!(self.stall_millis_max.saturating_mul(1_000)),
            ),
            ("transport/link/rx/max_message_size", json!(sample_bytes)),
        ]
    }
}

fn refuse(endpoint: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Endpoint {
        endpoint: endpoint.chars().take(256).collect(),
        reason: reason.into(),
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), ConfigError> {
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
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_are_none_are_refused_by_name() {
        for good in [
            "tcp/127.0.0.1:7447",
            "udp/localhost:0",
            "tls/robot:1#iface=eth0",
            "tcp/[::]:1",
        ] {
            let config = ZenohConfig {
                listen: vec![good.to_string()],
                ..Default::default()
            };
            assert_eq!(config.check(), Ok(()), "{good}");
        }
        for bad in [
            "",
            "tcp",
            "127.0.0.1:7447",
            "quic/a:1",
            "tcp/a",
            "tcp/:1",
            "tcp/a:65536",
        ] {
            let config = ZenohConfig {
                connect: vec![bad.to_string()],
                ..Default::default()
            };
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
        let config = ZenohConfig {
            connect: vec!["tcp/localhost:0".to_string()],
            ..Default::default()
        };
        assert!(config.check().is_err(), "nobody is at port 0");
    }

    #[test]
    fn times_that_make_no_sense_are_refused_by_field() {
        let config = ZenohConfig {
            retry_first_millis: 50,
            retry_longest_millis: 20,
            ..Default::default()
        };
        let error = config.check().unwrap_err().to_string();
        assert!(
            error.contains("retry_longest_millis") && error.contains("20"),
            "{error}"
        );
        let config = ZenohConfig {
            stall_millis_max: 0,
            ..Default::default()
        };
        assert!(
            config
                .check()
                .unwrap_err()
                .to_string()
                .contains("stall_millis_max")
        );
    }

    #[test]
    fn it_reads_from_toml_and_refuses_unknown_keys() {
        let config: ZenohConfig =
            toml::from_str("listen = ['tcp/127.0.0.1:0']\ngossip = 'off'").unwrap();
        let expected = ZenohConfig {
            listen: vec!["tcp/127.0.0.1:0".to_string()],
            gossip: Gossip::Off,
            ..Default::default()
        };
        assert_eq!(config, expected);
        assert!(toml::from_str::<ZenohConfig>("listn = []").is_err());
    }

    /// Zenoh has turned settings into silent no-ops before: each must read back as it was written.
    #[test]
    fn zenoh_knows_every_setting() {
        let config = ZenohConfig {
            listen: vec!["tcp/127.0.0.1:0".to_string()],
            ..Default::default()
        };
        let mut zenoh = zenoh::Config::default();
        for (key, value) in config.settings() {
            zenoh.insert_json5(key, &value.to_string()).unwrap();
            let read: Value = serde_json::from_str(&zenoh.get_json(key).unwrap()).unwrap();
            assert_eq!(read, value, "{key}");
        }
    }
}
