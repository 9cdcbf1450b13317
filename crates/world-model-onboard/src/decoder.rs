//! The lidar decoder and the motion head.

use rten_simd::{Isa, SimdOp, SimdUnaryOp as _};
use rten_vecmath::Exp;
use sedge_world_model::{PredictedScan, RANGE_MAX_M, RangeReadout, Reused};
use sedge_world_model_trained::structure::{
    DECODER_CHANNELS, DILATIONS, FREE_CENTRE_M, FREE_LOG_REACH, HEAD_CHANNELS, LOG_PRECISION_MAX,
    MOTION_INPUTS, MOTION_OUTPUTS, N_COMPONENTS, NARROW_KERNEL, SCALE_MAX_M, SCALE_MIN_M,
    SCALE_START_M, SHIFT_MAX, WIDE_KERNEL,
};
use sedge_world_model_trained::{
    CheckpointError, Foreseen, FutureRows, MixtureRows, NetworkConfig, read_out,
};

use crate::Precision;
use crate::aligned::Aligned;
use crate::layers::{BeamConv, Dense, RmsDense, Rows, RowsMut, Source};
use crate::products::{After, MARGIN, beam_stride};
use crate::recurrent_core::Latents;

/// Lidar decoder and motion head.
pub(crate) struct Decoder {
    config: NetworkConfig,
    input: BeamConv,
    modulation: Dense,
    trunk: Vec<BeamConv>,
    head: BeamConv,
    motion_first: RmsDense,
    motion_out: Dense,
    scratch: Scratch,
}

/// Memory that serves again.
#[derive(Default)]
struct Scratch {
    modulation: Aligned<f32>,
    gain: Aligned<f32>,
    offset: Aligned<f32>,
    motion_hidden: Aligned<f32>,
    motion: Aligned<f32>,
    features: Aligned<f32>,
    trunk: [Aligned<f32>; 2],
    head: Aligned<f32>,
    weight: Aligned<f32>,
    centre_m: Vec<f32>,
    rate_per_m: Vec<f32>,
    column: Vec<f32>,
}

impl Decoder {
    pub(crate) fn load(
        source: &mut Source<'_>,
        config: &NetworkConfig,
    ) -> Result<Self, CheckpointError> {
        let (channels, feature) = (config.trunk_channels, config.feature());
        let shape = [channels, DECODER_CHANNELS, WIDE_KERNEL];
        let input = BeamConv::load(source, "decoder.input", shape, 1)?;
        let mut trunk = Vec::new();
        for (idx, dilation) in DILATIONS.into_iter().enumerate() {
            let shape = [channels, channels, NARROW_KERNEL];
            let name = format!("decoder.trunk.{idx}.conv");
            trunk.push(BeamConv::load(source, &name, shape, dilation)?);
        }
        let n_in = feature + MOTION_INPUTS;
        Ok(Self {
            config: config.clone(),
            input,
            modulation: Dense::load(source, "decoder.modulation", [feature, 2 * channels])?,
            trunk,
            head: BeamConv::load(source, "decoder.head", [HEAD_CHANNELS, channels, 1], 1)?,
            motion_first: RmsDense::load(source, "motion_head.first", [n_in, config.hidden])?,
            motion_out: Dense::load(source, "motion_head.out", [config.hidden, MOTION_OUTPUTS])?,
            scratch: Scratch::default(),
        })
    }

    /// What each future looks like from its latent; `None` for the network that has none.
    pub(crate) fn forward(
        &mut self,
        futures: &FutureRows,
        latents: Option<&Latents>,
    ) -> Reused<Foreseen> {
        self.look(futures, latents);
        (0..futures.n)
            .map(|future| Foreseen {
                scan: ReadOut(self.mixture(future, futures), futures.read_out).dispatch(),
                motion_head: self.motion_head(future),
            })
            .collect()
    }

    /// What is computed for all futures at once: movements, and what latents say to the decoder.
    pub(crate) fn look(&mut self, futures: &FutureRows, latents: Option<&Latents>) {
        let Scratch {
            modulation,
            motion_hidden,
            motion,
            ..
        } = &mut self.scratch;
        let feature = self.config.feature();
        if let Some(latents) = latents {
            modulation.resize(futures.n * self.modulation.width(), 0.0);
            let mut out = RowsMut::dense(modulation, futures.n);
            put_feature(&self.modulation, &self.config, latents, &mut out);
        }
        let first = &self.motion_first.dense;
        motion_hidden.resize(futures.n * first.width(), 0.0);
        let mut out = RowsMut::dense(motion_hidden, futures.n);
        match latents {
            Some(latents) => put_feature(first, &self.config, latents, &mut out),
            // Nothing to multiply, so the bias alone.
            None => first.put(Rows::dense(&[], futures.n), &mut out),
        }
        let motions = Rows::dense(futures.motions.as_flattened(), futures.n);
        first.add(feature, motions, &mut out);
        self.motion_first.norm.apply(&mut out, Precision::F32);
        self.motion_out
            .apply(Rows::dense(motion_hidden, futures.n), motion);
    }

    /// The movement of one future that was looked at.
    pub(crate) fn motion_head(&self, future: usize) -> [f32; MOTION_OUTPUTS] {
        let width = self.motion_out.width();
        let mut head = [0.0; MOTION_OUTPUTS];
        head.copy_from_slice(&self.scratch.motion[future * width..][..MOTION_OUTPUTS]);
        for log_precision in &mut head[3..6] {
            *log_precision = log_precision.clamp(-LOG_PRECISION_MAX, LOG_PRECISION_MAX);
        }
        head
    }

    /// The scan of one future that was looked at, modulated by its latent.
    pub(crate) fn mixture(&mut self, future: usize, futures: &FutureRows) -> MixtureRows<'_> {
        let n_beams = futures.n_beams;
        let stride = beam_stride(n_beams);
        let channels = self.input.channels();
        let Scratch {
            modulation,
            gain,
            offset,
            features,
            trunk: [from, to],
            head,
            ..
        } = &mut self.scratch;
        let views = DECODER_CHANNELS * n_beams;
        spread(
            &futures.views.features[future * views..][..views],
            n_beams,
            features,
        );
        from.resize(channels * stride, 0.0);
        to.resize(channels * stride, 0.0);
        head.resize(self.head.channels() * stride, 0.0);
        // relu((1 + gain) * y + offset), or relu(y) without a latent.
        gain.clear();
        gain.resize(channels, 1.0);
        offset.clear();
        offset.resize(channels, 0.0);
        let n = self.config.trunk_channels;
        if self.config.latent {
            let row = &modulation[future * self.modulation.width()..];
            for channel in 0..n {
                gain[channel] += row[channel];
                offset[channel] += row[n + channel];
            }
        }
        let after = After::Modulated { gain, offset };
        self.input.apply(n_beams, features, after, from);
        for conv in &self.trunk {
            conv.apply(n_beams, from, After::Residual, to);
            std::mem::swap(from, to);
        }
        self.head.apply(n_beams, from, After::Linear, head);
        let candidates = (N_COMPONENTS - 1) * n_beams;
        let candidates_m = &futures.views.candidates_m[future * candidates..][..candidates];
        self.scratch.read_head(n_beams, candidates_m);
        MixtureRows {
            n_beams,
            weight: &self.scratch.weight,
            centre_m: &self.scratch.centre_m,
            rate_per_m: &self.scratch.rate_per_m,
            hit_logit: head_row(&self.scratch.head, 3 * N_COMPONENTS, n_beams),
        }
    }
}

impl Scratch {
    /// Turns the head's numbers into the mixture.
    fn read_head(&mut self, n_beams: usize, candidates_m: &[f32]) {
        let row = |channel: usize| head_row(&self.head, channel, n_beams);
        self.centre_m.clear();
        for (k, candidates_m) in candidates_m.chunks_exact(n_beams).enumerate() {
            let shifted = candidates_m.iter().zip(row(k)).map(|(candidate, &shift)| {
                (candidate * (softsign(shift) * SHIFT_MAX + 1.0)).clamp(0.0, RANGE_MAX_M)
            });
            self.centre_m.extend(shifted);
        }
        let free = self.centre_m.len();
        let log_free = |&shift: &f32| softsign(shift) * FREE_LOG_REACH + FREE_CENTRE_M.ln();
        self.centre_m
            .extend(row(N_COMPONENTS - 1).iter().map(log_free));
        Exp {}.map_mut(&mut self.centre_m[free..]);
        for centre_m in &mut self.centre_m[free..] {
            *centre_m = centre_m.clamp(0.0, RANGE_MAX_M);
        }
        self.rate_per_m.clear();
        self.weight.clear();
        self.column.clear();
        self.column.resize(n_beams, f32::NEG_INFINITY);
        let (log_start, log_min, log_max) =
            (SCALE_START_M.ln(), SCALE_MIN_M.ln(), SCALE_MAX_M.ln());
        for k in 0..N_COMPONENTS {
            let log_rate = |scale: &f32| -(scale + log_start).clamp(log_min, log_max);
            self.rate_per_m
                .extend(row(N_COMPONENTS + k).iter().map(log_rate));
            let logits = row(2 * N_COMPONENTS + k);
            self.weight.extend_from_slice(logits);
            for (most, logit) in self.column.iter_mut().zip(logits) {
                *most = most.max(*logit);
            }
        }
        Exp {}.map_mut(&mut self.rate_per_m);
        for row in self.weight.chunks_exact_mut(n_beams) {
            for (weight, most) in row.iter_mut().zip(&self.column) {
                *weight -= most;
            }
        }
        Exp {}.map_mut(&mut self.weight);
        self.column.fill(0.0);
        for row in self.weight.chunks_exact(n_beams) {
            for (total, weight) in self.column.iter_mut().zip(row) {
                *total += weight;
            }
        }
        for row in self.weight.chunks_exact_mut(n_beams) {
            for (weight, total) in row.iter_mut().zip(&self.column) {
                *weight /= total;
            }
        }
    }
}

fn softsign(x: f32) -> f32 {
    x / (x.abs() + 1.0)
}

/// The beams of one of the head's channels.
fn head_row(head: &[f32], channel: usize, n_beams: usize) -> &[f32] {
    &head[channel * beam_stride(n_beams) + MARGIN..][..n_beams]
}

/// Rows without margins to rows with them.
fn spread(rows: &[f32], n_beams: usize, out: &mut Aligned<f32>) {
    let stride = beam_stride(n_beams);
    out.resize(rows.len() / n_beams * stride, 0.0);
    for (out, row) in out.chunks_exact_mut(stride).zip(rows.chunks_exact(n_beams)) {
        out[MARGIN..][..n_beams].copy_from_slice(row);
    }
}

/// What a layer makes of the latent's feature, whose rows come first.
fn put_feature(layer: &Dense, config: &NetworkConfig, latents: &Latents, out: &mut RowsMut<'_>) {
    layer.put(latents.deter_rows(), out);
    layer.add_hot(config.deter, &latents.hot, out);
}

/// The read-outs, compiled for the widest instructions there are.
struct ReadOut<'a>(MixtureRows<'a>, Option<RangeReadout>);

impl SimdOp for ReadOut<'_> {
    type Output = PredictedScan;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "only what is inlined is compiled for the instructions that were chosen"
    )]
    fn eval<I: Isa>(self, _isa: I) -> PredictedScan {
        read_out(self.0, self.1)
    }
}
