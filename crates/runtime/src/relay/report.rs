//! What went through a relay.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What happened in one direction. What is counted is datagrams over UDP and packets of at most
/// 1,448 bytes over TCP (64 KiB where the link has no faults).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectionReport {
    /// What came in.
    pub came: u64,
    /// Bytes of what came in.
    pub bytes_came: u64,
    /// What was passed on; copies count.
    pub forwarded: u64,
    /// Bytes of what was passed on.
    pub bytes_forwarded: u64,
    /// Copies that the link made.
    pub duplicated: u64,
    /// Over TCP, what had to be sent once more because the link lost it.
    pub sent_again: u64,
    /// What did not get through, by reason. Over TCP what was lost is sent again, so nothing is
    /// missing in the end.
    pub dropped: DropReport,
}

/// What did not get through, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropReport {
    /// Lost by chance, as the link was told to.
    pub loss: u64,
    /// The link's queue was full.
    pub queue: u64,
    /// The link was cut.
    pub partition: u64,
    /// The other end was gone, or its socket refused.
    pub closed: u64,
}

impl DropReport {
    /// All reasons together.
    pub fn total(&self) -> u64 {
        self.loss + self.queue + self.partition + self.closed
    }
}

/// The connections of a relay; over UDP, senders told apart by their address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionReport {
    /// Open now.
    pub open: u64,
    /// Let through since the start.
    pub accepted: u64,
    /// Turned away: too many, or the link was cut with a reset.
    pub refused: u64,
    /// Ended because the endpoint to dial did not answer, or who dialled gave up during a cut.
    pub unreachable: u64,
    /// Ended by a reset: one end's, or one that was ordered.
    pub reset: u64,
}

/// What went through a relay since its start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayReport {
    /// How long it has been running, seconds.
    pub secs: f64,
    /// The connections.
    pub connections: ConnectionReport,
    /// From those who dial the relay to the endpoint that it dials.
    pub forward: DirectionReport,
    /// The other way.
    pub back: DirectionReport,
}

/// A count that many tasks add to.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of [`DirectionReport`] while they grow.
#[derive(Debug, Default)]
pub(super) struct DirectionCounts {
    pub(super) came: Count,
    pub(super) bytes_came: Count,
    pub(super) forwarded: Count,
    pub(super) bytes_forwarded: Count,
    pub(super) overflow: Count,
    pub(super) partition: Count,
    pub(super) closed: Count,
}

/// The counts of [`ConnectionReport`] while they grow.
#[derive(Debug, Default)]
pub(super) struct ConnectionCounts {
    pub(super) open: Count,
    pub(super) accepted: Count,
    pub(super) refused: Count,
    pub(super) unreachable: Count,
    pub(super) reset: Count,
}

impl ConnectionCounts {
    pub(super) fn report(&self) -> ConnectionReport {
        ConnectionReport {
            open: self.open.get(),
            accepted: self.accepted.get(),
            refused: self.refused.get(),
            unreachable: self.unreachable.get(),
            reset: self.reset.get(),
        }
    }
}
