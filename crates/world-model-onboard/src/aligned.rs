//! Memory that begins at a cache line, so that no vector of a line's width lies on two.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Numbers from a cache line's start on. The memory serves again.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    values: Vec<T>,
    /// The first of them.
    from: usize,
    n: usize,
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            from: 0,
            n: 0,
        }
    }
}

impl<T: Copy + Default> Aligned<T> {
    /// Leaves the first `n`, or adds such.
    pub(crate) fn resize(&mut self, n: usize, value: T) {
        let n_before = self.n.min(n);
        let room = n + LINE / size_of::<T>();
        if self.values.len() < room {
            self.values.resize(room, value);
            // Somewhere else, perhaps.
            let from = self.values.as_ptr().align_offset(LINE);
            if from != self.from {
                let before = self.from..self.from + n_before;
                self.values.copy_within(before, from);
                self.from = from;
            }
        }
        self.n = n;
        self[n_before..].fill(value);
    }

    /// Without any, the memory kept.
    pub(crate) fn clear(&mut self) {
        self.n = 0;
    }

    /// Adds these.
    pub(crate) fn extend_from_slice(&mut self, others: &[T]) {
        let n = self.n;
        self.resize(n + others.len(), T::default());
        self[n..].copy_from_slice(others);
    }
}

impl<T: Copy + Default> From<&[T]> for Aligned<T> {
    fn from(values: &[T]) -> Self {
        let mut aligned = Self::default();
        aligned.extend_from_slice(values);
        aligned
    }
}

impl<T: Copy + Default> From<Vec<T>> for Aligned<T> {
    fn from(values: Vec<T>) -> Self {
        Self::from(&values[..])
    }
}

impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        Self::from(&self[..])
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.from..][..self.n]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.from..][..self.n]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_at_a_line_and_stay_what_they_are() {
        let mut values = Aligned::from(vec![1_u16, 2, 3]);
        for n in [5, 1000, 4, 100_000] {
            values.resize(n, 7);
            assert_eq!(values.as_ptr().align_offset(LINE), 0);
            assert_eq!((values.len(), &values[..4]), (n, &[1, 2, 3, 7][..]));
            let copy = values.clone();
            assert_eq!(copy.as_ptr().align_offset(LINE), 0);
            assert_eq!(copy[..], values[..]);
        }
        values.clear();
        values.resize(2, 9);
        assert_eq!(values[..], [9, 9]);
    }
}
