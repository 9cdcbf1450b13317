use std::sync::Arc;

use sedge_oni::{Capture, Envelope, Key, Lidar, Message, Sequence, TypedMessage as _};
use sedge_spacetime::{AgentName, Clock as _, ManualClock, Pose2};
use sedge_transport::{InProcessNetwork, Network as _, Qos, QosClass, no_wake};

use super::*;
use crate::swarm::toy_world::ToyWorld;
use crate::test_drive::Bench;

fn key() -> Key {
    Key::parse("oni/flock/crane1/sensor.lidar/front").unwrap()
}

fn at(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

/// Far from zero, as a machine's clock is.
const NOW_MILLIS: i64 = 1_700_000_000_000;

fn lidar(stamp: Stamp) -> Message<'static> {
    let source = Sequence::new(AgentName::new("crane1").unwrap(), 1).next_source();
    let lidar = Lidar {
        first_angle_rad: 0.0,
        step_rad: 0.1,
        ranges_m: vec![1.0, 2.0].into(),
    };
    let envelope = Envelope::new(source, Capture::exact(stamp, "machine"));
    lidar.to_message(envelope).unwrap()
}

/// Says what time it is, as often as told, and keeps what it hears.
struct Chatty {
    n_messages: usize,
    heard: Vec<(Stamp, Stamp)>,
    times: Vec<Stamp>,
    end: Option<Stamp>,
}

impl Chatty {
    fn new(n_messages: usize) -> Self {
        Self {
            n_messages,
            heard: Vec::new(),
            times: Vec::new(),
            end: None,
        }
    }
}

impl Node for Chatty {
    fn name(&self) -> &'static str {
        "chatty"
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        self.times.push(now);
        while let Some(received) = inbox.pop() {
            if let Ok(message) = received.message.decode() {
                let stamp = message.envelope().capture.stamp;
                self.heard.push((stamp, received.arrival));
            }
        }
        for _ in 0..self.n_messages {
            let message = lidar(now).encode().unwrap();
            outbox.put_before(key(), message, Some(now)).unwrap();
        }
        if self.end.is_some_and(|end| now >= end) {
            return NextTick::Finished;
        }
        NextTick::At(now + Duration::from_millis(10))
    }
}

#[test]
fn stamps_are_the_drivers_outside_and_the_nodes_inside() {
    let mut node = Chatty::new(1);
    let mut real_time = RealTime::new(&mut node, Duration::ZERO);
    let (mut inbox, mut outbox) = (Inbox::new(8), Outbox::new(8));
    let mut outside = Vec::new();
    for after in [0, 10] {
        let now = at(NOW_MILLIS + after);
        let message = lidar(now - Duration::from_millis(5)).encode().unwrap();
        let broken = EncodedMessage::new([7], sedge_oni::AlignedBytes::default());
        for message in [message, broken] {
            inbox.push(Received {
                key: key(),
                message,
                arrival: now,
            });
        }
        let next = real_time.tick(now, &mut inbox, &mut outbox);
        assert_eq!(next, NextTick::At(now + Duration::from_millis(10)));
        for outgoing in outbox.drain() {
            let message = outgoing.message.decode().unwrap();
            let whole = Lidar::from_message(&message).unwrap();
            assert_eq!(whole.ranges_m.as_ref(), [1.0, 2.0]);
            outside.push((message.envelope().capture.stamp, outgoing.expiry));
        }
    }
    let expected = [0, 10].map(|after| (at(NOW_MILLIS + after), Some(at(NOW_MILLIS + after))));
    assert_eq!(outside, expected);
    assert_eq!(real_time.punctuality().n_unmapped, 2);
    assert_eq!(node.times, [at(0), at(10)]);
    assert_eq!(node.heard, [(at(-5), at(0)), (at(5), at(10))]);
}

#[test]
fn late_ticks_are_counted_and_early_ones_are_not() {
    let mut node = Chatty::new(0);
    let mut real_time = RealTime::new(&mut node, Duration::from_millis(5));
    let (mut inbox, mut outbox) = (Inbox::new(8), Outbox::new(8));
    // Asked for at 10, 20, 28 (10 after 18), 40, 52 ...
    for after in [0, 10, 18, 30, 42, 80] {
        real_time.tick(at(NOW_MILLIS + after), &mut inbox, &mut outbox);
    }
    let punctuality = real_time.punctuality();
    assert_eq!((punctuality.n_ticks, punctuality.n_late), (4, 1));
    assert_eq!(punctuality.late_nanos_max, 28_000_000);
}

#[test]
fn what_does_not_fit_is_sent_before_the_node_is_called_again() {
    let mut node = Chatty::new(7);
    node.end = Some(Stamp::ZERO);
    let mut real_time = RealTime::new(&mut node, Duration::ZERO);
    let (mut inbox, mut outbox) = (Inbox::new(8), Outbox::new(3));
    let now = at(NOW_MILLIS);
    let mut n_sent = Vec::new();
    let mut next = NextTick::At(now);
    while next == NextTick::At(now) {
        next = real_time.tick(now, &mut inbox, &mut outbox);
        n_sent.push(outbox.drain().count());
    }
    assert_eq!((next, n_sent), (NextTick::Finished, vec![3, 3, 1]));
    assert_eq!(node.times.len(), 1);
}

#[test]
fn an_agent_drives_in_a_world_that_runs_by_the_machines_clock() {
    let clock = Arc::new(ManualClock::new(at(NOW_MILLIS)));
    let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let bench = Bench { clock, network };
    let start = Pose2::new(-3.0, 0.0, 0.0);
    let mut world = ToyWorld::new(&[(start, Some([3.0, 0.0]))]);
    let publications = world.publications();
    let listener = bench.network.subscriber(
        &sedge_oni::KeyPattern::parse("oni/flock/crane1/actuator.cmd/**").unwrap(),
        Qos::of(QosClass::Command).with_depth(256),
        no_wake(),
    );
    let mut listener = listener.unwrap();
    let real_time = RealTime::new(&mut world, Duration::ZERO);
    let mut world_end = bench.bind(real_time, &ToyWorld::subscriptions(), &publications);
    let agent = crate::swarm::tests::live_agent(Arc::clone(&bench.clock) as Arc<_>);
    let (reads, writes) = (agent.subscriptions(), agent.publications());
    let mut agent = bench.bind(agent, &reads, &writes);
    for tick in 0..250 {
        bench.clock.advance_to(at(NOW_MILLIS + 10 * tick));
        world_end.step(&bench.clock);
        agent.settle(&bench.clock);
    }
    assert_eq!(bench.clock.now(), at(NOW_MILLIS + 2_490));
    let mut n_commands = 0;
    while let Some(received) = listener.try_next() {
        let message = received.message.decode().unwrap();
        let envelope = message.envelope();
        assert_eq!(
            envelope.capture.stamp, received.arrival,
            "on the machine's clock"
        );
        n_commands += 1;
    }
    assert!(n_commands > 20, "{n_commands}");
    let punctuality = world_end.node.punctuality();
    assert_eq!((punctuality.n_late, punctuality.n_unmapped), (0, 0));
    let report = agent.node.report();
    drop(world_end);
    let x_m = world.robots[0].world_from_base.x_m;
    assert!(x_m > -2.2, "{x_m}\n{report}");
}
