//! The streams of a simulation: keys, sequence numbers, and what goes out when.

use std::time::Duration;

use sedge_oni::{
    Capture, Depth, EncodedMessage, Envelope, Goal, Imu, InvalidMessage, Key, KeyError, Lidar,
    Odometry, RangeBearing, Sequence, TypedMessage as _,
};
use sedge_spacetime::{AgentName, FrameName};
use sedge_transport::{Outbox, Qos, QosClass};

use super::{SimulationNodeConfig, TrueScans, outgoing};
use crate::{Measurement, Reading, STEP, Simulation};

/// One stream.
struct Lane {
    key: Key,
    sequence: Sequence,
    frame: FrameName,
}

/// One robot's streams.
struct RobotLanes {
    goal: Lane,
    lidar: Option<Lane>,
    odometry: Option<Lane>,
    imu: Option<Lane>,
    peers: Option<Lane>,
    depth: Option<Lane>,
    true_pose: Option<Lane>,
    true_scan: Option<Lane>,
}

pub(super) struct Lanes {
    clock: String,
    robots: Vec<RobotLanes>,
    /// True poses of the walkers.
    walkers: Vec<Lane>,
    n_unsent: u64,
}

impl Lanes {
    pub(super) fn new(
        simulation: &Simulation,
        config: &SimulationNodeConfig,
    ) -> Result<Self, KeyError> {
        let has_poses = config.truth.pose_period.is_some();
        let has_scans = config.truth.scans == TrueScans::WithEachScan;
        let lane = |agent: &AgentName, (message_type, stream, frame): (&str, &str, &str)| {
            Ok(Lane {
                key: Key::new(&config.fleet, agent, message_type, stream)?,
                sequence: Sequence::new(agent.clone(), config.epoch),
                frame: FrameName::new(frame).expect("names of frames are written here"),
            })
        };
        let pose_lane = (Odometry::NAME, "truth", "world");
        let robots = simulation.plan().robots.iter().map(|robot| {
            let kind = &robot.kind;
            let lane_if = |is_there: bool, names| is_there.then(|| lane(&robot.name, names));
            let scan = kind.lidar.is_some();
            Ok(RobotLanes {
                goal: lane(&robot.name, (Goal::NAME, "route", "start"))?,
                lidar: lane_if(scan, (Lidar::NAME, "front", "lidar")).transpose()?,
                odometry: lane_if(
                    kind.odometry.is_some(),
                    (Odometry::NAME, "wheels", "odometry"),
                )
                .transpose()?,
                imu: lane_if(kind.imu.is_some(), (Imu::NAME, "base", "base")).transpose()?,
                peers: lane_if(
                    kind.range_bearing.is_some(),
                    (RangeBearing::NAME, "peers", "base"),
                )
                .transpose()?,
                depth: lane_if(kind.depth.is_some(), (Depth::NAME, "front", "optical"))
                    .transpose()?,
                true_pose: lane_if(has_poses, pose_lane).transpose()?,
                true_scan: lane_if(scan && has_scans, (Lidar::NAME, "truth", "lidar"))
                    .transpose()?,
            })
        });
        let walkers = simulation.plan().walker_names.iter();
        let walkers = walkers.filter(|_| has_poses);
        Ok(Self {
            clock: config.clock.clone(),
            robots: robots.collect::<Result<_, KeyError>>()?,
            walkers: walkers
                .map(|name| lane(name, pose_lane))
                .collect::<Result<_, KeyError>>()?,
            n_unsent: 0,
        })
    }

    pub(super) fn publications(&self) -> Vec<(Key, Qos)> {
        let qos = |lane: &Lane| {
            let qos = Qos::of(QosClass::of_message_type(lane.key.message_type()));
            (lane.key.clone(), qos)
        };
        let robots = self.robots.iter().flat_map(|robot| {
            let (goal, goal_qos) = qos(&robot.goal);
            let sensors = [
                &robot.lidar,
                &robot.odometry,
                &robot.imu,
                &robot.peers,
                &robot.depth,
                &robot.true_pose,
                &robot.true_scan,
            ];
            std::iter::once((goal, goal_qos.with_history(1)))
                .chain(sensors.into_iter().flatten().map(qos))
        });
        robots.chain(self.walkers.iter().map(qos)).collect()
    }

    pub(super) fn n_unsent(&self) -> u64 {
        self.n_unsent
    }

    pub(super) fn send_goals(
        &mut self,
        simulation: &Simulation,
        config: &SimulationNodeConfig,
        outbox: &mut Outbox,
    ) {
        let stamp = Capture::exact(simulation.now(), config.clock.clone());
        let draws = &simulation.header().robots;
        for (robot_idx, (lanes, draw)) in self.robots.iter_mut().zip(draws).enumerate() {
            let goal = outgoing::goal(simulation, robot_idx, draw);
            let sent = lanes.goal.send(stamp.clone(), outbox, |envelope| {
                outgoing::encode(&goal, envelope)
            });
            self.n_unsent += u64::from(!sent);
        }
    }

    /// Sends what was measured in the last step, then the truth that is due.
    pub(super) fn send_step(
        &mut self,
        simulation: &Simulation,
        config: &SimulationNodeConfig,
        outbox: &mut Outbox,
    ) {
        for reading in simulation.readings() {
            self.send_reading(simulation, reading, outbox);
        }
        let stamp = Capture::exact(simulation.now(), self.clock.clone());
        let is_due = config.truth.pose_period.is_some_and(|period| {
            let n_steps = (period.as_nanos() / STEP.as_nanos()).max(1) as u64;
            simulation.n_steps().is_multiple_of(n_steps)
        });
        if !is_due {
            return;
        }
        let robots = self.robots.iter_mut().map(|robot| &mut robot.true_pose);
        let lanes = robots.flatten().chain(&mut self.walkers);
        let states = simulation.robots().iter().chain(simulation.walkers());
        for (lane, state) in lanes.zip(states) {
            let pose = outgoing::true_pose(state);
            let sent = lane.send(stamp.clone(), outbox, |it| outgoing::encode(&pose, it));
            self.n_unsent += u64::from(!sent);
        }
    }

    fn send_reading(&mut self, simulation: &Simulation, reading: &Reading, outbox: &mut Outbox) {
        let robot_idx = reading.robot_idx;
        let lanes = &mut self.robots[robot_idx];
        let now = simulation.now();
        let capture = |age: Duration| {
            let stamp = now.nanos() - age.as_nanos() as i64;
            Capture::exact(
                sedge_spacetime::Stamp::from_nanos(stamp),
                self.clock.clone(),
            )
        };
        let stamp = capture(Duration::ZERO);
        let mut put = |lane: &mut Option<Lane>, stamp, write: Write<'_>| {
            if let Some(lane) = lane {
                self.n_unsent += u64::from(!lane.send(stamp, outbox, write));
            }
        };
        match &reading.measured {
            Measurement::Lidar(it) => {
                put(&mut lanes.lidar, stamp.clone(), &|envelope| {
                    outgoing::encode(&outgoing::lidar(it), envelope)
                });
                if lanes.true_scan.is_some()
                    && let Some(scan) = simulation.true_scan(robot_idx)
                {
                    put(&mut lanes.true_scan, stamp, &|envelope| {
                        outgoing::encode_true_scan(&scan, envelope)
                    });
                }
            }
            Measurement::Odometry(it) => put(&mut lanes.odometry, stamp, &|envelope| {
                outgoing::encode(&outgoing::odometry(it), envelope)
            }),
            Measurement::Imu(it) => {
                let first = capture(it.age);
                put(&mut lanes.imu, first, &|envelope| {
                    outgoing::encode(&outgoing::imu(it), envelope)
                });
            }
            Measurement::RangeBearing(it) => put(&mut lanes.peers, stamp, &|envelope| {
                outgoing::encode(&outgoing::range_bearing(simulation, it), envelope)
            }),
            Measurement::Depth(it) => put(&mut lanes.depth, stamp, &|envelope| {
                outgoing::encode(&outgoing::depth(it), envelope)
            }),
            // Contacts are the graders' matter; no message says them.
            Measurement::Contact(_) => {}
        }
    }
}

type Write<'a> = &'a dyn Fn(Envelope) -> Result<EncodedMessage, InvalidMessage>;

impl Lane {
    /// Whether the message went out.
    fn send(
        &mut self,
        capture: Capture,
        outbox: &mut Outbox,
        write: impl Fn(Envelope) -> Result<EncodedMessage, InvalidMessage>,
    ) -> bool {
        let mut envelope = Envelope::new(self.sequence.next_source(), capture);
        envelope.frame = Some(self.frame.clone());
        write(envelope).is_ok_and(|message| outbox.put(self.key.clone(), message).is_ok())
    }
}
