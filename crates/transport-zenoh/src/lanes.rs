//! Threads that wait for links, so that no caller has to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_transport::Priority;

/// Messages that wait in a lane; one more is refused.
pub(crate) const LANE_JOBS_MAX: usize = 256;
/// Bytes that wait in a lane, unless one message alone has more.
pub(crate) const LANE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a network that is being closed waits for its lanes to send what they have.
const DRAIN_WAIT: Duration = Duration::from_secs(2);

/// Something to be done by a lane's thread.
pub(crate) trait Job: Send {
    /// How much memory it holds.
    fn len_bytes(&self) -> usize;

    /// Does it; may wait for a link.
    fn run(self: Box<Self>);

    /// Whether this job makes one that waits needless; it takes the other's place then.
    fn replaces(&self, _waiting: &dyn Job) -> bool {
        false
    }

    /// Whose it is, for [`Job::replaces`].
    fn owner(&self) -> usize {
        0
    }

    /// Called instead of [`Job::run`] where another job took its place.
    fn replaced(self: Box<Self>) {}
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No room in time.
    Full,
    /// The network is closed.
    Closed,
}

/// What goes over the same lane waits for each other: messages of one priority, of publishers
/// that live with loss or of those that do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneName {
    pub(crate) priority: Priority,
    pub(crate) is_lossless: bool,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Box<dyn Job>>,
    n_bytes: usize,
    /// The thread waits for work.
    is_idle: bool,
    /// The thread does what it took out of the queue.
    is_busy: bool,
    /// How many callers wait for room.
    n_waiting: usize,
    is_closed: bool,
}

impl State {
    fn has_room(&self, n_bytes: usize) -> bool {
        let is_small = self.n_bytes.saturating_add(n_bytes) <= LANE_BYTES_MAX;
        self.queue.len() < LANE_JOBS_MAX && (is_small || self.queue.is_empty())
    }
}

/// A bounded queue and the thread that works it off, in order.
#[derive(Default)]
pub(crate) struct Lane {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job, waiting for room for at most `hold`.
    pub(crate) fn push(&self, job: Box<dyn Job>, hold: Duration) -> Result<(), Refusal> {
        let n_bytes = job.len_bytes();
        let mut state = self.lock();
        if !hold.is_zero() && !state.is_closed && !state.has_room(n_bytes) {
            state.n_waiting += 1;
            let is_full = |state: &mut State| !state.is_closed && !state.has_room(n_bytes);
            let waited = self.room.wait_timeout_while(state, hold, is_full);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.n_waiting -= 1;
        }
        if state.is_closed {
            return Err(Refusal::Closed);
        }
        let waiting = state.queue.iter().rposition(|other| job.replaces(&**other));
        let mut old = None;
        if let Some(idx) = waiting {
            state.n_bytes = state.n_bytes.saturating_sub(state.queue[idx].len_bytes());
            old = Some(std::mem::replace(&mut state.queue[idx], job));
        } else if state.has_room(n_bytes) {
            state.queue.push_back(job);
        } else {
            return Err(Refusal::Full);
        }
        state.n_bytes += n_bytes;
        let must_wake = state.is_idle;
        drop(state);
        if must_wake {
            self.work.notify_one();
        }
        if let Some(old) = old {
            old.replaced();
        }
        Ok(())
    }

    /// What the thread does until the lane is closed and empty.
    fn work_off(&self) {
        loop {
            let mut state = self.lock();
            state.is_busy = false;
            if state.queue.is_empty() {
                self.room.notify_all();
                state.is_idle = true;
                let is_idle = |state: &mut State| state.queue.is_empty() && !state.is_closed;
                let waited = self.work.wait_while(state, is_idle);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                state.is_idle = false;
            }
            if state.queue.is_empty() {
                return;
            }
            state.is_busy = true;
            let jobs = std::mem::take(&mut state.queue);
            state.n_bytes = 0;
            let must_wake = state.n_waiting > 0;
            drop(state);
            if must_wake {
                self.room.notify_all();
            }
            for job in jobs {
                job.run();
            }
        }
    }

    /// Takes no more jobs, and waits for those that it has.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.work.notify_one();
        self.room.notify_all();
        let is_working = |state: &mut State| !state.queue.is_empty() || state.is_busy;
        drop(self.room.wait_timeout_while(state, DRAIN_WAIT, is_working));
    }
}

/// The lanes of a network; each has a thread once somebody may use it.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: Mutex<Option<BTreeMap<LaneName, Arc<Lane>>>>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        let lanes = Mutex::new(Some(BTreeMap::new()));
        Self { lanes }
    }

    /// The lane of live streams of a priority; `None` as of [`Lanes::lane`].
    pub(crate) fn live(&self, priority: Priority) -> Option<Arc<Lane>> {
        self.lane(LaneName {
            priority,
            is_lossless: false,
        })
    }

    /// The lane of this name; `None` where the network is closed or there is no thread to be had.
    pub(crate) fn lane(&self, name: LaneName) -> Option<Arc<Lane>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes = lanes.as_mut()?;
        if let Some(lane) = lanes.get(&name) {
            return Some(Arc::clone(lane));
        }
        let lane = Arc::new(Lane::default());
        let worker = Arc::clone(&lane);
        let thread = std::thread::Builder::new().name(thread_name(name));
        if let Err(error) = thread.spawn(move || worker.work_off()) {
            tracing::error!(%error, "no thread for a sending queue");
            return None;
        }
        lanes.insert(name, Arc::clone(&lane));
        Some(lane)
    }

    /// Sends what waits, within limits, and ends the threads.
    pub(crate) fn close(&self) {
        let lanes = self
            .lanes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        for lane in lanes.unwrap_or_default().into_values() {
            lane.close();
        }
    }
}

/// At most 15 bytes, which is what systems keep of a thread's name.
fn thread_name(name: LaneName) -> String {
    let rank = match name.priority {
        Priority::RealTime => "real",
        Priority::InteractiveHigh => "inter1",
        Priority::InteractiveLow => "inter2",
        Priority::DataHigh => "data1",
        Priority::Data => "data2",
        Priority::DataLow => "data3",
        Priority::Background => "back",
    };
    let suffix = if name.is_lossless { "-all" } else { "" };
    format!("oni-{rank}{suffix}")
}

#[cfg(test)]
mod tests;
