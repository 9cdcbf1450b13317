//! One suite over every topology.

use sedge_transport::conformance::{self, Listener, Speaker, key};
use sedge_transport::{PutOutcome, Qos, QosClass};
use sedge_transport_zenoh::{Mode, ZenohConfig};

use crate::{listening, open, pair, pair_of, routed, router, wait_until, with_shared_memory};

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
