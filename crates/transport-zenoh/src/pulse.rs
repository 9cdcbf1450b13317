//! The heartbeat over a session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::{BEAT_BYTES_MAX, Beat, Heartbeat, HeartbeatConfig, Reopen};
use zenoh::Wait as _;
use zenoh::qos::{CongestionControl, Priority};

use crate::ZenohConfig;

/// A session's beats are put under this and its name. No pattern of messages matches it.
const BEAT_PREFIX: &str = "@sedge/beat/";
/// Signs of life that may be lost before a peer counts as silent.
const BEATS_LOST_MAX: u32 = 4;

/// Sessions that are remembered for the peers that they are of.
const SESSIONS_MAX: usize = 256;

struct State {
    heartbeat: Heartbeat,
    now: Stamp,
    /// Which peer a session is, by the session's name: a peer's sessions come and go.
    peers: BTreeMap<String, AgentName>,
}

/// The heartbeat, and what it knows of sessions.
///
/// Each session listens to those alone that it has a link to, or a router would relay everybody's
/// beats to everybody.
pub(crate) struct Pulse {
    state: Arc<Mutex<State>>,
    every: Duration,
    /// By the peer's session, what listens to it.
    ears: BTreeMap<String, zenoh::pubsub::Subscriber<()>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pulse {
    /// `None` where the configuration wants no heartbeat.
    pub(crate) fn new(config: &ZenohConfig, session: &zenoh::Session, epoch: u64) -> Option<Self> {
        if config.heartbeat_millis == 0 {
            return None;
        }
        let every = Duration::from_millis(config.heartbeat_millis);
        let lease = Duration::from_millis(config.lease_millis);
        let silent_after = lease.max(every * BEATS_LOST_MAX);
        let config = HeartbeatConfig {
            every,
            silent_after,
            // Zenoh itself finds a peer dead within a lease; this is for what it does not find.
            dead_after: silent_after * 2,
            ..HeartbeatConfig::default()
        };
        let name = AgentName::new(session.zid().to_string()).ok()?;
        let heartbeat = Heartbeat::new(name, epoch, config, Stamp::ZERO).ok()?;
        let state = State {
            heartbeat,
            now: Stamp::ZERO,
            peers: BTreeMap::new(),
        };
        Some(Self {
            state: Arc::new(Mutex::new(state)),
            every,
            ears: BTreeMap::new(),
        })
    }

    /// Says a beat, listens to whom there is a link to, and judges. Called once in each period;
    /// periods are what it counts time in, so that a process that was stopped blames nobody.
    pub(crate) fn tick(&mut self, session: &zenoh::Session) -> Option<Reopen> {
        let linked: BTreeSet<String> = session
            .info()
            .transports()
            .wait()
            .map(|transport| transport.zid().to_string())
            .collect();
        self.listen(session, &linked);
        let mut state = lock(&self.state);
        state.now = state.now + self.every;
        let now = state.now;
        state.judge_links(&linked);
        let beat = state.heartbeat.next_beat(now);
        let reopen = state.heartbeat.should_reopen(now);
        drop(state);
        if let Some(beat) = beat {
            say(session, &beat);
        }
        reopen
    }

    /// Listens to new sessions, and no longer to those that are gone.
    fn listen(&mut self, session: &zenoh::Session, linked: &BTreeSet<String>) {
        self.ears.retain(|peer, _| linked.contains(peer));
        for peer in linked {
            if self.ears.contains_key(peer) {
                continue;
            }
            let (state, of_peer) = (Arc::clone(&self.state), peer.clone());
            let ear = session
                .declare_subscriber(format!("{BEAT_PREFIX}{peer}"))
                .callback(move |sample| {
                    if sample.payload().len() <= BEAT_BYTES_MAX {
                        let bytes = sample.payload().to_bytes();
                        lock(&state).hear(&of_peer, &bytes);
                    }
                })
                .wait();
            match ear {
                Ok(ear) => drop(self.ears.insert(peer.clone(), ear)),
                Err(error) => tracing::debug!(%error, "heartbeat.listen"),
            }
        }
    }

    /// The session was opened anew.
    pub(crate) fn reopened(&mut self) {
        self.ears.clear();
        let mut state = lock(&self.state);
        let now = state.now;
        state.heartbeat.reopened(now);
    }
}

impl State {
    fn hear(&mut self, session: &str, bytes: &[u8]) {
        match Beat::from_bytes(bytes) {
            Ok(beat) => {
                self.peers.insert(session.to_string(), beat.name.clone());
                self.heartbeat.hear(&beat, self.now);
            }
            Err(error) => tracing::debug!(%error, "heartbeat.refuse"),
        }
    }

    /// A peer is connected while there is a link to a session of its. Who never said a beat is
    /// no peer of ours but somebody else's program, and is not judged.
    fn judge_links(&mut self, linked: &BTreeSet<String>) {
        if self.peers.len() > SESSIONS_MAX {
            // Those that are gone come back as other ones, mostly.
            self.peers.retain(|session, _| linked.contains(session));
        }
        let there: BTreeSet<&AgentName> = self
            .peers
            .iter()
            .filter(|(session, _)| linked.contains(*session))
            .map(|(_, peer)| peer)
            .collect();
        for peer in self.peers.values() {
            if there.contains(peer) {
                self.heartbeat.connect(peer, self.now);
            } else {
                self.heartbeat.disconnect(peer);
            }
        }
    }
}

fn say(session: &zenoh::Session, beat: &Beat) {
    let put = session
        .put(format!("{BEAT_PREFIX}{}", session.zid()), beat.to_bytes())
        // Where nothing waits, see `lane_of` of publishers.
        .priority(Priority::InteractiveHigh)
        .congestion_control(CongestionControl::Drop)
        .express(true);
    if let Err(error) = put.wait() {
        tracing::debug!(%error, "heartbeat.say");
    }
}
