//! A world for tests: discs in a rectangular room, sensors without noise, computed exactly.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_oni::{
    Capture, Command, Envelope, Goal, Key, KeyPattern, Lidar, Measured, Neighbour, Odometry,
    RangeBearing, Sequence, Severity, Stop, TypedMessage, Waypoint,
};
use sedge_spacetime::{AgentName, FrameName, Pose2, Stamp, Twist2, wrap_angle};
use sedge_transport::{Inbox, NextTick, Node, Outbox, Qos, QosClass};

pub(crate) const STEP: Duration = Duration::from_millis(10);
pub(crate) const RADIUS_M: f64 = 0.25;
pub(crate) const N_BEAMS: usize = 120;
const HALF_ROOM_M: [f64; 2] = [6.0, 4.0];
const CLOCK: &str = "simulation";
const ACCELERATION: f64 = 1.5;
const YAW_ACCELERATION: f64 = 4.0;

pub(crate) fn at(millis: u64) -> Stamp {
    Stamp::ZERO + Duration::from_millis(millis)
}

/// A command as it was executed, and when it came.
#[derive(Debug, Clone)]
pub(crate) struct Executed {
    pub(crate) came: Stamp,
    stamp: Stamp,
    expiry: Stamp,
    pub(crate) command: Command,
}

pub(crate) struct ToyRobot {
    pub(crate) name: AgentName,
    start: Pose2,
    pub(crate) world_from_base: Pose2,
    pub(crate) twist: Twist2,
    goal: Option<[f64; 2]>,
    epoch: u64,
    sequences: BTreeMap<Key, Sequence>,
    /// Every command that came, the newest last.
    pub(crate) commands: Vec<Executed>,
}

/// Robots in a room. Everything that goes wrong is told beforehand, by time.
pub(crate) struct ToyWorld {
    pub(crate) robots: Vec<ToyRobot>,
    now: Stamp,
    /// No scans of the first robot from the first to the second.
    pub(crate) blind: Option<(Stamp, Stamp)>,
    /// Orders to everybody.
    pub(crate) orders: Vec<(Stamp, Severity)>,
    order_sequence: Sequence,
    /// When the sensors of a robot begin anew, with a larger epoch.
    pub(crate) restarts: Vec<(Stamp, usize)>,
    pub(crate) closest_m: f64,
}

fn name(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

impl ToyWorld {
    /// Robots called crane1 and so on, from here to there.
    pub(crate) fn new(robots: &[(Pose2, Option<[f64; 2]>)]) -> Self {
        let robot = |(idx, (start, goal)): (usize, &(Pose2, Option<[f64; 2]>))| ToyRobot {
            name: name(&format!("crane{}", idx + 1)),
            start: *start,
            world_from_base: *start,
            twist: Twist2::default(),
            goal: *goal,
            epoch: 1,
            sequences: BTreeMap::new(),
            commands: Vec::new(),
        };
        Self {
            robots: robots.iter().enumerate().map(robot).collect(),
            now: Stamp::ZERO,
            blind: None,
            orders: Vec::new(),
            order_sequence: Sequence::new(name("warden"), 1),
            restarts: Vec::new(),
            closest_m: f64::INFINITY,
        }
    }

    pub(crate) fn subscriptions() -> Vec<(KeyPattern, Qos)> {
        let pattern = KeyPattern::parse("oni/flock/*/actuator.cmd/**").unwrap();
        vec![(pattern, Qos::of(QosClass::Command))]
    }

    pub(crate) fn publications(&self) -> Vec<(Key, Qos)> {
        let streams = [
            ("sensor.lidar", "front"),
            ("sensor.odometry", "wheels"),
            ("sensor.odometry", "truth"),
            ("sensor.range_bearing", "peers"),
            ("mission.goal", "route"),
        ];
        let robots = self.robots.iter();
        let mut keys: Vec<Key> = robots
            .flat_map(|robot| streams.map(|(of, stream)| robot.key(of, stream)))
            .collect();
        keys.push(stop_key());
        let qos = |key: &Key| Qos::of(QosClass::of_message_type(key.message_type()));
        keys.into_iter()
            .map(|key| (key.clone(), qos(&key)))
            .collect()
    }

    fn take_commands(&mut self, now: Stamp, inbox: &mut Inbox) {
        while let Some(received) = inbox.pop() {
            let agent = received.key.agent().to_owned();
            let mut robots = self.robots.iter_mut();
            let robot = robots.find(|robot| robot.name.as_str() == agent).unwrap();
            let message = received.message.decode().unwrap();
            let envelope = message.envelope();
            assert_eq!(envelope.deadline, envelope.lifespan);
            robot.commands.push(Executed {
                came: now,
                stamp: envelope.capture.stamp,
                expiry: envelope.capture.stamp + envelope.lifespan.unwrap(),
                command: Command::from_message(&message).unwrap(),
            });
        }
    }

    fn move_on(&mut self, now: Stamp) {
        let secs = STEP.as_secs_f64();
        for robot in &mut self.robots {
            let wanted = robot.wanted(now);
            let towards = |from: f64, to: f64, rate: f64| from + (to - from).clamp(-rate, rate);
            let twist = &mut robot.twist;
            twist.vx_mps = towards(twist.vx_mps, wanted.vx_mps, ACCELERATION * secs);
            let yaw = (twist.yaw_rate_radps, wanted.yaw_rate_radps);
            twist.yaw_rate_radps = towards(yaw.0, yaw.1, YAW_ACCELERATION * secs);
            robot.world_from_base = robot.world_from_base * Pose2::exp(twist.scaled(secs));
        }
        for (idx, robot) in self.robots.iter().enumerate() {
            for other in &self.robots[idx + 1..] {
                let off = robot.world_from_base.between(other.world_from_base);
                self.closest_m = self.closest_m.min(off.distance_m() - 2.0 * RADIUS_M);
            }
        }
    }

    fn ranges(&self, robot_idx: usize) -> Vec<f32> {
        let pose = self.robots[robot_idx].world_from_base;
        let others = || {
            let others = self.robots.iter().enumerate();
            others.filter(move |(idx, _)| *idx != robot_idx)
        };
        let range = |beam_idx: usize| {
            let angle = pose.yaw_rad + geometry_angle(beam_idx);
            let (sin, cos) = angle.sin_cos();
            let wall = |place: f64, way: f64, half: f64| match way {
                way if way > 1e-12 => (half - place) / way,
                way if way < -1e-12 => (-half - place) / way,
                _ => f64::INFINITY,
            };
            let mut range = wall(pose.x_m, cos, HALF_ROOM_M[0]);
            range = range.min(wall(pose.y_m, sin, HALF_ROOM_M[1]));
            for (_, other) in others() {
                let (dx, dy) = (
                    other.world_from_base.x_m - pose.x_m,
                    other.world_from_base.y_m - pose.y_m,
                );
                let along = dx * cos + dy * sin;
                let across = dx * sin - dy * cos;
                let half = RADIUS_M * RADIUS_M - across * across;
                if along > 0.0 && half > 0.0 {
                    range = range.min(along - half.sqrt());
                }
            }
            range as f32
        };
        (0..N_BEAMS).map(range).collect()
    }

    fn seen(&self, robot_idx: usize) -> RangeBearing {
        let pose = self.robots[robot_idx].world_from_base;
        let others = self.robots.iter().enumerate();
        let neighbours = others
            .filter(|(idx, _)| *idx != robot_idx)
            .map(|(_, other)| {
                let off = pose.between(other.world_from_base);
                let measured = |value: f64, sigma| Measured {
                    value: value as f32,
                    sigma,
                };
                Neighbour {
                    name: other.name.clone(),
                    range_m: Some(measured(off.distance_m(), 0.05)),
                    bearing_rad: Some(measured(wrap_angle(off.y_m.atan2(off.x_m)), 0.02)),
                }
            });
        RangeBearing {
            neighbours: neighbours.collect(),
        }
    }

    fn sense(&mut self, now: Stamp, outbox: &mut Outbox) {
        let millis = now.nanos() / 1_000_000;
        for idx in 0..self.robots.len() {
            if millis == 10 {
                self.robots[idx].say_goal(now, outbox);
            }
            if millis % 20 == 0 {
                self.robots[idx].say_odometry(now, outbox);
            }
            if millis % 100 != 0 {
                continue;
            }
            let (ranges, seen) = (self.ranges(idx), self.seen(idx));
            let is_blind = |(from, to)| idx == 0 && now >= from && now < to;
            let robot = &mut self.robots[idx];
            robot.say("peers", &seen, now, outbox);
            if !self.blind.is_some_and(is_blind) {
                let lidar = Lidar {
                    first_angle_rad: -std::f64::consts::PI,
                    step_rad: std::f64::consts::TAU / N_BEAMS as f64,
                    ranges_m: ranges.into(),
                };
                robot.say("front", &lidar, now, outbox);
            }
        }
    }

    fn give_orders(&mut self, now: Stamp, outbox: &mut Outbox) {
        for (_, severity) in self.orders.iter().filter(|(due, _)| *due == now) {
            let source = self.order_sequence.next_source();
            let envelope = Envelope::new(source, Capture::exact(now, CLOCK));
            let stop = Stop {
                agents: Vec::new(),
                severity: *severity,
                reason: "a test".into(),
            };
            let message = stop.to_message(envelope).unwrap();
            outbox.put(stop_key(), message.encode().unwrap()).unwrap();
        }
    }
}

fn stop_key() -> Key {
    Key::parse("oni/flock/warden/event.stop/button").unwrap()
}

fn geometry_angle(beam_idx: usize) -> f64 {
    std::f64::consts::TAU * (beam_idx as f64 / N_BEAMS as f64 - 0.5)
}

impl ToyRobot {
    fn key(&self, of: &str, stream: &str) -> Key {
        Key::new(&name("flock"), &self.name, of, stream).unwrap()
    }

    /// The newest command's twist now; nothing past its steps or its expiry.
    fn wanted(&self, now: Stamp) -> Twist2 {
        let Some(newest) = self.commands.last().filter(|newest| now <= newest.expiry) else {
            return Twist2::default();
        };
        let mut left = now.saturating_since(newest.stamp);
        for step in &newest.command.steps {
            if left < step.duration {
                return step.twist;
            }
            left -= step.duration;
        }
        Twist2::default()
    }

    fn envelope(&mut self, key: &Key, now: Stamp) -> Envelope {
        let (agent, epoch) = (self.name.clone(), self.epoch);
        let sequences = self.sequences.entry(key.clone());
        let sequence = sequences.or_insert_with(|| Sequence::new(agent, epoch));
        Envelope::new(sequence.next_source(), Capture::exact(now, CLOCK))
    }

    fn say<'m, T: TypedMessage<'m>>(
        &mut self,
        stream: &str,
        said: &T,
        now: Stamp,
        outbox: &mut Outbox,
    ) {
        let key = self.key(T::NAME, stream);
        let envelope = self.envelope(&key, now);
        let message = said.to_message(envelope).unwrap();
        outbox.put(key, message.encode().unwrap()).unwrap();
    }

    fn say_goal(&mut self, now: Stamp, outbox: &mut Outbox) {
        let Some([x, y]) = self.goal else { return };
        let place = self.start.inverse().transform([x, y]);
        let goal = Goal {
            agents: vec![self.name.clone()],
            waypoints: vec![Waypoint {
                goal_from_base: Pose2::new(place[0], place[1], 0.0),
                position_tolerance_m: 0.25,
                yaw_tolerance_rad: 4.0,
                deadline: None,
            }],
        };
        let key = self.key(Goal::NAME, "route");
        let mut envelope = self.envelope(&key, now);
        envelope.frame = Some(FrameName::new("start").unwrap());
        let message = goal.to_message(envelope).unwrap();
        outbox.put(key, message.encode().unwrap()).unwrap();
    }

    /// What its wheels say, and beside it a truth that is nonsense: whoever hears it is lost.
    fn say_odometry(&mut self, now: Stamp, outbox: &mut Outbox) {
        let odometry = Odometry {
            odometry_from_base: self.start.between(self.world_from_base),
            twist: self.twist,
        };
        self.say("wheels", &odometry, now, outbox);
        let nonsense = Odometry {
            odometry_from_base: Pose2::new(77.0, -77.0, 1.0),
            twist: Twist2::default(),
        };
        self.say("truth", &nonsense, now, outbox);
    }
}

impl Node for ToyWorld {
    fn name(&self) -> &'static str {
        "toy-world"
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        self.take_commands(self.now, inbox);
        self.now = now;
        self.move_on(now);
        for (_, robot_idx) in self.restarts.iter().filter(|(due, _)| *due == now) {
            let robot = &mut self.robots[*robot_idx];
            robot.epoch += 1;
            robot.sequences.clear();
        }
        self.sense(now, outbox);
        self.give_orders(now, outbox);
        NextTick::At(now + STEP)
    }
}
