//! What a configuration means in Zenoh's own.

use serde_json::{Value, json};

use sedge_oni::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};

use super::{Gossip, Mode, SharedMemoryMode, ZenohConfig};

/// Batches of 64 KiB that may wait for a link, per priority, which is as many as Zenoh takes: a
/// burst of scans fits.
pub(crate) const QUEUE_BATCHES: u32 = 16;
/// The same for the priority of whoever waits for room, lossless streams above all: nothing is
/// dropped there, and batches that serve again soon are still in the processor's cache. With two,
/// the sending thread has to be waited for.
const WAITING_QUEUE_BATCHES: u32 = 4;
/// How long a message that may be dropped waits for room on its link before it is dropped, with
/// its caller: long enough for the sending thread to take a burst, short enough for any control
/// loop.
const DROP_WAIT_MICROS: u64 = 50;
/// Room for keys and Zenoh's own fields beside header and payload.
const SAMPLE_OVERHEAD_BYTES: usize = 64 * 1024;
/// Signs of life in a lease.
const KEEP_ALIVES: u32 = 4;
/// How long a session that is being opened waits for the peers that it dials. A router would
/// sleep that long.
const OPEN_WAIT_MILLIS: u64 = 500;

impl ZenohConfig {
    /// What differs from Zenoh's defaults, and those defaults that must not change under us.
    pub(crate) fn settings(&self) -> Vec<(&'static str, Value)> {
        let mut settings = self.topology();
        settings.extend(self.links());
        settings.extend(self.memory());
        settings.extend(self.tls.iter().flat_map(super::Tls::settings));
        // Stamps of Zenoh's would make an advanced subscriber drop what comes out of their order,
        // across keys; ours are in the header.
        settings.push(("timestamping/enabled", json!(false)));
        settings.push(("adminspace/enabled", json!(false)));
        settings
    }

    fn topology(&self) -> Vec<(&'static str, Value)> {
        let (mode, open_wait) = match self.mode {
            Mode::Peer => ("peer", OPEN_WAIT_MILLIS),
            Mode::Router => ("router", 0),
            Mode::Client => ("client", OPEN_WAIT_MILLIS),
        };
        // Zenoh opens a client only once it has a router, and would try its first endpoint alone,
        // for ever: we have it try each of them once, and try again ourselves.
        let is_client = self.mode == Mode::Client;
        let connect_wait = if is_client { 0 } else { -1 };
        vec![
            ("mode", json!(mode)),
            ("scouting/delay", json!(open_wait)),
            ("scouting/multicast/enabled", json!(false)),
            ("scouting/gossip/enabled", json!(self.gossip == Gossip::On)),
            // Zenoh's default listens on every interface.
            ("listen/endpoints", json!(self.listen)),
            ("listen/timeout_ms", json!(0)),
            ("listen/exit_on_failure", json!(true)),
            ("connect/endpoints", json!(self.connect)),
            ("connect/timeout_ms", json!(connect_wait)),
            ("connect/exit_on_failure", json!(is_client)),
            (
                "connect/retry",
                json!({
                    "period_init_ms": self.retry_first_millis,
                    "period_max_ms": self.retry_longest_millis,
                    "period_increase_factor": 2.0,
                }),
            ),
        ]
    }

    fn links(&self) -> Vec<(&'static str, Value)> {
        let queue_sizes = json!({
            "control": 2,
            "real_time": QUEUE_BATCHES,
            "interactive_high": QUEUE_BATCHES,
            "interactive_low": QUEUE_BATCHES,
            "data_high": QUEUE_BATCHES,
            "data": QUEUE_BATCHES,
            "data_low": QUEUE_BATCHES,
            "background": WAITING_QUEUE_BATCHES,
        });
        let sample_bytes = HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX + SAMPLE_OVERHEAD_BYTES;
        vec![
            (
                "transport/unicast/open_timeout",
                json!(self.open_millis_max),
            ),
            (
                "transport/unicast/accept_timeout",
                json!(self.open_millis_max),
            ),
            ("transport/link/tx/lease", json!(self.lease_millis)),
            ("transport/link/tx/keep_alive", json!(KEEP_ALIVES)),
            ("transport/link/tx/queue/size", queue_sizes),
            (
                "transport/link/tx/queue/congestion_control/drop/wait_before_drop",
                json!(DROP_WAIT_MICROS),
            ),
            (
                "transport/link/tx/queue/congestion_control/drop/max_wait_before_drop_fragments",
                json!(0),
            ),
            (
                "transport/link/tx/queue/congestion_control/block/wait_before_close",
                json!(self.stall_millis_max.saturating_mul(1_000)),
            ),
            ("transport/link/rx/max_message_size", json!(sample_bytes)),
        ]
    }

    fn memory(&self) -> Vec<(&'static str, Value)> {
        let is_on = self.shared_memory.mode == SharedMemoryMode::On;
        vec![
            ("transport/shared_memory/enabled", json!(is_on)),
            // Not when the first large message comes.
            ("transport/shared_memory/mode", json!("init")),
            // Our pool is aligned, counts, and never takes back what somebody still reads.
            (
                "transport/shared_memory/transport_optimization/enabled",
                json!(false),
            ),
            (
                "transport/shared_memory/transport_optimization/messages",
                json!(["put"]),
            ),
        ]
    }
}
