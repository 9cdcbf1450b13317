//! What a query gets, and when it ends.

use std::time::Duration;

use sedge_oni::{Key, KeyPattern};

use super::{Listener, PATIENCE, Pair, Speaker, key, live, message};
use crate::{Network, Received, Served, Signal, no_wake};

pub(super) fn check_all(make: &mut dyn FnMut() -> Pair) {
    a_query_gets_what_is_served(make());
    a_query_gets_one_answer_of_each_key_that_it_matches(make());
    a_query_is_answered_at_home(make());
    a_query_ends_though_nobody_answers(make());
    what_is_no_longer_served_is_not_answered(make());
}

/// Waits until `asker` knows everything that `answerer` declared so far: declarations arrive in
/// their order.
fn settle(answerer: &dyn Network, asker: &dyn Network) {
    let marker = key("settled");
    let _listener = Listener::new(answerer, marker.as_str(), live());
    let _speaker = Speaker::heard(asker, &marker, live());
}

fn serve(network: &dyn Network, key: &Key, number: u32) -> Box<dyn Served> {
    let served = network.serve(key, message(number));
    served.expect("a network that serves")
}

/// Every answer to a query, by key.
fn ask(network: &dyn Network, pattern: &str, timeout: Duration) -> Vec<Received> {
    let signal = Signal::new();
    let pattern = KeyPattern::parse(pattern).expect("a pattern of the tests");
    let replies = network.query(&pattern, timeout, signal.wake());
    let mut replies = replies.expect("a network that can be asked");
    let mut answers = Vec::new();
    loop {
        answers.extend(std::iter::from_fn(|| replies.try_next()));
        if replies.is_finished() {
            break;
        }
        assert!(
            signal.wait(PATIENCE),
            "expected an answer or the end in {PATIENCE:?}"
        );
    }
    assert_eq!(replies.dropped(), 0, "expected few answers");
    answers.sort_by(|one, other| one.key.cmp(&other.key));
    answers
}

fn check(answers: &[Received], expected: &[(Key, u32)]) {
    let keys = |keys: Vec<&Key>| keys.into_iter().map(Key::to_string).collect::<Vec<_>>();
    assert_eq!(
        keys(answers.iter().map(|answer| &answer.key).collect()),
        keys(expected.iter().map(|(key, _)| key).collect()),
    );
    for (answer, (key, number)) in answers.iter().zip(expected) {
        assert!(
            answer.message == message(*number),
            "expected message {number} of {key} whole"
        );
    }
}

fn a_query_gets_what_is_served((near, far): Pair) {
    let served = serve(&*near, &key("front"), 1);
    assert_eq!(served.key(), &key("front"));
    settle(&*near, &*far);
    for _ in 0..3 {
        let answers = ask(&*far, key("front").as_str(), PATIENCE);
        check(&answers, &[(key("front"), 1)]);
    }
}

fn a_query_gets_one_answer_of_each_key_that_it_matches((near, far): Pair) {
    let other = Key::parse("oni/flock/crane4/sensor.lidar/front").expect("a key");
    let _served = [
        serve(&*near, &key("front"), 1),
        serve(&*near, &key("rear"), 2),
        serve(&*near, &other, 3),
    ];
    settle(&*near, &*far);
    let answers = ask(&*far, "oni/*/crane3/sensor.lidar/**", PATIENCE);
    check(&answers, &[(key("front"), 1), (key("rear"), 2)]);
    let answers = ask(&*far, "oni/*/*/*/front", PATIENCE);
    check(&answers, &[(key("front"), 1), (other, 3)]);
}

fn a_query_is_answered_at_home((near, _far): Pair) {
    let _served = serve(&*near, &key("front"), 1);
    let answers = ask(&*near, "oni/**", PATIENCE);
    check(&answers, &[(key("front"), 1)]);
}

fn a_query_ends_though_nobody_answers((near, far): Pair) {
    let _served = serve(&*near, &key("front"), 1);
    settle(&*near, &*far);
    let answers = ask(&*far, key("rear").as_str(), Duration::from_millis(100));
    check(&answers, &[]);
    let pattern = KeyPattern::from(&key("front"));
    let abandoned = far.query(&pattern, PATIENCE, no_wake());
    drop(abandoned.expect("a network that can be asked"));
}

fn what_is_no_longer_served_is_not_answered((near, far): Pair) {
    let gone = serve(&*near, &key("front"), 1);
    let _stays = serve(&*near, &key("rear"), 2);
    settle(&*near, &*far);
    drop(gone);
    settle(&*near, &*far);
    let answers = ask(&*far, "oni/**", PATIENCE);
    check(&answers, &[(key("rear"), 2)]);
}
