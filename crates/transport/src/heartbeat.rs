//! Whether peers hear each other on the path that the data takes.

mod beat;
mod peer;

pub use beat::{BEAT_BYTES_MAX, Beat, BeatError, Heard};

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_spacetime::{AgentName, Stamp};

use peer::Peer;

/// How many peers a heartbeat follows; further ones are only counted.
pub const HEARTBEAT_PEERS_MAX: usize = 256;

/// How often to speak, and when silence is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// Between two beats; above zero. 250 ms by default.
    pub every: Duration,
    /// A peer that was not heard for longer is silent, and one that did not hear us for longer does
    /// not hear us; at least twice `every`. 1 s by default: three beats may be lost.
    pub silent_after: Duration,
    /// How long a connected peer may hear nothing of us, or every connected peer be silent, before
    /// the session is worth opening anew. 2 s by default.
    pub dead_after: Duration,
    /// The same for a silent peer while others are well: it may just be frozen, and opening anew
    /// disturbs the others. 30 s by default: longer than the lease by which a network itself finds
    /// a frozen peer.
    pub dead_among_others_after: Duration,
    /// The shortest time between two openings; it doubles with each up to the longest. 2 s by
    /// default.
    pub reopen_first: Duration,
    /// The longest time between two openings. 60 s by default.
    pub reopen_longest: Duration,
    /// A peer that was well for this long is forgiven: the time between two openings is the first
    /// again, and the peer's openings are forgotten. 30 s by default.
    pub steady_after: Duration,
    /// How many openings one peer is worth until it is forgiven. 5 by default.
    pub reopens_max: u32,
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(250),
            silent_after: Duration::from_secs(1),
            dead_after: Duration::from_secs(2),
            dead_among_others_after: Duration::from_secs(30),
            reopen_first: Duration::from_secs(2),
            reopen_longest: Duration::from_mins(1),
            steady_after: Duration::from_secs(30),
            reopens_max: 5,
        }
    }
}

/// A heartbeat's times do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {field} to be {expected}, got {got:?}")]
pub struct HeartbeatConfigError {
    field: &'static str,
    expected: &'static str,
    got: Duration,
}

impl HeartbeatConfig {
    /// Checks that the times fit together.
    ///
    /// # Errors
    /// [`HeartbeatConfigError`] naming the field.
    pub fn check(&self) -> Result<(), HeartbeatConfigError> {
        let refuse = |field, expected, got| {
            Err(HeartbeatConfigError {
                field,
                expected,
                got,
            })
        };
        if self.every.is_zero() {
            return refuse("every", "above zero", self.every);
        }
        if self.silent_after < self.every.saturating_mul(2) {
            return refuse("silent_after", "at least twice every", self.silent_after);
        }
        if self.reopen_first.is_zero() {
            return refuse("reopen_first", "above zero", self.reopen_first);
        }
        if self.reopen_longest < self.reopen_first {
            let expected = "at least reopen_first";
            return refuse("reopen_longest", expected, self.reopen_longest);
        }
        Ok(())
    }
}

/// How it stands between us and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// It was connected and never heard.
    NeverHeard {
        /// When it was connected.
        since: Stamp,
    },
    /// We hear it, and it hears us.
    Alive,
    /// We hear it, and it does not hear us.
    OneWay {
        /// When it heard us last, or when it was first heard.
        since: Stamp,
    },
    /// It was heard, and is not any more.
    Silent {
        /// When it was heard last.
        since: Stamp,
    },
}

/// Why the session should be opened anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopen {
    /// The peer on whose account, the first of them where there are more.
    pub peer: AgentName,
    /// How it stands with that peer.
    pub state: PeerState,
}

/// What a heartbeat counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeartbeatCounts {
    /// Beats made.
    pub said: u64,
    /// Beats taken in.
    pub heard: u64,
    /// Beats that came twice, late, or from before a peer's restart.
    pub stale: u64,
    /// Beats of peers beyond [`HEARTBEAT_PEERS_MAX`].
    pub untracked: u64,
    /// Times that the session was opened anew.
    pub reopened: u64,
}

/// A heartbeat both ways, as a state machine: it is told the time, what was heard, and whom the
/// network takes for connected, and says when to speak and when the session is dead although the
/// network thinks that it is well.
///
/// Each beat says whom its sender heard, and how long ago on the sender's own clock, so that no two
/// clocks need agree.
#[derive(Debug)]
pub struct Heartbeat {
    name: AgentName,
    epoch: u64,
    config: HeartbeatConfig,
    sequence: u64,
    next_beat: Stamp,
    peers: BTreeMap<AgentName, Peer>,
    /// When the session was last opened anew, and how long from then until it may be again.
    reopened: Option<(Stamp, Duration)>,
    counts: HeartbeatCounts,
}

impl Heartbeat {
    /// Of the peer called `name`, in an epoch that is new at each start. The first beat is due now.
    ///
    /// # Errors
    /// [`HeartbeatConfigError`] where the times do not fit together.
    pub fn new(
        name: AgentName,
        epoch: u64,
        config: HeartbeatConfig,
        now: Stamp,
    ) -> Result<Self, HeartbeatConfigError> {
        config.check()?;
        Ok(Self {
            name,
            epoch,
            config,
            sequence: 0,
            next_beat: now,
            peers: BTreeMap::new(),
            reopened: None,
            counts: HeartbeatCounts::default(),
        })
    }

    /// The network says that a peer is connected. Only a connected peer is ever worth opening the
    /// session anew, and only one that was heard before or is expected to speak: others may have
    /// no heartbeat.
    pub fn connect(&mut self, peer: &AgentName, now: Stamp) {
        if let Some(peer) = self.peer_mut(peer) {
            peer.connect(now);
        }
    }

    /// A peer is known to have a heartbeat: connected and never heard is a fault too.
    pub fn expect(&mut self, peer: &AgentName) {
        if let Some(peer) = self.peer_mut(peer) {
            peer.expect();
        }
    }

    /// The network says that a peer is no longer connected.
    pub fn disconnect(&mut self, peer: &AgentName) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.disconnect();
        }
    }

    /// Takes a peer's beat in.
    pub fn hear(&mut self, beat: &Beat, now: Stamp) {
        if beat.name == self.name {
            return;
        }
        let (name, epoch) = (self.name.clone(), self.epoch);
        let heard_us = beat.heard.iter().find(|heard| heard.name == name);
        let heard_us = heard_us
            .filter(|heard| heard.epoch == epoch)
            .map(|heard| now - heard.ago);
        let silent_after = self.config.silent_after;
        let Some(peer) = self.peer_mut(&beat.name) else {
            self.counts.untracked += 1;
            return;
        };
        // Before it too, or a silence that nobody looked at would count as being well.
        peer.note(now, silent_after);
        if peer.hear((beat.epoch, beat.sequence), heard_us, now) {
            peer.note(now, silent_after);
            self.counts.heard += 1;
        } else {
            self.counts.stale += 1;
        }
    }

    /// The beat to send to every peer, where one is due.
    pub fn next_beat(&mut self, now: Stamp) -> Option<Beat> {
        if now < self.next_beat {
            return None;
        }
        // Beats that were missed are not made up for: one says as much as many.
        self.next_beat = now + self.config.every;
        let sequence = self.sequence;
        self.sequence += 1;
        self.counts.said += 1;
        let heard = self.peers.iter().filter_map(|(name, peer)| {
            let (epoch, last) = peer.last_heard()?;
            let ago = now.saturating_since(last);
            // What is long past says no more than nothing.
            (ago <= self.config.silent_after).then(|| Heard {
                name: name.clone(),
                epoch,
                ago,
            })
        });
        Some(Beat {
            name: self.name.clone(),
            epoch: self.epoch,
            sequence,
            heard: heard.collect(),
        })
    }

    /// When [`Heartbeat::next_beat`] has something to say; whoever runs it then looks at
    /// [`Heartbeat::should_reopen`] too.
    pub fn next_due(&self) -> Stamp {
        self.next_beat
    }

    /// How it stands with a peer; `None` where it was neither connected nor heard.
    pub fn state(&self, peer: &AgentName, now: Stamp) -> Option<PeerState> {
        let peer = self.peers.get(peer)?;
        Some(peer.state(now, self.config.silent_after))
    }

    /// Every peer and how it stands with it, in the order of their names.
    pub fn peers(&self, now: Stamp) -> impl Iterator<Item = (&AgentName, PeerState)> {
        let silent_after = self.config.silent_after;
        let peers = self.peers.iter();
        peers.map(move |(name, peer)| (name, peer.state(now, silent_after)))
    }

    /// Whether the data path is dead although the network takes it for well, and opening the
    /// session anew is due. It is not while the time since the last opening is short, nor for a
    /// peer that opening anew did not help.
    pub fn should_reopen(&mut self, now: Stamp) -> Option<Reopen> {
        self.note(now);
        if let Some((last, wait)) = self.reopened
            && now.saturating_since(last) < wait
        {
            return None;
        }
        let (name, peer) = self.dead_peers(now).next()?;
        Some(Reopen {
            peer: name.clone(),
            state: peer.state(now, self.config.silent_after),
        })
    }

    /// The session was opened anew: every peer counts as not connected until the network says
    /// otherwise, and the next beat is due now.
    pub fn reopened(&mut self, now: Stamp) {
        let to_blame: Vec<AgentName> = self.dead_peers(now).map(|(name, _)| name.clone()).collect();
        for name in to_blame {
            if let Some(peer) = self.peers.get_mut(&name) {
                peer.blame();
            }
        }
        for peer in self.peers.values_mut() {
            peer.disconnect();
        }
        let wait = match self.reopened {
            None => self.config.reopen_first,
            Some((_, wait)) => wait.saturating_mul(2).min(self.config.reopen_longest),
        };
        self.reopened = Some((now, wait));
        self.next_beat = now;
        self.counts.reopened += 1;
    }

    /// What was counted so far.
    pub fn counts(&self) -> HeartbeatCounts {
        self.counts
    }

    /// Connected peers that are dead for long enough, and not given up.
    fn dead_peers(&self, now: Stamp) -> impl Iterator<Item = (&AgentName, &Peer)> {
        let config = self.config;
        let state = move |peer: &Peer| peer.state(now, config.silent_after);
        let connected = || self.peers.iter().filter(|(_, peer)| peer.is_judged());
        let is_any_well = connected().any(|(_, peer)| state(peer) == PeerState::Alive);
        connected().filter(move |(_, peer)| {
            let patience = match state(peer) {
                PeerState::Alive => return false,
                PeerState::NeverHeard { .. } | PeerState::Silent { .. } if is_any_well => {
                    config.dead_among_others_after
                }
                _ => config.dead_after,
            };
            peer.n_blamed() < config.reopens_max
                && now.saturating_since(peer.ill_since(now, config.silent_after)) > patience
        })
    }

    /// Keeps how long each peer was well, and forgives those that were for long.
    fn note(&mut self, now: Stamp) {
        let config = self.config;
        for peer in self.peers.values_mut() {
            peer.note(now, config.silent_after);
            peer.forgive(now, config.steady_after);
        }
        let connected = || self.peers.values().filter(|peer| peer.is_judged());
        let is_steady = connected().all(|peer| peer.is_steady(now, config.steady_after));
        if is_steady && connected().next().is_some() {
            self.reopened = None;
        }
    }

    fn peer_mut(&mut self, name: &AgentName) -> Option<&mut Peer> {
        if !self.peers.contains_key(name) {
            if self.peers.len() >= HEARTBEAT_PEERS_MAX {
                // Room for those that are there is made by one that is neither connected nor well.
                let gone = self.peers.iter().find(|(_, peer)| peer.is_forgettable());
                let gone = gone.map(|(name, _)| name.clone())?;
                self.peers.remove(&gone);
            }
            self.peers.insert(name.clone(), Peer::default());
        }
        self.peers.get_mut(name)
    }
}

#[cfg(test)]
mod tests;
