//! Links that stall while they look alive, and callers that must not wait for them.
//!
//! Sessions of one process share Zenoh's few threads, and whoever waits for a stalled link may hold
//! one of them: these tests have a process of their own, and run in it one at a time.
#![expect(
    clippy::unwrap_used,
    reason = "a test says where it fails by failing there"
)]

mod stalling_link;

#[path = "../networks/sessions.rs"]
mod sessions;

use std::sync::{Mutex, MutexGuard, PoisonError};

use sedge_oni::{AlignedBytes, EncodedMessage};
use sedge_transport::conformance::{Listener, PATIENCE, Speaker, key};
use sedge_transport::{
    Beat, DropPlace, DropReason, Heard, Network as _, Publisher, PutOutcome, Qos, QosClass, Signal,
};
use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};
use zenoh::Wait as _;

use sessions::{PATIENT_MILLIS, dialling, listening, open, plain_zenoh, wait_until};
use stalling_link::StallingLink;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn patient(config: ZenohConfig, millis: u64) -> ZenohConfig {
    ZenohConfig {
        lease_millis: millis,
        stall_millis_max: millis,
        ..config
    }
}

/// Two networks with a link between them that can be stalled.
fn stallable(millis: u64) -> (ZenohNetwork, ZenohNetwork, StallingLink) {
    let near = open(&patient(listening(), millis));
    let link = StallingLink::to(&near.locators()[0]);
    let far = open(&patient(dialling(&link.locator()), millis));
    far.wait_for_peers(1, PATIENCE).unwrap();
    (near, far, link)
}

fn heard(network: &ZenohNetwork, stream: &str, class: QosClass) -> Box<dyn Publisher> {
    let signal = Signal::new();
    let publisher = network
        .publisher(&key(stream), Qos::of(class), signal.wake())
        .unwrap();
    while !publisher.has_subscribers() {
        assert!(signal.wait(PATIENCE), "nobody listens");
    }
    publisher
}

fn of_bytes(number: u32, n_bytes: usize) -> EncodedMessage {
    let payload = AlignedBytes::copy_of(&vec![number as u8; n_bytes]);
    EncodedMessage::new(number.to_le_bytes(), payload)
}

/// Each of the waiting classes is put until its queue is full, and each dropping one is put a
/// thousand times; with a link that takes nothing for a minute, whoever waited for it would wait
/// for that long with every put.
#[test]
fn no_caller_waits_for_a_stalled_link() {
    let _alone = alone();
    let (near, far, link) = stallable(PATIENT_MILLIS);
    let deep = |class| Qos::of(class).with_depth(4_096);
    let mut stops = Listener::new(&far, "oni/*/*/*/stop", deep(QosClass::Safety));
    let _others = Listener::new(&far, "oni/**", Qos::of(QosClass::State));
    let waiting = [
        QosClass::Safety,
        QosClass::Parameter,
        QosClass::Model,
        QosClass::Log,
    ];
    let mut waiting = waiting.map(|class| match class {
        QosClass::Safety => heard(&near, "stop", class),
        _ => heard(&near, "other", class),
    });
    let dropping = [QosClass::Command, QosClass::State, QosClass::Belief];
    let mut dropping = dropping.map(|class| heard(&near, "live", class));
    link.stall();
    let mut n_sent = [0_u32; 4];
    for (publisher, n_sent) in waiting.iter_mut().zip(&mut n_sent) {
        let outcome = loop {
            match publisher.put(&of_bytes(*n_sent, 60_000)) {
                PutOutcome::Sent => *n_sent += 1,
                outcome => break outcome,
            }
            assert!(*n_sent < 100_000, "expected a full queue");
        };
        assert_eq!(outcome, PutOutcome::Shed);
    }
    for publisher in &mut dropping {
        for number in 0..1_000 {
            assert_eq!(publisher.put(&of_bytes(number, 60_000)), PutOutcome::Sent);
        }
        // This one has no room in a link's queue even if it is empty, and waits elsewhere.
        assert_eq!(publisher.put(&of_bytes(0, 2_000_000)), PutOutcome::Sent);
    }
    let shed = near
        .drops()
        .of(&key("stop"), DropPlace::Sender, DropReason::Congested);
    assert_eq!(shed, 1, "what was shed is in the ledger");
    link.go_on();
    for number in 0..n_sent[0] {
        let came = stops.next_message().message;
        assert!(
            came == of_bytes(number, 60_000),
            "expected stop {number} of {}, got {:?}",
            n_sent[0],
            came.header()
        );
    }
}

fn has_thread(name: &str) -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.into_iter().any(|of_task| of_task.trim_end() == name)
}

/// Zenoh closes a session behind what waits for its links; the next one does not wait for that.
#[test]
fn a_session_is_opened_anew_while_messages_wait_for_a_stalled_link() {
    let _alone = alone();
    let (near, far, link) = stallable(3_000);
    let qos = Qos::of(QosClass::Safety).with_depth(4_096);
    let mut stops = Listener::new(&far, "oni/**", qos);
    let mut publisher = heard(&near, "stop", QosClass::Safety);
    link.stall();
    let mut n_sent = 0;
    while publisher.put(&of_bytes(n_sent, 60_000)) == PutOutcome::Sent {
        n_sent += 1;
    }
    near.reopen_now();
    wait_until("another session", || near.counters().reopened == 1);
    assert!(has_thread("oni-close"), "the old one is still being closed");
    link.go_on();
    far.wait_for_peers(1, PATIENCE).unwrap();
    wait_until("a listener", || publisher.has_subscribers());
    let last = of_bytes(n_sent, 60_000);
    let signal = Signal::new();
    while publisher.put(&last) != PutOutcome::Sent {
        signal.wait(std::time::Duration::from_millis(10));
    }
    let mut n_came = 0;
    while stops.next_message().message != last {
        n_came += 1;
    }
    let closed = near
        .drops()
        .of(&key("stop"), DropPlace::Sender, DropReason::Closed);
    // Some were in the link: only their reader knows whether they came.
    assert!(
        n_came + closed <= u64::from(n_sent),
        "{n_came} came and {closed} were lost of {n_sent}"
    );
    wait_until("an end of the old one", || !has_thread("oni-close"));
}

const N_PICTURES: u32 = 1_000;

#[test]
fn of_pictures_that_wait_the_newest_is_sent() {
    let _alone = alone();
    let (near, far, link) = stallable(PATIENT_MILLIS);
    let qos = Qos::of(QosClass::Image).with_depth(4_096);
    let mut listener = Listener::new(&far, "oni/**", qos);
    let mut camera = heard(&near, "front", QosClass::Image);
    link.stall();
    for number in 0..N_PICTURES {
        assert_eq!(camera.put(&of_bytes(number, 60_000)), PutOutcome::Sent);
    }
    link.go_on();
    let mut n_came = 0;
    loop {
        n_came += 1;
        if listener.next_message().message == of_bytes(N_PICTURES - 1, 60_000) {
            break;
        }
    }
    assert!(listener.is_empty(), "the newest comes last");
    let replaced = near
        .drops()
        .of(&key("front"), DropPlace::Sender, DropReason::Congested);
    assert_eq!(
        n_came + replaced,
        u64::from(N_PICTURES),
        "each was sent or is in the ledger"
    );
}

/// A lost peer of our kind, made of Zenoh alone: it says beats for as long as it is told to.
struct Imitation {
    session: zenoh::Session,
}

impl Imitation {
    fn new(near: &ZenohNetwork) -> Self {
        let session = plain_zenoh(near);
        Self { session }
    }

    /// Says that it hears whom it is connected to.
    fn beat(&self, sequence: u64) {
        let heard = self.session.info().peers_zid().wait().map(|zid| Heard {
            name: sedge_spacetime::AgentName::new(zid.to_string()).unwrap(),
            epoch: 0,
            ago: std::time::Duration::ZERO,
        });
        let beat = Beat {
            name: sedge_spacetime::AgentName::new("imitation").unwrap(),
            epoch: 0,
            sequence,
            heard: heard.collect(),
        };
        let key = format!("@sedge/beat/{}", self.session.zid());
        self.session.put(key, beat.to_bytes()).wait().unwrap();
    }
}

#[test]
fn a_session_whose_peer_is_connected_and_silent_is_opened_anew() {
    let _alone = alone();
    let config = ZenohConfig {
        // Silence is suffered for twice as long.
        lease_millis: 1_000,
        heartbeat_millis: 20,
        ..listening()
    };
    let near = open(&config);
    let peer = Imitation::new(&near);
    wait_until("the peer", || near.n_peers() == 1);
    let signal = Signal::new();
    // Longer than silence is suffered.
    for sequence in 0..300 {
        peer.beat(sequence);
        signal.wait(std::time::Duration::from_millis(10));
    }
    assert_eq!(near.counters().reopened, 0, "it was heard");
    wait_until("another session", || near.counters().reopened >= 1);
    wait_until("the peer again", || near.n_peers() == 1);
    assert!(!peer.session.is_closed());
    // What the peer lost is there again.
    let qos = Qos::of(QosClass::State);
    let far = open(&dialling(&near.locators()[0]));
    let listener = Listener::new(&far, "oni/**", qos);
    let mut speaker = Speaker::heard(&near, &key("front"), qos);
    // The peer is silent still, and a live message goes with a session that is opened anew again.
    for _ in 0..PATIENCE.as_millis() / 10 {
        assert_ne!(speaker.put(1), PutOutcome::Closed);
        signal.wait(std::time::Duration::from_millis(10));
        if !listener.is_empty() {
            return;
        }
    }
    panic!("expected a message within {PATIENCE:?}");
}

#[test]
fn somebody_elses_program_need_not_say_beats() {
    let _alone = alone();
    let config = ZenohConfig {
        lease_millis: 100,
        heartbeat_millis: 20,
        ..listening()
    };
    let near = open(&config);
    let _peer = Imitation::new(&near);
    wait_until("the peer", || near.n_peers() == 1);
    let signal = Signal::new();
    signal.wait(std::time::Duration::from_secs(1));
    assert_eq!((near.counters().reopened, near.n_peers()), (0, 1));
}
