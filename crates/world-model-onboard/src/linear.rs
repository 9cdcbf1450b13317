//! A linear layer in either precision.

use crate::Precision;
use crate::layers::{Dense, Rows, RowsMut};
use crate::narrow::{NarrowDense, NarrowRows};

/// Rows for a layer of either precision to read.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) wide: Rows<'a>,
    /// These rows and more, for layers of bytes alone.
    pub(crate) narrow: &'a NarrowRows,
    /// The first of their numbers.
    pub(crate) from: usize,
}

impl<'a> Inputs<'a> {
    /// Rows, which were made narrow where layers are.
    pub(crate) fn new(wide: Rows<'a>, narrow: &'a NarrowRows) -> Self {
        Self {
            wide,
            narrow,
            from: 0,
        }
    }

    /// So many numbers of each row from one on.
    pub(crate) fn part(self, from: usize, width: usize) -> Self {
        Self {
            wide: self.wide.part(from, width),
            from: self.from + from,
            ..self
        }
    }
}

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

    /// Adds `x W`.
    pub(crate) fn add(&self, x: Inputs<'_>, out: &mut RowsMut<'_>) {
        match self {
            Self::Wide(dense) => dense.add(0, x.wide.first(dense.n_in()), out),
            Self::Narrow(dense) => dense.multiply(x.narrow, x.from, out.out(None)),
        }
    }

    /// `out = x W + b`. Whatever was in `out` is gone.
    pub(crate) fn put(&self, x: Inputs<'_>, out: &mut RowsMut<'_>) {
        match self {
            Self::Wide(dense) => dense.put(x.wide.first(dense.n_in()), out),
            Self::Narrow(dense) => dense.multiply(x.narrow, x.from, out.out(Some(dense.bias()))),
        }
    }
}
