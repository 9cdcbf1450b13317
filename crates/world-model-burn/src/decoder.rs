//! The lidar decoder: a mixture of Laplace distributions over what geometry expects.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, relu};
use sedge_world_model::RANGE_MAX_M;
use sedge_world_model_trained::NetworkConfig;
use sedge_world_model_trained::structure::{
    DECODER_CHANNELS, DILATIONS, FREE_CENTRE_M, FREE_LOG_REACH, HEAD_CHANNELS, N_COMPONENTS,
    SCALE_MAX_M, SCALE_MIN_M, SCALE_START_M, SHIFT_MAX, WIDE_KERNEL,
};

use crate::layers::{BeamConv, BeamConvShape, Dense, Init, ResidualConv};

/// Share of every beam's distribution that is uniform over all ranges: bounds the loss of a beam
/// that nobody could have expected.
pub(crate) const UNIFORM_SHARE: f32 = 0.01;
/// Parameters of the mixture, per beam.
#[derive(Debug, Clone)]
pub(crate) struct MixtureTensors {
    /// Log weights, normalised over components. `[batch, component, beam]`
    pub(crate) log_weight: Tensor<3>,
    /// Centres in metres. `[batch, component, beam]`
    pub(crate) centre_m: Tensor<3>,
    /// Laplace scales in metres, as logarithms. `[batch, component, beam]`
    pub(crate) log_scale: Tensor<3>,
    /// Logit of "the beam returns". `[batch, beam]`
    pub(crate) hit_logit: Tensor<2>,
}

/// Decoder input: features per beam, and the candidates in metres.
#[derive(Debug, Clone)]
pub(crate) struct DecoderInput {
    /// `[batch, DECODER_CHANNELS, beam]`
    pub(crate) features: Tensor<3>,
    /// The candidates of [`COMPONENTS`]. `[batch, component - 1, beam]`
    pub(crate) candidates_m: Tensor<3>,
}

/// Convolutions along the beams over the candidates, told by the latent what to trust.
#[derive(Module, Debug)]
pub(crate) struct LidarDecoder {
    input: BeamConv,
    modulation: Dense,
    trunk: Vec<ResidualConv>,
    head: BeamConv,
    channels: usize,
}

fn pointwise(n_in: usize, n_out: usize, kernel: usize, gain: f32) -> BeamConvShape {
    BeamConvShape {
        n_in,
        n_out,
        kernel,
        stride: 1,
        dilation: 1,
        gain,
    }
}

impl LidarDecoder {
    pub(crate) fn new(config: &NetworkConfig, init: &mut Init<'_>) -> Self {
        let channels = config.trunk_channels;
        Self {
            input: BeamConv::new(
                pointwise(DECODER_CHANNELS, channels, WIDE_KERNEL, 2.0),
                init,
            ),
            // Nearly zero: the latent starts with no say and must earn it.
            modulation: Dense::new(config.feature(), 2 * channels, 1e-3, init),
            trunk: DILATIONS
                .iter()
                .map(|&d| ResidualConv::new(channels, d, init))
                .collect(),
            // Small, so that every component starts on its candidate.
            head: BeamConv::new(pointwise(channels, HEAD_CHANNELS, 1, 1e-2), init),
            channels,
        }
    }

    /// `feature` is the latent's, or `None` for the model without it. `[batch, feature]`
    pub(crate) fn forward(
        &self,
        input: DecoderInput,
        feature: Option<Tensor<2>>,
    ) -> MixtureTensors {
        let mut x = self.input.forward(input.features);
        if let Some(feature) = feature {
            let modulation = self.modulation.forward(feature).unsqueeze_dim::<3>(2);
            let gain = modulation.clone().narrow(1, 0, self.channels);
            let offset = modulation.narrow(1, self.channels, self.channels);
            x = x * (gain + 1.0) + offset;
        }
        let x = self.trunk.iter().fold(relu(x), |x, block| block.forward(x));
        read_head(&self.head.forward(x), input.candidates_m)
    }
}

/// Turns the head's numbers into the mixture.
fn read_head(head: &Tensor<3>, candidates_m: Tensor<3>) -> MixtureTensors {
    let k = N_COMPONENTS;
    let part = |from: usize, n: usize| head.clone().narrow(1, from, n);
    let softsign = |x: Tensor<3>| x.clone() / (x.abs() + 1.0);
    let shifted = candidates_m * (softsign(part(0, k - 1)) * SHIFT_MAX + 1.0);
    let free = (softsign(part(k - 1, 1)) * FREE_LOG_REACH + FREE_CENTRE_M.ln()).exp();
    let centre_m = Tensor::cat(vec![shifted, free], 1).clamp(0.0, RANGE_MAX_M);
    let log_scale = part(k, k) + SCALE_START_M.ln();
    let log_scale = log_scale.clamp(SCALE_MIN_M.ln(), SCALE_MAX_M.ln());
    let log_weight = log_softmax(part(2 * k, k), 1);
    let [batch, _, beams] = head.dims();
    let hit_logit = part(3 * k, 1).reshape([batch, beams]);
    MixtureTensors {
        log_weight,
        centre_m,
        log_scale,
        hit_logit,
    }
}

impl MixtureTensors {
    /// Log density of a range, per beam.
    ///
    /// # Shapes
    /// Ranges in metres `[batch, beam]` to `[batch, beam]`.
    pub(crate) fn log_density(&self, range_m: Tensor<2>) -> Tensor<2> {
        let [batch, _, beams] = self.centre_m.dims();
        let distance = (self.centre_m.clone() - range_m.unsqueeze_dim::<3>(1)).abs();
        let log_each = self.log_weight.clone()
            - self.log_scale.clone()
            - distance * self.log_scale.clone().neg().exp();
        // Laplace: exp(-d / b) / (2 b). Its peak is at most 1 / (2 SCALE_MIN_M), so no overflow.
        let density = log_each.exp().sum_dim(1).reshape([batch, beams]) * 0.5;
        (density * (1.0 - UNIFORM_SHARE) + UNIFORM_SHARE / RANGE_MAX_M).log()
    }

    /// Expected range in metres. `[batch, beam]`
    pub(crate) fn mean_m(&self) -> Tensor<2> {
        let [batch, _, beams] = self.centre_m.dims();
        (self.log_weight.clone().exp() * self.centre_m.clone())
            .sum_dim(1)
            .reshape([batch, beams])
    }
}
