//! The transport traits over Zenoh.
//!
//! One session with explicit endpoints: nothing is scouted by multicast, and a lost peer is dialled
//! again for ever with bounded back-off. A message's header travels as the sample's attachment, its
//! payload as the sample's payload: in a packet, or large ones through shared memory.
//!
//! - What comes is checked for its size and goes straight into its reader's ring. A large payload
//!   stays in Zenoh's buffer; it is read there, or copied once by its reader. Messages of less than
//!   8 KiB are copied where they come in; for lossless readers many into one piece of 32 KiB, which
//!   lives for as long as one of them is kept.
//! - What classes that drop put is handed to Zenoh by the caller, which returns at once. What may
//!   wait for a link waits in a bounded queue with a thread of its own. The two never share a
//!   priority of Zenoh's, whose queues are locked by whoever waits in them.
//! - Lossless readers that lag ask their publishers to stop.
//! - A heartbeat goes where the data goes. Where it stops though the link looks alive, the session
//!   is opened anew and everything declared again.
//! - Last messages are kept and asked for in the form of Zenoh's advanced publishers and
//!   subscribers, so that other programs take part in it.
//!
//! It never shows a type of Zenoh in its interface, never runs a reader's code on a receiving
//! thread nor holds one up, and never uses Zenoh's own queues towards readers, which do.
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
mod closing;
mod config;
mod dial;
mod flow;
mod gather;
mod history;
mod lanes;
mod late;
mod network;
mod parcel;
mod payload;
mod peers;
mod publisher;
mod pulse;
pub mod race;
mod router;
mod served;
mod session;
mod shared_memory;
mod subscriber;
mod watch;

pub use config::{
    ConfigError, Gossip, Mode, PeerCertificates, SharedMemory, SharedMemoryMode, Tls, ZenohConfig,
    check_endpoint,
};
pub use network::{ZenohError, ZenohNetwork};
pub use peers::{Counters, Peer, PeerLink};
pub use router::ZenohRouter;
