//! When the sensor streams begin anew.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sedge_oni::{Key, Source};
use sedge_spacetime::Stamp;
use sedge_transport::{Arrival, STREAMS_MAX};

/// Epochs that are remembered as over; messages of older ones are long gone from any network.
const OVER_MAX: usize = 16;
/// Stamps that run back by more than this, in messages that are in order, begin a new run of the
/// same log; by less, they are late.
const REWIND_MIN: Duration = Duration::from_secs(1);

/// What a message means for the belief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuity {
    /// It goes on.
    Continues,
    /// The sender began anew: nothing believed so far may be mixed with this.
    Restarted,
    /// The sender's stamps ran back: as a restart.
    Rewound,
    /// It is of an epoch that is over.
    Over,
    /// It came already, or is too old to tell.
    Stale,
}

/// Tells a restart from a late message.
///
/// Several keys may share a sender, and so an epoch: the first message of a new epoch on any of
/// them restarts all, and later ones of the old epoch on the others are over. Senders with epochs
/// of their own (a scanner's driver beside an odometry's) restart by themselves.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    epochs: BTreeMap<Key, u64>,
    over: VecDeque<u64>,
    restarted_by: Option<u64>,
}

impl Restarts {
    /// Whether this epoch is known to be over.
    pub(crate) fn is_over(&self, epoch: u64) -> bool {
        self.over.contains(&epoch)
    }

    /// Judges a message; `newest` is the newest stamp of its kind so far.
    pub(crate) fn judge(
        &mut self,
        key: &Key,
        source: &Source,
        arrival: Arrival,
        stamps: (Option<Stamp>, Stamp),
    ) -> Continuity {
        if self.is_over(source.epoch) {
            return Continuity::Over;
        }
        match arrival {
            Arrival::Duplicate | Arrival::Unplaced => return Continuity::Stale,
            Arrival::Reordered => return Continuity::Continues,
            _ => {}
        }
        let before = self.epochs.get(key).copied();
        if before.is_some() || self.epochs.len() < STREAMS_MAX {
            self.epochs.insert(key.clone(), source.epoch);
        }
        if let Some(before) = before.filter(|before| *before != source.epoch) {
            self.over.push_back(before);
            if self.over.len() > OVER_MAX {
                self.over.pop_front();
            }
            if self.restarted_by != Some(source.epoch) {
                self.restarted_by = Some(source.epoch);
                return Continuity::Restarted;
            }
            return Continuity::Continues;
        }
        match stamps {
            (Some(newest), stamp) if newest.saturating_since(stamp) > REWIND_MIN => {
                Continuity::Rewound
            }
            _ => Continuity::Continues,
        }
    }
}

#[cfg(test)]
mod tests {
    use sedge_spacetime::AgentName;

    use super::*;

    fn judge(
        restarts: &mut Restarts,
        (message_type, epoch): (&str, u64),
        arrival: Arrival,
        stamps_secs: (Option<i64>, i64),
    ) -> Continuity {
        let stamp = |secs: i64| Stamp::from_nanos(secs * 1_000_000_000);
        let agent = AgentName::new("crane3").unwrap();
        let key = Key::new(&agent, &agent, message_type, "front").unwrap();
        let source = Source {
            agent,
            epoch,
            sequence: 0,
        };
        let stamps = (stamps_secs.0.map(stamp), stamp(stamps_secs.1));
        restarts.judge(&key, &source, arrival, stamps)
    }

    const LIDAR: &str = "sensor.lidar";
    const ODOMETRY: &str = "sensor.odometry";

    #[test]
    fn a_new_epoch_restarts_once_for_all_keys_of_its_sender() {
        let mut restarts = Restarts::default();
        let first = (None, 0);
        for message_type in [ODOMETRY, LIDAR] {
            let judged = judge(&mut restarts, (message_type, 1), Arrival::First, first);
            assert_eq!(judged, Continuity::Continues);
        }
        let restarted = Arrival::Restarted { missing: 0 };
        let judged = judge(&mut restarts, (ODOMETRY, 2), restarted, (Some(9), 0));
        assert_eq!(judged, Continuity::Restarted);
        let judged = judge(&mut restarts, (LIDAR, 1), Arrival::InOrder, (None, 9));
        assert_eq!(judged, Continuity::Over);
        let judged = judge(&mut restarts, (LIDAR, 2), restarted, (None, 0));
        assert_eq!(judged, Continuity::Continues);
    }

    #[test]
    fn senders_with_their_own_epochs_restart_by_themselves() {
        let mut restarts = Restarts::default();
        judge(&mut restarts, (ODOMETRY, 5), Arrival::First, (None, 0));
        judge(&mut restarts, (LIDAR, 3), Arrival::First, (None, 0));
        let restarted = Arrival::Restarted { missing: 0 };
        let judged = judge(&mut restarts, (LIDAR, 9), restarted, (Some(1), 2));
        assert_eq!(judged, Continuity::Restarted);
        let judged = judge(&mut restarts, (ODOMETRY, 5), Arrival::InOrder, (Some(1), 2));
        assert_eq!(judged, Continuity::Continues);
    }

    #[test]
    fn stamps_that_run_back_in_order_rewind_and_late_ones_do_not() {
        let mut restarts = Restarts::default();
        judge(&mut restarts, (LIDAR, 1), Arrival::First, (None, 50));
        let late = judge(
            &mut restarts,
            (LIDAR, 1),
            Arrival::Reordered,
            (Some(50), 20),
        );
        let near = judge(&mut restarts, (LIDAR, 1), Arrival::InOrder, (Some(50), 49));
        let back = judge(&mut restarts, (LIDAR, 1), Arrival::InOrder, (Some(50), 48));
        assert_eq!(
            [late, near, back],
            [
                Continuity::Continues,
                Continuity::Continues,
                Continuity::Rewound
            ]
        );
    }

    #[test]
    fn copies_are_stale() {
        let mut restarts = Restarts::default();
        let judged = judge(&mut restarts, (LIDAR, 1), Arrival::Duplicate, (Some(5), 5));
        assert_eq!(judged, Continuity::Stale);
    }
}
