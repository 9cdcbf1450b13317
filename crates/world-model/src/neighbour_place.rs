//! The filter behind a neighbour: an extended Kalman filter over its pose in the map.

use nalgebra::{Matrix3, RowVector3};
use sedge_spacetime::{Covariance2, Pose2, Stamp, Twist2, wrap_angle};

use crate::{Measured, Seen};

/// Own pose is that wrong while measuring, metres and radians: added to every measure.
const OWN_SIGMA_M: f64 = 0.02;
const OWN_SIGMA_RAD: f64 = 0.01;
/// Nothing is known of a heading: standard deviation of a uniform direction, radians.
const HEADING_UNKNOWN_RAD: f64 = 1.8;
/// Measures with more standard deviations of surprise than this are not believed ...
const SURPRISE_SIGMAS_MAX: f64 = 5.0;
/// ... until so many in a row agree that it is somewhere else.
const N_REFUSED_MAX: u32 = 8;
/// Growth of doubt with a known velocity: m2/s and rad2/s. Wheels slip.
const CARRIED_VARIANCE: [f64; 2] = [0.01, 0.01];
/// Growth of doubt without: it may walk.
const ADRIFT_VARIANCE: [f64; 2] = [0.5, 0.5];
/// A velocity is held so long, seconds.
const TWIST_HELD_SECS: f64 = 1.0;
/// Neighbours nearer than this have no direction, metres.
const RANGE_MIN_M: f64 = 0.05;

/// Something sensed or heard of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Heard {
    /// This robot saw it.
    Saw { map_from_scanner: Pose2, seen: Seen },
    /// It saw this robot.
    Sees { map_from_scanner: Pose2, seen: Seen },
    /// Its velocity in its own frame.
    Moves(Twist2),
}

/// What was heard, and of when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Note {
    pub(crate) stamp: Stamp,
    pub(crate) heard: Heard,
}

impl Note {
    /// Notes are taken in in this order, whichever way they came.
    pub(crate) fn order(&self) -> (Stamp, u8) {
        let kind = match self.heard {
            Heard::Saw { .. } => 0,
            Heard::Sees { .. } => 1,
            Heard::Moves(_) => 2,
        };
        (self.stamp, kind)
    }

    /// Predicts to the note and corrects by it. A place begins with a range and a bearing.
    pub(crate) fn take_into(&self, place: &mut Option<Place>) {
        let Some(place) = place else {
            if let Heard::Saw {
                map_from_scanner,
                seen,
            } = self.heard
            {
                *place = Place::begin(self.stamp, map_from_scanner, seen);
            }
            return;
        };
        place.predict_to(self.stamp);
        match self.heard {
            Heard::Moves(twist) => place.twist = Some((self.stamp, twist)),
            Heard::Sees {
                map_from_scanner,
                seen,
            } => place.correct(map_from_scanner, seen, Side::Its),
            Heard::Saw {
                map_from_scanner,
                seen,
            } => {
                place.correct(map_from_scanner, seen, Side::Own);
                if place.n_refused > N_REFUSED_MAX
                    && let Some(anew) = Place::begin(self.stamp, map_from_scanner, seen)
                {
                    *place = anew;
                }
            }
        }
    }
}

/// Whose sensor measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Own,
    Its,
}

/// Where a neighbour is believed to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    stamp: Stamp,
    pub(crate) map_from_neighbour: Pose2,
    /// x, y along the map's axes, and yaw.
    covariance: Matrix3<f64>,
    twist: Option<(Stamp, Twist2)>,
    /// When its place was measured last.
    pub(crate) measured: Stamp,
    n_refused: u32,
}

/// One number that was measured, linearised.
struct Measure {
    surprise: f64,
    jacobian: RowVector3<f64>,
    sigma: f64,
}

impl Place {
    fn begin(stamp: Stamp, map_from_scanner: Pose2, seen: Seen) -> Option<Self> {
        let (range, bearing) = (seen.range_m?, seen.bearing_rad?);
        let (sin, cos) = bearing.value.sin_cos();
        let [x_m, y_m] = map_from_scanner.transform([range.value * cos, range.value * sin]);
        let (sin, cos) = (map_from_scanner.yaw_rad + bearing.value).sin_cos();
        let along = range.sigma.hypot(OWN_SIGMA_M).powi(2);
        let across = (range.value.max(RANGE_MIN_M) * bearing.sigma.hypot(OWN_SIGMA_RAD)).powi(2)
            + OWN_SIGMA_M * OWN_SIGMA_M;
        let cross = (along - across) * sin * cos;
        let covariance = Matrix3::new(
            along * cos * cos + across * sin * sin,
            cross,
            0.0, //
            cross,
            along * sin * sin + across * cos * cos,
            0.0, //
            0.0,
            0.0,
            HEADING_UNKNOWN_RAD * HEADING_UNKNOWN_RAD,
        );
        Some(Self {
            stamp,
            map_from_neighbour: Pose2::new(x_m, y_m, 0.0),
            covariance,
            twist: None,
            measured: stamp,
            n_refused: 0,
        })
    }

    /// Its velocity, if it said so recently.
    pub(crate) fn fresh_twist(&self, now: Stamp, fresh_secs: f64) -> Option<Twist2> {
        self.twist
            .filter(|&(said, _)| now.secs_since(said) <= fresh_secs)
            .map(|(_, twist)| twist)
    }

    /// Carries the belief on; never back in time.
    pub(crate) fn predict_to(&mut self, now: Stamp) {
        let secs = now.secs_since(self.stamp);
        if secs <= 0.0 {
            return;
        }
        self.stamp = now;
        let twist = self.fresh_twist(now, TWIST_HELD_SECS);
        let before = self.map_from_neighbour;
        if let Some(twist) = twist {
            self.map_from_neighbour = before * Pose2::exp(twist.scaled(secs));
        }
        let moved = [
            self.map_from_neighbour.x_m - before.x_m,
            self.map_from_neighbour.y_m - before.y_m,
        ];
        let mut jacobian = Matrix3::identity();
        (jacobian[(0, 2)], jacobian[(1, 2)]) = (-moved[1], moved[0]);
        let [place, heading] = twist.map_or(ADRIFT_VARIANCE, |_| CARRIED_VARIANCE);
        let noise = [place * secs, place * secs, heading * secs];
        self.covariance = jacobian * self.covariance * jacobian.transpose()
            + Matrix3::from_diagonal(&noise.into());
        // A heading cannot be less known than not at all.
        let heading_max = HEADING_UNKNOWN_RAD * HEADING_UNKNOWN_RAD;
        if self.covariance[(2, 2)] > heading_max {
            let scale = (heading_max / self.covariance[(2, 2)]).sqrt();
            for k in 0..3 {
                self.covariance[(k, 2)] *= scale;
                self.covariance[(2, k)] *= scale;
            }
        }
    }

    fn correct(&mut self, map_from_scanner: Pose2, seen: Seen, side: Side) {
        if let Some(range) = seen.range_m {
            self.correct_by(|place| place.range_measure(map_from_scanner, range));
        }
        if let Some(bearing) = seen.bearing_rad {
            self.correct_by(|place| place.bearing_measure(map_from_scanner, bearing, side));
        }
    }

    /// Vector from this robot to the neighbour, along the map's axes, and its length.
    fn towards(&self, map_from_scanner: Pose2) -> Option<([f64; 2], f64)> {
        let dx = self.map_from_neighbour.x_m - map_from_scanner.x_m;
        let dy = self.map_from_neighbour.y_m - map_from_scanner.y_m;
        let range = dx.hypot(dy);
        (range > RANGE_MIN_M).then_some(([dx, dy], range))
    }

    fn range_measure(&self, map_from_scanner: Pose2, measured: Measured) -> Option<Measure> {
        let ([dx, dy], range) = self.towards(map_from_scanner)?;
        Some(Measure {
            surprise: measured.value - range,
            jacobian: RowVector3::new(dx / range, dy / range, 0.0),
            sigma: measured.sigma.hypot(OWN_SIGMA_M),
        })
    }

    fn bearing_measure(
        &self,
        map_from_scanner: Pose2,
        measured: Measured,
        side: Side,
    ) -> Option<Measure> {
        let ([dx, dy], range) = self.towards(map_from_scanner)?;
        let turning = RowVector3::new(-dy / (range * range), dx / (range * range), 0.0);
        let (expected, jacobian) = match side {
            Side::Own => (dy.atan2(dx) - map_from_scanner.yaw_rad, turning),
            // Seen from there, this robot lies the other way.
            Side::Its => (
                (-dy).atan2(-dx) - self.map_from_neighbour.yaw_rad,
                turning - RowVector3::new(0.0, 0.0, 1.0),
            ),
        };
        let own = match side {
            Side::Own => OWN_SIGMA_RAD,
            Side::Its => OWN_SIGMA_M / range,
        };
        Some(Measure {
            surprise: wrap_angle(measured.value - expected),
            jacobian,
            sigma: measured.sigma.hypot(own),
        })
    }

    fn correct_by(&mut self, measure: impl Fn(&Self) -> Option<Measure>) {
        let Some(measure) = measure(self) else { return };
        let spread = self.covariance * measure.jacobian.transpose();
        let variance = (measure.jacobian * spread)[0] + measure.sigma * measure.sigma;
        if measure.surprise * measure.surprise > SURPRISE_SIGMAS_MAX.powi(2) * variance {
            self.n_refused = self.n_refused.saturating_add(1);
            return;
        }
        self.n_refused = 0;
        self.measured = self.stamp;
        let gain = spread / variance;
        let step = gain * measure.surprise;
        self.map_from_neighbour = Pose2::new(
            self.map_from_neighbour.x_m + step.x,
            self.map_from_neighbour.y_m + step.y,
            wrap_angle(self.map_from_neighbour.yaw_rad + step.z),
        );
        let left = Matrix3::identity() - gain * measure.jacobian;
        // Joseph's form stays symmetric and positive.
        self.covariance = left * self.covariance * left.transpose()
            + gain * gain.transpose() * (measure.sigma * measure.sigma);
    }

    /// Its covariance along another frame's axes.
    pub(crate) fn covariance_seen_from(&self, map_from_scanner: Pose2) -> Covariance2 {
        let (sin, cos) = map_from_scanner.yaw_rad.sin_cos();
        let turn = Matrix3::new(cos, sin, 0.0, -sin, cos, 0.0, 0.0, 0.0, 1.0);
        let turned = turn * self.covariance * turn.transpose();
        let symmetric = (turned + turned.transpose()) * 0.5;
        let unknown = [1e3, 1e3, HEADING_UNKNOWN_RAD];
        Covariance2::new(symmetric).unwrap_or_else(|_| Covariance2::from_sigmas(unknown))
    }
}
