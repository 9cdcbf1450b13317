//! How the scanner will really move, seen from how geometry says it will.

use burn::module::Module;
use burn::tensor::Tensor;
use sedge_world_model_trained::NetworkConfig;
use sedge_world_model_trained::structure::{LOG_PRECISION_MAX, MOTION_INPUTS, MOTION_OUTPUTS};

use crate::layers::{Dense, Init, RmsDense};

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
            out: Dense::new(config.hidden, MOTION_OUTPUTS, 1e-2, init),
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
