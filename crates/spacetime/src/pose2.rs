//! Poses and twists in the plane: the group SE(2) and its Lie algebra.

use std::f64::consts::{PI, TAU};
use std::ops::Mul;

use nalgebra::Matrix3;
use serde::{Deserialize, Serialize};

/// Below this turn the closed forms divide zero by zero, and the straight line is exact to `f64`.
const SMALL_TURN_RAD: f64 = 1e-9;

/// The same angle in `[-pi, pi)`.
pub fn wrap_angle(rad: f64) -> f64 {
    let wrapped = (rad + PI).rem_euclid(TAU) - PI;
    // `rem_euclid` of a tiny negative number can round up to TAU itself.
    if wrapped >= PI {
        wrapped - TAU
    } else {
        wrapped
    }
}

/// A pose in the plane; as `a_from_b` it maps coordinates in frame `b` to frame `a`.
///
/// # Units and frames
/// `x_m` forward, `y_m` left, in metres; `yaw_rad` counter-clockwise, in `[-pi, pi)` for every pose
/// that comes out of an operation here.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pose2 {
    /// Forward, in metres.
    pub x_m: f64,
    /// Left, in metres.
    pub y_m: f64,
    /// Counter-clockwise turn, in radians.
    pub yaw_rad: f64,
}

/// A velocity in the plane, in the moving body's own frame (or a displacement, when the time unit
/// is one step).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Twist2 {
    /// Forward speed, in metres per second.
    pub vx_mps: f64,
    /// Leftward speed, in metres per second.
    pub vy_mps: f64,
    /// Turn rate, in radians per second, counter-clockwise.
    pub yaw_rate_radps: f64,
}

impl Twist2 {
    /// The twist times a number, such as a time in seconds.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            vx_mps: self.vx_mps * factor,
            vy_mps: self.vy_mps * factor,
            yaw_rate_radps: self.yaw_rate_radps * factor,
        }
    }

    /// Whether every component is a finite number.
    pub fn is_finite(self) -> bool {
        self.vx_mps.is_finite() && self.vy_mps.is_finite() && self.yaw_rate_radps.is_finite()
    }
}

impl Pose2 {
    /// No movement at all.
    pub const IDENTITY: Self = Self {
        x_m: 0.0,
        y_m: 0.0,
        yaw_rad: 0.0,
    };

    /// From metres and radians; the angle is kept as given.
    pub const fn new(x_m: f64, y_m: f64, yaw_rad: f64) -> Self {
        Self { x_m, y_m, yaw_rad }
    }

    /// `b_from_a` for `a_from_b`.
    pub fn inverse(self) -> Self {
        let (sin, cos) = self.yaw_rad.sin_cos();
        Self {
            x_m: -cos * self.x_m - sin * self.y_m,
            y_m: sin * self.x_m - cos * self.y_m,
            yaw_rad: wrap_angle(-self.yaw_rad),
        }
    }

    /// The pose of `other` in this pose's frame: `self.inverse() * other`.
    pub fn between(self, other: Self) -> Self {
        let (sin, cos) = self.yaw_rad.sin_cos();
        let (dx, dy) = (other.x_m - self.x_m, other.y_m - self.y_m);
        Self {
            x_m: cos * dx + sin * dy,
            y_m: -sin * dx + cos * dy,
            yaw_rad: wrap_angle(other.yaw_rad - self.yaw_rad),
        }
    }

    /// Coordinates in `a` of a point given in `b`, for `a_from_b`.
    pub fn transform(self, point: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.yaw_rad.sin_cos();
        [
            self.x_m + cos * point[0] - sin * point[1],
            self.y_m + sin * point[0] + cos * point[1],
        ]
    }

    /// The pose reached by holding `displacement` (a twist times one unit of time): SE(2) exp.
    ///
    /// Eade, "Lie groups for 2D and 3D transformations", section 3.
    pub fn exp(displacement: Twist2) -> Self {
        let turn = displacement.yaw_rate_radps;
        let (vx, vy) = (displacement.vx_mps, displacement.vy_mps);
        let (a, b) = arc(turn);
        Self {
            x_m: a * vx - b * vy,
            y_m: b * vx + a * vy,
            yaw_rad: wrap_angle(turn),
        }
    }

    /// The displacement that [`Pose2::exp`] turns into this pose, with the turn in `[-pi, pi)`.
    pub fn log(self) -> Twist2 {
        let turn = wrap_angle(self.yaw_rad);
        let (a, b) = arc(turn);
        let scale = 1.0 / (a * a + b * b);
        Twist2 {
            vx_mps: scale * (a * self.x_m + b * self.y_m),
            vy_mps: scale * (-b * self.x_m + a * self.y_m),
            yaw_rate_radps: turn,
        }
    }

    /// The pose after a share of this movement at constant twist: `exp(share * log(self))`.
    pub fn powf(self, share: f64) -> Self {
        Self::exp(self.log().scaled(share))
    }

    /// Distance from the origin, in metres.
    pub fn distance_m(self) -> f64 {
        self.x_m.hypot(self.y_m)
    }

    /// Whether every component is a finite number.
    pub fn is_finite(self) -> bool {
        self.x_m.is_finite() && self.y_m.is_finite() && self.yaw_rad.is_finite()
    }

    /// The adjoint: maps a displacement in `b` to the same displacement in `a`, for `a_from_b`.
    ///
    /// # Shapes
    /// `[3, 3]`, rows and columns x, y, yaw.
    pub fn adjoint(self) -> Matrix3<f64> {
        let (sin, cos) = self.yaw_rad.sin_cos();
        Matrix3::new(cos, -sin, self.y_m, sin, cos, -self.x_m, 0.0, 0.0, 1.0)
    }
}

/// `sin(turn) / turn` and `(1 - cos(turn)) / turn`, with their limits at zero.
fn arc(turn: f64) -> (f64, f64) {
    if turn.abs() < SMALL_TURN_RAD {
        return (1.0, 0.5 * turn);
    }
    // 1 - cos as 2 sin^2 of the half angle: no cancellation for small turns.
    let half = (0.5 * turn).sin();
    (turn.sin() / turn, 2.0 * half * half / turn)
}

/// Composition: `a_from_b * b_from_c = a_from_c`.
impl Mul for Pose2 {
    type Output = Self;
    #[expect(
        clippy::suspicious_arithmetic_impl,
        reason = "angles of composed turns add"
    )]
    fn mul(self, rhs: Self) -> Self {
        let [x_m, y_m] = self.transform([rhs.x_m, rhs.y_m]);
        Self {
            x_m,
            y_m,
            yaw_rad: wrap_angle(self.yaw_rad + rhs.yaw_rad),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pose() -> impl Strategy<Value = Pose2> {
        (-100.0..100.0, -100.0..100.0, -PI..PI).prop_map(|(x, y, yaw)| Pose2::new(x, y, yaw))
    }

    fn close(a: Pose2, b: Pose2, tolerance: f64) -> bool {
        (a.x_m - b.x_m).abs() < tolerance
            && (a.y_m - b.y_m).abs() < tolerance
            && wrap_angle(a.yaw_rad - b.yaw_rad).abs() < tolerance
    }

    proptest! {
        #[test]
        fn composition_is_associative(a in pose(), b in pose(), c in pose()) {
            prop_assert!(close((a * b) * c, a * (b * c), 1e-9));
        }

        #[test]
        fn a_pose_times_its_inverse_is_the_identity(a in pose()) {
            prop_assert!(close(a * a.inverse(), Pose2::IDENTITY, 1e-9));
            prop_assert!(close(a.inverse() * a, Pose2::IDENTITY, 1e-9));
        }

        #[test]
        fn between_is_the_inverse_times_the_other(a in pose(), b in pose()) {
            prop_assert!(close(a.between(b), a.inverse() * b, 1e-9));
            prop_assert!(close(a * a.between(b), b, 1e-9));
        }

        #[test]
        fn exp_undoes_log(a in pose()) {
            prop_assert!(close(Pose2::exp(a.log()), a, 1e-7));
        }

        #[test]
        fn powers_of_a_movement_add_up(a in pose(), share in 0.0..1.0f64) {
            prop_assert!(close(a.powf(share) * a.powf(1.0 - share), a, 1e-6));
        }

        #[test]
        fn the_adjoint_moves_a_displacement_between_frames(
            a in pose(), v in (-1.0..1.0f64, -1.0..1.0f64, -1.0..1.0f64)
        ) {
            let twist = Twist2 { vx_mps: v.0, vy_mps: v.1, yaw_rate_radps: v.2 };
            let moved = a.adjoint() * nalgebra::Vector3::new(v.0, v.1, v.2);
            let moved = Twist2 { vx_mps: moved.x, vy_mps: moved.y, yaw_rate_radps: moved.z };
            let direct = a * Pose2::exp(twist) * a.inverse();
            prop_assert!(close(direct, Pose2::exp(moved), 1e-8));
        }

        #[test]
        fn wrapped_angles_stay_in_range(rad in -1e6..1e6f64) {
            let wrapped = wrap_angle(rad);
            prop_assert!((-PI..PI).contains(&wrapped));
            prop_assert!((wrapped.sin() - rad.sin()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_turn_too_small_to_divide_by_moves_straight() {
        let twist = Twist2 {
            vx_mps: 3.0,
            vy_mps: 0.0,
            yaw_rate_radps: 1e-12,
        };
        assert!(close(Pose2::exp(twist), Pose2::new(3.0, 0.0, 0.0), 1e-9));
    }

    #[test]
    fn an_angle_just_below_minus_pi_wraps_into_range() {
        assert!((-PI..PI).contains(&wrap_angle(-PI - 1e-17)));
        assert!((wrap_angle(PI) + PI).abs() < 1e-15);
    }
}
