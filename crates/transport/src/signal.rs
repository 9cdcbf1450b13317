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
    is_set: Mutex<bool>,
    changed: Condvar,
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
            *state.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
            state.changed.notify_all();
        })
    }

    /// Waits until the signal is set, at most for `timeout`, and clears it; whether it was set.
    ///
    /// A signal that was set before is seen at once, so nothing is missed between looking and
    /// waiting.
    pub fn wait(&self, timeout: Duration) -> bool {
        let is_set = self.0.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .changed
            .wait_timeout_while(is_set, timeout, |is_set| !*is_set);
        let (mut is_set, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *is_set)
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
