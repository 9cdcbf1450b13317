//! Being told that something came, without spinning.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Called when something came, from whatever thread it came on; it must be short and never block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// For those who look by themselves.
pub fn no_wake() -> Wake {
    Arc::new(|| {})
}

#[derive(Debug, Default)]
struct State {
    flag: Mutex<Flag>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Flag {
    is_set: bool,
    /// How many threads wait: a condition that nobody waits for costs a system call all the same.
    n_waiting: usize,
}

/// A flag that one thread waits for and many [`Wake`]s set: one signal serves any number of
/// subscribers and publishers.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<State>);

impl Signal {
    /// Not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// What sets the signal.
    pub fn wake(&self) -> Wake {
        let state = Arc::clone(&self.0);
        Arc::new(move || {
            let mut flag = state.flag.lock().unwrap_or_else(PoisonError::into_inner);
            flag.is_set = true;
            let must_notify = flag.n_waiting > 0;
            drop(flag);
            if must_notify {
                state.changed.notify_all();
            }
        })
    }

    /// Waits until the signal is set, at most for `timeout`, and clears it; whether it was set.
    ///
    /// A signal that was set before is seen at once, so nothing is missed between looking and
    /// waiting.
    pub fn wait(&self, timeout: Duration) -> bool {
        let mut flag = self.0.flag.lock().unwrap_or_else(PoisonError::into_inner);
        if !flag.is_set && !timeout.is_zero() {
            flag.n_waiting += 1;
            let changed = &self.0.changed;
            let waited = changed.wait_timeout_while(flag, timeout, |flag| !flag.is_set);
            (flag, _) = waited.unwrap_or_else(PoisonError::into_inner);
            flag.n_waiting -= 1;
        }
        std::mem::take(&mut flag.is_set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_before_the_wait_is_seen_once() {
        let signal = Signal::new();
        signal.wake()();
        signal.wake()();
        assert!(signal.wait(Duration::ZERO));
        assert!(!signal.wait(Duration::ZERO));
    }
}
