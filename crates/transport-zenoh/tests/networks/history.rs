//! Late joiners across outages.

use sedge_transport::conformance::{Listener, Speaker, key, message};
use sedge_transport::{PutOutcome, Qos, QosClass};

use crate::{Mode, listening, open, routed, router};

#[test]
fn what_is_put_while_the_link_is_down_comes_once_when_it_is_back() {
    let router = router();
    let locator = router.locators()[0].clone();
    let (near, far) = routed(&router, Mode::Client);
    let qos = Qos::of(QosClass::State).with_history(2);
    let mut listener = Listener::new(&far, "oni/**", qos);
    let mut speaker = Speaker::heard(&near, &key("front"), qos);
    assert_eq!(speaker.put(1), PutOutcome::Sent);
    assert!(listener.next_message().message == message(1));
    router.close().unwrap();
    speaker.wait_until("nobody", |publisher| !publisher.has_subscribers());
    for number in 2..5 {
        assert_eq!(speaker.put(number), PutOutcome::Sent);
    }
    let config = sedge_transport_zenoh::ZenohConfig {
        listen: vec![locator],
        mode: Mode::Router,
        ..listening()
    };
    let _router = open(&config);
    for number in 3..5 {
        assert!(
            listener.next_message().message == message(number),
            "expected message {number} of the last two"
        );
    }
    speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
    assert_eq!(speaker.put(5), PutOutcome::Sent);
    assert!(
        listener.next_message().message == message(5),
        "expected each message once"
    );
    assert!(listener.is_empty());
}

#[test]
fn a_late_publisher_gives_its_last_message_to_an_early_subscriber() {
    let router = router();
    let (near, far) = routed(&router, Mode::Client);
    let qos = Qos::of(QosClass::Parameter);
    let mut listener = Listener::new(&far, "oni/**", qos);
    // Nobody is known to listen yet: the message may go to nobody, and comes all the same.
    let mut speaker = Speaker::new(&near, &key("front"), qos);
    assert_eq!(speaker.put(1), PutOutcome::Sent);
    assert!(listener.next_message().message == message(1));
    speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
    assert_eq!(speaker.put(2), PutOutcome::Sent);
    assert!(listener.next_message().message == message(2));
    assert!(listener.is_empty());
}
