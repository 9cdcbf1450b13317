//! Real sessions on loopback and free ports, for every test of this room.

use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::ManualClock;
use sedge_transport::Signal;
use sedge_transport::conformance::PATIENCE;
use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};
use zenoh::Wait as _;

/// Longer than a busy machine keeps a thread waiting: only what is cut is given up.
pub(crate) const PATIENT_MILLIS: u64 = 10_000;

/// Listens on a free port.
pub(crate) fn listening() -> ZenohConfig {
    ZenohConfig {
        listen: vec!["tcp/127.0.0.1:0".to_string()],
        retry_first_millis: 20,
        retry_longest_millis: 100,
        lease_millis: PATIENT_MILLIS,
        stall_millis_max: PATIENT_MILLIS,
        open_millis_max: PATIENT_MILLIS,
        ..Default::default()
    }
}

/// Dials one endpoint.
pub(crate) fn dialling(locator: &str) -> ZenohConfig {
    ZenohConfig {
        listen: Vec::new(),
        connect: vec![locator.to_string()],
        ..listening()
    }
}

pub(crate) fn open(config: &ZenohConfig) -> ZenohNetwork {
    ZenohNetwork::open(config, Arc::new(ManualClock::default())).unwrap()
}

/// Looks again every ten milliseconds, for things that nobody announces.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
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
pub(crate) fn plain_zenoh(near: &ZenohNetwork) -> zenoh::Session {
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
