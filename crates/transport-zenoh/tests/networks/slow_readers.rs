//! Readers that do not read, and callers that must not wait.

use sedge_transport::conformance::{Listener, PATIENCE, Speaker, key, message};
use sedge_transport::{DropPlace, DropReason, Network as _, PutOutcome, Qos, QosClass, Signal};

use crate::{Mode, pair, routed, router};

fn state() -> Qos {
    Qos::of(QosClass::State).with_depth(4)
}

/// Messages that a reader may lag behind before it stops its publisher, generously.
const STOPS_WITHIN: u32 = 20_000;

/// Puts until the reader lets the publisher go no further; how many were taken.
fn put_until_stopped(speaker: &mut Speaker) -> u32 {
    for number in 0..STOPS_WITHIN {
        match speaker.put(number) {
            PutOutcome::Sent => {}
            PutOutcome::Shed => return number,
            outcome => panic!("expected to be stopped, got {outcome:?}"),
        }
    }
    panic!("expected to be stopped within {STOPS_WITHIN} messages");
}

/// A lossless reader that stops reading, beside a live one of the same session and link.
fn check(near: &dyn sedge_transport::Network, far: &dyn sedge_transport::Network) {
    let mut stuck = Listener::new(far, "oni/*/*/*/front", state().lossless());
    let mut fast = Listener::new(far, "oni/*/*/*/rear", state());
    let mut replay = Speaker::heard(near, &key("front"), state().lossless());
    let mut live = Speaker::heard(near, &key("rear"), state());
    let n_sent = put_until_stopped(&mut replay);
    for number in 0..50 {
        assert_eq!(live.put(number), PutOutcome::Sent);
        assert!(
            fast.next_message().message == message(number),
            "held up by another reader"
        );
    }
    for number in 0..n_sent {
        let came = stuck.next_message().message;
        assert!(
            came == message(number),
            "expected message {number} of {n_sent}"
        );
    }
    assert!(stuck.is_empty());
    let mut put = replay.put(n_sent);
    while put == PutOutcome::Shed {
        put = replay.put(n_sent);
    }
    assert_eq!(put, PutOutcome::Sent, "it goes on where it was stopped");
    assert!(stuck.next_message().message == message(n_sent));
    assert_eq!(
        near.drops().total() + far.drops().total(),
        0,
        "waiting is no loss"
    );
}

#[test]
fn a_slow_lossless_reader_stops_its_publisher_and_nobody_else() {
    let (near, far) = pair();
    check(&near, &far);
}

#[test]
fn nor_does_it_through_a_router() {
    let router = router();
    let (near, far) = routed(&router, Mode::Client);
    check(&near, &far);
}

#[test]
fn a_stopped_publisher_goes_on_when_the_reader_is_gone() {
    let (near, far) = pair();
    let stuck = Listener::new(&far, "oni/**", state().lossless());
    let mut replay = Speaker::heard(&near, &key("front"), state().lossless());
    put_until_stopped(&mut replay);
    drop(stuck);
    let mut put = replay.put(1);
    for _ in 0..PATIENCE.as_secs() {
        if put != PutOutcome::Shed {
            break;
        }
        put = replay.put(1);
    }
    assert_eq!(put, PutOutcome::Sent);
}

#[test]
fn what_expires_in_a_queue_is_not_sent_and_is_in_the_ledger() {
    use sedge_spacetime::{Clock as _, ManualClock, Stamp};
    let clock = std::sync::Arc::new(ManualClock::default());
    let near = sedge_transport_zenoh::ZenohNetwork::open(&crate::listening(), clock.clone());
    let near = near.unwrap();
    let far = crate::open(&crate::dialling(&near.locators()[0]));
    far.wait_for_peers(1, PATIENCE).unwrap();
    let qos = Qos::of(QosClass::Safety);
    let mut listener = Listener::new(&far, "oni/**", qos);
    let signal = Signal::new();
    let mut publisher = near.publisher(&key("front"), qos, signal.wake()).unwrap();
    while !publisher.has_subscribers() {
        assert!(signal.wait(PATIENCE), "nobody listens");
    }
    let at = Stamp::from_nanos;
    // Past its expiry when the lane's thread takes it: the caller's clock was behind.
    clock.advance_to(at(100));
    assert_eq!(
        publisher.put_before(&message(1), at(50), at(40)),
        PutOutcome::Sent
    );
    assert_eq!(
        publisher.put_before(&message(2), at(200), at(100)),
        PutOutcome::Sent
    );
    assert_eq!(
        publisher.put_before(&message(3), at(99), clock.now()),
        PutOutcome::Late
    );
    assert!(listener.next_message().message == message(2));
    let drops = near.drops();
    let late = drops.of(&key("front"), DropPlace::Sender, DropReason::PastDeadline);
    assert_eq!(
        (late, drops.total()),
        (2, 2),
        "one in the queue, one before it"
    );
}
