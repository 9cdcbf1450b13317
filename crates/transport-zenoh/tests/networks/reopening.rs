//! Sessions that are opened anew.

use sedge_transport::conformance::{Listener, PATIENCE, Speaker, key, message};
use sedge_transport::{Network as _, PutOutcome, Qos, QosClass, Signal};

use crate::{pair, wait_until};

#[test]
fn everything_is_declared_again_and_nothing_comes_twice() {
    let (near, far) = pair();
    let state = Qos::of(QosClass::State);
    let belief = Qos::of(QosClass::Belief);
    let mut listener = Listener::new(&far, "oni/*/*/*/front", state);
    let mut believer = Listener::new(&far, "oni/*/*/*/rear", belief);
    let mut speaker = Speaker::heard(&near, &key("front"), state);
    let mut thinker = Speaker::heard(&near, &key("rear"), belief);
    let _served = near.serve(&key("top"), message(9)).unwrap();
    assert_eq!(thinker.put(1), PutOutcome::Sent);
    assert!(believer.next_message().message == message(1));
    let locators = near.locators();
    for round in 1..=3 {
        for (idx, network) in [&near, &far].into_iter().enumerate() {
            network.reopen_now();
            wait_until("another session", || network.counters().reopened == round);
            near.wait_for_peers(1, PATIENCE).unwrap();
            far.wait_for_peers(1, PATIENCE).unwrap();
            speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
            let number = 10 * round as u32 + idx as u32;
            assert_eq!(speaker.put(number), PutOutcome::Sent);
            assert!(listener.next_message().message == message(number));
        }
        assert_eq!(near.locators(), locators, "found where it was");
    }
    thinker.wait_until("a listener", |publisher| publisher.has_subscribers());
    assert_eq!(thinker.put(2), PutOutcome::Sent);
    assert!(
        believer.next_message().message == message(2),
        "not the first one again"
    );
    assert!(believer.is_empty() && listener.is_empty());
    let signal = Signal::new();
    let pattern = (&key("top")).into();
    let mut replies = far.query(&pattern, PATIENCE, signal.wake()).unwrap();
    let answer = loop {
        if let Some(answer) = replies.try_next() {
            break answer;
        }
        assert!(
            signal.wait(PATIENCE) && !replies.is_finished(),
            "nobody answers"
        );
    };
    assert!(answer.message == message(9));
}

/// Threads and open files of this process, where the system tells.
fn n_held() -> [usize; 2] {
    let count = |path| std::fs::read_dir(path).map_or(0, Iterator::count);
    [count("/proc/self/task"), count("/proc/self/fd")]
}

#[test]
fn many_sessions_leave_no_threads_and_no_files_behind() {
    const N_SESSIONS: u64 = 100;
    let (near, far) = pair();
    let qos = Qos::of(QosClass::Belief);
    let mut listener = Listener::new(&far, "oni/**", qos);
    let mut speaker = Speaker::heard(&near, &key("front"), qos);
    let mut before = [0; 2];
    for round in 1..=N_SESSIONS {
        far.reopen_now();
        wait_until("another session", || far.counters().reopened == round);
        near.wait_for_peers(1, PATIENCE).unwrap();
        speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
        assert_eq!(speaker.put(round as u32), PutOutcome::Sent);
        assert!(listener.next_message().message == message(round as u32));
        if round == 5 {
            before = n_held();
        }
    }
    // Other tests of this process come and go meanwhile; a leak would be one a session at least.
    let now = n_held();
    for (before, now) in before.into_iter().zip(now) {
        assert!(now < before + 50, "{before} before, {now} now");
    }
}
