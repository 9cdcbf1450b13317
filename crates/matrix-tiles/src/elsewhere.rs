//! What there is without such registers: nothing, so that nothing can be asked of it.

use std::convert::Infallible;

use crate::{Rows, Sums};

/// Tiles, which this platform does not have.
#[derive(Debug)]
pub struct Tiles(Infallible);

impl Tiles {
    /// `None`, always.
    pub fn load() -> Option<Self> {
        None
    }

    /// Never called, as there are none.
    pub fn multiply(&self, _rows: Rows<'_, u8>, _columns: &[i8], _sums: &mut Sums<i32>) {
        match self.0 {}
    }

    /// Never called, as there are none.
    pub fn multiply_parts(&self, _rows: Rows<'_, u16>, _columns: &[u16], _sums: &mut Sums<f32>) {
        match self.0 {}
    }
}
