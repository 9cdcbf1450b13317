//! One message there and one back: paced, where caches and cores go cold in between, and back to
//! back; never mixed.

use std::fmt::Write as _;
use std::time::Duration;

use crate::far::FarProcess;
use crate::loads::{End, Payload, Purpose, Stack as _, Way, wait_until_heard};
use crate::machine::{now, sleep, sleep_until};
use crate::raw::{RawCallbackEnd, SETTLE};
use crate::table::{Latencies, ratio};

/// Turns that are not counted: links, caches and allocators warm up.
const N_WARM_UP: usize = 200;

/// The stacks in the order of the table's columns.
const STACKS: [&str; 3] = ["raw", "ours", "raw, answered in the callback"];

struct Lanes {
    payload: Payload,
    ends: Vec<Box<dyn End>>,
    latencies: Vec<Latencies>,
    /// What each took back to back.
    p50s: Vec<Duration>,
}

impl Lanes {
    fn open(far: &FarProcess, payload: Payload) -> Self {
        let ends = vec![
            far.raw.end(payload, Purpose::RoundTrip, Way::Out),
            far.sedge.end(payload, Purpose::RoundTrip, Way::Out),
            RawCallbackEnd::ask(&far.raw_answered_in_callback, payload),
        ];
        for end in &ends {
            wait_until_heard(&**end);
        }
        Self {
            payload,
            ends,
            latencies: vec![Latencies::default(); STACKS.len()],
            p50s: Vec::new(),
        }
    }

    fn turn(&mut self, lane: usize) {
        let begin = now();
        self.ends[lane].send();
        match self.ends[lane].receive() {
            Some(bytes) if bytes == self.payload.bytes => {
                self.latencies[lane].add(begin.elapsed());
            }
            other => {
                self.latencies[lane].lost += 1;
                eprintln!("{}: a round trip gave {other:?}", self.payload.name);
            }
        }
    }

    /// Each stack so many times a second: all in the same period where there is room for them, or
    /// by turns, a block of periods each.
    fn paced(&mut self, rate_hz: u32, n_turns: usize) {
        let period = Duration::from_secs(1) / rate_hz;
        if self.fits(period / self.ends.len() as u32) {
            self.paced_in_slots(period, n_turns);
        } else {
            self.in_blocks(n_turns, Some(period));
        }
    }

    /// Each stack once a period, in its own slot; the order rotates.
    fn paced_in_slots(&mut self, period: Duration, n_turns: usize) {
        let slot = period / self.ends.len() as u32;
        let mut due = now() + slot;
        for turn in 0..n_turns {
            for place in 0..self.ends.len() {
                sleep_until(due);
                self.turn((turn + place) % self.ends.len());
                due += slot;
            }
        }
    }

    /// In blocks, so that each stack finds its own caches warm: one turn a period, or back to back.
    fn in_blocks(&mut self, n_turns: usize, period: Option<Duration>) {
        let n_in_block = n_turns.min(250);
        for block in 0..n_turns.div_ceil(n_in_block) {
            for place in 0..self.ends.len() {
                let lane = (block + place) % self.ends.len();
                let mut due = now();
                for _ in 0..n_in_block {
                    if let Some(period) = period {
                        due += period;
                        sleep_until(due);
                    }
                    self.turn(lane);
                }
            }
        }
    }

    fn rows(&mut self, load: &str) -> String {
        let mut rows = String::new();
        let raw = self.latencies[0].clone();
        for (idx, (stack, latencies)) in STACKS.iter().zip(&mut self.latencies).enumerate() {
            let copied = self.ends[idx].n_copied();
            let (name, load) = (self.payload.name, load);
            writeln!(
                rows,
                "| {name} | {load} | {stack} | {} | {} | {} | {} | {} |",
                latencies.cells(),
                ratio(latencies.percentile(50.0), raw.percentile(50.0)),
                ratio(latencies.percentile(99.0), raw.percentile(99.0)),
                latencies.lost,
                copied.map_or_else(String::new, |copied| copied.to_string()),
            )
            .expect("writing to a string");
        }
        self.latencies = vec![Latencies::default(); STACKS.len()];
        rows
    }

    /// Whether the slowest stack usually leaves a third of its slot free.
    fn fits(&self, slot: Duration) -> bool {
        let slowest = self.p50s.iter().max();
        slowest.is_some_and(|slowest| *slowest * 3 / 2 <= slot)
    }
}

const TABLE_HEAD: &str = "\
    | payload | load | stack | p50 | p99 | p99.9 | max | p50 ratio | p99 ratio | lost | copied |\n\
    |---|---|---|---|---|---|---|---|---|---|---|\n";

/// The table of round trips.
pub(crate) fn measure(far: &FarProcess, [n, n_slow]: [usize; 2]) -> String {
    let mut report = format!(
        "## Round trip over {}\n\nOne message there, one back, in microseconds; n = {n} per row \
         ({n_slow} at 100 and 10 Hz), nothing trimmed. Raw Zenoh sends the payload alone and reads \
         it on a thread of its own, as ours does; ours also encodes and decodes a header both \
         ways. Both write their payload once. Ratios are to the raw row above; `copied` is how \
         many payloads so far had to be copied by their reader.\n\n{TABLE_HEAD}",
        far.link.name()
    );
    let payloads = far.payloads.iter();
    let mut every: Vec<Lanes> = payloads.map(|payload| Lanes::open(far, *payload)).collect();
    sleep(SETTLE);
    for lanes in &mut every {
        lanes.in_blocks(N_WARM_UP, None);
        lanes.latencies = vec![Latencies::default(); STACKS.len()];
        lanes.in_blocks(n, None);
        let p50s = lanes.latencies.iter_mut();
        lanes.p50s = p50s.map(|it| it.percentile(50.0)).collect();
        report.push_str(&lanes.rows("back to back"));
        for rate_hz in [1_000, 100] {
            eprintln!("round trip: {} at {rate_hz} Hz", lanes.payload.name);
            if lanes.fits(Duration::from_secs(1) / rate_hz) {
                lanes.paced(rate_hz, if rate_hz == 100 { n_slow } else { n });
                report.push_str(&lanes.rows(&format!("{rate_hz} Hz")));
            } else {
                let name = lanes.payload.name;
                writeln!(
                    report,
                    "| {name} | {rate_hz} Hz | | does not fit | | | | | | | |"
                )
                .expect("writing to a string");
            }
        }
    }
    eprintln!("round trip: every payload at 10 Hz");
    slow(&mut every, n_slow);
    for lanes in &mut every {
        report.push_str(&lanes.rows("10 Hz"));
    }
    report.push('\n');
    report
}

/// Every payload and stack once in 100 ms, or this alone would take an hour.
fn slow(every: &mut [Lanes], n_turns: usize) {
    let n_slots = every.len() * STACKS.len();
    let slot = Duration::from_millis(100) / n_slots as u32;
    let mut due = now() + slot;
    for turn in 0..n_turns {
        for place in 0..n_slots {
            sleep_until(due);
            let at = (turn + place) % n_slots;
            every[at / STACKS.len()].turn(at % STACKS.len());
            due += slot;
        }
    }
}
