//! The driver: waits for messages or for the node's own time, ticks, and sends what came out.

mod questions;

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::{Clock, Stamp};
use sedge_transport::{
    Delivery, DropLedger, Inbox, Network, NetworkError, NextTick, Node, Outbox, Outgoing,
    Publisher, PutOutcome, Qos, QosClass, Served, Signal, Subscriber,
};

use crate::registry::FirstContact;
use crate::{Pulse, Shutdown};
use questions::Questions;

/// Messages that one tick is given at most. The subscribers' rings hold what is beyond, and count
/// what they drop.
const INBOX_DEPTH: usize = 256;
/// Messages that one tick may send.
const OUTBOX_DEPTH: usize = 64;
/// A node that waits for messages only is looked at this often all the same: a backstop against a
/// wake-up that a network lost, not a poll.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often a node is told what the network dropped.
const DROPS_PERIOD: Duration = Duration::from_millis(500);
/// A lossless message that the network has no room for is offered again after this, or as soon as
/// anything happens.
const OFFER_AGAIN: Duration = Duration::from_millis(5);
/// How long one lossless message is offered. A reader that takes nothing for longer is taken for
/// dead, and the message is counted as shed.
const OFFER_MAX: Duration = Duration::from_secs(30);

/// A node that a driver can also tell about its links, and ask for. The methods do nothing by
/// default.
#[expect(unused_variables, reason = "the names document what a node is told")]
pub trait Driven: Node {
    /// Says, before each tick, how many of the node's publishers have a listener.
    fn on_links(&mut self, links: Links) {}

    /// Says what became of a message.
    fn on_put(&mut self, outgoing: &Outgoing, outcome: PutOutcome) {}

    /// Says what this side of the network has dropped so far: about twice a second, and at the end.
    fn on_drops(&mut self, drops: DropLedger) {}

    /// What the node wants to know of other programs' schemas; the driver asks the network.
    fn contacts(&mut self) -> Option<&mut FirstContact> {
        None
    }
}

/// How many of a node's publishers have a listener. What a program says of itself (its telemetry
/// and manifest, and parameters) does not count: it goes out whether or not somebody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Links {
    /// All publishers.
    pub publishers: usize,
    /// Those that somebody listens to.
    pub listened: usize,
}

impl Links {
    /// Whether publishers of this class count.
    pub fn counts(class: QosClass) -> bool {
        !matches!(class, QosClass::Log | QosClass::Parameter)
    }
}

/// A node's publishers and subscribers, the schemas that it answers for, and the signal that they
/// share.
pub struct Wiring<'n> {
    network: &'n dyn Network,
    subscribers: Vec<Box<dyn Subscriber>>,
    publishers: BTreeMap<Key, (Qos, Box<dyn Publisher>)>,
    served: Vec<Box<dyn Served>>,
    signal: Signal,
}

impl<'n> Wiring<'n> {
    /// Declares everything on a network. Before each tick, subscriptions are read in this order.
    ///
    /// # Errors
    /// [`NetworkError`] when the network is closed or refuses a key.
    pub fn connect(
        network: &'n dyn Network,
        subscriptions: &[(KeyPattern, Qos)],
        publications: &[(Key, Qos)],
    ) -> Result<Self, NetworkError> {
        let signal = Signal::new();
        let subscriber =
            |(pattern, qos): &(KeyPattern, Qos)| network.subscriber(pattern, *qos, signal.wake());
        let publisher = |(key, qos): &(Key, Qos)| {
            let publisher = network.publisher(key, *qos, signal.wake())?;
            Ok((key.clone(), (*qos, publisher)))
        };
        Ok(Self {
            network,
            subscribers: subscriptions
                .iter()
                .map(subscriber)
                .collect::<Result<_, _>>()?,
            publishers: publications
                .iter()
                .map(publisher)
                .collect::<Result<_, NetworkError>>()?,
            served: Vec::new(),
            signal,
        })
    }

    /// Answers queries for these keys, each with its message, for as long as the wiring lives.
    ///
    /// # Errors
    /// [`NetworkError`] when the network is closed or refuses a key.
    pub fn serving(
        mut self,
        services: impl IntoIterator<Item = (Key, EncodedMessage)>,
    ) -> Result<Self, NetworkError> {
        for (key, message) in services {
            self.served.push(self.network.serve(&key, message)?);
        }
        Ok(self)
    }

    fn links(&self) -> Links {
        let publishers = || {
            let counted = |(qos, _): &&(Qos, Box<dyn Publisher>)| Links::counts(qos.class());
            self.publishers.values().filter(counted)
        };
        let listened = publishers().filter(|(_, publisher)| publisher.has_subscribers());
        Links {
            publishers: publishers().count(),
            listened: listened.count(),
        }
    }

    /// Puts a message; none where its key was not declared. A lossless one that there is no room
    /// for is put again, for a while: its reader catches up, and whoever sends waits.
    fn put(&mut self, outgoing: &Outgoing, driver: &Driver<'_>) -> Option<PutOutcome> {
        let (qos, publisher) = self.publishers.get_mut(&outgoing.key)?;
        if qos.class() == QosClass::Command && driver.pulse.is_alarmed() {
            return Some(PutOutcome::Late);
        }
        if let Some(expiry) = outgoing.expiry {
            // What expires is never lossless: a late command is worse than none.
            let now = driver.clock.now();
            return Some(publisher.put_before(&outgoing.message, expiry, now));
        }
        let mut outcome = publisher.put(&outgoing.message);
        if qos.delivery() == Delivery::Live || outcome != PutOutcome::Shed {
            return Some(outcome);
        }
        let give_up = driver.clock.now() + OFFER_MAX;
        while outcome == PutOutcome::Shed
            && !driver.shutdown.is_requested()
            && driver.clock.now() < give_up
        {
            self.signal.wait(OFFER_AGAIN);
            outcome = publisher.put(&outgoing.message);
        }
        // Whatever the signal was set for meanwhile has yet to be looked at.
        self.signal.wake()();
        Some(outcome)
    }
}

/// What a driver goes by.
struct Driver<'d> {
    clock: &'d dyn Clock,
    shutdown: &'d Shutdown,
    pulse: &'d Pulse,
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
    /// Messages that were past their expiry when their turn came, and were not sent.
    pub late: u64,
    /// Messages under keys that were not declared; an error of the node.
    pub undeclared: u64,
    /// Messages that the rings dropped before the node saw them.
    pub dropped: u64,
}

/// Runs a node on this thread until it has done its work, the end is asked for, or the network
/// closes. Between messages and the node's own times it sleeps in the operating system.
pub fn run_node(
    node: &mut dyn Driven,
    wiring: &mut Wiring<'_>,
    clock: &dyn Clock,
    shutdown: &Shutdown,
) -> NodeRun {
    run_watched_node(node, wiring, clock, shutdown, &Pulse::default())
}

/// Runs a node as [`run_node`] does, and shows in `pulse` since when it is at work. While a
/// watchdog's alarm is raised, commands of the node are not sent and count as late.
pub fn run_watched_node(
    node: &mut dyn Driven,
    wiring: &mut Wiring<'_>,
    clock: &dyn Clock,
    shutdown: &Shutdown,
    pulse: &Pulse,
) -> NodeRun {
    let _guard = shutdown.wakes(wiring.signal.wake());
    let driver = Driver {
        clock,
        shutdown,
        pulse,
    };
    let mut questions = Questions::new(wiring.network, wiring.signal.wake());
    let (mut inbox, mut outbox) = (Inbox::new(INBOX_DEPTH), Outbox::new(OUTBOX_DEPTH));
    let mut next_drops = clock.now();
    let mut run = NodeRun {
        end: RunEnd::Finished,
        ticks: 0,
        sent: 0,
        shed: 0,
        late: 0,
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
        let now = clock.now();
        pulse.begin(now);
        questions.hand_in(node, now);
        if now >= next_drops {
            node.on_drops(wiring.network.drops());
            next_drops = now + DROPS_PERIOD;
        }
        node.on_links(wiring.links());
        let next = node.tick(now, &mut inbox, &mut outbox);
        run.ticks += 1;
        if send(node, wiring, &mut outbox, (&driver, &mut run)).is_err() {
            run.end = RunEnd::NetworkClosed;
            break;
        }
        questions.ask(node, now);
        if next == NextTick::Finished {
            break;
        }
        let is_next_here =
            !inbox.is_empty() || wiring.subscribers.iter().any(|each| each.waiting() > 0);
        if !is_next_here {
            pulse.end();
            let next_ask = node.contacts().and_then(|contacts| contacts.next_ask());
            wait(sooner(next, next_ask), wiring, clock);
        }
    }
    pulse.end();
    node.on_drops(wiring.network.drops());
    let in_rings = wiring.subscribers.iter().map(|each| each.dropped());
    run.dropped = in_rings.sum::<u64>() + inbox.dropped();
    run
}

fn sooner(next: NextTick, at: Option<Stamp>) -> NextTick {
    match (next, at) {
        (NextTick::At(then), Some(at)) => NextTick::At(then.min(at)),
        (NextTick::OnMessage, Some(at)) => NextTick::At(at),
        (next, _) => next,
    }
}

/// Waits for a message or for the node's own time.
fn wait(next: NextTick, wiring: &Wiring<'_>, clock: &dyn Clock) {
    let left = match next {
        NextTick::OnMessage | NextTick::Finished => WAIT_MAX,
        NextTick::At(then) => then.saturating_since(clock.now()),
    };
    if left > Duration::ZERO {
        wiring.signal.wait(left);
    }
}

struct Closed;

fn send(
    node: &mut dyn Driven,
    wiring: &mut Wiring<'_>,
    outbox: &mut Outbox,
    (driver, run): (&Driver<'_>, &mut NodeRun),
) -> Result<(), Closed> {
    for outgoing in outbox.drain() {
        let Some(outcome) = wiring.put(&outgoing, driver) else {
            run.undeclared += 1;
            tracing::error!(key = %outgoing.key, "message under a key that was not declared");
            continue;
        };
        match outcome {
            PutOutcome::Sent => run.sent += 1,
            PutOutcome::Shed => run.shed += 1,
            PutOutcome::Late => run.late += 1,
            PutOutcome::Closed => return Err(Closed),
        }
        node.on_put(&outgoing, outcome);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
