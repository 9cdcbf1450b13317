use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{LinkQueue, Partition, Reordering};

const MILLI: Duration = Duration::from_millis(1);

fn at(millis: u32) -> Stamp {
    Stamp::ZERO + MILLI * millis
}

fn link(impairments: Impairments) -> ImpairedLink<u32> {
    ImpairedLink::new(7, Stamp::ZERO, impairments).unwrap()
}

/// Offers one message of 100 bytes each millisecond, and drains the link.
fn run(link: &mut ImpairedLink<u32>, n: u32) -> Vec<(Stamp, u32)> {
    let mut came = Vec::new();
    for number in 0..n {
        let now = at(number);
        came.extend(std::iter::from_fn(|| link.pop_due(now)));
        let (Ok(_) | Err(_)) = link.offer(now, number, 100);
    }
    while let Some(due) = link.next_due() {
        came.extend(link.pop_due(due));
    }
    came
}

fn numbers(came: &[(Stamp, u32)]) -> Vec<u32> {
    came.iter().map(|(_, number)| *number).collect()
}

#[test]
fn a_link_without_impairments_is_as_if_it_were_not_there() {
    let came = run(&mut link(Impairments::default()), 50);
    assert_eq!(came, (0..50).map(|n| (at(n), n)).collect::<Vec<_>>());
}

#[test]
fn delay_and_jitter_keep_the_order_unless_it_is_free() {
    let jittery = |order| Impairments {
        delay: MILLI * 20,
        jitter: MILLI * 10,
        order,
        ..Impairments::default()
    };
    let came = run(&mut link(jittery(LinkOrder::Kept)), 500);
    assert_eq!(numbers(&came), (0..500).collect::<Vec<_>>());
    let took = |(due, number): &(Stamp, u32)| due.saturating_since(at(*number));
    assert!(came.iter().all(|came| took(came) >= MILLI * 20));
    assert!(came.iter().all(|came| took(came) <= MILLI * 30));
    let came = run(&mut link(jittery(LinkOrder::Free)), 500);
    assert_ne!(numbers(&came), (0..500).collect::<Vec<_>>());
    let mut sorted = numbers(&came);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..500).collect::<Vec<_>>());
    assert!(came.is_sorted_by_key(|(due, _)| *due));
}

#[test]
fn messages_that_are_held_back_are_overtaken() {
    let mut link = link(Impairments {
        reordering: Reordering {
            probability: 0.1,
            by: MILLI * 5,
        },
        ..Impairments::default()
    });
    let came = run(&mut link, 1_000);
    let late = came.iter().filter(|(due, n)| *due == at(n + 5)).count() as u64;
    assert_eq!(late, link.counts().held_back);
    assert!((60..140).contains(&late), "{late} of 1000 at 10 %");
    assert_eq!(came.len(), 1_000);
}

#[test]
fn a_rate_makes_a_queue_that_is_full_at_its_end() {
    let mut link = link(Impairments {
        // 100 bytes take 2 ms, twice as long as between two messages.
        rate: Some(Rate {
            bytes_per_sec: 50_000,
        }),
        queue: LinkQueue {
            items_max: 10,
            bytes_max: 1_000_000,
        },
        ..Impairments::default()
    });
    let came = run(&mut link, 200);
    assert!(came.is_sorted());
    let gaps = came
        .windows(2)
        .map(|pair| pair[1].0.saturating_since(pair[0].0));
    assert!(gaps.into_iter().all(|gap| gap == MILLI * 2));
    let counts = link.counts();
    assert_eq!(counts.full, 200 - came.len() as u64);
    assert_eq!(
        came.len(),
        109,
        "99 sent until the last was offered, and 10 queued"
    );
    let worst = came
        .iter()
        .map(|(due, n)| due.saturating_since(at(*n)))
        .max();
    assert_eq!(worst, Some(MILLI * 20), "a full queue of 10 at 2 ms each");
}

#[test]
fn a_queue_is_bounded_in_bytes_and_an_idle_link_takes_any_size() {
    let mut link = link(Impairments {
        rate: Some(Rate {
            bytes_per_sec: 1_000,
        }),
        queue: LinkQueue {
            items_max: 10,
            bytes_max: 100,
        },
        ..Impairments::default()
    });
    assert_eq!(link.offer(at(0), 1, 500), Ok(1));
    assert!(!link.has_room(at(499), 1));
    assert_eq!(link.waiting_bytes(at(499)), 500);
    assert!(link.has_room(at(500), 1));
    assert_eq!(link.offer(at(500), 2, 60), Ok(1));
    let dropped = link.offer(at(500), 3, 60);
    let reason = DropReason::Full;
    assert_eq!(dropped, Err(LinkDrop { item: 3, reason }));
}

#[test]
fn bursts_have_the_length_and_the_share_that_was_asked_for() {
    let mut link = link(Impairments {
        loss: Loss::Bursts {
            fail: 0.01,
            recover: 0.2,
            loss_good: 0.0,
            loss_bad: 1.0,
        },
        ..Impairments::default()
    });
    let n = 50_000;
    let came = numbers(&run(&mut link, n));
    let gaps: Vec<u32> = came
        .windows(2)
        .map(|pair| pair[1] - pair[0] - 1)
        .filter(|gap| *gap > 0)
        .collect();
    let share = f64::from(n - came.len() as u32) / f64::from(n);
    let mean = f64::from(gaps.iter().sum::<u32>()) / gaps.len() as f64;
    // 0.01 / 0.21, within 4 standard errors of so many bursts.
    assert!((share - 0.0476).abs() < 0.012, "{share}");
    assert!((mean - 5.0).abs() < 1.0, "{mean}");
}

#[test]
fn a_cut_refuses_and_what_is_under_way_arrives() {
    let mut link = link(Impairments {
        delay: MILLI * 5,
        partitions: vec![Partition {
            from: MILLI * 10,
            until: MILLI * 20,
        }],
        ..Impairments::default()
    });
    let came = numbers(&run(&mut link, 30));
    assert_eq!(came, (0..10).chain(20..30).collect::<Vec<_>>());
    assert_eq!(link.counts().cut, 10);
    link.cut();
    assert!(link.is_cut(at(30)));
    let reason = DropReason::Partition;
    assert_eq!(
        link.offer(at(30), 30, 1),
        Err(LinkDrop { item: 30, reason })
    );
    link.heal();
    assert_eq!(link.offer(at(31), 31, 1), Ok(1));
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut link = link(Impairments {
        delay: Duration::MAX,
        ..Impairments::default()
    });
    for number in 0..IN_FLIGHT_MAX as u32 + 10 {
        let (Ok(_) | Err(_)) = link.offer(at(0), number, 1);
    }
    assert!(link.n_in_flight() <= IN_FLIGHT_MAX);
    assert!(link.counts().full >= 10);
}

#[test]
fn new_impairments_hold_for_what_is_offered_then() {
    let mut link = link(Impairments {
        delay: MILLI * 50,
        ..Impairments::default()
    });
    assert_eq!(link.offer(at(0), 1, 1), Ok(1));
    let bad = Impairments {
        duplication: 2.0,
        ..Impairments::default()
    };
    assert!(link.set_impairments(bad).is_err());
    assert_eq!(link.impairments().delay, MILLI * 50);
    let lossy = Impairments {
        loss: Loss::Independent { probability: 1.0 },
        ..Impairments::default()
    };
    assert_eq!(link.set_impairments(lossy), Ok(()));
    assert!(link.offer(at(1), 2, 1).is_err());
    assert_eq!(link.pop_due(at(49)), None);
    assert_eq!(link.pop_due(at(50)), Some((at(50), 1)));
}

fn any_impairments() -> impl Strategy<Value = Impairments> {
    let loss = prop_oneof![
        Just(Loss::None),
        (0.0..=1.0).prop_map(|probability| Loss::Independent { probability }),
        (0.0..=1.0, 0.0..=1.0, 0.0..=1.0, 0.0..=1.0).prop_map(
            |(fail, recover, loss_good, loss_bad)| Loss::Bursts {
                fail,
                recover,
                loss_good,
                loss_bad
            }
        ),
    ];
    let order = prop_oneof![Just(LinkOrder::Kept), Just(LinkOrder::Free)];
    let rate = proptest::option::of(1_000..1_000_000_u64);
    let cut = (0..100_u32, 1..50_u32);
    let spread = (0..30_u32, 0..30_u32, 0.0..=1.0, 0.0..=0.5, 0..20_u32);
    (loss, order, rate, cut, spread).prop_map(|(loss, order, rate, cut, spread)| Impairments {
        delay: MILLI * spread.0,
        jitter: MILLI * spread.1,
        order,
        loss,
        duplication: spread.2,
        reordering: Reordering {
            probability: spread.3,
            by: MILLI * spread.4,
        },
        rate: rate.map(|bytes_per_sec| Rate { bytes_per_sec }),
        queue: LinkQueue {
            items_max: 5,
            bytes_max: 1_000,
        },
        partitions: vec![Partition {
            from: MILLI * cut.0,
            until: MILLI * (cut.0 + cut.1),
        }],
    })
}

proptest! {
    /// Whatever the link does, what comes out is what it says that it took, and never too early.
    #[test]
    fn everything_that_was_offered_is_accounted(
        impairments in any_impairments(),
        seed in any::<u64>(),
    ) {
        let mut link = ImpairedLink::new(seed, Stamp::ZERO, impairments.clone()).unwrap();
        let came = run(&mut link, 200);
        let counts = link.counts();
        prop_assert_eq!(counts.offered, 200);
        prop_assert_eq!(counts.offered, counts.taken + counts.lost + counts.full + counts.cut);
        prop_assert_eq!(came.len() as u64, counts.taken + counts.copied);
        let mut times: BTreeMap<u32, u32> = BTreeMap::new();
        for (due, number) in &came {
            prop_assert!(*due >= at(*number) + impairments.delay);
            *times.entry(*number).or_default() += 1;
        }
        prop_assert_eq!(times.len() as u64, counts.taken);
        prop_assert!(times.values().all(|n| *n <= 2));
        prop_assert!(came.is_sorted_by_key(|(due, _)| *due));
        let mut again = ImpairedLink::new(seed, Stamp::ZERO, impairments).unwrap();
        prop_assert_eq!(run(&mut again, 200), came, "the seed decides");
    }
}
