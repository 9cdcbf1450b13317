//! How late a thread that waits for a time is woken, and by what.

mod facts;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sedge_latency::{ReportRow, Stage, StageLedger};
use sedge_spacetime::{Clock as _, Stamp};
use sedge_transport::Signal;
use serde::Serialize;

use crate::threads::{AskedRow, FifoPriority, Granted, ThreadsConfig, prepare_thread};
use crate::{Shutdown, SystemClock, spawn_named};
pub use facts::{CpuTimes, Neighbours, governors};
use facts::{Snapshot, ThreadSnapshot};

/// Before the first time that is waited for: threads start meanwhile.
const LEAD: Duration = Duration::from_millis(20);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WakeUps {
    /// Between two times that are waited for, above zero.
    pub period: Duration,
    /// How many times are waited for.
    pub n: u64,
    /// The real-time priority of the second thread.
    pub priority: FifoPriority,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WakeReport {
    /// Between two times that were waited for, in nanoseconds.
    pub period_nanos: u64,
    /// A thread as any other.
    pub plain: Sleeper,
    /// A thread that asked for real-time scheduling; as any other where that was denied.
    pub real_time: Sleeper,
    /// What became of asking.
    pub asked: AskedRow,
    /// What else the machine did meanwhile, as far as it says.
    pub neighbours: Neighbours,
}

/// How late one thread was woken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sleeper {
    /// Wake-ups.
    pub n: u64,
    /// Median.
    pub p50_nanos: u64,
    /// 99 % quantile.
    pub p99_nanos: u64,
    /// 99.9 % quantile.
    pub p999_nanos: u64,
    /// The latest.
    pub max_nanos: u64,
    /// How often it was woken more than a period late; the times that had passed meanwhile count
    /// as wake-ups that were as late as that.
    pub stalls: u64,
    /// How often the system took the core away from it, where the system says.
    pub preempted: Option<u64>,
}

/// Has two threads wait for the same rhythm, half a period apart, and measures how late each is
/// woken: one as any other and one with real-time scheduling, where that is permitted. Side by side
/// they meet the same neighbours, which is what makes their figures comparable. They wait as an
/// agent's loop does.
///
/// # Errors
/// What the operating system says when it has no thread to give.
pub fn measure_wake_ups(asked: WakeUps, shutdown: &Shutdown) -> io::Result<WakeReport> {
    let clock = Arc::new(SystemClock::new());
    let before = Snapshot::take();
    let began = clock.now();
    let first = began + LEAD;
    let sleeper = |name: &str, first: Stamp, config: ThreadsConfig| {
        let sleeps = Sleeps {
            asked,
            first,
            config,
            clock: Arc::clone(&clock),
            shutdown: shutdown.clone(),
        };
        spawn_named(name, move || sleeps.run())
    };
    let plain = sleeper("wake-plain", first, ThreadsConfig::default())?;
    let config = ThreadsConfig {
        priority: Some(asked.priority),
        ..ThreadsConfig::default()
    };
    let real_time = sleeper("wake-fifo", first + asked.period / 2, config)?;
    let (plain, _) = joined(plain);
    let (real_time, rows) = joined(real_time);
    let elapsed = clock.now().saturating_since(began);
    let neighbours = Snapshot::take().since(&before, elapsed);
    let asked_row = rows.into_iter().next().unwrap_or_else(|| AskedRow {
        asked: format!("priority {}", asked.priority),
        granted: Granted::NotSupported,
        found: String::new(),
    });
    Ok(WakeReport {
        period_nanos: u64::try_from(asked.period.as_nanos()).unwrap_or(u64::MAX),
        plain,
        real_time,
        asked: asked_row,
        neighbours,
    })
}

fn joined<T>(thread: JoinHandle<T>) -> T {
    match thread.join() {
        Ok(value) => value,
        // A panic there is a bug of ours, and goes on here.
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What one thread is to do.
struct Sleeps {
    asked: WakeUps,
    first: Stamp,
    config: ThreadsConfig,
    clock: Arc<SystemClock>,
    shutdown: Shutdown,
}

impl Sleeps {
    fn run(self) -> (Sleeper, Vec<AskedRow>) {
        let rows = prepare_thread(&self.config);
        let stage = Stage::new("wake-up").expect("a constant that is a stage's name");
        let mut ledger = StageLedger::default();
        let before = ThreadSnapshot::take();
        let never_set = Signal::new();
        let (mut due, mut stalls) = (self.first, 0);
        for _ in 0..self.asked.n {
            if self.shutdown.is_requested() {
                break;
            }
            // A time that has passed is not skipped: being woken for it late is what is measured.
            let left = due.saturating_since(self.clock.now());
            never_set.wait(left);
            let late = self.clock.now().saturating_since(due);
            stalls += u64::from(!left.is_zero() && late > self.asked.period);
            let recorded = ledger.record(&stage, late);
            debug_assert!(recorded.is_ok(), "one stage always has room: {recorded:?}");
            due = due + self.asked.period;
        }
        let preempted = before.and_then(|before| ThreadSnapshot::take()?.preempted_since(before));
        let report = ledger.report();
        let sleeper = report.row(&stage).map_or_else(Sleeper::none, Sleeper::of);
        let sleeper = Sleeper {
            stalls,
            preempted,
            ..sleeper
        };
        (sleeper, rows)
    }
}

impl Sleeper {
    fn none() -> Self {
        Self {
            n: 0,
            p50_nanos: 0,
            p99_nanos: 0,
            p999_nanos: 0,
            max_nanos: 0,
            stalls: 0,
            preempted: None,
        }
    }

    fn of(row: &ReportRow) -> Self {
        Self {
            n: row.n,
            p50_nanos: row.p50_nanos,
            p99_nanos: row.p99_nanos,
            p999_nanos: row.p999_nanos,
            max_nanos: row.max_nanos,
            stalls: 0,
            preempted: None,
        }
    }
}

#[cfg(test)]
mod tests;
