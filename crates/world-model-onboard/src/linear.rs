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
        match self {
            Self::Wide(dense) => dense.width(),
            Self::Narrow(dense) => dense.width(),
        }
    }

    /// Whether products are of bytes.
    pub(crate) fn is_narrow(&self) -> bool {
        matches!(self, Self::Narrow(_))
    }

    /// Adds `x W`.
    pub(crate) fn add(&self, x: Rows<'_>, out: &mut RowsMut<'_>, scratch: &mut NarrowScratch) {
        match self {
            Self::Wide(dense) => dense.add(0, x.first(dense.n_in()), out),
            Self::Narrow(dense) => dense.multiply(x, out.out(None), scratch),
        }
    }

    /// `out = x W + b`. Whatever was in `out` is gone.
    pub(crate) fn put(&self, x: Rows<'_>, out: &mut RowsMut<'_>, scratch: &mut NarrowScratch) {
        match self {
            Self::Wide(dense) => dense.put(x.first(dense.n_in()), out),
            Self::Narrow(dense) => dense.multiply(x, out.out(Some(dense.bias())), scratch),
        }
    }
}
