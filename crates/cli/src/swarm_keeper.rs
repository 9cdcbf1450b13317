//! Keeps the agents of a swarm: starts their processes, kills them by plan, starts again who is
//! dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use sedge_runtime::{AgentReport, Shutdown, SystemClock, spawn_named};
use sedge_spacetime::{Clock as _, Stamp};

use crate::chaos::{Kill, kills};
use crate::swarm_child::SwarmChild;
use crate::swarm_witness::{Deed, Killable};
use crate::{Progress, ProgressStyle};

/// How often agents are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Agents that end by themselves are started again so often, all together.
const RESTARTS_MAX: u64 = 100;
/// What the world said last is read before agents are asked to end.
const LINGER: Duration = Duration::from_millis(700);
/// Who is asked to end has this long, all together.
const END_MAX: Duration = Duration::from_secs(30);

/// What the keeper has done.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) n_kills: u64,
    /// Agents that ended by themselves.
    pub(crate) n_died: u64,
    pub(crate) n_starts: u64,
    /// Agents that did not end when they were asked to.
    pub(crate) n_stuck: u64,
    /// What those who lived until the end report, by robot.
    pub(crate) agents: Vec<Option<AgentReport>>,
}

/// What a keeper goes by.
pub(crate) struct Keeping {
    pub(crate) children: Vec<SwarmChild>,
    /// Seed of the kills.
    pub(crate) chaos: Option<u64>,
    /// Asked for when agents cannot be kept: the world need not go on without them.
    pub(crate) whole: Shutdown,
    pub(crate) deeds: Sender<(usize, Deed)>,
    pub(crate) killable: Killable,
    /// Seconds that the world is to last, and those that it has.
    pub(crate) secs: (u64, Arc<AtomicU64>),
}

/// A keeper at work, on a thread of its own.
pub(crate) struct Keeper {
    stop: Shutdown,
    ended: Shutdown,
    thread: JoinHandle<anyhow::Result<Kept>>,
}

impl Keeper {
    pub(crate) fn start(keeping: Keeping) -> anyhow::Result<Self> {
        let (stop, ended) = (Shutdown::new(), Shutdown::new());
        let (stops, ends, whole) = (stop.clone(), ended.clone(), keeping.whole.clone());
        let keep = move || {
            let kept = keeping.keep(&stops);
            if kept.is_err() {
                whole.request();
            }
            ends.request();
            kept
        };
        let thread = spawn_named("swarm-keeper", keep)?;
        Ok(Self {
            stop,
            ended,
            thread,
        })
    }

    /// Asks all agents to end; what is returned says when they have.
    pub(crate) fn ask_to_end(&self) -> &Shutdown {
        self.stop.request();
        &self.ended
    }

    pub(crate) fn join(self) -> anyhow::Result<Kept> {
        self.stop.request();
        match self.thread.join() {
            Ok(kept) => kept,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Keeping {
    fn keep(mut self, stop: &Shutdown) -> anyhow::Result<Kept> {
        let clock = SystemClock::new();
        let mut kept = Kept::default();
        let n_agents = self.children.len();
        for agent_idx in 0..n_agents {
            self.start(agent_idx, &mut kept)?;
        }
        // Elsewhere than on a terminal, ten minutes would be hundreds of lines.
        let style = match ProgressStyle::detect() {
            ProgressStyle::Bar => ProgressStyle::Bar,
            _ => ProgressStyle::Silent,
        };
        let mut progress = Progress::begin("seconds", style, 0, self.secs.0);
        let mut kills = self.chaos.into_iter().flat_map(|it| kills(it, n_agents));
        let mut next = kills.next();
        let mut last_kill: Option<Stamp> = None;
        let mut back_at: Vec<Option<Stamp>> = vec![None; n_agents];
        while !stop.wait(LOOK_EVERY) {
            let now = clock.now();
            progress.set(self.secs.1.load(Ordering::Relaxed), |_| {
                format!("{} agents, {} killed", n_agents, kept.n_kills)
            });
            if let Some(kill) = next
                && let Some(agent_idx) = self.victim(kill)
                && now >= *last_kill.get_or_insert(now) + kill.after
            {
                self.kill(agent_idx, &mut kept);
                back_at[agent_idx] = Some(now + kill.away);
                next = kills.next();
                last_kill = Some(now);
            }
            for (agent_idx, back_at) in back_at.iter_mut().enumerate() {
                if self.children[agent_idx].has_died() {
                    self.note_death(agent_idx, &mut kept)?;
                    *back_at = Some(now);
                }
                if back_at.is_some_and(|at| now >= at) {
                    *back_at = None;
                    self.start(agent_idx, &mut kept)?;
                }
            }
        }
        progress.end_in_place();
        self.end(&mut kept);
        Ok(kept)
    }

    fn start(&mut self, agent_idx: usize, kept: &mut Kept) -> anyhow::Result<()> {
        self.children[agent_idx].start()?;
        kept.n_starts += 1;
        self.tell(agent_idx, Deed::Started);
        Ok(())
    }

    /// Whoever is to be killed, or the next after it whose time has come.
    fn victim(&self, kill: Kill) -> Option<usize> {
        let n_agents = self.children.len();
        let mut idxs = (0..n_agents).map(|ahead| (kill.agent_idx + ahead) % n_agents);
        idxs.find(|idx| self.killable[*idx].load(Ordering::Relaxed))
    }

    fn kill(&mut self, agent_idx: usize, kept: &mut Kept) {
        self.children[agent_idx].kill();
        self.killable[agent_idx].store(false, Ordering::Relaxed);
        kept.n_kills += 1;
        self.tell(agent_idx, Deed::Killed);
    }

    fn note_death(&self, agent_idx: usize, kept: &mut Kept) -> anyhow::Result<()> {
        self.tell(agent_idx, Deed::Died);
        kept.n_died += 1;
        anyhow::ensure!(
            kept.n_died <= RESTARTS_MAX,
            "expected agents to live: {RESTARTS_MAX} have ended by themselves"
        );
        Ok(())
    }

    fn tell(&self, agent_idx: usize, deed: Deed) {
        // Where the world has ended, nobody counts any more.
        self.deeds.send((agent_idx, deed)).ok();
    }

    fn end(&mut self, kept: &mut Kept) {
        let never = Shutdown::new();
        never.wait(LINGER);
        // All are asked first, so that they end at the same time.
        self.children.iter_mut().for_each(SwarmChild::ask_to_end);
        let clock = SystemClock::new();
        let until = clock.now() + END_MAX;
        while clock.now() < until && self.children.iter_mut().any(SwarmChild::is_running) {
            never.wait(LOOK_EVERY);
        }
        for child in &mut self.children {
            if child.is_running() {
                kept.n_stuck += 1;
            }
            let report = child.last_word();
            kept.agents.push(
                report
                    .inspect_err(|error| tracing::warn!("an agent's report is missing: {error:#}"))
                    .ok(),
            );
        }
    }
}
