//! Messages between two processes: ONI beside Zenoh as it is, and beside dora.

use std::time::Duration;

use anyhow::Context as _;
use sedge_runtime::bench::{
    Block, Contender, ContenderError, Pace, Race, SpanFigures, Spans, TurnOutcome,
};
use sedge_transport_zenoh::race::{End, Purpose, Stack as _, Wire, ask, meet};

use super::case::{PaceName, PingPongCase, RawPeer, ThroughputCase, WirePeer};
use super::dora::DoraSide;
use super::far::{FarProcess, FarRole, Job, Stacks};
use super::report::{Row, Side};
use super::run::{Bench, Measured, contenders};

/// What ours is called, and Zenoh as it is.
pub(super) const ONI: &str = "ONI over Zenoh";
pub(super) const RAW: &str = "raw Zenoh";
/// Where Zenoh reads how many threads it shall have.
const ZENOH_RUNTIME: &str = "ZENOH_RUNTIME";
/// Turns that are not counted: links, caches and allocators warm up.
const N_WARM: u64 = 200;
/// Turns in a row, so that each finds its own caches warm.
const N_IN_BLOCK: u64 = 250;
/// Names of the streams, as the near end sees them.
const OUT: &str = "out";
const BACK: &str = "back";

/// One end that asks; a turn is so many messages there and one back.
struct Asker {
    end: Box<dyn End>,
    n_per_answer: usize,
    payload_bytes: usize,
}

impl Contender for Asker {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        block.each(spans, &mut || {
            let has_come = ask(&mut *self.end, self.n_per_answer, self.payload_bytes)?;
            Ok(TurnOutcome::from(has_come))
        })
    }
}

/// What both stacks send to the far end and back.
#[derive(Clone, Copy)]
struct Load {
    payload_bytes: usize,
    n_per_answer: usize,
    purpose: Purpose,
}

impl Load {
    fn job(self) -> Job {
        Job {
            receives: OUT.to_owned(),
            sends: Some(BACK.to_owned()),
            payload_bytes: self.payload_bytes,
            n_per_answer: self.n_per_answer,
            is_lossless: self.purpose == Purpose::Throughput,
        }
    }

    /// The asking ends: ours, and the raw one where it takes part.
    fn askers(self, near: &Stacks, raw: Option<RawPeer>) -> anyhow::Result<Vec<Asker>> {
        let wire = Wire {
            sends: Some(OUT),
            receives: Some(BACK),
            payload_bytes: self.payload_bytes,
            purpose: self.purpose,
        };
        let mut ends = vec![near.oni.end(wire)?];
        if raw.is_some() {
            ends.push(near.raw.end(wire)?);
        }
        let clock = sedge_runtime::SystemClock::new();
        let mut askers = Vec::new();
        for end in ends {
            meet(&*end, &clock)?;
            askers.push(Asker {
                end,
                n_per_answer: self.n_per_answer,
                payload_bytes: self.payload_bytes,
            });
        }
        Ok(askers)
    }
}

pub(super) fn raw_side() -> Side {
    Side::Peer {
        rival: RAW.to_owned(),
    }
}

/// Rows of ours and of the raw one, as far as it takes part.
pub(super) fn both(what: &str, figures: &[SpanFigures]) -> Vec<Row> {
    let names = [(ONI, Side::Ours), (RAW, raw_side())];
    let rows = names.into_iter().zip(figures);
    rows.map(|((who, side), figures)| Row::new(what, who, side, *figures))
        .collect()
}

/// Bytes as people say them.
pub(super) fn bytes_text(bytes: u64) -> String {
    match bytes {
        1_048_576.. if bytes.is_multiple_of(1_048_576) => format!("{} MiB", bytes / 1_048_576),
        1_024.. if bytes.is_multiple_of(1_024) => format!("{} KiB", bytes / 1_024),
        _ => format!("{bytes} B"),
    }
}

/// A pace as people say it.
pub(super) fn pace_text(pace: PaceName) -> String {
    match pace {
        PaceName::BackToBack => "back to back".to_owned(),
        PaceName::Hz(hz) => format!("{} Hz", hz.get()),
    }
}

/// How contenders take turns at a pace; `None` where the slowest is too slow for it.
pub(super) fn race_at(
    pace: PaceName,
    n: u64,
    (n_contenders, slowest): (usize, Duration),
) -> Option<Race> {
    match pace {
        PaceName::BackToBack => Some(Race {
            n,
            n_in_block: N_IN_BLOCK,
            pace: Pace::BackToBack,
        }),
        PaceName::Hz(hz) => {
            let period = Duration::from_secs(1) / hz.get() as u32;
            Race::paced(n, period, n_contenders, slowest)
        }
    }
}

/// The median of the slowest.
pub(super) fn slowest(figures: &[SpanFigures]) -> Duration {
    let slowest = figures.iter().map(|it| it.p50_nanos).max();
    Duration::from_nanos(slowest.unwrap_or(0))
}

/// How Zenoh's threads were set up, where somebody did: it holds for both stacks and processes.
fn notes_of_threads() -> Vec<String> {
    let set = std::env::var(ZENOH_RUNTIME).ok();
    let text =
        set.map(|set| format!("Zenoh's threads, in ours and in raw: `{ZENOH_RUNTIME}={set}`."));
    text.into_iter().collect()
}

/// One message there and one back.
pub(super) fn ping_pong(case: &PingPongCase, bench: &Bench) -> anyhow::Result<Measured> {
    let loads: Vec<Load> = case
        .payload_bytes
        .iter()
        .map(|bytes| Load {
            payload_bytes: bytes.get() as usize,
            n_per_answer: 1,
            purpose: Purpose::RoundTrip,
        })
        .collect();
    let far = FarProcess::start(&FarRole {
        link: case.link,
        dial: None,
        jobs: loads.iter().map(|load| load.job()).collect(),
    })?;
    let near = Stacks::open(case.link.into(), Some(&far.locators))?;
    let raw = case.peers.contains(&WirePeer::RawZenoh);
    let raw = raw.then_some(RawPeer::RawZenoh);
    let mut measured = Measured {
        notes: notes_of_threads(),
        ..Measured::default()
    };
    let mut dora = None;
    if case.peers.contains(&WirePeer::Dora) {
        match DoraSide::start(&bench.peers)? {
            Ok(side) => dora = Some(side),
            Err(why) => measured.notes.push(why),
        }
    }
    for load in loads {
        let mut askers = load.askers(&near, raw)?;
        let warm_up = Race {
            n: N_WARM,
            n_in_block: N_IN_BLOCK,
            pace: Pace::BackToBack,
        };
        let warm = bench.race(warm_up, &mut contenders(&mut askers))?;
        for &pace in &case.paces {
            let (bytes, pace_is) = (bytes_text(load.payload_bytes as u64), pace_text(pace));
            let what = format!("{bytes}, {pace_is}");
            tracing::info!("ping-pong: {what}");
            let n = bench.effort.of(case.n);
            let Some(race) = race_at(pace, n, (askers.len(), slowest(&warm))) else {
                let text = format!("{what} was left out: a round trip takes longer.");
                measured.notes.push(text);
                continue;
            };
            let figures = bench.race(race, &mut contenders(&mut askers))?;
            measured.rows.extend(both(&what, &figures));
            if let Some(dora) = &mut dora {
                dora.send(load.payload_bytes);
                measured
                    .rows
                    .push(row_of_dora(bench, dora, (&what, pace, n))?);
            }
        }
    }
    Ok(measured)
}

/// dora's turns in a row: its own node keeps the pace.
fn row_of_dora(
    bench: &Bench,
    dora: &mut DoraSide,
    (what, pace, n): (&str, PaceName, u64),
) -> anyhow::Result<Row> {
    let race = Race {
        n,
        n_in_block: n,
        pace: match pace {
            PaceName::BackToBack => Pace::BackToBack,
            PaceName::Hz(hz) => Pace::Every(Duration::from_secs(1) / hz.get() as u32),
        },
    };
    let figures = bench.race(race, &mut [dora])?;
    let figures = figures.first().context("expected figures of dora")?;
    Ok(Row::new(what, &dora.name(), dora.side(), *figures))
}

/// As many messages as go through.
pub(super) fn throughput(case: &ThroughputCase, bench: &Bench) -> anyhow::Result<Measured> {
    let loads: Vec<Load> = case
        .floods
        .iter()
        .map(|flood| Load {
            payload_bytes: flood.payload_bytes.get() as usize,
            n_per_answer: bench.effort.of(flood.n_per_round) as usize,
            purpose: Purpose::Throughput,
        })
        .collect();
    let far = FarProcess::start(&FarRole {
        link: case.link,
        dial: None,
        jobs: loads.iter().map(|load| load.job()).collect(),
    })?;
    let near = Stacks::open(case.link.into(), Some(&far.locators))?;
    let raw = case.peers.first().copied();
    let mut measured = Measured {
        notes: notes_of_threads(),
        ..Measured::default()
    };
    for load in loads {
        let mut askers = load.askers(&near, raw)?;
        let (bytes, n) = (bytes_text(load.payload_bytes as u64), load.n_per_answer);
        let what = format!("{bytes}, {n} messages a round");
        tracing::info!("throughput: {what}");
        let rounds = |n| Race {
            n,
            n_in_block: 1,
            pace: Pace::BackToBack,
        };
        // A round of each that is not counted.
        bench.race(rounds(1), &mut contenders(&mut askers))?;
        let n_rounds = bench.effort.of(case.n_rounds);
        let figures = bench.race(rounds(n_rounds), &mut contenders(&mut askers))?;
        let rows = both(&what, &figures).into_iter().map(|row| Row {
            n_messages: Some(n as u64),
            ..row
        });
        measured.rows.extend(rows);
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_the_largest_unit_that_is_exact() {
        let texts = [64, 1_536, 1_500, 65_536, 1_048_576].map(bytes_text);
        assert_eq!(texts, ["64 B", "1536 B", "1500 B", "64 KiB", "1 MiB"]);
    }
}
