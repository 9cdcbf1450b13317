//! The transport traits over Zenoh.
//!
//! One session with explicit endpoints: nothing is scouted by multicast, a lost peer is dialled
//! again for ever with bounded back-off, and what Zenoh receives goes straight into the bounded
//! ring of its reader. A message's header travels as the sample's attachment, its payload as the
//! sample's payload.
//!
//! It never shows a type of Zenoh in its interface, never runs a reader's code on a receiving
//! thread, and never uses Zenoh's own queues towards readers, which hold the receiving thread up
//! when they are full.
//!
//! ```
//! use std::sync::Arc;
//! use sedge_oni::Key;
//! use sedge_spacetime::ManualClock;
//! use sedge_transport::{Network as _, Qos, QosClass, no_wake};
//! use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};
//!
//! let config = ZenohConfig { listen: vec!["tcp/127.0.0.1:0".to_string()], ..Default::default() };
//! let network = ZenohNetwork::open(&config, Arc::new(ManualClock::default()))?;
//! assert!(network.locators()[0].starts_with("tcp/127.0.0.1:"));
//!
//! let key = Key::parse("oni/flock/crane3/sensor.lidar/front")?;
//! let publisher = network.publisher(&key, Qos::of(QosClass::State), no_wake())?;
//! assert!(!publisher.has_subscribers());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backlog;
mod config;
mod flow;
mod history;
mod lanes;
mod network;
mod payload;
mod peers;
mod publisher;
mod pulse;
mod router;
mod served;
mod session;
mod shared_memory;
mod subscriber;
mod watch;

pub use config::{
    ConfigError, Gossip, Mode, PeerCertificates, SharedMemory, SharedMemoryMode, Tls, ZenohConfig,
};
pub use network::{ZenohError, ZenohNetwork};
pub use peers::{Counters, Peer, PeerLink};
pub use router::ZenohRouter;
