//! What a program says of itself: which streams it has, how it is, and what its schemas are.

use std::borrow::Cow;
use std::time::Duration;

use sedge_oni::{
    Capture, Direction, DropCount, EncodedMessage, Envelope, Health, HealthState, Key, KeyCounts,
    KeyError, KeyPattern, Manifest, SchemaId, Sequence, Stream, TypedMessage as _,
    schema_documents, schemas,
};
use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::{DropLedger, LossLedger, Outbox, Qos, QosClass};

use crate::registry::{ContactRow, ContactVerdict, ServeError, schema_key, schema_message};
use crate::voice::{SpeakError, Voice};

/// Time between two `telemetry.health`.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);
/// Rows of each table of a health message; what is beyond is counted in one number.
const ROWS_MAX: usize = 256;
/// Bytes of the sentence that says why a program is not as it should be.
const DETAIL_BYTES_MAX: usize = 1_000;
/// For a program that does not know its machine's clock.
const NO_CLOCK: &str = "agent";

/// In whose name a program speaks.
#[derive(Debug, Clone)]
pub(crate) struct Speaking {
    pub(crate) fleet: AgentName,
    pub(crate) robot: AgentName,
    /// Last chunk of the keys under which it speaks of itself.
    pub(crate) stream: String,
    pub(crate) epoch: u64,
    /// Which clock it runs on.
    pub(crate) clock: Option<String>,
    /// How far that may be off.
    pub(crate) clock_error: Duration,
}

/// What a program knows of how it is.
pub(crate) struct Condition<'c> {
    pub(crate) state: HealthState,
    /// Why it is so.
    pub(crate) detail: Cow<'static, str>,
    pub(crate) loss: &'c LossLedger,
    pub(crate) drops: &'c DropLedger,
}

/// Says what a program is, once, and how it is, every second.
pub(crate) struct Announcer {
    speaking: Speaking,
    manifest: Voice,
    health: Voice,
    subscriptions: Vec<(KeyPattern, Qos)>,
    publications: Vec<(Key, Qos)>,
    began: Option<Stamp>,
    next_health: Option<Stamp>,
    said: Said,
}

/// What was said last, for its memory.
#[derive(Default)]
struct Said {
    detail: String,
    keys: Vec<KeyCounts>,
    drops: Vec<DropCount>,
}

impl Announcer {
    /// For a program with these streams; its own two are added to what it publishes.
    pub(crate) fn new(
        speaking: Speaking,
        subscriptions: Vec<(KeyPattern, Qos)>,
        mut publications: Vec<(Key, Qos)>,
    ) -> Result<Self, KeyError> {
        let voice = |message_type: &str| {
            let Speaking {
                fleet,
                robot,
                stream,
                epoch,
                ..
            } = &speaking;
            let key = Key::new(fleet, robot, message_type, stream)?;
            Ok::<_, KeyError>(Voice::new(key, Sequence::new(robot.clone(), *epoch)))
        };
        let (manifest, health) = (voice(Manifest::NAME)?, voice(Health::NAME)?);
        for own in [&manifest, &health] {
            let class = QosClass::of_message_type(own.key().message_type());
            publications.push((own.key().clone(), Qos::of(class)));
        }
        Ok(Self {
            speaking,
            manifest,
            health,
            subscriptions,
            publications,
            began: None,
            next_health: None,
            said: Said::default(),
        })
    }

    /// What the program publishes, and what is said here of it.
    pub(crate) fn publications(&self) -> Vec<(Key, Qos)> {
        self.publications.clone()
    }

    /// Whether a message is about the program and not of its work.
    pub(crate) fn is_own(&self, key: &Key) -> bool {
        key == self.manifest.key() || key == self.health.key()
    }

    /// The schema of everything that it publishes, and under which key each is served.
    pub(crate) fn services(&self, now: Stamp) -> Result<Vec<(Key, EncodedMessage)>, ServeError> {
        let documents = schema_documents();
        let mut services: Vec<(Key, EncodedMessage)> = Vec::new();
        for (stream, _) in &self.publications {
            let key = schema_key(stream);
            let name = stream.message_type();
            let mut documents = documents.iter();
            let Some(document) = documents.find(|document| document.schema().id.name == name)
            else {
                continue;
            };
            if services.iter().any(|(served, _)| *served == key) {
                continue;
            }
            let (robot, epoch) = (self.speaking.robot.clone(), self.speaking.epoch);
            let source = Sequence::new(robot, epoch).next_source();
            services.push((key, schema_message(document, source, self.capture(now))?));
        }
        Ok(services)
    }

    /// Says what is due: the manifest at first, and how the program is every second.
    pub(crate) fn announce(
        &mut self,
        now: Stamp,
        condition: &Condition<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        if self.began.is_none() {
            self.began = Some(now);
            self.say_manifest(now, outbox)?;
        }
        self.next_health = Some(now + HEALTH_PERIOD);
        self.say_health(now, condition, outbox)
    }

    /// Has [`Self::announce`] say at once how the program is.
    pub(crate) fn hurry(&mut self) {
        self.next_health = None;
    }

    /// Whether [`Self::announce`] has something to say.
    pub(crate) fn is_due(&self, now: Stamp) -> bool {
        self.next_health.is_none_or(|at| now >= at)
    }

    /// Says how the program is, whether that is due or not: its last word.
    pub(crate) fn say_health(
        &mut self,
        now: Stamp,
        condition: &Condition<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let Said {
            mut detail,
            mut keys,
            mut drops,
        } = std::mem::take(&mut self.said);
        write_in_bounds(&condition.detail, &mut detail);
        write_key_counts(condition.loss, &mut keys);
        let drops_unlisted = write_drop_counts(condition.drops, &mut drops);
        let health = Health {
            state: condition.state,
            detail: Cow::Borrowed(&detail),
            uptime: now.saturating_since(self.began.unwrap_or(now)),
            keys,
            drops,
            drops_unlisted,
        };
        let clock = self.speaking.clock.as_deref().unwrap_or(NO_CLOCK);
        let mut message = self.health.begin(now, clock);
        message.envelope().capture.error = self.speaking.clock_error;
        let put = message.put(&health, None, outbox);
        let Health { keys, drops, .. } = health;
        self.said = Said {
            detail,
            keys,
            drops,
        };
        put
    }

    /// When something is due next.
    pub(crate) fn next_due(&self) -> Option<Stamp> {
        self.next_health
    }

    fn say_manifest(&mut self, now: Stamp, outbox: &mut Outbox) -> Result<(), SpeakError> {
        let read = |(pattern, qos): &(KeyPattern, Qos)| {
            stream(pattern.clone(), Direction::Subscribe, *qos)
        };
        let published =
            |(key, qos): &(Key, Qos)| stream(KeyPattern::from(key), Direction::Publish, *qos);
        let publications = self.publications.iter().filter_map(published);
        let manifest = Manifest {
            software: concat!("sedge ", env!("CARGO_PKG_VERSION")).into(),
            streams: publications
                .chain(self.subscriptions.iter().filter_map(read))
                .collect(),
        };
        let envelope = Envelope::new(self.manifest.next_source(), self.capture(now));
        self.manifest.put(&manifest.to_message(envelope)?, outbox)
    }

    fn capture(&self, now: Stamp) -> Capture {
        let clock = self.speaking.clock.as_deref().unwrap_or(NO_CLOCK);
        Capture {
            error: self.speaking.clock_error,
            ..Capture::exact(now, clock)
        }
    }
}

/// A row of the manifest; none for a message type that is not known here.
fn stream(key: KeyPattern, direction: Direction, qos: Qos) -> Option<Stream> {
    let message_type = key.as_str().split('/').nth(3)?;
    let mut known = schemas().iter();
    let schema: SchemaId = known
        .find(|schema| schema.id.name == message_type)?
        .id
        .clone();
    Some(Stream {
        key,
        direction,
        schema,
        qos_class: format!("{:?}", qos.class()).to_lowercase(),
        rate_hz: 0.0,
    })
}

fn write_key_counts(loss: &LossLedger, rows: &mut Vec<KeyCounts>) {
    let row = |(_, key, counts): (&AgentName, &Key, sedge_transport::LossCounts)| KeyCounts {
        key: key.clone(),
        received: counts.received,
        lost: counts.lost,
        duplicated: counts.duplicated,
        reordered: counts.reordered,
        restarts: counts.restarts,
    };
    rows.clear();
    rows.extend(loss.streams().take(ROWS_MAX).map(row));
}

/// Writes the first rows over others; how many messages are in those beyond.
fn write_drop_counts(drops: &DropLedger, rows: &mut Vec<DropCount>) -> u64 {
    let (mut n_rows, mut n_listed) = (0, 0_u64);
    for row in drops.rows().take(ROWS_MAX) {
        n_listed = n_listed.saturating_add(row.count);
        let (place, reason) = (row.place.name(), row.reason.name());
        match rows.get_mut(n_rows) {
            Some(before) => {
                (before.key, before.count) = (row.key, row.count);
                before.place.replace_range(.., place);
                before.reason.replace_range(.., reason);
            }
            None => rows.push(DropCount {
                key: row.key,
                place: place.to_owned(),
                reason: reason.to_owned(),
                count: row.count,
            }),
        }
        n_rows += 1;
    }
    rows.truncate(n_rows);
    drops.total().saturating_sub(n_listed)
}

/// A sentence about each stream that is not read; none where all are.
pub(crate) fn refusals(contacts: impl Iterator<Item = ContactRow>) -> Option<String> {
    let sentence = |row: ContactRow| match row.verdict {
        ContactVerdict::Waiting | ContactVerdict::Accepted => None,
        ContactVerdict::Refused | ContactVerdict::Unknown => Some(format!("refuses {row}")),
    };
    let sentences: Vec<String> = contacts.filter_map(sentence).collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// Writes the text without control characters, cut to what a health message takes, over another.
fn write_in_bounds(text: &str, kept: &mut String) {
    kept.clear();
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if kept.len() + letter.len_utf8() > DETAIL_BYTES_MAX {
            break;
        }
        kept.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use sedge_transport::{DropPlace, DropReason};

    use super::*;

    #[test]
    fn a_health_message_is_bounded_and_loses_no_count() {
        let mut drops = DropLedger::new();
        for n in 0..ROWS_MAX as u64 + 10 {
            let key = Key::parse(&format!("oni/flock/c{n}/sensor.lidar/front")).unwrap();
            drops.add(&key, DropPlace::Queue, DropReason::Full, 2);
        }
        drops.add_unplaced(5);
        let mut listed = Vec::new();
        // The second is written over the first.
        for _ in 0..2 {
            let unlisted = write_drop_counts(&drops, &mut listed);
            assert_eq!((listed.len(), unlisted), (ROWS_MAX, 25));
        }

        let long = "ä\n".repeat(DETAIL_BYTES_MAX);
        let mut kept = String::new();
        write_in_bounds(&long, &mut kept);
        assert_eq!((kept.len(), kept.contains('\n')), (DETAIL_BYTES_MAX, false));
    }
}
