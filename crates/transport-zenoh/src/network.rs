//! The network.

use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key, KeyPattern, PayloadBuffer};
use sedge_spacetime::Clock;
use sedge_transport::{
    DropLedger, Network, NetworkError, Publisher, Qos, Replies, Served, Subscriber, Wake,
};
use zenoh::Wait as _;

use crate::payload::ZenohPayload;
use crate::peers::{Counters, Peer};
use crate::publisher::ZenohPublisher;
use crate::served::{Answerer, ZenohServed};
use crate::session::{Declared, Shared};
use crate::subscriber::ZenohSubscriber;
use crate::watch::Watch;
use crate::{ConfigError, Mode, ZenohConfig};

/// Why there is no session, or nobody at its other end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZenohError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Zenoh refuses to open: an address in use, a host that is none, ..
    #[error("cannot open a session that listens on {listen:?} and dials {connect:?}: {reason}")]
    Open {
        /// Where it should listen.
        listen: Vec<String>,
        /// Whom it should dial.
        connect: Vec<String>,
        /// What Zenoh says.
        reason: String,
    },
    /// The system does not give that much shared memory, or does not let it be locked.
    #[error(
        "cannot lock {pool_bytes} bytes of shared memory (see `ulimit -l`, /dev/shm): {reason}"
    )]
    SharedMemory {
        /// How much was asked for.
        pool_bytes: usize,
        /// What Zenoh says.
        reason: String,
    },
    /// The system gives no thread.
    #[error("cannot start the thread that watches the session: {reason}")]
    Thread {
        /// What the system says.
        reason: String,
    },
    /// Nobody answered in time; it is still being dialled.
    #[error("expected {expected} peers at {endpoints:?} within {waited:?}, got {got} so far")]
    Unreachable {
        /// Whom it dials.
        endpoints: Vec<String>,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
        /// How long it waited.
        waited: Duration,
    },
}

/// A network over one Zenoh session. Dropping it, or [`ZenohNetwork::close`], closes the session
/// and with it every publisher and subscriber.
///
/// The session is opened anew, and everything declared again, where no data comes from a peer
/// though its link looks alive; see [`ZenohConfig::heartbeat_millis`].
pub struct ZenohNetwork {
    shared: Arc<Shared>,
    watch: Watch,
}

impl ZenohNetwork {
    /// Opens a session. Returns without waiting for the peers that it dials: they may come later,
    /// go and come back (see [`ZenohNetwork::wait_for_peers`]), a client's router too. Arrivals are
    /// stamped, and messages expire, by `clock`.
    ///
    /// Must not be called from a single-threaded async runtime: Zenoh would refuse to block it.
    ///
    /// # Errors
    /// [`ZenohError`] naming the endpoints that are none, cannot be listened to, or do not exist.
    pub fn open(config: &ZenohConfig, clock: Arc<dyn Clock>) -> Result<Self, ZenohError> {
        config.check()?;
        let shared = Arc::new(Shared::open(config, clock)?);
        let watch = Watch::start(&shared)?;
        Ok(Self { shared, watch })
    }

    /// Where the session listens, with the real ports; what another session dials.
    pub fn locators(&self) -> Vec<String> {
        crate::session::locators(&self.shared.session())
    }

    /// How many peers are connected now.
    pub fn n_peers(&self) -> usize {
        let session = self.shared.session();
        session.info().transports().wait().count()
    }

    /// Who is connected now, and how.
    pub fn peers(&self) -> Vec<Peer> {
        crate::peers::peers(&self.shared.session())
    }

    /// What happened since the network was opened.
    pub fn counters(&self) -> Counters {
        Counters::of(&self.shared)
    }

    /// Waits until there are as many peers as endpoints to dial (a client has one of them alone),
    /// and at least `n_peers_min`.
    ///
    /// # Errors
    /// [`ZenohError::Unreachable`] naming the endpoints when `timeout` passes first.
    pub fn wait_for_peers(&self, n_peers_min: usize, timeout: Duration) -> Result<(), ZenohError> {
        let endpoints = &self.shared.config.connect;
        let n_dialled = match self.shared.config.mode {
            Mode::Client => 1,
            Mode::Peer | Mode::Router => endpoints.len(),
        };
        let expected = n_dialled.max(n_peers_min);
        loop {
            let got = self.n_peers();
            if got >= expected {
                return Ok(());
            }
            // Each event starts the wait again: a network in motion is not an unreachable one.
            if !self.shared.peers_changed.wait(timeout) && self.n_peers() < expected {
                return Err(ZenohError::Unreachable {
                    endpoints: endpoints.clone(),
                    expected,
                    got,
                    waited: timeout,
                });
            }
        }
    }

    /// Samples that came under a subscribed key and were no message: without a header, beyond the
    /// limits, or under a key of another form.
    pub fn refused(&self) -> u64 {
        crate::subscriber::refused(&self.shared.refused)
    }

    /// A payload of `n_bytes`, aligned as tensors are, that `fill` writes straight into shared
    /// memory: a message of it is put and read without a copy. `None` without shared memory, or
    /// where the pool has no such piece, which is counted.
    pub fn shared_payload(
        &self,
        n_bytes: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Option<Box<dyn PayloadBuffer>> {
        let mut piece = self.shared.pool.as_ref()?.take(n_bytes)?;
        fill(&mut piece);
        Some(Box::new(ZenohPayload(piece.into())))
    }

    /// Closes the session: what was put is sent first, within two seconds, and peers are told.
    ///
    /// # Errors
    /// [`NetworkError::Closed`] when it was closed already.
    pub fn close(&self) -> Result<(), NetworkError> {
        self.watch.stop();
        if self.shared.close() {
            Ok(())
        } else {
            Err(NetworkError::Closed)
        }
    }

    /// Opens the session anew, as a dead data path would make it; for tests.
    #[doc(hidden)]
    pub fn reopen_now(&self) {
        self.watch.reopen_now();
    }

    fn declare(&self, key: &str, item: &Arc<dyn Declared>) -> Result<(), NetworkError> {
        if self.shared.is_closed() {
            return Err(NetworkError::Closed);
        }
        self.shared.declare(item).map_err(|error| {
            if self.shared.is_closed() {
                return NetworkError::Closed;
            }
            NetworkError::Declare {
                key: key.to_string(),
                reason: error.to_string(),
            }
        })
    }
}

impl Drop for ZenohNetwork {
    fn drop(&mut self) {
        self.watch.stop();
        self.shared.close();
    }
}

impl Network for ZenohNetwork {
    fn publisher(
        &self,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError> {
        let publisher = ZenohPublisher::new(&self.shared, key, qos, wake);
        let speaker: Arc<dyn Declared> = publisher.speaker().clone();
        self.declare(key.as_str(), &speaker)?;
        tracing::debug!(key = key.as_str(), class = ?qos.class(), "network.publish");
        Ok(Box::new(publisher))
    }

    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError> {
        let subscriber = ZenohSubscriber::new(&self.shared, pattern, qos, wake);
        let listener: Arc<dyn Declared> = subscriber.listener().clone();
        self.declare(pattern.as_str(), &listener)?;
        tracing::debug!(
            key = pattern.as_str(),
            depth = qos.depth(),
            "network.subscribe"
        );
        Ok(Box::new(subscriber))
    }

    fn serve(&self, key: &Key, message: EncodedMessage) -> Result<Box<dyn Served>, NetworkError> {
        let answerer = Arc::new(Answerer::new(&self.shared, key, message));
        let declared: Arc<dyn Declared> = answerer.clone();
        self.declare(key.as_str(), &declared)?;
        tracing::debug!(key = key.as_str(), "network.serve");
        Ok(Box::new(ZenohServed(answerer)))
    }

    fn query(
        &self,
        pattern: &KeyPattern,
        timeout: Duration,
        wake: Wake,
    ) -> Result<Box<dyn Replies>, NetworkError> {
        if self.shared.is_closed() {
            return Err(NetworkError::Closed);
        }
        let replies = crate::served::ask(&self.shared, pattern, timeout, wake);
        let replies = replies.map_err(|error| NetworkError::Declare {
            key: pattern.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Box::new(replies))
    }

    fn drops(&self) -> DropLedger {
        self.shared.drops.snapshot()
    }
}
