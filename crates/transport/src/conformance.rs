//! What every network must do, as checks that any implementation can run.
//!
//! The checks need no clock of their own: they wait for wakes, and give up after [`PATIENCE`].

mod late_joiners;
mod queries;

use std::time::Duration;

use sedge_oni::{AlignedBytes, EncodedMessage, Key, KeyPattern};

use crate::{Network, Publisher, PutOutcome, Qos, QosClass, Received, Signal, Subscriber, no_wake};

/// How long a check waits for one event before it fails: far more than any network needs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The network that publishes and the one that subscribes, connected; they may be the same.
pub type Pair = (Box<dyn Network>, Box<dyn Network>);

/// Runs every check, each on a fresh pair.
///
/// # Panics
/// Where the networks break the contract, naming what was expected.
pub fn check_all(make: &mut dyn FnMut() -> Pair) {
    messages_arrive_whole_and_in_order(make());
    a_pattern_selects_and_keys_arrive(make());
    every_subscriber_gets_its_copy(make());
    a_full_ring_drops_its_oldest_and_counts(make());
    a_lossless_stream_loses_nothing(make());
    a_slow_reader_slows_no_other(make());
    a_publisher_knows_whether_somebody_listens(make());
    a_message_past_its_expiry_is_not_sent(make());
    late_joiners::check_all(make);
    queries::check_all(make);
}

/// The key of one stream of the tests' agent.
///
/// # Panics
/// Where `stream` is no chunk of a key.
pub fn key(stream: &str) -> Key {
    Key::parse(&format!("oni/flock/crane3/sensor.lidar/{stream}")).expect("a stream's name")
}

/// Message `number`: its number is its header, and the payload's size and bytes follow from it.
pub fn message(number: u32) -> EncodedMessage {
    let payload: Vec<u8> = (0..1_000 + number % 512)
        .map(|byte| (byte.wrapping_mul(31) ^ number) as u8)
        .collect();
    EncodedMessage::new(number.to_le_bytes(), AlignedBytes::copy_of(&payload))
}

/// A subscriber and the signal that its messages set.
pub struct Listener {
    subscriber: Box<dyn Subscriber>,
    signal: Signal,
}

impl Listener {
    /// Subscribes.
    ///
    /// # Panics
    /// Where the network refuses.
    pub fn new(network: &dyn Network, pattern: &str, qos: Qos) -> Self {
        let signal = Signal::new();
        let pattern = KeyPattern::parse(pattern).expect("a pattern of the tests");
        let subscriber = network.subscriber(&pattern, qos, signal.wake());
        Self {
            subscriber: subscriber.expect("a subscriber"),
            signal,
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// Where none comes.
    pub fn next_message(&mut self) -> Received {
        loop {
            if let Some(received) = self.subscriber.try_next() {
                return received;
            }
            assert!(
                self.signal.wait(PATIENCE),
                "expected a message, none came in {PATIENCE:?}"
            );
        }
    }

    /// Waits until the subscriber fulfils a condition, looking after each message that came.
    ///
    /// # Panics
    /// Where it never does.
    pub fn wait_until(&mut self, what: &str, condition: impl Fn(&dyn Subscriber) -> bool) {
        while !condition(&*self.subscriber) {
            let woken = self.signal.wait(PATIENCE);
            assert!(
                woken || condition(&*self.subscriber),
                "expected {what} in {PATIENCE:?}"
            );
        }
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.subscriber.waiting() == 0
    }
}

/// A publisher and the signal that its listeners' coming and going sets.
pub struct Speaker {
    publisher: Box<dyn Publisher>,
    signal: Signal,
}

impl Speaker {
    /// Declares a publisher.
    ///
    /// # Panics
    /// Where the network refuses.
    pub fn new(network: &dyn Network, key: &Key, qos: Qos) -> Self {
        let signal = Signal::new();
        let publisher = network.publisher(key, qos, signal.wake());
        Self {
            publisher: publisher.expect("a publisher"),
            signal,
        }
    }

    /// Declares a publisher and waits until somebody listens.
    ///
    /// # Panics
    /// Where the network refuses, or nobody comes.
    pub fn heard(network: &dyn Network, key: &Key, qos: Qos) -> Self {
        let speaker = Self::new(network, key, qos);
        speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
        speaker
    }

    /// Waits until the publisher fulfils a condition, looking after each change of its listeners.
    ///
    /// # Panics
    /// Where it never does.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&dyn Publisher) -> bool) {
        while !condition(&*self.publisher) {
            let woken = self.signal.wait(PATIENCE);
            assert!(
                woken || condition(&*self.publisher),
                "expected {what} in {PATIENCE:?}"
            );
        }
    }

    /// Sends message `number`.
    pub fn put(&mut self, number: u32) -> PutOutcome {
        self.publisher.put(&message(number))
    }
}

/// A live publisher may shed a burst on a congested link, so those who send one are lossless.
fn live() -> Qos {
    Qos::of(QosClass::State)
}

fn messages_arrive_whole_and_in_order((near, far): Pair) {
    let mut listener = Listener::new(&*far, "oni/**", live().with_depth(300));
    let mut speaker = Speaker::heard(&*near, &key("front"), live().lossless());
    for number in 0..300 {
        assert_eq!(speaker.put(number), PutOutcome::Sent, "message {number}");
    }
    let mut arrival = None;
    for number in 0..300 {
        let received = listener.next_message();
        assert!(
            received.message == message(number),
            "expected message {number} whole"
        );
        assert!(
            Some(received.arrival) >= arrival,
            "expected arrivals in order"
        );
        arrival = Some(received.arrival);
    }
    assert!(listener.is_empty(), "expected each message once");
}

fn a_pattern_selects_and_keys_arrive((near, far): Pair) {
    let mut front = Listener::new(&*far, "oni/flock/*/sensor.lidar/front", live());
    let mut lidars = Listener::new(&*far, "oni/*/crane3/sensor.lidar/**", live());
    let mut other = Listener::new(&*far, "oni/*/crane4/**", live());
    let mut rear_speaker = Speaker::heard(&*near, &key("rear"), live());
    let mut front_speaker = Speaker::heard(&*near, &key("front"), live());
    let other_key = Key::parse("oni/flock/crane4/sensor.lidar/front").expect("a key");
    let mut other_speaker = Speaker::heard(&*near, &other_key, live());
    assert_eq!(rear_speaker.put(1), PutOutcome::Sent);
    assert_eq!(front_speaker.put(2), PutOutcome::Sent);
    assert_eq!(other_speaker.put(3), PutOutcome::Sent);
    // Different publishers may overtake each other; each listener's set is fixed.
    let mut keys = [lidars.next_message().key, lidars.next_message().key];
    keys.sort();
    assert_eq!(keys, [key("front"), key("rear")]);
    let mut keys = [front.next_message().key, front.next_message().key];
    keys.sort();
    assert_eq!(keys, [key("front"), other_key.clone()]);
    assert_eq!(other.next_message().key, other_key);
    assert!(
        front.is_empty() && lidars.is_empty() && other.is_empty(),
        "expected no more"
    );
}

fn every_subscriber_gets_its_copy((near, far): Pair) {
    let first = Listener::new(&*far, "oni/**", live());
    let second = Listener::new(&*far, "oni/**", live());
    let mut speaker = Speaker::heard(&*near, &key("front"), live());
    // After that, or the speaker could be heard at home before it is heard abroad.
    let at_home = Listener::new(&*near, "oni/**", live());
    assert_eq!(speaker.put(9), PutOutcome::Sent);
    for mut listener in [first, second, at_home] {
        assert!(
            listener.next_message().message == message(9),
            "expected a copy for each"
        );
    }
}

fn a_full_ring_drops_its_oldest_and_counts((near, far): Pair) {
    let mut listener = Listener::new(&*far, "oni/**", live().with_depth(4));
    let mut speaker = Speaker::heard(&*near, &key("front"), live().lossless());
    for number in 0..20 {
        assert_eq!(speaker.put(number), PutOutcome::Sent, "message {number}");
    }
    listener.wait_until("16 messages dropped", |subscriber| {
        subscriber.dropped() == 16
    });
    for number in 16..20 {
        assert!(
            listener.next_message().message == message(number),
            "expected the newest, in order"
        );
    }
    assert!(listener.is_empty());
}

fn a_lossless_stream_loses_nothing((near, far): Pair) {
    let qos = live().with_depth(4).lossless();
    let mut listener = Listener::new(&*far, "oni/**", qos);
    let mut speaker = Speaker::heard(&*near, &key("front"), qos);
    let (mut n_put, mut n_read) = (0, 0);
    // The reader lags behind the ring's depth wherever the network has room of its own.
    while n_read < 200 {
        match speaker.put(n_put) {
            PutOutcome::Sent => n_put += 1,
            outcome => assert_eq!(outcome, PutOutcome::Shed),
        }
        if n_put >= 100 || outran(&listener, n_put - n_read) {
            assert!(
                listener.next_message().message == message(n_read),
                "expected message {n_read}"
            );
            n_read += 1;
        }
    }
    listener.wait_until("nothing dropped", |subscriber| subscriber.dropped() == 0);
}

fn a_slow_reader_slows_no_other((near, far): Pair) {
    // They never read.
    let slow = Listener::new(&*far, "oni/**", live().with_depth(1));
    let stuck = Listener::new(&*far, "oni/**", live().with_depth(1).lossless());
    let mut fast = Listener::new(&*far, "oni/**", live());
    let mut speaker = Speaker::heard(&*near, &key("front"), live());
    for number in 0..50 {
        assert_eq!(speaker.put(number), PutOutcome::Sent, "message {number}");
        assert!(
            fast.next_message().message == message(number),
            "expected message {number}, whoever else does not read"
        );
    }
    drop((slow, stuck));
}

/// Whether the ring is full and messages that were sent wait behind it, or cannot be sent.
fn outran(listener: &Listener, n_unread: u32) -> bool {
    n_unread >= 4 && listener.subscriber.waiting() == 4
}

fn a_publisher_knows_whether_somebody_listens((near, far): Pair) {
    let speaker = Speaker::new(&*near, &key("front"), live());
    assert!(!speaker.publisher.has_subscribers(), "expected nobody yet");
    let listener = Listener::new(&*far, "oni/**", live());
    speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
    drop(listener);
    speaker.wait_until("nobody", |publisher| !publisher.has_subscribers());
}

fn a_message_past_its_expiry_is_not_sent((near, far): Pair) {
    let mut listener = Listener::new(&*far, "oni/**", live());
    let mut speaker = Speaker::heard(&*near, &key("front"), live());
    // Far ahead of whatever clock the network has: what is sent must not expire on its way.
    let expiry = sedge_spacetime::Stamp::from_nanos(i64::MAX - 1);
    let later = expiry + Duration::from_nanos(1);
    let publisher = &mut speaker.publisher;
    let outcome = publisher.put_before(&message(1), expiry, later);
    assert_eq!(outcome, PutOutcome::Late);
    let outcome = publisher.put_before(&message(2), expiry, expiry);
    assert_eq!(outcome, PutOutcome::Sent);
    assert!(
        listener.next_message().message == message(2),
        "expected only what was in time"
    );
    assert!(listener.is_empty());
    let silent = near.publisher(&key("rear"), live(), no_wake());
    assert_eq!(silent.expect("a publisher").key(), &key("rear"));
}
