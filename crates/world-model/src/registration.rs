//! Registering scans against each other: where the scanner really was, scan by scan.
//!
//! Odometry gives the first guess and a prior; robust point-to-line Gauss-Newton in SE(2) against
//! a few recent scans corrects it. Points find their line by direction (projective association).

use std::collections::VecDeque;

use nalgebra::{Matrix3, Vector2, Vector3};
use sedge_spacetime::{Pose2, Stamp, Twist2};

use crate::event_check::check_imu;
use crate::gyro_track::{GyroTrack, ImuNow};
use crate::motion_prior::{MotionPrior, turned_by_gyro};
use crate::movers::Followed;
use crate::surface::{Surface, SurfacePoint};
use crate::{
    Episode, LidarScan, MotionModel, MoverTracker, Observation, OdometryTrack, PoseScansError,
    Reused, odometry_poses,
};

/// Scans are registered against the newest scan and the newest ones at least this old, seconds.
const REFERENCE_AGES_SECS: &[f64] = &[0.0, 0.5, 1.0, 2.0, 4.0, 7.0];
/// At most this many scans are kept to register against, whatever their rate; the oldest go first.
const N_REFERENCES_MAX: usize = 256;
/// At most this many of a scan's points are used, evenly chosen: enough for three unknowns.
const N_POINTS_MAX: usize = 200;
/// At most this many Gauss-Newton rounds.
const N_ROUNDS_MAX: usize = 12;
/// A step smaller than this ends the search, metres and radians.
const STEP_MIN: f64 = 2e-5;
/// Residuals beyond this in the first round are not believed, metres; halved every round.
const GATE_FIRST_M: f64 = 1.0;
/// The gate does not get tighter than this, metres.
const GATE_LAST_M: f64 = 0.12;
/// Scale of the heavy-tailed loss, metres: range noise and the roughness of surfaces.
const RESIDUAL_SCALE_M: f64 = 0.035;
/// Points of one surface err together: so many of them count as one.
const CORRELATION: f64 = 3.0;
/// Cosine between normals of the same surface.
const NORMAL_AGREEMENT_MIN: f64 = 0.8;
/// How far a point may lie from the middle of its line, along it, metres.
const ALONG_MAX_M: f64 = 0.5;
/// Standard deviation of a standing robot's odometry, metres.
const PRIOR_SIGMA_M: f64 = 0.02;
/// Standard deviation of a standing robot's odometry, radians.
const PRIOR_SIGMA_RAD: f64 = 0.01;
/// A gyroscope is not believed better than this: stamps jitter, radians.
const PRIOR_GYRO_SIGMA_RAD: f64 = 0.002;
/// Standard deviation of odometry as a share of the movement: mostly jitter of the stamps.
const PRIOR_SIGMA_SHARE: f64 = 0.1;
/// Corrections of this many standard deviations halve the prior's say: stamps jitter, wheels slip.
const PRIOR_TAIL_SIGMAS: f64 = 2.0;
/// The least share of point pairs that must agree in the end.
const INLIER_SHARE_MIN: f64 = 0.3;
/// The least number of them.
const N_INLIERS_MIN: usize = 15;
/// A correction of more standard deviations of the prior than this is not believed.
const CORRECTION_SIGMAS_MAX: f64 = 20.0;

/// What became of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationOutcome {
    /// There was nothing to register against.
    First,
    /// Registered.
    Registered,
    /// Odometry was kept: too few points agreed, or they asked for an implausible correction.
    Odometry,
}

/// Where a scan was seen from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegisteredScan {
    /// The pose, in the frame of the first registered scan's odometry.
    pub map_from_scan: Pose2,
    /// How it was found.
    pub outcome: RegistrationOutcome,
}

/// A scan that others are registered against.
#[derive(Debug, Clone)]
struct ReferenceScan {
    stamp: Stamp,
    map_from_scan: Pose2,
    surface: Surface,
}

/// Registers scans one after the other.
#[derive(Debug, Clone, Default)]
pub struct Registrar {
    /// Oldest first, no older than the oldest reference needed.
    references: VecDeque<ReferenceScan>,
}

impl Registrar {
    /// Registers the next scan, given what is expected of it and which of its beams hit something
    /// that moves (`[beam]`, or empty for none): these are no landmarks, now or later.
    pub fn register(
        &mut self,
        stamp: Stamp,
        (scan, moves): (&LidarScan, &[bool]),
        prior: &MotionPrior,
    ) -> RegisteredScan {
        let predicted = prior.predicted;
        let surface = Surface::new(scan).without(moves);
        let chosen = self.choose(stamp);
        let registered = if chosen.is_empty() {
            RegisteredScan {
                map_from_scan: predicted,
                outcome: RegistrationOutcome::First,
            }
        } else {
            let among = (&self.references, chosen.as_slice());
            let problem = Problem::new(&surface, among, prior_information(prior));
            problem.solve(predicted).map_or(
                RegisteredScan {
                    map_from_scan: predicted,
                    outcome: RegistrationOutcome::Odometry,
                },
                |map_from_scan| RegisteredScan {
                    map_from_scan,
                    outcome: RegistrationOutcome::Registered,
                },
            )
        };
        let map_from_scan = registered.map_from_scan;
        self.references.push_back(ReferenceScan {
            stamp,
            map_from_scan,
            surface,
        });
        let oldest_secs = REFERENCE_AGES_SECS[REFERENCE_AGES_SECS.len() - 1];
        // The newest scan that is old enough stays, everything before it goes.
        let is_old = |it: &ReferenceScan| stamp.secs_since(it.stamp) >= oldest_secs;
        while self.references.len() > N_REFERENCES_MAX || self.references.get(1).is_some_and(is_old)
        {
            self.references.pop_front();
        }
        registered
    }

    /// The newest scan of at least each reference age, without repetition, by its place.
    fn choose(&self, now: Stamp) -> Reused<usize> {
        let mut chosen: Reused<usize> = REFERENCE_AGES_SECS
            .iter()
            .filter_map(|&age_secs| {
                self.references
                    .iter()
                    .rposition(|it| now.secs_since(it.stamp) >= age_secs)
            })
            .collect();
        chosen.dedup();
        chosen
    }
}

/// Information (inverse variance) of a movement before scans have a say: x, y, yaw.
fn prior_information(prior: &MotionPrior) -> Vector3<f64> {
    let sigma_m = PRIOR_SIGMA_M + PRIOR_SIGMA_SHARE * prior.moved.distance_m();
    let by_wheels = PRIOR_SIGMA_RAD + PRIOR_SIGMA_SHARE * prior.moved.yaw_rad.abs();
    let sigma_rad = prior.yaw_sigma_rad.map_or(by_wheels, |sigma| {
        sigma.max(PRIOR_GYRO_SIGMA_RAD).min(by_wheels)
    });
    Vector3::new(sigma_m, sigma_m, sigma_rad).map(|sigma| 1.0 / (sigma * sigma))
}

/// One scan to be placed among others.
struct Problem<'a> {
    points: Reused<SurfacePoint>,
    scans: &'a VecDeque<ReferenceScan>,
    /// Those among them that it is placed by.
    chosen: &'a [usize],
    prior: Vector3<f64>,
}

/// The normal equations of one round, and how many pairs agreed.
struct Linearised {
    information: Matrix3<f64>,
    gradient: Vector3<f64>,
    n_inliers: usize,
    n_pairs: usize,
}

impl<'a> Problem<'a> {
    fn new(
        surface: &Surface,
        (scans, chosen): (&'a VecDeque<ReferenceScan>, &'a [usize]),
        prior: Vector3<f64>,
    ) -> Self {
        let n_points = surface.points().count();
        let stride = n_points.div_ceil(N_POINTS_MAX).max(1);
        Self {
            points: surface.points().step_by(stride).copied().collect(),
            scans,
            chosen,
            prior,
        }
    }

    /// The most probable pose, or `None` if the scans do not tell.
    fn solve(&self, predicted: Pose2) -> Option<Pose2> {
        let mut pose = predicted;
        let mut gate_m = GATE_FIRST_M;
        for _ in 0..N_ROUNDS_MAX {
            let round = self.linearise(pose, gate_m);
            let off = pose.between(predicted).log();
            let off = Vector3::new(off.vx_mps, off.vy_mps, off.yaw_rate_radps);
            // Student's t rather than a normal distribution.
            let sigmas_squared = off.component_mul(&off).dot(&self.prior);
            let say = 1.0 / (1.0 + sigmas_squared / (PRIOR_TAIL_SIGMAS * PRIOR_TAIL_SIGMAS));
            let prior = self.prior * say;
            let information = round.information + Matrix3::from_diagonal(&prior);
            let gradient = round.gradient + prior.component_mul(&off);
            let step = information.cholesky()?.solve(&gradient);
            pose = pose
                * Pose2::exp(Twist2 {
                    vx_mps: step.x,
                    vy_mps: step.y,
                    yaw_rate_radps: step.z,
                });
            if gate_m <= GATE_LAST_M && step.amax() < STEP_MIN {
                break;
            }
            gate_m = (0.5 * gate_m).max(GATE_LAST_M);
        }
        let last = self.linearise(pose, GATE_LAST_M);
        let share = last.n_inliers as f64 / last.n_pairs.max(1) as f64;
        let off = predicted.between(pose).log();
        let off = Vector3::new(off.vx_mps, off.vy_mps, off.yaw_rate_radps);
        let sigmas = self
            .prior
            .component_mul(&off.component_mul(&off))
            .sum()
            .sqrt();
        let is_believed = last.n_inliers >= N_INLIERS_MIN
            && share >= INLIER_SHARE_MIN
            && sigmas <= CORRECTION_SIGMAS_MAX;
        is_believed.then_some(pose)
    }

    /// Gauss-Newton for a step in the scan's own frame. The weights are those of the
    /// Geman-McClure loss: `1 / (1 + (r / scale)^2)^2`.
    fn linearise(&self, pose: Pose2, gate_m: f64) -> Linearised {
        let mut sum = Linearised {
            information: Matrix3::zeros(),
            gradient: Vector3::zeros(),
            n_inliers: 0,
            n_pairs: 0,
        };
        // The loss is wide at first and narrows with the gate.
        let scale_m = RESIDUAL_SCALE_M.max(0.5 * gate_m * RESIDUAL_SCALE_M / GATE_LAST_M);
        let trust = 1.0 / (RESIDUAL_SCALE_M * RESIDUAL_SCALE_M * CORRELATION);
        for reference in self.chosen.iter().map(|&idx| &self.scans[idx]) {
            let reference_from_scan = reference.map_from_scan.between(pose);
            let (sin, cos) = reference_from_scan.yaw_rad.sin_cos();
            let shift = Vector2::new(reference_from_scan.x_m, reference_from_scan.y_m);
            let turn = |v: Vector2<f64>| Vector2::new(cos * v.x - sin * v.y, sin * v.x + cos * v.y);
            let back = |v: Vector2<f64>| Vector2::new(cos * v.x + sin * v.y, cos * v.y - sin * v.x);
            for point in &self.points {
                let seen = turn(point.point) + shift;
                let Some(line) = reference.surface.towards(seen) else {
                    continue;
                };
                let off = seen - line.centre;
                let residual = line.normal.dot(&off);
                let normal = back(line.normal);
                sum.n_pairs += 1;
                if residual.abs() > gate_m
                    || normal.dot(&point.normal) < NORMAL_AGREEMENT_MIN
                    || off.norm_squared() > residual * residual + ALONG_MAX_M * ALONG_MAX_M
                {
                    continue;
                }
                sum.n_inliers += 1;
                let root = 1.0 + (residual / scale_m).powi(2);
                let weight = trust * point.trust.min(line.trust) / (root * root);
                let turning = normal.y * point.point.x - normal.x * point.point.y;
                let jacobian = Vector3::new(normal.x, normal.y, turning);
                sum.information += jacobian * jacobian.transpose() * weight;
                sum.gradient -= jacobian * (weight * residual);
            }
        }
        sum
    }
}

/// The poses of an episode's scans, registered one after the other, each only against scans before
/// it: what a belief would have known at the time.
///
/// # Errors
/// [`PoseScansError`] when the episode has no odometry, or bad odometry.
pub fn register_episode(
    episode: &Episode,
    motion: &MotionModel,
) -> Result<Vec<Pose2>, PoseScansError> {
    Ok(register_all(episode, motion)?.poses)
}

/// What a belief would have known of an episode's scans at the time. Every vector is `[scan]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegisteredEpisode {
    /// `map_from_scan`
    pub(crate) poses: Vec<Pose2>,
    /// What the inertial unit said by then.
    pub(crate) imu: Vec<Option<ImuNow>>,
    /// Which beams hit movers.
    pub(crate) hits: Vec<Reused<bool>>,
    /// What was followed, in the map.
    pub(crate) followed: Vec<Followed>,
}

/// As [`register_episode`], and what else was known by each scan.
pub(crate) fn register_all(
    episode: &Episode,
    motion: &MotionModel,
) -> Result<RegisteredEpisode, PoseScansError> {
    let track =
        OdometryTrack::from_samples(&episode.odometry, motion.calibration).map_err(|source| {
            PoseScansError::Odometry {
                episode: episode.name.clone(),
                source,
            }
        })?;
    let first_odometry = odometry_poses(episode, motion)?;
    let odometry_at = |stamp| track.pose_at(stamp).unwrap_or_default();
    let (mut registrar, mut gyro) = (Registrar::default(), GyroTrack::default());
    let mut tracker = MoverTracker::default();
    let mut others = episode.others.iter().peekable();
    let mut done: Vec<(Stamp, RegisteredScan)> = Vec::with_capacity(episode.scans.len());
    let mut known = RegisteredEpisode::default();
    for (idx, scan) in episode.scans.iter().enumerate() {
        while let Some(event) = others.next_if(|event| event.stamp <= scan.stamp) {
            if let Observation::Imu(samples) = &event.observation
                && check_imu(samples).is_ok()
            {
                // A late one is passed over, as the belief does.
                gyro.push(event.stamp, samples).unwrap_or_default();
            }
        }
        let seen_at = motion.seen_at(scan.stamp);
        let prior = match done.last() {
            None => MotionPrior {
                predicted: first_odometry[idx],
                moved: Pose2::IDENTITY,
                yaw_sigma_rad: None,
            },
            Some(&(before, registered)) => {
                learn_bias(&mut gyro, &done);
                let (moved, yaw_sigma_rad) = turned_by_gyro(odometry_at, &gyro, (before, seen_at));
                MotionPrior {
                    predicted: registered.map_from_scan * moved,
                    moved,
                    yaw_sigma_rad,
                }
            }
        };
        known.imu.push(gyro.at_scan(seen_at));
        let moves = tracker.expected(scan.stamp, &scan.scan, prior.predicted);
        let registered = registrar.register(scan.stamp, (&scan.scan, &moves), &prior);
        let map_from_scan = registered.map_from_scan;
        let hits = tracker.observe(scan.stamp, &scan.scan, map_from_scan);
        known.poses.push(map_from_scan);
        known.hits.push(hits);
        known.followed.push(tracker.followed());
        done.push((seen_at, registered));
    }
    Ok(known)
}

/// Teaches a gyroscope its bias from the turn between the last two registered scans; by the time
/// of the next scan its samples are in.
pub(crate) fn learn_bias(gyro: &mut GyroTrack, done: &[(Stamp, RegisteredScan)]) {
    if let [.., (from, before), (to, after)] = done
        && after.outcome == RegistrationOutcome::Registered
    {
        let turned = before.map_from_scan.between(after.map_from_scan).yaw_rad;
        gyro.learn(*from, *to, turned);
    }
}

#[cfg(test)]
mod tests;
