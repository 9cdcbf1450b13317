//! The world under watch: what it is told, what it does by it, and what it says, counted beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use sedge_oni::{Command, Envelope, Goal, Key, TypedMessage as _};
use sedge_runtime::Driven;
use sedge_simulation::{STEP, STEPS_PER_TICK_MAX, SimulationNode};
use sedge_spacetime::{Clock, Stamp};
use sedge_transport::{Inbox, LossCounts, NextTick, Node, Outbox, Outgoing, Received};

use crate::chaos::Silence;
use robot_watch::{HeardCommand, RobotWatch, WatchedStep};

mod robot_watch;

pub(crate) use robot_watch::{Delays, Watched};

/// The stream of what is really there, which no agent listens to.
const TRUTH: &str = "truth";
/// What one tick of the world may send, and is given at most.
const SENT_MAX: usize = 65_536;
const GIVEN_MAX: usize = 4_096;
/// Robots begin to move before anything is done to them.
const PEACE_AT_FIRST: Duration = Duration::from_secs(2);
/// Who was killed gets this part of the run to come back, and at most this long.
const PEACE_AT_LAST_SHARE: f64 = 0.35;
const PEACE_AT_LAST_SECS_MAX: f64 = 20.0;
/// After the world's end, commands are waited for until none has come for this long.
const QUIET: Duration = Duration::from_millis(300);

/// What was done to an agent's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Started,
    Killed,
    /// It ended by itself.
    Died,
}

/// Robots whose agents may be killed now: they drive, and nothing else is being done to them.
pub(crate) type Killable = Arc<[AtomicBool]>;

/// One stream of the world.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentStream {
    /// Messages made.
    pub(crate) made: u64,
    /// Sequence numbers of those that were withheld, rising.
    withheld: Vec<u64>,
}

impl SentStream {
    /// Messages that were withheld from a sequence number on.
    pub(crate) fn withheld_since(&self, sequence: u64) -> u64 {
        let before = self.withheld.partition_point(|it| *it < sequence);
        (self.withheld.len() - before) as u64
    }
}

/// Runs a simulation step by step and watches. Where there is chaos, it also withholds what sensors
/// say.
pub(crate) struct Witness {
    node: SimulationNode,
    robots: Vec<RobotWatch>,
    robot_of: BTreeMap<String, usize>,
    steps_driven: Vec<u64>,
    streams: BTreeMap<Key, SentStream>,
    deeds: Receiver<(usize, Deed)>,
    killable: Killable,
    silences: Option<Box<dyn Iterator<Item = Silence> + Send>>,
    next_silence: Option<(Stamp, Silence)>,
    n_silences: u64,
    secs: Arc<AtomicU64>,
    outbox: Outbox,
}

impl Witness {
    pub(crate) fn new(
        node: SimulationNode,
        deeds: Receiver<(usize, Deed)>,
        killable: Killable,
    ) -> Self {
        let n_robots = node.simulation().robots().len();
        let name = |idx| node.simulation().robot_name(idx).as_str().to_owned();
        Self {
            robots: (0..n_robots).map(|_| RobotWatch::new()).collect(),
            robot_of: (0..n_robots).map(|idx| (name(idx), idx)).collect(),
            steps_driven: vec![0; n_robots],
            streams: BTreeMap::new(),
            deeds,
            killable,
            silences: None,
            next_silence: None,
            n_silences: 0,
            secs: Arc::default(),
            outbox: Outbox::new(SENT_MAX),
            node,
        }
    }

    /// The same, which makes sensors fall silent now and then.
    pub(crate) fn with_silences(
        mut self,
        silences: impl Iterator<Item = Silence> + Send + 'static,
    ) -> Self {
        let mut silences = silences;
        let first = silences.next();
        self.next_silence = first.map(|it| (Stamp::ZERO + PEACE_AT_FIRST + it.after, it));
        self.silences = Some(Box::new(silences));
        self
    }

    /// Whole seconds that have been stepped, for whoever shows progress.
    pub(crate) fn secs(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.secs)
    }

    pub(crate) fn node(&self) -> &SimulationNode {
        &self.node
    }

    pub(crate) fn watched(&self, robot_idx: usize) -> &Watched {
        &self.robots[robot_idx].watched
    }

    /// Commands that came of one start of a robot's agent.
    pub(crate) fn commands_of(&self, robot_idx: usize, epoch: u64) -> LossCounts {
        self.robots[robot_idx].commands_of(epoch)
    }

    /// A stream of the world's that agents listen to.
    pub(crate) fn stream(&self, key: &str) -> Option<&SentStream> {
        let mut streams = self.streams.iter();
        streams
            .find(|(known, _)| known.as_str() == key)
            .map(|(_, it)| it)
    }

    /// Silences that were begun, that of the world counted once.
    pub(crate) fn n_silences(&self) -> u64 {
        self.n_silences
    }

    /// Everything that was begun has ended.
    pub(crate) fn finish(&mut self) {
        self.take_deeds(self.node.simulation().now());
        let now = self.node.simulation().now();
        self.robots.iter_mut().for_each(|robot| robot.finish(now));
    }

    fn take_deeds(&mut self, now: Stamp) {
        for (robot_idx, deed) in self.deeds.try_iter() {
            let robot = &mut self.robots[robot_idx];
            match deed {
                Deed::Started => robot.started(now),
                Deed::Killed => robot.killed(now),
                Deed::Died => robot.ended(now),
            }
        }
    }

    /// Counts a command of one of the robots; what it says, if it is readable.
    fn count(&mut self, received: &Received) -> Option<(usize, Envelope, HeardCommand)> {
        let robot_idx = *self.robot_of.get(received.key.agent())?;
        let message = received.message.decode().ok()?;
        let command = Command::from_message(&message).ok()?;
        let envelope = message.envelope().clone();
        self.robots[robot_idx].count(&received.key, &envelope);
        let heard = HeardCommand::new(&envelope, command);
        Some((robot_idx, envelope, heard))
    }

    /// The messages for the world.
    fn hear(&mut self, inbox: &mut Inbox) -> Inbox {
        let mut given = Inbox::new(GIVEN_MAX);
        while let Some(received) = inbox.pop() {
            if received.key.message_type() != Command::NAME {
                continue;
            }
            if let Some((robot_idx, envelope, command)) = self.count(&received) {
                let epoch = envelope.source.epoch;
                self.robots[robot_idx].command(epoch, command, received.arrival);
            }
            given.push(received);
        }
        given
    }

    fn begin_silence(&mut self, now: Stamp) {
        let Some((_, silence)) = self.next_silence.take_if(|(at, _)| now >= *at) else {
            return;
        };
        let until = now + silence.lasts;
        let n_robots = self.robots.len();
        let at_peace = |it: &usize| self.robots[*it].is_at_peace();
        let chosen: Vec<usize> = match silence.robot_idx {
            Some(first) => {
                let from_there = (0..n_robots).map(|ahead| (first + ahead) % n_robots);
                from_there.filter(at_peace).take(1).collect()
            }
            None => (0..n_robots).filter(at_peace).collect(),
        };
        self.n_silences += u64::from(!chosen.is_empty());
        for robot_idx in chosen {
            self.robots[robot_idx].silence(silence.withheld, until);
        }
        let next = self.silences.as_mut().and_then(Iterator::next);
        let times_up = now + Duration::from_secs_f64(self.peace_at_last_secs());
        self.next_silence = next
            .map(|it| (now + it.after, it))
            .filter(|_| times_up.secs() < self.duration_secs());
    }

    fn duration_secs(&self) -> f64 {
        self.node.simulation().scenario().duration_secs
    }

    fn peace_at_last_secs(&self) -> f64 {
        (self.duration_secs() * PEACE_AT_LAST_SHARE).min(PEACE_AT_LAST_SECS_MAX)
    }

    fn say_who_may_be_killed(&self, now: Stamp) {
        let end_secs = self.duration_secs() - self.peace_at_last_secs();
        let is_time = now >= Stamp::ZERO + PEACE_AT_FIRST && now.secs() < end_secs;
        for (robot, killable) in self.robots.iter().zip(self.killable.iter()) {
            killable.store(is_time && robot.is_at_peace(), Ordering::Relaxed);
        }
    }

    /// One step of the world, if it is time for one; whether it was.
    fn step(&mut self, now: Stamp, given: &mut Inbox) -> (NextTick, bool) {
        let before = self.node.simulation().now();
        let next = self
            .node
            .tick((before + STEP).min(now), given, &mut self.outbox);
        let has_stepped = self.node.simulation().now() > before;
        if has_stepped {
            let states = self.node.simulation().robots();
            for (robot_idx, (robot, state)) in self.robots.iter_mut().zip(states).enumerate() {
                let steps_driven = self.node.command_counts(robot_idx).steps_driven;
                let is_driven = steps_driven > self.steps_driven[robot_idx];
                self.steps_driven[robot_idx] = steps_driven;
                robot.step(&WatchedStep {
                    at: before,
                    is_driven,
                    target: self.node.target(robot_idx),
                    twist: state.twist,
                });
            }
        }
        (next, has_stepped)
    }

    /// Hands on what the world says, but for what is withheld.
    fn send(&mut self, outbox: &mut Outbox) {
        let now = self.node.simulation().now();
        let outgoing: Vec<Outgoing> = self.outbox.drain().collect();
        for Outgoing {
            key,
            message,
            expiry,
        } in outgoing
        {
            let robot = self.robot_of.get(key.agent());
            if let Some(robot_idx) = robot.filter(|_| key.stream() != TRUTH) {
                let stream = self.streams.entry(key.clone()).or_default();
                stream.made += 1;
                let is_sensor = key.message_type() != Goal::NAME;
                let robot = &mut self.robots[*robot_idx];
                if is_sensor && robot.withholds(key.message_type(), now) {
                    stream.withheld.push(stream.made - 1);
                    continue;
                }
            }
            if let Err(full) = outbox.put_before(key, message, expiry) {
                // Whoever runs the world gives it room for all that it says.
                tracing::error!("a message of the world is lost: {full}");
            }
        }
    }
}

impl Node for Witness {
    fn name(&self) -> &str {
        self.node.name()
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        self.take_deeds(now);
        let mut given = self.hear(inbox);
        let mut next = NextTick::At(now);
        for _ in 0..STEPS_PER_TICK_MAX {
            self.begin_silence(self.node.simulation().now());
            let (then, has_stepped) = self.step(now, &mut given);
            self.send(outbox);
            next = then;
            if !has_stepped || next == NextTick::Finished {
                break;
            }
        }
        let stepped = self.node.simulation().now();
        self.secs.store(stepped.secs() as u64, Ordering::Relaxed);
        self.say_who_may_be_killed(stepped);
        next
    }
}

/// Counts the commands that come after the world's end, until all agents have ended and what they
/// said is here.
pub(crate) struct LastWords<'w> {
    pub(crate) witness: &'w mut Witness,
    pub(crate) all_have_ended: &'w sedge_runtime::Shutdown,
    pub(crate) quiet_at: Stamp,
}

impl Node for LastWords<'_> {
    fn name(&self) -> &'static str {
        "last-words"
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, _outbox: &mut Outbox) -> NextTick {
        let have_ended = self.all_have_ended.is_requested();
        let mut has_come = false;
        while let Some(received) = inbox.pop() {
            if received.key.message_type() == Command::NAME {
                has_come = true;
                self.witness.count(&received);
            }
        }
        if has_come || !have_ended {
            self.quiet_at = now + QUIET;
        }
        if now >= self.quiet_at {
            return NextTick::Finished;
        }
        NextTick::At(self.quiet_at)
    }
}

impl Driven for LastWords<'_> {}

/// Waits until every robot's agent has said how it is, or until it is too late.
pub(crate) struct Muster {
    missing: Vec<String>,
    until: Stamp,
}

impl Muster {
    pub(crate) fn new(
        names: impl Iterator<Item = String>,
        clock: &dyn Clock,
        max: Duration,
    ) -> Self {
        Self {
            missing: names.collect(),
            until: clock.now() + max,
        }
    }

    /// Robots without an agent.
    pub(crate) fn missing(&self) -> &[String] {
        &self.missing
    }
}

impl Node for Muster {
    fn name(&self) -> &'static str {
        "muster"
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, _outbox: &mut Outbox) -> NextTick {
        while let Some(received) = inbox.pop() {
            self.missing.retain(|name| name != received.key.agent());
        }
        if self.missing.is_empty() || now >= self.until {
            return NextTick::Finished;
        }
        NextTick::At(self.until)
    }
}

impl Driven for Muster {}
