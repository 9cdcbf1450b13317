//! The newest of one kind that each robot said, until it is drawn or too old.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_spacetime::{AgentName, Stamp};

/// What is older than this is drawn no more: its robot has stopped saying it.
const STALE: Duration = Duration::from_secs(1);
/// Robots whose words are kept.
const ROBOTS_MAX: usize = super::cast::ROBOTS_MAX;

/// One kind of thing, robot by robot.
#[derive(Debug)]
pub(super) struct Newest<T> {
    said: BTreeMap<AgentName, Said<T>>,
    /// Since the last time.
    gone: Vec<AgentName>,
    has_news: bool,
    next_due: Option<Stamp>,
}

#[derive(Debug)]
struct Said<T> {
    stamp: Stamp,
    what: T,
    is_new: bool,
}

/// What is to be drawn now.
#[derive(Debug)]
pub(super) struct Due<'a, T> {
    /// Everything that is fresh, and whether it has not been drawn before.
    pub(super) fresh: Vec<(&'a AgentName, &'a T, bool)>,
    /// Whose drawing is to vanish.
    pub(super) gone: Vec<AgentName>,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self {
            said: BTreeMap::new(),
            gone: Vec::new(),
            has_news: false,
            next_due: None,
        }
    }
}

impl<T> Newest<T> {
    /// Keeps what a robot said; whether there was room.
    pub(super) fn put(&mut self, name: AgentName, stamp: Stamp, what: T) -> bool {
        if self.said.len() >= ROBOTS_MAX && !self.said.contains_key(&name) {
            return false;
        }
        let said = Said {
            stamp,
            what,
            is_new: true,
        };
        self.said.insert(name, said);
        self.has_news = true;
        true
    }

    /// What is to be drawn at this time, if anything is: calls `draw` with it.
    pub(super) fn draw_if_due(
        &mut self,
        now: Stamp,
        period: Duration,
        draw: impl FnOnce(Due<'_, T>),
    ) {
        // Time that runs backwards (a log played again) starts anew.
        let waits = self
            .next_due
            .is_some_and(|due| now < due && now + period >= due);
        if waits {
            return;
        }
        let gone = &mut self.gone;
        self.said.retain(|name, said| {
            let is_fresh = now.saturating_since(said.stamp) <= STALE;
            if !is_fresh {
                gone.push(name.clone());
            }
            is_fresh
        });
        if !self.has_news && gone.is_empty() {
            return;
        }
        let fresh = self.said.iter();
        let fresh = fresh
            .map(|(name, said)| (name, &said.what, said.is_new))
            .collect();
        draw(Due {
            fresh,
            gone: std::mem::take(gone),
        });
        self.said.values_mut().for_each(|said| said.is_new = false);
        self.has_news = false;
        self.next_due = Some(now + period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_drawn_once_per_period_and_the_stale_vanishes() {
        let name = AgentName::new("crane1").unwrap();
        let at = |millis: i64| Stamp::from_nanos(millis * 1_000_000);
        let mut newest = Newest::default();
        let mut drawn = Vec::new();
        let mut step = |said: Option<i32>, millis: i64| {
            if let Some(said) = said {
                assert!(newest.put(name.clone(), at(millis), said));
            }
            newest.draw_if_due(at(millis), Duration::from_millis(200), |due| {
                let values: Vec<i32> = due.fresh.iter().map(|(_, what, _)| **what).collect();
                drawn.push((millis, values, due.gone.len()));
            });
        };
        step(Some(1), 0);
        step(Some(2), 100);
        step(Some(3), 200);
        step(None, 400);
        step(None, 1300);
        step(None, 1600);
        step(Some(4), 0);
        let expected = [
            (0, vec![1], 0),
            (200, vec![3], 0),
            (1300, vec![], 1),
            (0, vec![4], 0),
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn robots_have_a_limit() {
        let mut newest = Newest::default();
        let name = |idx: usize| AgentName::new(format!("crane{idx}")).unwrap();
        let taken = (0..2 * ROBOTS_MAX).filter(|idx| newest.put(name(*idx), Stamp::ZERO, ()));
        assert_eq!(taken.count(), ROBOTS_MAX);
        assert!(newest.put(name(0), Stamp::ZERO, ()), "known ones go on");
    }
}
