//! `agent.manifest`.

use std::borrow::Cow;

use crate::text::{read_lines, read_text, write_lines, write_text};
use crate::typed::{rows, values};
use crate::{
    InvalidMessage, Key, KeyPattern, ListOf, Message, MessageBuilder, SchemaId, TypedMessage,
};

const KEYS: &str = "stream_keys";
const SCHEMAS: &str = "schema_names";
const CLASSES: &str = "qos_classes";

/// Which way a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The agent publishes it.
    Publish,
    /// The agent reads it.
    Subscribe,
}

/// A stream that an agent publishes or reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Its key; for one that is read, it may be a pattern.
    pub key: KeyPattern,
    /// Which way it goes.
    pub direction: Direction,
    /// The schema of its messages.
    pub schema: SchemaId,
    /// Its class of service, such as `state`: 1 to 64 printable ASCII characters without spaces.
    pub qos_class: String,
    /// Messages a second as intended; 0 where they come as they come.
    pub rate_hz: f64,
}

/// What an agent is and which streams it publishes and reads.
///
/// Its clock and the model that it runs are those of the header.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest<'a> {
    /// Name and version of the software: at most 1024 bytes without control characters.
    pub software: Cow<'a, str>,
    /// The streams. `[stream]`
    pub streams: Vec<Stream>,
}

impl<'a> TypedMessage<'a> for Manifest<'a> {
    const NAME: &'static str = "agent.manifest";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        self.streams.iter().try_for_each(Stream::check_key)?;
        let each = || self.streams.iter();
        let keys = each().map(|it| it.key.as_str());
        let names = each().map(|it| it.schema.name.as_str());
        let classes = each().map(|it| it.qos_class.as_str());
        let directions: Vec<u8> = each().map(|it| it.direction as u8 + 1).collect();
        let versions: Vec<u32> = each()
            .flat_map(|it| [it.schema.major, it.schema.minor])
            .collect();
        let hashes: Vec<u8> = each().flat_map(|it| it.schema.hash).collect();
        let rates: Vec<f64> = each().map(|it| it.rate_hz).collect();
        let n_streams = self.streams.len();
        let builder = write_text(builder, "software", &self.software)?;
        let builder = write_lines(builder, KEYS, ListOf::Patterns, keys)?;
        let builder = builder.tensor("directions", &[n_streams], &directions)?;
        let builder = write_lines(builder, SCHEMAS, ListOf::Names, names)?
            .tensor("schema_versions", &[n_streams, 2], &versions)?
            .tensor("schema_hashes", &[n_streams, 16], &hashes)?;
        let builder = write_lines(builder, CLASSES, ListOf::Names, classes)?;
        Ok(builder.tensor("rates_hz", &[n_streams], &rates)?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        let rates = values::<f64>(message, "rates_hz")?;
        let directions = values::<u8>(message, "directions")?;
        let versions = rows::<u32, 2>(message, "schema_versions")?;
        let hashes = rows::<u8, 16>(message, "schema_hashes")?;
        let n_streams = Some(rates.len());
        let keys = read_lines(message, KEYS, ListOf::Patterns, n_streams)?;
        let names = read_lines(message, SCHEMAS, ListOf::Names, n_streams)?;
        let classes = read_lines(message, CLASSES, ListOf::Names, n_streams)?;
        let stream = |(idx, rate_hz): (usize, &f64)| {
            let stream = Stream {
                key: KeyPattern::parse(keys[idx]).expect("the list is one of patterns"),
                direction: match directions[idx] {
                    1 => Direction::Publish,
                    _ => Direction::Subscribe,
                },
                schema: SchemaId {
                    name: names[idx].to_string(),
                    major: versions[idx][0],
                    minor: versions[idx][1],
                    hash: hashes[idx],
                },
                qos_class: classes[idx].to_string(),
                rate_hz: *rate_hz,
            };
            stream.check_key().map(|()| stream)
        };
        Ok(Self {
            software: read_text(message, "software")?.into(),
            streams: rates
                .iter()
                .enumerate()
                .map(stream)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Stream {
    /// Nobody publishes on a pattern.
    fn check_key(&self) -> Result<(), InvalidMessage> {
        if self.direction == Direction::Subscribe || Key::parse(self.key.as_str()).is_ok() {
            return Ok(());
        }
        Err(InvalidMessage::Text {
            tensor: KEYS.to_string(),
            expected: "a key without wildcards where the agent publishes".to_string(),
            got: self.key.to_string(),
        })
    }
}
