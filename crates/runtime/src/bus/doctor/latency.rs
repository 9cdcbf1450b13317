//! Judgements on whether a machine wakes whoever waits for a time, and on what keeps it from that.

use super::{Check, Verdict};
use crate::threads::{AskedRow, Granted};
use crate::wakeups::{Neighbours, Sleeper};

/// Of 1000 wake-ups one may be later: a tenth of the 10 ms that a command may take from its sensor
/// in 999 of 1000 cases.
const LATE_NANOS_OK: u64 = 1_000_000;
/// Beyond this the waking alone takes as long as a command may from its sensor in 99 of 100 cases.
const LATE_NANOS_FAIL: u64 = 5_000_000;
/// Share of time that a host may give to other machines.
const STOLEN_OK: f64 = 0.005;
const STOLEN_FAIL: f64 = 0.05;
/// Share of time in which somebody may be ready and have no processor.
const WAITED_OK: f64 = 0.10;
/// The capability's bit, from `linux/capability.h`.
const CAP_SYS_NICE: u32 = 23;

/// How late a thread is woken; `what` names it.
pub fn wake_ups(what: &str, period_nanos: u64, sleeper: &Sleeper) -> Check {
    let millis = |nanos: u64| format!("{:.3}", nanos as f64 / 1e6);
    let taken = sleeper.preempted.map_or_else(String::new, |n| {
        format!("; the core was taken away {n} times")
    });
    let found = format!(
        "late by {} ms (p50), {} (p99), {} (p99.9), {} (max), {} times every {} ms; {} stalls \
         longer than that{taken}",
        millis(sleeper.p50_nanos),
        millis(sleeper.p99_nanos),
        millis(sleeper.p999_nanos),
        millis(sleeper.max_nanos),
        sleeper.n,
        millis(period_nanos),
        sleeper.stalls,
    );
    let check = Check::ok(what, found);
    let verdict = if sleeper.n == 0 || sleeper.p999_nanos >= LATE_NANOS_FAIL {
        Verdict::Fail
    } else if sleeper.p999_nanos > LATE_NANOS_OK {
        Verdict::Warn
    } else {
        return check;
    };
    check.but(
        verdict,
        format!(
            "p99.9 should be within {} ms: keep others off the robot's cores (isolcpus, taskset, \
             another machine), and see what is below",
            millis(LATE_NANOS_OK)
        ),
    )
}

/// Whether a thread got the real-time scheduling that it asked for.
pub fn scheduling(row: &AskedRow) -> Check {
    let check = Check::ok("real time", row.to_string());
    match row.granted {
        Granted::Yes => check,
        // What the system says ends with what to do.
        Granted::No => check.but(
            Verdict::Warn,
            "without it any busy thread may run before an agent's loop",
        ),
        Granted::NotSupported => check.but(Verdict::Warn, "run agents on Linux to have it"),
    }
}

/// The limits on real-time priorities: `/proc/self/limits`, `/proc/self/status`, and
/// `/proc/sys/kernel/sched_rt_runtime_us`; empty where the system does not say.
pub fn real_time_limit(limits: &str, status: &str, runtime_micros: &str) -> Check {
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max realtime priority"))
        .and_then(|rest| rest.split_whitespace().next());
    let throttle = match runtime_micros.trim().parse::<i64>() {
        Ok(-1) => "; never throttled".to_owned(),
        Ok(micros) => format!("; throttled beyond {:.0} ms a second", micros as f64 / 1e3),
        Err(_) => String::new(),
    };
    let subject = "real-time limit";
    if may_set_priorities(status) {
        return Check::ok(subject, format!("none: CAP_SYS_NICE is held{throttle}"));
    }
    match limit {
        None => Check::ok(subject, "it cannot be read").but(
            Verdict::Warn,
            "see `ulimit -r`: the highest real-time priority that may be asked for",
        ),
        Some("0") => Check::ok(subject, format!("priority 0: no real time{throttle}")).but(
            Verdict::Warn,
            "give the user `rtprio 99` in /etc/security/limits.d, LimitRTPRIO=99 (systemd), or \
             --cap-add SYS_NICE (docker)",
        ),
        Some(limit) => Check::ok(subject, format!("priority {limit}{throttle}")),
    }
}

/// Whether the process has `CAP_SYS_NICE`, which no limit binds.
fn may_set_priorities(status: &str) -> bool {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> CAP_SYS_NICE & 1 == 1)
}

/// Whether cores keep their frequency; no governors where the system does not say.
pub fn frequency(governors: &[String]) -> Check {
    let subject = "frequency";
    if governors.is_empty() {
        return Check::ok(subject, "no governor can be read").but(
            Verdict::Warn,
            "on a virtual machine the host decides: look there for `performance`",
        );
    }
    let found = format!("governor {}", governors.join(", "));
    let check = Check::ok(subject, found);
    if governors == ["performance"] {
        return check;
    }
    check.but(
        Verdict::Warn,
        "cores slow down while an agent waits: `cpupower frequency-set -g performance`",
    )
}

/// Which kernel it is, from `/proc/version`, and whether it can be interrupted everywhere.
pub fn kernel(version: &str) -> Check {
    let release = version.split_whitespace().nth(2);
    let Some(release) = release.filter(|_| version.starts_with("Linux")) else {
        return Check::ok("kernel", "not Linux, or it does not say")
            .but(Verdict::Warn, "nothing below is known here");
    };
    let kind = ["PREEMPT_RT", "PREEMPT_DYNAMIC", "PREEMPT"]
        .into_iter()
        .find(|kind| version.contains(kind));
    match kind {
        Some("PREEMPT_RT") => Check::ok("kernel", format!("Linux {release}, PREEMPT_RT")),
        Some(kind) => Check::ok(
            "kernel",
            format!("Linux {release}, {kind}; PREEMPT_RT bounds wake-ups more tightly"),
        ),
        None => Check::ok("kernel", format!("Linux {release}, not preemptible")).but(
            Verdict::Warn,
            "long system calls of others delay an agent: take a kernel with PREEMPT",
        ),
    }
}

/// What others took of the processors meanwhile.
pub fn neighbours(seen: &Neighbours) -> Vec<Check> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let unknown = |subject: &str, what: &str| {
        Check::ok(subject, format!("{what} cannot be read"))
            .but(Verdict::Warn, "the system does not say")
    };
    let stolen = match seen.stolen {
        None => unknown("stolen time", "/proc/stat"),
        Some(share) => {
            let found = format!(
                "{} of the processors' time went to other machines",
                percent(share)
            );
            let check = Check::ok("stolen time", found);
            let advice = "the host is overbooked: ask for cores of its own, or for another host";
            if share <= STOLEN_OK {
                check
            } else if share < STOLEN_FAIL {
                check.but(Verdict::Warn, advice)
            } else {
                check.but(Verdict::Fail, advice)
            }
        }
    };
    let waited = match seen.waited {
        None => unknown("neighbours", "/proc/pressure/cpu"),
        Some(share) => {
            let busy = seen.busy.map_or_else(String::new, |busy| {
                format!(", processors {} busy", percent(busy))
            });
            let switches = seen.switches_per_sec_core.map_or_else(String::new, |n| {
                format!(", {n:.0} switches a second and core")
            });
            let found = format!(
                "somebody waited for a processor {} of the time{busy}{switches}",
                percent(share)
            );
            let check = Check::ok("neighbours", found);
            if share <= WAITED_OK {
                check
            } else {
                check.but(
                    Verdict::Warn,
                    "more is ready than there are processors: `top` shows who; end it, or pin it \
                     elsewhere (taskset)",
                )
            }
        }
    };
    vec![stolen, waited]
}

#[cfg(test)]
mod tests;
