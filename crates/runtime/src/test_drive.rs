//! A straight synthetic drive towards a wall, a model that knows it, and a network to put it on.

use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{
    AlignedBytes, Capture, Command, CommandStep, EncodedMessage, Envelope, Goal, Key, Lidar,
    Message, Odometry, Sequence, TypedMessage as _, Waypoint,
};
use sedge_spacetime::{AgentName, Covariance2, FrameName, ManualClock, Pose2, Stamp, Twist2};
use sedge_transport::{
    InProcessNetwork, Inbox, Network as _, NextTick, Outbox, Outgoing, Publisher, PutOutcome, Qos,
    QosClass, Received, no_wake,
};
use sedge_world_model::{
    Action, ActionSequence, Belief, Futures, ImagineError, Observation, ObserveError,
    PredictedScan, Prediction, Reused, SensorEvent, WorldModel,
};

use crate::{Driven, Links, ModelFactory, PlayItem};

/// Speed towards the wall, in metres per second.
pub(crate) const SPEED_MPS: f64 = 0.5;
/// Where the wall is when the drive begins, in metres.
pub(crate) const WALL_M: f64 = 12.0;
/// Scan period, in milliseconds: horizons of the protocol fall on scans.
pub(crate) const PERIOD_MILLIS: i64 = 250;

pub(crate) fn millis(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

pub(crate) fn name(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

/// The ranges of the two beams at a time of the drive; the second sees nothing.
fn ranges(at: Stamp) -> Vec<f32> {
    vec![(WALL_M - SPEED_MPS * at.secs()) as f32, 81.91]
}

/// Sends what a robot on the drive would, with sequence numbers of its own.
pub(crate) struct Robot {
    sequences: [Sequence; 3],
    pub(crate) keys: Vec<Key>,
}

impl Robot {
    pub(crate) fn new(epoch: u64) -> Self {
        let (flock, crane) = (name("flock"), name("crane3"));
        let key = |of: &str, stream: &str| Key::new(&flock, &crane, of, stream).unwrap();
        Self {
            sequences: [(); 3].map(|()| Sequence::new(crane.clone(), epoch)),
            keys: vec![
                key("sensor.odometry", "wheels"),
                key("actuator.cmd", "base"),
                key("sensor.lidar", "front"),
            ],
        }
    }

    fn envelope(&mut self, stream_idx: usize, at: Stamp) -> Envelope {
        Envelope::new(
            self.sequences[stream_idx].next_source(),
            Capture::exact(at, "log"),
        )
    }

    fn item(&self, stream_idx: usize, at: Stamp, message: Message<'static>) -> PlayItem {
        let due = at.saturating_since(Stamp::ZERO);
        PlayItem {
            due,
            key: self.keys[stream_idx].clone(),
            message,
        }
    }

    pub(crate) fn odometry(&mut self, at: Stamp) -> PlayItem {
        let envelope = self.envelope(0, at);
        let twist = Twist2 {
            vx_mps: SPEED_MPS,
            ..Twist2::default()
        };
        let odometry_from_base = Pose2::new(SPEED_MPS * at.secs(), 0.0, 0.0);
        let message = Odometry {
            odometry_from_base,
            twist,
        }
        .to_message(envelope)
        .unwrap();
        self.item(0, at, message)
    }

    pub(crate) fn command(&mut self, at: Stamp) -> PlayItem {
        let envelope = self.envelope(1, at);
        let twist = Twist2 {
            vx_mps: SPEED_MPS,
            ..Twist2::default()
        };
        let steps = vec![CommandStep {
            duration: Duration::from_secs(3),
            twist,
        }];
        let message = Command { steps }.to_message(envelope).unwrap();
        self.item(1, at, message)
    }

    pub(crate) fn scan(&mut self, at: Stamp) -> PlayItem {
        let envelope = self.envelope(2, at);
        let scan = Lidar {
            first_angle_rad: 0.0,
            step_rad: 0.1,
            ranges_m: ranges(at).into(),
        };
        let message = scan.to_message(envelope).unwrap();
        self.item(2, at, message)
    }

    /// Odometry, command and scan, in this order, at every period from scan `from` to before `to`.
    pub(crate) fn drive(mut self, from: i64, to: i64) -> Vec<PlayItem> {
        let step = |idx: i64| {
            let at = millis(idx * PERIOD_MILLIS);
            [self.odometry(at), self.command(at), self.scan(at)]
        };
        (from..to).flat_map(step).collect()
    }
}

/// Knows the speed of the plan and where the wall is seen; believes that the second beam sees 3 m.
pub(crate) struct WallModel {
    name: &'static str,
    /// Added to every prediction, in metres.
    bias_m: f32,
    scan: Option<(Stamp, f32)>,
    n_odometry: u32,
    /// Advanced by this much in each `imagine`, so that it takes time.
    thinks: Option<(Arc<ManualClock>, Duration)>,
}

impl WallModel {
    pub(crate) fn factory(name: &'static str, bias_m: f32) -> ModelFactory {
        Self::thinking(name, bias_m, None)
    }

    pub(crate) fn thinking(
        name: &'static str,
        bias_m: f32,
        thinks: Option<(Arc<ManualClock>, Duration)>,
    ) -> ModelFactory {
        Box::new(move || {
            let thinks = thinks.clone();
            Ok(Box::new(Self {
                name,
                bias_m,
                scan: None,
                n_odometry: 0,
                thinks,
            }))
        })
    }

    fn predict(
        &self,
        plan: &ActionSequence,
        horizon: Duration,
    ) -> Result<Prediction, ImagineError> {
        let (_, range) = self.scan.ok_or(ImagineError::NoBelief)?;
        let mut left = horizon;
        let mut ahead_m = 0.0;
        for Action { duration, twist } in &plan.actions {
            let held = left.min(*duration);
            left -= held;
            ahead_m += twist.vx_mps * held.as_secs_f64();
        }
        Ok(Prediction {
            horizon,
            motion: Pose2::new(ahead_m, 0.0, 0.0),
            covariance: Covariance2::zero(),
            scan: PredictedScan::certain([range - ahead_m as f32 + self.bias_m, 3.0]),
        })
    }
}

impl WorldModel for WallModel {
    fn name(&self) -> &str {
        self.name
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        match &event.observation {
            Observation::Lidar(scan) => self.scan = Some((event.stamp, scan.ranges_m[0])),
            Observation::Odometry(_) => self.n_odometry += 1,
            _ => {}
        }
        Ok(())
    }

    fn belief(&self) -> Option<Belief> {
        let (stamp, range) = self.scan?;
        let latent = Reused::copy_of(&[range, self.n_odometry as f32]);
        Some(Belief {
            stamp,
            pose: Pose2::IDENTITY,
            covariance: Covariance2::zero(),
            latent,
        })
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        if let Some((clock, takes)) = &self.thinks {
            clock.advance_to(sedge_spacetime::Clock::now(clock.as_ref()) + *takes);
        }
        let futures = |plan| {
            let predictions = horizons.iter().map(|horizon| self.predict(plan, *horizon));
            Ok(Futures {
                predictions: predictions.collect::<Result<_, _>>()?,
            })
        };
        plans.iter().map(futures).collect()
    }
}

/// Nodes on one in-process network, stepped by hand on a clock that is set by hand.
pub(crate) struct Bench {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) network: InProcessNetwork,
}

/// One node and its links on the bench.
pub(crate) struct Bound<N> {
    pub(crate) node: N,
    subscribers: Vec<Box<dyn sedge_transport::Subscriber>>,
    publishers: Vec<Box<dyn Publisher>>,
    /// Everything that it sent.
    pub(crate) sent: Vec<Outgoing>,
    pub(crate) next: NextTick,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
        Self { clock, network }
    }

    pub(crate) fn bind<N: Driven>(
        &self,
        node: N,
        subscriptions: &[(sedge_oni::KeyPattern, Qos)],
        publications: &[(Key, Qos)],
    ) -> Bound<N> {
        let subscriber = |(pattern, qos): &(sedge_oni::KeyPattern, Qos)| {
            self.network.subscriber(pattern, *qos, no_wake()).unwrap()
        };
        let publisher =
            |(key, qos): &(Key, Qos)| self.network.publisher(key, *qos, no_wake()).unwrap();
        Bound {
            node,
            subscribers: subscriptions.iter().map(subscriber).collect(),
            publishers: publications.iter().map(publisher).collect(),
            sent: Vec::new(),
            next: NextTick::OnMessage,
        }
    }
}

impl Bench {
    /// Asks the network what a node wants to know of schemas and hands the answers in, as a driver
    /// does; how many answers came.
    pub(crate) fn ask<N: Driven>(&self, bound: &mut Bound<N>) -> usize {
        let now = sedge_spacetime::Clock::now(self.clock.as_ref());
        let contacts = bound.node.contacts().unwrap();
        let mut n_answers = 0;
        while let Some(question) = contacts.ask(now) {
            let pattern = sedge_oni::KeyPattern::from(&question.key);
            let asked = self.network.query(&pattern, question.timeout, no_wake());
            let mut replies = asked.unwrap();
            while let Some(reply) = replies.try_next() {
                contacts.answer(&question, &reply.message);
                n_answers += 1;
            }
            contacts.unanswered(now, &question);
        }
        n_answers
    }
}

impl<N: Driven> Bound<N> {
    /// One tick, and what it says about the next.
    pub(crate) fn step(&mut self, clock: &ManualClock) -> NextTick {
        let (mut inbox, mut outbox) = (Inbox::new(4_096), Outbox::new(64));
        for subscriber in &mut self.subscribers {
            inbox.fill_from(subscriber.as_mut());
        }
        let class = |key: &Key| QosClass::of_message_type(key.message_type());
        let publishers = || {
            let publishers = self.publishers.iter();
            publishers.filter(|each| Links::counts(class(each.key())))
        };
        let links = Links {
            publishers: publishers().count(),
            listened: publishers().filter(|each| each.has_subscribers()).count(),
        };
        self.node.on_links(links);
        self.next = self
            .node
            .tick(sedge_spacetime::Clock::now(clock), &mut inbox, &mut outbox);
        for outgoing in outbox.drain() {
            let mut publishers = self.publishers.iter_mut();
            let publisher = publishers.find(|each| *each.key() == outgoing.key).unwrap();
            let outcome = publisher.put(&outgoing.message);
            assert_eq!(outcome, PutOutcome::Sent);
            self.node.on_put(&outgoing, outcome);
            self.sent.push(outgoing);
        }
        self.next
    }

    /// Ticks until it has nothing to do at this time.
    pub(crate) fn settle(&mut self, clock: &ManualClock) {
        loop {
            match self.step(clock) {
                NextTick::At(at) if at <= sedge_spacetime::Clock::now(clock) => {}
                _ => return,
            }
        }
    }

    /// Hands messages to the node alone, as they came at the clock's time.
    pub(crate) fn feed(&mut self, clock: &ManualClock, items: &[PlayItem]) {
        let messages: Vec<(Key, EncodedMessage)> = items
            .iter()
            .map(|item| (item.key.clone(), item.message.encode().unwrap()))
            .collect();
        self.feed_encoded(clock, &messages);
    }

    pub(crate) fn feed_encoded(&mut self, clock: &ManualClock, messages: &[(Key, EncodedMessage)]) {
        let arrival = sedge_spacetime::Clock::now(clock);
        let (mut inbox, mut outbox) = (Inbox::new(4_096), Outbox::new(64));
        for (key, message) in messages {
            let (key, message) = (key.clone(), message.clone());
            inbox.push(Received {
                key,
                message,
                arrival,
            });
        }
        loop {
            let now = sedge_spacetime::Clock::now(clock);
            self.next = self.node.tick(now, &mut inbox, &mut outbox);
            self.sent.extend(outbox.drain());
            if !matches!(self.next, NextTick::At(at) if at <= now) {
                return;
            }
        }
    }

    /// What it sent under keys of this type.
    pub(crate) fn sent_of(&self, message_type: &str) -> Vec<&EncodedMessage> {
        let of_type = |sent: &&Outgoing| sent.key.message_type() == message_type;
        self.sent
            .iter()
            .filter(of_type)
            .map(|sent| &sent.message)
            .collect()
    }
}

/// The same message with one bit of its header or payload turned over.
pub(crate) fn flipped(message: &EncodedMessage, bit: usize) -> EncodedMessage {
    let (mut header, mut payload) = (message.header().to_vec(), message.payload().to_vec());
    let n_header_bits = header.len() * 8;
    if bit < n_header_bits {
        header[bit / 8] ^= 1 << (bit % 8);
    } else {
        payload[(bit - n_header_bits) / 8] ^= 1 << (bit % 8);
    }
    EncodedMessage::new(header, AlignedBytes::copy_of(&payload))
}

/// Sends the robot to where the wall is near.
pub(crate) fn goal() -> (Key, EncodedMessage) {
    let key = Key::parse("oni/flock/crane3/mission.goal/boss").unwrap();
    let source = Sequence::new(name("boss"), 1).next_source();
    let capture = Capture::exact(Stamp::ZERO, "log");
    let mut envelope = Envelope::new(source, capture);
    envelope.frame = Some(FrameName::new("start").unwrap());
    let waypoint = Waypoint {
        goal_from_base: Pose2::new(9.0, 0.0, 0.0),
        position_tolerance_m: 0.3,
        yaw_tolerance_rad: 7.0,
        deadline: None,
    };
    let goal = Goal {
        agents: Vec::new(),
        waypoints: vec![waypoint],
    };
    let message = goal.to_message(envelope).unwrap();
    (key, message.encode().unwrap())
}
