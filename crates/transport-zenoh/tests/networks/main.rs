//! Real sessions on loopback and free ports: the contract of networks over every topology, and
//! what a bad one must not do.
#![expect(
    clippy::unwrap_used,
    reason = "a test says where it fails by failing there"
)]

mod contract;
mod encrypted;
mod history;
mod reopening;
mod shared_memory;
mod slow_readers;
mod stalling_link;
mod stalls;

use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::ManualClock;
use sedge_transport::Signal;
use sedge_transport::conformance::PATIENCE;
use sedge_transport_zenoh::ZenohRouter;
use sedge_transport_zenoh::{Mode, SharedMemory, SharedMemoryMode, ZenohConfig, ZenohNetwork};

/// Longer than a busy machine keeps a thread waiting: only what is cut is given up.
const PATIENT_MILLIS: u64 = 10_000;

/// Listens on a free port.
fn listening() -> ZenohConfig {
    ZenohConfig {
        listen: vec!["tcp/127.0.0.1:0".to_string()],
        retry_first_millis: 20,
        retry_longest_millis: 100,
        lease_millis: PATIENT_MILLIS,
        stall_millis_max: PATIENT_MILLIS,
        ..Default::default()
    }
}

/// Dials one endpoint.
fn dialling(locator: &str) -> ZenohConfig {
    ZenohConfig {
        listen: Vec::new(),
        connect: vec![locator.to_string()],
        ..listening()
    }
}

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

fn open(config: &ZenohConfig) -> ZenohNetwork {
    ZenohNetwork::open(config, Arc::new(ManualClock::default())).unwrap()
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

/// Looks again every ten milliseconds, for things that nobody announces.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let signal = Signal::new();
    for _ in 0..PATIENCE.as_millis() / 10 {
        if condition() {
            return;
        }
        signal.wait(Duration::from_millis(10));
    }
    panic!("expected {what} within {PATIENCE:?}");
}

/// A session of somebody else's program.
fn plain_zenoh(near: &ZenohNetwork) -> zenoh::Session {
    use zenoh::Wait as _;
    let mut config = zenoh::Config::default();
    let endpoints = format!("[{:?}]", near.locators()[0]);
    for (key, value) in [
        ("scouting/multicast/enabled", "false"),
        ("listen/endpoints", "[]"),
        ("connect/endpoints", &endpoints),
        (
            "connect/retry",
            "{ period_init_ms: 20, period_max_ms: 100 }",
        ),
        ("timestamping/enabled", "true"),
    ] {
        config.insert_json5(key, value).unwrap();
    }
    zenoh::open(config).wait().unwrap()
}
