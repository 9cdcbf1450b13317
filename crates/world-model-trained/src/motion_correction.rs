//! How the scanner will really move, seen from how geometry says it will: what the motion head's
//! numbers mean.

use nalgebra::{Matrix3, Vector3};
use sedge_spacetime::{Covariance2, Pose2, Twist2};

use crate::structure::MOTION_OUTPUTS;

/// One unit of motion error, as the head sees it: metres, metres, radians.
pub const ERROR_SCALE: [f64; 3] = [0.05, 0.05, 0.02];

/// The error of a geometric motion as the head learns it.
pub fn motion_error(geometric: Pose2, real: Pose2) -> [f32; 3] {
    let error = geometric.between(real).log();
    let [x, y, yaw] = ERROR_SCALE;
    [
        (error.vx_mps / x) as f32,
        (error.vy_mps / y) as f32,
        (error.yaw_rate_radps / yaw) as f32,
    ]
}

/// The corrected motion and its covariance from the head's nine numbers.
pub fn corrected_motion(geometric: Pose2, head: &[f32; MOTION_OUTPUTS]) -> (Pose2, Covariance2) {
    let number = |k: usize| f64::from(head[k]);
    let scale = Vector3::from(ERROR_SCALE);
    let mean = Twist2 {
        vx_mps: number(0) * scale.x,
        vy_mps: number(1) * scale.y,
        yaw_rate_radps: number(2) * scale.z,
    };
    let factor_transposed = Matrix3::new(
        number(3).exp(),
        0.0,
        0.0, //
        number(6),
        number(4).exp(),
        0.0, //
        number(7),
        number(8),
        number(5).exp(),
    );
    // The diagonal is at least exp(-4): the factor always has an inverse.
    let inverse = factor_transposed
        .try_inverse()
        .unwrap_or_else(Matrix3::identity);
    let root = Matrix3::from_diagonal(&scale) * inverse;
    let covariance = Covariance2::new(root * root.transpose());
    (
        geometric * Pose2::exp(mean),
        covariance.unwrap_or_else(|_| Covariance2::zero()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_says_nothing_leaves_the_motion_and_one_unit_of_doubt() {
        let motion = Pose2::new(0.4, 0.1, 0.3);
        let (corrected, covariance) = corrected_motion(motion, &[0.0; 9]);
        assert_eq!(corrected, motion * Pose2::IDENTITY);
        for (k, scale) in ERROR_SCALE.iter().enumerate() {
            assert!((covariance.matrix()[(k, k)] - scale * scale).abs() < 1e-12);
        }
    }

    #[test]
    fn the_mean_that_was_learnt_from_an_error_undoes_it() {
        let (geometric, real) = (Pose2::new(0.4, 0.1, 0.3), Pose2::new(0.43, 0.08, 0.33));
        let error = motion_error(geometric, real);
        let mut head = [0.0; 9];
        head[..3].copy_from_slice(&error);
        let (corrected, _) = corrected_motion(geometric, &head);
        assert!(corrected.between(real).distance_m() < 1e-6);
    }
}
