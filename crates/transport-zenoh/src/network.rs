//! The session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sedge_oni::{Key, KeyPattern};
use sedge_spacetime::Clock;
use sedge_transport::{Network, NetworkError, Publisher, Qos, Signal, Subscriber, Wake};
use zenoh::Wait as _;

use crate::publisher::ZenohPublisher;
use crate::subscriber::{Receiver, ZenohSubscriber};
use crate::{ConfigError, ZenohConfig};

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
pub struct ZenohNetwork {
    session: zenoh::Session,
    config: ZenohConfig,
    clock: Arc<dyn Clock>,
    refused: Arc<AtomicU64>,
    /// Set when a transport comes or goes.
    peers_changed: Signal,
}

impl ZenohNetwork {
    /// Opens a session. Returns without waiting for the peers that it dials: they may come later,
    /// go and come back (see [`ZenohNetwork::wait_for_peers`]). Arrivals are stamped with `clock`.
    ///
    /// Must not be called from a single-threaded async runtime: Zenoh would refuse to block it.
    ///
    /// # Errors
    /// [`ZenohError`] naming the endpoints that are none, cannot be listened to, or do not exist.
    pub fn open(config: &ZenohConfig, clock: Arc<dyn Clock>) -> Result<Self, ZenohError> {
        config.check()?;
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
        let peers_changed = Signal::new();
        let wake = peers_changed.wake();
        session
            .info()
            .transport_events_listener()
            .callback(move |_| wake())
            .background()
            .wait()
            .map_err(|error| refuse(error.to_string()))?;
        let refused = Arc::default();
        Ok(Self {
            session,
            config: config.clone(),
            clock,
            refused,
            peers_changed,
        })
    }

    /// Where the session listens, with the real ports; what another session dials.
    pub fn locators(&self) -> Vec<String> {
        self.session
            .info()
            .locators()
            .wait()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// How many peers are connected now.
    pub fn n_peers(&self) -> usize {
        self.session.info().transports().wait().count()
    }

    /// Waits until there are as many peers as endpoints to dial, and at least `n_peers_min`.
    ///
    /// # Errors
    /// [`ZenohError::Unreachable`] naming the endpoints when `timeout` passes first.
    pub fn wait_for_peers(&self, n_peers_min: usize, timeout: Duration) -> Result<(), ZenohError> {
        let expected = self.config.connect.len().max(n_peers_min);
        loop {
            let got = self.n_peers();
            if got >= expected {
                return Ok(());
            }
            // Each event starts the wait again: a network in motion is not an unreachable one.
            if !self.peers_changed.wait(timeout) && self.n_peers() < expected {
                let endpoints = self.config.connect.clone();
                return Err(ZenohError::Unreachable {
                    endpoints,
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
        self.refused.load(Ordering::Relaxed)
    }

    /// Closes the session: what was put is sent first, and peers are told.
    ///
    /// # Errors
    /// [`NetworkError::Closed`] when it was closed already.
    pub fn close(&self) -> Result<(), NetworkError> {
        self.session.close().wait().or(Err(NetworkError::Closed))
    }

    fn declare_error(&self, key: &str, reason: &dyn std::fmt::Display) -> NetworkError {
        if self.session.is_closed() {
            return NetworkError::Closed;
        }
        NetworkError::Declare {
            key: key.to_string(),
            reason: reason.to_string(),
        }
    }
}

impl Network for ZenohNetwork {
    fn publisher(
        &self,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError> {
        let publisher = ZenohPublisher::declare(&self.session, key, qos, wake);
        let publisher = publisher.map_err(|error| self.declare_error(key.as_str(), &error))?;
        Ok(Box::new(publisher))
    }

    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError> {
        let receiver = Receiver::new(Arc::clone(&self.clock), Arc::clone(&self.refused));
        let (writer, reader) = sedge_transport::ring(qos, wake);
        let subscriber = self
            .session
            .declare_subscriber(pattern.as_str().to_string())
            .callback(move |sample| receiver.receive(&sample, &writer))
            .wait()
            .map_err(|error| self.declare_error(pattern.as_str(), &error))?;
        tracing::debug!(
            key = pattern.as_str(),
            depth = qos.depth(),
            "network.subscribe"
        );
        Ok(Box::new(ZenohSubscriber::new(subscriber, reader)))
    }
}
