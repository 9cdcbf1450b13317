//! The simulation on a network.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use sedge_oni::{
    AlignedBytes, Capture, Command, CommandStep, Depth, EncodedMessage, Envelope, Goal, Imu, Key,
    Lidar, Odometry, RangeBearing, Sequence, TypedMessage as _,
};
use sedge_simulation::scripted::{Scripted, orca::Orca};
use sedge_simulation::{
    Driver, NO_RETURN_M, STEP, Scenario, Simulation, SimulationNode, SimulationNodeConfig,
    TrueScans, Truth,
};
use sedge_spacetime::{AgentName, Pose2, Stamp, Twist2};
use sedge_transport::{Inbox, NextTick, Node as _, Outbox, Outgoing, Received};

const YARD: &str = r#"
name = "yard"
duration_secs = 5.0
[kinds.crane]
mass_kg = 12.0
height_m = 0.4
body.cylinder.radius_m = 0.2
drive.differential = { max_speed_mps = 1.0, max_acceleration_mps2 = 2.0 }
lidar = {}
odometry = {}
imu = {}
range_bearing = {}
depth = { n_columns = 8, n_rows = 6 }
[[robots]]
kind = "crane"
start = [1.0, 0.0, 1.5]
route = [[1.0, 2.0, 1.5], [1.0, 4.0, 1.5]]
position_tolerance_m = 0.25
[[robots]]
kind = "crane"
start = [3.0, 0.0, 0.0]
[[walkers]]
start = [-3.0, 0.0]
route = [[-3.0, 4.0]]
"#;

fn name(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

fn node(change: impl FnOnce(&mut SimulationNodeConfig)) -> SimulationNode {
    let scenario = Scenario::parse(YARD, "yard").unwrap();
    let simulation = Simulation::new(&scenario, 5).unwrap();
    let mut config = SimulationNodeConfig::new(name("flock"), 9);
    change(&mut config);
    SimulationNode::new(simulation, config).unwrap()
}

/// A driver in lockstep.
struct Lockstep {
    node: SimulationNode,
    inbox: Inbox,
    sequence: Sequence,
    n_ticks: i64,
}

impl Lockstep {
    fn new(node: SimulationNode) -> Self {
        Self {
            node,
            inbox: Inbox::new(64),
            sequence: Sequence::new(name("crane1"), 1),
            n_ticks: 0,
        }
    }

    fn now(&self) -> Stamp {
        Stamp::from_nanos(self.n_ticks * STEP.as_nanos() as i64)
    }

    fn tick(&mut self) -> (Vec<Outgoing>, NextTick) {
        self.n_ticks += 1;
        let mut outbox = Outbox::new(self.node.outbox_depth());
        let next = self.node.tick(self.now(), &mut self.inbox, &mut outbox);
        (outbox.drain().collect(), next)
    }

    fn ticks(&mut self, n_ticks: usize) -> Vec<Outgoing> {
        (0..n_ticks).flat_map(|_| self.tick().0).collect()
    }

    fn send(&mut self, key: &str, message: EncodedMessage) {
        self.inbox.push(Received {
            key: Key::parse(key).unwrap(),
            message,
            arrival: self.now(),
        });
    }

    /// Sends a command of one robot that begins now: speeds and how long each is held.
    fn command(&mut self, steps: &[(f64, u64)], change: impl FnOnce(&mut Envelope)) {
        let steps = steps.iter().map(|(vx_mps, millis)| CommandStep {
            duration: Duration::from_millis(*millis),
            twist: Twist2 {
                vx_mps: *vx_mps,
                ..Twist2::default()
            },
        });
        let command = Command {
            steps: steps.collect(),
        };
        let capture = Capture::exact(self.now(), "simulation");
        let mut envelope = Envelope::new(self.sequence.next_source(), capture);
        change(&mut envelope);
        let message = command.to_message(envelope).unwrap().encode().unwrap();
        self.send("oni/flock/crane1/actuator.cmd/main", message);
    }

    fn vx_mps(&self) -> f64 {
        self.node.simulation().robots()[0].twist.vx_mps
    }
}

fn of<'a>(sent: &'a [Outgoing], key: &str) -> Vec<&'a EncodedMessage> {
    let found: Vec<_> = sent.iter().filter(|it| it.key.as_str() == key).collect();
    assert!(
        !found.is_empty(),
        "{key} in {:?}",
        sent.iter().map(|it| &it.key).collect::<Vec<_>>()
    );
    found.into_iter().map(|it| &it.message).collect()
}

#[test]
fn every_stream_goes_out_at_its_rate_and_can_be_read() {
    let mut run = Lockstep::new(node(|config| config.truth.scans = TrueScans::WithEachScan));
    let sent = run.ticks(100);
    assert_eq!(run.node.n_unsent(), 0);
    let count = |key: &str| of(&sent, key).len();
    assert_eq!(count("oni/flock/crane1/sensor.lidar/front"), 10);
    assert_eq!(count("oni/flock/crane2/sensor.lidar/truth"), 10);
    assert_eq!(count("oni/flock/crane1/sensor.odometry/wheels"), 50);
    assert_eq!(count("oni/flock/crane1/sensor.odometry/truth"), 10);
    assert_eq!(count("oni/flock/walker1/sensor.odometry/truth"), 10);
    assert_eq!(count("oni/flock/crane1/sensor.imu/base"), 20);
    assert_eq!(count("oni/flock/crane1/sensor.range_bearing/peers"), 10);
    assert_eq!(count("oni/flock/crane1/sensor.depth/front"), 5);
    assert_eq!(count("oni/flock/crane1/mission.goal/route"), 1);
    let published: Vec<Key> = run.node.publications().into_iter().map(|it| it.0).collect();
    assert!(sent.iter().all(|it| published.contains(&it.key)));

    let message = of(&sent, "oni/flock/crane1/sensor.lidar/truth")[0]
        .decode()
        .unwrap();
    let scan = Lidar::from_message(&message).unwrap();
    let moving: &[u8] = message.tensor("moving").unwrap().values().unwrap();
    for (range_m, moving) in scan.ranges_m.iter().zip(moving) {
        assert_eq!(*moving == 1, *range_m < NO_RETURN_M, "only bodies are here");
    }
    assert!(moving.contains(&1));
    assert_eq!(
        message.envelope().capture,
        Capture::exact(Stamp::from_nanos(100_000_000), "simulation")
    );
    assert_eq!(
        (
            message.envelope().source.epoch,
            message.envelope().source.sequence
        ),
        (9, 0)
    );

    let message = of(&sent, "oni/flock/crane1/sensor.imu/base")[1]
        .decode()
        .unwrap();
    let imu = Imu::from_message(&message).unwrap();
    let offsets = [0, 10_000_000, 20_000_000, 30_000_000, 40_000_000];
    assert_eq!(*imu.offsets_nanos, offsets);
    assert_eq!(
        message.envelope().capture.stamp.nanos(),
        60_000_000,
        "of the first sample"
    );

    let message = of(&sent, "oni/flock/crane1/sensor.range_bearing/peers")[0]
        .decode()
        .unwrap();
    let peers = RangeBearing::from_message(&message).unwrap();
    assert_eq!(peers.neighbours[0].name, name("crane2"));

    let message = of(&sent, "oni/flock/crane1/sensor.odometry/truth")[0]
        .decode()
        .unwrap();
    let truth = Odometry::from_message(&message).unwrap();
    assert!((truth.odometry_from_base.x_m - 1.0).abs() < 1e-3);
    assert_eq!(message.envelope().frame.as_ref().unwrap().as_str(), "world");

    let message = of(&sent, "oni/flock/crane1/sensor.depth/front")[0]
        .decode()
        .unwrap();
    Depth::from_message(&message).unwrap();
}

#[test]
fn goals_are_in_the_robots_own_start_frame() {
    let mut run = Lockstep::new(node(|_| {}));
    let sent = run.ticks(1);
    let message = of(&sent, "oni/flock/crane1/mission.goal/route")[0]
        .decode()
        .unwrap();
    let goal = Goal::from_message(&message).unwrap();
    assert!(goal.is_for(&name("crane1")) && !goal.is_for(&name("crane2")));
    assert_eq!(goal.waypoints.len(), 2);
    let start = Pose2::new(1.0, 0.0, 1.5);
    let back = start * goal.waypoints[1].goal_from_base;
    assert!((back.x_m - 1.0).hypot(back.y_m - 4.0) < 1e-9);
    assert!((goal.waypoints[1].position_tolerance_m - 0.25).abs() < 1e-9);
    let message = of(&sent, "oni/flock/crane2/mission.goal/route")[0]
        .decode()
        .unwrap();
    assert!(Goal::from_message(&message).unwrap().waypoints.is_empty());
}

#[test]
fn truth_goes_out_only_where_it_is_asked_for() {
    let mut run = Lockstep::new(node(|config| {
        config.truth = Truth {
            pose_period: None,
            scans: TrueScans::Never,
        };
    }));
    let sent = run.ticks(50);
    assert!(sent.iter().all(|it| it.key.stream() != "truth"));
}

#[test]
fn a_command_drives_for_as_long_as_its_steps_last() {
    let mut run = Lockstep::new(node(|_| {}));
    run.ticks(1);
    assert!(run.vx_mps().abs() < 1e-6);
    run.command(&[(0.5, 500), (-0.25, 500)], |_| {});
    run.ticks(40);
    assert!((run.vx_mps() - 0.5).abs() < 1e-3);
    run.ticks(55);
    assert!((run.vx_mps() + 0.25).abs() < 1e-3, "{}", run.vx_mps());
    run.ticks(50);
    assert!(run.vx_mps().abs() < 1e-3, "past its end it stops");
    let counts = run.node.command_counts(0);
    assert_eq!((counts.taken, counts.steps_driven), (1, 100));
}

#[test]
fn no_command_is_driven_past_its_deadline_or_lifespan() {
    for limit in [
        |envelope: &mut Envelope| envelope.deadline = Some(Duration::from_millis(200)),
        |envelope: &mut Envelope| envelope.lifespan = Some(Duration::from_millis(200)),
    ] {
        let mut run = Lockstep::new(node(|_| {}));
        run.command(&[(0.5, 5_000)], limit);
        run.ticks(100);
        assert_eq!(run.node.command_counts(0).steps_driven, 20);
        assert!(run.vx_mps().abs() < 1e-3);
    }
    let mut run = Lockstep::new(node(|_| {}));
    run.ticks(30);
    run.command(&[(0.5, 5_000)], |envelope| {
        envelope.capture.stamp = Stamp::ZERO;
        envelope.deadline = Some(Duration::from_millis(200));
    });
    run.ticks(10);
    let counts = run.node.command_counts(0);
    assert_eq!(
        (counts.expired, counts.steps_driven),
        (1, 0),
        "it came too late"
    );
}

#[test]
fn the_newest_command_wins_whatever_order_they_come_in() {
    let mut run = Lockstep::new(node(|_| {}));
    run.ticks(10);
    run.command(&[(0.5, 5_000)], |_| {});
    run.command(&[(-0.5, 5_000)], |it| {
        it.capture.stamp = Stamp::from_nanos(50_000_000);
    });
    run.command(&[(0.3, 5_000)], |it| {
        it.capture.stamp = Stamp::from_nanos(600_000_000);
    });
    run.ticks(40);
    assert!(
        (run.vx_mps() - 0.5).abs() < 1e-3,
        "the third one has not begun"
    );
    run.ticks(40);
    assert!((run.vx_mps() - 0.3).abs() < 1e-3);
    let counts = run.node.command_counts(0);
    assert_eq!((counts.taken, counts.older), (2, 1));
}

#[test]
fn what_is_no_command_of_ours_is_refused_and_counted() {
    let mut run = Lockstep::new(node(|_| {}));
    run.command(&[(0.5, 5_000)], |it| {
        it.capture.clock = "elsewhere".to_owned();
    });
    let noise = || EncodedMessage::new([1, 2, 3], AlignedBytes::default());
    run.send("oni/flock/crane1/actuator.cmd/main", noise());
    run.send("oni/flock/crane77/actuator.cmd/main", noise());
    run.send("oni/flock/crane1/sensor.lidar/front", noise());
    run.ticks(20);
    let counts = run.node.command_counts(0);
    assert_eq!(
        (counts.other_clock, counts.malformed, counts.taken),
        (1, 1, 0)
    );
    assert_eq!(run.node.n_strange(), 2);
    assert!(run.vx_mps().abs() < 1e-6);
}

#[test]
fn a_scripted_driver_drives_and_hears_nobody() {
    let mut run = Lockstep::new(node(|config| {
        config.driver = Driver::Scripted(Scripted::Orca(Orca::default()));
    }));
    assert!(run.node.subscriptions().is_empty());
    run.command(&[(-1.0, 5_000)], |_| {});
    let finished = (0..600).find(|_| run.tick().1 == NextTick::Finished);
    assert!(finished.is_some());
    assert_eq!(run.node.n_strange(), 1);
    let simulation = run.node.into_simulation();
    assert!(simulation.metrics().robots[0].reached_secs.is_some());
    assert!(simulation.is_over());
}

#[test]
fn a_late_tick_catches_up_to_the_same_run() {
    let run = |ticks: &[i64]| {
        let mut node = node(|config| {
            config.driver = Driver::Scripted(Scripted::Orca(Orca::default()));
        });
        let (mut inbox, mut outbox) = (Inbox::new(1), Outbox::new(100_000));
        for millis in ticks {
            let now = Stamp::from_nanos(millis * 1_000_000);
            node.tick(now, &mut inbox, &mut outbox);
        }
        (
            node.simulation().now(),
            node.simulation().hash(),
            outbox.drain().count(),
        )
    };
    let each: Vec<i64> = (1..=40).map(|it| it * 10).collect();
    assert_eq!(run(&each), run(&[95, 200, 400]));
    assert_eq!(
        run(&[5_000]).0,
        Stamp::from_nanos(1_000_000_000),
        "a second at most"
    );
}

#[test]
fn an_outbox_without_room_loses_messages_and_says_so() {
    let mut node = node(|_| {});
    let (mut inbox, mut outbox) = (Inbox::new(1), Outbox::new(3));
    node.tick(Stamp::from_nanos(100_000_000), &mut inbox, &mut outbox);
    assert_eq!(outbox.drain().count(), 3);
    assert!(node.n_unsent() > 10);
}
