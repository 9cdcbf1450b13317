//! The machine's clock and threads: the only place of the libraries that reads a clock.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sedge_spacetime::{Clock, Stamp};

/// Linux draws it anew at each start of the machine; containers on one machine share it, and the
/// clock.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";
/// How often a clock is anchored; the best counts.
const ANCHORINGS: usize = 5;

/// The machine's clock: nanoseconds since the Unix epoch that never run backwards.
///
/// It asks for the time of day once and counts monotonically from there, so a clock that is set
/// while we run moves nothing. Two processes on one machine agree to well below a microsecond as
/// long as nobody sets the clock between their starts.
#[derive(Debug, Clone)]
pub struct SystemClock {
    anchor: Instant,
    anchor_stamp: Stamp,
}

impl SystemClock {
    /// Anchored to the time of day now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where clocks come from"
    )]
    pub fn new() -> Self {
        // Between the two readings the process may have to wait for a core: the pair with the least
        // between them counts.
        let pair = || {
            let (anchor, since_unix) = (Instant::now(), SystemTime::now());
            (anchor.elapsed(), anchor, since_unix)
        };
        let pairs = (0..ANCHORINGS).map(|_| pair());
        let (_, anchor, now) = pairs
            .min_by_key(|(between, ..)| *between)
            .unwrap_or_else(pair);
        let since_unix = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            anchor,
            anchor_stamp: Stamp::ZERO + since_unix,
        }
    }

    /// Which machine's clock this is: put stamps of equal domains may be compared. `None` where
    /// the machine does not say; then nothing is compared.
    pub fn domain() -> Option<String> {
        let boot_id = std::fs::read_to_string(BOOT_ID_FILE).ok()?;
        let short: String = boot_id
            .trim()
            .chars()
            .filter(char::is_ascii_hexdigit)
            .collect();
        (!short.is_empty()).then(|| short.chars().take(32).collect())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Stamp {
        self.anchor_stamp + self.anchor.elapsed()
    }
}

/// The epoch of a sender that starts now: larger at each start, as long as the clock is right.
pub fn new_epoch(clock: &dyn Clock) -> u64 {
    clock.now().nanos().unsigned_abs()
}

/// Starts a thread that carries its name in debuggers and process lists.
///
/// # Errors
/// What the operating system says when it has no thread to give.
pub fn spawn_named<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_from_the_unix_epoch_and_never_backwards() {
        let clock = SystemClock::new();
        let first = clock.now();
        let year_2020 = 1_577_836_800_000_000_000;
        assert!(first.nanos() > year_2020);
        assert!(clock.now() >= first);
        assert!(new_epoch(&clock) >= first.nanos().unsigned_abs());
    }

    #[test]
    fn a_thread_has_its_name() {
        let named = spawn_named("fuse", || std::thread::current().name().map(str::to_owned));
        assert_eq!(named.unwrap().join().unwrap().as_deref(), Some("fuse"));
    }
}
