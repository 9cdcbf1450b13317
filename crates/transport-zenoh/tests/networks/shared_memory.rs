//! Large payloads through shared memory.

use sedge_oni::{EncodedMessage, PayloadOrigin};
use sedge_transport::conformance::{PATIENCE, key};
use sedge_transport::{Network as _, PutOutcome, Qos, QosClass, Received, Signal, Subscriber};
use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};

use crate::{pair, pair_of, with_shared_memory};

const MEGABYTE: usize = 1 << 20;

fn pattern(number: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|byte| (byte / 64 + byte + number) as u8)
        .collect()
}

/// A message whose payload was written straight into shared memory.
fn loaned(network: &ZenohNetwork, number: usize) -> Option<EncodedMessage> {
    let fill = |bytes: &mut [u8]| bytes.copy_from_slice(&pattern(number, MEGABYTE));
    let buffer = network.shared_payload(MEGABYTE, fill)?;
    Some(EncodedMessage::from_buffer(
        &number.to_le_bytes()[..],
        buffer,
    ))
}

fn owned(number: usize) -> EncodedMessage {
    let payload = sedge_oni::AlignedBytes::copy_of(&pattern(number, MEGABYTE));
    EncodedMessage::new(&number.to_le_bytes()[..], payload)
}

struct Stream {
    publisher: Box<dyn sedge_transport::Publisher>,
    subscriber: Box<dyn Subscriber>,
    came: Signal,
}

impl Stream {
    fn new(near: &ZenohNetwork, far: &ZenohNetwork, qos: Qos) -> Self {
        let (came, heard) = (Signal::new(), Signal::new());
        let subscriber = far
            .subscriber(&(&key("cloud")).into(), qos, came.wake())
            .unwrap();
        let publisher = near.publisher(&key("cloud"), qos, heard.wake()).unwrap();
        while !publisher.has_subscribers() {
            assert!(heard.wait(PATIENCE), "nobody listens");
        }
        Self {
            publisher,
            subscriber,
            came,
        }
    }

    fn next(&mut self) -> Received {
        loop {
            if let Some(received) = self.subscriber.try_next() {
                return received;
            }
            assert!(self.came.wait(PATIENCE), "nothing comes");
        }
    }
}

fn state() -> Qos {
    Qos::of(QosClass::State)
}

#[test]
fn a_payload_that_is_built_in_shared_memory_is_never_copied() {
    let (near, far) = pair_of(|config| with_shared_memory(config, 64 * MEGABYTE));
    assert!(near.peers()[0].shared_memory && far.peers()[0].shared_memory);
    let mut stream = Stream::new(&near, &far, state());
    for number in 0..20 {
        let message = loaned(&near, number).unwrap();
        let built_at = message.payload().as_ptr();
        assert_eq!(message.origin(), PayloadOrigin::InPlace);
        assert!(
            built_at.addr().is_multiple_of(64),
            "tensors begin at multiples of 64 bytes"
        );
        assert_eq!(stream.publisher.put(&message), PutOutcome::Sent);
        let received = stream.next().message;
        assert_eq!(received.origin(), PayloadOrigin::InPlace);
        assert_eq!(received.payload(), pattern(number, MEGABYTE));
        assert!(received.payload().as_ptr().addr().is_multiple_of(64));
    }
    let counters = near.counters();
    assert_eq!(
        (counters.shared_payloads, counters.shared_memory_exhausted),
        (20, 0)
    );
}

#[test]
fn any_large_payload_is_copied_once_into_shared_memory_and_read_in_place() {
    let (near, far) = pair_of(|config| with_shared_memory(config, 64 * MEGABYTE));
    let mut stream = Stream::new(&near, &far, state());
    for number in 0..10 {
        assert_eq!(stream.publisher.put(&owned(number)), PutOutcome::Sent);
        let received = stream.next().message;
        assert_eq!(received.origin(), PayloadOrigin::InPlace);
        assert_eq!(received.payload(), pattern(number, MEGABYTE));
    }
    assert_eq!(near.counters().shared_payloads, 10);
}

#[test]
fn a_reader_that_keeps_what_it_got_makes_payloads_go_over_the_link() {
    let (near, far) = pair_of(|config| with_shared_memory(config, 4 * MEGABYTE));
    let mut stream = Stream::new(&near, &far, state().lossless());
    let mut kept = Vec::new();
    for number in 0..12 {
        assert_eq!(stream.publisher.put(&owned(number)), PutOutcome::Sent);
        kept.push(stream.next().message);
    }
    for (number, message) in kept.iter().enumerate() {
        assert_eq!(
            message.payload(),
            pattern(number, MEGABYTE),
            "message {number} was overwritten"
        );
    }
    let counters = near.counters();
    assert!(counters.shared_payloads >= 2, "{counters:?}");
    assert_eq!(
        counters.shared_payloads + counters.shared_memory_exhausted,
        12,
        "{counters:?}"
    );
    assert!(counters.shared_memory_exhausted >= 8, "{counters:?}");
    assert!(
        loaned(&near, 0).is_none(),
        "there is none left to build in either"
    );
    drop(kept);
    crate::wait_until("the memory to be free again", || {
        near.shared_payload(2 * MEGABYTE, |_| ()).is_some()
    });
}

#[test]
fn who_has_no_shared_memory_gets_payloads_over_the_link() {
    let near = crate::open(&with_shared_memory(crate::listening(), 8 * MEGABYTE));
    let far = crate::open(&crate::dialling(&near.locators()[0]));
    far.wait_for_peers(1, PATIENCE).unwrap();
    assert!(!far.peers()[0].shared_memory);
    let mut stream = Stream::new(&near, &far, state().lossless());
    assert_eq!(stream.publisher.put(&owned(1)), PutOutcome::Sent);
    assert_eq!(stream.next().message.payload(), pattern(1, MEGABYTE));
    let message = loaned(&near, 2).unwrap();
    assert_eq!(stream.publisher.put(&message), PutOutcome::Sent);
    assert_eq!(stream.next().message.payload(), pattern(2, MEGABYTE));
    assert_eq!(
        near.counters().shared_payloads,
        1,
        "only what was built there"
    );
}

/// Zenoh's watchdog marks a piece of memory whose holder it did not hear of for 100 ms; pieces
/// on their way must survive that on a machine that is too busy to run it in time.
#[test]
fn nothing_is_lost_in_shared_memory_on_a_busy_machine() {
    use std::sync::atomic::{AtomicBool, Ordering};
    /// Also where the test fails: the others would keep the machine busy for ever.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (near, far) = pair_of(|config| ZenohConfig {
        // The link is not what is tested.
        lease_millis: 60_000,
        ..with_shared_memory(config, 32 * MEGABYTE)
    });
    let mut stream = Stream::new(&near, &far, state().lossless());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let over = Over(&is_over);
        for number in 0..100 {
            assert_eq!(stream.publisher.put(&owned(number)), PutOutcome::Sent);
            let received = stream.next().message;
            assert_eq!(
                received.payload(),
                pattern(number, MEGABYTE),
                "message {number}"
            );
        }
        drop(over);
    });
}

#[test]
fn without_it_nothing_is_shared() {
    let (near, far) = pair();
    assert!(near.shared_payload(MEGABYTE, |_| ()).is_none());
    assert!(!far.peers()[0].shared_memory);
    let mut stream = Stream::new(&near, &far, state().lossless());
    assert_eq!(stream.publisher.put(&owned(1)), PutOutcome::Sent);
    let received = stream.next().message;
    assert_eq!(
        received.origin(),
        PayloadOrigin::Copied,
        "it came in packets"
    );
    assert_eq!(received.payload(), pattern(1, MEGABYTE));
}
