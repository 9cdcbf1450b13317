//! The machine: its clock, and what it is.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use sedge_spacetime::{Clock, Stamp};

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Sleeps until then, if that is in the future.
pub(crate) fn sleep_until(then: Instant) {
    let left = then.saturating_duration_since(now());
    if !left.is_zero() {
        sleep(left);
    }
}

/// The machine's clock: wall time at the start, monotonic from there.
pub(crate) struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Stamp {
        static START: OnceLock<(Instant, i64)> = OnceLock::new();
        let (start, nanos) = START.get_or_init(|| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            (now(), since.map_or(0, |since| since.as_nanos() as i64))
        });
        Stamp::from_nanos(nanos + start.elapsed().as_nanos() as i64)
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Processor, cores, governor and priority, and the load at the start.
pub(crate) fn describe() -> String {
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |line| {
        line.trim_start_matches([' ', '\t', ':'])
    });
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let governor = if governor.is_empty() {
        "not visible"
    } else {
        governor.trim()
    };
    format!(
        "Machine: {model}, {cores} cores, governor {governor}, {}.\nBefore: {}\n",
        priority(),
        load()
    )
}

/// Whether others' work can get in between: `chrt -f 20` before the command sees that it does not.
fn priority() -> &'static str {
    // The 41st field; the 2nd, a name in brackets, may hold spaces.
    let stat = read("/proc/self/stat");
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    match after_name.split(' ').nth(38) {
        Some("1" | "2") => "real-time priority",
        _ => "priority like everybody's",
    }
}

/// What else the machine was doing.
pub(crate) fn load() -> String {
    let load = read("/proc/loadavg");
    let averages: Vec<&str> = load.split(' ').take(3).collect();
    format!("load averages {}.", averages.join(", "))
}
