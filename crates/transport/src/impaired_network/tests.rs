use sedge_oni::AlignedBytes;
use sedge_spacetime::ManualClock;

use super::*;
use crate::conformance::{key, message};
use crate::{
    Delivery, DropPlace, DropReason, Loss, Partition, PutOutcome, QosClass, Received, no_wake,
};

const MILLI: Duration = Duration::from_millis(1);

fn at(millis: u32) -> Stamp {
    Stamp::ZERO + MILLI * millis
}

fn name(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

struct Net {
    clock: Arc<ManualClock>,
    network: ImpairedNetwork,
}

impl Net {
    fn new(impairments: &Impairments) -> Self {
        let clock = Arc::new(ManualClock::default());
        let names = ["crane", "heron", "stork"].map(name);
        let network = ImpairedNetwork::new(7, Arc::clone(&clock) as Arc<_>, &names, impairments);
        let network = network.unwrap();
        Self { clock, network }
    }

    fn side(&self, agent: &str) -> ImpairedSide {
        self.network.side(&name(agent)).unwrap()
    }

    /// Moves the clock to `now`, stopping wherever something is due.
    fn advance_to(&self, now: Stamp) {
        while let Some(due) = self.network.next_due().filter(|due| *due <= now) {
            self.clock.advance_to(due);
            self.network.advance(due);
        }
        self.clock.advance_to(now);
        self.network.advance(now);
    }
}

fn state() -> Qos {
    Qos::of(QosClass::State)
}

fn subscriber(side: &ImpairedSide, qos: Qos) -> Box<dyn Subscriber> {
    let pattern = KeyPattern::parse("oni/**").unwrap();
    side.subscriber(&pattern, qos, no_wake()).unwrap()
}

fn publisher(side: &ImpairedSide, qos: Qos) -> Box<dyn Publisher> {
    side.publisher(&key("front"), qos, no_wake()).unwrap()
}

fn delayed() -> Impairments {
    Impairments {
        delay: MILLI * 10,
        ..Impairments::default()
    }
}

#[test]
fn messages_take_the_delay_of_their_link_and_none_at_home() {
    let net = Net::new(&delayed());
    let slow = Impairments {
        delay: MILLI * 50,
        ..Impairments::default()
    };
    let (crane, stork) = (name("crane"), name("stork"));
    let set = net.network.set_link(&crane, &stork, slow);
    assert_eq!(set, Ok(Some(())));
    let mut home = subscriber(&net.side("crane"), state());
    let mut near = subscriber(&net.side("heron"), state());
    let mut far = subscriber(&net.side("stork"), state());
    let mut publisher = publisher(&net.side("crane"), state());
    assert_eq!(publisher.put(&message(1)), PutOutcome::Sent);
    let arrival = |received: Option<Received>| received.map(|received| received.arrival);
    assert_eq!(arrival(home.try_next()), Some(at(0)));
    assert_eq!(net.network.next_due(), Some(at(10)));
    net.advance_to(at(49));
    assert_eq!(arrival(near.try_next()), Some(at(10)));
    assert_eq!(arrival(far.try_next()), None);
    assert_eq!(net.network.n_in_flight(), 1);
    net.advance_to(at(60));
    assert_eq!(arrival(far.try_next()), Some(at(50)));
    assert_eq!(net.network.next_due(), None);
}

#[test]
fn who_is_not_there_has_no_side_and_no_link() {
    let net = Net::new(&delayed());
    let (crane, gull) = (name("crane"), name("gull"));
    assert!(net.network.side(&gull).is_none());
    assert_eq!(net.network.link_drops(&crane, &gull), None);
    assert_eq!(net.network.link_counts(&crane, &crane), None);
    let set = net.network.set_link(&gull, &crane, delayed());
    assert_eq!(set, Ok(None));
}

#[test]
fn what_a_link_drops_is_in_its_ledger_and_in_no_other() {
    let net = Net::new(&Impairments::default());
    let lossy = Impairments {
        loss: Loss::Independent { probability: 1.0 },
        ..Impairments::default()
    };
    let (crane, heron, stork) = (name("crane"), name("heron"), name("stork"));
    let set = net.network.set_link(&crane, &heron, lossy);
    assert_eq!(set, Ok(Some(())));
    let mut near = subscriber(&net.side("heron"), state());
    let mut far = subscriber(&net.side("stork"), state());
    let mut publisher = publisher(&net.side("crane"), state());
    for number in 0..5 {
        assert_eq!(publisher.put(&message(number)), PutOutcome::Sent);
    }
    assert!(near.try_next().is_none());
    assert_eq!(std::iter::from_fn(|| far.try_next()).count(), 5);
    let drops = net.network.link_drops(&crane, &heron).unwrap();
    let lost = drops.of(&key("front"), DropPlace::Link, DropReason::Lost);
    assert_eq!((lost, drops.total()), (5, 5));
    let drops = net.network.link_drops(&crane, &stork).unwrap();
    assert_eq!(drops.total(), 0);
    assert_eq!(net.network.link_counts(&crane, &heron).unwrap().lost, 5);
}

#[test]
fn a_message_that_expires_on_its_way_is_not_delivered() {
    let net = Net::new(&delayed());
    let mut reader = subscriber(&net.side("heron"), state());
    let mut publisher = publisher(&net.side("crane"), state());
    for expiry in [at(9), at(10), at(11)] {
        let outcome = publisher.put_before(&message(1), expiry, at(0));
        assert_eq!(outcome, PutOutcome::Sent);
    }
    net.advance_to(at(10));
    assert_eq!(reader.waiting(), 2);
    net.advance_to(at(11));
    assert!(reader.try_next().is_some(), "the one of 11 ms");
    assert!(reader.try_next().is_none());
    let drops = net.side("heron").drops();
    assert_eq!(
        drops.of(&key("front"), DropPlace::Queue, DropReason::Expired),
        2
    );
    let late = publisher.put_before(&message(1), at(10), at(11));
    assert_eq!(late, PutOutcome::Late);
    let drops = net.side("crane").drops();
    assert_eq!(
        drops.of(&key("front"), DropPlace::Sender, DropReason::Expired),
        1
    );
}

#[test]
fn a_late_joiner_gets_what_was_kept_and_not_what_was_under_way() {
    let net = Net::new(&delayed());
    let _first = subscriber(&net.side("heron"), state());
    let mut publisher = publisher(&net.side("crane"), state().with_history(2));
    for number in 0..4 {
        assert_eq!(publisher.put(&message(number)), PutOutcome::Sent);
    }
    let mut late = subscriber(&net.side("heron"), state().with_history(1));
    assert_eq!(publisher.put(&message(4)), PutOutcome::Sent);
    net.advance_to(at(10));
    let came: Vec<_> = std::iter::from_fn(|| late.try_next())
        .map(|received| received.message)
        .collect();
    assert_eq!(came, [message(3), message(4)], "each once");
}

#[test]
fn a_lossless_reader_has_room_for_what_is_under_way() {
    let net = Net::new(&delayed());
    let qos = state().with_depth(3).lossless();
    assert_eq!(qos.delivery(), Delivery::Lossless);
    let mut reader = subscriber(&net.side("heron"), qos);
    let mut publisher = publisher(&net.side("crane"), qos);
    let mut put = |number| publisher.put(&message(number));
    for number in 0..3 {
        assert_eq!(put(number), PutOutcome::Sent);
    }
    assert_eq!(put(3), PutOutcome::Shed, "three are under way");
    net.advance_to(at(10));
    assert_eq!(put(3), PutOutcome::Shed, "three wait");
    assert_eq!(reader.try_next().unwrap().message, message(0));
    assert_eq!(put(3), PutOutcome::Sent);
    assert_eq!(put(4), PutOutcome::Shed);
    net.advance_to(at(20));
    let came: Vec<_> = std::iter::from_fn(|| reader.try_next())
        .map(|received| received.message)
        .collect();
    assert_eq!(came, [message(1), message(2), message(3)]);
}

#[test]
fn a_live_publisher_does_not_wait_for_a_lossless_reader() {
    let net = Net::new(&Impairments::default());
    let reader = subscriber(&net.side("heron"), state().with_depth(2).lossless());
    let mut publisher = publisher(&net.side("crane"), state());
    for number in 0..5 {
        assert_eq!(publisher.put(&message(number)), PutOutcome::Sent);
    }
    assert_eq!((reader.waiting(), reader.dropped()), (2, 3));
    let drops = net.side("heron").drops();
    assert_eq!(
        drops.of(&key("front"), DropPlace::Queue, DropReason::Full),
        3
    );
}

#[test]
fn a_query_crosses_both_links_and_ends_when_its_time_is_up() {
    let net = Net::new(&delayed());
    let _front = net.side("heron").serve(&key("front"), message(1)).unwrap();
    let _rear = net.side("stork").serve(&key("rear"), message(2)).unwrap();
    let (stork, crane) = (name("stork"), name("crane"));
    let cut = Impairments {
        partitions: vec![Partition {
            from: Duration::ZERO,
            until: Duration::from_secs(9),
        }],
        ..Impairments::default()
    };
    let set = net.network.set_link(&stork, &crane, cut);
    assert_eq!(set, Ok(Some(())));
    let pattern = KeyPattern::parse("oni/**").unwrap();
    let replies = net.side("crane").query(&pattern, MILLI * 100, no_wake());
    let mut replies = replies.unwrap();
    net.advance_to(at(19));
    assert!(replies.try_next().is_none() && !replies.is_finished());
    net.advance_to(at(99));
    let answer = replies.try_next().unwrap();
    assert_eq!((answer.key, answer.arrival), (key("front"), at(20)));
    assert!(!replies.is_finished(), "stork's answer may still come");
    net.advance_to(at(100));
    assert!(replies.is_finished());
    assert_eq!(net.network.next_due(), None, "nothing is left to wait for");
}

#[test]
fn what_arrives_where_nobody_listens_any_more_is_counted() {
    let net = Net::new(&delayed());
    let reader = subscriber(&net.side("heron"), state());
    let mut publisher = publisher(&net.side("crane"), state());
    let empty = EncodedMessage::new([0], AlignedBytes::default());
    assert_eq!(publisher.put(&empty), PutOutcome::Sent);
    drop(reader);
    assert!(!publisher.has_subscribers());
    net.advance_to(at(10));
    let drops = net.network.link_drops(&name("crane"), &name("heron"));
    assert_eq!(drops.unwrap().because(DropReason::Closed), 1);
}
