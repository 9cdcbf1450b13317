//! Sensors to one token.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::layers::{BeamConv, BeamConvShape, Init, RmsDense};

/// Beams that a scan is resampled to before it is encoded.
pub(crate) const ENCODER_BEAMS: usize = 360;
/// Channels of an encoded scan: log range, hit, valid.
pub(crate) const ENCODER_CHANNELS: usize = 3;
/// Numbers of the movement since the scan before: x, y, yaw (scaled) and log time step.
pub(crate) const MOTION_INPUTS: usize = 4;

const CONV_CHANNELS: [(usize, usize, usize); 4] =
    [(3, 16, 2), (16, 32, 2), (32, 48, 2), (48, 64, 3)];

/// One network per modality; their tokens are added, so that a missing sensor adds nothing.
///
/// # Shapes
/// Scans `[batch, 3, 360]`, movement `[batch, 4]`, to a token `[batch, hidden]`.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    convs: Vec<BeamConv>,
    lidar: RmsDense,
    odometry: RmsDense,
}

impl Encoder {
    pub(crate) fn new(hidden: usize, init: &mut Init<'_>) -> Self {
        let conv = |&(n_in, n_out, stride): &(usize, usize, usize)| BeamConvShape {
            n_in,
            n_out,
            kernel: 5,
            stride,
            dilation: 1,
            gain: 2.0,
        };
        let convs = CONV_CHANNELS
            .iter()
            .map(|shape| BeamConv::new(conv(shape), init))
            .collect();
        Self {
            convs,
            lidar: RmsDense::new(64 * 15, hidden, init),
            odometry: RmsDense::new(MOTION_INPUTS, hidden, init),
        }
    }

    pub(crate) fn forward(&self, scans: Tensor<3>, motion: Tensor<2>) -> Tensor<2> {
        let encoded = self
            .convs
            .iter()
            .fold(scans, |x, conv| relu(conv.forward(x)));
        self.lidar.forward(encoded.flatten(1, 2)) + self.odometry.forward(motion)
    }
}
