//! A hall with people in it and known answers, for the conformance suite and for tests.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp, Twist2, wrap_angle};

use crate::{
    Broadcast, Episode, EpisodeScan, ImuSample, IntendedMotion, LidarScan, Measured,
    NeighbourReport, Observation, OdometrySample, ScanGeometry, Seen, SensorEvent, Sighting,
};

const SCAN_PERIOD_SECS: f64 = 0.1;
const ODOMETRY_PERIOD_SECS: f64 = 0.02;
const IMU_PERIOD_SECS: f64 = 0.01;
/// Samples of one inertial event.
const N_IMU_BATCH: u32 = 5;
/// Half of the hall, metres.
const HALF_M: [f64; 2] = [7.0, 4.5];
/// Cupboards in the corners: centre and half sizes, metres.
const BOXES: [([f64; 2], [f64; 2]); 4] = [
    ([-6.2, -4.0], [0.8, 0.5]),
    ([6.3, -3.9], [0.7, 0.6]),
    ([6.0, 4.1], [1.0, 0.4]),
    ([-6.4, 3.7], [0.6, 0.8]),
];
/// Pillars: centre and radius, metres.
const PILLARS: [([f64; 2], f64); 4] = [
    ([0.0, 4.1], 0.2),
    ([0.5, -4.0], 0.15),
    ([-5.9, 0.2], 0.25),
    ([5.8, -0.3], 0.2),
];
const RANGE_SIGMA_M: f64 = 0.01;
const DROPPED_SHARE: f64 = 0.005;
/// What wheels get wrong: share of the way and of the turn.
const SLIP: [f64; 2] = [0.02, 0.08];
const GYRO_BIAS_RADPS: f64 = 0.02;
const GYRO_SIGMA_RADPS: f64 = 0.005;
const BEARING_SIGMA_RAD: f64 = 0.01;
const PEER_RANGE_SIGMA_M: f64 = 0.03;
/// Steps of the neighbour's announced way, seconds.
const INTENDED_SECS: [f64; 4] = [0.5, 1.0, 1.5, 2.0];

/// Repeatable noise.
struct Noise(u64);

impl Noise {
    /// Uniform in `[0, 1)`.
    fn uniform(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Normal with this standard deviation, near enough: a sum of uniform numbers.
    fn normal(&mut self, sigma: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.uniform()).sum();
        sigma * (sum - 6.0)
    }
}

/// Somebody walking around in curves, now faster, now slower.
#[derive(Debug, Clone, Copy)]
struct Walker {
    radius_m: f64,
    half_m: [f64; 2],
    rate_radps: f64,
    phase_rad: f64,
    /// How much the pace changes, and how often.
    pace: [f64; 2],
}

impl Walker {
    fn at(&self, secs: f64) -> [f64; 2] {
        let [share, rate] = self.pace;
        let swing = share / rate * (rate * secs + self.phase_rad).sin();
        let angle = self.phase_rad + self.rate_radps * (secs + swing);
        let wobble = 1.0 + 0.06 * (3.0 * angle).sin();
        [
            wobble * self.half_m[0] * angle.cos(),
            wobble * self.half_m[1] * angle.sin(),
        ]
    }

    /// As a robot would say where it is and where it looks.
    fn pose_at(&self, secs: f64) -> Pose2 {
        let (before, after) = (self.at(secs - 0.01), self.at(secs + 0.01));
        let [x, y] = self.at(secs);
        Pose2::new(x, y, (after[1] - before[1]).atan2(after[0] - before[0]))
    }

    fn twist_at(&self, secs: f64) -> Twist2 {
        let moved = self.pose_at(secs - 0.01).between(self.pose_at(secs + 0.01));
        moved.log().scaled(50.0)
    }
}

/// A hall, who walks in it, and a robot among them.
pub(crate) struct Crowd {
    walkers: Vec<Walker>,
    noise: Noise,
}

impl Crowd {
    /// So many walkers, drawn from a seed. The first is a robot that talks.
    pub(crate) fn new(n_walkers: usize, seed: u64) -> Self {
        let mut noise = Noise(seed);
        let walker = |k: usize| {
            let turn = if noise.uniform() < 0.5 { -1.0 } else { 1.0 };
            let half = noise.between(2.6, 4.4);
            Walker {
                radius_m: noise.between(0.2, 0.3),
                half_m: [half, noise.between(1.9, 2.9)],
                rate_radps: turn * noise.between(0.5, 1.3) / half,
                phase_rad: TAU * (k as f64 + noise.uniform()) / n_walkers as f64,
                pace: [noise.between(0.0, 0.6), noise.between(0.5, 1.2)],
            }
        };
        let walkers = (0..n_walkers).map(walker).collect();
        Self { walkers, noise }
    }

    /// Where the robot is.
    pub(crate) fn robot_at(secs: f64) -> Pose2 {
        let turn = 0.35 * secs;
        Pose2::new(
            1.1 * turn.cos(),
            0.7 * turn.sin(),
            wrap_angle(turn + 0.5 * PI + 0.4 * (0.9 * secs).sin()),
        )
    }

    /// Where everybody else is: centre, radius.
    pub(crate) fn others_at(&self, secs: f64) -> Vec<([f64; 2], f64)> {
        self.walkers
            .iter()
            .map(|it| (it.at(secs), it.radius_m))
            .collect()
    }

    /// An exact scan, and which beams hit somebody.
    pub(crate) fn true_scan(&self, geometry: ScanGeometry, secs: f64) -> (Vec<f64>, Vec<bool>) {
        let from = Self::robot_at(secs);
        let others = self.others_at(secs);
        let beam = |beam: usize| {
            let direction = from.yaw_rad + geometry.angle_rad(beam);
            let ray = [direction.cos(), direction.sin()];
            let at = [from.x_m, from.y_m];
            let still = PILLARS
                .iter()
                .map(|&(centre, radius)| to_circle(at, ray, (centre, radius)))
                .chain(
                    BOXES
                        .iter()
                        .map(|&(centre, half)| to_box(at, ray, (centre, half))),
                )
                .fold(out_of_box(at, ray, HALF_M), f64::min);
            let moving = others
                .iter()
                .map(|&circle| to_circle(at, ray, circle))
                .fold(f64::INFINITY, f64::min);
            (still.min(moving), moving < still)
        };
        (0..geometry.n_beams).map(beam).unzip()
    }

    /// A drive with everything sensed and heard, ten scans a second.
    pub(crate) fn drive(&mut self, geometry: ScanGeometry, secs: f64) -> Episode {
        let times = |period: f64| (0..(secs / period) as u32).map(move |k| f64::from(k) * period);
        let mut scans = Vec::new();
        for secs in times(SCAN_PERIOD_SECS) {
            let (ranges, moving) = self.true_scan(geometry, secs);
            let mut measured = |range: f64| {
                if self.noise.uniform() < DROPPED_SHARE {
                    return 0.0;
                }
                (range + self.noise.normal(RANGE_SIGMA_M)) as f32
            };
            scans.push(EpisodeScan {
                stamp: stamp(secs),
                scan: LidarScan {
                    geometry,
                    ranges_m: ranges.into_iter().map(&mut measured).collect(),
                },
                reference: Some(Self::robot_at(secs)),
                moving: Some(moving.into()),
            });
        }
        let mut odometry_from_base = Self::robot_at(0.0);
        let sample = |secs: f64| {
            let before = (secs - ODOMETRY_PERIOD_SECS).max(0.0);
            let moved = Self::robot_at(before).between(Self::robot_at(secs));
            let slipped = Pose2::new(
                moved.x_m * (1.0 + SLIP[0]),
                moved.y_m * (1.0 + SLIP[0]),
                moved.yaw_rad * (1.0 + SLIP[1] * (1.3 * secs).sin()),
            );
            odometry_from_base = odometry_from_base * slipped;
            OdometrySample {
                stamp: stamp(secs),
                odometry_from_base,
            }
        };
        let odometry = times(ODOMETRY_PERIOD_SECS).map(sample).collect();
        let mut others: Vec<SensorEvent> = times(IMU_PERIOD_SECS * f64::from(N_IMU_BATCH))
            .map(|secs| self.imu(secs))
            .collect();
        for secs in times(SCAN_PERIOD_SECS) {
            others.extend(self.talk(secs));
        }
        others.sort_by_key(|event| event.stamp);
        Episode {
            name: "crowd".to_owned(),
            source_hash: String::new(),
            geometry,
            scans,
            odometry,
            others,
        }
    }

    fn imu(&mut self, secs: f64) -> SensorEvent {
        let mut sample = |k: u32| {
            let offset_secs = f64::from(k) * IMU_PERIOD_SECS;
            let at = secs + offset_secs;
            let moved = Self::robot_at(at - 5e-4).between(Self::robot_at(at + 5e-4));
            let rate = 1e3 * moved.yaw_rad;
            ImuSample {
                offset: Duration::from_secs_f64(offset_secs),
                yaw_rate_radps: rate + GYRO_BIAS_RADPS + self.noise.normal(GYRO_SIGMA_RADPS),
                acceleration_mps2: [0.0; 2],
            }
        };
        let samples: Vec<ImuSample> = (0..N_IMU_BATCH).map(&mut sample).collect();
        SensorEvent {
            stamp: stamp(secs),
            observation: Observation::Imu(samples.into()),
        }
    }

    /// What the robot and its neighbour, the first walker, see and say of each other.
    fn talk(&mut self, secs: f64) -> Vec<SensorEvent> {
        let Some(neighbour) = self.walkers.first().copied() else {
            return Vec::new();
        };
        // A fixed name of plain letters is always one.
        let Ok(name) = AgentName::new("crane2") else {
            return Vec::new();
        };
        let (own, its) = (Self::robot_at(secs), neighbour.pose_at(secs));
        let mut seen = |of: Pose2| {
            let measured = |value, sigma| Some(Measured { value, sigma });
            Seen {
                range_m: measured(
                    of.distance_m() + self.noise.normal(PEER_RANGE_SIGMA_M),
                    PEER_RANGE_SIGMA_M,
                ),
                bearing_rad: measured(
                    of.y_m.atan2(of.x_m) + self.noise.normal(BEARING_SIGMA_RAD),
                    BEARING_SIGMA_RAD,
                ),
            }
        };
        let sighting = Sighting {
            name: name.clone(),
            seen: seen(own.between(its)),
        };
        let sees = Broadcast::Sees(seen(its.between(own)));
        let intended = INTENDED_SECS.map(|ahead| IntendedMotion {
            ahead: Duration::from_secs_f64(ahead),
            now_from_then: its.between(neighbour.pose_at(secs + ahead)),
            covariance: Covariance2::from_sigmas([0.03, 0.03, 0.03]),
        });
        let said = [
            sees,
            Broadcast::Moves(neighbour.twist_at(secs)),
            Broadcast::Intends(Arc::from(intended)),
        ];
        let reports = said.map(|said| {
            let name = name.clone();
            Observation::Neighbour(NeighbourReport { name, said })
        });
        std::iter::once(Observation::RangeBearing([sighting].into()))
            .chain(reports)
            .map(|observation| SensorEvent {
                stamp: stamp(secs),
                observation,
            })
            .collect()
    }
}

fn stamp(secs: f64) -> Stamp {
    Stamp::from_nanos((secs * 1e9).round() as i64)
}

/// Distance along a ray to a circle; infinite for a miss.
fn to_circle(from: [f64; 2], ray: [f64; 2], (centre, radius_m): ([f64; 2], f64)) -> f64 {
    let (dx, dy) = (centre[0] - from[0], centre[1] - from[1]);
    let (along, across) = (dx * ray[0] + dy * ray[1], dy * ray[0] - dx * ray[1]);
    if along <= 0.0 || across.abs() >= radius_m {
        return f64::INFINITY;
    }
    along - (radius_m * radius_m - across * across).sqrt()
}

/// Where a ray enters and leaves the slab of one axis.
fn slab(from: f64, ray: f64, half: f64) -> [f64; 2] {
    if ray.abs() < 1e-12 {
        let inside = from.abs() < half;
        return if inside {
            [f64::NEG_INFINITY, f64::INFINITY]
        } else {
            [f64::INFINITY, f64::NEG_INFINITY]
        };
    }
    let (a, b) = ((-half - from) / ray, (half - from) / ray);
    [a.min(b), a.max(b)]
}

/// Distance along a ray to a box from outside; infinite for a miss.
fn to_box(from: [f64; 2], ray: [f64; 2], (centre, half): ([f64; 2], [f64; 2])) -> f64 {
    let [x, y] = [0, 1].map(|axis| slab(from[axis] - centre[axis], ray[axis], half[axis]));
    let (enters, leaves) = (x[0].max(y[0]), x[1].min(y[1]));
    if enters > leaves || enters <= 0.0 {
        f64::INFINITY
    } else {
        enters
    }
}

/// Distance along a ray to the walls from inside.
fn out_of_box(from: [f64; 2], ray: [f64; 2], half: [f64; 2]) -> f64 {
    let [x, y] = [0, 1].map(|axis| slab(from[axis], ray[axis], half[axis]));
    x[1].min(y[1])
}
