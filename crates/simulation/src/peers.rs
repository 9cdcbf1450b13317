//! Ranges and bearings of other robots.

use sedge_spacetime::{Pose2, wrap_angle};
use serde::{Deserialize, Serialize};

use crate::RangeBearingConfig;
use crate::noise::Noise;
use crate::scene::Scene;

/// Another robot, as measured from a base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeerReading {
    /// Which robot it is.
    pub robot_idx: usize,
    /// Distance from base to base, in metres.
    pub range_m: f64,
    /// Sigma of the range, as the data sheet says it.
    pub range_sigma_m: f64,
    /// Direction in the frame of the base, in radians.
    pub bearing_rad: f64,
    /// Sigma of the bearing, as the data sheet says it.
    pub bearing_sigma_rad: f64,
}

/// The robots in line of sight.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeBearingReading {
    /// In the robots' order; there may be none.
    pub peers: Vec<PeerReading>,
}

/// One robot's sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeerSensor {
    noise: Noise,
    noise_factor: f64,
}

impl PeerSensor {
    pub(crate) fn new(noise: Noise, noise_factor: f64) -> Self {
        Self {
            noise,
            noise_factor,
        }
    }

    /// `robots` are the poses of all robots, `own` is the measuring one; the scene's bodies past
    /// the robots are walkers.
    pub(crate) fn measure(
        &mut self,
        config: &RangeBearingConfig,
        robots: impl ExactSizeIterator<Item = Pose2>,
        (here, own): (Pose2, usize),
        scene: &Scene<'_>,
    ) -> RangeBearingReading {
        let n_robots = robots.len();
        let mut peers = Vec::new();
        for (robot_idx, pose) in robots.enumerate() {
            let (dx, dy) = (pose.x_m - here.x_m, pose.y_m - here.y_m);
            let range_m = dx.hypot(dy);
            if robot_idx == own || range_m > config.range_max_m {
                continue;
            }
            let to = [pose.x_m, pose.y_m];
            let walkers = n_robots..scene.bodies.len();
            if !scene.is_clear([here.x_m, here.y_m], to, walkers)
                || self.noise.happens(config.dropout)
            {
                continue;
            }
            let bearing_rad = dy.atan2(dx) - here.yaw_rad;
            let by_m = self.noise.normal(config.range_sigma_m * self.noise_factor);
            let by_rad = self
                .noise
                .normal(config.bearing_sigma_rad * self.noise_factor);
            peers.push(PeerReading {
                robot_idx,
                range_m: (range_m + by_m).max(0.0),
                range_sigma_m: config.range_sigma_m,
                bearing_rad: wrap_angle(bearing_rad + by_rad),
                bearing_sigma_rad: config.bearing_sigma_rad,
            });
        }
        RangeBearingReading { peers }
    }
}
