//! What Linux says of processors and of those who share them. Texts of other systems say nothing.

use std::fs::read_to_string;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

/// Files of cores that are read; further cores are as these.
const CORES_MAX: usize = 1_024;

/// What processors did, in ticks since the machine started, from `/proc/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    /// All of it.
    pub total: u64,
    /// Nothing, or waiting for a disk.
    pub idle: u64,
    /// Other machines ran while this one wanted to.
    pub stolen: u64,
    /// Changes from one thread to another.
    pub switches: u64,
    /// How many processors there are.
    pub n_cores: u64,
}

/// What else a machine did for a while; what it does not say is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Neighbours {
    /// Share of the processors' time that was not idle, 0 to 1.
    pub busy: Option<f64>,
    /// Share of the processors' time that a host gave to other machines, 0 to 1.
    pub stolen: Option<f64>,
    /// Changes from one thread to another, a second and a core.
    pub switches_per_sec_core: Option<f64>,
    /// Share of the time in which some thread was ready and had no processor, 0 to 1.
    pub waited: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot {
    times: Option<CpuTimes>,
    /// Microseconds in which some thread waited for a processor.
    pressure_micros: Option<u64>,
}

impl CpuTimes {
    /// Reads `/proc/stat`.
    pub fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        // user, nice, system, idle, iowait, irq, softirq, steal; what guests used is in user.
        let [_, _, _, idle, iowait, _, _, stolen] = *ticks.first_chunk::<8>()?;
        let switches = stat.lines().find_map(|line| line.strip_prefix("ctxt "))?;
        let is_core = |line: &&str| {
            let rest = line.strip_prefix("cpu");
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        Some(Self {
            total: ticks.iter().take(8).sum(),
            idle: idle.saturating_add(iowait),
            stolen,
            switches: switches.trim().parse().ok()?,
            n_cores: stat.lines().filter(is_core).count() as u64,
        })
    }
}

/// Microseconds in which some thread waited for a processor, from `/proc/pressure/cpu`.
fn pressure_micros(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let mut words = line.split_whitespace();
    words
        .find_map(|word| word.strip_prefix("total="))?
        .parse()
        .ok()
}

impl Snapshot {
    pub(super) fn take() -> Self {
        let file = |path: &str| read_to_string(path).ok();
        Self {
            times: file("/proc/stat").and_then(|text| CpuTimes::parse(&text)),
            pressure_micros: file("/proc/pressure/cpu").and_then(|text| pressure_micros(&text)),
        }
    }

    pub(super) fn since(&self, before: &Self, elapsed: Duration) -> Neighbours {
        let share = |part: f64, whole: f64| (whole > 0.0).then_some((part / whole).clamp(0.0, 1.0));
        let (secs, both) = (elapsed.as_secs_f64(), before.times.zip(self.times));
        let ticks = |of: fn(&CpuTimes) -> u64| {
            let (then, now) = both?;
            Some(of(&now).saturating_sub(of(&then)) as f64)
        };
        let total = ticks(|times| times.total).unwrap_or_default();
        let idle = ticks(|times| times.idle).and_then(|idle| share(idle, total));
        let switches = ticks(|times| times.switches);
        let n_cores = both.map(|(_, now)| now.n_cores as f64);
        let waited = before.pressure_micros.zip(self.pressure_micros);
        Neighbours {
            busy: idle.map(|idle| 1.0 - idle),
            stolen: ticks(|times| times.stolen).and_then(|stolen| share(stolen, total)),
            switches_per_sec_core: switches
                .zip(n_cores)
                .map(|(n, cores)| n / (secs * cores))
                .filter(|rate| rate.is_finite()),
            waited: waited
                .and_then(|(then, now)| share(now.saturating_sub(then) as f64 / 1e6, secs)),
        }
    }
}

/// How often the system took the core away from the calling thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThreadSnapshot(u64);

impl ThreadSnapshot {
    pub(super) fn take() -> Option<Self> {
        preemptions(&read_to_string("/proc/thread-self/status").ok()?).map(Self)
    }

    pub(super) fn preempted_since(self, before: Self) -> Option<u64> {
        self.0.checked_sub(before.0)
    }
}

fn preemptions(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

/// What decides over each core's frequency, such as `powersave`, without repetitions and in order;
/// none where the system does not say, as on virtual machines.
pub fn governors(cores: &Path) -> Vec<String> {
    let governor = |core: usize| {
        let path = cores.join(format!("cpu{core}/cpufreq/scaling_governor"));
        Some(read_to_string(path).ok()?.trim().to_owned())
    };
    let mut all: Vec<String> = (0..CORES_MAX).map_while(governor).collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "\
cpu  100 0 50 800 40 0 6 4 0 0
cpu0 50 0 25 400 20 0 3 2 0 0
cpu1 50 0 25 400 20 0 3 2 0 0
intr 99 1 2
ctxt 5000
procs_running 3
";

    fn snapshot(stat: &str, pressure: &str) -> Snapshot {
        Snapshot {
            times: CpuTimes::parse(stat),
            pressure_micros: pressure_micros(pressure),
        }
    }

    #[test]
    fn shares_are_of_what_happened_between() {
        let later = STAT
            .replace("cpu  100 0 50 800 40 0 6 4", "cpu  220 0 50 860 40 0 6 24")
            .replace("ctxt 5000", "ctxt 9000");
        let pressure =
            |total: u64| format!("some avg10=1.00 avg60=0.00 avg300=0.00 total={total}\n");
        let before = snapshot(STAT, &pressure(1_000_000));
        let neighbours =
            snapshot(&later, &pressure(1_500_000)).since(&before, Duration::from_secs(2));
        // 200 ticks: 120 by users, 60 idle, 20 stolen.
        let expected = Neighbours {
            busy: Some(0.7),
            stolen: Some(0.1),
            switches_per_sec_core: Some(1_000.0),
            waited: Some(0.25),
        };
        assert_eq!(neighbours, expected);
    }

    #[test]
    fn texts_of_other_systems_say_nothing() {
        for text in ["", "cpu 1 2 3\nctxt 1\n", "cpu  a b\n", "ctxt 5\n"] {
            assert_eq!(CpuTimes::parse(text), None, "{text:?}");
        }
        let nothing = snapshot("", "");
        let neighbours = nothing.since(&nothing, Duration::ZERO);
        assert_eq!(neighbours, Neighbours::default());
        assert_eq!(preemptions("Name:\ta\n"), None);
        assert_eq!(preemptions("nonvoluntary_ctxt_switches:\t12\n"), Some(12));
        assert_eq!(governors(Path::new("no such folder")), [""; 0]);
    }
}
