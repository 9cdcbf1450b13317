//! One swarm: who publishes, who reads, over which links, and when what goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sedge_oni::{AlignedBytes, EncodedMessage, Key, KeyPattern, Source};
use sedge_spacetime::{AgentName, Clock as _, ManualClock, Stamp};
use sedge_transport::{
    Arrival, ImpairedNetwork, Impairments, LinkOrder, LinkQueue, Loss, LossLedger, Network as _,
    Partition, Publisher, PutOutcome, Qos, QosClass, Rate, Received, Reordering, Subscriber,
    no_wake,
};

const STEP: Duration = Duration::from_millis(5);
const N_STEPS: u32 = 100;
/// How many messages each stream puts after the heal.
const N_AFTER: usize = 5;

/// A message of one stream: epoch and sequence number.
pub(crate) type Id = (u64, u64);

/// One key with its publisher, and everything that was put.
pub(crate) struct Stream {
    pub(crate) agent: AgentName,
    pub(crate) key: Key,
    publisher: Box<dyn Publisher>,
    epoch: u64,
    next: u64,
    /// What became of each put, and until when it may be read.
    pub(crate) put: BTreeMap<Id, (PutOutcome, Option<Stamp>)>,
    /// Those put after the heal.
    pub(crate) after: Vec<Id>,
}

/// One subscriber, and everything that it read.
pub(crate) struct Reader {
    pub(crate) agent: AgentName,
    pub(crate) pattern: KeyPattern,
    pub(crate) qos: Qos,
    /// At which step it comes, and then gets what was kept.
    pub(crate) joins: u32,
    subscriber: Option<Box<dyn Subscriber>>,
    pub(crate) ledger: LossLedger,
    pub(crate) read: BTreeMap<Key, Vec<(Id, Arrival)>>,
    most_waiting: usize,
}

/// What a swarm came to; equal for equal seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Report {
    put: u64,
    late: u64,
    read: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    restarts: u64,
    unplaced: u64,
    link_lost: u64,
    link_full: u64,
    link_cut: u64,
    queue_full: u64,
    expired: u64,
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        let add = |sum: &mut u64, other| *sum += other;
        add(&mut self.put, other.put);
        add(&mut self.late, other.late);
        add(&mut self.read, other.read);
        add(&mut self.lost, other.lost);
        add(&mut self.duplicated, other.duplicated);
        add(&mut self.reordered, other.reordered);
        add(&mut self.restarts, other.restarts);
        add(&mut self.unplaced, other.unplaced);
        add(&mut self.link_lost, other.link_lost);
        add(&mut self.link_full, other.link_full);
        add(&mut self.link_cut, other.link_cut);
        add(&mut self.queue_full, other.queue_full);
        add(&mut self.expired, other.expired);
    }

    /// Whether nothing of what can go wrong never did.
    pub(crate) fn is_everything_there(&self) -> bool {
        [
            self.put,
            self.late,
            self.read,
            self.lost,
            self.duplicated,
            self.reordered,
            self.restarts,
            self.unplaced,
            self.link_lost,
            self.link_full,
            self.link_cut,
            self.queue_full,
            self.expired,
        ]
        .iter()
        .all(|count| *count > 0)
    }
}

pub(crate) struct Swarm {
    rng: ChaCha8Rng,
    clock: Arc<ManualClock>,
    pub(crate) network: ImpairedNetwork,
    pub(crate) agents: Vec<AgentName>,
    /// What each link did before the heal.
    pub(crate) links: BTreeMap<(AgentName, AgentName), Impairments>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) readers: Vec<Reader>,
}

fn chance(rng: &mut ChaCha8Rng, probability: f64) -> bool {
    rng.random_bool(probability)
}

fn millis(rng: &mut ChaCha8Rng, max: u64) -> Duration {
    Duration::from_millis(rng.random_range(0..=max))
}

fn any_loss(rng: &mut ChaCha8Rng) -> Loss {
    match rng.random_range(0..3) {
        0 => Loss::None,
        1 => Loss::Independent {
            probability: rng.random_range(0.0..0.4),
        },
        _ => Loss::Bursts {
            fail: rng.random_range(0.0..0.2),
            recover: rng.random_range(0.1..1.0),
            loss_good: rng.random_range(0.0..0.05),
            loss_bad: rng.random_range(0.3..1.0),
        },
    }
}

fn any_impairments(rng: &mut ChaCha8Rng) -> Impairments {
    let mut impairments = Impairments {
        delay: millis(rng, 40),
        jitter: millis(rng, 30),
        loss: any_loss(rng),
        ..Impairments::default()
    };
    if chance(rng, 0.4) {
        impairments.order = LinkOrder::Free;
    }
    if chance(rng, 0.4) {
        impairments.duplication = rng.random_range(0.0..0.3);
    }
    if chance(rng, 0.4) {
        impairments.reordering = Reordering {
            probability: rng.random_range(0.0..0.3),
            by: millis(rng, 120),
        };
    }
    if chance(rng, 0.4) {
        let bytes_per_sec = rng.random_range(5_000..200_000);
        impairments.rate = Some(Rate { bytes_per_sec });
        impairments.queue = LinkQueue {
            items_max: rng.random_range(1..20),
            bytes_max: rng.random_range(200..5_000),
        };
    }
    if chance(rng, 0.5) {
        let from = millis(rng, 400);
        let until = from + millis(rng, 100) + STEP;
        impairments.partitions.push(Partition { from, until });
    }
    impairments
}

/// A message whose bytes all follow from what it is, so that any other byte is a fault.
pub(crate) fn message(stream: usize, (epoch, sequence): Id) -> EncodedMessage {
    let header: Vec<u8> = [stream as u64, epoch, sequence]
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect();
    let mut payload = vec![0; 16 + (sequence as usize * 7 + stream) % 100];
    let seed = (stream as u64) << 40 ^ epoch << 20 ^ sequence;
    // Fast and of no further meaning.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in &mut payload {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    EncodedMessage::new(header, AlignedBytes::copy_of(&payload))
}

fn id_of(received: &Received) -> (usize, Id) {
    let header = received.message.header();
    assert_eq!(header.len(), 24, "a header that nobody put");
    let number = |idx: usize| {
        let bytes = &header[8 * idx..8 * (idx + 1)];
        u64::from_le_bytes(bytes.try_into().unwrap())
    };
    (number(0) as usize, (number(1), number(2)))
}

fn stream_qos() -> Qos {
    Qos::of(QosClass::State).with_history(3)
}

impl Swarm {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let clock = Arc::new(ManualClock::default());
        let n_agents = rng.random_range(2..=4);
        let agents: Vec<AgentName> = (0..n_agents)
            .map(|idx| AgentName::new(format!("crane{idx}")).unwrap())
            .collect();
        let shared = Arc::clone(&clock) as Arc<_>;
        let network_seed = rng.next_u64();
        let fine = Impairments::default();
        let network = ImpairedNetwork::new(network_seed, shared, &agents, &fine).unwrap();
        let mut links = BTreeMap::new();
        for from in &agents {
            for to in agents.iter().filter(|to| *to != from) {
                let impairments = any_impairments(&mut rng);
                let set = network.set_link(from, to, impairments.clone());
                assert_eq!(set, Ok(Some(())));
                links.insert((from.clone(), to.clone()), impairments);
            }
        }
        let mut swarm = Self {
            rng,
            clock,
            network,
            agents: agents.clone(),
            links,
            streams: Vec::new(),
            readers: Vec::new(),
        };
        for agent in &agents {
            swarm.populate(agent);
        }
        swarm
    }

    fn populate(&mut self, agent: &AgentName) {
        let side = self.network.side(agent).unwrap();
        for stream in ["front", "rear"] {
            if stream == "rear" && chance(&mut self.rng, 0.5) {
                continue;
            }
            let key = Key::parse(&format!("oni/flock/{agent}/sensor.lidar/{stream}")).unwrap();
            let qos = stream_qos();
            self.streams.push(Stream {
                agent: agent.clone(),
                publisher: side.publisher(&key, qos, no_wake()).unwrap(),
                key,
                epoch: 1,
                next: 0,
                put: BTreeMap::new(),
                after: Vec::new(),
            });
        }
        for pattern in ["oni/**", "oni/*/crane0/**", "oni/*/*/*/front"] {
            if chance(&mut self.rng, 0.4) {
                continue;
            }
            let pattern = KeyPattern::parse(pattern).unwrap();
            let depth = self.rng.random_range(1..=40);
            let is_late = chance(&mut self.rng, 0.3);
            let joins = self.rng.random_range(1..N_STEPS) * u32::from(is_late);
            let history = self.rng.random_range(0..5);
            let qos = Qos::of(QosClass::State).with_depth(depth);
            self.readers.push(Reader {
                agent: agent.clone(),
                subscriber: None,
                pattern,
                qos: qos.with_history(history),
                joins,
                ledger: LossLedger::new(),
                read: BTreeMap::new(),
                most_waiting: 0,
            });
        }
    }

    /// Lets the readers come whose time it is.
    fn join(&mut self, step: u32) {
        for reader in self
            .readers
            .iter_mut()
            .filter(|reader| reader.joins == step)
        {
            let side = self.network.side(&reader.agent).unwrap();
            let subscriber = side.subscriber(&reader.pattern, reader.qos, no_wake());
            reader.subscriber = Some(subscriber.unwrap());
        }
    }

    /// Moves the clock, stopping wherever something is due.
    fn advance_to(&mut self, now: Stamp) {
        while let Some(due) = self.network.next_due().filter(|due| *due <= now) {
            self.clock.advance_to(due);
            self.network.advance(due);
        }
        self.clock.advance_to(now);
        self.network.advance(now);
    }

    fn put(&mut self, idx: usize, lifespan: Option<Duration>) -> Id {
        let now = self.clock.now();
        let stream = &mut self.streams[idx];
        let id = (stream.epoch, stream.next);
        stream.next += 1;
        let message = message(idx, id);
        // What was captured up to 30 ms ago has lived for as long.
        let age = millis(&mut self.rng, 30);
        let expiry = lifespan.map(|lifespan| now - age + lifespan);
        let outcome = match expiry {
            Some(expiry) => stream.publisher.put_before(&message, expiry, now),
            None => stream.publisher.put(&message),
        };
        stream.put.insert(id, (outcome, expiry));
        id
    }

    fn restart(&mut self, idx: usize) {
        let stream = &mut self.streams[idx];
        let side = self.network.side(&stream.agent).unwrap();
        stream.publisher = side
            .publisher(&stream.key, stream_qos(), no_wake())
            .unwrap();
        stream.epoch += 1;
        stream.next = 0;
    }

    fn read(&mut self, idx: usize, n_max: usize) {
        let now = self.clock.now();
        let reader = &mut self.readers[idx];
        let Some(subscriber) = &mut reader.subscriber else {
            return;
        };
        reader.most_waiting = reader.most_waiting.max(subscriber.waiting());
        for _ in 0..n_max {
            let Some(received) = subscriber.try_next() else {
                break;
            };
            let (stream_idx, id) = id_of(&received);
            let stream = &self.streams[stream_idx];
            assert_eq!(received.key, stream.key, "under another key");
            assert!(reader.pattern.matches(&received.key), "not asked for");
            assert!(received.message == message(stream_idx, id), "corrupted");
            let put = stream.put.get(&id);
            let (outcome, expiry) = put.expect("what was read was put");
            assert_eq!(*outcome, PutOutcome::Sent, "{id:?} was not sent");
            assert!(
                expiry.is_none_or(|expiry| now <= expiry),
                "{id:?} was read at {now:?} after its lifespan, {expiry:?}"
            );
            assert!(received.arrival <= now, "read before it came");
            let (epoch, sequence) = id;
            let source = Source {
                agent: stream.agent.clone(),
                epoch,
                sequence,
            };
            let arrival = reader.ledger.observe(&received.key, &source);
            let read = reader.read.entry(received.key).or_default();
            read.push((id, arrival));
        }
    }

    /// Everybody talks and reads while the links do what they like.
    pub(crate) fn misbehave(&mut self) {
        self.join(0);
        for step in 1..=N_STEPS {
            self.advance_to(Stamp::ZERO + STEP * step);
            self.join(step);
            for idx in 0..self.streams.len() {
                if chance(&mut self.rng, 0.01) {
                    self.restart(idx);
                }
                if chance(&mut self.rng, 0.6) {
                    let is_mortal = chance(&mut self.rng, 0.5);
                    let lifespan = is_mortal.then(|| millis(&mut self.rng, 150));
                    self.put(idx, lifespan);
                }
            }
            for idx in 0..self.readers.len() {
                if chance(&mut self.rng, 0.5) {
                    let n_max = self.rng.random_range(1..10);
                    self.read(idx, n_max);
                }
            }
        }
    }

    /// The links are mended; what is under way comes, and everybody says something more.
    pub(crate) fn heal(&mut self) {
        for (from, to) in self.links.keys() {
            let set = self.network.set_link(from, to, Impairments::default());
            assert_eq!(set, Ok(Some(())));
        }
        self.settle();
        for _ in 0..N_AFTER {
            for idx in 0..self.streams.len() {
                let id = self.put(idx, None);
                self.streams[idx].after.push(id);
                self.settle();
            }
        }
        assert_eq!(self.network.n_in_flight(), 0);
    }

    fn settle(&mut self) {
        while let Some(due) = self.network.next_due() {
            self.clock.advance_to(due);
            self.network.advance(due);
        }
        for idx in 0..self.readers.len() {
            self.read(idx, usize::MAX);
            let reader = &self.readers[idx];
            assert!(
                reader.most_waiting <= reader.qos.depth(),
                "a ring has its depth"
            );
        }
    }
}

impl Swarm {
    pub(crate) fn report(&self) -> Report {
        use sedge_transport::{DropPlace, DropReason};
        let mut report = Report::default();
        for stream in &self.streams {
            report.put += stream.put.len() as u64;
            let outcomes = stream.put.values();
            report.late += outcomes.filter(|put| put.0 == PutOutcome::Late).count() as u64;
        }
        for reader in &self.readers {
            let counts = reader.ledger.total();
            report.read += reader.read.values().map(Vec::len).sum::<usize>() as u64;
            report.lost += counts.lost;
            report.duplicated += counts.duplicated;
            report.reordered += counts.reordered;
            report.restarts += counts.restarts;
            report.unplaced += counts.unplaced;
        }
        for (from, to) in self.links.keys() {
            let counts = self.network.link_counts(from, to).unwrap();
            report.link_lost += counts.lost;
            report.link_full += counts.full;
            report.link_cut += counts.cut;
        }
        for agent in &self.agents {
            for row in self.network.side(agent).unwrap().drops().rows() {
                match (row.place, row.reason) {
                    (DropPlace::Queue, DropReason::Full) => report.queue_full += row.count,
                    (DropPlace::Queue, DropReason::Expired) => report.expired += row.count,
                    _ => {}
                }
            }
        }
        report
    }
}
