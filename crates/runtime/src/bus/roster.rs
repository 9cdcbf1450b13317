//! What programs say of themselves: their streams from `agent.manifest`, how they are and what they
//! dropped from `telemetry.health`.

use std::collections::BTreeMap;

use sedge_oni::{
    Direction, DropCount, Health, HealthState, Key, Manifest, Message, SchemaId, TypedMessage as _,
};
use sedge_spacetime::Stamp;
use sedge_transport::{DropReason, Received};
use serde::Serialize;

use super::StreamView;

/// Programs that are told apart; further ones are only counted.
const PROGRAMS_MAX: usize = 256;

/// Where a program speaks of itself: fleet, agent and the last chunk of its keys.
type Voice = [String; 3];

/// What a program is called: several may speak in the name of one agent.
fn name_of([_, agent, stream]: &Voice) -> String {
    format!("{agent}/{stream}")
}

fn voice(key: &Key) -> Voice {
    [key.fleet(), key.agent(), key.stream()].map(str::to_owned)
}

#[derive(Debug, Default)]
struct Program {
    manifest: Option<Told>,
    health: Option<Felt>,
}

#[derive(Debug)]
struct Told {
    epoch: u64,
    software: String,
    streams: Vec<sedge_oni::Stream>,
}

#[derive(Debug)]
struct Felt {
    arrival: Stamp,
    state: HealthState,
    detail: String,
    uptime_secs: f64,
    drops: Vec<DropCount>,
}

/// Every program that has spoken of itself.
#[derive(Debug, Default)]
pub(super) struct Roster {
    programs: BTreeMap<Voice, Program>,
    unlisted: u64,
}

/// A program that has spoken of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProgramView {
    /// Its fleet.
    pub fleet: String,
    /// The agent in whose name it speaks.
    pub agent: String,
    /// The stream under which it speaks of itself, which tells programs of one agent apart.
    pub stream: String,
    /// Name and version, from its manifest.
    pub software: Option<String>,
    /// Its start, from its manifest.
    pub epoch: Option<u64>,
    /// How many streams it publishes.
    pub publishes: usize,
    /// How many patterns it listens to.
    pub subscribes: usize,
    /// How it is, such as `running`, from its telemetry.
    pub state: Option<&'static str>,
    /// Why it is so.
    pub detail: Option<String>,
    /// How long it has been running, in seconds.
    pub uptime_secs: Option<f64>,
    /// Seconds since it last said how it is.
    pub health_age_secs: Option<f64>,
    /// What it dropped on purpose, and where and why.
    pub drops: Vec<DropView>,
}

/// Messages that a program dropped on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropView {
    /// The stream.
    pub key: String,
    /// Where, such as `queue`.
    pub place: String,
    /// Why, such as `expired`.
    pub reason: String,
    /// How many.
    pub count: u64,
}

impl Roster {
    /// Takes in what a program says of itself; other messages are none of its business. What cannot
    /// be read is left to the stream's figures.
    pub(super) fn observe(&mut self, received: &Received) {
        let message_type = received.key.message_type();
        if message_type != Manifest::NAME && message_type != Health::NAME {
            return;
        }
        let encoded = &received.message;
        let Ok(message) = Message::decode(encoded.header(), encoded.payload()) else {
            return;
        };
        if message_type == Manifest::NAME {
            self.introduce(&received.key, &message);
        } else {
            self.feel(received, &message);
        }
    }

    fn introduce(&mut self, key: &Key, message: &Message<'_>) {
        let Ok(manifest) = Manifest::from_message(message) else {
            return;
        };
        let epoch = message.envelope().source.epoch;
        let Some(program) = self.program(key) else {
            return;
        };
        // A late copy of an earlier start's manifest says nothing about now.
        if program
            .manifest
            .as_ref()
            .is_none_or(|told| told.epoch <= epoch)
        {
            program.manifest = Some(Told {
                epoch,
                software: manifest.software.into_owned(),
                streams: manifest.streams,
            });
        }
    }

    fn feel(&mut self, received: &Received, message: &Message<'_>) {
        let Ok(health) = Health::from_message(message) else {
            return;
        };
        if let Some(program) = self.program(&received.key) {
            program.health = Some(Felt {
                arrival: received.arrival,
                state: health.state,
                detail: health.detail.into_owned(),
                uptime_secs: health.uptime.as_secs_f64(),
                drops: health.drops,
            });
        }
    }

    fn program(&mut self, key: &Key) -> Option<&mut Program> {
        let voice = voice(key);
        if !self.programs.contains_key(&voice) && self.programs.len() == PROGRAMS_MAX {
            self.unlisted = self.unlisted.saturating_add(1);
            return None;
        }
        Some(self.programs.entry(voice).or_default())
    }

    /// Messages of programs beyond the limit.
    pub(super) fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// Streams that programs say they publish, each with its schema.
    pub(super) fn published(&self) -> impl Iterator<Item = (Key, &SchemaId)> {
        let streams = self.manifests().flat_map(|(_, told)| &told.streams);
        streams
            .filter(|stream| stream.direction == Direction::Publish)
            .filter_map(|stream| Some((Key::parse(stream.key.as_str()).ok()?, &stream.schema)))
    }

    fn manifests(&self) -> impl Iterator<Item = (&Voice, &Told)> {
        let programs = self.programs.iter();
        programs.filter_map(|(voice, program)| Some((voice, program.manifest.as_ref()?)))
    }

    /// Adds to a stream who says that it publishes, reads or refuses it.
    pub(super) fn annotate(&self, key: &Key, schema: Option<&SchemaId>, view: &mut StreamView) {
        for (voice, told) in self.manifests() {
            let [_, agent, _] = voice;
            let program = name_of(voice);
            for stream in told.streams.iter().filter(|stream| stream.key.matches(key)) {
                if stream.direction == Direction::Publish {
                    insert(&mut view.publishers, agent);
                    insert(&mut view.declared_by, &program);
                    continue;
                }
                insert(&mut view.subscribers, &program);
                if schema.is_some_and(|sent| is_refused(&stream.schema, sent)) {
                    insert(&mut view.refused_by, &program);
                }
            }
        }
        for (voice, program) in &self.programs {
            let drops = program.health.iter().flat_map(|health| &health.drops);
            let mut of_key = drops.filter(|drop| drop.key == *key && drop.count > 0);
            if of_key.any(|drop| drop.reason == DropReason::Refused.name()) {
                insert(&mut view.refused_by, &name_of(voice));
            }
        }
    }

    /// Every program, in the order of names.
    pub(super) fn views(&self, now: Stamp) -> Vec<ProgramView> {
        let view = |([fleet, agent, stream], program): (&Voice, &Program)| {
            let (told, felt) = (program.manifest.as_ref(), program.health.as_ref());
            let going = |direction: Direction| {
                let streams = told.iter().flat_map(|told| &told.streams);
                streams
                    .filter(|stream| stream.direction == direction)
                    .count()
            };
            let age = felt.map(|felt| now.saturating_since(felt.arrival).as_secs_f64());
            ProgramView {
                fleet: fleet.clone(),
                agent: agent.clone(),
                stream: stream.clone(),
                software: told.map(|told| told.software.clone()),
                epoch: told.map(|told| told.epoch),
                publishes: going(Direction::Publish),
                subscribes: going(Direction::Subscribe),
                state: felt.map(|felt| state_name(felt.state)),
                detail: felt.map(|felt| felt.detail.clone()),
                uptime_secs: felt.map(|felt| felt.uptime_secs),
                health_age_secs: age,
                drops: felt
                    .iter()
                    .flat_map(|felt| &felt.drops)
                    .map(DropView::of)
                    .collect(),
            }
        };
        self.programs.iter().map(view).collect()
    }
}

impl DropView {
    fn of(drop: &DropCount) -> Self {
        Self {
            key: drop.key.to_string(),
            place: drop.place.clone(),
            reason: drop.reason.clone(),
            count: drop.count,
        }
    }
}

/// Whether a reader of the one schema refuses a sender of the other, as far as names, versions and
/// hashes tell.
fn is_refused(reader: &SchemaId, sender: &SchemaId) -> bool {
    let is_other_content = reader.minor == sender.minor && reader.hash != sender.hash;
    reader.name != sender.name || reader.major != sender.major || is_other_content
}

fn state_name(state: HealthState) -> &'static str {
    match state {
        HealthState::Starting => "starting",
        HealthState::Running => "running",
        HealthState::Degraded => "degraded",
        HealthState::Stopped => "stopped",
        HealthState::Failed => "failed",
    }
}

/// Keeps a list sorted and free of doubles.
fn insert(names: &mut Vec<String>, name: &str) {
    if let Err(idx) = names.binary_search_by(|known| known.as_str().cmp(name)) {
        names.insert(idx, name.to_owned());
    }
}

#[cfg(test)]
mod tests;
