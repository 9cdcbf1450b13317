//! Being told that something came, without spinning.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Called when something came, from whatever thread it came on; it must be short and never block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// For those who look by themselves.
pub fn no_wake() -> Wake {
    Arc::new(|| {})
}

#[derive(Debug, Default)]
struct State {
    is_set: AtomicBool,
    /// How many threads wait: a condition that nobody waits for costs a system call all the same.
    n_waiting: Mutex<usize>,
    changed: Condvar,
}

impl State {
    fn n_waiting(&self) -> MutexGuard<'_, usize> {
        self.n_waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
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
            // Where it is set already, whoever waited was told, and looks after this.
            if state.is_set.swap(true, Ordering::AcqRel) {
                return;
            }
            let must_notify = *state.n_waiting() > 0;
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
        let take = || self.0.is_set.swap(false, Ordering::AcqRel);
        if take() {
            return true;
        }
        if timeout.is_zero() {
            return false;
        }
        let mut was_set = false;
        let is_unset = |_: &mut usize| {
            was_set = take();
            !was_set
        };
        let mut n_waiting = self.0.n_waiting();
        *n_waiting += 1;
        let changed = &self.0.changed;
        let waited = changed.wait_timeout_while(n_waiting, timeout, is_unset);
        let (mut n_waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *n_waiting -= 1;
        drop(n_waiting);
        was_set
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

    #[test]
    fn no_wake_is_missed_between_looking_and_waiting() {
        const N_TURNS: u32 = 20_000;
        const PATIENCE: Duration = Duration::from_secs(20);
        let (there, back) = (Signal::new(), Signal::new());
        let (wake_there, wake_back) = (there.wake(), back.wake());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0..N_TURNS {
                    assert!(there.wait(PATIENCE), "turn {turn}");
                    wake_back();
                }
            });
            for turn in 0..N_TURNS {
                wake_there();
                assert!(back.wait(PATIENCE), "turn {turn}");
            }
        });
    }
}
