//! Real sessions on loopback and free ports: the contract of networks over every topology, and
//! what a bad one must not do.
#![expect(
    clippy::unwrap_used,
    reason = "a test says where it fails by failing there"
)]

mod bundles;
mod contract;
mod encrypted;
mod history;
mod reopening;
mod sessions;
mod shared_memory;
mod slow_readers;

use std::sync::Arc;

use sedge_spacetime::ManualClock;
use sedge_transport::conformance::PATIENCE;
use sedge_transport_zenoh::ZenohRouter;
use sedge_transport_zenoh::{Mode, SharedMemory, SharedMemoryMode, ZenohConfig, ZenohNetwork};

use sessions::{dialling, listening, open, plain_zenoh, wait_until};

fn with_shared_memory(config: ZenohConfig, pool_bytes: usize) -> ZenohConfig {
    ZenohConfig {
        shared_memory: SharedMemory {
            mode: SharedMemoryMode::On,
            pool_bytes,
            threshold_bytes: 1024,
        },
        ..config
    }
}

/// One that listens and one that dials it, each configured further.
fn pair_of(configure: impl Fn(ZenohConfig) -> ZenohConfig) -> (ZenohNetwork, ZenohNetwork) {
    let near = open(&configure(listening()));
    let far = open(&configure(dialling(&near.locators()[0])));
    far.wait_for_peers(1, PATIENCE).unwrap();
    near.wait_for_peers(1, PATIENCE).unwrap();
    (near, far)
}

fn pair() -> (ZenohNetwork, ZenohNetwork) {
    pair_of(|config| config)
}

fn router() -> ZenohRouter {
    ZenohRouter::open(&listening(), Arc::new(ManualClock::default())).unwrap()
}

/// Two that meet at a router.
fn routed(router: &ZenohRouter, mode: Mode) -> (ZenohNetwork, ZenohNetwork) {
    let config = ZenohConfig {
        mode,
        ..dialling(&router.locators()[0])
    };
    let pair = (open(&config), open(&config));
    pair.0.wait_for_peers(1, PATIENCE).unwrap();
    pair.1.wait_for_peers(1, PATIENCE).unwrap();
    pair
}
