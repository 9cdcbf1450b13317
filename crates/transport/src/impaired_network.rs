//! Agents in one process, connected by links that misbehave.

mod ends;
mod parcel;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::{AgentName, Clock, Stamp};

use crate::{
    DropLedger, ImpairmentError, Impairments, LinkCounts, Network, NetworkError, Publisher, Qos,
    Replies, Served, Subscriber, Wake, accounted_ring,
};
use ends::{ImpairedPublisher, ImpairedReplies, ImpairedServed, ImpairedSubscriber};
use state::{Listener, State, call_all};

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several agents' sides of a network, with a link each way between every two of them.
///
/// Everything that happens is a function of the seed, of the clock and of what is put: whoever
/// drives it sets the clock to [`ImpairedNetwork::next_due`] and calls
/// [`ImpairedNetwork::advance`], again and again. What is due at once, as on links that do nothing,
/// arrives while it is put. Who listens and who publishes is known everywhere at once, cut or not:
/// what misbehaves is the path of the data, as it is where discovery looks healthy. Lossless
/// streams are lossless where the links lose nothing. A link carries messages only to where
/// somebody listens, and within a side nothing is impaired. Clones are the same network.
#[derive(Clone)]
pub struct ImpairedNetwork(Arc<Shared>);

impl ImpairedNetwork {
    /// One side for each of `agents`, and links with `impairments` between them, each with its own
    /// random numbers from `seed`. Partitions count from now.
    ///
    /// # Errors
    /// [`ImpairmentError`] where the impairments cannot be used.
    pub fn new(
        seed: u64,
        clock: Arc<dyn Clock>,
        agents: &[AgentName],
        impairments: &Impairments,
    ) -> Result<Self, ImpairmentError> {
        let state = State::new(seed, clock.now(), agents, impairments)?;
        Ok(Self(Arc::new(Shared {
            clock,
            state: Mutex::new(state),
        })))
    }

    /// An agent's side; `None` for one that the network was made without.
    pub fn side(&self, agent: &AgentName) -> Option<ImpairedSide> {
        let side = self.0.lock().side_of(agent)?;
        Some(ImpairedSide {
            network: Arc::clone(&self.0),
            side,
        })
    }

    /// Changes what one link does to what is put from now on; `None` where there is no such link.
    ///
    /// # Errors
    /// [`ImpairmentError`] where the impairments cannot be used.
    pub fn set_link(
        &self,
        from: &AgentName,
        to: &AgentName,
        impairments: Impairments,
    ) -> Result<Option<()>, ImpairmentError> {
        match self.0.lock().link_of(from, to) {
            Some(link) => link.link.set_impairments(impairments).map(Some),
            None => Ok(None),
        }
    }

    /// Delivers everything that is due by `now`, in its order, and ends queries whose time is up.
    /// The clock must have been set to `now` before.
    pub fn advance(&self, now: Stamp) {
        let mut state = self.0.lock();
        let wakes = state.pump(now);
        drop(state);
        call_all(&wakes);
    }

    /// When something happens next, if nothing is put before.
    pub fn next_due(&self) -> Option<Stamp> {
        self.0.lock().next_due()
    }

    /// What one link dropped, by key and reason; `None` where there is no such link.
    pub fn link_drops(&self, from: &AgentName, to: &AgentName) -> Option<DropLedger> {
        Some(self.0.lock().link_of(from, to)?.drops.clone())
    }

    /// What became of everything that was offered to one link; `None` where there is none.
    pub fn link_counts(&self, from: &AgentName, to: &AgentName) -> Option<LinkCounts> {
        Some(self.0.lock().link_of(from, to)?.link.counts())
    }

    /// How many messages are under way on all links.
    pub fn n_in_flight(&self) -> usize {
        self.0.lock().n_in_flight()
    }
}

/// One agent's side of an [`ImpairedNetwork`].
#[derive(Clone)]
pub struct ImpairedSide {
    network: Arc<Shared>,
    side: usize,
}

impl Network for ImpairedSide {
    fn publisher(
        &self,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError> {
        let number = self.network.lock().add_speaker(self.side, key, qos, wake);
        Ok(Box::new(ImpairedPublisher {
            network: Arc::clone(&self.network),
            side: self.side,
            number,
            key: key.clone(),
            qos,
        }))
    }

    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError> {
        let clock = Arc::clone(&self.network.clock);
        let now = clock.now();
        let mut state = self.network.lock();
        let drops = state.drops_of(self.side);
        let (ring, reader) = accounted_ring(qos, wake, clock, drops);
        let listener = Listener::new(self.side, pattern, ring);
        let mut wakes = state.speakers_of(pattern);
        let number = state.add_listener(now, listener, &mut wakes);
        wakes.extend(state.pump(now));
        drop(state);
        call_all(&wakes);
        Ok(Box::new(ImpairedSubscriber {
            network: Arc::clone(&self.network),
            number,
            pattern: pattern.clone(),
            reader,
        }))
    }

    fn serve(&self, key: &Key, message: EncodedMessage) -> Result<Box<dyn Served>, NetworkError> {
        let number = self.network.lock().add_served(self.side, key, message);
        Ok(Box::new(ImpairedServed {
            network: Arc::clone(&self.network),
            number,
            key: key.clone(),
        }))
    }

    /// Question and answer each cross the links; what they lose, the query waits for until its time
    /// is up.
    fn query(
        &self,
        pattern: &KeyPattern,
        timeout: Duration,
        wake: Wake,
    ) -> Result<Box<dyn Replies>, NetworkError> {
        let now = self.network.clock.now();
        let mut state = self.network.lock();
        let asked = Arc::clone(&wake);
        let number = state.add_query(self.side, (now, now + timeout), pattern, wake);
        let mut wakes = state.pump(now);
        wakes.push(asked);
        drop(state);
        call_all(&wakes);
        Ok(Box::new(ImpairedReplies {
            network: Arc::clone(&self.network),
            number,
        }))
    }

    fn drops(&self) -> DropLedger {
        self.network.lock().drops_of(self.side).snapshot()
    }
}

#[cfg(test)]
mod tests;
