//! What a package reaches through others, from `Cargo.lock`.

use std::collections::{BTreeMap, VecDeque};

use toml::{Table, Value};

/// Package names and the names they depend on. Versions are left out: what is asked is whether a
/// vendor is reached at all. Dependencies of tests are in it, which makes the answer stricter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockGraph {
    edges: BTreeMap<String, Vec<String>>,
}

impl LockGraph {
    /// From the text of a `Cargo.lock`.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let table: Table = toml::from_str(text)?;
        let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for package in table
            .get("package")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let name = package
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let listed = package.get("dependencies").and_then(Value::as_array);
            let names = listed.into_iter().flatten().filter_map(Value::as_str);
            // "name", "name version" or "name version (source)".
            let names = names
                .filter_map(|entry| entry.split(' ').next())
                .map(str::to_owned);
            edges.entry(name.to_owned()).or_default().extend(names);
        }
        Ok(Self { edges })
    }

    /// Whether there is a package of this name.
    pub fn has(&self, package: &str) -> bool {
        self.edges.contains_key(package)
    }

    /// A shortest path from a package to the first one that is a target, both ends included.
    pub fn path_to(&self, from: &str, is_target: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let (start, _) = self.edges.get_key_value(from)?;
        let mut open = VecDeque::from([start.as_str()]);
        while let Some(package) = open.pop_front() {
            if package != from && is_target(package) {
                let mut path = vec![package.to_owned()];
                let mut end = package;
                while let Some(before) = came_from.get(end) {
                    path.push((*before).to_owned());
                    end = before;
                }
                path.reverse();
                return Some(path);
            }
            for next in self.edges.get(package).into_iter().flatten() {
                if next != from && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, package);
                    open.push_back(next);
                }
            }
        }
        None
    }
}
