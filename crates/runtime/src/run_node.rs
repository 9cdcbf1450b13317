//! The driver: waits for messages or for the node's own time, ticks, and sends what came out.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_oni::{Key, KeyPattern};
use sedge_spacetime::Clock;
use sedge_transport::{
    Inbox, Network, NetworkError, NextTick, Node, Outbox, Outgoing, Publisher, PutOutcome, Qos,
    Signal, Subscriber,
};

use crate::Shutdown;

/// Messages that one tick is given at most. The subscribers' rings hold what is beyond, and count
/// what they drop.
const INBOX_DEPTH: usize = 256;
/// Messages that one tick may send.
const OUTBOX_DEPTH: usize = 64;
/// A node that waits for messages only is looked at this often all the same: a backstop against a
/// wake-up that a network lost, not a poll.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A node that a driver can also tell about its links. Both methods do nothing by default.
#[expect(unused_variables, reason = "the names document what a node is told")]
pub trait Driven: Node {
    /// Says, before each tick, how many of the node's publishers have a listener.
    fn on_links(&mut self, links: Links) {}

    /// Says what became of a message.
    fn on_put(&mut self, outgoing: &Outgoing, outcome: PutOutcome) {}
}

/// How many of a node's publishers have a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Links {
    /// All publishers.
    pub publishers: usize,
    /// Those that somebody listens to.
    pub listened: usize,
}

/// A node's publishers and subscribers, and the signal that they share.
pub struct Wiring {
    subscribers: Vec<Box<dyn Subscriber>>,
    publishers: BTreeMap<Key, Box<dyn Publisher>>,
    signal: Signal,
}

impl Wiring {
    /// Declares everything on a network. Before each tick, subscriptions are read in this order.
    ///
    /// # Errors
    /// [`NetworkError`] when the network is closed or refuses a key.
    pub fn connect(
        network: &dyn Network,
        subscriptions: &[(KeyPattern, Qos)],
        publications: &[(Key, Qos)],
    ) -> Result<Self, NetworkError> {
        let signal = Signal::new();
        let subscriber =
            |(pattern, qos): &(KeyPattern, Qos)| network.subscriber(pattern, *qos, signal.wake());
        let publisher = |(key, qos): &(Key, Qos)| {
            Ok((key.clone(), network.publisher(key, *qos, signal.wake())?))
        };
        Ok(Self {
            subscribers: subscriptions
                .iter()
                .map(subscriber)
                .collect::<Result<_, _>>()?,
            publishers: publications
                .iter()
                .map(publisher)
                .collect::<Result<_, NetworkError>>()?,
            signal,
        })
    }

    fn links(&self) -> Links {
        let listened = self
            .publishers
            .values()
            .filter(|publisher| publisher.has_subscribers());
        Links {
            publishers: self.publishers.len(),
            listened: listened.count(),
        }
    }

    fn put(&mut self, outgoing: &Outgoing) -> Option<PutOutcome> {
        Some(
            self.publishers
                .get_mut(&outgoing.key)?
                .put(&outgoing.message),
        )
    }
}

/// Why a node no longer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It said that it has done its work.
    Finished,
    /// Somebody asked for the end.
    Shutdown,
    /// The network was closed under it.
    NetworkClosed,
}

/// What a driver did for its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRun {
    /// Why it ended.
    pub end: RunEnd,
    /// How often the node was called.
    pub ticks: u64,
    /// Messages handed to the network.
    pub sent: u64,
    /// Messages that the network had no room for.
    pub shed: u64,
    /// Messages under keys that were not declared; an error of the node.
    pub undeclared: u64,
    /// Messages that the rings dropped before the node saw them.
    pub dropped: u64,
}

/// Runs a node on this thread until it has done its work, the end is asked for, or the network
/// closes. Between messages and the node's own times it sleeps in the operating system.
pub fn run_node(
    node: &mut dyn Driven,
    wiring: &mut Wiring,
    clock: &dyn Clock,
    shutdown: &Shutdown,
) -> NodeRun {
    let _guard = shutdown.wakes(wiring.signal.wake());
    let (mut inbox, mut outbox) = (Inbox::new(INBOX_DEPTH), Outbox::new(OUTBOX_DEPTH));
    let mut run = NodeRun {
        end: RunEnd::Finished,
        ticks: 0,
        sent: 0,
        shed: 0,
        undeclared: 0,
        dropped: 0,
    };
    loop {
        if shutdown.is_requested() {
            run.end = RunEnd::Shutdown;
            break;
        }
        for subscriber in &mut wiring.subscribers {
            inbox.fill_from(subscriber.as_mut());
        }
        node.on_links(wiring.links());
        let next = node.tick(clock.now(), &mut inbox, &mut outbox);
        run.ticks += 1;
        if send(node, wiring, &mut outbox, &mut run).is_err() {
            run.end = RunEnd::NetworkClosed;
            break;
        }
        let waits = !inbox.is_empty() || wiring.subscribers.iter().any(|each| each.waiting() > 0);
        match next {
            NextTick::Finished => break,
            _ if waits => {}
            NextTick::OnMessage => drop(wiring.signal.wait(WAIT_MAX)),
            NextTick::At(then) => {
                let left = then.saturating_since(clock.now());
                if left > Duration::ZERO {
                    wiring.signal.wait(left);
                }
            }
        }
    }
    run.dropped = wiring
        .subscribers
        .iter()
        .map(|each| each.dropped())
        .sum::<u64>()
        + inbox.dropped();
    run
}

struct Closed;

fn send(
    node: &mut dyn Driven,
    wiring: &mut Wiring,
    outbox: &mut Outbox,
    run: &mut NodeRun,
) -> Result<(), Closed> {
    for outgoing in outbox.drain() {
        let Some(outcome) = wiring.put(&outgoing) else {
            run.undeclared += 1;
            tracing::error!(key = %outgoing.key, "message under a key that was not declared");
            continue;
        };
        match outcome {
            PutOutcome::Sent => run.sent += 1,
            PutOutcome::Shed | PutOutcome::Late => run.shed += 1,
            PutOutcome::Closed => return Err(Closed),
        }
        node.on_put(&outgoing, outcome);
    }
    Ok(())
}
