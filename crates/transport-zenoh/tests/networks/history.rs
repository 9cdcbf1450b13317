//! Late joiners across outages.

use sedge_transport::conformance::{Listener, PATIENCE, Speaker, key, message};
use sedge_transport::{PutOutcome, Qos, QosClass};
use zenoh::Wait as _;
use zenoh_ext::{
    AdvancedPublisherBuilderExt as _, AdvancedSubscriberBuilderExt as _, CacheConfig,
    HistoryConfig, MissDetectionConfig,
};

use crate::{Mode, listening, open, plain_zenoh, routed, router};

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

#[test]
fn an_advanced_subscriber_of_zenoh_gets_our_last_message() {
    let near = open(&listening());
    let mut speaker = Speaker::new(&near, &key("front"), Qos::of(QosClass::Belief));
    assert_eq!(speaker.put(1), PutOutcome::Sent);
    assert_eq!(speaker.put(2), PutOutcome::Sent);
    let stranger = plain_zenoh(&near);
    let (came, samples) = std::sync::mpsc::channel();
    let _subscriber = stranger
        .declare_subscriber("oni/**")
        .callback(move |sample| came.send(sample).unwrap())
        .history(
            HistoryConfig::default()
                .max_samples(1)
                .detect_late_publishers(),
        )
        .wait()
        .unwrap();
    let expect = |number: u32| {
        let sample = samples.recv_timeout(PATIENCE).unwrap();
        assert_eq!(sample.key_expr().as_str(), key("front").as_str());
        assert_eq!(
            sample.payload().to_bytes(),
            message(number).payload(),
            "message {number}"
        );
        let header = sample.attachment().unwrap();
        assert_eq!(header.to_bytes(), message(number).header());
    };
    expect(2);
    speaker.wait_until("the stranger", |publisher| publisher.has_subscribers());
    assert_eq!(speaker.put(3), PutOutcome::Sent);
    expect(3);
}

#[test]
fn we_get_the_last_messages_of_an_advanced_publisher_of_zenoh() {
    let near = open(&listening());
    let stranger = plain_zenoh(&near);
    let publisher = stranger
        .declare_publisher(key("front").as_str().to_string())
        .cache(CacheConfig::default().max_samples(4))
        .sample_miss_detection(MissDetectionConfig::default())
        .publisher_detection()
        .wait()
        .unwrap();
    let put = |number: u32| {
        let sent = message(number);
        publisher
            .put(sent.payload())
            .attachment(sent.header())
            .wait()
            .unwrap();
    };
    (0..6).for_each(put);
    crate::wait_until("the stranger", || near.n_peers() == 1);
    let mut listener = Listener::new(&near, "oni/**", Qos::of(QosClass::State).with_history(2));
    for number in 4..6 {
        assert!(
            listener.next_message().message == message(number),
            "message {number}"
        );
    }
    crate::wait_until("to be known to it", || {
        publisher.matching_status().wait().unwrap().matching()
    });
    put(6);
    assert!(listener.next_message().message == message(6));
    assert!(listener.is_empty());
}
