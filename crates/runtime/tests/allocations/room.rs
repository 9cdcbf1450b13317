//! A robot in a room with pillars: what its sensors say, and where its commands take it.

use sedge_oni::{
    Capture, Command, Envelope, Goal, Imu, Key, KeyPattern, LedgerEntry, Lidar, Odometry, Sequence,
    TypedMessage, Waypoint,
};
use sedge_spacetime::{AgentName, FrameName, Pose2, Stamp, Twist2};
use sedge_transport::{
    InProcessNetwork, Network as _, Publisher, PutOutcome, Qos, QosClass, Subscriber, no_wake,
};
use sedge_world_model::ScanGeometry;

use super::{CLOCK, EXTENT, FLEET, ROBOT, TICK};

/// Half the room's length and width, in metres.
const HALF_M: [f64; 2] = [5.0, 3.0];
/// Middles of square pillars, and half their width, in metres.
const PILLARS_M: [[f64; 2]; 4] = [[-2.0, -1.2], [-2.0, 1.2], [2.0, -1.2], [2.0, 1.2]];
const PILLAR_HALF_M: f64 = 0.25;
/// The corners of the way, which is driven again and again.
const WAY_M: [[f64; 2]; 4] = [[3.6, 0.0], [3.6, 2.1], [-3.6, 2.1], [-3.6, 0.0]];
const N_LAPS: usize = 100;
/// Ticks from one message to the next.
const ODOMETRY_TICKS: u64 = 4;

pub(super) fn name(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

/// The robot, its sensors and its wheels.
pub(super) struct Robot {
    geometry: ScanGeometry,
    voices: [Voice; 4],
    commands: Box<dyn Subscriber>,
    /// Newer than any that came before.
    command: Option<(Stamp, Command)>,
    room_from_base: Pose2,
    twist: Twist2,
    n_ticks: u64,
    /// How far it came.
    pub(super) way_m: f64,
}

/// Which messages came in a tick.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sensed {
    pub(super) odometry: bool,
    pub(super) scan: bool,
}

struct Voice {
    publisher: Box<dyn Publisher>,
    sequence: Sequence,
}

impl Voice {
    fn new(network: &InProcessNetwork, message_type: &str, stream: &str) -> Self {
        let key = Key::new(&name(FLEET), &name(ROBOT), message_type, stream).unwrap();
        let qos = Qos::of(QosClass::of_message_type(message_type));
        Self {
            publisher: network.publisher(&key, qos, no_wake()).unwrap(),
            sequence: Sequence::new(name(ROBOT), 1),
        }
    }

    fn put<'a>(&mut self, now: Stamp, frame: &str, content: &impl TypedMessage<'a>) {
        let capture = Capture::exact(now, CLOCK);
        let mut envelope = Envelope::new(self.sequence.next_source(), capture);
        envelope.frame = Some(FrameName::new(frame).unwrap());
        // As a driver does, so that the way of a message is measured from there.
        let put = LedgerEntry::of_parts(["put@", CLOCK], now.nanos().unsigned_abs());
        envelope.ledger.extend(put);
        let message = content.to_message(envelope).unwrap();
        let put = self.publisher.put(&message.encode().unwrap());
        assert_eq!(put, PutOutcome::Sent);
    }
}

impl Robot {
    pub(super) fn new(network: &InProcessNetwork, geometry: ScanGeometry) -> Self {
        let pattern = format!("oni/{FLEET}/{ROBOT}/actuator.cmd/**");
        let pattern = KeyPattern::parse(&pattern).unwrap();
        let qos = Qos::of(QosClass::Command);
        Self {
            geometry,
            voices: [
                Voice::new(network, "mission.goal", "route"),
                Voice::new(network, "sensor.imu", "base"),
                Voice::new(network, "sensor.odometry", "wheels"),
                Voice::new(network, "sensor.lidar", "front"),
            ],
            commands: network.subscriber(&pattern, qos, no_wake()).unwrap(),
            command: None,
            room_from_base: Pose2::IDENTITY,
            twist: Twist2::default(),
            n_ticks: 0,
            way_m: 0.0,
        }
    }

    /// Whoever else hears what the agent says: a viewer, other robots.
    pub(super) fn listen(network: &InProcessNetwork) -> [Box<dyn Subscriber>; 2] {
        ["model.prediction", "model.belief"].map(|message_type| {
            let pattern = format!("oni/{FLEET}/{ROBOT}/{message_type}/**");
            let pattern = KeyPattern::parse(&pattern).unwrap();
            let qos = Qos::of(QosClass::of_message_type(message_type));
            network.subscriber(&pattern, qos, no_wake()).unwrap()
        })
    }

    /// Moves on for a tick, until `now`, and sends what its sensors say then.
    pub(super) fn step(&mut self, now: Stamp) -> Sensed {
        while let Some(received) = self.commands.try_next() {
            let message = received.message.decode().unwrap();
            let stamp = message.envelope().capture.stamp;
            self.command = Some((stamp, Command::from_message(&message).unwrap()));
        }
        self.twist = self.commanded(now);
        let ahead = Pose2::exp(self.twist.scaled(TICK.as_secs_f64()));
        self.room_from_base = self.room_from_base * ahead;
        self.way_m += ahead.distance_m();
        let sensed = Sensed {
            odometry: self.n_ticks.is_multiple_of(ODOMETRY_TICKS),
            scan: self.n_ticks.is_multiple_of(EXTENT.scan_ticks),
        };
        self.say(now, sensed);
        self.n_ticks += 1;
        sensed
    }

    fn commanded(&self, now: Stamp) -> Twist2 {
        let Some((stamp, command)) = &self.command else {
            return Twist2::default();
        };
        let mut left = now.saturating_since(*stamp);
        for step in &command.steps {
            if left < step.duration {
                return step.twist;
            }
            left -= step.duration;
        }
        Twist2::default()
    }

    fn say(&mut self, now: Stamp, sensed: Sensed) {
        let scan = sensed.scan.then(|| self.scan());
        let [goal, imu, odometry, lidar] = &mut self.voices;
        if self.n_ticks == 0 {
            goal.put(now, "start", &way());
        }
        let turn = [0.0, 0.0, self.twist.yaw_rate_radps as f32];
        let said = Imu {
            offsets_nanos: vec![0].into(),
            angular_velocity: vec![turn].into(),
            linear_acceleration: vec![[0.0, 0.0, 9.81]].into(),
        };
        imu.put(now, "base", &said);
        if sensed.odometry {
            let said = Odometry {
                odometry_from_base: self.room_from_base,
                twist: self.twist,
            };
            odometry.put(now, "odometry", &said);
        }
        if let Some(scan) = scan {
            lidar.put(now, "scanner", &scan);
        }
    }

    fn scan(&self) -> Lidar<'static> {
        let range = |beam| {
            let yaw_rad = self.room_from_base.yaw_rad + self.geometry.angle_rad(beam);
            let (sin, cos) = yaw_rad.sin_cos();
            let pose = self.room_from_base;
            (free_m([pose.x_m, pose.y_m], [cos, sin])) as f32
        };
        Lidar {
            first_angle_rad: self.geometry.first_angle_rad,
            step_rad: self.geometry.step_rad,
            ranges_m: (0..self.geometry.n_beams).map(range).collect(),
        }
    }
}

fn way() -> Goal {
    let waypoint = |[x, y]: &[f64; 2]| Waypoint {
        goal_from_base: Pose2::new(*x, *y, 0.0),
        position_tolerance_m: 0.4,
        yaw_tolerance_rad: 4.0,
        deadline: None,
    };
    let corners = WAY_M.iter().cycle().take(WAY_M.len() * N_LAPS);
    Goal {
        agents: Vec::new(),
        waypoints: corners.map(waypoint).collect(),
    }
}

/// How far a beam goes until it meets a wall or a pillar, in metres.
fn free_m(from: [f64; 2], along: [f64; 2]) -> f64 {
    let (_, walls) = crossing_m(
        from,
        along,
        [[-HALF_M[0], HALF_M[0]], [-HALF_M[1], HALF_M[1]]],
    );
    let pillars = PILLARS_M.iter().filter_map(|[x, y]| {
        let sides = |middle: &f64| [middle - PILLAR_HALF_M, middle + PILLAR_HALF_M];
        let (enters, leaves) = crossing_m(from, along, [sides(x), sides(y)]);
        (enters < leaves && enters > 0.0).then_some(enters)
    });
    pillars.fold(walls, f64::min)
}

/// Where a line enters and leaves a box, in metres along it.
fn crossing_m(from: [f64; 2], along: [f64; 2], sides: [[f64; 2]; 2]) -> (f64, f64) {
    let mut crossing = (f64::NEG_INFINITY, f64::INFINITY);
    for axis in 0..2 {
        let at = sides[axis].map(|side| (side - from[axis]) / along[axis]);
        crossing.0 = crossing.0.max(at[0].min(at[1]));
        crossing.1 = crossing.1.min(at[0].max(at[1]));
    }
    crossing
}
