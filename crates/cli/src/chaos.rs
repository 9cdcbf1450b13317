//! What goes wrong on purpose, and when: a function of a seed.

use std::time::Duration;

use serde::Serialize;

use crate::intervals::split_mix;

/// From one kill to the next, and how long the dead stay away, in milliseconds.
const KILL_EVERY_MILLIS: (u64, u64) = (2_000, 8_000);
const AWAY_MILLIS: (u64, u64) = (500, 3_000);
/// From one silence to the next, and how long it lasts: longer than a robot takes to stand.
const SILENCE_EVERY_MILLIS: (u64, u64) = (1_000, 5_000);
const SILENT_MILLIS: (u64, u64) = (800, 1_500);
/// One silence in so many is that of the whole world.
const WORLDS_ONE_IN: u64 = 8;
/// Kills and silences draw from sequences of their own.
const SILENCES: u64 = 0x51_1E_4C_E5;

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

/// What is not heard any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Withheld {
    /// `sensor.lidar`.
    Scans,
    /// `sensor.odometry`.
    Odometry,
    /// Every sensor: as if the robot's base or the simulator stood still.
    Everything,
}

/// The next silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    /// After the beginning of the one before, or after the start.
    pub(crate) after: Duration,
    /// Whose sensors; everybody's where there is none.
    pub(crate) robot_idx: Option<usize>,
    /// Which of them.
    pub(crate) withheld: Withheld,
    /// For how long.
    pub(crate) lasts: Duration,
}

#[derive(Debug, Clone)]
struct Draws {
    state: u64,
    n_agents: u64,
}

impl Draws {
    fn within(&mut self, (min, max): (u64, u64)) -> u64 {
        min + split_mix(&mut self.state) % (max - min + 1)
    }

    fn millis(&mut self, limits: (u64, u64)) -> Duration {
        Duration::from_millis(self.within(limits))
    }

    fn agent_idx(&mut self) -> Option<usize> {
        let last_idx = self.n_agents.checked_sub(1)?;
        usize::try_from(self.within((0, last_idx))).ok()
    }
}

/// Kills without end, of a seed.
pub(crate) fn kills(seed: u64, n_agents: usize) -> impl Iterator<Item = Kill> {
    let mut draws = Draws {
        state: seed,
        n_agents: n_agents as u64,
    };
    std::iter::from_fn(move || {
        Some(Kill {
            after: draws.millis(KILL_EVERY_MILLIS),
            agent_idx: draws.agent_idx()?,
            away: draws.millis(AWAY_MILLIS),
        })
    })
}

/// Silences without end, of a seed.
pub(crate) fn silences(seed: u64, n_agents: usize) -> impl Iterator<Item = Silence> + Send {
    let mut draws = Draws {
        state: seed ^ SILENCES,
        n_agents: n_agents as u64,
    };
    std::iter::from_fn(move || {
        let after = draws.millis(SILENCE_EVERY_MILLIS);
        let robot_idx = draws.agent_idx()?;
        let is_worlds = draws.within((1, WORLDS_ONE_IN)) == 1;
        let withheld = match draws.within((0, 2)) {
            _ if is_worlds => Withheld::Everything,
            0 => Withheld::Scans,
            1 => Withheld::Odometry,
            _ => Withheld::Everything,
        };
        Some(Silence {
            after,
            robot_idx: (!is_worlds).then_some(robot_idx),
            withheld,
            lasts: draws.millis(SILENT_MILLIS),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of_them(mut idxs: Vec<usize>) -> Vec<usize> {
        idxs.sort_unstable();
        idxs.dedup();
        idxs
    }

    #[test]
    fn a_seed_says_who_dies_when() {
        let hundred = |seed| kills(seed, 8).take(100).collect::<Vec<_>>();
        assert_eq!(hundred(1), hundred(1));
        assert_ne!(hundred(1), hundred(2));
        for kill in hundred(1) {
            assert!((2_000..=8_000).contains(&kill.after.as_millis()));
            assert!((500..=3_000).contains(&kill.away.as_millis()));
        }
        let killed = hundred(1).iter().map(|it| it.agent_idx).collect();
        assert_eq!(all_of_them(killed), (0..8).collect::<Vec<_>>());
        assert_eq!(kills(1, 0).next(), None);
    }

    #[test]
    fn a_seed_says_what_falls_silent_when() {
        let hundred = |seed| silences(seed, 8).take(100).collect::<Vec<_>>();
        assert_eq!(hundred(1), hundred(1));
        assert_ne!(hundred(1), hundred(2));
        let silent = hundred(1).iter().filter_map(|it| it.robot_idx).collect();
        assert_eq!(all_of_them(silent), (0..8).collect::<Vec<_>>());
        let n_of = |withheld| {
            let hundred = hundred(1).into_iter();
            hundred.filter(|it| it.withheld == withheld).count()
        };
        for withheld in [Withheld::Scans, Withheld::Odometry, Withheld::Everything] {
            assert!(n_of(withheld) > 10, "{withheld:?}");
        }
        let worlds = hundred(1).into_iter().filter(|it| it.robot_idx.is_none());
        assert!((2..50).contains(&worlds.count()));
        assert_eq!(silences(1, 0).next(), None);
    }
}
