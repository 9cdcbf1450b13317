//! Small messages that share a sample.

use sedge_oni::{Bundle, BundleParts, EncodedMessage};
use sedge_transport::conformance::{Listener, PATIENCE, key, message};
use sedge_transport::{Network as _, Publisher, PutOutcome, Qos, QosClass};
use sedge_transport_zenoh::ZenohNetwork;
use zenoh::Wait as _;

use crate::{listening, open, pair, plain_zenoh, wait_until};

fn lossless() -> Qos {
    Qos::of(QosClass::State).lossless()
}

fn put(publisher: &mut dyn Publisher, message: &EncodedMessage) {
    while publisher.put(message) == PutOutcome::Shed {
        std::thread::yield_now();
    }
}

/// A lossless publisher to whom somebody listens.
fn heard(network: &ZenohNetwork) -> Box<dyn Publisher> {
    let no_wake = sedge_transport::no_wake();
    let publisher = network.publisher(&key("front"), lossless(), no_wake);
    let publisher = publisher.unwrap();
    wait_until("a listener", || publisher.has_subscribers());
    publisher
}

/// A message that says its number where a header would be; the network does not look.
fn numbered(number: u32, n_bytes: usize) -> EncodedMessage {
    EncodedMessage::copy_of(&number.to_le_bytes(), &vec![number as u8; n_bytes])
}

const N_MESSAGES: u32 = 2_000;

#[test]
fn a_stranger_finds_every_message_in_fewer_samples() {
    let near = open(&listening());
    let stranger = plain_zenoh(&near);
    let (came, samples) = std::sync::mpsc::channel();
    let _subscriber = stranger
        .declare_subscriber("oni/**")
        .callback(move |sample| came.send(sample).unwrap())
        .wait()
        .unwrap();
    let mut publisher = heard(&near);
    for number in 0..N_MESSAGES {
        put(&mut *publisher, &numbered(number, 64));
    }
    let (mut n_samples, mut expected) = (0, 0..N_MESSAGES);
    while !expected.is_empty() {
        let sample = samples.recv_timeout(PATIENCE).unwrap();
        n_samples += 1;
        let attachment = sample.attachment().unwrap().to_bytes();
        let payload = sample.payload().to_bytes();
        for (header, payload) in BundleParts::read(&attachment, &payload).unwrap() {
            let expected = numbered(expected.next().unwrap(), 64);
            assert_eq!((header, payload), (expected.header(), expected.payload()));
        }
    }
    assert!(n_samples < N_MESSAGES, "each in a sample of its own");
}

#[test]
fn large_messages_stay_behind_the_small_ones_that_were_put_before() {
    let (near, far) = pair();
    let mut listener = Listener::new(&far, "oni/**", lossless());
    let mut publisher = heard(&near);
    let sizes = [1, 20_000, 7, 7, 200_000, 4_000, 5_000, 0];
    let messages: Vec<_> = (0..400_u32)
        .map(|number| numbered(number, sizes[number as usize % sizes.len()]))
        .collect();
    for sent in messages.chunks(50) {
        for message in sent {
            put(&mut *publisher, message);
        }
        for message in sent {
            assert!(listener.next_message().message == *message);
        }
    }
    assert!(listener.is_empty());
}

#[test]
fn a_strangers_bundle_is_read_whole_or_refused_whole() {
    let near = open(&listening());
    let stranger = plain_zenoh(&near);
    wait_until("the stranger", || near.n_peers() == 1);
    let mut live = Listener::new(&near, "oni/**", Qos::of(QosClass::State));
    let mut kept = Listener::new(&near, "oni/**", lossless());
    let publisher = stranger.declare_publisher(key("front").as_str().to_string());
    let publisher = publisher.wait().unwrap();
    wait_until("to be known to it", || {
        publisher.matching_status().wait().unwrap().matching()
    });
    let mut bundle = Bundle::default();
    for number in 0..3 {
        let message = message(number);
        assert!(bundle.push(message.header(), message.payload()));
    }
    let (attachment, payload) = bundle.into_parts();
    let broken = publisher.put(payload[1..].to_vec());
    broken.attachment(attachment.clone()).wait().unwrap();
    publisher
        .put(payload)
        .attachment(attachment)
        .wait()
        .unwrap();
    for listener in [&mut live, &mut kept] {
        for number in 0..3 {
            assert!(listener.next_message().message == message(number));
        }
        assert!(listener.is_empty());
    }
    assert_eq!(near.refused(), 2, "by both readers");
}

#[test]
fn what_is_put_while_the_session_goes_comes_in_order_and_the_stream_goes_on() {
    let (near, far) = pair();
    let mut listener = Listener::new(&far, "oni/**", lossless());
    let mut publisher = heard(&near);
    // Fewer than a reader that does not read has room for: the publisher is not asked to stop.
    let last = 500;
    for round in 1..=3 {
        for number in 0..last {
            put(&mut *publisher, &numbered(number, 64));
        }
        near.reopen_now();
        wait_until("another session", || near.counters().reopened == round);
        wait_until("a listener", || publisher.has_subscribers());
        // Whatever the old session took and did not deliver: what comes is in order.
        put(&mut *publisher, &numbered(last, 64));
        let mut next = 0;
        while next <= last {
            let came = listener.next_message().message;
            let number = u32::from_le_bytes(came.header().try_into().unwrap());
            assert!(number >= next, "{number} behind {next}");
            next = number + 1;
        }
    }
    assert!(listener.is_empty());
}
