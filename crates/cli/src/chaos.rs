//! When which agent is killed, and when it comes back: a function of a seed.

use std::time::Duration;

use crate::intervals::split_mix;

/// From one kill to the next, and how long the dead stay away, in milliseconds.
const KILL_EVERY_MILLIS: (u64, u64) = (2_000, 8_000);
const AWAY_MILLIS: (u64, u64) = (500, 3_000);

/// The next kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill {
    /// After the one before, or after the start.
    pub(crate) after: Duration,
    /// Whom.
    pub(crate) agent_idx: usize,
    /// How long it is dead.
    pub(crate) away: Duration,
}

/// Kills without end, of a seed.
#[derive(Debug, Clone)]
pub(crate) struct Chaos {
    state: u64,
    n_agents: usize,
}

impl Chaos {
    pub(crate) fn new(seed: u64, n_agents: usize) -> Self {
        Self {
            state: seed,
            n_agents,
        }
    }

    fn within(&mut self, (min, max): (u64, u64)) -> u64 {
        min + split_mix(&mut self.state) % (max - min + 1)
    }
}

impl Iterator for Chaos {
    type Item = Kill;

    fn next(&mut self) -> Option<Kill> {
        let last_idx = self.n_agents.checked_sub(1)? as u64;
        Some(Kill {
            after: Duration::from_millis(self.within(KILL_EVERY_MILLIS)),
            agent_idx: self.within((0, last_idx)) as usize,
            away: Duration::from_millis(self.within(AWAY_MILLIS)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_who_dies_when() {
        let kills = |seed| Chaos::new(seed, 8).take(100).collect::<Vec<_>>();
        assert_eq!(kills(1), kills(1));
        assert_ne!(kills(1), kills(2));
        for kill in kills(1) {
            assert!((2_000..=8_000).contains(&kill.after.as_millis()));
            assert!((500..=3_000).contains(&kill.away.as_millis()));
        }
        let mut killed: Vec<usize> = kills(1).iter().map(|it| it.agent_idx).collect();
        killed.sort_unstable();
        killed.dedup();
        assert_eq!(killed, (0..8).collect::<Vec<_>>());
        assert_eq!(Chaos::new(1, 0).next(), None);
    }
}
