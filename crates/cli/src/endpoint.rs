//! Texts from people that mean one thing, checked where they come in.

use std::fmt;
use std::str::FromStr;

use sedge_transport_zenoh::{ConfigError, ZenohConfig};
use serde::{Deserialize, Serialize};

/// Where a player listens and an agent dials unless told otherwise: this machine alone.
pub(crate) const DEFAULT_ENDPOINT: &str = "tcp/127.0.0.1:7447";

/// A place on a network, such as `tcp/127.0.0.1:7447`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint(String);

impl FromStr for Endpoint {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        sedge_transport_zenoh::check_endpoint(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = ConfigError;
    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> String {
        endpoint.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which side of a link a command takes when it is told neither side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// It listens.
    Listens,
    /// It dials.
    Dials,
}

/// The session's configuration; on this machine alone where no endpoint is given.
pub(crate) fn zenoh_config(
    listen: &[Endpoint],
    connect: &[Endpoint],
    otherwise: Side,
) -> ZenohConfig {
    let texts = |endpoints: &[Endpoint]| endpoints.iter().map(ToString::to_string).collect();
    let mut config = ZenohConfig {
        listen: texts(listen),
        connect: texts(connect),
        ..ZenohConfig::default()
    };
    if listen.is_empty() && connect.is_empty() {
        match otherwise {
            Side::Listens => config.listen.push(DEFAULT_ENDPOINT.to_owned()),
            Side::Dials => config.connect.push(DEFAULT_ENDPOINT.to_owned()),
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_endpoints_nothing_leaves_the_machine() {
        let config = zenoh_config(&[], &[], Side::Listens);
        assert_eq!(
            (config.listen, config.connect),
            (vec![DEFAULT_ENDPOINT.to_owned()], vec![])
        );
        let elsewhere: Endpoint = "tcp/10.0.0.1:1".parse().unwrap();
        let config = zenoh_config(&[], &[elsewhere], Side::Listens);
        assert_eq!((config.listen.len(), config.connect.len()), (0, 1));
    }

    #[test]
    fn an_endpoint_without_a_protocol_is_refused() {
        let error = "127.0.0.1:7447"
            .parse::<Endpoint>()
            .unwrap_err()
            .to_string();
        assert!(error.contains("tcp/127.0.0.1:7447") && error.contains("\"127.0.0.1:7447\""));
    }
}
