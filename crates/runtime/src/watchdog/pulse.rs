//! What a loop shows of itself to whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use sedge_spacetime::Stamp;
use sedge_transport::{Signal, Wake};

/// No stamp that a clock gives: the loop waits for something to do.
const WAITS: i64 = i64::MIN;

/// Since when a loop is at work, for a watchdog on another thread; clones are the same.
///
/// While the watchdog's alarm is raised, the loop sends no commands: what a stalled tick decided
/// is of another world.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<State>);

#[derive(Debug)]
struct State {
    /// Nanoseconds of the stamp at which the tick began, or [`WAITS`].
    busy_since: AtomicI64,
    is_alarmed: AtomicBool,
    /// Wakes the watchdog.
    signal: Signal,
}

impl Default for Pulse {
    /// Of a loop that waits.
    fn default() -> Self {
        Self(Arc::new(State {
            busy_since: AtomicI64::new(WAITS),
            is_alarmed: AtomicBool::new(false),
            signal: Signal::new(),
        }))
    }
}

impl Pulse {
    /// A tick begins.
    pub(crate) fn begin(&self, now: Stamp) {
        let nanos = now.nanos().max(WAITS + 1);
        self.0.busy_since.store(nanos, Ordering::Release);
        self.wake_if_alarmed();
    }

    /// The tick has ended, and everything that it sends is sent.
    pub(crate) fn end(&self) {
        self.0.busy_since.store(WAITS, Ordering::Release);
        self.wake_if_alarmed();
    }

    /// Whether the watchdog has stopped the robot, and not released it yet.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.0.is_alarmed.load(Ordering::Acquire)
    }

    /// When the tick in hand began, if one is.
    pub(super) fn busy_since(&self) -> Option<Stamp> {
        let nanos = self.0.busy_since.load(Ordering::Acquire);
        (nanos != WAITS).then(|| Stamp::from_nanos(nanos))
    }

    pub(super) fn raise(&self) {
        self.0.is_alarmed.store(true, Ordering::Release);
    }

    pub(super) fn clear(&self) {
        self.0.is_alarmed.store(false, Ordering::Release);
    }

    pub(super) fn waker(&self) -> Wake {
        self.0.signal.wake()
    }

    /// Waits until it is woken, at most this long.
    pub(super) fn wait(&self, at_most: Duration) {
        self.0.signal.wait(at_most);
    }

    /// A watchdog that has barked looks at once, to release the robot.
    fn wake_if_alarmed(&self) {
        if self.is_alarmed() {
            self.0.signal.wake()();
        }
    }
}
