//! Nothing is allocated in the ticks of an agent that drives: what a control loop does must not
//! wait for memory.
//!
//! The shipped network on our own engine, MPPI, and an in-process network; a robot in a room sends
//! an inertial sample in each tick, odometry in each fourth and a scan in each tenth, and drives as
//! it is told, on rungs of a ladder by turns, of which one imagines in eight bits. What is counted
//! is all that the loop's thread does: reading rings, the tick, putting messages. The robot is a
//! thread of its own, and waits meanwhile.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod room;

use std::alloc::System;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use sedge_latency::Stage;
use sedge_oni::{Key, KeyPattern};
use sedge_runtime::{
    AgentConfig, AgentNode, Driven as _, DrivingConfig, Imagining, Links, ModelFactory, RungAction,
    RungConfig, spawn_named,
};
use sedge_spacetime::{Clock as _, ManualClock, Stamp};
use sedge_transport::{
    InProcessNetwork, Inbox, Network as _, NextTick, Node as _, Outbox, Publisher, PutOutcome, Qos,
    Subscriber, no_wake,
};
use sedge_world_model::Precision;
use sedge_world_model_onboard::{EngineConfig, load, load_with};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use room::{Robot, Sensed, name};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const FLEET: &str = "flock";
const ROBOT: &str = "crane";
const CLOCK: &str = "here";
/// From one tick to the next: an inertial unit of 200 Hz.
const TICK: Duration = Duration::from_millis(5);
/// How much is counted, and after what. A belief remembers scans for 20 seconds, and a gyroscope's
/// samples for 21; until then memory is taken.
struct Extent {
    n_warm: u64,
    n_ticks: u64,
    /// Ticks from one scan to the next.
    scan_ticks: u64,
    command_period_secs: f64,
    /// A list that is longer than any before takes memory once, as do a track and a message more
    /// than ever; what takes some in each tick of a kind is far beyond.
    allocations_max: usize,
}

/// Eight minutes, at the rates of a robot; without optimisation a few seconds, and slower.
const EXTENT: Extent = if cfg!(debug_assertions) {
    Extent {
        n_warm: 4_600,
        n_ticks: 1_000,
        scan_ticks: 40,
        command_period_secs: 0.1,
        allocations_max: 10,
    }
} else {
    Extent {
        n_warm: 10_000,
        n_ticks: 100_000,
        scan_ticks: 10,
        command_period_secs: 0.02,
        allocations_max: 5,
    }
};

/// A driving agent, and its ends of the network.
struct Loop {
    clock: Arc<ManualClock>,
    agent: AgentNode,
    subscribers: Vec<Box<dyn Subscriber>>,
    publishers: Vec<(Key, Qos, Box<dyn Publisher>)>,
    inbox: Inbox,
    outbox: Outbox,
    next: NextTick,
}

fn weights() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s")
}

fn stage(name: &str) -> Stage {
    Stage::new(name).unwrap()
}

fn rung(name: &str, precision: Option<Precision>) -> RungConfig {
    RungConfig {
        name: stage(name),
        skill: 1.0,
        action: RungAction::Search,
        n_samples: None,
        n_iterations_max: None,
        n_steps: None,
        n_nominal: None,
        precision,
    }
}

fn agent(clock: &Arc<ManualClock>) -> AgentNode {
    let ready = EngineConfig {
        also: Some(Precision::Int8),
        ..EngineConfig::default()
    };
    let model: ModelFactory = Box::new(move || Ok(Box::new(load_with(&weights(), ready)?)));
    let mut config = AgentConfig::new(name(FLEET), name(ROBOT), 1);
    config.clock_domain = Some(CLOCK.to_owned());
    let mut driving = DrivingConfig {
        imagining: Imagining::Afterwards,
        command_period_secs: EXTENT.command_period_secs,
        ladder: vec![
            rung("full", None),
            rung("eight-bits", Some(Precision::Int8)),
        ],
        ladder_held: ["full", "full", "eight-bits"].map(stage).to_vec(),
        ..DrivingConfig::default()
    };
    driving.safety.scan_age_secs_max = 0.3;
    let clock = Arc::clone(clock);
    let agent = AgentNode::new(config, clock, model, Vec::new()).unwrap();
    agent.with_driving(driving, 1).unwrap()
}

impl Loop {
    fn new(network: &InProcessNetwork, clock: &Arc<ManualClock>) -> Self {
        let agent = agent(clock);
        let subscriber = |(pattern, qos): &(KeyPattern, Qos)| {
            network.subscriber(pattern, *qos, no_wake()).unwrap()
        };
        let publisher = |(key, qos): &(Key, Qos)| {
            let publisher = network.publisher(key, *qos, no_wake()).unwrap();
            (key.clone(), *qos, publisher)
        };
        Self {
            clock: Arc::clone(clock),
            subscribers: agent.subscriptions().iter().map(subscriber).collect(),
            publishers: agent.publications().iter().map(publisher).collect(),
            agent,
            inbox: Inbox::new(256),
            outbox: Outbox::new(64),
            next: NextTick::OnMessage,
        }
    }

    /// One tick, as a driver does it.
    fn tick(&mut self) {
        for subscriber in &mut self.subscribers {
            self.inbox.fill_from(subscriber.as_mut());
        }
        let counted = || {
            let publishers = self.publishers.iter();
            publishers.filter(|(_, qos, _)| Links::counts(qos.class()))
        };
        let links = Links {
            publishers: counted().count(),
            listened: counted().filter(|(.., it)| it.has_subscribers()).count(),
        };
        self.agent.on_links(links);
        let now = self.clock.now();
        self.next = self.agent.tick(now, &mut self.inbox, &mut self.outbox);
        for outgoing in self.outbox.drain() {
            let mut publishers = self.publishers.iter_mut();
            let (.., publisher) = publishers.find(|(key, ..)| *key == outgoing.key).unwrap();
            let outcome = match outgoing.expiry {
                Some(expiry) => publisher.put_before(&outgoing.message, expiry, now),
                None => publisher.put(&outgoing.message),
            };
            assert_eq!(outcome, PutOutcome::Sent);
            self.agent.on_put(&outgoing, outcome);
        }
    }
}

/// What was counted in ticks of one kind.
#[derive(Debug, Default)]
struct Row {
    ticks: u64,
    with_any: u64,
    allocations: usize,
    bytes: usize,
}

/// What a tick had to do: what came, or what the last scan left.
fn kind(sensed: Option<Sensed>) -> &'static str {
    match sensed {
        None => "after a scan: imagining",
        Some(Sensed { scan: true, .. }) => "scan: belief, command, prediction",
        Some(Sensed { odometry: true, .. }) => "odometry, command",
        Some(_) => "inertial sample",
    }
}

fn main() {
    let clock = Arc::new(ManualClock::default());
    let network = InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let mut driven = Loop::new(&network, &clock);
    let geometry = load(&weights()).unwrap().story().geometry;
    let mut robot = Robot::new(&network, geometry);
    let mut listening = Robot::listen(&network);
    let (to_robot, times) = sync_channel::<Stamp>(1);
    let (done, from_robot) = sync_channel(1);
    let thread = spawn_named("robot", move || {
        for now in times {
            for heard in &mut listening {
                while heard.try_next().is_some() {}
            }
            done.send(robot.step(now)).unwrap();
        }
        robot.way_m
    });
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for tick in 0..EXTENT.n_warm + EXTENT.n_ticks {
        let now = clock.now() + TICK;
        clock.advance_to(now);
        to_robot.send(now).unwrap();
        let mut sensed: Option<Sensed> = Some(from_robot.recv().unwrap());
        loop {
            let region = Region::new(ALLOCATOR);
            driven.tick();
            let change = region.change();
            if tick >= EXTENT.n_warm {
                let row = rows.entry(kind(sensed)).or_default();
                let allocations = change.allocations + change.reallocations;
                row.ticks += 1;
                row.with_any += u64::from(allocations > 0);
                row.allocations += allocations;
                row.bytes += change.bytes_allocated;
            }
            sensed = None;
            if !matches!(driven.next, NextTick::At(at) if at <= now) {
                break;
            }
        }
    }
    drop(to_robot);
    let way_m = thread.unwrap().join().unwrap();
    report(&rows, &driven.agent, way_m);
}

fn report(rows: &BTreeMap<&str, Row>, agent: &AgentNode, way_m: f64) {
    for (kind, row) in rows {
        let ticks = row.ticks as f64;
        println!(
            "{kind:34}{:7} ticks, {:6} that allocate, {:9.3} allocations and {:9.1} bytes a tick",
            row.ticks,
            row.with_any,
            row.allocations as f64 / ticks,
            row.bytes as f64 / ticks,
        );
    }
    // The loop did what it is counted for.
    let driving = agent.report().driving.unwrap();
    println!("{way_m:.1} m driven in all: {driving}");
    let secs = (EXTENT.n_warm + EXTENT.n_ticks) as f64 * TICK.as_secs_f64();
    assert!(driving.n_commands as f64 > 0.8 * secs / EXTENT.command_period_secs);
    assert!(way_m > 0.1 * secs, "it hardly moved");
    let ladder = driving.ladder.unwrap();
    assert!(ladder.n_changes > driving.n_commands / 2, "{ladder:?}");
    let allocations: usize = rows.values().map(|row| row.allocations).sum();
    let expected = EXTENT.allocations_max;
    assert!(
        allocations <= expected,
        "expected {expected}, got {allocations}"
    );
}
