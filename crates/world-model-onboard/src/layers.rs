//! The network's layers, with weights laid out for [`crate::products`].

use std::path::Path;

use rten_simd::SimdOp as _;
use sedge_world_model_trained::{CheckpointError, NamedTensors, take};

use crate::Precision;
use crate::activations::NormSilu;
use crate::aligned::Aligned;
use crate::products::{
    After, BeamProduct, CHANNEL_BLOCK, HotProduct, LANES, Out, Panels, RowProduct,
};

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
    /// Numbers of a row.
    pub(crate) width: usize,
}

impl<'a> Rows<'a> {
    /// Rows without anything between them.
    pub(crate) fn dense(values: &'a [f32], n: usize) -> Self {
        let stride = values.len() / n.max(1);
        Self {
            n,
            values,
            stride,
            width: stride,
        }
    }

    /// The first numbers of each row only.
    pub(crate) fn first(self, width: usize) -> Self {
        Self { width, ..self }
    }

    /// So many numbers of each row from one on.
    pub(crate) fn part(self, from: usize, width: usize) -> Self {
        Self {
            values: &self.values[from..],
            width,
            ..self
        }
    }
}

/// Rows for a product to add to.
pub(crate) struct RowsMut<'a> {
    pub(crate) n: usize,
    pub(crate) values: &'a mut [f32],
    /// From the start of one to that of the next.
    pub(crate) stride: usize,
}

impl<'a> RowsMut<'a> {
    /// Rows without anything between them.
    pub(crate) fn dense(values: &'a mut [f32], n: usize) -> Self {
        let stride = values.len() / n.max(1);
        Self { n, values, stride }
    }

    /// Where a product is added to what is there, or to the same numbers in each row.
    pub(crate) fn out<'b>(&'b mut self, bias: Option<&'b [f32]>) -> Out<'b> {
        Out {
            values: self.values,
            stride: self.stride,
            bias,
        }
    }

    /// The same rows for a while, each from one number on.
    pub(crate) fn from(&mut self, column: usize) -> RowsMut<'_> {
        RowsMut {
            n: self.n,
            values: &mut self.values[column..],
            stride: self.stride,
        }
    }
}

/// `y = x W + b`. Parts of `x` may lie in several places: each adds its rows of `W`.
pub(crate) struct Dense {
    weight: Panels,
    /// `[width]`
    bias: Aligned<f32>,
}

impl Dense {
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        shape: [usize; 2],
    ) -> Result<Self, CheckpointError> {
        Self::load_reordered(source, (name, shape), |k| k)
    }

    /// Inputs in another order: row `k` of the weights is that of `order(k)`.
    pub(crate) fn load_reordered(
        source: &mut Source<'_>,
        (name, [n_in, n_out]): (&str, [usize; 2]),
        order: impl Fn(usize) -> usize,
    ) -> Result<Self, CheckpointError> {
        let plain = source.take(&format!("{name}.weight"), &[n_in, n_out])?;
        let rows: Vec<f32> = (0..n_in)
            .flat_map(|k| plain[order(k) * n_out..][..n_out].iter().copied())
            .collect();
        let bias = source.take(&format!("{name}.bias"), &[n_out])?;
        Ok(Self::new(&padded(&rows, n_out), padded(&bias, n_out)))
    }

    /// From rows of weights as long as the bias, whole vectors both.
    pub(crate) fn new(rows: &[f32], bias: Vec<f32>) -> Self {
        let weight = Panels::new(rows, bias.len());
        Self {
            weight,
            bias: bias.into(),
        }
    }

    /// Numbers of an output row, padding included.
    pub(crate) fn width(&self) -> usize {
        self.bias.len()
    }

    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Numbers of an input row.
    pub(crate) fn n_in(&self) -> usize {
        self.weight.n_in
    }

    /// `out = x W + b`, with the weights' first rows. Whatever was in `out` is gone.
    pub(crate) fn put(&self, x: Rows<'_>, out: &mut RowsMut<'_>) {
        self.multiply(0, x, out.out(Some(&self.bias)));
    }

    /// Adds inputs from `from` on.
    pub(crate) fn add(&self, from: usize, x: Rows<'_>, out: &mut RowsMut<'_>) {
        self.multiply(from, x, out.out(None));
    }

    /// Puts the product with the weights' rows from one on.
    pub(crate) fn multiply(&self, from: usize, x: Rows<'_>, out: Out<'_>) {
        RowProduct {
            n_rows: x.n,
            x: x.values,
            x_stride: x.stride,
            n_in: x.width,
            weight: &self.weight,
            from,
            out,
        }
        .dispatch();
    }

    /// As [`Dense::put`] for inputs that are one where `hot` says, `[row, groups]`, and zero
    /// elsewhere.
    pub(crate) fn put_hot(&self, hot: &[u32], out: &mut RowsMut<'_>) {
        let groups = hot.len() / out.n;
        self.multiply_hot(0, (hot, groups), out.out(Some(&self.bias)));
    }

    /// As [`Dense::add`] for such inputs.
    pub(crate) fn add_hot(&self, from: usize, hot: &[u32], out: &mut RowsMut<'_>) {
        let groups = hot.len() / out.n;
        self.multiply_hot(from, (hot, groups), out.out(None));
    }

    fn multiply_hot(&self, from: usize, (hot, groups): (&[u32], usize), out: Out<'_>) {
        HotProduct {
            hot,
            groups,
            weight: &self.weight,
            from,
            out,
        }
        .dispatch();
    }

    /// `y = x W + b`, whole. Whatever was in `out` is gone.
    pub(crate) fn apply(&self, x: Rows<'_>, out: &mut Aligned<f32>) {
        out.resize(x.n * self.width(), 0.0);
        // Rows may be padded beyond what the layer reads.
        self.put(x.first(self.weight.n_in), &mut RowsMut::dense(out, x.n));
    }
}

/// Scale of a normed layer: what follows its linear part.
pub(crate) struct Norm {
    /// Padded with zeros.
    scale: Aligned<f32>,
    n_out: usize,
}

impl Norm {
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        n_out: usize,
    ) -> Result<Self, CheckpointError> {
        let scale = source.take(&format!("{name}.scale"), &[n_out])?;
        Ok(Self {
            scale: padded(&scale, n_out).into(),
            n_out,
        })
    }

    /// RMS norm, scale and `SiLU`, in place.
    pub(crate) fn apply(&self, out: &mut RowsMut<'_>, precision: Precision) {
        NormSilu {
            n_rows: out.n,
            values: out.values,
            stride: out.stride,
            n: self.n_out,
            scale: Some(&self.scale),
            width: self.scale.len(),
        }
        .run(precision);
    }
}

/// Linear, RMS norm, scale, `SiLU`.
pub(crate) struct RmsDense {
    pub(crate) dense: Dense,
    pub(crate) norm: Norm,
}

impl RmsDense {
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        shape: [usize; 2],
    ) -> Result<Self, CheckpointError> {
        Self::load_reordered(source, (name, shape), |k| k)
    }

    /// Inputs in another order, as [`Dense::load_reordered`].
    pub(crate) fn load_reordered(
        source: &mut Source<'_>,
        (name, shape): (&str, [usize; 2]),
        order: impl Fn(usize) -> usize,
    ) -> Result<Self, CheckpointError> {
        let norm = Norm::load(source, name, shape[1])?;
        let dense = Dense::load_reordered(source, (&format!("{name}.dense"), shape), order)?;
        Ok(Self { dense, norm })
    }

    pub(crate) fn apply(&self, x: Rows<'_>, out: &mut Aligned<f32>) {
        self.dense.apply(x, out);
        self.norm
            .apply(&mut RowsMut::dense(out, x.n), Precision::F32);
    }
}

/// A convolution along the beams that keeps their number.
pub(crate) struct BeamConv {
    /// `[channel block, n_in, kernel, CHANNEL_BLOCK]`
    weight: Aligned<f32>,
    bias: Aligned<f32>,
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
            weight: weight.into(),
            bias: bias.into(),
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
