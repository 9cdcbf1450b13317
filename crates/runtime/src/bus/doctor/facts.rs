//! Facts out of the texts of the system and of other programs.

use super::RealTime;

const KIB: u64 = 1 << 10;
/// The capability's bit, from `linux/capability.h`.
const CAP_IPC_LOCK: u32 = 14;

/// Room of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    /// All of it.
    pub size: u64,
    /// What is free.
    pub free: u64,
}

/// Room from the output of `df -P -k PATH`: the second line's second and fourth word, in KiB.
pub fn disk_space(df: &str) -> Option<Bytes> {
    let words: Vec<&str> = df.lines().nth(1)?.split_whitespace().collect();
    let bytes = |idx: usize| -> Option<u64> {
        let kib: u64 = words.get(idx)?.parse().ok()?;
        kib.checked_mul(KIB)
    };
    Some(Bytes {
        size: bytes(1)?,
        free: bytes(3)?,
    })
}

/// Bytes that may be locked in memory, from `/proc/self/limits` (the soft limit) and the
/// capabilities in `/proc/self/status`; the inner `None` is no limit. The outer one is for texts
/// that do not say.
pub fn locked_bytes_max(limits: &str, status: &str) -> Option<Option<u64>> {
    if may_lock_all(status) {
        return Some(None);
    }
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(None),
        bytes => bytes.parse().ok().map(Some),
    }
}

/// Whether the process has `CAP_IPC_LOCK`, which no limit binds.
fn may_lock_all(status: &str) -> bool {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> CAP_IPC_LOCK & 1 == 1)
}

/// The first version (digits, dots) in what a program says about itself.
pub fn version_in(text: &str) -> Option<&str> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',' || c == '(');
    let is_version = |word: &&str| {
        let mut numbers = word.split('.');
        let n = word.split('.').count();
        let starts = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        n >= 2 && numbers.all(starts)
    };
    words.into_iter().find(is_version)
}

/// What became of real-time scheduling, from what `chrt -f 1 true` complained of.
pub fn real_time_answer(stderr: &str) -> RealTime {
    match stderr.lines().next().map_or("", str::trim) {
        "" => RealTime::Granted,
        said => RealTime::Denied(said.chars().take(200).collect()),
    }
}
