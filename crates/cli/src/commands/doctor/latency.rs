//! `sedge doctor latency`: whether this machine wakes an agent on time, and what keeps it from it.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use sedge_runtime::bus::doctor::{Check, Verdict, latency as judged, locked_bytes_max};
use sedge_runtime::bus::doctor::{locked_memory, worst};
use sedge_runtime::relay::TimeSpan;
use sedge_runtime::wakeups::{WakeReport, WakeUps, governors, measure_wake_ups};
use sedge_runtime::{FifoPriority, Granted};
use serde::Serialize;

use super::{exit_of, write_check};
use crate::UsageError;
use crate::commands::write_json;
use crate::interrupt::shutdown_of_process;

/// Where Linux keeps what it knows of processors.
const CORES: &str = "/sys/devices/system/cpu";
/// 99.9 % quantiles of fewer wake-ups are made of fewer than ten of them.
const N_GOOD: u64 = 10_000;
/// A shorter period measures the clock, and a longer one takes an hour.
const PERIOD_MIN: Duration = Duration::from_micros(100);
const PERIOD_MAX: Duration = Duration::from_secs(1);

/// What `sedge doctor latency` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge doctor latency
  sedge doctor latency --n 100000 --period 1ms --json

Two threads wait, as an agent's loop does, for times that are one period apart: one as any other
thread, one with real-time scheduling (SCHED_FIFO) where that is permitted. Both are measured side
by side, so that they meet the same neighbours. A time that passes while a thread is held up counts
as a wake-up that was as late, so one stall of 100 ms is a hundred late ones. Linux wakes threads up
to 50 us late on purpose (timer slack), real-time ones not. It changes nothing that outlives it.

Exit codes: 0 all is well, 1 something is doubtful (WARN), 2 something is broken (FAIL).")]
pub struct LatencyArgs {
    /// How often each thread is woken.
    #[arg(long, value_name = "COUNT", default_value_t = N_GOOD,
        value_parser = clap::value_parser!(u64).range(10..=10_000_000))]
    pub n: u64,
    /// From one wake-up to the next, 100us to 1s.
    #[arg(long, value_name = "TIME", default_value = "1ms")]
    pub period: TimeSpan,
    /// The real-time priority that is asked for.
    #[arg(long, value_name = "PRIORITY", default_value_t = FifoPriority::DEFAULT)]
    pub priority: FifoPriority,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was found; what `--json` prints.
#[derive(Debug, Serialize)]
struct Diagnosis {
    verdict: Verdict,
    checks: Vec<Check>,
    measured: WakeReport,
}

pub(super) fn run(args: &LatencyArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let period = args.period.0;
    if !(PERIOD_MIN..=PERIOD_MAX).contains(&period) {
        let text =
            format!("expected --period from {PERIOD_MIN:?} to {PERIOD_MAX:?}, got {period:?}");
        return Err(UsageError(text).into());
    }
    let asked = WakeUps {
        period,
        n: args.n,
        priority: args.priority,
    };
    let n = u32::try_from(args.n).unwrap_or(u32::MAX);
    tracing::info!("waking up {n} times: {:.0?}", period * n);
    let measured = measure_wake_ups(asked, &shutdown_of_process())?;
    let checks = checks(&measured);
    let verdict = worst(&checks);
    if args.json {
        let diagnosis = Diagnosis {
            verdict,
            checks,
            measured,
        };
        write_json(&diagnosis, out)?;
    } else {
        for check in &checks {
            write_check(check, out)?;
        }
        if measured.plain.n < N_GOOD {
            writeln!(
                out,
                "p99.9 is made of fewer than ten wake-ups: --n {N_GOOD} says more"
            )?;
        }
    }
    out.flush()?;
    exit_of(verdict)
}

fn checks(measured: &WakeReport) -> Vec<Check> {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (limits, status) = (file("/proc/self/limits"), file("/proc/self/status"));
    let runtime = file("/proc/sys/kernel/sched_rt_runtime_us");
    let period = measured.period_nanos;
    let mut checks = vec![judged::wake_ups("wake-ups", period, &measured.plain)];
    checks.push(judged::scheduling(&measured.asked));
    if measured.asked.granted == Granted::Yes {
        let subject = "real-time wake-ups";
        checks.push(judged::wake_ups(subject, period, &measured.real_time));
    }
    checks.extend(judged::neighbours(&measured.neighbours));
    checks.extend([
        judged::frequency(&governors(Path::new(CORES))),
        judged::kernel(&file("/proc/version")),
        judged::real_time_limit(&limits, &status, &runtime),
        locked_memory(locked_bytes_max(&limits, &status)),
    ]);
    checks
}
