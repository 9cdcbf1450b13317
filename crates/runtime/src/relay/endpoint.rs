//! Where a relay listens and whom it dials.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use serde::Deserialize;

/// What travels between two endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayProtocol {
    /// A stream of bytes.
    Tcp,
    /// Datagrams.
    Udp,
}

impl fmt::Display for RelayProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// One end of a relay, such as `tcp/127.0.0.1:7447`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RelayEndpoint {
    protocol: RelayProtocol,
    host: String,
    port: u16,
}

/// Why a text is no endpoint of a relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an endpoint such as tcp/127.0.0.1:7447 or udp/robot:7447, got {got:?}: {reason}")]
pub struct RelayEndpointError {
    /// What came, cut to 256 characters.
    pub got: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl RelayEndpoint {
    /// What travels.
    pub fn protocol(&self) -> RelayProtocol {
        self.protocol
    }

    /// The first address that the name stands for; blocks while a name server is asked.
    ///
    /// # Errors
    /// What the system says about a name that it does not know.
    pub fn resolve(&self) -> std::io::Result<SocketAddr> {
        let unknown = || std::io::Error::other("the name stands for no address");
        self.address().to_socket_addrs()?.next().ok_or_else(unknown)
    }

    /// Whether its port is 0: any free one.
    pub fn is_any_port(&self) -> bool {
        self.port == 0
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl FromStr for RelayEndpoint {
    type Err = RelayEndpointError;
    fn from_str(text: &str) -> Result<Self, RelayEndpointError> {
        let refuse = |reason: &'static str| RelayEndpointError {
            got: text.chars().take(256).collect(),
            reason,
        };
        let (protocol, address) = text
            .split_once('/')
            .ok_or_else(|| refuse("no slash between protocol and address"))?;
        let protocol = match protocol {
            "tcp" => RelayProtocol::Tcp,
            "udp" => RelayProtocol::Udp,
            "tls" => return Err(refuse("TLS is relayed as the bytes it is: write tcp/")),
            _ => return Err(refuse("the protocol must be tcp or udp")),
        };
        let (host, port) = address
            .rsplit_once(':')
            .ok_or_else(|| refuse("no colon between host and port"))?;
        if host.is_empty() {
            return Err(refuse("the host is empty"));
        }
        let port = port
            .parse()
            .or(Err(refuse("the port is no number from 0 to 65535")))?;
        Ok(Self {
            protocol,
            host: host.to_owned(),
            port,
        })
    }
}

impl TryFrom<String> for RelayEndpoint {
    type Error = RelayEndpointError;
    fn try_from(text: String) -> Result<Self, RelayEndpointError> {
        text.parse()
    }
}

impl fmt::Display for RelayEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol, self.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_are_none_are_refused_with_the_reason() {
        for good in ["tcp/127.0.0.1:7447", "udp/localhost:0", "tcp/[::1]:1"] {
            let endpoint: RelayEndpoint = good.parse().unwrap();
            assert_eq!(endpoint.to_string(), good);
        }
        let check = |bad: &str, reason: &str| {
            let error = bad.parse::<RelayEndpoint>().unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.contains(&format!("{bad:?}")),
                "{error}"
            );
        };
        check("127.0.0.1:7447", "slash");
        check("quic/a:1", "tcp or udp");
        check("tls/a:1", "write tcp/");
        check("tcp/a", "colon");
        check("tcp/:1", "host is empty");
        check("udp/a:65536", "port");
        check("", "slash");
    }

    #[test]
    fn any_port_is_zero_however_it_is_written() {
        for (text, is_any) in [("tcp/a:0", true), ("tcp/a:00", true), ("tcp/a:10", false)] {
            let endpoint: RelayEndpoint = text.parse().unwrap();
            assert_eq!(endpoint.is_any_port(), is_any, "{text}");
        }
    }
}
