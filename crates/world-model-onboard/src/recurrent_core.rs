//! The recurrent categorical latent: a block-diagonal GRU whose stochastic part is kept as indices.

use rten_simd::ops::{BitOps as _, NumOps as _};
use rten_simd::{Isa, Simd as _, SimdOp};
use sedge_matrix_tiles::{NUMBERS, ROWS};
use sedge_world_model::{Precision, Reused};
use sedge_world_model_trained::structure::{MOTION_INPUTS, STEP_REFERENCE_SECS};
use sedge_world_model_trained::{CheckpointError, NetworkConfig};

use crate::activations::{GatedUpdate, NormSilu};
use crate::aligned::Aligned;
use crate::core_weights::{
    BlockWeights, class_rows, gate_layers, linear, own, padded_block, shared, side_by_side,
};
use crate::layers::{Dense, Norm, RmsDense, Rows, RowsMut, Source};
use crate::linear::{Form, FormedRows, Inputs, Linear};
use crate::products::{LANES, NOTHING};

/// Latent states, one a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latents {
    pub(crate) n: usize,
    /// `[row, deter]`
    pub(crate) deter: Aligned<f32>,
    /// Which numbers of the stochastic state are one. `[row, groups]`
    pub(crate) hot: Vec<u32>,
}

impl Latents {
    /// One row: what is believed before anything was sensed.
    pub(crate) fn nothing(config: &NetworkConfig) -> Self {
        Self {
            n: 1,
            deter: vec![0.0; config.deter].into(),
            hot: vec![NOTHING; config.groups],
        }
    }

    /// So many copies of one row.
    pub(crate) fn repeat(&mut self, one: &Self, n: usize) {
        self.n = n;
        self.deter.clear();
        self.hot.clear();
        for _ in 0..n {
            self.deter.extend_from_slice(&one.deter);
            self.hot.extend_from_slice(&one.hot);
        }
    }

    /// Adds the rows of others.
    pub(crate) fn append(&mut self, others: &Self) {
        self.n += others.n;
        self.deter.extend_from_slice(&others.deter);
        self.hot.extend_from_slice(&others.hot);
    }

    pub(crate) fn deter_rows(&self) -> Rows<'_> {
        Rows::dense(&self.deter, self.n)
    }

    /// What heads read of the first row. `[deter + groups * classes]`
    pub(crate) fn feature(&self, config: &NetworkConfig) -> Reused<f32> {
        let mut feature = Reused::filled(0.0, config.feature());
        feature[..config.deter].copy_from_slice(&self.deter[..config.deter]);
        for &idx in &self.hot[..config.groups] {
            if idx != NOTHING {
                feature[config.deter + idx as usize] = 1.0;
            }
        }
        feature
    }
}

/// Movements that take latents on, one a row.
#[derive(Clone, Copy)]
pub(crate) struct Moves<'a> {
    pub(crate) motions: &'a [[f32; MOTION_INPUTS]],
    pub(crate) secs: &'a [f32],
}

/// Memory that serves again.
#[derive(Default)]
pub(crate) struct Workspace {
    /// Side by side: what the state says to the prior, and what comes in to the next step, which is
    /// what the state, the classes and the movement say.
    inputs: Aligned<f32>,
    hidden: Aligned<f32>,
    gates: Aligned<f32>,
    steps: Vec<f32>,
    /// Of the posterior.
    first: Aligned<f32>,
    /// Of the prior.
    second: Aligned<f32>,
    logits: Aligned<f32>,
    /// In which form products read rows.
    pub(crate) form: Form,
    /// The state that was looked at.
    state: FormedRows,
    /// What the next layer reads.
    formed: FormedRows,
}

impl Workspace {
    /// What was seen of one row, for so many copies of it.
    pub(crate) fn repeat_look(&mut self, n: usize) {
        let width = self.inputs.len();
        self.inputs.resize(n * width, 0.0);
        for row in 1..n {
            self.inputs.copy_within(..width, row * width);
        }
        self.state.repeat(n, self.form);
    }
}

/// Room for so many rows; whatever was there may be gone.
fn rows_of(values: &mut Aligned<f32>, n: usize, width: usize) -> RowsMut<'_> {
    values.resize(n * width, 0.0);
    RowsMut::dense(values, n)
}

/// A linear layer and the norm that follows it.
struct Normed {
    linear: Linear,
    norm: Norm,
}

impl Normed {
    fn put(&self, x: Inputs<'_>, out: &mut RowsMut<'_>, precision: Precision) {
        self.linear.put(x, out);
        self.norm.apply(out, precision);
    }
}

/// The sequence model and its prior: what imagination needs.
pub(crate) struct Sequence {
    config: NetworkConfig,
    precision: Precision,
    /// From the state to the prior and to the next step, side by side.
    deter: Linear,
    prior_first: Norm,
    in_deter: Norm,
    in_stoch: RmsDense,
    in_motion: RmsDense,
    /// From what came in to every block, side by side.
    shared: Linear,
    /// From each block's part of the state to that block.
    own: Vec<Linear>,
    /// Reset, candidate and update of each block, each padded to whole vectors.
    gates: Vec<Linear>,
    prior_second: Normed,
    prior_out: Linear,
}

impl Sequence {
    /// Inputs and sparse layers stay `f32` in either precision: they are a small part.
    pub(crate) fn load(
        source: &mut Source<'_>,
        config: &NetworkConfig,
        precision: Precision,
    ) -> Result<Self, CheckpointError> {
        let (deter, hidden, stoch) = (config.deter, config.hidden, config.stoch());
        let prior_second = Normed {
            linear: linear(source, "core.prior_second.dense", ([hidden; 2], precision))?,
            norm: Norm::load(source, "core.prior_second", hidden)?,
        };
        let (rows, bias) = class_rows(source, "core.prior_out", config)?;
        let prior_out = Linear::new(&rows, bias, precision);
        let block = deter / config.blocks;
        let shape = [config.blocks, 3 * hidden + block, block];
        let weights = BlockWeights::load(source, "core.hidden", shape)?;
        let shape = [config.blocks, block, 3 * block];
        let gates = BlockWeights::load(source, "core.gates", shape)?;
        Ok(Self {
            deter: side_by_side(source, config, precision)?,
            prior_first: Norm::load(source, "core.prior_first", hidden)?,
            in_deter: Norm::load(source, "core.in_deter", hidden)?,
            in_stoch: RmsDense::load(source, "core.in_stoch", [stoch, hidden])?,
            in_motion: RmsDense::load(source, "core.in_motion", [MOTION_INPUTS, hidden])?,
            shared: shared(config, &weights, precision),
            own: own(config, &weights, precision),
            gates: gate_layers(config, &gates, precision),
            prior_second,
            prior_out,
            precision,
            config: config.clone(),
        })
    }

    /// Numbers of a block of the hidden layer, padding included.
    fn block_width(&self) -> usize {
        padded_block(&self.config)
    }

    /// Numbers of the hidden layer of inputs, padding included.
    fn width(&self) -> usize {
        self.deter.width() / 2
    }

    /// In which form to read so many rows that are imagined together. In fewer than a tile has,
    /// products of parts take longer than those of vectors.
    pub(crate) fn form(&self, n_rows: usize) -> Form {
        let block = self.config.deter / self.config.blocks;
        match self.precision {
            Precision::Int8 => Form::Bytes,
            Precision::F32 if n_rows < ROWS || !block.is_multiple_of(NUMBERS) => Form::Numbers,
            Precision::F32 => Form::Parts,
        }
    }

    /// Looks at the state of every row: the next step and the prior go by what was seen last.
    pub(crate) fn look(&self, latents: &Latents, space: &mut Workspace) {
        let Workspace {
            inputs,
            form,
            state,
            ..
        } = space;
        let mut out = rows_of(inputs, latents.n, 4 * self.width());
        let x = state.take(latents.deter_rows(), *form);
        self.deter.put(x, &mut out);
        self.prior_first.apply(&mut out, self.precision);
        self.in_deter
            .apply(&mut out.from(self.width()), self.precision);
    }

    /// Moves the deterministic state of every row on, which was looked at.
    pub(crate) fn step(&self, latents: &mut Latents, moves: Moves<'_>, space: &mut Workspace) {
        let n = latents.n;
        let Workspace {
            inputs,
            hidden,
            form,
            state,
            formed,
            ..
        } = space;
        let width = self.width();
        let mut out = rows_of(inputs, n, 4 * width);
        let mut stoch = out.from(2 * width);
        self.in_stoch.dense.put_hot(&latents.hot, &mut stoch);
        self.in_stoch.norm.apply(&mut stoch, self.precision);
        let mut motion = out.from(3 * width);
        let motions = Rows::dense(moves.motions.as_flattened(), n);
        self.in_motion.dense.put(motions, &mut motion);
        self.in_motion.norm.apply(&mut motion, self.precision);

        let block = self.config.deter / self.config.blocks;
        let padded = self.block_width();
        let mut out = rows_of(hidden, n, self.shared.width());
        let inputs = Rows::dense(inputs, n).part(width, 3 * width);
        self.shared.put(formed.take(inputs, *form), &mut out);
        let state = state.taken(latents.deter_rows(), *form);
        for (idx, own) in self.own.iter().enumerate() {
            own.add(state.part(idx * block, block), &mut out.from(idx * padded));
        }
        NormSilu {
            n_rows: n * self.config.blocks,
            values: hidden,
            stride: padded,
            n: block,
            scale: None,
            width: padded,
        }
        .run(self.precision);
        self.update(latents, moves.secs, space);
    }

    /// What the gates make of the hidden layer.
    fn update(&self, latents: &mut Latents, secs: &[f32], space: &mut Workspace) {
        let Workspace {
            hidden,
            gates,
            steps,
            form,
            formed,
            ..
        } = space;
        let n = latents.n;
        steps.clear();
        steps.extend(secs.iter().map(|secs| secs / STEP_REFERENCE_SECS));
        let (width, stride) = (self.config.deter / self.config.blocks, self.config.deter);
        let padded = self.block_width();
        let hidden = formed.take(Rows::dense(hidden, n), *form);
        for (idx, layer) in self.gates.iter().enumerate() {
            let part = hidden.part(idx * padded, width);
            layer.put(part, &mut rows_of(gates, n, layer.width()));
            GatedUpdate {
                gates,
                gate_width: padded,
                state: &mut latents.deter[idx * width..],
                stride,
                width,
                steps,
            }
            .run(self.precision);
        }
    }

    /// Takes the class of every group that is most probable before sensing, by the state that was
    /// looked at.
    pub(crate) fn take_prior(&self, latents: &mut Latents, space: &mut Workspace) {
        let Workspace {
            inputs,
            second,
            logits,
            form,
            formed,
            ..
        } = space;
        let n = latents.n;
        let mut out = rows_of(second, n, self.prior_second.linear.width());
        let x = Rows::dense(inputs, n).first(self.width());
        let x = formed.take(x, *form);
        self.prior_second.put(x, &mut out, self.precision);
        let mut out = rows_of(logits, n, self.prior_out.width());
        let x = formed.take(Rows::dense(second, n), *form);
        self.prior_out.put(x, &mut out);
        take_best(&self.config, logits, &mut latents.hot);
    }
}

/// The sequence model in the numbers that it is asked for in.
pub(crate) struct Sequences {
    /// It filters, so it is always there.
    wide: Sequence,
    narrow: Option<Sequence>,
}

impl Sequences {
    /// Layers are taken out of the tensors; a narrow sequence, if one is wanted, reads the same
    /// ones before.
    pub(crate) fn load(
        source: &mut Source<'_>,
        config: &NetworkConfig,
        is_wanted: impl Fn(Precision) -> bool,
    ) -> Result<Self, CheckpointError> {
        let narrow = if is_wanted(Precision::Int8) {
            let (mut tensors, path) = (source.tensors.clone(), source.path);
            let tensors = &mut tensors;
            let mut again = Source { tensors, path };
            Some(Sequence::load(&mut again, config, Precision::Int8)?)
        } else {
            None
        };
        let wide = Sequence::load(source, config, Precision::F32)?;
        Ok(Self { wide, narrow })
    }

    /// What filters.
    pub(crate) fn wide(&self) -> &Sequence {
        &self.wide
    }

    /// Whether it was loaded in these numbers.
    pub(crate) fn has(&self, precision: Precision) -> bool {
        precision == Precision::F32 || self.narrow.is_some()
    }

    /// What imagines in these numbers; the one in `f32` where it was not loaded in them.
    pub(crate) fn of(&self, precision: Precision) -> &Sequence {
        match precision {
            Precision::F32 => &self.wide,
            Precision::Int8 => self.narrow.as_ref().unwrap_or(&self.wide),
        }
    }
}

/// What filtering needs beside the sequence model.
pub(crate) struct Posterior {
    config: NetworkConfig,
    first: RmsDense,
    out: Dense,
}

impl Posterior {
    pub(crate) fn load(
        source: &mut Source<'_>,
        config: &NetworkConfig,
    ) -> Result<Self, CheckpointError> {
        let (deter, hidden) = (config.deter, config.hidden);
        let shape = [deter + hidden, hidden];
        let (rows, bias) = class_rows(source, "core.posterior_out", config)?;
        Ok(Self {
            first: RmsDense::load(source, "core.posterior_first", shape)?,
            out: Dense::new(&rows, bias),
            config: config.clone(),
        })
    }

    /// Takes the class of every group that is most probable after sensing, of one row.
    pub(crate) fn take(&self, latents: &mut Latents, token: &[f32], space: &mut Workspace) {
        let Workspace { first, logits, .. } = space;
        let mut out = rows_of(first, 1, self.first.dense.width());
        self.first.dense.put(latents.deter_rows(), &mut out);
        let token = Rows::dense(token, 1).first(self.config.hidden);
        self.first.dense.add(self.config.deter, token, &mut out);
        self.first.norm.apply(&mut out, Precision::F32);
        self.out.apply(Rows::dense(first, 1), logits);
        take_best(&self.config, logits, &mut latents.hot);
    }
}

/// The first of the most probable classes of each group.
fn take_best(config: &NetworkConfig, logits: &[f32], hot: &mut [u32]) {
    Best {
        logits,
        hot,
        groups: config.groups,
        classes: config.classes,
    }
    .dispatch();
}

struct Best<'a> {
    /// `[row, class, padded group]`
    logits: &'a [f32],
    /// `[row, group]`
    hot: &'a mut [u32],
    groups: usize,
    classes: usize,
}

impl SimdOp for Best<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "only what is inlined is compiled for the instructions that were chosen"
    )]
    fn eval<I: Isa>(self, isa: I) {
        let (ops, ints) = (isa.f32(), isa.i32());
        let lanes = ops.len();
        let padded = self.groups.next_multiple_of(LANES);
        let rows = self.logits.chunks_exact(self.classes * padded);
        for (logits, hot) in rows.zip(self.hot.chunks_exact_mut(self.groups)) {
            for (idx, hot) in hot.chunks_mut(lanes).enumerate() {
                let first = idx * lanes;
                let mut most = ops.load(&logits[first..][..lanes]);
                let mut best = ints.zero();
                for class in 1..self.classes {
                    let logit = ops.load(&logits[class * padded + first..][..lanes]);
                    let better = ops.gt(logit, most);
                    most = ops.select(logit, most, better);
                    best = ints.select(ints.splat(class as i32), best, better);
                }
                let best = best.to_array();
                for (lane, hot) in hot.iter_mut().enumerate() {
                    let group = first + lane;
                    *hot = (group * self.classes) as u32 + best[lane] as u32;
                }
            }
        }
    }
}
