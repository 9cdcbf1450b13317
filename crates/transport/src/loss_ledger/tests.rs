use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn key() -> Key {
    Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap()
}

fn source(epoch: u64, sequence: u64) -> Source {
    Source {
        agent: AgentName::new("crane3").unwrap(),
        epoch,
        sequence,
    }
}

fn counts_of(arrivals: &[(u64, u64)]) -> LossCounts {
    let mut ledger = LossLedger::new();
    for (epoch, sequence) in arrivals {
        ledger.observe(&key(), &source(*epoch, *sequence));
    }
    ledger.total()
}

#[test]
fn gaps_duplicates_and_late_arrivals_are_told_apart() {
    let mut ledger = LossLedger::new();
    let mut check = |sequence, expected| {
        assert_eq!(
            ledger.observe(&key(), &source(1, sequence)),
            expected,
            "{sequence}"
        );
    };
    check(0, Arrival::First);
    check(1, Arrival::InOrder);
    check(5, Arrival::AfterGap { missing: 3 });
    check(5, Arrival::Duplicate);
    check(3, Arrival::Reordered);
    check(3, Arrival::Duplicate);
    check(6, Arrival::InOrder);
    let expected = LossCounts {
        received: 5,
        lost: 2,
        duplicated: 2,
        reordered: 1,
        ..LossCounts::default()
    };
    assert_eq!(ledger.of(&source(1, 0).agent, &key()), Some(expected));
}

#[test]
fn what_came_before_the_reader_is_missed_and_not_lost() {
    let counts = counts_of(&[(1, 100), (1, 101)]);
    assert_eq!(
        (counts.missed_at_start, counts.lost, counts.received),
        (100, 0, 2)
    );
    let counts = counts_of(&[(1, 100), (1, 99), (1, 101)]);
    assert_eq!(
        (counts.missed_at_start, counts.lost, counts.reordered),
        (99, 0, 1)
    );
}

#[test]
fn a_restart_half_way_counts_what_the_new_epoch_lost() {
    let counts = counts_of(&[(1, 0), (1, 1), (2, 3), (2, 4), (1, 2), (2, 1)]);
    let expected = LossCounts {
        received: 5,
        lost: 2,
        reordered: 1,
        restarts: 1,
        unplaced: 1,
        ..LossCounts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn beyond_the_window_nothing_is_claimed() {
    let counts = counts_of(&[(1, 0), (1, WINDOW + 5), (1, 0), (1, 7)]);
    assert_eq!(
        (counts.unplaced, counts.reordered, counts.duplicated),
        (1, 1, 0)
    );
    assert_eq!(counts.lost, WINDOW + 4 - 1);
}

#[test]
fn absurd_sequence_numbers_saturate() {
    let counts = counts_of(&[(1, 0), (1, u64::MAX), (2, u64::MAX), (u64::MAX, 0)]);
    assert_eq!(
        (counts.received, counts.restarts, counts.lost),
        (4, 2, u64::MAX)
    );
}

#[test]
fn streams_beyond_the_limit_are_counted_and_not_kept() {
    let mut ledger = LossLedger::new();
    for idx in 0..STREAMS_MAX + 10 {
        let agent = AgentName::new(format!("crane{idx}")).unwrap();
        ledger.observe(
            &key(),
            &Source {
                agent,
                epoch: 1,
                sequence: 0,
            },
        );
    }
    assert_eq!(
        (ledger.streams().count(), ledger.untracked()),
        (STREAMS_MAX, 10)
    );
}

proptest! {
    /// Any arrivals within the window against a set of what came.
    #[test]
    fn counts_agree_with_a_set_of_all_that_came(
        arrivals in proptest::collection::vec(0..WINDOW, 1..300),
    ) {
        let counts = counts_of(&arrivals.iter().map(|n| (1, *n)).collect::<Vec<_>>());
        let came: BTreeSet<u64> = arrivals.iter().copied().collect();
        let newest = *came.last().unwrap();
        prop_assert_eq!(counts.received, came.len() as u64);
        prop_assert_eq!(counts.duplicated, (arrivals.len() - came.len()) as u64);
        prop_assert_eq!(counts.lost + counts.missed_at_start, newest + 1 - came.len() as u64);
        prop_assert_eq!(counts.unplaced, 0);
    }

    /// Arrivals near and far behind, twice and again, over restarts: against a plain set of each
    /// epoch, of which nothing further behind than the window may be told.
    #[test]
    fn wild_reordering_and_duplication_are_counted_as_a_plain_set_would(
        steps in proptest::collection::vec((0..20_u8, 0..2 * WINDOW), 1..400),
    ) {
        // No run is long enough to come down to epoch 0.
        let (mut epoch, mut newest) = (1_000, 0);
        let mut came: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        let mut expected = LossCounts::default();
        let mut first = None;
        let mut arrivals = Vec::new();
        for (kind, distance) in steps {
            let (of, sequence) = match kind {
                0 => (epoch + 1, distance % 5),
                1 => (epoch - 1, distance),
                2..6 => (epoch, newest + distance),
                6..12 => (epoch, newest + distance % 7),
                // Mostly within the window, now and then at its edge or beyond.
                _ => (epoch, u64::saturating_sub(newest, distance % (WINDOW + 40))),
            };
            arrivals.push((of, sequence));
            if first.is_none() {
                (first, epoch, newest) = (Some((of, sequence)), of, sequence);
            } else if of > epoch {
                (epoch, newest) = (of, sequence);
                expected.restarts += 1;
            } else if of < epoch || sequence + WINDOW <= newest {
                expected.unplaced += 1;
                continue;
            }
            if came.entry(of).or_default().insert(sequence) {
                expected.received += 1;
                expected.reordered += u64::from(sequence < newest);
                newest = newest.max(sequence);
            } else {
                expected.duplicated += 1;
            }
        }
        let (first_epoch, first) = first.unwrap_or_default();
        for (of, came) in &came {
            let newest = came.last().copied().unwrap_or(0);
            let start = if *of == first_epoch { first } else { 0 };
            let before = came.range(..start).count() as u64;
            expected.missed_at_start += start - before;
            expected.lost += newest + 1 - start - (came.len() as u64 - before);
        }
        prop_assert_eq!(counts_of(&arrivals), expected);
    }
}
