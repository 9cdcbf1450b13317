//! Sensors to one token: one scan at a time, channels last, so that a convolution is a product of
//! overlapping rows.

use sedge_world_model_trained::structure::{
    ENCODED, ENCODER_BEAMS, ENCODER_CHANNELS, ENCODER_CONVS, IMU_INPUTS, KEY, MOTION_INPUTS,
    N_OTHERS, OTHER_INPUTS, WIDE_KERNEL,
};
use sedge_world_model_trained::{CheckpointError, CompanyRow, SensedStep};

use crate::aligned::Aligned;
use crate::layers::{Dense, RmsDense, Rows, Source};

/// Beams beyond each end that a convolution sees: zeros.
const PAD: usize = WIDE_KERNEL / 2;

/// A convolution that leaves out beams. Its channels are whole vectors, so nothing is padded.
struct StridedConv {
    dense: Dense,
    n_in: usize,
    n_out: usize,
    stride: usize,
}

impl StridedConv {
    fn load(
        source: &mut Source<'_>,
        name: &str,
        (n_in, n_out, stride): (usize, usize, usize),
    ) -> Result<Self, CheckpointError> {
        let plain = source.take(&format!("{name}.weight"), &[n_out, n_in, WIDE_KERNEL])?;
        let bias = source.take(&format!("{name}.bias"), &[n_out])?;
        let tap = |k: usize, channel: usize| {
            (0..n_out)
                .map(|out| plain[(out * n_in + channel) * WIDE_KERNEL + k])
                .collect::<Vec<_>>()
        };
        let rows: Vec<f32> = (0..WIDE_KERNEL)
            .flat_map(|k| (0..n_in).flat_map(move |channel| tap(k, channel)))
            .collect();
        Ok(Self {
            dense: Dense::new(&rows, bias),
            n_in,
            n_out,
            stride,
        })
    }

    /// `[PAD + beam + PAD, n_in]` to `[PAD + beam / stride + PAD, n_out]`, rectified.
    fn apply(&self, n_beams: usize, x: &[f32], out: &mut Aligned<f32>, scratch: &mut Aligned<f32>) {
        let rows = Rows {
            n: n_beams / self.stride,
            values: x,
            stride: self.stride * self.n_in,
            width: WIDE_KERNEL * self.n_in,
        };
        self.dense.apply(rows, scratch);
        let pad = PAD * self.n_out;
        out.clear();
        out.resize(pad + scratch.len() + pad, 0.0);
        for (out, value) in out[pad..].iter_mut().zip(scratch.iter()) {
            *out = value.max(0.0);
        }
    }
}

/// One network per modality; their tokens are added. Others are looked up by attention.
pub(crate) struct Encoder {
    convs: Vec<StridedConv>,
    lidar: RmsDense,
    odometry: RmsDense,
    imu: RmsDense,
    other: RmsDense,
    other_key: Dense,
    other_value: Dense,
    query: Dense,
    scratch: Scratch,
}

/// Memory that serves again.
#[derive(Default)]
struct Scratch {
    beams: [Aligned<f32>; 2],
    rows: Aligned<f32>,
    part: Aligned<f32>,
    keys: Aligned<f32>,
    values: Aligned<f32>,
    query: Aligned<f32>,
}

impl Encoder {
    pub(crate) fn load(source: &mut Source<'_>, hidden: usize) -> Result<Self, CheckpointError> {
        let mut convs = Vec::new();
        for (idx, shape) in ENCODER_CONVS.into_iter().enumerate() {
            convs.push(StridedConv::load(
                source,
                &format!("encoder.convs.{idx}"),
                shape,
            )?);
        }
        let channels = ENCODER_CONVS[ENCODER_CONVS.len() - 1].1;
        let beams = ENCODED / channels;
        let order = |k| k % channels * beams + k / channels;
        let shape = ("encoder.lidar", [ENCODED, hidden]);
        let lidar = RmsDense::load_reordered(source, shape, order)?;
        let mut modality = |name: &str, n_in: usize| RmsDense::load(source, name, [n_in, hidden]);
        let odometry = modality("encoder.odometry", MOTION_INPUTS)?;
        let imu = modality("encoder.imu", IMU_INPUTS)?;
        let other = modality("encoder.other", OTHER_INPUTS)?;
        let mut dense = |name: &str, n_out: usize| Dense::load(source, name, [hidden, n_out]);
        Ok(Self {
            convs,
            lidar,
            odometry,
            imu,
            other,
            other_key: dense("encoder.other_key", KEY)?,
            other_value: dense("encoder.other_value", hidden)?,
            query: dense("encoder.query", KEY)?,
            scratch: Scratch::default(),
        })
    }

    /// The token of a step. `[width of hidden]`
    pub(crate) fn forward(&mut self, step: &SensedStep<'_>, token: &mut Aligned<f32>) {
        let Scratch { beams, rows, .. } = &mut self.scratch;
        let [from, to] = beams;
        channels_last(step.scan, from);
        let mut n_beams = ENCODER_BEAMS;
        for conv in &self.convs {
            conv.apply(n_beams, from, to, rows);
            n_beams /= conv.stride;
            std::mem::swap(from, to);
        }
        let channels = from.len() / (n_beams + 2 * PAD);
        let encoded = &from[PAD * channels..][..ENCODED];
        self.lidar.apply(Rows::dense(encoded, 1), token);
        let part = &mut self.scratch.part;
        self.odometry.apply(Rows::dense(&step.motion, 1), part);
        add(token, part);
        let imu = &step.company.imu;
        if imu[IMU_INPUTS - 1] > 0.0 {
            self.imu.apply(Rows::dense(imu, 1), part);
            add(token, part);
        }
        if step.company.has_others() {
            self.look_at(step.company, token);
        }
    }

    /// Adds what matters of others to a token.
    fn look_at(&mut self, row: &CompanyRow, token: &mut [f32]) {
        let Scratch {
            rows,
            keys,
            values,
            query,
            ..
        } = &mut self.scratch;
        self.other.apply(Rows::dense(&row.others, N_OTHERS), rows);
        let each = Rows::dense(rows, N_OTHERS);
        self.other_key.apply(each, keys);
        self.other_value.apply(each, values);
        self.query.apply(Rows::dense(token, 1), query);
        let mut weights = [0.0; N_OTHERS];
        for (weight, key) in weights.iter_mut().zip(keys.chunks_exact(KEY)) {
            let score: f32 = key.iter().zip(query.iter()).map(|(k, q)| k * q).sum();
            *weight = score / (KEY as f32).sqrt();
        }
        let is_there = |slot: &usize| row.valid[*slot] > 0.0;
        let most = (0..N_OTHERS)
            .filter(is_there)
            .map(|slot| weights[slot])
            .fold(f32::NEG_INFINITY, f32::max);
        for (slot, weight) in weights.iter_mut().enumerate() {
            *weight = if is_there(&slot) {
                (*weight - most).exp()
            } else {
                0.0
            };
        }
        let total: f32 = weights.iter().sum();
        for (weight, values) in weights.iter().zip(values.chunks_exact(token.len())) {
            for (token, value) in token.iter_mut().zip(values) {
                *token += weight / total * value;
            }
        }
    }
}

fn add(to: &mut [f32], what: &[f32]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += what;
    }
}

/// `[channel, beam]` to `[PAD + beam + PAD, channel]`.
fn channels_last(scan: &[f32], out: &mut Aligned<f32>) {
    out.clear();
    out.resize((ENCODER_BEAMS + 2 * PAD) * ENCODER_CHANNELS, 0.0);
    for (channel, row) in scan.chunks_exact(ENCODER_BEAMS).enumerate() {
        for (beam, &value) in row.iter().enumerate() {
            out[(PAD + beam) * ENCODER_CHANNELS + channel] = value;
        }
    }
}
