//! The recurrent categorical latent: a block-diagonal GRU whose stochastic part is kept as indices.

use rten_simd::SimdUnaryOp as _;
use rten_vecmath::{Exp, Sigmoid, Silu, Tanh};
use sedge_world_model_trained::structure::{MOTION_INPUTS, STEP_REFERENCE_SECS};
use sedge_world_model_trained::{CheckpointError, NetworkConfig};

use crate::layers::{Dense, RmsDense, Rows, Source, padded, rms_norm};
use crate::products::LANES;

/// Latent states, one a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latents {
    pub(crate) n: usize,
    /// `[row, deter]`
    pub(crate) deter: Vec<f32>,
    /// Which numbers of the stochastic state are one. `[row, groups]`
    pub(crate) hot: Vec<u32>,
}

impl Latents {
    /// One row: what is believed before anything was sensed.
    pub(crate) fn nothing(config: &NetworkConfig) -> Self {
        Self {
            n: 1,
            deter: vec![0.0; config.deter],
            hot: vec![Dense::NOTHING; config.groups],
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

    fn deter_rows(&self) -> Rows<'_> {
        Rows::dense(&self.deter, self.n)
    }

    /// What heads read of the first row. `[deter + groups * classes]`
    pub(crate) fn feature(&self, config: &NetworkConfig) -> Vec<f32> {
        let mut feature = self.deter[..config.deter].to_vec();
        feature.resize(config.feature(), 0.0);
        for &idx in &self.hot[..config.groups] {
            if idx != Dense::NOTHING {
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

/// Sequence model, prior and posterior.
pub(crate) struct RecurrentCore {
    config: NetworkConfig,
    in_deter: RmsDense,
    in_stoch: RmsDense,
    in_motion: RmsDense,
    /// By block: from what came in and the block's part of the state.
    hidden: Vec<Dense>,
    gates: Vec<Dense>,
    prior_first: RmsDense,
    prior_second: RmsDense,
    prior_out: Dense,
    posterior_first: RmsDense,
    posterior_out: Dense,
    scratch: Scratch,
}

/// Memory that serves again.
#[derive(Default)]
struct Scratch {
    inputs: [Vec<f32>; 3],
    hidden: Vec<f32>,
    gates: Vec<f32>,
    parts: [Vec<f32>; 4],
    first: Vec<f32>,
    second: Vec<f32>,
    logits: Vec<f32>,
}

/// The layers of a block-diagonal one.
fn blocks(
    source: &mut Source<'_>,
    name: &str,
    [blocks, n_in, n_out]: [usize; 3],
) -> Result<Vec<Dense>, CheckpointError> {
    let weight = source.take(&format!("{name}.weight"), &[blocks, n_in, n_out])?;
    let bias = source.take(&format!("{name}.bias"), &[blocks, 1, n_out])?;
    let block =
        |(weight, bias): (&[f32], &[f32])| Dense::new(padded(weight, n_out), padded(bias, n_out));
    Ok(weight
        .chunks_exact(n_in * n_out)
        .zip(bias.chunks_exact(n_out))
        .map(block)
        .collect())
}

impl RecurrentCore {
    pub(crate) fn load(
        source: &mut Source<'_>,
        config: &NetworkConfig,
    ) -> Result<Self, CheckpointError> {
        let (deter, hidden, stoch) = (config.deter, config.hidden, config.stoch());
        let block = deter / config.blocks;
        let wide = 3 * hidden + block;
        let hidden_blocks = blocks(source, "core.hidden", [config.blocks, wide, block])?;
        let gates = blocks(source, "core.gates", [config.blocks, block, 3 * block])?;
        let mut rms = |name: &str, n_in: usize| {
            RmsDense::load(source, &format!("core.{name}"), [n_in, hidden])
        };
        let in_deter = rms("in_deter", deter)?;
        let in_stoch = rms("in_stoch", stoch)?;
        let in_motion = rms("in_motion", MOTION_INPUTS)?;
        let prior_first = rms("prior_first", deter)?;
        let prior_second = rms("prior_second", hidden)?;
        let posterior_first = rms("posterior_first", deter + hidden)?;
        let mut out = |name: &str| Dense::load(source, &format!("core.{name}"), [hidden, stoch]);
        Ok(Self {
            config: config.clone(),
            in_deter,
            in_stoch,
            in_motion,
            hidden: hidden_blocks,
            gates,
            prior_first,
            prior_second,
            prior_out: out("prior_out")?,
            posterior_first,
            posterior_out: out("posterior_out")?,
            scratch: Scratch::default(),
        })
    }

    /// Moves the deterministic state of every row on.
    pub(crate) fn step(&mut self, latents: &mut Latents, moves: Moves<'_>) {
        let n = latents.n;
        let [deter, stoch, motion] = &mut self.scratch.inputs;
        self.in_deter.apply(latents.deter_rows(), deter);
        self.in_stoch.dense.begin(n, stoch);
        self.in_stoch
            .dense
            .add_hot(0, &latents.hot, self.config.groups, stoch);
        self.in_stoch.finish(stoch);
        self.in_motion
            .apply(Rows::dense(moves.motions.as_flattened(), n), motion);
        for block in 0..self.config.blocks {
            self.step_block(block, latents, moves.secs);
        }
    }

    /// Moves one block of the state on. Blocks read what came in, and their own part alone.
    fn step_block(&mut self, block: usize, latents: &mut Latents, secs: &[f32]) {
        let (n, deter) = (latents.n, self.config.deter);
        let width = deter / self.config.blocks;
        let from = block * width;
        let Scratch {
            inputs,
            hidden,
            gates,
            parts,
            ..
        } = &mut self.scratch;
        let layer = &self.hidden[block];
        layer.begin(n, hidden);
        for (k, input) in inputs.iter().enumerate() {
            let rows = Rows::dense(input, n);
            layer.add(k * self.config.hidden, rows, self.config.hidden, hidden);
        }
        let own = Rows {
            n,
            values: &latents.deter[from..],
            stride: deter,
        };
        layer.add(3 * self.config.hidden, own, width, hidden);
        for row in hidden.chunks_exact_mut(layer.width()) {
            rms_norm(row, width);
        }
        Silu {}.map_mut(hidden);
        let hidden = Rows {
            n,
            values: hidden,
            stride: layer.width(),
        };
        let layer = &self.gates[block];
        layer.begin(n, gates);
        layer.add(0, hidden, width, gates);
        let gates = gates.chunks_exact(layer.width());
        let states = latents.deter.chunks_exact_mut(deter);
        for ((gates, state), secs) in gates.zip(states).zip(secs) {
            let steps = secs / STEP_REFERENCE_SECS;
            update(gates, &mut state[from..from + width], steps, parts);
        }
    }

    /// Takes the class of every group that is most probable before sensing.
    pub(crate) fn take_prior(&mut self, latents: &mut Latents) {
        let Scratch {
            first,
            second,
            logits,
            ..
        } = &mut self.scratch;
        self.prior_first.apply(latents.deter_rows(), first);
        self.prior_second
            .apply(Rows::dense(first, latents.n), second);
        self.prior_out.apply(Rows::dense(second, latents.n), logits);
        take_best(&self.config, logits, &mut latents.hot);
    }

    /// Takes the class of every group that is most probable after sensing.
    pub(crate) fn take_posterior(&mut self, latents: &mut Latents, token: &[f32]) {
        let Scratch { first, logits, .. } = &mut self.scratch;
        let layer = &self.posterior_first;
        layer.dense.begin(1, first);
        let (deter, hidden) = (self.config.deter, self.config.hidden);
        layer.dense.add(0, latents.deter_rows(), deter, first);
        layer.dense.add(deter, Rows::dense(token, 1), hidden, first);
        layer.finish(first);
        self.posterior_out.apply(Rows::dense(first, 1), logits);
        take_best(&self.config, logits, &mut latents.hot);
    }
}

/// The first of the most probable classes of each group.
fn take_best(config: &NetworkConfig, logits: &[f32], hot: &mut [u32]) {
    let width = config.stoch().next_multiple_of(LANES);
    let rows = logits.chunks_exact(width);
    for (logits, hot) in rows.zip(hot.chunks_exact_mut(config.groups)) {
        let groups = logits.chunks_exact(config.classes);
        for (group, (logits, hot)) in groups.zip(hot).enumerate() {
            let better = |best: usize, class: usize| {
                if logits[class] > logits[best] {
                    class
                } else {
                    best
                }
            };
            let best = (0..config.classes).fold(0, better);
            *hot = (group * config.classes + best) as u32;
        }
    }
}

/// The gated update of one block's state after so many reference steps.
///
/// `gates` are reset, candidate and update.
fn update(gates: &[f32], state: &mut [f32], steps: f32, parts: &mut [Vec<f32>; 4]) {
    let width = state.len();
    let [reset, fresh, opens, stays] = parts;
    reset.clear();
    reset.extend_from_slice(&gates[..width]);
    Sigmoid {}.map_mut(reset);
    fresh.clear();
    let candidate = &gates[width..2 * width];
    fresh.extend(reset.iter().zip(candidate).map(|(r, c)| r * c));
    Tanh {}.map_mut(fresh);
    // The share that stays over one reference step is 1 - sigmoid(u - 1), and this to the power of
    // `steps` over all of them: exp(-steps * softplus(u - 1)).
    let update = &gates[2 * width..3 * width];
    opens.clear();
    opens.extend(update.iter().map(|u| -(u - 1.0).abs()));
    Exp {}.map_mut(opens);
    stays.clear();
    let softplus = |(u, z): (&f32, &f32)| (u - 1.0).max(0.0) + ln_1p(*z);
    stays.extend(
        update
            .iter()
            .zip(opens.iter())
            .map(|it| -steps * softplus(it)),
    );
    Exp {}.map_mut(stays);
    for ((state, fresh), stays) in state.iter_mut().zip(fresh.iter()).zip(stays.iter()) {
        *state = stays * (*state - fresh) + fresh;
    }
}

/// `ln(1 + z)` for `z` from 0 to 1, to within 2e-7: the series of the inverse hyperbolic tangent.
fn ln_1p(z: f32) -> f32 {
    let w = z / (2.0 + z);
    let square = w * w;
    let odd = [1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0];
    let series = odd.iter().rev().fold(0.0, |sum, k| square * (sum + k));
    2.0 * w * (1.0 + series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_logarithm_is_the_logarithm() {
        for k in 0..=1000_u16 {
            let z = f32::from(k) / 1000.0;
            assert!((ln_1p(z) - z.ln_1p()).abs() < 2e-7, "{z}");
        }
    }

    #[test]
    fn two_short_steps_change_as_much_as_one_long_one() {
        let gates: Vec<f32> = (0..12).map(|k| 0.7 * (k as f32 - 6.0)).collect();
        let start = [0.3_f32, -0.2, 0.9, -1.0];
        let mut parts = Default::default();
        let (mut once, mut twice) = (start, start);
        update(&gates, &mut once, 1.0, &mut parts);
        for _ in 0..2 {
            update(&gates, &mut twice, 0.5, &mut parts);
        }
        for (once, twice) in once.iter().zip(twice) {
            assert!((once - twice).abs() < 1e-6, "{once} {twice}");
        }
        assert!(
            once.iter()
                .zip(start)
                .any(|(once, start)| (once - start).abs() > 0.1)
        );
    }
}
