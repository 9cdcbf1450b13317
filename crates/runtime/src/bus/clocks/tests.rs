use super::*;
use sedge_oni::LedgerEntry;

use crate::bus::test_messages::{at_millis, encoded};

/// A header that says that it was put at `millis` on the clock `clock`.
fn put_at(clock: &str, millis: i64) -> Header {
    let nanos = at_millis(millis).nanos().unsigned_abs();
    let entry = LedgerEntry::of_parts(["put@", clock], nanos).unwrap();
    let message = encoded(|header| header.envelope.ledger.push(entry));
    Header::decode(message.header()).unwrap()
}

fn close(got: Option<f64>, expected: f64) {
    assert!((got.unwrap() - expected).abs() < 1e-9, "{got:?} {expected}");
}

#[test]
fn the_quickest_message_and_round_trip_bound_the_offset() {
    let mut clocks = Clocks::new(Some("ours".into()));
    // Theirs is 50 ms ahead; messages take 8, 3 and 5 ms.
    for (at, delay) in [(0, 8), (100, 3), (200, 5)] {
        clocks.observe(&put_at("theirs", at + 50), at_millis(at + delay));
    }
    let unanswered = clocks.views();
    assert_eq!((unanswered[0].offset_secs, unanswered[0].stamps), (None, 3));
    close(Some(unanswered[0].ahead_secs_min), 0.047);
    clocks.answered("crane3", Duration::from_millis(12));
    clocks.answered("crane3", Duration::from_millis(7));
    let view = &clocks.views()[0];
    close(view.offset_secs, 0.0505);
    close(view.error_secs, 0.0035);
    let (offset, error) = (view.offset_secs.unwrap(), view.error_secs.unwrap());
    assert!((offset - error..=offset + error).contains(&0.050));
}

#[test]
fn one_machines_own_clock_has_no_offset() {
    let mut clocks = Clocks::new(Some("ours".into()));
    clocks.observe(&put_at("ours", 0), at_millis(4));
    let view = &clocks.views()[0];
    assert!(view.is_ours);
    assert_eq!((view.offset_secs, view.error_secs), (Some(0.0), Some(0.0)));
}

#[test]
fn an_agent_that_moved_to_another_machine_is_bounded_anew() {
    let mut clocks = Clocks::new(None);
    clocks.observe(&put_at("one", 9_000), at_millis(0));
    clocks.observe(&put_at("two", 10), at_millis(11));
    let view = &clocks.views()[0];
    assert_eq!((view.clock.as_str(), view.stamps), ("two", 1));
    close(Some(view.ahead_secs_min), -0.001);
}

#[test]
fn a_message_that_does_not_say_when_it_was_put_says_nothing() {
    let mut clocks = Clocks::new(None);
    let header = Header::decode(encoded(|_| {}).header()).unwrap();
    clocks.observe(&header, at_millis(0));
    clocks.answered("crane3", Duration::from_millis(1));
    assert_eq!(clocks.views(), []);
}
