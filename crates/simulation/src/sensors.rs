//! What one robot carries.

use serde::{Deserialize, Serialize};

use crate::depth_camera::DepthCamera;
use crate::inertial::Imu;
use crate::lidar::{Lidar, ScanWork};
use crate::noise::{Noise, Purpose};
use crate::peers::PeerSensor;
use crate::physics::BodyState;
use crate::plan::{Plan, steps_between};
use crate::scene::Scene;
use crate::wheel_odometry::WheelOdometry;
use crate::{Measurement, Reading};

/// A robot's sensors: their random numbers and biases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sensors {
    lidar: Option<Lidar>,
    imu: Option<Imu>,
    pub(crate) odometry: Option<WheelOdometry>,
    peers: Option<PeerSensor>,
    depth: Option<DepthCamera>,
}

/// What the sensors of a step see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) scene: Scene<'a>,
    /// Robots, then walkers.
    pub(crate) bodies: &'a [BodyState],
    pub(crate) n_steps: u64,
}

impl Sensors {
    pub(crate) fn new(plan: &Plan, robot_idx: usize) -> Self {
        let kind = &plan.robots[robot_idx].kind;
        let factor = plan.header.robots[robot_idx].noise_factor;
        let noise = |purpose| Noise::new(plan.header.seed, robot_idx, purpose);
        Self {
            lidar: kind
                .lidar
                .map(|_| Lidar::new(noise(Purpose::Lidar), factor)),
            imu: kind
                .imu
                .map(|config| Imu::new(&config, noise(Purpose::Imu), factor)),
            odometry: kind
                .odometry
                .map(|config| WheelOdometry::new(&config, noise(Purpose::Odometry), factor)),
            peers: kind
                .range_bearing
                .map(|_| PeerSensor::new(noise(Purpose::RangeBearing), factor)),
            depth: kind
                .depth
                .map(|_| DepthCamera::new(noise(Purpose::Depth), factor)),
        }
    }

    /// Measures what is due after a step, in the order of [`Measurement`].
    pub(crate) fn measure(
        &mut self,
        robot_idx: usize,
        sight: &Sight<'_>,
        work: &mut ScanWork,
        readings: &mut Vec<Reading>,
    ) {
        let Sight {
            plan,
            scene,
            bodies,
            n_steps,
        } = sight;
        let robot = &plan.robots[robot_idx];
        let state = &bodies[robot_idx];
        let here = (state.pose, robot_idx);
        let is_due = |rate_hz: f64| n_steps.is_multiple_of(steps_between(rate_hz));
        let mut give = |measured| {
            readings.push(Reading {
                robot_idx,
                measured,
            });
        };
        let kind = &robot.kind;
        if let (Some(sensor), Some(config)) = (&mut self.odometry, &kind.odometry)
            && is_due(config.rate_hz)
        {
            give(Measurement::Odometry(sensor.measure(config)));
        }
        if let (Some(sensor), Some(config)) = (&mut self.imu, &kind.imu) {
            let motion = (state.velocity_mps, state.yaw_rate_radps);
            sensor.measure(config, state.pose, motion, |it| give(Measurement::Imu(it)));
        }
        if let (Some(sensor), Some(beams)) = (&mut self.lidar, &robot.lidar)
            && is_due(beams.config.rate_hz)
        {
            give(Measurement::Lidar(sensor.measure(beams, scene, here, work)));
        }
        if let (Some(sensor), Some(config)) = (&mut self.peers, &kind.range_bearing)
            && is_due(config.rate_hz)
        {
            let robots = bodies[..plan.robots.len()].iter().map(|it| it.pose);
            let reading = sensor.measure(config, robots, here, scene);
            give(Measurement::RangeBearing(reading));
        }
        if let (Some(sensor), Some(config)) = (&mut self.depth, &kind.depth)
            && is_due(config.rate_hz)
        {
            let reading = sensor.measure(config, scene, &plan.heights_m, here);
            give(Measurement::Depth(reading));
        }
    }
}
