//! The session that everything of a network shares, and may lose and get again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use sedge_oni::{EncodedMessage, Key};
use sedge_spacetime::Clock;
use sedge_transport::{DropPlace, DropReason, SharedDrops, Signal};
use zenoh::Wait as _;
use zenoh::bytes::ZBytes;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::sample::SampleKind;

use crate::closing::Closing;
use crate::dial::Dial;
use crate::flow::{FLOW_PATTERN, FLOW_PREFIX, Flow, Wish};
use crate::lanes::Lanes;
use crate::payload::{Outgoing, ZenohPayload};
use crate::shared_memory::Pool;
use crate::{Mode, SharedMemoryMode, ZenohConfig, ZenohError};

/// Something that a session knows of, and that a new session has to be told of.
pub(crate) trait Declared: Send + Sync {
    /// Tells a session; what an earlier one gave is dropped.
    fn declare(&self, session: &zenoh::Session) -> zenoh::Result<()>;

    /// Drops what a session gave.
    fn release(&self);

    /// Called several times a second.
    fn tick(&self) {}
}

/// What everything of a network shares.
pub(crate) struct Shared {
    pub(crate) config: ZenohConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) drops: SharedDrops,
    pub(crate) refused: Arc<AtomicU64>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) pool: Option<Arc<Pool>>,
    /// Set when a transport comes or goes.
    pub(crate) peers_changed: Signal,
    pub(crate) peers_lost: Arc<AtomicU64>,
    pub(crate) reopened: AtomicU64,
    session: RwLock<zenoh::Session>,
    /// Whether the session is one that stands in for a client's until a router answers.
    is_stand_in: AtomicBool,
    pub(crate) dial: Dial,
    closing: Closing,
    /// Locked by whoever changes the session, too.
    declared: Mutex<Vec<Weak<dyn Declared>>>,
    is_closed: AtomicBool,
    n_numbered: AtomicU64,
}

impl Shared {
    pub(crate) fn open(config: &ZenohConfig, clock: Arc<dyn Clock>) -> Result<Self, ZenohError> {
        let pool = match config.shared_memory.mode {
            SharedMemoryMode::Off => None,
            SharedMemoryMode::On => {
                let pool = Pool::new(&config.shared_memory);
                let pool = pool.map_err(|error| ZenohError::SharedMemory {
                    pool_bytes: config.shared_memory.pool_bytes,
                    reason: error.to_string(),
                })?;
                Some(Arc::new(pool))
            }
        };
        let flow = Arc::new(Flow::default());
        let peers_changed = Signal::new();
        let peers_lost = Arc::new(AtomicU64::new(0));
        let watched = Watched {
            flow: &flow,
            pool: pool.as_ref(),
            peers_changed: &peers_changed,
            peers_lost: &peers_lost,
        };
        let opened = watched.open_or_stand_in(config)?;
        let session = opened.session;
        let mut config = config.clone();
        fix_ports(&mut config.listen, &locators(&session));
        Ok(Self {
            config,
            clock,
            drops: SharedDrops::new(),
            refused: Arc::default(),
            lanes: Arc::new(Lanes::new()),
            flow,
            pool,
            peers_changed,
            peers_lost,
            reopened: AtomicU64::new(0),
            session: RwLock::new(session),
            is_stand_in: AtomicBool::new(opened.is_stand_in),
            dial: Dial::default(),
            closing: Closing::default(),
            declared: Mutex::default(),
            is_closed: AtomicBool::new(false),
            n_numbered: AtomicU64::new(0),
        })
    }

    pub(crate) fn session(&self) -> zenoh::Session {
        self.session
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn declared(&self) -> MutexGuard<'_, Vec<Weak<dyn Declared>>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Declares something now, and again with every new session for as long as it lives.
    pub(crate) fn declare(&self, item: &Arc<dyn Declared>) -> zenoh::Result<()> {
        // Held while it declares: a session that is opened meanwhile would miss it or do it twice.
        let mut declared = self.declared();
        item.declare(&self.session())?;
        declared.retain(|item| item.strong_count() > 0);
        declared.push(Arc::downgrade(item));
        Ok(())
    }

    /// Calls everything that is declared.
    pub(crate) fn tick(&self) {
        let items: Vec<_> = self.declared().iter().filter_map(Weak::upgrade).collect();
        for item in &items {
            item.tick();
        }
        self.flow.tick();
    }

    fn watched(&self) -> Watched<'_> {
        Watched {
            flow: &self.flow,
            pool: self.pool.as_ref(),
            peers_changed: &self.peers_changed,
            peers_lost: &self.peers_lost,
        }
    }

    /// Closes the session and opens another, which is told everything that the old one knew.
    pub(crate) fn reopen(&self) -> Result<(), ZenohError> {
        let declared = self.declared();
        let items: Vec<_> = declared.iter().filter_map(Weak::upgrade).collect();
        self.closing.close(&self.session());
        for item in &items {
            item.release();
        }
        if let Some(pool) = &self.pool {
            pool.forget_transports();
        }
        let opened = self.watched().open_or_stand_in(&self.config)?;
        self.is_stand_in
            .store(opened.is_stand_in, Ordering::Release);
        self.reopened.fetch_add(1, Ordering::Relaxed);
        self.declare_all(&items, &opened.session);
        drop(declared);
        Ok(())
    }

    fn declare_all(&self, items: &[Arc<dyn Declared>], session: &zenoh::Session) {
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = session.clone();
        for item in items {
            if let Err(error) = item.declare(session) {
                tracing::warn!(%error, "session.declare");
            }
        }
    }

    /// Whether a client's router has not answered yet.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.is_stand_in.load(Ordering::Acquire)
    }

    /// Opens the session that another stands in for.
    ///
    /// # Errors
    /// [`ZenohError::Open`] where still nobody answers.
    pub(crate) fn replace_stand_in(&self) -> Result<(), ZenohError> {
        let session = self.watched().open(&self.config)?;
        let declared = self.declared();
        let is_wanted = !self.is_closed() && self.is_stand_in();
        let unneeded = if is_wanted {
            let stand_in = self.session();
            let items: Vec<_> = declared.iter().filter_map(Weak::upgrade).collect();
            for item in &items {
                item.release();
            }
            self.declare_all(&items, &session);
            self.is_stand_in.store(false, Ordering::Release);
            stand_in
        } else {
            session
        };
        drop(declared);
        if let Err(error) = unneeded.close().wait() {
            tracing::warn!(%error, "session.close");
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Sends what waits, tells the peers, and ends; whether it was open.
    pub(crate) fn close(&self) -> bool {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.dial.stop();
        self.flow.close();
        self.lanes.close();
        let session = {
            let _unchanging = self.declared();
            self.session()
        };
        if let Err(error) = session.close().wait() {
            tracing::warn!(%error, "session.close");
        }
        let items: Vec<_> = self
            .declared()
            .drain(..)
            .filter_map(|item| item.upgrade())
            .collect();
        for item in &items {
            item.release();
        }
        true
    }

    /// A number that no reader of another network has either, as far as chance goes.
    pub(crate) fn next_number(&self) -> u64 {
        let zid = self.session().zid().to_le_bytes();
        let (low, _) = zid.split_at(size_of::<u64>());
        let low = u64::from_le_bytes(low.try_into().expect("eight of sixteen bytes"));
        low.wrapping_add(self.n_numbered.fetch_add(1, Ordering::Relaxed))
    }

    /// Tells the publishers of `key` what a reader of theirs wants.
    pub(crate) fn say(&self, wish: Wish, key: &Key, reader: u64) {
        let session = self.session();
        let put = session
            .put(
                format!("{FLOW_PREFIX}{key}"),
                crate::flow::encode(wish, reader).as_slice(),
            )
            // Where nothing waits, see `lane_of`.
            .priority(Priority::InteractiveHigh)
            .congestion_control(CongestionControl::Drop)
            .express(true);
        if let Err(error) = put.wait() {
            tracing::debug!(%key, ?wish, %error, "flow.say");
        }
    }

    /// Whether a payload goes through shared memory, however large it is.
    pub(crate) fn is_shareable(&self, message: &EncodedMessage) -> bool {
        let n_bytes = message.len_bytes() - message.header().len();
        self.pool.as_ref().is_some_and(|pool| pool.wants(n_bytes))
    }

    /// A message as Zenoh takes it.
    pub(crate) fn outgoing(&self, message: &EncodedMessage) -> Outgoing {
        match self.shared_memory_of(message) {
            Some(payload) => Outgoing::new(message, payload),
            None => Outgoing::of(message),
        }
    }

    /// A payload in shared memory, where there is room and it is worth it.
    fn shared_memory_of(&self, message: &EncodedMessage) -> Option<ZBytes> {
        let pool = self.pool.as_ref().filter(|_| self.is_shareable(message))?;
        let buffer = message.buffer().map(|buffer| buffer as &dyn std::any::Any);
        if let Some(ZenohPayload(bytes)) = buffer.and_then(|buffer| buffer.downcast_ref())
            && bytes.as_shm().is_some()
        {
            return Some(bytes.clone());
        }
        let bytes = message.payload();
        let mut piece = pool.take(bytes.len())?;
        piece.copy_from_slice(bytes);
        Some(ZBytes::from(piece))
    }

    /// Counts what came and was no message.
    pub(crate) fn refuse(&self, key_expr: &str) {
        refuse(&self.refused, &self.drops, key_expr);
    }
}

/// Counts what came and was no message.
pub(crate) fn refuse(refused: &AtomicU64, drops: &SharedDrops, key_expr: &str) {
    refused.fetch_add(1, Ordering::Relaxed);
    match Key::parse(key_expr) {
        Ok(key) => drops.count(&key, DropPlace::Queue, DropReason::Malformed),
        Err(_) => drops.count_unplaced(),
    }
    tracing::debug!(key = key_expr, "network.refuse");
}

/// What each session of a network reports to.
struct Watched<'a> {
    flow: &'a Arc<Flow>,
    pool: Option<&'a Arc<Pool>>,
    peers_changed: &'a Signal,
    peers_lost: &'a Arc<AtomicU64>,
}

/// A session, and whether it is the one that was wanted.
struct Opened {
    session: zenoh::Session,
    is_stand_in: bool,
}

impl Watched<'_> {
    /// Opens a session. Where a client finds no router, it is one without connections for now:
    /// within this process it does everything that a session does.
    fn open_or_stand_in(&self, config: &ZenohConfig) -> Result<Opened, ZenohError> {
        let error = match self.open(config) {
            Ok(session) => {
                return Ok(Opened {
                    session,
                    is_stand_in: false,
                });
            }
            Err(error) if config.mode == Mode::Client => error,
            Err(error) => return Err(error),
        };
        let alone = ZenohConfig {
            mode: Mode::Peer,
            connect: Vec::new(),
            ..config.clone()
        };
        let session = self.open(&alone)?;
        tracing::warn!(%error, "dialling until somebody answers");
        Ok(Opened {
            session,
            is_stand_in: true,
        })
    }

    fn open(&self, config: &ZenohConfig) -> Result<zenoh::Session, ZenohError> {
        let refuse = |reason: String| ZenohError::Open {
            listen: config.listen.clone(),
            connect: config.connect.clone(),
            reason,
        };
        let mut settings = zenoh::Config::default();
        for (key, value) in config.settings() {
            let inserted = settings.insert_json5(key, &value.to_string());
            inserted.map_err(|error| refuse(format!("setting {key}: {error}")))?;
        }
        let session = zenoh::open(settings)
            .wait()
            .map_err(|error| refuse(error.to_string()))?;
        self.listen(&session)
            .map_err(|error| refuse(error.to_string()))?;
        Ok(session)
    }

    fn listen(&self, session: &zenoh::Session) -> zenoh::Result<()> {
        let wake = self.peers_changed.wake();
        let (lost, pool) = (Arc::clone(self.peers_lost), self.pool.cloned());
        session
            .info()
            .transport_events_listener()
            .history(true)
            .callback(move |event| {
                let has_come = event.kind() == SampleKind::Put;
                if let Some(pool) = pool.as_ref().filter(|_| event.transport().is_shm()) {
                    pool.count_transport(if has_come { 1 } else { -1 });
                }
                if !has_come {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
                wake();
            })
            .background()
            .wait()?;
        let flow = Arc::clone(self.flow);
        session
            .declare_subscriber(FLOW_PATTERN)
            .callback(move |sample| {
                flow.take(sample.key_expr().as_str(), &sample.payload().to_bytes());
            })
            .background()
            .wait()
    }
}

/// Where a session listens, with the real ports.
pub(crate) fn locators(session: &zenoh::Session) -> Vec<String> {
    let locators = session.info().locators().wait();
    locators.iter().map(ToString::to_string).collect()
}

/// Puts the ports that a session got in place of port 0: its successor must be found there.
fn fix_ports(listen: &mut [String], locators: &[String]) {
    let mut free: Vec<&String> = locators.iter().filter(|at| !listen.contains(at)).collect();
    for endpoint in listen.iter_mut().filter(|endpoint| has_port_zero(endpoint)) {
        let (Some((address, _)), Some((protocol, _))) =
            (endpoint.rsplit_once(":0"), endpoint.split_once('/'))
        else {
            continue;
        };
        let of_protocol = |at: &&String| at.starts_with(&format!("{protocol}/"));
        let exact = free
            .iter()
            .position(|at| at.starts_with(&format!("{address}:")));
        // A wildcard's locators have the addresses of its interfaces.
        let Some(idx) = exact.or_else(|| free.iter().position(of_protocol)) else {
            continue;
        };
        let Some((_, port)) = free.remove(idx).rsplit_once(':') else {
            continue;
        };
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        *endpoint = endpoint.replacen(":0", &format!(":{port}"), 1);
        free.retain(|at| !at.ends_with(&format!(":{port}")));
    }
}

fn has_port_zero(endpoint: &str) -> bool {
    let address = endpoint.split(['?', '#']).next().unwrap_or_default();
    address.ends_with(":0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_opened_anew_listens_where_the_first_did() {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut listen = owned(&[
            "tcp/127.0.0.1:7447",
            "tcp/127.0.0.1:0",
            "udp/127.0.0.1:0",
            "tcp/0.0.0.0:0",
            "tls/[::1]:0?prio=1-3",
        ]);
        let locators = owned(&[
            "tcp/127.0.0.1:7447",
            "tcp/127.0.0.1:40001",
            "udp/127.0.0.1:40002",
            "tcp/10.0.0.5:40003",
            "tcp/192.168.0.5:40003",
            "tls/[::1]:40004",
        ]);
        fix_ports(&mut listen, &locators);
        let expected = owned(&[
            "tcp/127.0.0.1:7447",
            "tcp/127.0.0.1:40001",
            "udp/127.0.0.1:40002",
            "tcp/0.0.0.0:40003",
            "tls/[::1]:40004?prio=1-3",
        ]);
        assert_eq!(listen, expected);
    }
}
