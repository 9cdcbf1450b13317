//! What whoever subscribes later gets of what was put before.

use super::{Listener, Pair, Speaker, key, message};
use crate::{PutOutcome, Qos, QosClass};

pub(super) fn check_all(make: &mut dyn FnMut() -> Pair) {
    a_late_joiner_gets_the_last_messages_once(make());
    a_late_joiner_gets_the_last_of_each_publisher(make());
    each_side_asks_for_its_half_of_the_history(make());
    the_history_goes_with_its_publisher(make());
}

fn kept(history: usize) -> Qos {
    Qos::of(QosClass::State).with_history(history)
}

fn a_late_joiner_gets_the_last_messages_once((near, far): Pair) {
    let qos = kept(3).lossless();
    let mut speaker = Speaker::new(&*near, &key("front"), qos);
    for number in 0..5 {
        assert_eq!(speaker.put(number), PutOutcome::Sent, "message {number}");
    }
    for _ in 0..2 {
        let mut listener = Listener::new(&*far, "oni/**", kept(3));
        for number in 2..5 {
            assert!(
                listener.next_message().message == message(number),
                "expected message {number} of the last 3"
            );
        }
        speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
        assert_eq!(speaker.put(2), PutOutcome::Sent);
        assert_eq!(speaker.put(3), PutOutcome::Sent);
        assert_eq!(speaker.put(4), PutOutcome::Sent);
        for number in 2..5 {
            assert!(
                listener.next_message().message == message(number),
                "expected message {number} as it was put, and no second copy of the last 3"
            );
        }
        assert!(listener.is_empty(), "expected each message once");
        drop(listener);
        speaker.wait_until("nobody", |publisher| !publisher.has_subscribers());
    }
}

fn a_late_joiner_gets_the_last_of_each_publisher((near, far): Pair) {
    let mut front = Speaker::new(&*near, &key("front"), kept(1));
    let mut rear = Speaker::new(&*near, &key("rear"), kept(1));
    for number in 0..3 {
        assert_eq!(front.put(number), PutOutcome::Sent);
        assert_eq!(rear.put(10 + number), PutOutcome::Sent);
    }
    let mut listener = Listener::new(&*far, "oni/**", kept(1));
    let mut came = [listener.next_message(), listener.next_message()];
    came.sort_by(|one, other| one.key.cmp(&other.key));
    assert!(
        came[0].key == key("front") && came[0].message == message(2),
        "expected the last of one"
    );
    assert!(
        came[1].key == key("rear") && came[1].message == message(12),
        "expected the last of the other"
    );
}

fn each_side_asks_for_its_half_of_the_history((near, far): Pair) {
    let mut rich = Speaker::new(&*near, &key("front"), kept(3));
    let mut poor = Speaker::new(&*near, &key("rear"), kept(0));
    for number in 0..3 {
        assert_eq!(rich.put(number), PutOutcome::Sent);
        assert_eq!(poor.put(number), PutOutcome::Sent);
    }
    let mut wants_none = Listener::new(&*far, "oni/**", kept(0));
    let mut wants_one = Listener::new(&*far, "oni/*/*/*/front", kept(1));
    let mut wants_what_is_not_kept = Listener::new(&*far, "oni/*/*/*/rear", kept(2));
    assert!(
        wants_one.next_message().message == message(2),
        "expected the one last message that was asked for"
    );
    rich.wait_until("a listener", |publisher| publisher.has_subscribers());
    poor.wait_until("a listener", |publisher| publisher.has_subscribers());
    assert_eq!(rich.put(7), PutOutcome::Sent);
    for listener in [&mut wants_none, &mut wants_one] {
        assert!(
            listener.next_message().message == message(7),
            "expected no history that was not asked for"
        );
    }
    assert_eq!(poor.put(8), PutOutcome::Sent);
    for listener in [&mut wants_none, &mut wants_what_is_not_kept] {
        assert!(
            listener.next_message().message == message(8),
            "expected no history that was not kept"
        );
    }
}

fn the_history_goes_with_its_publisher((near, far): Pair) {
    let mut gone = Speaker::new(&*near, &key("front"), kept(1));
    assert_eq!(gone.put(1), PutOutcome::Sent);
    drop(gone);
    let mut stays = Speaker::new(&*near, &key("front"), kept(1));
    assert_eq!(stays.put(2), PutOutcome::Sent);
    let mut listener = Listener::new(&*far, "oni/**", kept(1));
    assert!(
        listener.next_message().message == message(2),
        "expected nothing of a publisher that is gone"
    );
}
