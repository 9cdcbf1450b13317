//! One small thing, followed: a Kalman filter of constant velocity, and evidence that it moves.

use nalgebra::{Matrix2, Matrix2x4, Matrix4, Matrix4x2, Vector2, Vector4};
use sedge_spacetime::Stamp;

use crate::scan_clusters::Sight;
use crate::seen_space::Look;
use crate::{Mover, Reused};

/// A thing that was never seen whole is taken to be so large, metres: a person, a small robot.
pub(crate) const RADIUS_ASSUMED_M: f64 = 0.25;
/// Nothing is known of a new thing's velocity, standard deviation in m/s: people walk.
const BIRTH_SPEED_SIGMA_MPS: f64 = 1.0;
/// Density of white acceleration, m2/s3: how people and robots turn, start and stop.
const ACCELERATION_DENSITY: f64 = 0.25;
/// Radii are averaged over so many sights at most, so that a first bad one is forgotten.
const N_RADII: f64 = 20.0;
/// Positions are remembered so far back, seconds, and this far apart.
const PATH_SECS: f64 = 4.0;
const PATH_SPACING_SECS: f64 = 0.19;
/// Room for about as many.
const N_PLACES: usize = 24;
/// A place is asked for signs of having been left so long after, seconds.
const LEFT_AFTER_SECS: f64 = 0.4;
/// A cluster with this share of new points is evidence of motion, if it has so many.
const FRESH_SHARE_MIN: f64 = 0.5;
const FRESH_POINTS_MIN: usize = 3;
/// Squared surprise in standard deviations, averaged over about so many sights: two is as
/// expected. More than the first is no smooth motion but clutter taken for one thing; a mover with
/// more than the second was one no more.
const N_SURPRISES: f64 = 6.0;
const SURPRISE_CONFIRM_MAX: f64 = 4.0;
const SURPRISE_KEEP_MAX: f64 = 8.0;
/// Votes for motion that confirm a mover, the most that are kept, and what a scan without evidence
/// takes away.
const VOTES_CONFIRM: f64 = 3.0;
const VOTES_MAX: f64 = 6.0;
const VOTE_LOST: f64 = 0.3;
/// A mover has come at least this far, metres, and this many standard deviations.
const WAY_MIN_M: f64 = 0.18;
const WAY_SIGMAS_MIN: f64 = 3.0;
/// What has come less far than this over the remembered path stands, metres.
const STANDS_M: f64 = 0.12;
/// Unconfirmed things are dropped when unseen for so long, seconds.
const TENTATIVE_UNSEEN_MAX_SECS: f64 = 0.45;
/// Movers are dropped when they are not where they should be in plain view for so long ...
const MISSING_MAX_SECS: f64 = 0.55;
/// ... or hidden for so long, seconds.
const HIDDEN_MAX_SECS: f64 = 2.5;

/// Where it was.
#[derive(Debug, Clone, Copy)]
struct Waypoint {
    stamp: Stamp,
    centre: Vector2<f64>,
    near: Vector2<f64>,
}

/// A thing that is followed.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    id: u64,
    born: Stamp,
    seen: Stamp,
    /// x, y, vx, vy in the map.
    mean: Vector4<f64>,
    covariance: Matrix4<f64>,
    radius_m: f64,
    n_radii: f64,
    votes: f64,
    surprise: f64,
    is_confirmed: bool,
    missing_secs: f64,
    step_secs: f64,
    /// Oldest first.
    path: Reused<Waypoint>,
}

/// Variance of a position after some seconds that comes from unknown acceleration, m2.
pub(crate) fn acceleration_variance(secs: f64) -> f64 {
    ACCELERATION_DENSITY * secs.max(0.0).powi(3) / 3.0
}

/// How x, y, vx, vy come of those some seconds before.
fn moving_on(secs: f64) -> Matrix4<f64> {
    let mut step = Matrix4::identity();
    (step[(0, 2)], step[(1, 3)]) = (secs, secs);
    step
}

impl Track {
    pub(crate) fn new(id: u64, stamp: Stamp, sight: &Sight) -> Self {
        let mut covariance = Matrix4::zeros();
        covariance
            .fixed_view_mut::<2, 2>(0, 0)
            .copy_from(&sight.covariance);
        let speed = BIRTH_SPEED_SIGMA_MPS * BIRTH_SPEED_SIGMA_MPS;
        covariance
            .fixed_view_mut::<2, 2>(2, 2)
            .copy_from(&(Matrix2::identity() * speed));
        let mut track = Self {
            id,
            born: stamp,
            seen: stamp,
            mean: Vector4::new(sight.centre.x, sight.centre.y, 0.0, 0.0),
            covariance,
            radius_m: RADIUS_ASSUMED_M,
            n_radii: 0.0,
            votes: 0.0,
            surprise: 2.0,
            is_confirmed: false,
            missing_secs: 0.0,
            step_secs: 0.0,
            path: Reused::with_capacity(N_PLACES),
        };
        track.learn_radius(sight);
        track.note_place(stamp, sight);
        track.vote(sight, Look::Unknown);
        track
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    pub(crate) fn radius_m(&self) -> f64 {
        self.radius_m
    }

    pub(crate) fn position(&self) -> Vector2<f64> {
        self.mean.fixed_rows::<2>(0).into_owned()
    }

    /// Where it will be at constant velocity, as [`Track::predict`] says.
    pub(crate) fn position_after(&self, secs: f64) -> Vector2<f64> {
        let then = moving_on(secs) * self.mean;
        then.fixed_rows::<2>(0).into_owned()
    }

    /// As others see it.
    pub(crate) fn mover(&self, now: Stamp) -> Mover {
        Mover {
            id: self.id,
            position_m: [self.mean.x, self.mean.y],
            velocity_mps: [self.mean.z, self.mean.w],
            covariance: self.covariance,
            radius_m: self.radius_m,
            age_secs: now.secs_since(self.born),
            unseen_secs: now.secs_since(self.seen),
        }
    }

    pub(crate) fn predict(&mut self, secs: f64) {
        self.step_secs = secs;
        let step = moving_on(secs);
        self.mean = step * self.mean;
        let mut noise = Matrix4::zeros();
        for axis in 0..2 {
            noise[(axis, axis)] = acceleration_variance(secs);
            noise[(axis, axis + 2)] = 0.5 * ACCELERATION_DENSITY * secs * secs;
            noise[(axis + 2, axis)] = noise[(axis, axis + 2)];
            noise[(axis + 2, axis + 2)] = ACCELERATION_DENSITY * secs;
        }
        self.covariance = step * self.covariance * step.transpose() + noise;
    }

    /// Distance to a sight in metres, and squared in standard deviations.
    pub(crate) fn distance(&self, sight: &Sight) -> (f64, f64) {
        let off = sight.centre - self.position();
        let spread = self.covariance.fixed_view::<2, 2>(0, 0) + sight.covariance;
        let solved = spread.cholesky().map(|root| root.solve(&off));
        // Both parts are positive definite: the decomposition is always there.
        let squared = solved.map_or(f64::INFINITY, |solved| off.dot(&solved));
        (off.norm(), squared)
    }

    /// Corrects by a sight; `left` is what the scan says of where it was a while ago.
    pub(crate) fn update(&mut self, stamp: Stamp, sight: &Sight, left: Look) {
        self.surprise += (self.distance(sight).1 - self.surprise) / N_SURPRISES;
        let seen = Matrix2x4::new(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0);
        let spread: Matrix4x2<f64> = self.covariance * seen.transpose();
        let innovation = seen * spread + sight.covariance;
        if let Some(inverse) = innovation.try_inverse() {
            let gain = spread * inverse;
            self.mean += gain * (sight.centre - self.position());
            let kept = Matrix4::identity() - gain * seen;
            self.covariance = kept * self.covariance * kept.transpose()
                + gain * sight.covariance * gain.transpose();
        }
        self.seen = stamp;
        self.missing_secs = 0.0;
        self.learn_radius(sight);
        self.note_place(stamp, sight);
        self.vote(sight, left);
        let way = self.way_m();
        if self.is_confirmed {
            let is_known_long = self
                .path
                .first()
                .is_some_and(|first| stamp.secs_since(first.stamp) >= 0.9 * PATH_SECS);
            if (is_known_long && way < STANDS_M) || self.surprise > SURPRISE_KEEP_MAX {
                self.is_confirmed = false;
                self.votes = 0.0;
            }
        } else {
            let sigma = self.covariance[(0, 0)].max(self.covariance[(1, 1)]).sqrt();
            self.is_confirmed = self.votes >= VOTES_CONFIRM
                && self.surprise <= SURPRISE_CONFIRM_MAX
                && way >= WAY_MIN_M.max(WAY_SIGMAS_MIN * sigma);
        }
    }

    /// Nothing was seen that could be it; `look` is what the scan says of where it should be.
    pub(crate) fn missed(&mut self, look: Look) {
        if look != Look::Unknown {
            self.missing_secs += self.step_secs;
        }
    }

    pub(crate) fn is_over(&self, now: Stamp) -> bool {
        let unseen_secs = now.secs_since(self.seen);
        if self.is_confirmed {
            self.missing_secs > MISSING_MAX_SECS || unseen_secs > HIDDEN_MAX_SECS
        } else {
            unseen_secs > TENTATIVE_UNSEEN_MAX_SECS
        }
    }

    /// A point of its surface a while ago: whether that is seen through now tells if it left.
    pub(crate) fn near_before(&self, now: Stamp) -> Option<Vector2<f64>> {
        let is_old = |it: &&Waypoint| now.secs_since(it.stamp) >= LEFT_AFTER_SECS;
        self.path.iter().rev().find(is_old).map(|it| it.near)
    }

    /// Evidence of motion: new points now, or a place that was left.
    fn vote(&mut self, sight: &Sight, left: Look) {
        let is_fresh = sight.fresh_share >= FRESH_SHARE_MIN && sight.n_points >= FRESH_POINTS_MIN;
        let moves = is_fresh || left == Look::Free;
        let change = if moves { 1.0 } else { -VOTE_LOST };
        self.votes = (self.votes + change).clamp(0.0, VOTES_MAX);
    }

    fn learn_radius(&mut self, sight: &Sight) {
        if let Some(radius_m) = sight.radius_m {
            self.n_radii = (self.n_radii + 1.0).min(N_RADII);
            self.radius_m += (radius_m - self.radius_m) / self.n_radii;
        }
    }

    fn note_place(&mut self, stamp: Stamp, sight: &Sight) {
        let is_close = |it: &Waypoint| stamp.secs_since(it.stamp) < PATH_SPACING_SECS;
        if self.path.last().is_some_and(is_close) {
            return;
        }
        self.path.push(Waypoint {
            stamp,
            centre: self.position(),
            near: sight.near,
        });
        let is_old = |it: &Waypoint| stamp.secs_since(it.stamp) > PATH_SECS;
        let n_old = self.path.iter().take_while(|it| is_old(it)).count();
        self.path.drain(..n_old);
    }

    /// How far it has got from where it was on the remembered path, at most.
    fn way_m(&self) -> f64 {
        let here = self.position();
        let far = self.path.iter().map(|it| (it.centre - here).norm());
        far.fold(0.0, f64::max)
    }
}
