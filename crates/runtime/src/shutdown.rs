//! Asking every node to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sedge_transport::{Signal, Wake};

#[derive(Default)]
struct State {
    requested: AtomicBool,
    /// One per running node; a node's own goes when it ends.
    wakes: Mutex<Vec<(u64, Wake)>>,
}

/// A flag that stops every node that runs with it. Clones are the same flag.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<State>);

impl Shutdown {
    /// Not requested.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the end and wakes whoever waits; a second time changes nothing.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        let wakes = self
            .0
            .wakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (_, wake) in wakes {
            wake();
        }
    }

    /// Whether the end was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Acquire)
    }

    /// Waits until the end is asked for, at most for `timeout`; whether it was.
    pub fn wait(&self, timeout: Duration) -> bool {
        let signal = Signal::new();
        let _guard = self.wakes(signal.wake());
        // What was asked for before the guard was there woke nobody.
        self.is_requested() || (signal.wait(timeout) && self.is_requested())
    }

    /// Has `wake` called when the end is asked for, for as long as the guard lives.
    pub fn wakes(&self, wake: Wake) -> WakeGuard {
        let mut wakes = self.0.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let id = wakes.last().map_or(0, |(id, _)| id + 1);
        wakes.push((id, wake));
        WakeGuard {
            shutdown: self.clone(),
            id,
        }
    }
}

impl std::fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Shutdown")
            .field(&self.is_requested())
            .finish()
    }
}

/// Takes a wake back when it is dropped.
pub struct WakeGuard {
    shutdown: Shutdown,
    id: u64,
}

impl Drop for WakeGuard {
    fn drop(&mut self) {
        let mut wakes = self
            .shutdown
            .0
            .wakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        wakes.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_the_end_is_woken_by_it_or_finds_it_there() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.wait(Duration::ZERO));
        let asked = shutdown.clone();
        let waits = crate::spawn_named("wait", move || asked.wait(Duration::from_mins(1)));
        shutdown.request();
        assert!(waits.unwrap().join().unwrap());
        assert!(shutdown.wait(Duration::ZERO));
    }

    #[test]
    fn a_request_wakes_those_who_wait_and_is_kept() {
        let shutdown = Shutdown::new();
        let (first, second) = (Signal::new(), Signal::new());
        let _guard = shutdown.wakes(first.wake());
        drop(shutdown.wakes(second.wake()));
        shutdown.clone().request();
        assert!(first.wait(Duration::ZERO) && !second.wait(Duration::ZERO));
        assert!(shutdown.is_requested());
    }
}
