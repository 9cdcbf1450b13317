//! Sensors to one token.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, softmax};

use sedge_world_model_trained::structure::{
    ENCODED, ENCODER_CONVS, IMU_INPUTS, KEY, MOTION_INPUTS, OTHER_INPUTS, WIDE_KERNEL,
};

use crate::layers::{BeamConv, BeamConvShape, Dense, Init, RmsDense};

/// Added to the score of a slot without anybody.
const NOBODY: f32 = -1e4;

/// Who else is there.
#[derive(Debug, Clone)]
pub(crate) struct OthersInput {
    /// `[batch, other, OTHER_INPUTS]`
    pub(crate) rows: Tensor<3>,
    /// One where there is somebody. `[batch, other]`
    pub(crate) valid: Tensor<2>,
}

/// Everything sensed at one step.
#[derive(Debug, Clone)]
pub(crate) struct SensedInput {
    /// `[batch, 3, 360]`
    pub(crate) scans: Tensor<3>,
    /// `[batch, 4]`
    pub(crate) motions: Tensor<2>,
    /// The last column is one where there is an inertial unit. `[batch, IMU_INPUTS]`
    pub(crate) imu: Tensor<2>,
    /// `None` where nobody is there in the whole batch: the answer is the same, and sooner.
    pub(crate) others: Option<OthersInput>,
}

/// One network per modality; their tokens are added, so that a missing sensor adds nothing. Others
/// are looked up by attention, so that their number and order do not matter.
///
/// # Shapes
/// To a token `[batch, hidden]`.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    convs: Vec<BeamConv>,
    lidar: RmsDense,
    odometry: RmsDense,
    imu: RmsDense,
    other: RmsDense,
    other_key: Dense,
    other_value: Dense,
    query: Dense,
}

impl Encoder {
    pub(crate) fn new(hidden: usize, init: &mut Init<'_>) -> Self {
        let conv = |&(n_in, n_out, stride): &(usize, usize, usize)| BeamConvShape {
            n_in,
            n_out,
            kernel: WIDE_KERNEL,
            stride,
            dilation: 1,
            gain: 2.0,
        };
        let convs = ENCODER_CONVS
            .iter()
            .map(|shape| BeamConv::new(conv(shape), init))
            .collect();
        Self {
            convs,
            lidar: RmsDense::new(ENCODED, hidden, init),
            odometry: RmsDense::new(MOTION_INPUTS, hidden, init),
            imu: RmsDense::new(IMU_INPUTS, hidden, init),
            other: RmsDense::new(OTHER_INPUTS, hidden, init),
            other_key: Dense::new(hidden, KEY, 1.0, init),
            other_value: Dense::new(hidden, hidden, 1.0, init),
            query: Dense::new(hidden, KEY, 1.0, init),
        }
    }

    pub(crate) fn forward(&self, sensed: &SensedInput) -> Tensor<2> {
        let encoded = self
            .convs
            .iter()
            .fold(sensed.scans.clone(), |x, conv| relu(conv.forward(x)));
        let has_imu = sensed.imu.clone().narrow(1, IMU_INPUTS - 1, 1);
        let token = self.lidar.forward(encoded.flatten(1, 2))
            + self.odometry.forward(sensed.motions.clone())
            + self.imu.forward(sensed.imu.clone()) * has_imu;
        match &sensed.others {
            Some(others) => token.clone() + self.look_at(others, token),
            None => token,
        }
    }

    /// What matters of others to this token; nothing where there is nobody. `[batch, hidden]`
    fn look_at(&self, others: &OthersInput, token: Tensor<2>) -> Tensor<2> {
        let [batch, n_others, n_in] = others.rows.dims();
        let each = others.rows.clone().reshape([batch * n_others, n_in]);
        let each = self.other.forward(each);
        let keys = self.other_key.forward(each.clone());
        let keys = keys.reshape([batch, n_others, KEY]);
        let values = self.other_value.forward(each);
        let [_, hidden] = values.dims();
        let values = values.reshape([batch, n_others, hidden]);
        let query = self.query.forward(token).reshape([batch, 1, KEY]);
        let valid = others.valid.clone().reshape([batch, n_others, 1]);
        let score = (keys * query).sum_dim(2) / (KEY as f32).sqrt();
        let score = score + (valid.clone().neg() + 1.0) * NOBODY;
        // The weights of slots without anybody are zero, all of them where nobody is there.
        let weight = softmax(score, 1) * valid;
        (values * weight).sum_dim(1).reshape([batch, hidden])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use sedge_world_model_trained::structure::{ENCODER_BEAMS, ENCODER_CHANNELS, N_OTHERS};

    use super::*;
    use crate::DeviceKind;
    use crate::checkpoint::host_values;

    const HIDDEN: usize = 12;

    fn encoder(device: &Device) -> Encoder {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        Encoder::new(
            HIDDEN,
            &mut Init {
                rng: &mut rng,
                device,
            },
        )
    }

    /// Others with made-up numbers in the given slots.
    fn others(slots: [Option<u32>; N_OTHERS], device: &Device) -> OthersInput {
        let row = |slot: &Option<u32>| {
            (0..OTHER_INPUTS as u32)
                .map(|k| slot.map_or(0.3, |it| ((it * 7 + k * 3) % 11) as f32 / 11.0))
                .collect::<Vec<f32>>()
        };
        let rows: Vec<f32> = slots.iter().flat_map(row).collect();
        let valid: Vec<f32> = slots
            .iter()
            .map(|slot| f32::from(u8::from(slot.is_some())))
            .collect();
        OthersInput {
            rows: Tensor::from_data(TensorData::new(rows, [1, N_OTHERS, OTHER_INPUTS]), device),
            valid: Tensor::from_data(TensorData::new(valid, [1, N_OTHERS]), device),
        }
    }

    fn token(imu: [f32; IMU_INPUTS], others: Option<OthersInput>) -> Vec<f32> {
        let device = DeviceKind::Flex.open().unwrap();
        let sensed = SensedInput {
            scans: Tensor::full([1, ENCODER_CHANNELS, ENCODER_BEAMS], 0.4, &device),
            motions: Tensor::zeros([1, MOTION_INPUTS], &device),
            imu: Tensor::from_data(TensorData::new(imu.to_vec(), [1, IMU_INPUTS]), &device),
            others,
        };
        host_values(encoder(&device).forward(&sensed))
    }

    fn differ(a: &[f32], b: &[f32]) -> f32 {
        let off = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        off.fold(0.0, f32::max)
    }

    const NO_IMU: [f32; IMU_INPUTS] = [0.0; IMU_INPUTS];

    #[test]
    fn others_count_whatever_their_order_and_slots_without_anybody_do_not() {
        let device = DeviceKind::Flex.open().unwrap();
        let with = |slots| token(NO_IMU, Some(others(slots, &device)));
        let (a, b) = (Some(1), Some(2));
        let nobody = [None; N_OTHERS];
        let mut first = nobody;
        (first[0], first[1]) = (a, b);
        let mut last = nobody;
        (last[6], last[3]) = (a, b);
        assert!(differ(&with(first), &with(last)) < 1e-5);
        let mut one = nobody;
        one[0] = a;
        assert!(differ(&with(first), &with(one)) > 1e-3);
        assert!(differ(&with(nobody), &token(NO_IMU, None)) < 1e-6);
    }

    #[test]
    fn a_missing_inertial_unit_adds_nothing() {
        let absent = token([0.7, 0.1, 0.2, 0.0, 0.0], None);
        assert!(differ(&absent, &token(NO_IMU, None)) < 1e-6);
        let there = token([0.7, 0.1, 0.2, 0.0, 1.0], None);
        assert!(differ(&there, &absent) > 1e-3);
    }
}
