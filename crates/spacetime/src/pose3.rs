//! Poses and twists in space: the group SE(3).

use std::ops::Mul;

use nalgebra::{Isometry3, Matrix3, Translation3, UnitQuaternion, Vector3};

use crate::Pose2;

/// Below this turn the series is exact to `f64`.
const SMALL_TURN_RAD: f64 = 1e-6;

/// A pose in space; as `a_from_b` it maps coordinates in frame `b` to frame `a`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose3(Isometry3<f64>);

/// A velocity in space, in the moving body's own frame (or a displacement over one time unit).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twist3 {
    /// Linear velocity, in metres per second: x forward, y left, z up.
    pub linear_mps: Vector3<f64>,
    /// Angular velocity, in radians per second, about the same axes.
    pub angular_radps: Vector3<f64>,
}

impl Pose3 {
    /// No movement at all.
    pub fn identity() -> Self {
        Self(Isometry3::identity())
    }

    /// From a translation in metres and a rotation.
    pub fn new(translation_m: Vector3<f64>, rotation: UnitQuaternion<f64>) -> Self {
        Self(Isometry3::from_parts(
            Translation3::from(translation_m),
            rotation,
        ))
    }

    /// `b_from_a` for `a_from_b`.
    pub fn inverse(&self) -> Self {
        Self(self.0.inverse())
    }

    /// The pose of `other` in this pose's frame.
    pub fn between(&self, other: &Self) -> Self {
        Self(self.0.inv_mul(&other.0))
    }

    /// The translation, in metres.
    pub fn translation_m(&self) -> Vector3<f64> {
        self.0.translation.vector
    }

    /// The rotation.
    pub fn rotation(&self) -> UnitQuaternion<f64> {
        self.0.rotation
    }

    /// Coordinates in `a` of a point given in `b`, for `a_from_b`.
    pub fn transform(&self, point: Vector3<f64>) -> Vector3<f64> {
        self.0.rotation * point + self.0.translation.vector
    }

    /// The pose reached by holding `displacement` for one unit of time: SE(3) exp.
    ///
    /// Eade, "Lie groups for 2D and 3D transformations", section 4.
    pub fn exp(displacement: Twist3) -> Self {
        let rotation = UnitQuaternion::from_scaled_axis(displacement.angular_radps);
        let v = left_jacobian(displacement.angular_radps);
        Self::new(v * displacement.linear_mps, rotation)
    }

    /// The displacement that [`Pose3::exp`] turns into this pose, turning less than pi.
    pub fn log(&self) -> Twist3 {
        let angular_radps = self.0.rotation.scaled_axis();
        // V is never singular for turns below 2 pi, and a rotation's log turns at most pi.
        let v = left_jacobian(angular_radps);
        let linear_mps = v
            .lu()
            .solve(&self.translation_m())
            .unwrap_or_else(Vector3::zeros);
        Twist3 {
            linear_mps,
            angular_radps,
        }
    }
}

/// The V of SE(3)'s exponential map.
fn left_jacobian(turn: Vector3<f64>) -> Matrix3<f64> {
    let theta = turn.norm();
    let hat = turn.cross_matrix();
    let (b, c) = if theta < SMALL_TURN_RAD {
        (0.5, 1.0 / 6.0)
    } else {
        let half = (0.5 * theta).sin();
        (
            2.0 * half * half / (theta * theta),
            (theta - theta.sin()) / theta.powi(3),
        )
    };
    Matrix3::identity() + hat * b + hat * hat * c
}

/// Composition: `a_from_b * b_from_c = a_from_c`.
impl Mul for Pose3 {
    type Output = Self;
    fn mul(self, rhs: Self) -> Self {
        Self(self.0 * rhs.0)
    }
}

/// A planar pose, on the ground.
impl From<Pose2> for Pose3 {
    fn from(pose: Pose2) -> Self {
        let rotation = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), pose.yaw_rad);
        Self::new(Vector3::new(pose.x_m, pose.y_m, 0.0), rotation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vector(limit: f64) -> impl Strategy<Value = Vector3<f64>> {
        (-limit..limit, -limit..limit, -limit..limit).prop_map(|(x, y, z)| Vector3::new(x, y, z))
    }

    fn pose() -> impl Strategy<Value = Pose3> {
        (vector(50.0), vector(1.8))
            .prop_map(|(t, r)| Pose3::new(t, UnitQuaternion::from_scaled_axis(r)))
    }

    fn close(a: &Pose3, b: &Pose3, tolerance: f64) -> bool {
        let d = a.between(b);
        d.translation_m().norm() < tolerance && d.rotation().angle() < tolerance
    }

    proptest! {
        #[test]
        fn composition_is_associative(a in pose(), b in pose(), c in pose()) {
            prop_assert!(close(&((a * b) * c), &(a * (b * c)), 1e-6));
        }

        #[test]
        fn a_pose_times_its_inverse_is_the_identity(a in pose()) {
            prop_assert!(close(&(a * a.inverse()), &Pose3::identity(), 1e-6));
        }

        #[test]
        fn exp_undoes_log(a in pose()) {
            prop_assert!(close(&Pose3::exp(a.log()), &a, 1e-6));
        }

        #[test]
        fn planar_poses_compose_alike_in_space(
            a in (-9.0..9.0f64, -9.0..9.0f64, -3.0..3.0f64),
            b in (-9.0..9.0f64, -9.0..9.0f64, -3.0..3.0f64),
        ) {
            let (a, b) = (Pose2::new(a.0, a.1, a.2), Pose2::new(b.0, b.1, b.2));
            prop_assert!(close(&Pose3::from(a * b), &(Pose3::from(a) * Pose3::from(b)), 1e-6));
        }
    }
}
