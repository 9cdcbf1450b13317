//! One message there and one back: paced, where caches and cores go cold in between, and back to
//! back; never mixed.

use std::fmt::Write as _;
use std::time::Duration;

use sedge_runtime::bench::{
    Block, Contender, ContenderError, Pace, Race, SpanFigures, Spans, TurnOutcome,
};
use sedge_runtime::{Shutdown, SystemClock};
use sedge_transport_zenoh::race::{End, Purpose, RawCallback, Stack as _, ask, meet};

use crate::far::FarProcess;
use crate::loads::{Payload, link_name, near};
use crate::table::{cells, ratio};

/// Turns that are not counted: links, caches and allocators warm up.
const N_WARM_UP: u64 = 200;
/// Turns in a row, so that each stack finds its own caches warm.
const N_IN_BLOCK: u64 = 250;
/// Long enough for a session to settle.
const SETTLE: Duration = Duration::from_millis(300);

/// The stacks in the order of the table's columns.
const STACKS: [&str; 3] = ["raw", "ours", "raw, answered in the callback"];

/// One stack with one payload.
struct Lane {
    payload: Payload,
    end: Box<dyn End>,
}

impl Contender for Lane {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        let Self { payload, end } = self;
        block.each(spans, &mut || {
            let has_come = ask(&mut **end, 1, payload.bytes)?;
            if !has_come {
                eprintln!("{}: a round trip gave no answer", payload.name);
            }
            Ok(TurnOutcome::from(has_come))
        })
    }
}

fn lanes(far: &FarProcess, payload: Payload) -> Vec<Lane> {
    let wire = near(payload, Purpose::RoundTrip);
    let ends = [
        far.raw.end(wire).unwrap(),
        far.sedge.end(wire).unwrap(),
        RawCallback::ask(&far.raw_answered_in_callback, payload.bytes).unwrap(),
    ];
    ends.map(|end| {
        meet(&*end, &SystemClock::new()).unwrap();
        Lane { payload, end }
    })
    .into()
}

fn race(lanes: &mut [Lane], race: Race) -> Vec<SpanFigures> {
    let mut all: Vec<&mut dyn Contender> = lanes.iter_mut().map(|it| it as _).collect();
    let spans = race.run(&mut all, &SystemClock::new(), &Shutdown::new());
    spans.unwrap().iter().map(Spans::figures).collect()
}

fn rows(lanes: &[Lane], load: &str, figures: &[SpanFigures]) -> String {
    let mut rows = String::new();
    let raw = figures[0];
    for ((lane, stack), figures) in lanes.iter().zip(STACKS).zip(figures) {
        let copied = lane.end.n_copied();
        writeln!(
            rows,
            "| {} | {load} | {stack} | {} | {} | {} | {} | {} |",
            lane.payload.name,
            cells(figures),
            ratio(figures.p50_nanos, raw.p50_nanos),
            ratio(figures.p99_nanos, raw.p99_nanos),
            figures.n_lost,
            copied.map_or_else(String::new, |copied| copied.to_string()),
        )
        .expect("writing to a string");
    }
    rows
}

const TABLE_HEAD: &str = "\
    | payload | load | stack | p50 | p99 | p99.9 | max | p50 ratio | p99 ratio | lost | copied |\n\
    |---|---|---|---|---|---|---|---|---|---|---|\n";

/// The table of round trips.
pub(crate) fn measure(far: &FarProcess, [n, n_slow]: [u64; 2]) -> String {
    let mut report = format!(
        "## Round trip over {}\n\nOne message there, one back, in microseconds; n = {n} per row \
         ({n_slow} at 100 and 10 Hz), nothing trimmed. Raw Zenoh sends the payload alone and reads \
         it on a thread of its own, as ours does; ours also encodes and decodes a header both \
         ways. Both write their payload once. Ratios are to the raw row above; `copied` is how \
         many payloads so far had to be copied by their reader.\n\n{TABLE_HEAD}",
        link_name(far.link)
    );
    let payloads = far.payloads.iter();
    let mut every: Vec<Vec<Lane>> = payloads.map(|payload| lanes(far, *payload)).collect();
    Shutdown::new().wait(SETTLE);
    for lanes in &mut every {
        let back_to_back = |n| Race {
            n,
            n_in_block: N_IN_BLOCK,
            pace: Pace::BackToBack,
        };
        race(lanes, back_to_back(N_WARM_UP));
        let figures = race(lanes, back_to_back(n));
        report.push_str(&rows(lanes, "back to back", &figures));
        let slowest = figures.iter().map(|it| it.p50_nanos).max();
        let slowest = Duration::from_nanos(slowest.unwrap_or(0));
        for rate_hz in [1_000, 100] {
            let name = lanes[0].payload.name;
            eprintln!("round trip: {name} at {rate_hz} Hz");
            let n = if rate_hz == 100 { n_slow } else { n };
            let period = Duration::from_secs(1) / rate_hz;
            if let Some(paced) = Race::paced(n, period, STACKS.len(), slowest) {
                let figures = race(lanes, paced);
                report.push_str(&rows(lanes, &format!("{rate_hz} Hz"), &figures));
            } else {
                writeln!(
                    report,
                    "| {name} | {rate_hz} Hz | | does not fit | | | | | | | |"
                )
                .expect("writing to a string");
            }
        }
    }
    eprintln!("round trip: every payload at 10 Hz");
    report.push_str(&slow(every, n_slow));
    report.push('\n');
    report
}

/// Every payload and stack once in 100 ms, or this alone would take an hour.
fn slow(every: Vec<Vec<Lane>>, n: u64) -> String {
    let mut all: Vec<Lane> = every.into_iter().flatten().collect();
    let slot = Duration::from_millis(100) / all.len() as u32;
    let turns = Race {
        n,
        n_in_block: 1,
        pace: Pace::Every(slot),
    };
    let figures = race(&mut all, turns);
    let groups = all.chunks(STACKS.len()).zip(figures.chunks(STACKS.len()));
    groups
        .map(|(lanes, figures)| rows(lanes, "10 Hz", figures))
        .collect()
}
