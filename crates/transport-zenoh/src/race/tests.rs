use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;

use sedge_spacetime::ManualClock;

use super::*;

fn wire<'n>(sends: &'n str, receives: &'n str, purpose: Purpose) -> Wire<'n> {
    Wire {
        sends: Some(sends),
        receives: Some(receives),
        payload_bytes: 1_000,
        purpose,
    }
}

/// Two sessions of each stack, the second linked with the first.
fn pairs() -> Vec<(Box<dyn Stack>, Box<dyn Stack>)> {
    let clock = || Arc::new(ManualClock::default());
    let (oni_far, at) = OniStack::open(Link::Tcp, &[], clock()).unwrap();
    let (oni_near, _) = OniStack::open(Link::Tcp, &[at], clock()).unwrap();
    let (raw_far, at) = RawStack::open(Link::Tcp, &[]).unwrap();
    let (raw_near, _) = RawStack::open(Link::Tcp, &[at]).unwrap();
    let attaching = raw_near.attaching(100);
    vec![
        (Box::new(oni_near), Box::new(oni_far)),
        (Box::new(raw_near), Box::new(raw_far.clone())),
        (Box::new(attaching), Box::new(raw_far.attaching(100))),
    ]
}

#[test]
fn every_so_many_messages_get_one_answer() {
    for (near, far) in pairs() {
        for (purpose, n) in [(Purpose::RoundTrip, 1), (Purpose::Throughput, 20)] {
            let mut far = far.end(wire("back", "out", purpose)).unwrap();
            let mut near = near.end(wire("out", "back", purpose)).unwrap();
            meet(&*near, &ManualClock::default()).unwrap();
            let has_ended = AtomicBool::new(false);
            scope(|scope| {
                let ended = || has_ended.load(Ordering::Acquire);
                let served = scope.spawn(move || serve(&mut *far, Some(n), &ended));
                for _ in 0..3 {
                    assert!(ask(&mut *near, n, 1_000).unwrap());
                }
                has_ended.store(true, Ordering::Release);
                assert_eq!(served.join().unwrap().unwrap(), 3 * n as u64);
            });
        }
    }
}

#[test]
fn an_answer_of_another_size_is_none() {
    let (near, far) = pairs().remove(0);
    let mut far = far.end(wire("back", "out", Purpose::RoundTrip)).unwrap();
    let mut near = near.end(wire("out", "back", Purpose::RoundTrip)).unwrap();
    meet(&*near, &ManualClock::default()).unwrap();
    meet(&*far, &ManualClock::default()).unwrap();
    far.send().unwrap();
    assert!(!ask(&mut *near, 0, 999).unwrap());
}

#[test]
fn an_end_that_only_receives_does_not_send() {
    let (near, _far) = pairs().remove(1);
    let one_way = Wire {
        sends: None,
        ..wire("out", "back", Purpose::RoundTrip)
    };
    let mut end = near.end(one_way).unwrap();
    assert!(!end.is_heard());
    let error = end.send().unwrap_err().to_string();
    assert_eq!(error, "expected an end that sends, got one that does not");
}

#[test]
fn an_answer_from_the_receiving_thread_comes_back() {
    let (far, at) = RawStack::open(Link::Tcp, &[]).unwrap();
    let (near, _) = RawStack::open(Link::Tcp, &[at]).unwrap();
    let _answering = RawCallback::answer(&far, 64).unwrap();
    let mut near = RawCallback::ask(&near, 64).unwrap();
    meet(&*near, &ManualClock::default()).unwrap();
    assert!(ask(&mut *near, 1, 64).unwrap());
}

#[test]
fn a_name_that_is_no_chunk_of_a_key_is_refused() {
    let (near, _far) = pairs().remove(0);
    let error = near.end(wire("a/b", "back", Purpose::RoundTrip));
    assert!(matches!(error.err(), Some(RaceError::Key(_))));
}
