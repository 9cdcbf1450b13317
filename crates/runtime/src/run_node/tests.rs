use std::sync::Arc;

use sedge_oni::AlignedBytes;
use sedge_transport::{InProcessNetwork, no_wake};

use super::*;
use crate::{SystemClock, spawn_named};

const N_MESSAGES: u8 = 200;

/// Sends numbered messages, as many a tick as it may.
struct Counting {
    key: Key,
    sent: u8,
}

impl Node for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn tick(&mut self, now: Stamp, _: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        while self.sent < N_MESSAGES && outbox.room() > 0 {
            let message = EncodedMessage::new([self.sent], AlignedBytes::default());
            outbox.put(self.key.clone(), message).unwrap();
            self.sent += 1;
        }
        if self.sent < N_MESSAGES {
            NextTick::At(now)
        } else {
            NextTick::Finished
        }
    }
}

impl Driven for Counting {}

#[test]
fn a_lossless_message_that_was_shed_is_offered_until_it_is_taken() {
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let key = Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap();
    let qos = Qos::of(QosClass::State).with_depth(1).lossless();
    let signal = Signal::new();
    let mut reader = network
        .subscriber(&(&key).into(), qos, signal.wake())
        .unwrap();
    let reading = move || {
        let mut came = Vec::new();
        while came.len() < usize::from(N_MESSAGES) {
            match reader.try_next() {
                Some(received) => came.push(received.message.header()[0]),
                None => assert!(signal.wait(Duration::from_mins(1)), "{came:?}"),
            }
        }
        came
    };
    let reading = spawn_named("reader", reading).unwrap();
    let mut node = Counting {
        key: key.clone(),
        sent: 0,
    };
    let mut wiring = Wiring::connect(&network, &[], &[(key, qos)]).unwrap();
    let run = run_node(&mut node, &mut wiring, clock.as_ref(), &Shutdown::new());
    assert_eq!((run.sent, run.shed), (u64::from(N_MESSAGES), 0));
    assert_eq!(
        reading.join().unwrap(),
        (0..N_MESSAGES).collect::<Vec<u8>>()
    );
}

/// Sends one message that is late and one that is not.
struct Tardy {
    key: Key,
}

impl Node for Tardy {
    fn name(&self) -> &'static str {
        "tardy"
    }

    fn tick(&mut self, now: Stamp, _: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        let expiries = [
            Some(now - Duration::from_nanos(1)),
            Some(now + Duration::from_mins(1)),
            None,
        ];
        for (number, expiry) in (0..).zip(expiries) {
            let message = EncodedMessage::new([number], AlignedBytes::default());
            let put = outbox.put_before(self.key.clone(), message, expiry);
            put.unwrap();
        }
        NextTick::Finished
    }
}

impl Driven for Tardy {}

#[test]
fn what_is_past_its_expiry_is_not_sent() {
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let key = Key::parse("oni/flock/crane3/actuator.cmd/main").unwrap();
    let qos = Qos::of(QosClass::Command).with_depth(8);
    let mut reader = network.subscriber(&(&key).into(), qos, no_wake()).unwrap();
    let mut node = Tardy { key: key.clone() };
    let mut wiring = Wiring::connect(&network, &[], &[(key, qos)]).unwrap();
    let run = run_node(&mut node, &mut wiring, clock.as_ref(), &Shutdown::new());
    assert_eq!((run.sent, run.late, run.shed), (2, 1, 0));
    let came = std::iter::from_fn(|| reader.try_next());
    let came: Vec<u8> = came.map(|it| it.message.header()[0]).collect();
    assert_eq!(came, [1, 2]);
}

#[test]
fn whether_anybody_listens_to_telemetry_does_not_count() {
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let publication = |message_type: &str| {
        let key = Key::parse(&format!("oni/flock/crane3/{message_type}/main")).unwrap();
        (key, Qos::of(QosClass::of_message_type(message_type)))
    };
    let types = ["sensor.lidar", "telemetry.health", "agent.manifest"];
    let publications = types.map(publication);
    let wiring = Wiring::connect(&network, &[], &publications).unwrap();
    let links = |listened| Links {
        publishers: 1,
        listened,
    };
    assert_eq!(wiring.links(), links(0));
    let (key, qos) = &publications[0];
    let _reader = network.subscriber(&key.into(), *qos, no_wake()).unwrap();
    assert_eq!(wiring.links(), links(1));
}
