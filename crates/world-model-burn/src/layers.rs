//! The layers that the networks are built from, with weights drawn from a passed-in generator.
//!
//! burn's own layers draw their weights from the device's global generator; here a seed must give
//! the same weights on every device, so weights are drawn on the host.

use burn::module::{Module, Param};
use burn::tensor::activation::{relu, silu};
use burn::tensor::module::{conv1d, linear};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use sedge_world_model_trained::structure::RMS_EPSILON;

/// A weight tensor, uniform in `+-sqrt(3 * gain / fan_in)`: variance `gain / fan_in`.
pub(crate) fn drawn<const D: usize>(
    shape: [usize; D],
    fan_in: usize,
    gain: f32,
    init: &mut Init<'_>,
) -> Param<Tensor<D>> {
    let limit = (3.0 * gain / fan_in as f32).sqrt();
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|_| init.uniform() * limit).collect();
    Param::from_tensor(Tensor::from_data(
        TensorData::new(values, shape),
        init.device,
    ))
}

/// A constant parameter.
pub(crate) fn filled<const D: usize>(
    shape: [usize; D],
    value: f32,
    device: &Device,
) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::full(shape, value, device))
}

/// Where new weights come from and go to.
pub(crate) struct Init<'a> {
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) device: &'a Device,
}

impl Init<'_> {
    /// Uniform in `[-1, 1)`.
    fn uniform(&mut self) -> f32 {
        // 24 random bits are all that an f32 in [0, 1) can hold evenly.
        let bits = self.rng.next_u32() >> 8;
        bits as f32 * (2.0 / 16_777_216.0) - 1.0
    }
}

/// `y = x W + b`.
///
/// # Shapes
/// `[.., n_in]` to `[.., n_out]`.
#[derive(Module, Debug)]
pub(crate) struct Dense {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Dense {
    pub(crate) fn new(n_in: usize, n_out: usize, gain: f32, init: &mut Init<'_>) -> Self {
        Self {
            weight: drawn([n_in, n_out], n_in, gain, init),
            bias: filled([n_out], 0.0, init.device),
        }
    }

    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        linear(x, self.weight.val(), Some(self.bias.val()))
    }
}

/// Linear, RMS norm, SiLU: the block that DreamerV3 is made of.
///
/// # Shapes
/// `[batch, n_in]` to `[batch, n_out]`.
#[derive(Module, Debug)]
pub(crate) struct RmsDense {
    dense: Dense,
    scale: Param<Tensor<1>>,
}

impl RmsDense {
    pub(crate) fn new(n_in: usize, n_out: usize, init: &mut Init<'_>) -> Self {
        Self {
            dense: Dense::new(n_in, n_out, 1.0, init),
            scale: filled([n_out], 1.0, init.device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        silu(rms_norm(self.dense.forward(x)) * self.scale.val().unsqueeze())
    }
}

/// Divides by the root mean square over the last axis.
pub(crate) fn rms_norm<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let mean_square = (x.clone() * x.clone()).mean_dim(D - 1);
    x / (mean_square + RMS_EPSILON).sqrt()
}

/// A block-diagonal linear layer.
///
/// # Shapes
/// `[block, batch, n_in]` to `[block, batch, n_out]`.
#[derive(Module, Debug)]
pub(crate) struct BlockDense {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<3>>,
}

impl BlockDense {
    pub(crate) fn new(blocks: usize, n_in: usize, n_out: usize, init: &mut Init<'_>) -> Self {
        Self {
            weight: drawn([blocks, n_in, n_out], n_in, 1.0, init),
            bias: filled([blocks, 1, n_out], 0.0, init.device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x.matmul(self.weight.val()) + self.bias.val()
    }
}

/// A convolution along the beams that keeps (stride 1) or divides (stride > 1) their number.
///
/// The field of view of a planar scanner has two ends: padding is zero, not circular.
///
/// # Shapes
/// `[batch, n_in, beam]` to `[batch, n_out, beam / stride]`.
#[derive(Module, Debug)]
pub(crate) struct BeamConv {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<1>>,
    stride: usize,
    dilation: usize,
}

/// Shape of a [`BeamConv`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct BeamConvShape {
    pub(crate) n_in: usize,
    pub(crate) n_out: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) gain: f32,
}

impl BeamConv {
    pub(crate) fn new(shape: BeamConvShape, init: &mut Init<'_>) -> Self {
        let BeamConvShape {
            n_in,
            n_out,
            kernel,
            stride,
            dilation,
            gain,
        } = shape;
        Self {
            weight: drawn([n_out, n_in, kernel], n_in * kernel, gain, init),
            bias: filled([n_out], 0.0, init.device),
            stride,
            dilation,
        }
    }

    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let weight = self.weight.val();
        let [_, _, kernel] = weight.dims();
        let padding = self.dilation * (kernel - 1) / 2;
        let options = ConvOptions::new([self.stride], [padding], [self.dilation], 1);
        conv1d(x, weight, Some(self.bias.val()), options)
    }
}

/// `x + relu(conv(x))`. `ReLU` and not `SiLU`: on the CPU backend the latter costs as much as the
/// convolution itself.
///
/// # Shapes
/// `[batch, channel, beam]` to the same.
#[derive(Module, Debug)]
pub(crate) struct ResidualConv {
    conv: BeamConv,
}

impl ResidualConv {
    pub(crate) fn new(channels: usize, dilation: usize, init: &mut Init<'_>) -> Self {
        let shape = BeamConvShape {
            n_in: channels,
            n_out: channels,
            kernel: 3,
            stride: 1,
            dilation,
            gain: 1.0,
        };
        Self {
            conv: BeamConv::new(shape, init),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x.clone() + relu(self.conv.forward(x))
    }
}
