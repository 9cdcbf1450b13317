//! Who reads what: looked up once for each key, as keys are declared before a run.

use std::collections::BTreeMap;

use sedge_oni::{Key, KeyPattern};
use sedge_transport::Qos;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    World,
    Member(usize),
}

/// What the world or a member reads and writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    pub(super) subscriptions: Vec<(KeyPattern, Qos)>,
    pub(super) publications: Vec<(Key, Qos)>,
}

/// The readers of every declared key, the world first and then members in their order.
#[derive(Debug)]
pub(super) struct Routes(BTreeMap<Key, Vec<Target>>);

impl Routes {
    pub(super) fn new(world: &Streams, members: &[Streams]) -> Self {
        let of_members = members.iter().flat_map(|streams| &streams.publications);
        let published = world.publications.iter().chain(of_members);
        let reads = |subscriptions: &[(KeyPattern, Qos)], key: &Key| {
            let mut patterns = subscriptions.iter();
            patterns.any(|(pattern, _)| pattern.matches(key))
        };
        let targets = |key: &Key| {
            let readers = members.iter().enumerate();
            let readers = readers.filter(|(_, streams)| reads(&streams.subscriptions, key));
            let world = reads(&world.subscriptions, key).then_some(Target::World);
            let readers = readers.map(|(idx, _)| Target::Member(idx));
            world.into_iter().chain(readers).collect()
        };
        let route = |(key, _): &(Key, Qos)| (key.clone(), targets(key));
        Self(published.map(route).collect())
    }

    /// The readers of a key; none where it was not declared.
    pub(super) fn of(&self, key: &Key) -> Option<&[Target]> {
        self.0.get(key).map(Vec::as_slice)
    }
}
