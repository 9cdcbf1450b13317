use std::sync::Arc;

use sedge_oni::{AlignedBytes, EncodedMessage, Key};
use sedge_spacetime::ManualClock;

use super::*;
use crate::{QosClass, no_wake};

fn key() -> Key {
    Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap()
}

fn queued(number: u8, expiry: Option<i64>) -> Queued {
    Queued {
        received: Received {
            key: key(),
            message: EncodedMessage::new([number], AlignedBytes::default()),
            arrival: Stamp::ZERO,
        },
        expiry: expiry.map(Stamp::from_nanos),
    }
}

struct Ring {
    clock: Arc<ManualClock>,
    drops: SharedDrops,
    writer: RingWriter,
    reader: RingReader,
}

fn ring_of(qos: Qos) -> Ring {
    let clock = Arc::new(ManualClock::default());
    let drops = SharedDrops::new();
    let (writer, reader) =
        accounted_ring(qos, no_wake(), Arc::clone(&clock) as Arc<_>, drops.clone());
    Ring {
        clock,
        drops,
        writer,
        reader,
    }
}

impl Ring {
    fn read(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.reader.try_next())
            .map(|received| received.message.header()[0])
            .collect()
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.snapshot().of(&key(), DropPlace::Queue, reason)
    }
}

fn state(depth: usize) -> Qos {
    Qos::of(QosClass::State).with_depth(depth)
}

#[test]
fn what_expires_while_it_waits_is_not_read() {
    let mut ring = ring_of(state(4));
    for (number, expiry) in [(1, Some(5)), (2, None), (3, Some(10))] {
        assert_eq!(ring.writer.offer(queued(number, expiry)), Offer::Kept);
    }
    ring.clock.advance_to(Stamp::from_nanos(10));
    assert_eq!(ring.read(), [2, 3], "at its expiry a message is still good");
    assert_eq!(ring.dropped(DropReason::Expired), 1);
    assert_eq!(ring.writer.offer(queued(4, Some(9))), Offer::Expired);
    assert_eq!(ring.dropped(DropReason::Expired), 2);
    assert_eq!(ring.reader.dropped(), 0, "that counts what was full");
}

#[test]
fn room_is_made_by_what_expired_before_what_is_oldest() {
    let mut ring = ring_of(state(2));
    assert_eq!(ring.writer.offer(queued(1, None)), Offer::Kept);
    assert_eq!(ring.writer.offer(queued(2, Some(5))), Offer::Kept);
    ring.clock.advance_to(Stamp::from_nanos(6));
    assert_eq!(ring.writer.offer(queued(3, None)), Offer::Kept);
    assert_eq!(ring.writer.offer(queued(4, None)), Offer::KeptForOldest);
    assert_eq!(ring.read(), [3, 4]);
    assert_eq!(ring.dropped(DropReason::Expired), 1);
    assert_eq!(ring.dropped(DropReason::Full), 1);
}

#[test]
fn a_lossless_ring_refuses_until_something_was_read_or_expired() {
    let mut ring = ring_of(state(1).lossless());
    assert_eq!(ring.writer.offer(queued(1, Some(5))), Offer::Kept);
    assert_eq!(ring.writer.offer(queued(2, None)), Offer::Full);
    assert_eq!(ring.writer.room(), 0);
    ring.clock.advance_to(Stamp::from_nanos(6));
    assert_eq!(ring.writer.room(), 1);
    assert_eq!(ring.writer.offer(queued(3, None)), Offer::Kept);
    assert_eq!(ring.read(), [3]);
}

#[test]
fn a_safety_ring_says_that_the_deadline_has_passed() {
    let mut ring = ring_of(Qos::of(QosClass::Safety));
    assert_eq!(ring.writer.offer(queued(1, Some(5))), Offer::Kept);
    ring.clock.advance_to(Stamp::from_nanos(6));
    assert!(ring.read().is_empty());
    assert_eq!(ring.dropped(DropReason::PastDeadline), 1);
}

#[test]
fn what_nobody_will_read_is_counted_when_the_reader_goes() {
    let Ring {
        drops,
        writer,
        reader,
        ..
    } = ring_of(state(4));
    assert_eq!(writer.offer(queued(1, None)), Offer::Kept);
    assert_eq!(writer.offer(queued(2, None)), Offer::Kept);
    drop(reader);
    assert_eq!(writer.offer(queued(3, None)), Offer::Closed);
    let drops = drops.snapshot();
    assert_eq!(drops.of(&key(), DropPlace::Queue, DropReason::Closed), 2);
    assert_eq!(drops.total(), 2);
}
