//! Lists whose memory serves again.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// What a thread keeps of one kind of list and one size, in bytes.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// A list this large is given back at once.
const LIST_BYTES_MAX: usize = 1 << 20;
/// The least room that a list is made with, in values and in bytes: short lists are all of one
/// size, so that one that is a little longer than any before finds memory, too.
const ROOM_MIN: usize = 8;
const ROOM_BYTES_MIN: usize = 512;
/// Sizes are powers of two, up to that of the largest list that is kept.
const N_SIZES: usize = 24;

/// A list whose memory serves a later list of the same thread when it is dropped.
///
/// What runs at a robot's pace makes the same lists over and over, and must not wait for memory.
/// With these it looks as it would otherwise, and takes memory only until it has once held as many
/// lists of each size at a time. In all else it is a [`Vec`]. A thread keeps at most a mebibyte of
/// each kind and size; what is beyond goes back at once, as do larger lists.
///
/// ```
/// use sedge_world_model::Reused;
///
/// let squares: Reused<usize> = (0..100).map(|n| n * n).collect();
/// let place = squares.as_ptr();
/// drop(squares);
/// let later: Reused<usize> = (0..100).collect();
/// assert_eq!((later.as_ptr(), later[99]), (place, 99));
/// ```
pub struct Reused<T: 'static>(Vec<T>);

/// Memory of one kind of list, by size.
struct Kept<T>([Vec<Vec<T>>; N_SIZES]);

thread_local! {
    /// One [`Kept`] for each kind of list, in the order in which they were first made.
    static KEPT: RefCell<Vec<(TypeId, Box<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// Hands the memory of one kind of list to `act`; nothing while a thread ends.
fn with_kept<T: 'static, R>(act: impl FnOnce(&mut Kept<T>) -> R) -> Option<R> {
    let reached = KEPT.try_with(|kept| {
        let mut kept = kept.try_borrow_mut().ok()?;
        let kind = TypeId::of::<T>();
        let idx = kept.iter().position(|(other, _)| *other == kind);
        let idx = idx.unwrap_or_else(|| {
            let empty = Kept::<T>(std::array::from_fn(|_| Vec::new()));
            kept.push((kind, Box::new(empty)));
            kept.len() - 1
        });
        kept[idx].1.downcast_mut().map(act)
    });
    reached.ok().flatten()
}

/// Which size holds so much room; none for what is too large to be kept.
fn size_of_room<T>(room: usize) -> Option<usize> {
    let is_kept = room.saturating_mul(size_of::<T>().max(1)) <= LIST_BYTES_MAX;
    let size = room.max(1).ilog2() as usize;
    (is_kept && size < N_SIZES).then_some(size)
}

impl<T: 'static> Reused<T> {
    /// Empty, without memory.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Empty, with room for at least so much.
    pub fn with_capacity(room: usize) -> Self {
        if room == 0 || size_of::<T>() == 0 {
            return Self::new();
        }
        let room = room.max(ROOM_MIN).max(ROOM_BYTES_MIN / size_of::<T>());
        let room = room.checked_next_power_of_two().unwrap_or(room);
        let size = size_of_room::<T>(room);
        let kept = size.and_then(|size| with_kept::<T, _>(|kept| kept.0[size].pop()));
        Self(kept.flatten().unwrap_or_else(|| Vec::with_capacity(room)))
    }

    /// So many times the same value.
    pub fn filled(value: T, n: usize) -> Self
    where
        T: Clone,
    {
        let mut list = Self::with_capacity(n);
        list.resize(n, value);
        list
    }

    /// A copy of what is in a slice.
    pub fn copy_of(values: &[T]) -> Self
    where
        T: Clone,
    {
        let mut list = Self::with_capacity(values.len());
        list.0.extend_from_slice(values);
        list
    }

    /// Adds a value behind the others.
    pub fn push(&mut self, value: T) {
        if self.0.len() == self.0.capacity() {
            self.grow(1);
        }
        self.0.push(value);
    }

    /// Cuts the list to a length, or fills it up with a value.
    pub fn resize(&mut self, n: usize, value: T)
    where
        T: Clone,
    {
        if n > self.0.capacity() {
            self.grow(n - self.0.len());
        }
        self.0.resize(n, value);
    }

    /// Moves into larger memory, with room for `more`.
    fn grow(&mut self, more: usize) {
        let room = self.0.len().saturating_add(more);
        let mut larger = Self::with_capacity(room.max(2 * self.0.capacity()));
        larger.0.append(&mut self.0);
        std::mem::swap(&mut self.0, &mut larger.0);
    }
}

impl<T: 'static> Drop for Reused<T> {
    fn drop(&mut self) {
        if self.0.capacity() == 0 {
            return;
        }
        let mut list = std::mem::take(&mut self.0);
        // What is in it may be lists of the same kind: it goes before the others are looked at.
        list.clear();
        let Some(size) = size_of_room::<T>(list.capacity()) else {
            return;
        };
        let bytes = list.capacity() * size_of::<T>();
        let n_max = KEPT_BYTES_MAX / bytes.max(1);
        with_kept::<T, _>(|kept| {
            let same = &mut kept.0[size];
            if same.len() < n_max {
                same.push(list);
            }
        });
    }
}

impl<T: 'static> Default for Reused<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static> Deref for Reused<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: 'static> DerefMut for Reused<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T: 'static> Extend<T> for Reused<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        let values = values.into_iter();
        let more = likely(values.size_hint());
        if more > self.0.capacity() - self.0.len() {
            self.grow(more);
        }
        match values.size_hint() {
            (_, Some(most)) if most <= self.0.capacity() - self.0.len() => self.0.extend(values),
            _ => values.for_each(|value| self.push(value)),
        }
    }
}

/// How many values are made room for: all that may come, where that is known and not far more than
/// what comes for sure.
fn likely((least, most): (usize, Option<usize>)) -> usize {
    const FAR_MORE: usize = 4_096;
    most.filter(|most| *most <= least.saturating_add(FAR_MORE))
        .unwrap_or(least)
}

impl<T: 'static> FromIterator<T> for Reused<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut list = Self::new();
        list.extend(values);
        list
    }
}

impl<T: 'static> From<Vec<T>> for Reused<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T: Clone + 'static> Clone for Reused<T> {
    fn clone(&self) -> Self {
        Self::copy_of(&self.0)
    }

    fn clone_from(&mut self, source: &Self) {
        if self.0.capacity() < source.len() {
            *self = Self::with_capacity(source.len());
        }
        self.0.clone_from(&source.0);
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Reused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: PartialEq + 'static> PartialEq for Reused<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: PartialEq + 'static> PartialEq<Vec<T>> for Reused<T> {
    fn eq(&self, other: &Vec<T>) -> bool {
        self.0 == *other
    }
}

impl<T: PartialEq + 'static> PartialEq<[T]> for Reused<T> {
    fn eq(&self, other: &[T]) -> bool {
        self.0 == other
    }
}

impl<T: PartialEq + 'static, const N: usize> PartialEq<[T; N]> for Reused<T> {
    fn eq(&self, other: &[T; N]) -> bool {
        self.0 == other
    }
}

impl<'a, T: 'static> IntoIterator for &'a Reused<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a, T: 'static> IntoIterator for &'a mut Reused<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Thing(Reused<u16>);

    #[test]
    fn memory_serves_again_for_the_same_size_and_kind() {
        let first: Reused<u64> = (0..200).collect();
        let (place, room) = (first.as_ptr(), first.capacity());
        assert_eq!(room, 256);
        drop(first);
        let other: Reused<u64> = (0..400).collect();
        assert_ne!(other.as_ptr(), place);
        let again: Reused<u64> = (0..170).collect();
        assert_eq!((again.as_ptr(), again.len()), (place, 170));
    }

    #[test]
    fn a_list_that_grows_leaves_its_memory_to_others() {
        let mut list = Reused::<i16>::new();
        for value in 0..100 {
            list.push(value);
        }
        assert_eq!(*list, (0..100).collect::<Vec<i16>>());
        let small: Reused<i16> = (0..8).collect();
        assert_eq!(small, [0, 1, 2, 3, 4, 5, 6, 7]);
        let filtered: Reused<i16> = (0..64).filter(|it| it % 2 == 0).collect();
        assert_eq!((filtered.len(), filtered.capacity()), (32, 256));
    }

    #[test]
    fn lists_of_lists_and_empty_ones_are_dropped_like_any_other() {
        let things = || -> Reused<Thing> { (0..3).map(|n| Thing((0..n).collect())).collect() };
        let first = things();
        let (place, second) = (first.as_ptr(), first.clone());
        assert_eq!(first, second);
        drop(first);
        assert_eq!(things().as_ptr(), place);
        assert_eq!(Reused::<Thing>::with_capacity(0).capacity(), 0);
        let nothing: Reused<()> = std::iter::repeat_n((), 10).collect();
        assert_eq!(nothing.len(), 10);
    }

    #[test]
    fn a_thread_keeps_no_more_than_it_may() {
        let room = 1 << 12;
        let n_max = KEPT_BYTES_MAX / (room * size_of::<u32>());
        let many: Vec<Reused<u32>> = (0..n_max + 5).map(|_| Reused::filled(1, room)).collect();
        drop(many);
        let n_kept = with_kept::<u32, _>(|kept| kept.0[12].len());
        assert_eq!(n_kept, Some(n_max));
        drop(Reused::<u32>::filled(0, 2 * LIST_BYTES_MAX));
        let n_kept = with_kept::<u32, usize>(|kept| kept.0.iter().map(Vec::len).sum());
        assert_eq!(n_kept, Some(n_max));
    }

    #[test]
    fn copying_over_a_list_keeps_its_memory() {
        let mut target: Reused<u8> = (0..30).collect();
        let place = target.as_ptr();
        target.clone_from(&(0..20).rev().collect());
        assert_eq!((target.as_ptr(), target[0], target.len()), (place, 19, 20));
    }
}
