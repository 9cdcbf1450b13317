//! A world and its agents in lockstep: one deterministic run, on as many threads as there are.

mod crew;
mod recording_hash;
mod report;
mod routes;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use sedge_latency::StageLedger;
use sedge_oni::{Key, KeyPattern};
use sedge_spacetime::{AgentName, Clock, ManualClock, Stamp};
use sedge_transport::{Inbox, NextTick, Node, Outbox, Outgoing, Qos, Received};

use crate::pooled_predictions::pooled_predictions;
use crate::{AgentError, AgentNode, Shutdown, SystemClock};
use crew::Crew;
use recording_hash::RecordingHash;
use routes::{Routes, Streams, Target};

pub use report::{MemberReport, SwarmReport};

/// Messages for the world in one tick; what is beyond is dropped, oldest first, and counted.
const WORLD_INBOX_DEPTH: usize = 65_536;
/// Messages that the world may send in one tick.
const WORLD_OUTBOX_DEPTH: usize = 65_536;
/// More agents than a machine runs in one process.
const N_MEMBERS_MAX: usize = 4_096;
/// More threads than any machine has cores for.
const N_THREADS_MAX: usize = 1_024;

/// How a swarm is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwarmConfig {
    /// Threads that agents are spread over, at least 1; the result does not depend on it.
    pub n_threads: usize,
    /// Simulated time from one tick to the next. The usual 10 ms is the physics step.
    pub tick: Duration,
    /// Ticks at most.
    pub n_ticks_max: u64,
}

/// The clocks of a swarm.
#[derive(Clone)]
pub struct SwarmClocks {
    /// Shows simulated time: an agent's clock.
    pub simulated: Arc<dyn Clock>,
    /// The machine's, for [`AgentNode::with_stopwatch`]: how long a stage takes is worth knowing,
    /// and must not change what an agent says.
    pub stopwatch: Arc<dyn Clock>,
}

/// Makes an agent, on the thread that keeps it: models need not be `Send`.
pub type MemberFactory = Box<dyn FnOnce(&SwarmClocks) -> Result<AgentNode, AgentError> + Send>;

/// One agent of a swarm.
pub struct SwarmMember {
    /// What it is called in reports.
    pub name: AgentName,
    /// Makes it. An agent with stages of its own must take the stopwatch.
    pub make: MemberFactory,
}

/// What the agents sense and act upon, such as a simulation; it stays the caller's.
pub struct World<'w> {
    /// Ticks before the agents.
    pub node: &'w mut dyn Node,
    /// What it listens to.
    pub subscriptions: Vec<(KeyPattern, Qos)>,
    /// What it publishes.
    pub publications: Vec<(Key, Qos)>,
}

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The world.
    World,
    /// The member of this index.
    Member(usize),
}

/// Sees a swarm from outside, on the thread that runs it, between the ticks of its agents. Every
/// method does nothing by default.
#[expect(
    unused_variables,
    reason = "the names document what an observer is given"
)]
pub trait SwarmObserver {
    /// A message was sent: each once, in the order of the recording hash.
    fn on_message(&mut self, at: Stamp, sender: Sender, outgoing: &Outgoing) {}

    /// A tick is over; says whether to go on.
    fn on_tick(&mut self, at: Stamp) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// A member could not be made or has failed, and is out for the rest of the run.
    fn on_failure(&mut self, at: Stamp, member: &AgentName, why: &str) {}
}

impl SwarmObserver for crate::NoObserver {}

/// Why a swarm's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwarmEnd {
    /// The world said that it is over.
    WorldFinished,
    /// It ran for as many ticks as it was told.
    TicksReached,
    /// The observer had seen enough.
    Observer,
    /// Somebody asked for the end.
    Shutdown,
}

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// A number is out of its range.
    #[error("expected {what} within [1, {max}], got {got}")]
    Count {
        /// Of what.
        what: &'static str,
        /// The most.
        max: usize,
        /// What came.
        got: usize,
    },
    /// Time would stand still.
    #[error("expected a tick longer than zero")]
    NoTick,
    /// The operating system has no thread to give.
    #[error("cannot start a thread of the swarm: {0}")]
    Thread(#[from] std::io::Error),
}

impl SwarmConfig {
    fn check(&self, n_members: usize) -> Result<(), SwarmError> {
        let count = |what, max, got| {
            if (1..=max).contains(&got) {
                Ok(())
            } else {
                Err(SwarmError::Count { what, max, got })
            }
        };
        count("threads", N_THREADS_MAX, self.n_threads)?;
        count("members", N_MEMBERS_MAX, n_members)?;
        match self.tick {
            Duration::ZERO => Err(SwarmError::NoTick),
            _ => Ok(()),
        }
    }
}

/// Runs a world and its agents in lockstep until the end.
///
/// A tick at simulated time `now`, one tick length after the one before, beginning with one length:
/// the world is given what the agents sent in the tick before; what it sends reaches the agents;
/// they tick, each on its thread; what they send is taken member by member. So what happens is a
/// function of the world, of the members and of the tick, and not of the threads.
///
/// # Errors
/// [`SwarmError`] for numbers out of range, or without threads. A member that cannot be made or
/// that panics is out, named in the report, and the others go on.
pub fn run_swarm(
    config: &SwarmConfig,
    world: World<'_>,
    members: Vec<SwarmMember>,
    observer: &mut dyn SwarmObserver,
    shutdown: &Shutdown,
) -> Result<SwarmReport, SwarmError> {
    config.check(members.len())?;
    let simulated = Arc::new(ManualClock::new(Stamp::ZERO));
    let clocks = SwarmClocks {
        simulated: Arc::clone(&simulated) as Arc<_>,
        stopwatch: Arc::new(SystemClock::new()),
    };
    let names: Vec<AgentName> = members.iter().map(|member| member.name.clone()).collect();
    let crew = Crew::hire(members, config.n_threads, &clocks)?;
    let World {
        node,
        subscriptions,
        publications,
    } = world;
    let of_world = Streams {
        subscriptions,
        publications,
    };
    let mut run = Run {
        routes: Routes::new(&of_world, crew.streams()),
        stopwatch: Arc::clone(&clocks.stopwatch),
        hash: RecordingHash::default(),
        report: SwarmReport::of(&names),
        mail: BTreeMap::new(),
        world_inbox: Inbox::new(WORLD_INBOX_DEPTH),
        names,
        crew,
    };
    for (member_idx, why) in run.crew.failures() {
        run.fail(member_idx, Stamp::ZERO, &why, observer);
    }
    let began = clocks.stopwatch.now();
    let end = run.ticks(config, (node, &simulated), observer, shutdown);
    let wall = clocks.stopwatch.now().saturating_since(began);
    Ok(run.finish(end, simulated.now(), wall))
}

/// A run that is going on.
struct Run {
    names: Vec<AgentName>,
    routes: Routes,
    crew: Crew,
    stopwatch: Arc<dyn Clock>,
    hash: RecordingHash,
    report: SwarmReport,
    /// What each member will be given at its next tick.
    mail: BTreeMap<usize, Vec<Received>>,
    world_inbox: Inbox,
}

impl Run {
    fn ticks(
        &mut self,
        config: &SwarmConfig,
        (world, clock): (&mut dyn Node, &ManualClock),
        observer: &mut dyn SwarmObserver,
        shutdown: &Shutdown,
    ) -> SwarmEnd {
        let mut outbox = Outbox::new(WORLD_OUTBOX_DEPTH);
        let mut now = Stamp::ZERO;
        while self.report.n_ticks < config.n_ticks_max {
            if shutdown.is_requested() {
                return SwarmEnd::Shutdown;
            }
            now = now + config.tick;
            clock.advance_to(now);
            let began = self.stopwatch.now();
            let next = world.tick(now, &mut self.world_inbox, &mut outbox);
            let sensed = self.stopwatch.now();
            for outgoing in outbox.drain() {
                self.post(now, Sender::World, outgoing, observer);
            }
            let posted = self.stopwatch.now();
            self.crew_ticks(now, observer);
            let acted = self.stopwatch.now();
            self.report.world_secs += sensed.secs_since(began);
            self.report.agents_secs += acted.secs_since(posted);
            self.report.n_ticks += 1;
            if observer.on_tick(now).is_break() {
                return SwarmEnd::Observer;
            }
            if next == NextTick::Finished {
                return SwarmEnd::WorldFinished;
            }
        }
        SwarmEnd::TicksReached
    }

    fn crew_ticks(&mut self, now: Stamp, observer: &mut dyn SwarmObserver) {
        let mail = std::mem::take(&mut self.mail);
        for turn in self.crew.tick(now, mail) {
            for outgoing in turn.outgoing {
                self.post(now, Sender::Member(turn.member_idx), outgoing, observer);
            }
            if let Some(why) = turn.failure {
                self.fail(turn.member_idx, now, &why, observer);
            }
        }
    }

    /// Hashes a message, shows it, and puts it where it will be read.
    fn post(
        &mut self,
        now: Stamp,
        sender: Sender,
        outgoing: Outgoing,
        observer: &mut dyn SwarmObserver,
    ) {
        let Some(targets) = self.routes.of(&outgoing.key) else {
            self.report.n_undeclared += 1;
            tracing::error!(key = %outgoing.key, "message under a key that was not declared");
            return;
        };
        if outgoing.expiry.is_some_and(|expiry| now > expiry) {
            self.report.n_late += 1;
            return;
        }
        self.hash.update(now, sender, &outgoing);
        self.report.n_messages += 1;
        let (header, payload) = (outgoing.message.header(), outgoing.message.payload());
        self.report.n_bytes += (header.len() + payload.len()) as u64;
        observer.on_message(now, sender, &outgoing);
        let received = Received {
            key: outgoing.key,
            message: outgoing.message,
            arrival: now,
        };
        for target in targets {
            match *target {
                Target::World => self.world_inbox.push(received.clone()),
                Target::Member(idx) if sender == Sender::Member(idx) => {}
                Target::Member(idx) => {
                    self.mail.entry(idx).or_default().push(received.clone());
                }
            }
        }
    }

    fn fail(&mut self, member_idx: usize, at: Stamp, why: &str, observer: &mut dyn SwarmObserver) {
        let name = &self.names[member_idx];
        tracing::error!(agent = name.as_str(), "out of the swarm: {why}");
        observer.on_failure(at, name, why);
        self.report.members[member_idx].failure = Some(why.to_owned());
    }

    fn finish(self, end: SwarmEnd, now: Stamp, wall: Duration) -> SwarmReport {
        let mut report = self.report;
        let mut latency = StageLedger::default();
        for last in self.crew.dismiss() {
            let member = &mut report.members[last.member_idx];
            member.busy_secs = last.busy.as_secs_f64();
            member.n_inbox_dropped = last.n_inbox_dropped;
            if let Some((agent, ledger)) = last.report {
                member.report = Some(agent);
                if latency.merge(&ledger).is_err() {
                    tracing::warn!("more stages than one ledger holds");
                }
            }
        }
        let agents = report.members.iter().filter_map(|it| it.report.as_ref());
        report.predictions = pooled_predictions(agents.flat_map(|it| &it.predictions));
        report.end = end;
        report.latency = latency.report();
        report.n_world_dropped = self.world_inbox.dropped();
        report.hash = self.hash.finish();
        report.simulated_secs = now.secs();
        report.wall_secs = wall.as_secs_f64();
        report
    }
}

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod toy_world;
