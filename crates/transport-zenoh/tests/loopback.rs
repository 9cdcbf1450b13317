//! Two sessions on loopback, on free ports: the contract of networks, reconnection, loss, errors.

use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{Capture, EncodedMessage, Envelope, Key, Lidar, Sequence, TypedMessage as _};
use sedge_spacetime::{AgentName, ManualClock, Stamp};
use sedge_transport::conformance::{self, Listener, PATIENCE, Speaker, key};
use sedge_transport::{
    LossCounts, LossLedger, Network as _, NetworkError, PutOutcome, Qos, QosClass, Signal, no_wake,
};
use sedge_transport_zenoh::{ZenohConfig, ZenohError, ZenohNetwork};

fn open(listen: &[&str], connect: &[&str]) -> Result<ZenohNetwork, ZenohError> {
    let owned = |endpoints: &[&str]| endpoints.iter().map(ToString::to_string).collect();
    let config = ZenohConfig {
        listen: owned(listen),
        connect: owned(connect),
        retry_first_millis: 20,
        retry_longest_millis: 100,
        ..Default::default()
    };
    ZenohNetwork::open(&config, Arc::new(ManualClock::default()))
}

/// One that listens and one that dials it.
fn pair() -> (ZenohNetwork, ZenohNetwork) {
    let near = open(&["tcp/127.0.0.1:0"], &[]).expect("a free port");
    let far = open(&[], &[&near.locators()[0]]).expect("a session");
    far.wait_for_peers(1, PATIENCE)
        .expect("the near one is there");
    (near, far)
}

fn live() -> Qos {
    Qos::of(QosClass::State).with_depth(1_000)
}

/// A robot's scanner that was started at `epoch`.
struct Scanner(Sequence);

impl Scanner {
    fn new(epoch: u64) -> Self {
        Self(Sequence::new(
            AgentName::new("crane3").expect("a name"),
            epoch,
        ))
    }

    fn scan(&mut self) -> EncodedMessage {
        let source = self.0.next_source();
        let ranges_m: Vec<f32> = (0..361)
            .map(|beam| (beam as f32).mul_add(0.01, source.sequence as f32))
            .collect();
        let scan = Lidar {
            first_angle_rad: -1.5,
            step_rad: 0.01,
            ranges_m: ranges_m.into(),
        };
        let capture = Capture::exact(Stamp::from_nanos(source.sequence as i64), "robot");
        let message = scan
            .to_message(Envelope::new(source, capture))
            .expect("a valid scan");
        message.encode().expect("a valid header")
    }
}

/// Reads `n` messages and counts them.
fn read(listener: &mut Listener, ledger: &mut LossLedger, n: usize) {
    for _ in 0..n {
        let received = listener.next_message();
        let message = received.message.decode().expect("a whole message");
        let scan = Lidar::from_message(&message).expect("a valid scan");
        let source = &message.envelope().source;
        assert!(
            (scan.ranges_m[0] - source.sequence as f32).abs() < 0.5,
            "of another message"
        );
        ledger.observe(&received.key, source);
    }
}

#[test]
fn it_keeps_the_contract_of_networks() {
    conformance::check_all(&mut || {
        let (near, far) = pair();
        (Box::new(near), Box::new(far))
    });
}

#[test]
fn the_contract_holds_towards_the_one_that_listens_too() {
    conformance::check_all(&mut || {
        let (near, far) = pair();
        (Box::new(far), Box::new(near))
    });
}

#[test]
fn five_thousand_scans_arrive_without_loss_at_whatever_speed_the_reader_has() {
    const N_SCANS: usize = 5_000;
    const DEPTH: usize = 16;
    let (near, far) = pair();
    let qos = Qos::of(QosClass::State).with_depth(DEPTH).lossless();
    let mut listener = Listener::new(&far, "oni/**", qos);
    let signal = Signal::new();
    let mut publisher = near.publisher(&key("front"), qos, signal.wake()).unwrap();
    while !publisher.has_subscribers() {
        assert!(signal.wait(PATIENCE), "nobody listens");
    }
    let counts = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // The publisher runs ahead until it is held up.
            listener.wait_until("a full ring", |subscriber| subscriber.waiting() == DEPTH);
            let mut ledger = LossLedger::new();
            read(&mut listener, &mut ledger, N_SCANS);
            assert!(listener.is_empty(), "more came than was sent");
            ledger.total()
        });
        let mut scanner = Scanner::new(1);
        for _ in 0..N_SCANS {
            assert_eq!(publisher.put(&scanner.scan()), PutOutcome::Sent);
        }
        reader.join().expect("the reader finishes")
    });
    let expected = LossCounts {
        received: N_SCANS as u64,
        ..LossCounts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_listener_gets_on_when_the_publishing_process_is_started_again() {
    let near = open(&["tcp/127.0.0.2:0"], &[]).unwrap();
    let locator = near.locators()[0].clone();
    let far = open(&[], &[&locator]).unwrap();
    let mut listener = Listener::new(&far, "oni/**", live());
    let mut ledger = LossLedger::new();
    let mut n_sent = 0;

    let mut scanner = Scanner::new(1);
    let speaker = Speaker::heard(&near, &key("front"), live());
    drop(speaker);
    let mut publisher = near.publisher(&key("front"), live(), no_wake()).unwrap();
    for _ in 0..10 {
        assert_eq!(publisher.put(&scanner.scan()), PutOutcome::Sent);
        n_sent += 1;
    }
    read(&mut listener, &mut ledger, 10);
    drop((publisher, near));

    let near = open(&[&locator], &[]).unwrap();
    let signal = Signal::new();
    let mut publisher = near
        .publisher(&key("front"), live(), signal.wake())
        .unwrap();
    let mut scanner = Scanner::new(2);
    for _ in 0..7 {
        // Most likely nobody is there yet; whoever listens must be able to tell.
        assert_eq!(publisher.put(&scanner.scan()), PutOutcome::Sent);
        n_sent += 1;
    }
    while !publisher.has_subscribers() {
        assert!(signal.wait(PATIENCE), "the listener did not come back");
    }
    assert_eq!(publisher.put(&scanner.scan()), PutOutcome::Sent);
    n_sent += 1;
    let agent = AgentName::new("crane3").unwrap();
    let last_seen = |ledger: &LossLedger| {
        let counts = ledger.of(&agent, &key("front")).unwrap();
        counts.received + counts.lost
    };
    while last_seen(&ledger) < n_sent {
        read(&mut listener, &mut ledger, 1);
    }
    let counts = ledger.total();
    assert_eq!((counts.restarts, counts.duplicated), (1, 0), "{counts:?}");
    assert_eq!(counts.received + counts.lost, n_sent, "{counts:?}");
}

#[test]
fn a_publisher_gets_on_when_the_listening_process_is_started_again() {
    let near = open(&["tcp/127.0.0.1:0"], &[]).unwrap();
    let locator = near.locators()[0].clone();
    let signal = Signal::new();
    let mut publisher = near
        .publisher(&key("front"), live(), signal.wake())
        .unwrap();
    let mut scanner = Scanner::new(1);
    for round in 0..3 {
        let far = open(&[], &[&locator]).unwrap();
        let mut listener = Listener::new(&far, "oni/**", live());
        while !publisher.has_subscribers() {
            assert!(signal.wait(PATIENCE), "round {round}: nobody came");
        }
        for _ in 0..5 {
            assert_eq!(publisher.put(&scanner.scan()), PutOutcome::Sent);
        }
        let mut ledger = LossLedger::new();
        read(&mut listener, &mut ledger, 5);
        let counts = ledger.total();
        // One scan was sent between the rounds, to nobody.
        assert_eq!(counts.missed_at_start, round * 6, "{counts:?}");
        assert_eq!((counts.received, counts.lost), (5, 0), "{counts:?}");
        drop((listener, far));
        while publisher.has_subscribers() {
            assert!(signal.wait(PATIENCE), "round {round}: the listener stays");
        }
        assert_eq!(publisher.put(&scanner.scan()), PutOutcome::Sent);
    }
}

#[test]
fn a_closed_network_says_so_and_its_peers_notice() {
    let (near, far) = pair();
    let mut publisher = near.publisher(&key("front"), live(), no_wake()).unwrap();
    assert_eq!(near.close(), Ok(()));
    assert_eq!(publisher.put(&Scanner::new(1).scan()), PutOutcome::Closed);
    let error = near.publisher(&key("rear"), live(), no_wake()).err();
    assert_eq!(error, Some(NetworkError::Closed));
    let error = near
        .subscriber(&(&key("rear")).into(), live(), no_wake())
        .err();
    assert_eq!(error, Some(NetworkError::Closed));
    assert_eq!(near.n_peers(), 0);
    far.wait_until_peers(0);
}

/// Waiting for peers to go is the tests' need only.
trait WaitUntilPeers {
    fn wait_until_peers(&self, n_peers: usize);
}

impl WaitUntilPeers for ZenohNetwork {
    fn wait_until_peers(&self, n_peers: usize) {
        let signal = Signal::new();
        for _ in 0..PATIENCE.as_millis() / 10 {
            if self.n_peers() == n_peers {
                return;
            }
            signal.wait(Duration::from_millis(10));
        }
        panic!("expected {n_peers} peers, there are {}", self.n_peers());
    }
}

#[test]
fn a_lossless_reader_that_goes_away_lets_everyone_else_go_on() {
    let (near, far) = pair();
    let qos = Qos::of(QosClass::State).with_depth(1).lossless();
    let mut stuck = Listener::new(&far, "oni/**", qos);
    let mut publisher = near.publisher(&key("front"), live(), no_wake()).unwrap();
    let mut speaker = Speaker::heard(&near, &key("rear"), live());
    for _ in 0..3 {
        assert_eq!(publisher.put(&Scanner::new(1).scan()), PutOutcome::Sent);
    }
    stuck.wait_until("a full ring", |subscriber| subscriber.waiting() == 1);
    drop(stuck);
    let mut listener = Listener::new(&far, "oni/*/*/*/rear", live());
    let signal = Signal::new();
    let patience = PATIENCE.as_millis() / 10;
    // Its declaration may still be on its way.
    let heard = (0..patience).any(|_| {
        assert_eq!(speaker.put(1), PutOutcome::Sent);
        signal.wait(Duration::from_millis(10));
        !listener.is_empty()
    });
    assert!(heard, "the receiving thread is still held up");
    assert!(listener.next_message().message == conformance::message(1));
}

#[test]
fn endpoints_that_cannot_be_used_are_named() {
    let near = open(&["tcp/127.0.0.1:0"], &[]).unwrap();
    let taken = near.locators()[0].clone();
    let error = open(&[&taken], &[]).err().unwrap();
    assert!(matches!(error, ZenohError::Open { .. }), "{error}");
    assert!(error.to_string().contains(&taken), "{error}");

    let error = open(&["tcp/no.such.host.invalid:7447"], &[]).err().unwrap();
    assert!(
        error.to_string().contains("tcp/no.such.host.invalid:7447"),
        "{error}"
    );

    let error = open(&[], &["nonsense"]).err().unwrap();
    assert!(matches!(error, ZenohError::Config(_)), "{error}");

    // Nobody is there: the session opens, and says so when it is asked.
    drop(near);
    let far = open(&[], &[&taken]).unwrap();
    let error = far
        .wait_for_peers(1, Duration::from_millis(50))
        .unwrap_err();
    assert!(
        matches!(
            error,
            ZenohError::Unreachable {
                expected: 1,
                got: 0,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains(&taken), "{error}");
}

#[test]
fn samples_that_are_no_messages_are_counted_and_not_delivered() {
    use zenoh::Wait as _;
    let near = open(&["tcp/127.0.0.1:0"], &[]).unwrap();
    let mut listener = Listener::new(&near, "oni/flock/**", live());
    let mut config = zenoh::Config::default();
    config
        .insert_json5("scouting/multicast/enabled", "false")
        .unwrap();
    config.insert_json5("listen/endpoints", "[]").unwrap();
    let endpoints = format!("[{:?}]", near.locators()[0]);
    config
        .insert_json5("connect/endpoints", &endpoints)
        .unwrap();
    let stranger = zenoh::open(config).wait().unwrap();

    let good = key("front");
    let publisher = stranger
        .declare_publisher(good.as_str())
        .congestion_control(zenoh::qos::CongestionControl::Block)
        .wait()
        .unwrap();
    let signal = Signal::new();
    let wake = signal.wake();
    publisher
        .matching_listener()
        .callback(move |_| wake())
        .background()
        .wait()
        .unwrap();
    while !publisher.matching_status().wait().unwrap().matching() {
        assert!(signal.wait(PATIENCE), "nobody listens");
    }
    publisher.put("no header").wait().unwrap();
    publisher
        .put("a long header")
        .attachment(vec![0; 70_000])
        .wait()
        .unwrap();
    publisher.delete().wait().unwrap();
    stranger
        .put("oni/flock/too/short", "x")
        .congestion_control(zenoh::qos::CongestionControl::Block)
        .attachment("h")
        .wait()
        .unwrap();
    publisher
        .put("payload")
        .attachment("header")
        .wait()
        .unwrap();

    let received = listener.next_message();
    assert_eq!(received.key, Key::parse(good.as_str()).unwrap());
    assert_eq!(
        (received.message.header(), received.message.payload()),
        (&b"header"[..], &b"payload"[..])
    );
    assert!(listener.is_empty());
    assert_eq!(near.refused(), 4);
}
