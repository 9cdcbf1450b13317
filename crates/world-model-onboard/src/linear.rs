//! A linear layer in either precision.

use crate::Precision;
use crate::layers::{Dense, Rows, RowsMut};
use crate::narrow::{NarrowDense, NarrowScratch};

/// `y = x W + b`
pub(crate) enum Linear {
    Wide(Dense),
    Narrow(NarrowDense),
}

impl Linear {
    /// From rows of weights as long as the bias, whole vectors both.
    pub(crate) fn new(rows: &[f32], bias: Vec<f32>, precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::Wide(Dense::new(rows, bias)),
            Precision::Int8 => Self::Narrow(NarrowDense::new(rows, bias)),
        }
    }

    /// Numbers of an output row, padding included.
    pub(crate) fn width(&self) -> usize {
        self.bias().len()
    }

    fn bias(&self) -> &[f32] {
        match self {
            Self::Wide(dense) => dense.bias(),
            Self::Narrow(dense) => dense.bias(),
        }
    }

    /// Adds `x W`.
    pub(crate) fn add(&self, x: Rows<'_>, out: &mut RowsMut<'_>, scratch: &mut NarrowScratch) {
        match self {
            Self::Wide(dense) => dense.add(0, x.first(dense.n_in()), out),
            Self::Narrow(dense) => dense.add(x, out, scratch),
        }
    }

    /// `y = x W + b`. Whatever was in `out` is gone.
    pub(crate) fn put(&self, x: Rows<'_>, out: &mut RowsMut<'_>, scratch: &mut NarrowScratch) {
        out.fill(self.bias());
        self.add(x, out, scratch);
    }
}
