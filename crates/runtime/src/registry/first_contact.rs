//! The first message of a stream whose schema is not ours: held, asked about, decided.

mod contact;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sedge_oni::{EncodedMessage, Header, Key, Schema, SchemaId, SchemaMismatch, schemas};
use sedge_spacetime::Stamp;
use sedge_transport::Received;

use super::serving;
use contact::{Contact, Inquiry, Verdict};
pub use contact::{ContactRow, ContactVerdict};

/// How long a publisher's answer is waited for, from the first message on.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
/// A question that got no right answer is asked again after this: a publisher is heard before the
/// network knows that it can be asked.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// How often an unknown schema is asked about before it stays unknown. The waits between double
/// from twice [`ANSWER_WAIT_MAX`] on, so that the last one is eight minutes after the first.
const TRIES_MAX: u32 = 8;
/// Streams with a schema that is not ours; messages of further ones are refused.
const STREAMS_MAX: usize = 256;
/// Schemas that one stream may bear in one epoch, ours not counted.
const SCHEMAS_PER_STREAM_MAX: usize = 4;
/// Questions that may be out at once.
const QUESTIONS_MAX: usize = 16;
/// Messages that wait for an answer, of all streams together; further ones are refused.
const HELD_MAX: usize = 256;
/// Bytes of the messages that wait.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Contacts of epochs that are over which are still told of; the oldest is forgotten first.
const PAST_MAX: usize = 64;
/// Decisions that nobody has taken notice of; the oldest is forgotten first.
const NEWS_MAX: usize = 64;

/// What is to be done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is read.
    Passes,
    /// It was taken, and comes back from [`FirstContact::release`] when it can be read or refused.
    Waits,
    /// It must not be read.
    Refused,
}

/// A schema that somebody has to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaQuestion {
    /// What to query: the key under which the stream's publisher serves the schema.
    pub key: Key,
    /// How long answers are of use.
    pub timeout: Duration,
    /// The stream that bears it.
    pub stream: Key,
    /// The epoch of its sender.
    pub epoch: u64,
    /// The schema of its headers.
    pub schema: SchemaId,
}

/// Decides which streams are read. Sans-I/O: it takes messages, answers and times, and says what to
/// ask; whoever drives it asks.
///
/// A message of our own schema passes and leaves no trace. Of any other schema, the first message
/// of a stream (a key, and the epoch of its sender) begins an inquiry: messages are held, the
/// publisher is asked, and its document decides for the whole stream. An answer counts when its
/// content has the name, version and hash of the stream's headers, whoever gave it; its own claims
/// do not. Without such an answer the stream is refused after two seconds as unknown, and asked
/// about again, ever more rarely, while messages keep coming.
#[derive(Debug)]
pub struct FirstContact {
    known: Cow<'static, [Schema]>,
    streams: BTreeMap<Key, Stream>,
    past: VecDeque<ContactRow>,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Messages that were held and are decided now, the first to come first.
    decided: VecDeque<Received>,
    news: VecDeque<ContactRow>,
    refused: u64,
    questions_out: usize,
}

#[derive(Debug)]
struct Stream {
    epoch: u64,
    contacts: Vec<Contact>,
}

#[derive(Debug)]
struct Held {
    received: Received,
    epoch: u64,
    schema: SchemaId,
}

impl Default for FirstContact {
    fn default() -> Self {
        Self::new()
    }
}

impl FirstContact {
    /// For a reader that knows the schemas of this program.
    pub fn new() -> Self {
        Self::knowing(Cow::Borrowed(schemas()))
    }

    /// For a reader that knows these schemas.
    pub fn knowing(known: Cow<'static, [Schema]>) -> Self {
        Self {
            known,
            streams: BTreeMap::new(),
            past: VecDeque::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            decided: VecDeque::new(),
            news: VecDeque::new(),
            refused: 0,
            questions_out: 0,
        }
    }

    /// Says what to do with a message, given its header.
    pub fn meet(&mut self, now: Stamp, received: &Received, header: &Header) -> Standing {
        let ours = schema_of_key(&self.known, &received.key);
        if ours.is_some_and(|ours| ours.id == header.schema) {
            if !self.streams.is_empty() {
                self.leave_behind(&received.key, header.envelope.source.epoch);
            }
            return Standing::Passes;
        }
        let contact = self.contact(now, &received.key, header);
        match contact.map(|contact| contact.meets(now)) {
            Some(Standing::Waits) if self.hold(received, header) => return Standing::Waits,
            Some(Standing::Passes) => return Standing::Passes,
            _ => {}
        }
        self.refused += 1;
        Standing::Refused
    }

    /// The contact of a message's schema on its stream; none where there are too many already, or
    /// where the message is of an epoch that is over.
    fn contact(&mut self, now: Stamp, key: &Key, header: &Header) -> Option<&mut Contact> {
        let epoch = header.envelope.source.epoch;
        self.leave_behind(key, epoch);
        if !self.streams.contains_key(key) && self.streams.len() == STREAMS_MAX {
            return None;
        }
        let stream = self.streams.entry(key.clone()).or_insert_with(|| Stream {
            epoch,
            contacts: Vec::new(),
        });
        if epoch < stream.epoch {
            return None;
        }
        let mut contacts = stream.contacts.iter();
        if let Some(idx) = contacts.position(|contact| contact.schema == header.schema) {
            return Some(&mut stream.contacts[idx]);
        }
        if stream.contacts.len() == SCHEMAS_PER_STREAM_MAX {
            return None;
        }
        let contact = first_look(now, &self.known, key, &header.schema);
        if contact.is_decided() {
            push_bounded(&mut self.news, contact.row(key, epoch), NEWS_MAX);
        }
        stream.contacts.push(contact);
        stream.contacts.last_mut()
    }

    /// Forgets a stream of an epoch that is over, but for its figures.
    fn leave_behind(&mut self, key: &Key, epoch: u64) {
        let is_over = |stream: &Stream| stream.epoch < epoch;
        if !self.streams.get(key).is_some_and(is_over) {
            return;
        }
        if let Some(stream) = self.streams.remove(key) {
            for contact in stream.contacts {
                push_bounded(&mut self.past, contact.row(key, stream.epoch), PAST_MAX);
            }
        }
        self.let_go();
    }

    fn hold(&mut self, received: &Received, header: &Header) -> bool {
        let bytes = received.message.len_bytes();
        if self.n_held() >= HELD_MAX || self.held_bytes + bytes > HELD_BYTES_MAX {
            return false;
        }
        self.held_bytes += bytes;
        self.held.push_back(Held {
            received: received.clone(),
            epoch: header.envelope.source.epoch,
            schema: header.schema.clone(),
        });
        true
    }

    /// A message that was held and whose stream is decided now; [`Self::meet`] it again.
    pub fn release(&mut self) -> Option<Received> {
        let received = self.decided.pop_front()?;
        let bytes = received.message.len_bytes();
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        Some(received)
    }

    /// A schema that is to be asked for now. Each call gives another one, until there is none; each
    /// question is to be ended by [`Self::unanswered`], whatever was answered before.
    pub fn ask(&mut self, now: Stamp) -> Option<SchemaQuestion> {
        if self.questions_out == QUESTIONS_MAX {
            return None;
        }
        for (key, stream) in &mut self.streams {
            for contact in &mut stream.contacts {
                let Some(inquiry) = &mut contact.inquiry else {
                    continue;
                };
                if inquiry.next_ask.is_none_or(|at| at > now) {
                    continue;
                }
                inquiry.next_ask = None;
                self.questions_out += 1;
                return Some(SchemaQuestion {
                    key: serving::schema_key(key),
                    timeout: inquiry.deadline.saturating_since(now),
                    stream: key.clone(),
                    epoch: stream.epoch,
                    schema: contact.schema.clone(),
                });
            }
        }
        None
    }

    /// Takes an answer. One that is not of the schema asked for decides nothing.
    pub fn answer(&mut self, question: &SchemaQuestion, message: &EncodedMessage) {
        let ours = schema_of_key(&self.known, &question.stream);
        let Some(contact) = contact_of(&mut self.streams, question) else {
            return;
        };
        match serving::schema_of_message(message) {
            Ok(document) if document.schema().id == question.schema => {
                let theirs = document.schema();
                let accepted = ours.map_or(Ok(()), |ours| ours.check_sender(theirs));
                contact.decide(accepted.map_or_else(Verdict::Refused, |()| Verdict::Accepted));
                let row = contact.row(&question.stream, question.epoch);
                push_bounded(&mut self.news, row, NEWS_MAX);
                self.let_go();
            }
            Ok(document) => contact.answered_with(document.schema().id.to_string()),
            Err(error) => contact.answered_with(error.to_string()),
        }
    }

    /// Ends a question: nobody will answer it any more.
    pub fn unanswered(&mut self, now: Stamp, question: &SchemaQuestion) {
        self.questions_out = self.questions_out.saturating_sub(1);
        let contact = contact_of(&mut self.streams, question);
        if let Some(inquiry) = contact.and_then(|contact| contact.inquiry.as_mut()) {
            inquiry.next_ask = Some(now + ASK_AGAIN);
        }
    }

    /// Gives up inquiries whose time is up.
    pub fn poll(&mut self, now: Stamp) {
        let is_over = |inquiry: &Inquiry| inquiry.deadline <= now;
        let mut has_decided = false;
        for (key, stream) in &mut self.streams {
            let contacts = stream.contacts.iter_mut();
            for contact in contacts.filter(|it| it.inquiry.as_ref().is_some_and(is_over)) {
                let ours = schema_of_key(&self.known, key).map(|ours| &ours.id);
                if contact.give_up(now, ours) {
                    let row = contact.row(key, stream.epoch);
                    push_bounded(&mut self.news, row, NEWS_MAX);
                    has_decided = true;
                }
            }
        }
        if has_decided {
            self.let_go();
        }
    }

    /// When [`Self::poll`] has something to do next.
    pub fn next_poll(&self) -> Option<Stamp> {
        self.inquiries().map(|inquiry| inquiry.deadline).min()
    }

    /// When [`Self::ask`] has something to say next; nothing while enough questions are out.
    pub fn next_ask(&self) -> Option<Stamp> {
        let next = self.inquiries().filter_map(|inquiry| inquiry.next_ask);
        next.min().filter(|_| self.questions_out < QUESTIONS_MAX)
    }

    fn inquiries(&self) -> impl Iterator<Item = &Inquiry> {
        let contacts = self.streams.values().flat_map(|stream| &stream.contacts);
        contacts.filter_map(|contact| contact.inquiry.as_ref())
    }

    /// A stream that was decided, each once; to be logged.
    pub fn news(&mut self) -> Option<ContactRow> {
        self.news.pop_front()
    }

    /// Every stream that was met with a schema that is not ours: those of epochs that are over,
    /// then [`Self::current`].
    pub fn rows(&self) -> Vec<ContactRow> {
        self.past.iter().cloned().chain(self.current()).collect()
    }

    /// The streams whose newest epoch bears a schema that is not ours, in the order of their keys.
    pub fn current(&self) -> impl Iterator<Item = ContactRow> {
        self.streams.iter().flat_map(|(key, stream)| {
            let row = |contact: &Contact| contact.row(key, stream.epoch);
            stream.contacts.iter().map(row)
        })
    }

    /// Messages refused so far, those beyond every limit included.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Messages that wait.
    pub fn n_held(&self) -> usize {
        self.held.len() + self.decided.len()
    }

    /// Moves what is decided to where it is released.
    fn let_go(&mut self) {
        for held in std::mem::take(&mut self.held) {
            let stream = self.streams.get(&held.received.key);
            let waits = stream.is_some_and(|stream| {
                let mut contacts = stream.contacts.iter();
                stream.epoch == held.epoch
                    && contacts.any(|it| it.schema == held.schema && !it.is_decided())
            });
            if waits {
                self.held.push_back(held);
            } else {
                self.decided.push_back(held.received);
            }
        }
    }
}

fn schema_of_key<'k>(known: &'k [Schema], key: &Key) -> Option<&'k Schema> {
    let name = key.message_type();
    known.iter().find(|known| known.id.name == name)
}

/// What can be said without asking anybody.
fn first_look(now: Stamp, known: &[Schema], key: &Key, schema: &SchemaId) -> Contact {
    let got = schema.clone();
    let mismatch = match schema_of_key(known, key).map(|ours| ours.id.clone()) {
        Some(expected) if expected.name == got.name => {
            return Contact::asking(got, now, now + ANSWER_WAIT_MAX);
        }
        Some(expected) => SchemaMismatch::OtherType { expected, got },
        // A type that is not known here cannot be read here, whatever it is.
        None => SchemaMismatch::Unknown { got },
    };
    Contact::decided(schema.clone(), Verdict::Refused(mismatch))
}

/// The contact that a question is about, while it is still of interest.
fn contact_of<'c>(
    streams: &'c mut BTreeMap<Key, Stream>,
    question: &SchemaQuestion,
) -> Option<&'c mut Contact> {
    let stream = streams.get_mut(&question.stream)?;
    let epoch = stream.epoch;
    let contacts = stream.contacts.iter_mut();
    contacts
        .filter(|contact| epoch == question.epoch && contact.inquiry.is_some())
        .find(|contact| contact.schema == question.schema)
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    if queue.len() == max {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests;
