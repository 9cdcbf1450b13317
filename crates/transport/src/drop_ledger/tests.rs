use super::*;

fn key(stream: usize) -> Key {
    Key::parse(&format!("oni/flock/crane3/sensor.lidar/{stream}")).unwrap()
}

#[test]
fn drops_are_told_apart_by_key_place_and_reason() {
    let mut ledger = DropLedger::new();
    ledger.add(&key(2), DropPlace::Queue, DropReason::Full, 3);
    ledger.add(&key(1), DropPlace::Sender, DropReason::Expired, 2);
    ledger.add(&key(1), DropPlace::Queue, DropReason::Full, 1);
    ledger.add(&key(1), DropPlace::Queue, DropReason::Full, 1);
    ledger.add(&key(1), DropPlace::Reader, DropReason::Refused, 0);
    let row = |stream, place, reason, count| DropRow {
        key: key(stream),
        place,
        reason,
        count,
    };
    let expected = [
        row(1, DropPlace::Sender, DropReason::Expired, 2),
        row(1, DropPlace::Queue, DropReason::Full, 2),
        row(2, DropPlace::Queue, DropReason::Full, 3),
    ];
    assert_eq!(ledger.rows().collect::<Vec<_>>(), expected);
    assert_eq!(ledger.of(&key(1), DropPlace::Queue, DropReason::Full), 2);
    assert_eq!(ledger.of(&key(3), DropPlace::Queue, DropReason::Full), 0);
    assert_eq!(ledger.at(DropPlace::Queue), 5);
    assert_eq!(ledger.because(DropReason::Expired), 2);
    assert_eq!(ledger.total(), 7);
}

#[test]
fn beyond_the_limit_drops_are_counted_without_their_key() {
    let mut ledger = DropLedger::new();
    for stream in 0..DROP_KEYS_MAX + 5 {
        ledger.add(&key(stream), DropPlace::Queue, DropReason::Full, 2);
    }
    assert_eq!(ledger.unplaced(), 10);
    ledger.add(&key(0), DropPlace::Queue, DropReason::Closed, 1);
    assert_eq!(ledger.unplaced(), 10, "a known key has its row");
    assert_eq!(ledger.total(), 2 * (DROP_KEYS_MAX as u64 + 5) + 1);
}

#[test]
fn a_merged_ledger_has_the_sum_of_both() {
    let mut one = DropLedger::new();
    one.add(&key(1), DropPlace::Queue, DropReason::Full, u64::MAX - 1);
    let mut two = DropLedger::new();
    two.add(&key(1), DropPlace::Queue, DropReason::Full, 7);
    two.add(&key(2), DropPlace::Link, DropReason::Lost, 1);
    two.add_unplaced(4);
    one.merge(&two);
    assert_eq!(
        one.of(&key(1), DropPlace::Queue, DropReason::Full),
        u64::MAX
    );
    assert_eq!(one.of(&key(2), DropPlace::Link, DropReason::Lost), 1);
    assert_eq!(one.unplaced(), 4);
    assert_eq!(one.total(), u64::MAX, "saturates");
}

#[test]
fn names_are_unique_and_an_age_rule_has_its_reason() {
    let names: std::collections::BTreeSet<_> = DropPlace::ALL
        .map(DropPlace::name)
        .into_iter()
        .chain(DropReason::ALL.map(DropReason::name))
        .collect();
    assert_eq!(names.len(), DropPlace::ALL.len() + DropReason::ALL.len());
    assert_eq!(
        DropReason::too_old(AgeRule::Deadline),
        DropReason::PastDeadline
    );
    assert_eq!(DropReason::too_old(AgeRule::Lifespan), DropReason::Expired);
}

#[test]
fn a_reader_refuses_what_is_too_old_and_says_so() {
    use sedge_oni::{Capture, Sequence};
    let source = Sequence::new(sedge_spacetime::AgentName::new("crane3").unwrap(), 1).next_source();
    let at = Stamp::from_nanos;
    let mut envelope = Envelope::new(source, Capture::exact(at(100), "robot"));
    envelope.lifespan = Some(std::time::Duration::from_nanos(10));
    let drops = SharedDrops::new();
    assert!(drops.admit(&key(1), AgeRule::Lifespan, &envelope, at(110)));
    assert!(!drops.admit(&key(1), AgeRule::Lifespan, &envelope, at(111)));
    assert!(drops.admit(&key(1), AgeRule::Any, &envelope, at(111)));
    let drops = drops.snapshot();
    let refused = drops.of(&key(1), DropPlace::Reader, DropReason::Expired);
    assert_eq!((refused, drops.total()), (1, 1));
}
