//! What there is without such registers: nothing, so that nothing can be asked of it.

use std::convert::Infallible;

use crate::{Rows, SumRows, Sums};

/// Tiles, which this platform does not have.
#[derive(Debug)]
pub struct Tiles(Infallible);

impl Tiles {
    /// `None`, always.
    pub fn load() -> Option<Self> {
        None
    }

    /// Never called, as there are none.
    pub fn multiply(&self, _rows: Rows<'_, u8>, _columns: &[i8], _sums: &mut Sums) {
        match self.0 {}
    }

    /// Never called, as there are none.
    pub fn add_parts(&self, _rows: Rows<'_, u16>, _columns: &[u16], _sums: &mut SumRows<'_>) {
        match self.0 {}
    }
}
