//! The agents of a swarm on their threads.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sedge_latency::StageLedger;
use sedge_spacetime::Stamp;
use sedge_transport::{Inbox, NextTick, Node as _, Outbox, Outgoing, Received};

use super::routes::Streams;
use super::{SwarmClocks, SwarmMember};
use crate::{AgentNode, AgentReport, spawn_named};

/// Messages for one agent in one tick; what is beyond is dropped, oldest first, and counted.
const INBOX_DEPTH: usize = 4_096;
/// Messages that an agent may send in one call.
const OUTBOX_DEPTH: usize = 64;
/// How often an agent is called within one tick at most; what it still wants to do then waits for
/// the next tick.
const N_CALLS_MAX: usize = 64;

/// What one agent did in one tick.
pub(super) struct Turn {
    pub(super) member_idx: usize,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) failure: Option<String>,
}

/// What is left of an agent at the end.
pub(super) struct LastWord {
    pub(super) member_idx: usize,
    pub(super) busy: Duration,
    pub(super) n_inbox_dropped: u64,
    pub(super) report: Option<(AgentReport, StageLedger)>,
}

/// What a worker is told: one tick, with mail by member.
struct Order {
    now: Stamp,
    mail: BTreeMap<usize, Vec<Received>>,
}

struct Ready {
    member_idx: usize,
    made: Result<Streams, String>,
}

struct Worker {
    member_idxs: Vec<usize>,
    /// Dropped to end it.
    orders: Option<SyncSender<Order>>,
    turns: Receiver<Vec<Turn>>,
    thread: JoinHandle<Vec<LastWord>>,
}

/// All workers. Member `i` lives on worker `i % n` for good.
pub(super) struct Crew {
    workers: Vec<Worker>,
    streams: Vec<Streams>,
    failures: Vec<(usize, String)>,
}

impl Crew {
    /// Starts the threads and makes every member on its own.
    pub(super) fn hire(
        members: Vec<SwarmMember>,
        n_threads: usize,
        clocks: &SwarmClocks,
    ) -> std::io::Result<Self> {
        let n_members = members.len();
        let n_workers = n_threads.min(n_members);
        let mut shares: Vec<Vec<(usize, SwarmMember)>> = Vec::new();
        shares.resize_with(n_workers, Vec::new);
        for (member_idx, member) in members.into_iter().enumerate() {
            shares[member_idx % n_workers].push((member_idx, member));
        }
        let mut crew = Self {
            workers: Vec::with_capacity(n_workers),
            streams: vec![Streams::default(); n_members],
            failures: Vec::new(),
        };
        let mut all_ready = Vec::with_capacity(n_workers);
        for (worker_idx, share) in shares.into_iter().enumerate() {
            let (worker, ready) = Worker::start(worker_idx, share, clocks.clone())?;
            crew.workers.push(worker);
            all_ready.push(ready);
        }
        for (worker, ready) in crew.workers.iter().zip(&all_ready) {
            let mut waited_for = worker.member_idxs.clone();
            while let Ok(Ready { member_idx, made }) = ready.recv() {
                waited_for.retain(|idx| *idx != member_idx);
                match made {
                    Ok(streams) => crew.streams[member_idx] = streams,
                    Err(why) => crew.failures.push((member_idx, why)),
                }
            }
            let lost = waited_for.into_iter();
            crew.failures
                .extend(lost.map(|idx| (idx, "its thread ended".to_owned())));
        }
        crew.failures.sort_unstable();
        Ok(crew)
    }

    /// What each member reads and writes; nothing for one that could not be made.
    pub(super) fn streams(&self) -> &[Streams] {
        &self.streams
    }

    /// Members that could not be made, and why; given once.
    pub(super) fn failures(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.failures)
    }

    /// Lets everybody tick; turns come in the order of members.
    pub(super) fn tick(
        &mut self,
        now: Stamp,
        mut mail: BTreeMap<usize, Vec<Received>>,
    ) -> Vec<Turn> {
        let mut turns = Vec::new();
        for worker in &mut self.workers {
            let mut share = BTreeMap::new();
            for member_idx in &worker.member_idxs {
                share.extend(mail.remove_entry(member_idx));
            }
            let Some(orders) = &worker.orders else {
                continue;
            };
            if orders.send(Order { now, mail: share }).is_err() {
                turns.extend(worker.lose());
            }
        }
        for worker in &mut self.workers {
            if worker.orders.is_none() {
                continue;
            }
            match worker.turns.recv() {
                Ok(theirs) => turns.extend(theirs),
                Err(_) => turns.extend(worker.lose()),
            }
        }
        turns.sort_by_key(|turn| turn.member_idx);
        turns
    }

    /// Ends all threads and asks every member for its figures.
    pub(super) fn dismiss(self) -> Vec<LastWord> {
        let mut last_words = Vec::new();
        for worker in self.workers {
            drop(worker.orders);
            // A thread that panicked has no last words; its members were reported as lost.
            last_words.extend(worker.thread.join().unwrap_or_default());
        }
        last_words
    }
}

impl Worker {
    fn start(
        worker_idx: usize,
        share: Vec<(usize, SwarmMember)>,
        clocks: SwarmClocks,
    ) -> std::io::Result<(Self, Receiver<Ready>)> {
        let member_idxs = share.iter().map(|(idx, _)| *idx).collect();
        let (orders, for_worker) = sync_channel::<Order>(1);
        let (from_worker, turns) = sync_channel(1);
        let (say_ready, ready) = sync_channel(share.len());
        let work = move || {
            let mut agents: Vec<Seat> = share
                .into_iter()
                .map(|(member_idx, member)| Seat::make((member_idx, member), &clocks, &say_ready))
                .collect();
            drop(say_ready);
            while let Ok(Order { now, mut mail }) = for_worker.recv() {
                let turns = agents.iter_mut().filter_map(|seat| {
                    let mail = mail.remove(&seat.member_idx).unwrap_or_default();
                    seat.tick(now, mail, &clocks)
                });
                if from_worker.send(turns.collect::<Vec<Turn>>()).is_err() {
                    break;
                }
            }
            agents.into_iter().map(Seat::last_word).collect()
        };
        let thread = spawn_named(&format!("swarm-{worker_idx}"), work)?;
        let worker = Self {
            member_idxs,
            orders: Some(orders),
            turns,
            thread,
        };
        Ok((worker, ready))
    }

    /// The thread is gone, and with it its members.
    fn lose(&mut self) -> Vec<Turn> {
        self.orders = None;
        let lost = |member_idx: &usize| Turn {
            member_idx: *member_idx,
            outgoing: Vec::new(),
            failure: Some("its thread ended".to_owned()),
        };
        self.member_idxs.iter().map(lost).collect()
    }
}

/// One agent and what it is called with.
struct Seat {
    member_idx: usize,
    agent: Option<AgentNode>,
    inbox: Inbox,
    outbox: Outbox,
    next: NextTick,
    busy: Duration,
}

impl Seat {
    fn make(
        (member_idx, member): (usize, SwarmMember),
        clocks: &SwarmClocks,
        say_ready: &SyncSender<Ready>,
    ) -> Self {
        let make = member.make;
        let made = catch_unwind(AssertUnwindSafe(|| make(clocks)));
        let (agent, made) = match made {
            Ok(Ok(agent)) => {
                let streams = Streams {
                    subscriptions: agent.subscriptions(),
                    publications: agent.publications(),
                };
                (Some(agent), Ok(streams))
            }
            Ok(Err(error)) => (None, Err(error.to_string())),
            Err(panic) => (None, Err(panic_text(panic.as_ref()))),
        };
        // Whoever waits for it is still there, or does not care any more.
        drop(say_ready.send(Ready { member_idx, made }));
        Self {
            member_idx,
            agent,
            inbox: Inbox::new(INBOX_DEPTH),
            outbox: Outbox::new(OUTBOX_DEPTH),
            next: NextTick::At(Stamp::ZERO),
            busy: Duration::ZERO,
        }
    }

    /// Calls the agent if there is something to do; nothing where it is out.
    fn tick(&mut self, now: Stamp, mail: Vec<Received>, clocks: &SwarmClocks) -> Option<Turn> {
        let agent = self.agent.as_mut()?;
        let is_due = matches!(self.next, NextTick::At(at) if at <= now);
        if (mail.is_empty() && !is_due) || self.next == NextTick::Finished {
            return None;
        }
        for received in mail {
            self.inbox.push(received);
        }
        let began = clocks.stopwatch.now();
        let (inbox, outbox) = (&mut self.inbox, &mut self.outbox);
        let mut outgoing = Vec::new();
        let next = catch_unwind(AssertUnwindSafe(|| {
            let mut next = NextTick::At(now);
            for _ in 0..N_CALLS_MAX {
                next = agent.tick(now, inbox, outbox);
                outgoing.extend(outbox.drain());
                if !matches!(next, NextTick::At(at) if at <= now) {
                    break;
                }
            }
            next
        }));
        self.busy += clocks.stopwatch.now().saturating_since(began);
        let failure = match next {
            Ok(next) => {
                self.next = next;
                None
            }
            Err(panic) => {
                self.abandon();
                Some(panic_text(panic.as_ref()))
            }
        };
        Some(Turn {
            member_idx: self.member_idx,
            outgoing,
            failure,
        })
    }

    /// Lets go of an agent that panicked; what it panics about while it is dropped is its own.
    fn abandon(&mut self) {
        let agent = self.agent.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(agent))));
    }

    fn last_word(self) -> LastWord {
        LastWord {
            member_idx: self.member_idx,
            busy: self.busy,
            n_inbox_dropped: self.inbox.dropped(),
            report: self
                .agent
                .map(|agent| (agent.report(), agent.stages().clone())),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.as_deref().unwrap_or("without a text"))
}
