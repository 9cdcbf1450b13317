//! Linux.

use std::collections::BTreeSet;
use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::unistd::Pid;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id, thread_schedule_policy_param,
};
use thread_priority::{Error, ThreadPriority, ThreadPriorityValue};

use super::{Answer, FifoPriority, Refusal, core_list};
use crate::bus::doctor::locked_bytes_max;

/// The calling thread, to the scheduler.
const THIS_THREAD: Pid = Pid::from_raw(0);

pub(super) fn pin(cores: &[usize]) -> Answer {
    let refused = |error: nix::Error| {
        let there = online().map_or_else(String::new, |there| format!("; there are {there}"));
        Refusal::Refused(format!("{}{there}", io::Error::from(error)))
    };
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core).map_err(refused)?;
    }
    sched_setaffinity(THIS_THREAD, &set).map_err(refused)?;
    let now = sched_getaffinity(THIS_THREAD).map_err(refused)?;
    let is_in_force = |core: &usize| now.is_set(*core).unwrap_or(false);
    let got: BTreeSet<usize> = (0..CpuSet::count()).filter(is_in_force).collect();
    let found = core_list(&got.iter().copied().collect::<Vec<_>>());
    if got
        .iter()
        .eq(&cores.iter().copied().collect::<BTreeSet<_>>())
    {
        Ok(format!("runs on {found}"))
    } else {
        Err(Refusal::Refused(format!("runs on {found} only")))
    }
}

/// The cores that there are, as the kernel writes them, such as `0-3`.
fn online() -> Option<String> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    Some(text.trim().to_owned())
}

pub(super) fn run_fifo(priority: FifoPriority) -> Answer {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let level = ThreadPriorityValue::try_from(priority.level())
        .map_err(|why| Refusal::Refused(why.clone()))?;
    // Of a real-time policy this is the system's own number.
    let asked = ThreadPriority::Crossplatform(level);
    let thread = thread_native_id();
    set_thread_priority_and_policy(thread, asked, policy).map_err(denied)?;
    let (now, params) = thread_schedule_policy_param(thread).map_err(denied)?;
    if now == policy && params.sched_priority == i32::from(priority.level()) {
        Ok(format!("SCHED_FIFO {}", params.sched_priority))
    } else {
        let found = format!("got {now:?} {}", params.sched_priority);
        Err(Refusal::Refused(found))
    }
}

fn denied(error: Error) -> Refusal {
    Refusal::Refused(match error {
        Error::OS(code) => format!(
            "{}; give the user `rtprio 99` in /etc/security/limits.d, LimitRTPRIO=99 (systemd), or \
             --cap-add SYS_NICE (docker)",
            io::Error::from_raw_os_error(code)
        ),
        error => error.to_string(),
    })
}

/// Locks only what can stay locked: under a limit, memory that is asked for later would be refused
/// when the limit is reached, and the process with it.
pub(super) fn lock_memory() -> Answer {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let advice = "`ulimit -l unlimited`, LimitMEMLOCK=infinity (systemd), or --ulimit memlock=-1 \
                  (docker)";
    match locked_bytes_max(&file("/proc/self/limits"), &file("/proc/self/status")) {
        Some(None) => {}
        Some(Some(bytes)) => {
            let kib = bytes >> 10;
            let found = format!("the limit is {kib} KiB, expected none; {advice}");
            return Err(Refusal::Refused(found));
        }
        None => {
            return Err(Refusal::Refused(format!(
                "its limit cannot be read; {advice}"
            )));
        }
    }
    let all = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE;
    mlockall(all).map_err(|error| {
        let error = io::Error::from(error);
        Refusal::Refused(format!("{error}; {advice}"))
    })?;
    let locked = locked_kib(&file("/proc/self/status"));
    Ok(locked.map_or_else(
        || "locked".to_owned(),
        |kib| format!("{} MiB locked, and what comes later", kib >> 10),
    ))
}

/// Locked memory in KiB, from `/proc/self/status`.
fn locked_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmLck:"))?;
    line.split_whitespace().next()?.parse().ok()
}
