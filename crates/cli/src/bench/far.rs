//! Processes at the other end: they answer pings, count floods, and pass messages on.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Context as _;
use sedge_runtime::{SystemClock, spawn_named};
use sedge_transport_zenoh::race::{
    self, Link, OniStack, Purpose, RaceError, RawStack, Stack, Wire,
};
use serde::{Deserialize, Serialize};

use super::case::LinkName;

/// What a process at the other end does; on its command line, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FarRole {
    /// What lies between.
    pub(crate) link: LinkName,
    /// Whom it dials: raw Zenoh's session, and ours.
    pub(crate) dial: Option<Locators>,
    /// What it does, each in a thread of its own.
    pub(crate) jobs: Vec<Job>,
}

/// Where the sessions of a process listen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Locators {
    pub(crate) raw: String,
    pub(crate) oni: String,
}

/// What is done with the messages of one stream, by both stacks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Job {
    pub(crate) receives: String,
    /// None for a sink.
    pub(crate) sends: Option<String>,
    pub(crate) payload_bytes: usize,
    /// Messages that come for each that is sent.
    pub(crate) n_per_answer: usize,
    /// Whether none may be lost.
    pub(crate) is_lossless: bool,
}

impl Job {
    fn wire(&self) -> Wire<'_> {
        Wire {
            sends: self.sends.as_deref(),
            receives: Some(&self.receives),
            payload_bytes: self.payload_bytes,
            purpose: if self.is_lossless {
                Purpose::Throughput
            } else {
                Purpose::RoundTrip
            },
        }
    }
}

/// Messages that came to sinks, of each stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Heard {
    pub(crate) raw: u64,
    pub(crate) oni: u64,
}

/// Both stacks of a process.
pub(super) struct Stacks {
    pub(super) raw: RawStack,
    pub(super) oni: OniStack,
    pub(super) locators: Locators,
}

impl Stacks {
    /// Opens both sessions; they listen on this machine and dial whom they are told to.
    pub(super) fn open(link: Link, dial: Option<&Locators>) -> Result<Self, RaceError> {
        let (mut raw_dials, mut oni_dials) = (Vec::new(), Vec::new());
        if let Some(dial) = dial {
            raw_dials.push(dial.raw.clone());
            oni_dials.push(dial.oni.clone());
        }
        let (raw, raw_at) = RawStack::open(link, &raw_dials)?;
        let (oni, oni_at) = OniStack::open(link, &oni_dials, Arc::new(SystemClock::new()))?;
        Ok(Self {
            raw,
            oni,
            locators: Locators {
                raw: raw_at,
                oni: oni_at,
            },
        })
    }

    /// Starts a thread for each job and stack.
    pub(super) fn serve(&self, jobs: &[Job]) -> anyhow::Result<Serving> {
        let mut serving = Serving::default();
        for job in jobs {
            for (is_oni, stack) in [(false, &self.raw as &dyn Stack), (true, &self.oni)] {
                let mut end = stack.end(job.wire())?;
                let n_per_answer = job.sends.is_some().then_some(job.n_per_answer);
                let ended = Arc::clone(&serving.has_ended);
                let thread = spawn_named("bench-far", move || {
                    let has_ended = || ended.load(Ordering::Acquire);
                    race::serve(&mut *end, n_per_answer, &has_ended)
                })?;
                serving.threads.push(Served {
                    is_oni,
                    is_sink: n_per_answer.is_none(),
                    thread,
                });
            }
        }
        Ok(serving)
    }
}

struct Served {
    is_oni: bool,
    is_sink: bool,
    thread: JoinHandle<Result<u64, RaceError>>,
}

/// Threads that do jobs.
#[derive(Default)]
pub(super) struct Serving {
    has_ended: Arc<AtomicBool>,
    threads: Vec<Served>,
}

impl Serving {
    /// Ends all of them, which takes a patience at most; what came to sinks.
    pub(super) fn end(self) -> anyhow::Result<Heard> {
        self.has_ended.store(true, Ordering::Release);
        let mut heard = Heard::default();
        for served in self.threads {
            let n = match served.thread.join() {
                Ok(served) => served?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            match (served.is_sink, served.is_oni) {
                (true, true) => heard.oni += n,
                (true, false) => heard.raw += n,
                (false, _) => {}
            }
        }
        Ok(heard)
    }
}

/// Serves until standard input ends; says first where it listens, and last what came to sinks.
pub(crate) fn run_far_end(role: &FarRole, out: &mut dyn Write) -> anyhow::Result<()> {
    let stacks = Stacks::open(role.link.into(), role.dial.as_ref())?;
    let serving = stacks.serve(&role.jobs)?;
    writeln!(out, "{}", serde_json::to_string(&stacks.locators)?)?;
    out.flush()?;
    // Nothing is ever written to it: this returns when the other side is gone, or wants the end.
    drop(std::io::stdin().read(&mut [0]));
    let heard = serving.end()?;
    writeln!(out, "{}", serde_json::to_string(&heard)?)?;
    Ok(out.flush()?)
}

/// A running process at the other end; ends with this, also where the benchmark dies.
pub(super) struct FarProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    pub(super) locators: Locators,
}

impl FarProcess {
    pub(super) fn start(role: &FarRole) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "--far-end", &serde_json::to_string(role)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the process at the other end")?;
        let stdin = child.stdin.take();
        let said = child.stdout.take().context("expected its output")?;
        let mut said = BufReader::new(said);
        let locators = next_line(&mut said).context("expected to hear where the far end listens");
        if locators.is_err() {
            drop(child.kill());
            drop(child.wait());
        }
        Ok(Self {
            locators: locators?,
            child,
            stdin,
            said,
        })
    }

    /// Asks it to end; it does within some seconds.
    pub(super) fn ask_to_end(&mut self) {
        drop(self.stdin.take());
    }

    /// What came to its sinks, of a process that was asked to end.
    pub(super) fn last_word(mut self) -> anyhow::Result<Heard> {
        next_line(&mut self.said).context("expected to hear what the far end counted")
    }
}

fn next_line<Said: for<'de> Deserialize<'de>>(
    said: &mut BufReader<ChildStdout>,
) -> anyhow::Result<Said> {
    let mut line = String::new();
    said.read_line(&mut line)?;
    serde_json::from_str(&line).with_context(|| format!("got {line:?}"))
}

impl Drop for FarProcess {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
