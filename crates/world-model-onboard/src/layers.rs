//! The network's layers, with weights laid out for [`crate::products`].

use std::path::Path;

use rten_simd::{SimdOp as _, SimdUnaryOp as _};
use rten_vecmath::Silu;
use sedge_world_model_trained::structure::RMS_EPSILON;
use sedge_world_model_trained::{CheckpointError, NamedTensors, take};

use crate::products::{After, BeamProduct, CHANNEL_BLOCK, LANES, RowProduct};

/// Where weights come from.
pub(crate) struct Source<'a> {
    pub(crate) tensors: &'a mut NamedTensors,
    pub(crate) path: &'a Path,
}

impl Source<'_> {
    /// The numbers of a tensor.
    pub(crate) fn take(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<Vec<f32>, CheckpointError> {
        take(self.tensors, self.path, name, shape)
    }

    /// Rows padded to whole vectors. `[n_in, n_out]` to `[n_in, width]`
    fn rows(&mut self, name: &str, [n_in, n_out]: [usize; 2]) -> Result<Vec<f32>, CheckpointError> {
        Ok(padded(&self.take(name, &[n_in, n_out])?, n_out))
    }
}

/// Rows of `n` numbers, each padded to whole vectors.
pub(crate) fn padded(rows: &[f32], n: usize) -> Vec<f32> {
    let width = n.next_multiple_of(LANES);
    let row = |row: &[f32]| {
        row.iter()
            .copied()
            .chain(std::iter::repeat_n(0.0, width - n))
            .collect::<Vec<_>>()
    };
    rows.chunks_exact(n).flat_map(row).collect()
}

/// Rows for a product to read.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) n: usize,
    pub(crate) values: &'a [f32],
    /// From the start of one to that of the next.
    pub(crate) stride: usize,
}

impl<'a> Rows<'a> {
    /// Rows without anything between them.
    pub(crate) fn dense(values: &'a [f32], n: usize) -> Self {
        let stride = values.len() / n.max(1);
        Self { n, values, stride }
    }
}

/// `y = x W + b`. Parts of `x` may lie in several places: each adds its rows of `W`.
pub(crate) struct Dense {
    /// `[n_in, width]`
    weight: Vec<f32>,
    /// `[width]`
    bias: Vec<f32>,
}

impl Dense {
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        [n_in, n_out]: [usize; 2],
    ) -> Result<Self, CheckpointError> {
        let weight = source.rows(&format!("{name}.weight"), [n_in, n_out])?;
        let bias = source.take(&format!("{name}.bias"), &[n_out])?;
        Ok(Self::new(weight, padded(&bias, n_out)))
    }

    pub(crate) fn new(weight: Vec<f32>, bias: Vec<f32>) -> Self {
        Self { weight, bias }
    }

    /// Numbers of an output row, padding included.
    pub(crate) fn width(&self) -> usize {
        self.bias.len()
    }

    /// Inputs in another order: row `k` of the weights is now that of `order(k)`.
    pub(crate) fn reordered(self, order: impl Fn(usize) -> usize) -> Self {
        let width = self.width();
        let rows = (0..self.weight.len() / width)
            .flat_map(|k| self.weight[order(k) * width..][..width].iter().copied());
        Self {
            weight: rows.collect(),
            bias: self.bias,
        }
    }

    /// As many rows of the bias. Whatever was in `out` is gone.
    pub(crate) fn begin(&self, n_rows: usize, out: &mut Vec<f32>) {
        out.clear();
        for _ in 0..n_rows {
            out.extend_from_slice(&self.bias);
        }
    }

    /// Adds inputs from `from` on.
    pub(crate) fn add(&self, from: usize, x: Rows<'_>, n_in: usize, out: &mut [f32]) {
        let width = self.width();
        RowProduct {
            n_rows: x.n,
            x: x.values,
            x_stride: x.stride,
            n_in,
            weight: &self.weight[from * width..][..n_in * width],
            out,
        }
        .dispatch();
    }

    /// Adds inputs that are one where `hot` says and zero elsewhere, from `from` on. Indices of
    /// [`Dense::NOTHING`] add nothing. `hot` is `[row, groups]`.
    pub(crate) fn add_hot(&self, from: usize, hot: &[u32], groups: usize, out: &mut [f32]) {
        let width = self.width();
        for (hot, out) in hot.chunks_exact(groups).zip(out.chunks_exact_mut(width)) {
            for &idx in hot.iter().filter(|&&idx| idx != Self::NOTHING) {
                let weights = &self.weight[(from + idx as usize) * width..][..width];
                for (out, weight) in out.iter_mut().zip(weights) {
                    *out += weight;
                }
            }
        }
    }

    /// Index of an input that is zero.
    pub(crate) const NOTHING: u32 = u32::MAX;

    /// `y = x W + b`, whole.
    pub(crate) fn apply(&self, x: Rows<'_>, out: &mut Vec<f32>) {
        self.begin(x.n, out);
        self.add(0, x, self.weight.len() / self.width(), out);
    }
}

/// Linear, RMS norm, scale, `SiLU`.
pub(crate) struct RmsDense {
    pub(crate) dense: Dense,
    scale: Vec<f32>,
    n_out: usize,
}

impl RmsDense {
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        [n_in, n_out]: [usize; 2],
    ) -> Result<Self, CheckpointError> {
        let dense = Dense::load(source, &format!("{name}.dense"), [n_in, n_out])?;
        let scale = source.take(&format!("{name}.scale"), &[n_out])?;
        Ok(Self {
            scale: padded(&scale, n_out),
            dense,
            n_out,
        })
    }

    /// Inputs in another order, as [`Dense::reordered`].
    pub(crate) fn reordered(self, order: impl Fn(usize) -> usize) -> Self {
        Self {
            dense: self.dense.reordered(order),
            ..self
        }
    }

    /// What follows the linear part, in place.
    pub(crate) fn finish(&self, out: &mut [f32]) {
        for row in out.chunks_exact_mut(self.scale.len()) {
            // Padding is zero: it adds nothing to the sum.
            rms_norm(row, self.n_out);
            for (value, scale) in row.iter_mut().zip(&self.scale) {
                *value *= scale;
            }
        }
        Silu {}.map_mut(out);
    }

    pub(crate) fn apply(&self, x: Rows<'_>, out: &mut Vec<f32>) {
        self.dense.apply(x, out);
        self.finish(out);
    }
}

/// Divides by the root mean square of `n` numbers.
pub(crate) fn rms_norm(row: &mut [f32], n: usize) {
    let square: f32 = row.iter().map(|x| x * x).sum();
    let scale = 1.0 / (square / n as f32 + RMS_EPSILON).sqrt();
    for x in row {
        *x *= scale;
    }
}

/// A convolution along the beams that keeps their number.
pub(crate) struct BeamConv {
    /// `[channel block, n_in, kernel, CHANNEL_BLOCK]`
    weight: Vec<f32>,
    bias: Vec<f32>,
    n_in: usize,
    kernel: usize,
    dilation: usize,
}

impl BeamConv {
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        [n_out, n_in, kernel]: [usize; 3],
        dilation: usize,
    ) -> Result<Self, CheckpointError> {
        let plain = source.take(&format!("{name}.weight"), &[n_out, n_in, kernel])?;
        let mut bias = source.take(&format!("{name}.bias"), &[n_out])?;
        bias.resize(n_out.next_multiple_of(CHANNEL_BLOCK), 0.0);
        let taps = n_in * kernel;
        let mut weight = Vec::with_capacity(bias.len() * taps);
        for block in (0..bias.len()).step_by(CHANNEL_BLOCK) {
            for tap in 0..taps {
                for channel in block..block + CHANNEL_BLOCK {
                    weight.push(plain.get(channel * taps + tap).copied().unwrap_or(0.0));
                }
            }
        }
        Ok(Self {
            weight,
            bias,
            n_in,
            kernel,
            dilation,
        })
    }

    /// Output channels, padding included.
    pub(crate) fn channels(&self) -> usize {
        self.bias.len()
    }

    /// Rows of `x` to rows of `out`, with margins.
    pub(crate) fn apply(&self, n_beams: usize, x: &[f32], after: After<'_>, out: &mut [f32]) {
        BeamProduct {
            n_beams,
            x,
            n_in: self.n_in,
            weight: &self.weight,
            kernel: self.kernel,
            dilation: self.dilation,
            bias: &self.bias,
            after,
            out,
        }
        .dispatch();
    }
}
