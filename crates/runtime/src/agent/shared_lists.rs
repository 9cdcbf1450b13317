//! What events share with whoever remembers them.

use std::sync::Arc;

/// Lists of one kind that are remembered here. A model keeps a hundred or so scans as they came.
const LISTS_MAX: usize = 256;

/// Makes lists that events share. One that nobody has any more serves for a later event.
#[derive(Debug)]
pub(super) struct SharedLists<T> {
    lists: Vec<Arc<[T]>>,
    /// Where the search for a free one begins: behind the one that was given out last.
    next: usize,
}

impl<T> Default for SharedLists<T> {
    fn default() -> Self {
        Self {
            lists: Vec::new(),
            next: 0,
        }
    }
}

impl<T: Copy> SharedLists<T> {
    /// A list of these values.
    pub(super) fn of(&mut self, values: impl ExactSizeIterator<Item = T> + Clone) -> Arc<[T]> {
        let n = self.lists.len();
        for idx in (self.next..n).chain(0..self.next.min(n)) {
            let list = &mut self.lists[idx];
            if list.len() != values.len() {
                continue;
            }
            if let Some(free) = Arc::get_mut(list) {
                for (to, value) in free.iter_mut().zip(values) {
                    *to = value;
                }
                self.next = idx + 1;
                return Arc::clone(list);
            }
        }
        let list: Arc<[T]> = values.collect();
        if n < LISTS_MAX {
            self.lists.push(Arc::clone(&list));
        } else {
            // One of another length, or that somebody keeps.
            let idx = self.next % n;
            self.lists[idx] = Arc::clone(&list);
            self.next = idx + 1;
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_nobody_has_serves_again_and_others_do_not_change() {
        let mut lists = SharedLists::default();
        let first = lists.of([1, 2, 3].into_iter());
        let second = lists.of([4, 5, 6].into_iter());
        let place = first.as_ptr();
        drop(first);
        let third = lists.of([7, 8, 9].into_iter());
        assert_eq!(
            (third.as_ptr(), &*third, &*second),
            (place, &[7, 8, 9][..], &[4, 5, 6][..])
        );
        assert_eq!(*lists.of([1].into_iter()), [1]);
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let mut lists = SharedLists::default();
        let kept: Vec<_> = (0..2 * LISTS_MAX)
            .map(|n| lists.of([n].into_iter()))
            .collect();
        assert!(kept.iter().enumerate().all(|(n, list)| **list == [n]));
        assert_eq!(lists.lists.len(), LISTS_MAX);
    }
}
