//! Lossless readers that lag ask their publishers to stop, so that no receiving thread is held.
//!
//! A held receiving thread would stop everything else that comes over its link, and Zenoh gives a
//! link up whose thread is held for longer than the lease. A stop is repeated while it lasts and
//! forgotten when it is not, so that a reader that dies stops nobody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sedge_oni::Key;
use sedge_transport::{Delivery, Qos};

/// Stops are put under this and the key of those that shall stop. No pattern of messages matches
/// it.
pub(crate) const FLOW_PREFIX: &str = "@sedge/flow/";
/// What subscribes to every stop.
pub(crate) const FLOW_PATTERN: &str = "@sedge/flow/**";
/// How many ticks of the watch a stop lasts that is not repeated.
const STOP_TICKS: u32 = 8;
/// Stops that are remembered; those of further readers are ignored, and these readers' rings
/// lose instead.
const STOPS_MAX: usize = 1024;
/// Bytes of a stop or go: which it is, and the reader's number.
const SIGNAL_BYTES: usize = 1 + size_of::<u64>();

/// A reader's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Send no more for now.
    Stop,
    /// Go on.
    Go,
}

/// The bytes of a wish.
pub(crate) fn encode(wish: Wish, reader: u64) -> [u8; SIGNAL_BYTES] {
    let mut bytes = [0; SIGNAL_BYTES];
    bytes[0] = u8::from(wish == Wish::Stop);
    bytes[1..].copy_from_slice(&reader.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(Wish, u64)> {
    let (wish, reader) = bytes.split_first()?;
    let reader = u64::from_le_bytes(reader.try_into().ok()?);
    match wish {
        0 => Some((Wish::Go, reader)),
        1 => Some((Wish::Stop, reader)),
        _ => None,
    }
}

#[derive(Default)]
struct State {
    publishers: Vec<(Key, Weak<AtomicBool>)>,
    /// By key and reader; how many ticks are left.
    stops: BTreeMap<(String, u64), u32>,
}

impl State {
    /// Tells the publishers of `key` whether somebody wants them to stop.
    fn tell(&mut self, key: &str) {
        let of_key = (key.to_string(), 0)..=(key.to_string(), u64::MAX);
        let is_stopped = self.stops.range(of_key).next().is_some();
        self.publishers.retain(|(_, flag)| flag.strong_count() > 0);
        let flags = self.publishers.iter().filter(|(of, _)| of.as_str() == key);
        for flag in flags.filter_map(|(_, flag)| flag.upgrade()) {
            flag.store(is_stopped, Ordering::Release);
        }
    }
}

/// Which publishers of this network are asked to stop.
#[derive(Default)]
pub(crate) struct Flow {
    state: Mutex<State>,
    changed: Condvar,
}

impl Flow {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The flag of a new publisher; only those that lose nothing can be stopped.
    pub(crate) fn publisher(&self, key: &Key, qos: Qos) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(false));
        if qos.delivery() == Delivery::Lossless {
            let mut state = self.lock();
            state.publishers.push((key.clone(), Arc::downgrade(&flag)));
            state.tell(key.as_str());
        }
        flag
    }

    /// Waits while a publisher is asked to stop, at most for `hold`; whether it may go on.
    pub(crate) fn wait(&self, is_stopped: &AtomicBool, hold: Duration) -> bool {
        if !is_stopped.load(Ordering::Acquire) {
            return true;
        }
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), hold, |_| is_stopped.load(Ordering::Acquire));
        drop(waited);
        !is_stopped.load(Ordering::Acquire)
    }

    /// Takes a wish that came under `key_expr`; whether it was one.
    pub(crate) fn take(&self, key_expr: &str, bytes: &[u8]) -> bool {
        let key = key_expr.strip_prefix(FLOW_PREFIX);
        let (Some(key), Some((wish, reader))) = (key, decode(bytes)) else {
            return false;
        };
        let mut state = self.lock();
        let stop = (key.to_string(), reader);
        match wish {
            Wish::Stop if state.stops.len() < STOPS_MAX || state.stops.contains_key(&stop) => {
                state.stops.insert(stop, STOP_TICKS);
            }
            Wish::Stop => return false,
            Wish::Go => drop(state.stops.remove(&stop)),
        }
        state.tell(key);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Forgets stops that were not repeated.
    pub(crate) fn tick(&self) {
        let mut state = self.lock();
        let mut over = Vec::new();
        state.stops.retain(|(key, _), ticks| {
            *ticks -= 1;
            if *ticks == 0 {
                over.push(key.clone());
            }
            *ticks > 0
        });
        for key in &over {
            state.tell(key);
        }
        drop(state);
        if !over.is_empty() {
            self.changed.notify_all();
        }
    }

    /// Lets everybody go: the network is being closed.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        for (_, flag) in state.publishers.drain(..) {
            if let Some(flag) = flag.upgrade() {
                flag.store(false, Ordering::Release);
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_transport::QosClass;

    fn key() -> Key {
        Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap()
    }

    fn lossless() -> Qos {
        Qos::of(QosClass::State).lossless()
    }

    fn wish(flow: &Flow, wish: Wish, reader: u64) {
        assert!(flow.take(&format!("{FLOW_PREFIX}{}", key()), &encode(wish, reader)));
    }

    #[test]
    fn a_publisher_is_stopped_until_the_last_reader_lets_it_go() {
        let flow = Flow::default();
        let flag = flow.publisher(&key(), lossless());
        let live = flow.publisher(&key(), Qos::of(QosClass::State));
        wish(&flow, Wish::Stop, 1);
        wish(&flow, Wish::Stop, 2);
        assert!(!flow.wait(&flag, Duration::ZERO));
        assert!(flow.wait(&live, Duration::ZERO), "live ones lose and go on");
        let late = flow.publisher(&key(), lossless());
        assert!(
            !flow.wait(&late, Duration::ZERO),
            "the reader is full for everybody"
        );
        wish(&flow, Wish::Go, 1);
        assert!(!flow.wait(&flag, Duration::ZERO));
        wish(&flow, Wish::Go, 2);
        assert!(flow.wait(&flag, Duration::ZERO));
    }

    #[test]
    fn a_stop_that_is_not_repeated_is_forgotten() {
        let flow = Flow::default();
        let flag = flow.publisher(&key(), lossless());
        wish(&flow, Wish::Stop, 1);
        for _ in 1..STOP_TICKS {
            flow.tick();
        }
        assert!(!flow.wait(&flag, Duration::ZERO));
        wish(&flow, Wish::Stop, 1);
        flow.tick();
        assert!(!flow.wait(&flag, Duration::ZERO), "it was repeated");
        for _ in 1..STOP_TICKS {
            flow.tick();
        }
        assert!(flow.wait(&flag, Duration::ZERO));
    }

    #[test]
    fn what_is_no_wish_is_not_taken() {
        let flow = Flow::default();
        let under = format!("{FLOW_PREFIX}{}", key());
        assert!(!flow.take(&under, b""));
        assert!(!flow.take(&under, &[2; SIGNAL_BYTES]));
        assert!(!flow.take(&under, &[1; SIGNAL_BYTES + 1]));
        assert!(!flow.take("oni/a/b/c/d", &encode(Wish::Stop, 1)));
        for reader in 0..STOPS_MAX as u64 {
            wish(&flow, Wish::Stop, reader);
        }
        assert!(
            !flow.take(&under, &encode(Wish::Stop, u64::MAX)),
            "memory is bounded"
        );
    }
}
