//! A linear layer in either precision, and the rows that it reads.

use sedge_matrix_tiles::Tiles;

use crate::Precision;
use crate::layers::{Dense, Rows, RowsMut};
use crate::narrow::{NarrowDense, NarrowRows};
use crate::parts::{PartPanels, PartRows};

/// In which form products read rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// As they are.
    #[default]
    Numbers,
    /// In eight bits.
    Bytes,
    /// In parts, for tile registers.
    Parts,
}

/// Memory for rows in another form than they are. It serves again.
#[derive(Default)]
pub(crate) struct FormedRows {
    bytes: NarrowRows,
    parts: PartRows,
}

impl FormedRows {
    /// Rows in some form, for any number of layers to read.
    pub(crate) fn take<'a>(&'a mut self, x: Rows<'a>, form: Form) -> Inputs<'a> {
        match form {
            Form::Numbers => {}
            Form::Bytes => self.bytes.take(x),
            Form::Parts => self.parts.take(x),
        }
        self.taken(x, form)
    }

    /// The rows that were taken last.
    pub(crate) fn taken<'a>(&'a self, x: Rows<'a>, form: Form) -> Inputs<'a> {
        Inputs {
            numbers: x,
            form,
            formed: self,
            from: 0,
        }
    }

    /// As many copies of the only row.
    pub(crate) fn repeat(&mut self, n: usize, form: Form) {
        match form {
            Form::Numbers => {}
            Form::Bytes => self.bytes.repeat(n),
            Form::Parts => self.parts.repeat(n),
        }
    }
}

/// Rows for a layer to read.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    numbers: Rows<'a>,
    form: Form,
    /// These rows and more.
    formed: &'a FormedRows,
    /// The first of their numbers.
    from: usize,
}

impl Inputs<'_> {
    /// So many numbers of each row from one on.
    pub(crate) fn part(self, from: usize, width: usize) -> Self {
        Self {
            numbers: self.numbers.part(from, width),
            from: self.from + from,
            ..self
        }
    }
}

/// `y = x W + b`
pub(crate) enum Linear {
    /// With the same weights in parts where the processor has tiles for them.
    Wide(Dense, Option<PartPanels>),
    Narrow(NarrowDense),
}

impl Linear {
    /// From rows of weights as long as the bias, whole vectors both.
    pub(crate) fn new(rows: &[f32], bias: Vec<f32>, precision: Precision) -> Self {
        match precision {
            Precision::F32 => {
                let parts = Tiles::load().map(|_| PartPanels::new(rows, bias.len()));
                Self::Wide(Dense::new(rows, bias), parts)
            }
            Precision::Int8 => Self::Narrow(NarrowDense::new(rows, bias)),
        }
    }

    /// Numbers of an output row, padding included.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Wide(dense, _) => dense.width(),
            Self::Narrow(dense) => dense.width(),
        }
    }

    /// Adds `x W`.
    pub(crate) fn add(&self, x: Inputs<'_>, out: &mut RowsMut<'_>) {
        self.multiply(x, out, |_| None);
    }

    /// `out = x W + b`. Whatever was in `out` is gone.
    pub(crate) fn put(&self, x: Inputs<'_>, out: &mut RowsMut<'_>) {
        self.multiply(x, out, |bias| Some(bias));
    }

    fn multiply(
        &self,
        x: Inputs<'_>,
        out: &mut RowsMut<'_>,
        to: impl for<'a> FnOnce(&'a [f32]) -> Option<&'a [f32]>,
    ) {
        match self {
            Self::Narrow(dense) => {
                dense.multiply(&x.formed.bytes, x.from, out.out(to(dense.bias())));
            }
            Self::Wide(dense, parts) => {
                let mut out = out.out(to(dense.bias()));
                let in_parts = parts.as_ref().filter(|_| x.form == Form::Parts);
                if let Some((parts, tiles)) = in_parts.zip(Tiles::load()) {
                    parts.multiply(&x.formed.parts, x.from, &tiles, &mut out);
                } else {
                    dense.multiply(0, x.numbers.first(dense.n_in()), out);
                }
            }
        }
    }
}
