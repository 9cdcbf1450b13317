//! The planar scanner.

use std::sync::Arc;

use sedge_spacetime::Pose2;
use serde::{Deserialize, Serialize};

use crate::LidarConfig;
use crate::noise::Noise;
use crate::scene::{Beams, Hits, NO_HIT, Scene, full_circle};

/// Range of a beam that hits nothing within the scanner's maximum, in metres; more than any scanner
/// can measure, as "no return" codes of real ones are.
pub const NO_RETURN_M: f32 = 100.0;
/// Range of a beam that dropped out.
pub const DROP_OUT_M: f32 = 0.0;
/// Real returns are not shorter than this, whatever the noise says, in metres.
const RANGE_M_MIN: f64 = 0.021;
/// Noise of angles is cut at this many sigmas, so that it is known which beams can hit what.
const SIGMAS_MAX: f64 = 4.0;

/// A scan without noise, and what its beams hit.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueScan {
    /// Angle of beam 0 in the frame of the base, in radians.
    pub first_angle_rad: f64,
    /// Angle from one beam to the next, in radians.
    pub step_rad: f64,
    /// Range per beam, [`NO_RETURN_M`] where nothing is within the maximum. `[beam]`
    pub ranges_m: Vec<f32>,
    /// 1 where the beam hits a robot or a walker, else 0. `[beam]`
    pub moving: Vec<u8>,
}

/// A scan as measured.
#[derive(Debug, Clone, PartialEq)]
pub struct LidarReading {
    /// Angle of beam 0 in the frame of the base, in radians.
    pub first_angle_rad: f64,
    /// Angle from one beam to the next, in radians.
    pub step_rad: f64,
    /// Range per beam: [`NO_RETURN_M`] for no return, [`DROP_OUT_M`] for a beam that dropped out.
    pub ranges_m: Arc<[f32]>,
}

/// A scanner's beams, the same for every robot of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LidarBeams {
    pub(crate) config: LidarConfig,
    first_angle_rad: f64,
    step_rad: f64,
    directions: Vec<[f64; 2]>,
}

/// One robot's scanner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lidar {
    noise: Noise,
    noise_factor: f64,
}

/// Memory that scans share.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScanWork {
    directions: Vec<[f64; 2]>,
    hits: Hits,
}

impl LidarBeams {
    pub(crate) fn new(config: LidarConfig) -> Self {
        let (first_angle_rad, step_rad, directions) = full_circle(config.n_beams);
        Self {
            config,
            first_angle_rad,
            step_rad,
            directions,
        }
    }

    fn beams<'a>(&self, directions: &'a [[f64; 2]], offset_max_rad: f64) -> Beams<'a> {
        Beams {
            first_angle_rad: self.first_angle_rad,
            step_rad: self.step_rad,
            directions,
            offset_max_rad,
            range_max_m: self.config.range_max_m,
        }
    }

    pub(crate) fn true_scan(&self, scene: &Scene<'_>, from: Pose2, own: usize) -> TrueScan {
        let mut hits = Hits::default();
        let beams = self.beams(&self.directions, 0.0);
        scene.cast(from, Some(own), &beams, &mut hits);
        let range = |range_m: &f64| {
            if range_m.is_finite() {
                *range_m as f32
            } else {
                NO_RETURN_M
            }
        };
        let first_mover = scene.walls.len() as u32;
        let is_mover = |what: &u32| u8::from(*what >= first_mover && *what != NO_HIT);
        TrueScan {
            first_angle_rad: self.first_angle_rad,
            step_rad: self.step_rad,
            ranges_m: hits.ranges_m.iter().map(range).collect(),
            moving: hits.what.iter().map(is_mover).collect(),
        }
    }
}

impl Lidar {
    pub(crate) fn new(noise: Noise, noise_factor: f64) -> Self {
        Self {
            noise,
            noise_factor,
        }
    }

    /// Measures; the body of index `own` is the scanner's.
    pub(crate) fn measure(
        &mut self,
        beams: &LidarBeams,
        scene: &Scene<'_>,
        (from, own): (Pose2, usize),
        work: &mut ScanWork,
    ) -> LidarReading {
        let config = &beams.config;
        let angle_sigma = config.angle_sigma_rad * self.noise_factor;
        let directions = if angle_sigma > 0.0 {
            let turned = beams.directions.iter().map(|direction| {
                let off = self.noise.normal(1.0).clamp(-SIGMAS_MAX, SIGMAS_MAX);
                turned_by(*direction, off * angle_sigma)
            });
            work.directions.clear();
            work.directions.extend(turned);
            &work.directions
        } else {
            &beams.directions
        };
        let beams_now = beams.beams(directions, SIGMAS_MAX * angle_sigma);
        scene.cast(from, Some(own), &beams_now, &mut work.hits);
        let ranges_m = work.hits.ranges_m.iter().map(|range_m| {
            if config.dropout > 0.0 && self.noise.happens(config.dropout) {
                return DROP_OUT_M;
            }
            if range_m.is_infinite() {
                return NO_RETURN_M;
            }
            let sigma = config.range_sigma_m + config.range_sigma_share * range_m;
            let measured = range_m + self.noise.normal(sigma * self.noise_factor);
            // A range beyond the maximum is none.
            if measured > config.range_max_m {
                return NO_RETURN_M;
            }
            measured.max(RANGE_M_MIN) as f32
        });
        LidarReading {
            first_angle_rad: beams.first_angle_rad,
            step_rad: beams.step_rad,
            ranges_m: ranges_m.collect(),
        }
    }
}

/// A direction, turned by at most 0.4 rad: the series is exact to 1e-8 there.
fn turned_by([x, y]: [f64; 2], rad: f64) -> [f64; 2] {
    let square = rad * rad;
    let cos = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0));
    let sin = rad * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0)));
    [cos * x - sin * y, sin * x + cos * y]
}
