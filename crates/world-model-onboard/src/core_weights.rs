//! A checkpoint's tensors as the layers of the recurrent core: what is read together lies together.

use sedge_world_model_trained::{CheckpointError, NetworkConfig};

use crate::Precision;
use crate::layers::{Source, padded};
use crate::linear::Linear;
use crate::products::LANES;

/// Weights of which each block of the state has its own.
pub(crate) struct BlockWeights {
    /// `[block, n_in, n_out]`
    weight: Vec<f32>,
    /// `[block, n_out]`
    bias: Vec<f32>,
    n_in: usize,
    n_out: usize,
}

impl BlockWeights {
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        [blocks, n_in, n_out]: [usize; 3],
    ) -> Result<Self, CheckpointError> {
        Ok(Self {
            weight: source.take(&format!("{name}.weight"), &[blocks, n_in, n_out])?,
            bias: source.take(&format!("{name}.bias"), &[blocks, 1, n_out])?,
            n_in,
            n_out,
        })
    }

    /// A row of one block.
    fn row(&self, block: usize, k: usize) -> &[f32] {
        &self.weight[(block * self.n_in + k) * self.n_out..][..self.n_out]
    }

    fn bias(&self, block: usize) -> &[f32] {
        &self.bias[block * self.n_out..][..self.n_out]
    }
}

/// A plain layer.
pub(crate) fn linear(
    source: &mut Source<'_>,
    name: &str,
    ([n_in, n_out], precision): ([usize; 2], Precision),
) -> Result<Linear, CheckpointError> {
    let rows = source.take(&format!("{name}.weight"), &[n_in, n_out])?;
    let bias = source.take(&format!("{name}.bias"), &[n_out])?;
    let (rows, bias) = (padded(&rows, n_out), padded(&bias, n_out));
    Ok(Linear::new(&rows, bias, precision))
}

/// What the state says to the prior and to the next step, as one layer:
/// `[deter, 2 * padded hidden]`.
pub(crate) fn side_by_side(
    source: &mut Source<'_>,
    config: &NetworkConfig,
    precision: Precision,
) -> Result<Linear, CheckpointError> {
    let (mut rows, mut bias) = (vec![Vec::new(); config.deter], Vec::new());
    for name in ["core.prior_first.dense", "core.in_deter.dense"] {
        let shape = [config.deter, config.hidden];
        let weight = source.take(&format!("{name}.weight"), &shape)?;
        for (row, weight) in rows.iter_mut().zip(weight.chunks_exact(config.hidden)) {
            row.extend(padded(weight, config.hidden));
        }
        let plain = source.take(&format!("{name}.bias"), &shape[1..])?;
        bias.extend(padded(&plain, config.hidden));
    }
    Ok(Linear::new(&rows.concat(), bias, precision))
}

/// Numbers of a block of the state in whole vectors.
pub(crate) fn padded_block(config: &NetworkConfig) -> usize {
    (config.deter / config.blocks).next_multiple_of(LANES)
}

/// What all blocks read, as one layer: `[3 * padded hidden, blocks * padded block]`.
pub(crate) fn shared(
    config: &NetworkConfig,
    weights: &BlockWeights,
    precision: Precision,
) -> Linear {
    let (block, padded) = (weights.n_out, padded_block(config));
    let width = config.hidden.next_multiple_of(LANES);
    let mut rows = vec![0.0; 3 * width * config.blocks * padded];
    for (row, out) in rows.chunks_exact_mut(config.blocks * padded).enumerate() {
        let (input, k) = (row / width, row % width);
        for (idx, out) in out.chunks_exact_mut(padded).enumerate() {
            if k < config.hidden {
                out[..block].copy_from_slice(weights.row(idx, input * config.hidden + k));
            }
        }
    }
    let mut bias = vec![0.0; config.blocks * padded];
    for (idx, out) in bias.chunks_exact_mut(padded).enumerate() {
        out[..block].copy_from_slice(weights.bias(idx));
    }
    Linear::new(&rows, bias, precision)
}

/// What each block reads of its own state. The bias is with what all blocks read.
pub(crate) fn own(
    config: &NetworkConfig,
    weights: &BlockWeights,
    precision: Precision,
) -> Vec<Linear> {
    let block = weights.n_out;
    let layer = |idx: usize| {
        let rows: Vec<f32> = (0..block)
            .flat_map(|k| padded(weights.row(idx, 3 * config.hidden + k), block))
            .collect();
        Linear::new(&rows, vec![0.0; padded_block(config)], precision)
    };
    (0..config.blocks).map(layer).collect()
}

/// The gates of each block.
pub(crate) fn gate_layers(
    config: &NetworkConfig,
    weights: &BlockWeights,
    precision: Precision,
) -> Vec<Linear> {
    let block = weights.n_in;
    // Three parts, each padded by itself.
    let layer = |idx: usize| {
        let rows: Vec<f32> = (0..block)
            .flat_map(|k| padded(weights.row(idx, k), block))
            .collect();
        Linear::new(&rows, padded(weights.bias(idx), block), precision)
    };
    (0..config.blocks).map(layer).collect()
}

/// Rows and bias of a layer of logits, in another order: by class, and there by group, padded to
/// whole vectors. So the classes of all groups are compared at once.
pub(crate) fn class_rows(
    source: &mut Source<'_>,
    name: &str,
    config: &NetworkConfig,
) -> Result<(Vec<f32>, Vec<f32>), CheckpointError> {
    let (groups, classes) = (config.groups, config.classes);
    let reordered = |row: &[f32]| {
        let mut out = vec![0.0; classes * groups.next_multiple_of(LANES)];
        for (class, out) in out
            .chunks_exact_mut(groups.next_multiple_of(LANES))
            .enumerate()
        {
            for (group, out) in out[..groups].iter_mut().enumerate() {
                *out = row[group * classes + class];
            }
        }
        out
    };
    let shape = [config.hidden, config.stoch()];
    let rows = source.take(&format!("{name}.weight"), &shape)?;
    let bias = source.take(&format!("{name}.bias"), &shape[1..])?;
    let rows = rows.chunks_exact(config.stoch()).flat_map(reordered);
    Ok((rows.collect(), reordered(&bias)))
}
