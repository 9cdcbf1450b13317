//! One suite over every topology.

use sedge_transport::conformance::{self, Listener, Speaker, key};
use sedge_transport::{PutOutcome, Qos, QosClass};
use sedge_transport_zenoh::{Mode, ZenohConfig};

use crate::{
    dialling, listening, open, pair, pair_of, routed, router, wait_until, with_shared_memory,
};

#[test]
fn it_holds_from_peer_to_peer() {
    conformance::check_all(&mut || {
        let (near, far) = pair();
        (Box::new(near), Box::new(far))
    });
}

#[test]
fn it_holds_towards_the_peer_that_listens() {
    conformance::check_all(&mut || {
        let (near, far) = pair();
        (Box::new(far), Box::new(near))
    });
}

#[test]
fn it_holds_between_a_client_of_our_router_and_a_peer() {
    let mut routers = Vec::new();
    conformance::check_all(&mut || {
        let router = router();
        let (near, _) = routed(&router, Mode::Client);
        let (far, _) = routed(&router, Mode::Peer);
        routers.push(router);
        (Box::new(near), Box::new(far))
    });
    assert!(routers.iter().all(|router| router.close().is_ok()));
}

#[test]
fn peers_that_meet_at_our_router_connect_to_each_other() {
    let router = router();
    let config = ZenohConfig {
        connect: router.locators(),
        ..listening()
    };
    let (near, far) = (open(&config), open(&config));
    // The router and each other.
    wait_until("two peers each", || {
        near.n_peers() == 2 && far.n_peers() == 2
    });
    let qos = Qos::of(QosClass::State);
    let mut listener = Listener::new(&far, "oni/**", qos);
    let mut speaker = Speaker::heard(&near, &key("front"), qos);
    assert_eq!(speaker.put(7), PutOutcome::Sent);
    assert!(listener.next_message().message == conformance::message(7));
    assert!(listener.is_empty());
}

#[test]
fn it_holds_between_clients_of_our_router() {
    // One for each check: a router learns of those who went a little after they have gone.
    let mut routers = Vec::new();
    conformance::check_all(&mut || {
        let router = router();
        let (near, far) = routed(&router, Mode::Client);
        routers.push(router);
        (Box::new(near), Box::new(far))
    });
    assert!(routers.iter().all(|router| router.close().is_ok()));
}

#[test]
fn it_holds_through_shared_memory() {
    conformance::check_all(&mut || {
        let (near, far) = pair_of(|config| with_shared_memory(config, 4 << 20));
        (Box::new(near), Box::new(far))
    });
}

#[test]
fn a_router_knows_who_is_connected_and_how() {
    let router = router();
    let (near, far) = routed(&router, Mode::Client);
    wait_until("two clients", || router.peers().len() == 2);
    for peer in router.peers() {
        assert_eq!(peer.kind, Mode::Client);
        assert_eq!(peer.links.len(), 1);
        assert!(
            peer.links[0].from.ends_with(router.locators()[0].as_str()),
            "{peer:?}"
        );
    }
    assert_eq!(near.peers()[0].kind, Mode::Router);
    drop(near);
    wait_until("one client", || router.peers().len() == 1);
    assert_eq!(router.counters().peers_lost, 1);
    router.close().unwrap();
    wait_until("no router", || far.peers().is_empty());
}

#[test]
fn clients_find_a_router_that_was_started_again() {
    let router = router();
    let locator = router.locators()[0].clone();
    let (near, far) = routed(&router, Mode::Client);
    let qos = Qos::of(QosClass::State);
    let mut listener = Listener::new(&far, "oni/**", qos);
    let mut speaker = Speaker::heard(&near, &key("front"), qos);
    router.close().unwrap();
    speaker.wait_until("nobody", |publisher| !publisher.has_subscribers());
    let config = ZenohConfig {
        listen: vec![locator],
        ..listening()
    };
    let clock = std::sync::Arc::new(sedge_spacetime::ManualClock::default());
    let _router = sedge_transport_zenoh::ZenohRouter::open(&config, clock).unwrap();
    speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
    assert_eq!(speaker.put(7), PutOutcome::Sent);
    assert!(listener.next_message().message == conformance::message(7));
}

#[test]
fn clients_wait_for_a_router_that_comes_later() {
    let locator = router().locators()[0].clone();
    let config = ZenohConfig {
        mode: Mode::Client,
        // Nobody ever answers at the first one.
        connect: vec!["tcp/127.0.0.1:1".to_string(), locator.clone()],
        listen: Vec::new(),
        ..listening()
    };
    let (near, far) = (open(&config), open(&config));
    let state = Qos::of(QosClass::State);
    let belief = Qos::of(QosClass::Belief);
    let mut listener = Listener::new(&far, "oni/*/*/*/front", state);
    let mut believer = Listener::new(&far, "oni/*/*/*/rear", belief);
    let mut speaker = Speaker::new(&near, &key("front"), state);
    let mut thinker = Speaker::new(&near, &key("rear"), belief);
    assert_eq!(thinker.put(1), PutOutcome::Sent, "it is kept");
    let mut own = Listener::new(&near, "oni/*/*/*/front", state);
    speaker.wait_until("itself", |publisher| publisher.has_subscribers());
    assert_eq!(speaker.put(2), PutOutcome::Sent);
    assert!(own.next_message().message == conformance::message(2));
    drop(own);
    speaker.wait_until("nobody", |publisher| !publisher.has_subscribers());
    assert_eq!((near.n_peers(), far.n_peers()), (0, 0));
    let config = ZenohConfig {
        listen: vec![locator],
        ..listening()
    };
    let clock = std::sync::Arc::new(sedge_spacetime::ManualClock::default());
    let _router = sedge_transport_zenoh::ZenohRouter::open(&config, clock).unwrap();
    near.wait_for_peers(1, conformance::PATIENCE).unwrap();
    far.wait_for_peers(1, conformance::PATIENCE).unwrap();
    assert!(believer.next_message().message == conformance::message(1));
    speaker.wait_until("a listener", |publisher| publisher.has_subscribers());
    assert_eq!(speaker.put(3), PutOutcome::Sent);
    assert!(listener.next_message().message == conformance::message(3));
    assert!(listener.is_empty() && believer.is_empty());
    assert_eq!(near.counters().reopened, 0, "it was opened once");
}

#[test]
fn a_client_that_still_waits_for_its_router_can_be_closed() {
    let locator = router().locators()[0].clone();
    let config = ZenohConfig {
        mode: Mode::Client,
        ..dialling(&locator)
    };
    let near = open(&config);
    assert_eq!(near.close(), Ok(()));
    let late = ZenohConfig {
        listen: vec![locator],
        ..listening()
    };
    let clock = std::sync::Arc::new(sedge_spacetime::ManualClock::default());
    let late = sedge_transport_zenoh::ZenohRouter::open(&late, clock).unwrap();
    let far = open(&config);
    far.wait_for_peers(1, conformance::PATIENCE).unwrap();
    assert_eq!(late.peers().len(), 1, "the closed one is not there");
}
