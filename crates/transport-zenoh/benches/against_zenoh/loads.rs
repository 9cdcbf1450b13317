//! What is sent: payload sizes, keys, and what an end of a stream must be able to do.

use std::time::Duration;

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

/// Longer than a message takes: then it is lost, which the benchmark does not hide.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// One size of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payload {
    /// In tables and keys.
    pub(crate) name: &'static str,
    /// Bytes.
    pub(crate) bytes: usize,
    /// Messages in a round of throughput.
    pub(crate) n_per_round: usize,
}

/// What lies between the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// TCP on loopback.
    Tcp,
    /// Payloads in shared memory, from a pool of [`POOL_BYTES`], a new piece for each message.
    SharedMemory,
}

impl Link {
    pub(crate) const ALL: [Self; 2] = [Self::Tcp, Self::SharedMemory];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::SharedMemory => "shared memory",
        }
    }

    /// Payloads that are worth it.
    pub(crate) fn carries(self, payload: Payload) -> bool {
        self == Self::Tcp || payload.bytes >= 65_536
    }
}

/// Room for a tenth of a second of payloads, which is how long a piece is held.
pub(crate) const POOL_BYTES: usize = 512 << 20;

/// What a stream is used for, which decides its class of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// One message there, one back: class `State`, which drops and is express.
    RoundTrip,
    /// As fast as it goes: class `Log`, which batches, without loss.
    Throughput,
}

impl Purpose {
    pub(crate) const ALL: [Self; 2] = [Self::RoundTrip, Self::Throughput];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round-trip",
            Self::Throughput => "throughput",
        }
    }

    /// How many messages wait for a reader.
    pub(crate) fn depth(self) -> usize {
        match self {
            Self::RoundTrip => 64,
            Self::Throughput => 1_024,
        }
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    Back,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Back => "back",
        }
    }
}

/// One end of a pair of streams.
pub(crate) trait End: Send {
    /// Sends a payload of the agreed size.
    fn send(&mut self);

    /// Waits for a message and reads its payload: its size, or `None` when none came in time.
    fn receive(&mut self) -> Option<usize>;

    /// Whether somebody at the other end listens.
    fn is_heard(&self) -> bool;

    /// Of the payloads received, how many had to be copied to be read; `None` where unknown.
    fn n_copied(&self) -> Option<u64>;
}

/// Something that sends and receives.
pub(crate) trait Stack {
    /// An end that sends `sends` and receives the other way.
    fn end(&self, payload: Payload, purpose: Purpose, sends: Way) -> Box<dyn End>;
}

/// Reads one byte of each page, so that no stack gets away with never looking.
pub(crate) fn touch(payload: &[u8]) -> usize {
    let sum: usize = payload
        .iter()
        .step_by(4_096)
        .map(|byte| usize::from(*byte))
        .sum();
    std::hint::black_box(sum);
    payload.len()
}

/// Waits until both ends are there.
pub(crate) fn wait_until_heard(end: &dyn End) {
    let deadline = crate::machine::now() + 10 * PATIENCE;
    while !end.is_heard() {
        assert!(crate::machine::now() < deadline, "nobody at the other end");
        crate::machine::sleep(Duration::from_millis(5));
    }
}
