//! How messages reach a node: publishers and subscribers, classes of service, nodes without I/O,
//! loss counted, and a network within one process.
//!
//! It never opens a socket, starts a thread, reads a machine's clock or looks into a payload. Every
//! queue has a depth and says what it does when full; what a queue or a network loses is counted.
//!
//! Networks misbehave, and here they can be made to: an [`ImpairedLink`] delays, loses, copies and
//! reorders by a seed, an [`ImpairedNetwork`] connects agents with such links, and a
//! [`conformance`] suite says what every network must do all the same. A thousand seeded swarms are
//! part of the tests; `SEDGE_SEED=123 cargo test -p sedge-transport --test swarm` runs one again.
//!
//! ```
//! use std::sync::Arc;
//! use sedge_oni::{Capture, Envelope, Key, Lidar, Sequence, TypedMessage as _};
//! use sedge_spacetime::{AgentName, ManualClock, Stamp};
//! use sedge_transport::{InProcessNetwork, Network as _, Qos, QosClass, no_wake};
//!
//! let network = InProcessNetwork::new(Arc::new(ManualClock::new(Stamp::from_nanos(7))));
//! let key = Key::parse("oni/flock/crane3/sensor.lidar/front")?;
//! let qos = Qos::of(QosClass::State);
//! let mut subscriber = network.subscriber(&(&key).into(), qos, no_wake())?;
//! let mut publisher = network.publisher(&key, qos, no_wake())?;
//!
//! let mut sequence = Sequence::new(AgentName::new("crane3")?, 1);
//! let capture = Capture::exact(Stamp::from_nanos(5), "robot");
//! let scan = Lidar { first_angle_rad: 0.0, step_rad: 0.1, ranges_m: vec![2.0].into() };
//! let message = scan.to_message(Envelope::new(sequence.next_source(), capture))?.encode()?;
//! publisher.put(&message);
//!
//! let received = subscriber.try_next().expect("what was put is there");
//! assert_eq!(received.message, message);
//! assert_eq!(received.arrival, Stamp::from_nanos(7));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod conformance;
mod drop_ledger;
mod heartbeat;
mod history;
mod impaired_link;
mod impaired_network;
mod impairments;
mod in_process;
mod loss_ledger;
mod network;
mod node;
mod qos;
mod ring;
mod signal;

pub use drop_ledger::{DROP_KEYS_MAX, DropLedger, DropPlace, DropReason, DropRow, SharedDrops};
pub use heartbeat::{
    BEAT_BYTES_MAX, Beat, BeatError, HEARTBEAT_PEERS_MAX, Heard, Heartbeat, HeartbeatConfig,
    HeartbeatConfigError, HeartbeatCounts, PeerState, Reopen,
};
pub use impaired_link::{IN_FLIGHT_MAX, ImpairedLink, LinkCounts, LinkDrop};
pub use impaired_network::{ImpairedNetwork, ImpairedSide};
pub use impairments::{
    ImpairmentError, Impairments, LinkOrder, LinkQueue, Loss, Partition, Rate, Reordering,
};
pub use in_process::InProcessNetwork;
pub use loss_ledger::{Arrival, LossCounts, LossLedger, STREAMS_MAX, WINDOW};
pub use network::{
    LOSSLESS_PUT_WAIT_MAX, Network, NetworkError, PUT_WAIT_MAX, Publisher, PutOutcome, REPLIES_MAX,
    Received, Replies, Served, Subscriber,
};
pub use node::{Inbox, NextTick, Node, Outbox, OutboxFull, Outgoing};
pub use qos::{
    AgeRule, Batching, Congestion, Delivery, HISTORY_MAX, Priority, Qos, QosClass, QosProfile,
};
pub use ring::{Offer, Queued, RingReader, RingWriter, accounted_ring};
pub use signal::{Signal, Wake, no_wake};
