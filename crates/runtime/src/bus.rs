//! The bus as somebody sees it who only listens: which streams there are, who publishes and who
//! subscribes, how often, how much, how old, what was lost, and what does not fit.
//!
//! Everything here is fed with messages and stamps and reads no clock and no network.

mod arrivals;
mod clocks;
pub mod doctor;
mod graph;
mod roster;
mod show;
mod stages;
mod stream;

use std::collections::BTreeMap;

use sedge_oni::{Header, Key, SchemaId};
use sedge_spacetime::Stamp;
use sedge_transport::{LossLedger, Received, STREAMS_MAX};

pub use arrivals::{Arrivals, Flow, Rhythm};
pub use clocks::{ClockView, Clocks};
pub use graph::{Graph, GraphStream};
pub use roster::{DropView, ProgramView};
pub use show::{Detail, show, show_json};
pub use stages::{AgentStages, RungFigures, RungUse, StageBoard, StageFigures};
pub use stream::{Agreement, SchemaView, StreamLoss, StreamView};

use roster::Roster;
use stream::Watched;

/// All streams that were seen, in bounded memory: streams beyond [`STREAMS_MAX`] are only counted.
pub struct Bus {
    began: Stamp,
    streams: BTreeMap<Key, Watched>,
    losses: LossLedger,
    roster: Roster,
    untracked: u64,
}

/// What everything together comes to.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct BusTotal {
    /// Streams seen.
    pub streams: usize,
    /// Messages, whatever they are.
    pub messages: u64,
    /// Bytes of headers and payloads.
    pub bytes: u64,
    /// Bytes a second since the beginning.
    pub bytes_per_sec: f64,
    /// Messages that are none.
    pub malformed: u64,
    /// Messages of streams beyond the limit of what is watched.
    pub untracked: u64,
    /// Messages of programs beyond the limit of what is listed.
    pub unlisted: u64,
}

impl Bus {
    /// Nothing seen; `began` is when listening began.
    pub fn new(began: Stamp) -> Self {
        Self {
            began,
            streams: BTreeMap::new(),
            losses: LossLedger::new(),
            roster: Roster::default(),
            untracked: 0,
        }
    }

    /// Takes in what a program says of itself, and nothing else: for messages that were put before
    /// listening began, which would spoil the figures.
    pub fn meet(&mut self, received: &Received) {
        self.roster.observe(received);
    }

    /// Takes a message in; it is kept as figures only.
    pub fn observe(&mut self, received: &Received) {
        self.roster.observe(received);
        let key = &received.key;
        if !self.streams.contains_key(key) && self.streams.len() == STREAMS_MAX {
            self.untracked = self.untracked.saturating_add(1);
            return;
        }
        let stream = self
            .streams
            .entry(key.clone())
            .or_insert_with(|| Watched::new(key));
        let message = &received.message;
        let bytes = message.len_bytes();
        stream.arrived(received.arrival, bytes as u64);
        match Header::decode(message.header()) {
            Ok(header) => {
                self.losses.observe(key, &header.envelope.source);
                stream.said(&header);
            }
            Err(error) => stream.malformed(&error),
        }
    }

    /// When listening began.
    pub fn began(&self) -> Stamp {
        self.began
    }

    /// Every stream as it stands at `now`, in the order of keys; also those that are announced and
    /// were not heard.
    pub fn streams(&self, now: Stamp) -> Vec<StreamView> {
        let announced: BTreeMap<Key, &SchemaId> = self.roster.published().collect();
        let unheard = announced
            .iter()
            .filter(|(key, _)| !self.streams.contains_key(*key))
            .map(|(key, schema)| (key, Watched::announced(key, schema)))
            .collect::<BTreeMap<_, _>>();
        let all: BTreeMap<&Key, &Watched> = self
            .streams
            .iter()
            .chain(unheard.iter().map(|(key, stream)| (*key, stream)))
            .collect();
        let mut views: Vec<StreamView> = all
            .into_iter()
            .map(|(key, stream)| {
                let mut view = stream.view(key, self.began, now);
                self.roster.annotate(key, stream.schema(), &mut view);
                view
            })
            .collect();
        for (_, key, counts) in self.losses.streams() {
            let place = views.binary_search_by(|view| view.key.as_str().cmp(key.as_str()));
            if let Ok(idx) = place {
                views[idx].loss.add(counts);
            }
        }
        views
    }

    /// Every program that has spoken of itself, in the order of names.
    pub fn programs(&self, now: Stamp) -> Vec<ProgramView> {
        self.roster.views(now)
    }

    /// Everything together at `now`.
    pub fn total(&self, now: Stamp) -> BusTotal {
        let sum = |of: &dyn Fn(&Watched) -> u64| {
            let parts = self.streams.values().map(of);
            parts.fold(0_u64, u64::saturating_add)
        };
        let bytes = sum(&|stream| stream.arrivals().bytes());
        let messages = sum(&|stream| stream.arrivals().n());
        let secs = now.saturating_since(self.began).as_secs_f64();
        BusTotal {
            streams: self.streams.len(),
            messages: messages.saturating_add(self.untracked),
            bytes,
            bytes_per_sec: per_sec(bytes, secs),
            malformed: sum(&|stream| stream.n_malformed()),
            untracked: self.untracked,
            unlisted: self.roster.unlisted(),
        }
    }
}

/// `n` in `secs`, zero where no time has passed.
fn per_sec(n: u64, secs: f64) -> f64 {
    if secs > 0.0 { n as f64 / secs } else { 0.0 }
}

#[cfg(test)]
mod test_messages;
#[cfg(test)]
mod tests;
