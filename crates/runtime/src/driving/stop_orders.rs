//! Who told this robot to stop, and has not released it.

use std::collections::BTreeMap;

use sedge_oni::{Key, Severity, Source};

/// Senders of stop orders that are kept apart.
const SENDERS_MAX: usize = 64;

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Taken,
    /// Older than what its sender said last.
    Older,
    /// Its sender is one too many: it is obeyed, and nobody can release it.
    Unreleasable,
}

#[derive(Debug)]
struct Order {
    epoch: u64,
    sequence: u64,
    severity: Severity,
}

/// The newest order of each sender, by the key that it sends under.
#[derive(Debug, Default)]
pub(crate) struct StopOrders {
    orders: BTreeMap<Key, Order>,
    /// The worst of those that there was no room for.
    unreleasable: Option<Severity>,
}

impl StopOrders {
    pub(crate) fn hear(&mut self, key: &Key, source: &Source, severity: Severity) -> Heard {
        let (epoch, sequence) = (source.epoch, source.sequence);
        let order = Order {
            epoch,
            sequence,
            severity,
        };
        if let Some(known) = self.orders.get_mut(key) {
            if (epoch, sequence) <= (known.epoch, known.sequence) {
                return Heard::Older;
            }
            *known = order;
            return Heard::Taken;
        }
        if self.orders.len() == SENDERS_MAX {
            self.forget_one_released();
        }
        if self.orders.len() == SENDERS_MAX {
            self.unreleasable = self.unreleasable.max(Some(severity));
            return Heard::Unreleasable;
        }
        self.orders.insert(key.clone(), order);
        Heard::Taken
    }

    /// The worst order in force, and who gave it.
    pub(crate) fn worst(&self) -> Option<(Severity, &str)> {
        let orders = self.orders.iter();
        let orders = orders.map(|(key, order)| (order.severity, key.agent()));
        let unknown = self.unreleasable.map(|severity| (severity, "too many"));
        let all = orders.chain(unknown);
        all.filter(|(severity, _)| *severity > Severity::Release)
            .max_by_key(|(severity, _)| *severity)
    }

    fn forget_one_released(&mut self) {
        let released = |order: &Order| order.severity == Severity::Release;
        let idle = self.orders.iter().find(|(_, order)| released(order));
        if let Some(key) = idle.map(|(key, _)| key.clone()) {
            self.orders.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use sedge_spacetime::AgentName;

    use super::*;

    fn hear(orders: &mut StopOrders, who: &str, at: (u64, u64), severity: Severity) -> Heard {
        let agent = AgentName::new(who).unwrap();
        let key = Key::parse(&format!("oni/flock/{who}/event.stop/button")).unwrap();
        let (epoch, sequence) = at;
        let source = Source {
            agent,
            epoch,
            sequence,
        };
        orders.hear(&key, &source, severity)
    }

    #[test]
    fn the_worst_order_counts_until_its_own_sender_releases_it() {
        let mut orders = StopOrders::default();
        assert_eq!(orders.worst(), None);
        hear(&mut orders, "ann", (1, 0), Severity::Hold);
        hear(&mut orders, "bob", (1, 0), Severity::Stop);
        assert_eq!(orders.worst(), Some((Severity::Stop, "bob")));
        hear(&mut orders, "ann", (1, 1), Severity::Release);
        assert_eq!(orders.worst(), Some((Severity::Stop, "bob")));
        hear(&mut orders, "bob", (1, 1), Severity::Release);
        assert_eq!(orders.worst(), None);
    }

    #[test]
    fn what_came_late_or_is_of_an_epoch_before_changes_nothing() {
        let mut orders = StopOrders::default();
        hear(&mut orders, "ann", (2, 5), Severity::Emergency);
        for (epoch, sequence) in [(2, 5), (2, 4), (1, 900)] {
            let heard = hear(&mut orders, "ann", (epoch, sequence), Severity::Release);
            assert_eq!(heard, Heard::Older);
        }
        assert_eq!(orders.worst(), Some((Severity::Emergency, "ann")));
        hear(&mut orders, "ann", (3, 0), Severity::Release);
        assert_eq!(orders.worst(), None, "a sender that began anew may release");
    }

    #[test]
    fn orders_without_room_are_obeyed_for_good() {
        let mut orders = StopOrders::default();
        let name = |idx: usize| format!("a{idx}");
        for idx in 0..SENDERS_MAX {
            hear(&mut orders, &name(idx), (1, 0), Severity::Hold);
        }
        let heard = hear(&mut orders, "late", (1, 0), Severity::Stop);
        assert_eq!(heard, Heard::Unreleasable);
        for idx in 0..SENDERS_MAX {
            hear(&mut orders, &name(idx), (1, 1), Severity::Release);
        }
        assert_eq!(orders.worst(), Some((Severity::Stop, "too many")));
        // A released sender's place is free again.
        let heard = hear(&mut orders, "later", (1, 0), Severity::Hold);
        assert_eq!(heard, Heard::Taken);
    }
}
