//! A process that counts the messages that it gets, in two ways: by the loss ledger, and by keeping
//! every sequence number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sedge_oni::KeyPattern;
use sedge_runtime::{SystemClock, spawn_named};
use sedge_spacetime::{Clock as _, Stamp};
use sedge_transport::{
    AgeRule, LossLedger, Network as _, Qos, QosClass, Received, Signal, Subscriber,
};
use sedge_transport_zenoh::ZenohNetwork;
use serde::{Deserialize, Serialize};

use crate::orders::{Heard, Order, Said, say, take_orders};
use crate::speaker::zenoh_config;
use crate::stepped_clock::SteppedClock;

/// How a listener listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ListenerConfig {
    /// Whom it dials.
    pub(crate) connect: String,
    /// Messages that may wait for it; none for what the class says.
    pub(crate) depth: Option<usize>,
    /// The first wait before the other side is dialled again.
    pub(crate) retry_first_millis: Option<u64>,
}

impl ListenerConfig {
    /// As its class says.
    pub(crate) fn at(connect: &str) -> Self {
        Self {
            connect: connect.to_owned(),
            depth: None,
            retry_first_millis: None,
        }
    }
}

/// What the test waits for.
#[derive(Debug, Clone, Copy)]
enum Awaited {
    SentAt(i64),
    Sequence(u64),
}

struct Listener {
    network: ZenohNetwork,
    subscriber: Box<dyn Subscriber>,
    clock: Arc<SteppedClock>,
    machine: SystemClock,
    ledger: LossLedger,
    seen: BTreeMap<u64, BTreeSet<u64>>,
    awaited: Option<Awaited>,
    pace: Duration,
    newest_arrival: Option<Stamp>,
    heard: Heard,
}

/// Listens until it is told to quit.
pub(crate) fn run(config: &ListenerConfig) {
    let clock = Arc::new(SteppedClock::new());
    let session = zenoh_config(&config.connect, config.retry_first_millis);
    let network = ZenohNetwork::open(&session, Arc::<SteppedClock>::clone(&clock)).unwrap();
    let signal = Signal::new();
    let pattern = KeyPattern::parse("oni/faults/**").unwrap();
    let mut qos = Qos::of(QosClass::State);
    if let Some(depth) = config.depth {
        qos = qos.with_depth(depth);
    }
    let subscriber = network.subscriber(&pattern, qos, signal.wake()).unwrap();
    let (sender, orders) = channel();
    let wake = signal.wake();
    spawn_named("orders", move || take_orders(&sender, &wake)).unwrap();
    let listener = Listener {
        network,
        subscriber,
        clock,
        machine: SystemClock::new(),
        ledger: LossLedger::new(),
        seen: BTreeMap::new(),
        awaited: None,
        pace: Duration::ZERO,
        newest_arrival: None,
        heard: Heard::default(),
    };
    say(&Said::Ready);
    listener.listen(&orders, &signal);
}

impl Listener {
    fn listen(mut self, orders: &Receiver<Order>, signal: &Signal) {
        let mut next_read = self.machine.now();
        loop {
            let has_some = self.subscriber.waiting() > 0;
            let left = next_read.saturating_since(self.machine.now());
            match (has_some, left) {
                (true, Duration::ZERO) => {}
                (true, left) => drop(signal.wait(left)),
                (false, _) => drop(signal.wait(Duration::from_secs(1))),
            }
            while let Ok(order) = orders.try_recv() {
                if order == Order::Quit {
                    drop(self.subscriber);
                    return self.network.close().unwrap();
                }
                self.obey(order);
            }
            if next_read > self.machine.now() {
                continue;
            }
            if let Some(received) = self.subscriber.try_next() {
                self.hear(&received);
                next_read = self.machine.now() + self.pace;
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Step { millis } => self.clock.step(millis),
            Order::Pace { millis } => self.pace = Duration::from_millis(millis),
            Order::After { nanos } => return self.awaited = Some(Awaited::SentAt(nanos)),
            Order::Until { sequence } => {
                let has_it = self.seen.values().any(|seen| seen.contains(&sequence));
                if !has_it {
                    return self.awaited = Some(Awaited::Sequence(sequence));
                }
            }
            Order::Report => return say(&Said::Heard(self.report())),
            other => panic!("a listener cannot {other:?}"),
        }
        say(&Said::Done);
    }

    fn hear(&mut self, received: &Received) {
        let arrived = self.machine.now();
        if let Some(before) = self.newest_arrival.replace(arrived) {
            let gap = arrived.saturating_since(before).as_micros() as u64;
            self.heard.gap_max_micros = self.heard.gap_max_micros.max(gap);
        }
        let message = received.message.decode().unwrap();
        let envelope = message.envelope();
        let source = &envelope.source;
        self.ledger.observe(&received.key, source);
        self.seen
            .entry(source.epoch)
            .or_default()
            .insert(source.sequence);
        if !AgeRule::Lifespan.admits(envelope, self.clock.now()) {
            self.heard.expired += 1;
        }
        let sent_nanos = message.tensor("sent").unwrap().values::<i64>().unwrap()[0];
        let is_awaited = match self.awaited {
            None => false,
            Some(Awaited::SentAt(nanos)) => sent_nanos >= nanos,
            Some(Awaited::Sequence(sequence)) => source.sequence == sequence,
        };
        if is_awaited {
            self.awaited = None;
            say(&Said::Came {
                sequence: source.sequence,
                sent_nanos,
                arrived_nanos: arrived.nanos(),
            });
        }
    }

    fn report(&self) -> Heard {
        let claimed = self.ledger.total();
        let first = self.seen.values().next().and_then(|seen| seen.first());
        Heard {
            distinct: self.seen.values().map(|seen| seen.len() as u64).sum(),
            first: first.copied().unwrap_or_default(),
            received: claimed.received,
            lost: claimed.lost,
            duplicated: claimed.duplicated,
            restarts: claimed.restarts,
            missed_at_start: claimed.missed_at_start,
            unplaced: claimed.unplaced,
            ring_dropped: self.subscriber.dropped(),
            refused: self.network.refused(),
            reopened: self.network.counters().reopened,
            ..self.heard.clone()
        }
    }
}
