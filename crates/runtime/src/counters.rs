//! Countable events, by name.

use std::collections::BTreeMap;

/// Names are constants of the code, so there are a few dozen at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    pub(crate) fn add(&mut self, name: &'static str) {
        self.add_many(name, 1);
    }

    /// Adding nothing makes no counter.
    pub(crate) fn add_many(&mut self, name: &'static str, n: u64) {
        if n > 0 {
            *self.0.entry(name).or_default() += n;
        }
    }

    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        self.0
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    }
}
