use proptest::prelude::*;
use sedge_oni::AlignedBytes;
use sedge_spacetime::ManualClock;

use super::*;
use crate::conformance::key;
use crate::{DropRow, QosClass, no_wake};

#[test]
fn it_keeps_the_contract_of_networks() {
    crate::conformance::check_all(&mut || {
        let network = InProcessNetwork::new(Arc::new(ManualClock::new(Stamp::from_nanos(1))));
        (Box::new(network.clone()), Box::new(network))
    });
}

#[test]
fn a_wake_may_read_from_the_ring_that_it_is_called_for() {
    let network = InProcessNetwork::new(Arc::new(ManualClock::default()));
    let key = Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot: Arc<Mutex<Option<Box<dyn Subscriber>>>> = Arc::default();
    let wake: Wake = {
        let (slot, seen) = (Arc::clone(&slot), Arc::clone(&seen));
        Arc::new(move || {
            if let Some(subscriber) = slot.lock().unwrap().as_mut() {
                seen.lock().unwrap().extend(subscriber.try_next());
            }
        })
    };
    let qos = Qos::of(crate::QosClass::State);
    *slot.lock().unwrap() = Some(
        network
            .subscriber(&KeyPattern::from(&key), qos, wake)
            .unwrap(),
    );
    let mut publisher = network.publisher(&key, qos, crate::no_wake()).unwrap();
    let message = EncodedMessage::new(b"header", sedge_oni::AlignedBytes::default());
    assert_eq!(publisher.put(&message), PutOutcome::Sent);
    assert_eq!(seen.lock().unwrap().len(), 1);
    *slot.lock().unwrap() = None;
}

/// What can happen on a network.
#[derive(Debug, Clone)]
enum Event {
    /// Publisher, and in how many nanoseconds from now it expires, or expired.
    Put(usize, Option<i64>),
    /// Reader, and how many messages at most.
    Read(usize, usize),
    Wait(i64),
    Join(usize),
    Leave(usize),
}

const N_READERS: usize = 4;

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3_usize, proptest::option::of(-3..20_i64)).prop_map(|(p, e)| Event::Put(p, e)),
        3 => (0..N_READERS, 1..6_usize).prop_map(|(r, n)| Event::Read(r, n)),
        2 => (1..10_i64).prop_map(Event::Wait),
        1 => (0..N_READERS).prop_map(Event::Join),
        1 => (0..N_READERS).prop_map(Event::Leave),
    ]
}

/// What was put, read and lost, for all readers together.
#[derive(Debug, Default)]
struct Sums {
    sent: u64,
    late: u64,
    shed: u64,
    /// A message sent counts for each reader that was there.
    owed: u64,
    read: u64,
}

struct World {
    clock: Arc<ManualClock>,
    network: InProcessNetwork,
    publishers: Vec<Box<dyn Publisher>>,
    readers: Vec<Option<Box<dyn Subscriber>>>,
    sums: Sums,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
        let live = Qos::of(QosClass::State);
        let publisher = |stream, qos| network.publisher(&key(stream), qos, no_wake()).unwrap();
        let publishers = vec![
            publisher("front", live),
            publisher("rear", live.lossless()),
            publisher("front", Qos::of(QosClass::Safety)),
        ];
        Self {
            clock,
            network,
            publishers,
            readers: (0..N_READERS).map(|_| None).collect(),
            sums: Sums::default(),
        }
    }

    fn join(&mut self, idx: usize) {
        let live = Qos::of(QosClass::State).with_depth(5);
        let (pattern, qos) = [
            ("oni/**", live),
            ("oni/*/*/*/front", live.with_depth(1)),
            ("oni/**", live.lossless()),
            ("oni/*/*/*/rear", Qos::of(QosClass::Safety).with_depth(2)),
        ][idx];
        // None of them takes a history, which would be owed to nobody.
        let pattern = KeyPattern::parse(pattern).unwrap();
        let qos = qos.with_history(0);
        self.readers[idx] = Some(self.network.subscriber(&pattern, qos, no_wake()).unwrap());
    }

    fn put(&mut self, idx: usize, expires_in: Option<i64>) {
        let now = self.clock.now();
        let message = EncodedMessage::new([0], AlignedBytes::default());
        let publisher = &mut self.publishers[idx];
        let outcome = match expires_in {
            Some(nanos) => {
                let expiry = Stamp::from_nanos(now.nanos() + nanos);
                publisher.put_before(&message, expiry, now)
            }
            None => publisher.put(&message),
        };
        let key = publisher.key().clone();
        match outcome {
            PutOutcome::Sent => {
                self.sums.sent += 1;
                let state = self.network.0.lock();
                self.sums.owed += state.listeners_of(&key).count() as u64;
            }
            PutOutcome::Late => self.sums.late += 1,
            PutOutcome::Shed => {
                assert_eq!(idx, 1, "only the lossless one tries again");
                self.sums.shed += 1;
            }
            PutOutcome::Closed => panic!("it is open"),
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Put(idx, expires_in) => self.put(idx, expires_in),
            Event::Read(idx, n_max) => {
                if let Some(reader) = &mut self.readers[idx] {
                    let came = std::iter::from_fn(|| reader.try_next()).take(n_max);
                    self.sums.read += came.count() as u64;
                }
            }
            Event::Wait(nanos) => {
                let now = self.clock.now().nanos();
                self.clock.advance_to(Stamp::from_nanos(now + nanos));
            }
            Event::Join(idx) => self.join(idx),
            Event::Leave(idx) => self.readers[idx] = None,
        }
    }
}

proptest! {
    /// Every message that was put was read, waits, or is in the ledger with place and reason.
    #[test]
    fn everything_that_was_put_is_accounted(
        events in proptest::collection::vec(any_event(), 0..400),
    ) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        let readers = world.readers.iter().flatten();
        let waiting: usize = readers.map(|reader| reader.waiting()).sum();
        let drops = world.network.drops();
        let n_put = events.iter().filter(|event| matches!(event, Event::Put(..))).count() as u64;
        let Sums { sent, late, shed, owed, read } = world.sums;
        prop_assert_eq!(n_put, sent + late + shed);
        prop_assert_eq!(drops.at(DropPlace::Sender), late);
        prop_assert_eq!(owed, read + waiting as u64 + drops.at(DropPlace::Queue));
        prop_assert_eq!(drops.total(), drops.at(DropPlace::Sender) + drops.at(DropPlace::Queue));
        drop(world.readers);
        let left: Vec<DropRow> = world.network.drops().rows().collect();
        let closed = left.iter().filter(|row| row.reason == DropReason::Closed);
        let before = drops.because(DropReason::Closed);
        prop_assert_eq!(closed.map(|row| row.count).sum::<u64>(), before + waiting as u64);
    }
}
