//! What is sent: payload sizes, and the names of streams.

use sedge_transport_zenoh::race::{Link, Purpose, Wire};

/// Payloads, in bytes, and how many of them make a round of throughput.
pub(crate) const PAYLOADS: [Payload; 4] = [
    Payload {
        name: "64 B",
        bytes: 64,
        n_per_round: 100_000,
    },
    Payload {
        name: "1.5 KB",
        bytes: 1_536,
        n_per_round: 50_000,
    },
    Payload {
        name: "64 KB",
        bytes: 65_536,
        n_per_round: 4_000,
    },
    Payload {
        name: "1 MB",
        bytes: 1_048_576,
        n_per_round: 300,
    },
];

/// One size of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payload {
    /// In tables.
    pub(crate) name: &'static str,
    /// Bytes.
    pub(crate) bytes: usize,
    /// Messages in a round of throughput.
    pub(crate) n_per_round: usize,
}

/// What lies between the two processes.
pub(crate) const LINKS: [Link; 2] = [Link::Tcp, Link::SharedMemory];
/// What streams are used for.
pub(crate) const PURPOSES: [Purpose; 2] = [Purpose::RoundTrip, Purpose::Throughput];

pub(crate) fn link_name(link: Link) -> &'static str {
    match link {
        Link::Tcp => "TCP",
        Link::SharedMemory => "shared memory",
    }
}

/// Whether a payload is worth the link.
pub(crate) fn carries(link: Link, payload: Payload) -> bool {
    link == Link::Tcp || payload.bytes >= 65_536
}

/// The end that asks.
pub(crate) fn near(payload: Payload, purpose: Purpose) -> Wire<'static> {
    Wire {
        sends: Some("out"),
        receives: Some("back"),
        payload_bytes: payload.bytes,
        purpose,
    }
}

/// The end that answers.
pub(crate) fn far(payload: Payload, purpose: Purpose) -> Wire<'static> {
    Wire {
        sends: Some("back"),
        receives: Some("out"),
        payload_bytes: payload.bytes,
        purpose,
    }
}
