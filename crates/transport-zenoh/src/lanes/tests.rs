use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

const LIVE: LaneName = LaneName {
    priority: Priority::RealTime,
    is_lossless: false,
};
const PATIENCE: Duration = Duration::from_secs(20);

/// Says that it was begun, and goes on when it is told to.
struct Step {
    number: u32,
    done: Sender<u32>,
    gate: Option<Receiver<()>>,
    replaces: bool,
}

impl Job for Step {
    fn len_bytes(&self) -> usize {
        LANE_BYTES_MAX / 4
    }

    fn run(self: Box<Self>) {
        if let Some(gate) = &self.gate {
            assert_eq!(gate.recv_timeout(PATIENCE), Ok(()));
        }
        self.done.send(self.number).unwrap();
    }

    fn replaces(&self, waiting: &dyn Job) -> bool {
        self.replaces && waiting.owner() == self.owner()
    }

    fn replaced(self: Box<Self>) {
        self.done.send(1_000 + self.number).unwrap();
    }
}

fn step(number: u32, done: &Sender<u32>) -> Step {
    Step {
        number,
        done: done.clone(),
        gate: None,
        replaces: false,
    }
}

#[test]
fn a_stalled_lane_takes_what_it_has_room_for_and_refuses_the_rest() {
    let lanes = Lanes::new();
    let lane = lanes.lane(LIVE).unwrap();
    let (done, results) = channel();
    let (open, gate) = channel();
    let stalled = Step {
        gate: Some(gate),
        ..step(0, &done)
    };
    lane.push(Box::new(stalled), Duration::ZERO).unwrap();
    // Until the thread has taken the first one, it is in the queue too.
    let mut n_taken = 0;
    let refused = loop {
        match lane.push(Box::new(step(n_taken + 1, &done)), Duration::ZERO) {
            Ok(()) => n_taken += 1,
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refused, Refusal::Full);
    assert!((3..=4).contains(&n_taken), "took {n_taken} quarters");
    open.send(()).unwrap();
    for number in 0..=n_taken {
        assert_eq!(results.recv_timeout(PATIENCE), Ok(number), "in order");
    }
    assert_eq!(
        lane.push(Box::new(step(9, &done)), PATIENCE),
        Ok(()),
        "there is room again"
    );
    lanes.close();
    assert_eq!(
        results.recv_timeout(PATIENCE),
        Ok(9),
        "sent before it closed"
    );
    let refused = lane.push(Box::new(step(10, &done)), PATIENCE);
    assert_eq!(refused, Err(Refusal::Closed));
    assert!(lanes.lane(LIVE).is_none());
}

#[test]
fn the_newest_takes_the_place_of_one_that_waits() {
    let lanes = Lanes::new();
    let lane = lanes.lane(LIVE).unwrap();
    let (done, results) = channel();
    let (open, gate) = channel();
    let stalled = Step {
        gate: Some(gate),
        ..step(0, &done)
    };
    lane.push(Box::new(stalled), Duration::ZERO).unwrap();
    for number in 1..=20 {
        let newest = Step {
            replaces: number > 1,
            ..step(number, &done)
        };
        // The first may replace the stalled one if that was not taken yet.
        lane.push(Box::new(newest), Duration::ZERO).unwrap();
    }
    open.send(()).unwrap();
    lanes.close();
    let results: Vec<u32> = results.try_iter().collect();
    assert_eq!(results.last(), Some(&20), "{results:?}");
    assert_eq!(results.len(), 21, "each was done or replaced: {results:?}");
}
