//! What is known of one peer.

use std::time::Duration;

use sedge_spacetime::Stamp;

use super::PeerState;

/// What is known of one peer. How it stands is derived from stamps, so that no state can be left
/// behind by an event that never came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Peer {
    connected: Option<Stamp>,
    /// Known to speak, though it may not have been heard yet.
    is_expected: bool,
    /// Epoch and sequence number of its newest beat, and when it came.
    newest: Option<(u64, u64, Stamp)>,
    /// Since when it is heard without a silence between.
    heard_since: Stamp,
    /// When it last heard us, on our clock.
    heard_us: Option<Stamp>,
    /// Since when it is well without a pause.
    well_since: Option<Stamp>,
    /// How often the session was opened anew on its account.
    n_blamed: u32,
}

impl Peer {
    pub(super) fn connect(&mut self, now: Stamp) {
        self.connected.get_or_insert(now);
    }

    pub(super) fn expect(&mut self) {
        self.is_expected = true;
    }

    /// Whether its silence means anything: a stranger may not speak this language at all.
    pub(super) fn is_judged(&self) -> bool {
        self.is_connected() && (self.is_expected || self.newest.is_some())
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = None;
        self.well_since = None;
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Takes a beat in; whether it was news.
    pub(super) fn hear(&mut self, beat: (u64, u64), us: Option<Stamp>, now: Stamp) -> bool {
        let (epoch, sequence) = beat;
        let is_new_epoch = match self.newest {
            None => true,
            Some((known, newest, _)) if (epoch, sequence) > (known, newest) => epoch != known,
            Some(_) => return false,
        };
        if is_new_epoch {
            // What began anew has yet to hear us.
            self.heard_us = None;
            self.heard_since = now;
        }
        self.heard_us = self.heard_us.max(us);
        self.newest = Some((epoch, sequence, now));
        true
    }

    /// Its epoch, and when it was last heard.
    pub(super) fn last_heard(&self) -> Option<(u64, Stamp)> {
        self.newest.map(|(epoch, _, last)| (epoch, last))
    }

    pub(super) fn state(&self, now: Stamp, silent_after: Duration) -> PeerState {
        let Some((_, last)) = self.last_heard() else {
            let since = self.connected.unwrap_or(now);
            return PeerState::NeverHeard { since };
        };
        if now.saturating_since(last) > silent_after {
            return PeerState::Silent { since: last };
        }
        match self.heard_us {
            Some(heard) if now.saturating_since(heard) <= silent_after => PeerState::Alive,
            heard => PeerState::OneWay {
                since: heard.map_or(self.heard_since, |heard| heard.max(self.heard_since)),
            },
        }
    }

    /// Since when it is both connected and not well: a new connection starts with a clean sheet.
    pub(super) fn ill_since(&self, now: Stamp, silent_after: Duration) -> Stamp {
        let since = match self.state(now, silent_after) {
            PeerState::Alive => now,
            PeerState::NeverHeard { since }
            | PeerState::OneWay { since }
            | PeerState::Silent { since } => since,
        };
        self.connected.map_or(now, |connected| connected.max(since))
    }

    /// Keeps since when it is well.
    pub(super) fn note(&mut self, now: Stamp, silent_after: Duration) {
        if self.is_connected() && self.state(now, silent_after) == PeerState::Alive {
            self.well_since.get_or_insert(now);
        } else {
            self.well_since = None;
        }
    }

    pub(super) fn is_steady(&self, now: Stamp, steady_after: Duration) -> bool {
        self.well_since
            .is_some_and(|since| now.saturating_since(since) >= steady_after)
    }

    pub(super) fn forgive(&mut self, now: Stamp, steady_after: Duration) {
        if self.is_steady(now, steady_after) {
            self.n_blamed = 0;
        }
    }

    pub(super) fn blame(&mut self) {
        self.n_blamed = self.n_blamed.saturating_add(1);
    }

    pub(super) fn n_blamed(&self) -> u32 {
        self.n_blamed
    }

    /// Whether nothing is lost by forgetting it.
    pub(super) fn is_forgettable(&self) -> bool {
        !self.is_connected() && self.n_blamed == 0
    }
}
