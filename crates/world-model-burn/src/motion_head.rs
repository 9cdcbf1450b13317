//! How the scanner will really move, seen from how geometry says it will.

use burn::module::Module;
use burn::tensor::Tensor;
use nalgebra::{Matrix3, Vector3};
use sedge_spacetime::{Covariance2, Pose2, Twist2};

use crate::NetworkConfig;
use crate::encoder::MOTION_INPUTS;
use crate::layers::{Dense, Init, RmsDense};

/// One unit of motion error, as the head sees it: metres, metres, radians.
pub(crate) const ERROR_SCALE: [f64; 3] = [0.05, 0.05, 0.02];
/// The head's log precisions stay within this of their start: a covariance is never zero.
const LOG_PRECISION_MAX: f32 = 4.0;

/// Mean and precision factor of the motion error, in the frame of the scanner then.
///
/// The error is `log(geometric^-1 * real)`; its precision is `U U^T` with `U` upper triangular.
#[derive(Module, Debug)]
pub(crate) struct MotionHead {
    first: RmsDense,
    out: Dense,
}

/// The head's nine numbers per prediction. `[batch, 9]`: mean, log diagonal, off-diagonal.
#[derive(Debug, Clone)]
pub(crate) struct MotionTensors(pub(crate) Tensor<2>);

impl MotionHead {
    pub(crate) fn new(config: &NetworkConfig, init: &mut Init<'_>) -> Self {
        let n_in = config.feature() + MOTION_INPUTS;
        Self {
            first: RmsDense::new(n_in, config.hidden, init),
            out: Dense::new(config.hidden, 9, 1e-2, init),
        }
    }

    /// `feature` `[batch, feature]`, geometric movement `[batch, 4]`.
    pub(crate) fn forward(&self, feature: Tensor<2>, motion: Tensor<2>) -> MotionTensors {
        let out = self
            .out
            .forward(self.first.forward(Tensor::cat(vec![feature, motion], 1)));
        let log_diagonal = out
            .clone()
            .narrow(1, 3, 3)
            .clamp(-LOG_PRECISION_MAX, LOG_PRECISION_MAX);
        let (mean, off) = (out.clone().narrow(1, 0, 3), out.narrow(1, 6, 3));
        MotionTensors(Tensor::cat(vec![mean, log_diagonal, off], 1))
    }
}

impl MotionTensors {
    /// Negative log likelihood of real errors (scaled by `ERROR_SCALE`), up to a constant.
    ///
    /// # Shapes
    /// `[batch, 3]` to `[batch]`.
    pub(crate) fn negative_log_likelihood(&self, error: Tensor<2>) -> Tensor<1> {
        let [batch, _] = error.dims();
        let column = |k: usize| self.0.clone().narrow(1, k, 1);
        let residual = error - self.0.clone().narrow(1, 0, 3);
        let [x, y, yaw] = [0, 1, 2].map(|k| residual.clone().narrow(1, k, 1));
        let diagonal = |k: usize| column(3 + k).exp();
        // U^T e, row by row.
        let first = diagonal(0) * x.clone();
        let second = column(6) * x.clone() + diagonal(1) * y.clone();
        let third = column(7) * x + column(8) * y + diagonal(2) * yaw;
        let squares = first.clone() * first + second.clone() * second + third.clone() * third;
        let log_det = column(3) + column(4) + column(5);
        (squares * 0.5 - log_det).reshape([batch])
    }
}

/// The error of a geometric motion as the head learns it.
pub(crate) fn motion_error(geometric: Pose2, real: Pose2) -> [f32; 3] {
    let error = geometric.between(real).log();
    let [x, y, yaw] = ERROR_SCALE;
    [
        (error.vx_mps / x) as f32,
        (error.vy_mps / y) as f32,
        (error.yaw_rate_radps / yaw) as f32,
    ]
}

/// The corrected motion and its covariance from the head's nine numbers.
pub(crate) fn corrected_motion(geometric: Pose2, head: &[f32]) -> (Pose2, Covariance2) {
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
