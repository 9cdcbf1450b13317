//! A router in this process.

use std::sync::Arc;

use sedge_spacetime::Clock;
use sedge_transport::NetworkError;

use crate::{Counters, Mode, Peer, ZenohConfig, ZenohError, ZenohNetwork};

/// Relays between clients, and between clients and peers. It does not relay between two peers:
/// Zenoh takes all peers for connected with each other, see [`Mode`].
///
/// A slow reader behind a router can hold up what must not be dropped and comes from the same
/// publisher's session, because a router waits for its links: lossless readers therefore stop
/// their publishers before that, and live ones only drop.
pub struct ZenohRouter(ZenohNetwork);

impl ZenohRouter {
    /// Opens a router, whatever mode the configuration names.
    ///
    /// # Errors
    /// As [`ZenohNetwork::open`].
    pub fn open(config: &ZenohConfig, clock: Arc<dyn Clock>) -> Result<Self, ZenohError> {
        let config = ZenohConfig {
            mode: Mode::Router,
            ..config.clone()
        };
        ZenohNetwork::open(&config, clock).map(Self)
    }

    /// Where it listens, with the real ports; what others dial.
    pub fn locators(&self) -> Vec<String> {
        self.0.locators()
    }

    /// Who is connected now, and how.
    pub fn peers(&self) -> Vec<Peer> {
        self.0.peers()
    }

    /// What happened since it was opened.
    pub fn counters(&self) -> Counters {
        self.0.counters()
    }

    /// Ends it; those who are connected are told.
    ///
    /// # Errors
    /// [`NetworkError::Closed`] when it was closed already.
    pub fn close(&self) -> Result<(), NetworkError> {
        self.0.close()
    }
}
