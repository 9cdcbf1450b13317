//! What accounting for time takes, and how the ladder follows a load step:
//! `cargo bench -p sedge-latency`, which writes `RESULTS.md`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use sedge_latency::{
    Budget, BudgetMonitor, Budgets, Chain, Effort, LadderController, MissPolicy, Patience,
    RungSpec, Stage, StageLedger,
};

const N_TICKS: usize = 100_000;
const N_WARM_UP_TICKS: usize = 1_000;

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// Times each call of a tick's worth of `n` things; a row of nanoseconds for one of them.
fn measure(table: &mut String, name: &str, n: u32, mut tick: impl FnMut(u64)) {
    for idx in 0..N_WARM_UP_TICKS {
        tick(idx as u64);
    }
    let timed = |idx: usize| {
        let began = now();
        tick(idx as u64);
        (now() - began) / n
    };
    let mut times: Vec<Duration> = (0..N_TICKS).map(timed).collect();
    times.sort_unstable();
    let at = |share: f64| times[((N_TICKS - 1) as f64 * share) as usize].as_nanos();
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(at);
    let max = times[N_TICKS - 1].as_nanos();
    let row = format!("| {name} | {p50} | {p99} | {p999} | {max} |");
    println!("{row}");
    table.push_str(&row);
    table.push('\n');
}

/// Spans that are never twice the same.
fn span(idx: u64, stage_idx: usize) -> Duration {
    Duration::from_nanos(10_000 + (idx * 7_919 + stage_idx as u64 * 104_729) % 5_000_000)
}

fn costs(table: &mut String) {
    let stages = Stage::MEASURED;
    let n = stages.len() as u32;
    let new = || Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("sound bounds");
    let mut histograms: Vec<Histogram<u64>> = stages.iter().map(|_| new()).collect();
    measure(table, "hdrhistogram alone, a stage", n, |idx| {
        for (stage_idx, histogram) in histograms.iter_mut().enumerate() {
            histogram.saturating_record(span(idx, stage_idx).as_nanos() as u64);
        }
    });
    let mut ledger = StageLedger::default();
    measure(table, "ledger, a stage", n, |idx| {
        for (stage_idx, stage) in stages.iter().enumerate() {
            ledger
                .record(stage, span(idx, stage_idx))
                .expect("there is room");
        }
    });
    let budget = |stage: &Stage| Budget::new(stage.clone(), 5_000, MissPolicy::Warn);
    let budgets = Budgets::new(stages.iter().map(budget).collect()).expect("sound budgets");
    let mut monitor = BudgetMonitor::new(&budgets);
    let mut ledger = StageLedger::default();
    measure(table, "clock, ledger and budget, a stage", n, |idx| {
        for (stage_idx, stage) in stages.iter().enumerate() {
            black_box(now());
            let span = span(idx, stage_idx);
            ledger.record(stage, span).expect("there is room");
            black_box(monitor.observe(stage, span));
        }
    });
    let chain = Chain::sensor_to_command();
    let mut ledger = StageLedger::default();
    measure(table, "a chain of six stages, whole", 1, |idx| {
        let spans = chain.stages.iter().cloned().enumerate();
        let spans: Vec<(Stage, Duration)> = spans
            .map(|(stage_idx, stage)| (stage, span(idx, stage_idx)))
            .collect();
        ledger.record_chain(&chain, &spans).expect("there is room");
    });
    let mut ladder = ladder();
    measure(table, "ladder, pick and observe", 1, |idx| {
        let rung = ladder.pick(Some(Duration::from_millis(30)));
        let millis = COSTS_MILLIS[rung] * if idx % 1_000 < 500 { 1.0 } else { 4.0 };
        ladder.observe(Duration::from_nanos((millis * 1e6) as u64));
    });
}

/// What rungs take on an idle computer, in milliseconds, and their skill.
const COSTS_MILLIS: [f64; 6] = [20.0, 12.0, 7.0, 4.0, 0.0, 0.0];
const SKILLS: [f64; 6] = [1.0, 0.97, 0.85, 0.8, 0.3, 0.0];

fn ladder() -> LadderController {
    let names = [
        "full",
        "fewer-samples",
        "shorter",
        "one-future",
        "last-plan",
        "stop",
    ];
    let spec = |(idx, name): (usize, &str)| RungSpec {
        name: Stage::new(name).expect("a name"),
        skill: SKILLS[idx],
        effort: if COSTS_MILLIS[idx] > 0.0 {
            Effort::Measured
        } else {
            Effort::Free
        },
    };
    let rungs = names.into_iter().enumerate().map(spec).collect();
    LadderController::new(rungs, Patience::default())
}

/// From 0.92 to 1.08.
fn noise(idx: u64) -> f64 {
    let mixed = (idx ^ 0x9e37_79b9).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    0.92 + 0.16 * ((mixed >> 40) as f64 / (1u64 << 24) as f64)
}

/// Load 1x, 4x, 1x, of 300 plans each, under limits from tight to loose.
fn load_step(table: &mut String) {
    for allowed_millis in [22.0, 30.0, 45.0, 60.0] {
        let mut ladder = ladder();
        let (mut misses, mut settled) = (0, Vec::new());
        for idx in 0..900u64 {
            let load = if idx / 300 == 1 { 4.0 } else { 1.0 };
            let before = ladder.rung();
            let rung = ladder.pick(Some(Duration::from_nanos((allowed_millis * 1e6) as u64)));
            let millis = COSTS_MILLIS[rung] * load * noise(idx);
            ladder.observe(Duration::from_nanos((millis * 1e6) as u64));
            misses += u32::from(millis > allowed_millis);
            if rung != before {
                settled.push(format!("{idx}: {rung}"));
            }
        }
        let report = ladder.report();
        let (changes, lost) = (settled.join(", "), 100.0 * report.skill_lost());
        let row = format!("| {allowed_millis} | {misses} | {changes} | {lost:.1} |");
        println!("{row}");
        table.push_str(&row);
        table.push('\n');
    }
}

fn main() {
    let mut page = String::from(PAGE);
    costs(&mut page);
    page.push_str(STEP);
    load_step(&mut page);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let mut end = String::new();
    writeln!(
        end,
        "\nLoad averages of the machine at the end: {}.",
        load.join(", ")
    )
    .expect("texts take everything");
    page.push_str(&end);
    match std::fs::write(file, page) {
        Ok(()) => println!("wrote {file}"),
        Err(error) => println!("cannot write {file}: {error}"),
    }
}

const PAGE: &str = "# Latency: what accounting takes

Written by `cargo bench -p sedge-latency`, from `benches/ledger.rs`: nanoseconds, of 100,000 ticks,
nothing taken off, the two readings of the clock around each tick included. A stage may cost a
microsecond; p99.9 and beyond say what the machine does when others want its cores.

| what | p50 | p99 | p99.9 | max |
|---|---|---|---|---|
";

const STEP: &str = "
# A load step

Simulated: plans of 20, 12, 7, 4, 0 and 0 ms a rung, with 8 % of noise either way, on a computer
that is loaded once, four times and once again for 300 plans each. Changes are `plan: rung`.

| allowed, ms | late plans of 900 | changes of rung | skill lost, % |
|---|---|---|---|
";
