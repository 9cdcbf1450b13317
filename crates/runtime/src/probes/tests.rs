use std::sync::Arc;

use sedge_transport::InProcessNetwork;

use super::*;
use crate::SystemClock;

fn network() -> (InProcessNetwork, Arc<SystemClock>) {
    let clock = Arc::new(SystemClock::new());
    (
        InProcessNetwork::new(Arc::<SystemClock>::clone(&clock)),
        clock,
    )
}

const PING: Ping = Ping {
    n_values: 16,
    n: 40,
};

#[test]
fn every_ping_that_comes_back_is_counted_once() {
    let (network, clock) = network();
    let shutdown = Shutdown::new();
    let row = ping(&network, &network, PING, clock.as_ref(), &shutdown).unwrap();
    assert_eq!((row.n, row.missed), (PING.n, 0), "{row:?}");
    assert_eq!(row.what, "there and back, 64 B");
    assert!(
        row.p50_nanos > 0 && row.p50_nanos <= row.max_nanos,
        "{row:?}"
    );
}

#[test]
fn ends_that_cannot_meet_say_so_when_they_are_told_to_stop() {
    let ((near, clock), (far, _)) = (network(), network());
    let shutdown = Shutdown::new();
    shutdown.request();
    let error = ping(&near, &far, PING, clock.as_ref(), &shutdown).unwrap_err();
    assert!(error.to_string().contains("to meet within 10s"), "{error}");
}

#[test]
fn questions_are_answered_by_whoever_serves_and_by_nobody_else() {
    let (network, clock) = network();
    let shutdown = Shutdown::new();
    let (served, silent) = (key(NEAR), key(FAR));
    let _served = network.serve(&served, scan(4, 1).unwrap()).unwrap();
    let row = ask(&network, &served, 30, clock.as_ref(), &shutdown).unwrap();
    assert_eq!((row.n, row.missed), (30, 0), "{row:?}");
    assert_eq!(row.whose, "probe/near");
    // Nobody serves it: given up after a few, whatever was asked for.
    let row = ask(&network, &silent, 1_000, clock.as_ref(), &shutdown).unwrap();
    assert_eq!((row.n, row.missed), (0, UNANSWERED_MAX), "{row:?}");
}
