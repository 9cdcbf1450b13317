//! The caterpillar: a source, eight tasks that pass a message on, and a sink for each of them.
//!
//! 17 tasks and 16 edges, as others measure it (Copper, HORUS, dora and ROS 2 have the same graph):
//! eight edges make the chain, eight lead to sinks. A turn is from the source's put to the message
//! in the hands of the last sink, nine hops later; the other sinks read as they come.

use std::time::Duration;

use anyhow::ensure;
use sedge_runtime::bench::{Block, Contender, ContenderError, Pace, Race, Spans, TurnOutcome};
use sedge_spacetime::Clock as _;
use sedge_transport_zenoh::race::{End, Link, PATIENCE, Purpose, Stack, Wire};

use super::case::{CaterpillarCase, Layout, LinkName, RawPeer};
use super::far::{FarProcess, FarRole, Heard, Job, Stacks};
use super::report::Row;
use super::run::{Bench, Measured, contenders};
use super::wires::{both, bytes_text, pace_text, race_at, slowest};

/// Tasks that pass messages on.
const N_LINKS: usize = 8;
/// How long the chain may take to come together, how often it is tried, and how long it then has
/// for what is still under way.
const MEETING_WAIT_MAX: Duration = Duration::from_mins(1);
const MEETING_STEP: Duration = Duration::from_millis(200);
const SETTLE: Duration = Duration::from_secs(1);
/// Turns that are not counted.
const N_WARM: u64 = 200;

/// The stream behind so many links.
fn edge(n: usize) -> String {
    format!("edge-{n}")
}

fn link_job(n: usize, payload_bytes: usize) -> Job {
    Job {
        receives: edge(n - 1),
        sends: Some(edge(n)),
        payload_bytes,
        n_per_answer: 1,
        is_lossless: false,
    }
}

fn sink_job(n: usize, payload_bytes: usize) -> Job {
    Job {
        sends: None,
        ..link_job(n + 1, payload_bytes)
    }
}

/// The source and the last sink of one stack.
struct Caterpillar {
    source: Box<dyn End>,
    sink: Box<dyn End>,
    payload_bytes: usize,
}

impl Caterpillar {
    fn of((source, sink): (&dyn Stack, &dyn Stack), payload_bytes: usize) -> anyhow::Result<Self> {
        let (first, last) = (edge(0), edge(N_LINKS));
        let wire = Wire {
            sends: None,
            receives: None,
            payload_bytes,
            purpose: Purpose::RoundTrip,
        };
        Ok(Self {
            source: source.end(Wire {
                sends: Some(&first),
                ..wire
            })?,
            sink: sink.end(Wire {
                receives: Some(&last),
                ..wire
            })?,
            payload_bytes,
        })
    }

    /// Sends until something comes out at the other end, and lets the rest come.
    fn meet(&mut self, bench: &Bench) -> anyhow::Result<()> {
        let give_up = bench.clock.now() + MEETING_WAIT_MAX;
        loop {
            self.source.send()?;
            if self.sink.receive(MEETING_STEP)?.is_some() {
                break;
            }
            ensure!(
                bench.clock.now() < give_up && !bench.shutdown.is_requested(),
                "expected the chain to come together within {MEETING_WAIT_MAX:?}, it did not"
            );
        }
        while self.sink.receive(SETTLE)?.is_some() {}
        Ok(())
    }
}

impl Contender for Caterpillar {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        block.each(spans, &mut || {
            self.source.send()?;
            let came = self.sink.receive(PATIENCE)?;
            Ok(TurnOutcome::from(came == Some(self.payload_bytes)))
        })
    }
}

/// Every task but the source and the last sink in a process of its own, each session linked with
/// those it has edges to.
struct Chain {
    sinks: Vec<FarProcess>,
    _links: Vec<FarProcess>,
    head: Stacks,
    tail: Stacks,
}

impl Chain {
    fn start(payload_bytes: usize) -> anyhow::Result<Self> {
        let head = Stacks::open(Link::Tcp, None)?;
        let mut links: Vec<FarProcess> = Vec::new();
        let mut sinks = Vec::new();
        let role = |dial, job| FarRole {
            link: LinkName::Tcp,
            dial: Some(dial),
            jobs: vec![job],
        };
        for n in 1..=N_LINKS {
            let before = links.last().map_or(&head.locators, |it| &it.locators);
            let link = FarProcess::start(&role(before.clone(), link_job(n, payload_bytes)))?;
            if n < N_LINKS {
                let dial = link.locators.clone();
                sinks.push(FarProcess::start(&role(dial, sink_job(n, payload_bytes)))?);
            }
            links.push(link);
        }
        let tail = Stacks::open(Link::Tcp, links.last().map(|it| &it.locators))?;
        Ok(Self {
            sinks,
            _links: links,
            head,
            tail,
        })
    }
}

/// Measures the chain in its layout.
pub(super) fn run(case: &CaterpillarCase, bench: &Bench) -> anyhow::Result<Measured> {
    let payload_bytes = case.payload_bytes.get() as usize;
    let raw = case.peers.first().copied();
    match case.layout {
        Layout::Processes => {
            let mut chain = Chain::start(payload_bytes)?;
            let mut measured = turns(case, bench, (&chain.head, &chain.tail), raw)?;
            chain.sinks.iter_mut().for_each(FarProcess::ask_to_end);
            let heard: anyhow::Result<Vec<Heard>> =
                chain.sinks.into_iter().map(FarProcess::last_word).collect();
            measured.notes.push(sinks_text(&heard?));
            Ok(measured)
        }
        Layout::Threads => {
            let stacks = Stacks::open(Link::Tcp, None)?;
            let links = (1..=N_LINKS).map(|n| link_job(n, payload_bytes));
            let sinks = (1..N_LINKS).map(|n| sink_job(n, payload_bytes));
            let jobs: Vec<Job> = links.chain(sinks).collect();
            let serving = stacks.serve(&jobs)?;
            let mut measured = turns(case, bench, (&stacks, &stacks), raw)?;
            let heard = serving.end()?;
            measured.notes.push(format!(
                "The {} other sinks heard {} messages of ours and {} raw ones in all.",
                N_LINKS - 1,
                heard.oni,
                heard.raw
            ));
            Ok(measured)
        }
    }
}

fn sinks_text(heard: &[Heard]) -> String {
    let range = |of: fn(&Heard) -> u64| {
        let least = heard.iter().map(of).min().unwrap_or(0);
        let most = heard.iter().map(of).max().unwrap_or(0);
        format!("{least} to {most}")
    };
    format!(
        "Each of the {} other sinks heard {} messages of ours and {} raw ones.",
        heard.len(),
        range(|it| it.oni),
        range(|it| it.raw)
    )
}

fn turns(
    case: &CaterpillarCase,
    bench: &Bench,
    (head, tail): (&Stacks, &Stacks),
    raw: Option<RawPeer>,
) -> anyhow::Result<Measured> {
    let payload_bytes = case.payload_bytes.get() as usize;
    let mut all = vec![Caterpillar::of((&head.oni, &tail.oni), payload_bytes)?];
    if raw.is_some() {
        all.push(Caterpillar::of((&head.raw, &tail.raw), payload_bytes)?);
    }
    for caterpillar in &mut all {
        caterpillar.meet(bench)?;
    }
    let n_contenders = all.len();
    let warm_up = Race {
        n: N_WARM,
        n_in_block: N_WARM,
        pace: Pace::BackToBack,
    };
    let warm = bench.race(warm_up, &mut contenders(&mut all))?;
    let mut measured = Measured::default();
    for &pace in &case.paces {
        let what = format!("{}, {}", bytes_text(payload_bytes as u64), pace_text(pace));
        tracing::info!("caterpillar: {what}");
        let n = bench.effort.of(case.n);
        let Some(race) = race_at(pace, n, (n_contenders, slowest(&warm))) else {
            let text = format!("{what} was left out: the way to the last sink takes longer.");
            measured.notes.push(text);
            continue;
        };
        let figures = bench.race(race, &mut contenders(&mut all))?;
        let rows: Vec<Row> = both(&what, &figures);
        measured.rows.extend(rows);
    }
    Ok(measured)
}
