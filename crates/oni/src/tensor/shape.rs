//! Shapes, without memory of their own: a table has many, and each is short.

use std::fmt;
use std::ops::Deref;

use crate::limits::RANK_MAX;

/// A tensor's dimensions, row-major, the slowest first; reads as a slice.
#[derive(Clone, Copy, Default)]
pub struct Shape {
    dims: [u64; RANK_MAX],
    rank: u8,
}

impl Shape {
    /// No dimension: one number.
    pub const SCALAR: Self = Self {
        dims: [0; RANK_MAX],
        rank: 0,
    };

    /// From dimensions; `None` where there are more than [`RANK_MAX`].
    pub fn new(dims: &[u64]) -> Option<Self> {
        let mut shape = Self::default();
        dims.iter().all(|dim| shape.push(*dim)).then_some(shape)
    }

    /// Adds the fastest dimension; `false` where there is no room for it.
    #[inline]
    pub(crate) fn push(&mut self, dim: u64) -> bool {
        let Some(last) = self.dims.get_mut(usize::from(self.rank)) else {
            return false;
        };
        *last = dim;
        self.rank += 1;
        true
    }
}

impl Deref for Shape {
    type Target = [u64];

    #[inline]
    fn deref(&self) -> &[u64] {
        &self.dims[..usize::from(self.rank)]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: AsRef<[u64]> + ?Sized> PartialEq<T> for Shape {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl AsRef<[u64]> for Shape {
    fn as_ref(&self) -> &[u64] {
        self
    }
}

impl<'s> IntoIterator for &'s Shape {
    type Item = &'s u64;
    type IntoIter = std::slice::Iter<'s, u64>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
