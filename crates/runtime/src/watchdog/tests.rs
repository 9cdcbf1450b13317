//! Faults in a real agent on a real loop: its model, its planner and its transport stall, and the
//! robot is stopped while they do.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use sedge_oni::{Goal, KeyPattern, Lidar, Message, Odometry, Waypoint};
use sedge_spacetime::Pose2;
use sedge_transport::{DropLedger, InProcessNetwork, Replies, Served, Signal, Subscriber, Wake};
use sedge_world_model::{
    ActionSequence, Belief, Futures, ImagineError, Observation, ObserveError, Reused, SensorEvent,
    WorldModel,
};

use super::*;
use crate::test_drive::{WallModel, name};
use crate::{
    AgentConfig, AgentNode, DrivingConfig, ModelFactory, NodeRun, SystemClock, Wiring,
    run_watched_node,
};

const CLOCK: &str = "machine";
const BOUND: Duration = Duration::from_millis(60);
/// Far longer than anything here takes: a test that waits this long has failed.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// What stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Model,
    Planner,
    Transport,
}

/// Stalls whoever passes first, until it is opened; later ones pass.
#[derive(Clone)]
struct Gate {
    opened: Arc<Mutex<Option<Receiver<()>>>>,
    entered: Sender<()>,
}

impl Gate {
    fn pass(&self) {
        let opened = self.opened.lock().unwrap().take();
        if let Some(opened) = opened {
            self.entered.send(()).unwrap();
            opened.recv_timeout(WAIT_MAX).unwrap();
        }
    }
}

/// A model that stalls in one of its methods.
struct Stalling {
    model: Box<dyn WorldModel>,
    fault: Fault,
    gate: Gate,
}

impl WorldModel for Stalling {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        if self.fault == Fault::Model && matches!(event.observation, Observation::Lidar(_)) {
            self.gate.pass();
        }
        self.model.observe(event)
    }

    fn belief(&self) -> Option<Belief> {
        self.model.belief()
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        // The planner alone asks for more than one plan.
        if self.fault == Fault::Planner && plans.len() > 1 {
            self.gate.pass();
        }
        self.model.imagine(plans, horizons)
    }
}

/// A network whose publisher of commands stalls, against its contract.
struct StallingNetwork {
    network: Arc<InProcessNetwork>,
    gate: Gate,
}

struct StallingPublisher {
    publisher: Box<dyn Publisher>,
    gate: Gate,
}

impl Publisher for StallingPublisher {
    fn key(&self) -> &Key {
        self.publisher.key()
    }

    fn put(&mut self, message: &EncodedMessage) -> PutOutcome {
        self.gate.pass();
        self.publisher.put(message)
    }

    fn has_subscribers(&self) -> bool {
        self.publisher.has_subscribers()
    }
}

impl Network for StallingNetwork {
    fn publisher(
        &self,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError> {
        let publisher = self.network.publisher(key, qos, wake)?;
        if key.message_type() != "model.prediction" {
            return Ok(publisher);
        }
        let gate = self.gate.clone();
        Ok(Box::new(StallingPublisher { publisher, gate }))
    }

    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError> {
        self.network.subscriber(pattern, qos, wake)
    }

    fn serve(&self, key: &Key, message: EncodedMessage) -> Result<Box<dyn Served>, NetworkError> {
        self.network.serve(key, message)
    }

    fn query(
        &self,
        pattern: &KeyPattern,
        timeout: Duration,
        wake: Wake,
    ) -> Result<Box<dyn Replies>, NetworkError> {
        self.network.query(pattern, timeout, wake)
    }

    fn drops(&self) -> DropLedger {
        self.network.drops()
    }
}

/// Whoever stands beside the robot: sends what its sensors would, and hears what it is told.
struct Bystander {
    clock: Arc<SystemClock>,
    network: Arc<InProcessNetwork>,
    publishers: Vec<(Box<dyn Publisher>, Sequence)>,
    signal: Signal,
}

impl Bystander {
    fn new(clock: &Arc<SystemClock>, network: &Arc<InProcessNetwork>) -> Self {
        Self {
            clock: Arc::clone(clock),
            network: Arc::clone(network),
            publishers: Vec::new(),
            signal: Signal::new(),
        }
    }

    fn hear(&self, message_type: &str, stream: &str) -> Box<dyn Subscriber> {
        let pattern = format!("oni/flock/crane3/{message_type}/{stream}");
        let pattern = KeyPattern::parse(&pattern).unwrap();
        let qos = Qos::of(QosClass::of_message_type(message_type)).with_depth(256);
        let heard = self.network.subscriber(&pattern, qos, self.signal.wake());
        heard.unwrap()
    }

    /// The next message that comes to a subscriber, is of `since` or later, and is meant.
    fn next_since(
        &self,
        subscriber: &mut dyn Subscriber,
        since: Stamp,
        is_meant: impl Fn(&EncodedMessage) -> bool,
    ) -> EncodedMessage {
        loop {
            let Some(received) = subscriber.try_next() else {
                assert!(self.signal.wait(WAIT_MAX), "nothing came");
                continue;
            };
            let stamp = received.message.decode().unwrap().envelope().capture.stamp;
            if stamp >= since && is_meant(&received.message) {
                return received.message;
            }
        }
    }

    fn say<'a, T: TypedMessage<'a>>(&mut self, content: &T) {
        let key = Key::parse(&format!("oni/flock/crane3/{}/front", T::NAME)).unwrap();
        let idx = self.publishers.iter().position(|it| *it.0.key() == key);
        let idx = idx.unwrap_or_else(|| {
            let qos = Qos::of(QosClass::of_message_type(T::NAME));
            let publisher = self.network.publisher(&key, qos, no_wake());
            let sequence = Sequence::new(name("crane3"), 1);
            self.publishers.push((publisher.unwrap(), sequence));
            self.publishers.len() - 1
        });
        let (publisher, sequence) = &mut self.publishers[idx];
        let capture = Capture::exact(self.clock.now(), CLOCK);
        let mut envelope = Envelope::new(sequence.next_source(), capture);
        envelope.frame = Some(FrameName::new("start").unwrap());
        let message: Message<'_> = content.to_message(envelope).unwrap();
        assert_eq!(publisher.put(&message.encode().unwrap()), PutOutcome::Sent);
    }

    /// A goal, odometry, and a scan to plan on.
    fn give_work(&mut self) {
        let waypoint = Waypoint {
            goal_from_base: Pose2::new(9.0, 0.0, 0.0),
            position_tolerance_m: 0.3,
            yaw_tolerance_rad: 7.0,
            deadline: None,
        };
        self.say(&Goal {
            agents: Vec::new(),
            waypoints: vec![waypoint],
        });
        self.say(&Odometry {
            odometry_from_base: Pose2::IDENTITY,
            twist: Twist2::default(),
        });
        self.say(&Lidar {
            first_angle_rad: 0.0,
            step_rad: 0.1,
            ranges_m: vec![9.0, 9.0].into(),
        });
    }
}

/// The agent and its loop, on a thread of their own.
fn run_agent(
    (fault, gate): (Fault, Gate),
    network: &Arc<InProcessNetwork>,
    (clock, shutdown): (&Arc<SystemClock>, &Shutdown),
) -> (JoinHandle<(NodeRun, WatchdogReport)>, Receiver<()>) {
    let (say_ready, ready) = channel();
    let (network, clock) = (Arc::clone(network), Arc::clone(clock));
    let shutdown = shutdown.clone();
    let work = move || {
        let mut config = AgentConfig::new(name("flock"), name("crane3"), 7);
        config.clock_domain = Some(CLOCK.into());
        let stalling = gate.clone();
        let wall = WallModel::factory("wall", 0.0);
        let model: ModelFactory = Box::new(move || {
            Ok(Box::new(Stalling {
                model: wall()?,
                fault,
                gate: stalling.clone(),
            }))
        });
        let mut driving = DrivingConfig {
            stall_secs_max: BOUND.as_secs_f64(),
            ..DrivingConfig::default()
        };
        driving.streams.odometry = "front".into();
        let shared: Arc<dyn Clock> = clock.clone();
        let agent = AgentNode::new(config, Arc::clone(&shared), model, Vec::new());
        let mut agent = agent.unwrap().with_driving(driving, 1).unwrap();
        let stalling = StallingNetwork {
            network: Arc::clone(&network),
            gate,
        };
        let wired: &dyn Network = if fault == Fault::Transport {
            &stalling
        } else {
            network.as_ref()
        };
        let (listens, speaks) = (agent.subscriptions(), agent.publications());
        let mut wiring = Wiring::connect(wired, &listens, &speaks).unwrap();
        let config = agent.watchdog_config().unwrap();
        assert_eq!(config.stall_max, BOUND);
        let watchdog = Watchdog::start(wired, shared, &config).unwrap();
        say_ready.send(()).unwrap();
        let pulse = watchdog.pulse();
        let ran = run_watched_node(&mut agent, &mut wiring, clock.as_ref(), &shutdown, &pulse);
        (ran, watchdog.report())
    };
    (spawn_named("agent", work).unwrap(), ready)
}

fn severity(message: &EncodedMessage) -> Severity {
    let message = message.decode().unwrap();
    let stop = Stop::from_message(&message).unwrap();
    assert!(stop.is_for(&name("crane3")));
    stop.severity
}

fn stops_safely(fault: Fault) {
    let clock = Arc::new(SystemClock::new());
    let network = Arc::new(InProcessNetwork::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let (entered, has_entered) = channel();
    let (open, opened) = channel();
    let gate = Gate {
        opened: Arc::new(Mutex::new(Some(opened))),
        entered,
    };
    let mut bystander = Bystander::new(&clock, &network);
    let mut stops = bystander.hear("event.stop", "watchdog");
    let mut stills = bystander.hear("actuator.cmd", "watchdog");
    let shutdown = Shutdown::new();
    let (agent, ready) = run_agent((fault, gate), &network, (&clock, &shutdown));
    ready.recv_timeout(WAIT_MAX).unwrap();
    bystander.give_work();
    has_entered.recv_timeout(WAIT_MAX).unwrap();

    // It is in there, and while it is the robot is told to stand, again and again. On a busy
    // machine other ticks may have stalled before; what is told now is about this one.
    let stalled_for_sure = clock.now() + BOUND;
    let told = bystander.next_since(stills.as_mut(), stalled_for_sure, |_| true);
    let message = told.decode().unwrap();
    let command = Command::from_message(&message).unwrap();
    let is_still = |step: &CommandStep| step.twist == Twist2::default();
    assert!(!command.steps.is_empty() && command.steps.iter().all(is_still));
    assert!(message.envelope().lifespan.is_some());
    let is_hold = |stop: &EncodedMessage| severity(stop) == Severity::Hold;
    bystander.next_since(stops.as_mut(), Stamp::ZERO, is_hold);
    // What the stalled tick still commands does not go out; the loop goes on, and is released.
    let opens = clock.now();
    open.send(()).unwrap();
    let is_release = |stop: &EncodedMessage| severity(stop) == Severity::Release;
    bystander.next_since(stops.as_mut(), opens, is_release);
    shutdown.request();
    let (ran, report) = agent.join().unwrap();
    assert!(report.n_stalls >= 1 && report.n_unsent == 0, "{report:?}");
    assert!(report.n_commands >= report.n_stalls, "{report:?}");
    assert!(u128::from(report.longest_nanos) >= BOUND.as_nanos());
    if fault != Fault::Transport {
        assert!(ran.late >= 1, "{fault:?}: a command of the stalled tick");
    }
}

#[test]
fn a_stalled_model_ends_in_a_safe_stop() {
    stops_safely(Fault::Model);
}

#[test]
fn a_stalled_planner_ends_in_a_safe_stop() {
    stops_safely(Fault::Planner);
}

#[test]
fn a_stalled_transport_ends_in_a_safe_stop() {
    stops_safely(Fault::Transport);
}

#[test]
fn a_loop_that_waits_is_left_alone_and_dropping_ends_the_thread() {
    let clock = Arc::new(SystemClock::new());
    let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let priority = FifoPriority::new(2);
    let config = WatchdogConfig {
        priority,
        fleet: name("flock"),
        robot: name("crane3"),
        epoch: 1,
        clock_domain: None,
        clock_error: Duration::ZERO,
        stall_max: Duration::from_millis(1),
        lifespan: BOUND,
    };
    let watchdog = Watchdog::start(&network, clock, &config).unwrap();
    assert_eq!(watchdog.report(), WatchdogReport::default());
    // Whether or not it may have it here, it says what it asked for and what is in force.
    let [row] = watchdog.granted() else {
        panic!("expected one row, got {:?}", watchdog.granted());
    };
    assert_eq!(row.asked, "watchdog's priority fifo 2");
    assert!(row.granted == crate::Granted::NotSupported || !row.found.is_empty());
    drop(watchdog);
}
