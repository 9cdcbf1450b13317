//! `telemetry.health`.

use std::borrow::Cow;
use std::time::Duration;

use crate::command::{duration, nanos};
use crate::text::{read_lines, read_text, write_lines, write_text};
use crate::typed::{scalar, signed, values};
use crate::{InvalidMessage, Key, ListOf, Message, MessageBuilder, TypedMessage};

const KEYS: &str = "keys";
const DROP_KEYS: &str = "drop_keys";
const DROP_PLACES: &str = "drop_places";
const DROP_REASONS: &str = "drop_reasons";

/// How an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// Not ready yet.
    Starting,
    /// As it should be.
    Running,
    /// Working, with something missing.
    Degraded,
    /// Stopped on purpose.
    Stopped,
    /// Unable to work.
    Failed,
}

impl HealthState {
    /// Every state, in the order of its number, from 0.
    pub const ALL: [Self; 5] = [
        Self::Starting,
        Self::Running,
        Self::Degraded,
        Self::Stopped,
        Self::Failed,
    ];
}

/// What became of the messages of one key. Counts are stored up to 2^63 - 1; more is stored as
/// that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCounts {
    /// The key.
    pub key: Key,
    /// Messages received, each counted once.
    pub received: u64,
    /// Messages whose sequence number never came.
    pub lost: u64,
    /// Messages that came again.
    pub duplicated: u64,
    /// Messages that came after a later one.
    pub reordered: u64,
    /// New epochs of the sender.
    pub restarts: u64,
}

/// Messages that were dropped on purpose, and are therefore known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropCount {
    /// The key.
    pub key: Key,
    /// Where, such as `queue`: 1 to 64 printable ASCII characters without spaces.
    pub place: String,
    /// Why, such as `expired`: 1 to 64 printable ASCII characters without spaces.
    pub reason: String,
    /// How many; stored up to 2^63 - 1.
    pub count: u64,
}

/// How an agent is, what it received and what was dropped on the way, since it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health<'a> {
    /// How it is.
    pub state: HealthState,
    /// Why it is so, for a person: at most 1024 bytes without control characters.
    pub detail: Cow<'a, str>,
    /// How long it has been running; stored up to 292 years.
    pub uptime: Duration,
    /// What it received. `[key]`
    pub keys: Vec<KeyCounts>,
    /// What was dropped, by key, place and reason. `[drop]`
    pub drops: Vec<DropCount>,
    /// Messages dropped that the ledger had no row left for.
    pub drops_unlisted: u64,
}

impl<'a> TypedMessage<'a> for Health<'a> {
    const NAME: &'static str = "telemetry.health";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let builder = builder.tensor("state", &[1], &[self.state as u8])?;
        let builder = write_text(builder, "detail", &self.detail)?;
        let uptime = nanos(self.uptime);
        let builder = builder.tensor("uptime_nanos", &[1], &[uptime])?;
        let builder = self.write_drops(self.write_keys(builder)?)?;
        Ok(builder.tensor("drops_unlisted", &[1], &[signed(self.drops_unlisted)])?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        let state = usize::from(scalar::<u8>(message, "state")?);
        Ok(Self {
            state: *HealthState::ALL
                .get(state)
                .expect("the schema gives the largest number"),
            detail: read_text(message, "detail")?.into(),
            uptime: duration(scalar(message, "uptime_nanos")?),
            keys: read_keys(message)?,
            drops: read_drops(message)?,
            drops_unlisted: scalar::<i64>(message, "drops_unlisted")?.unsigned_abs(),
        })
    }
}

impl Health<'_> {
    fn write_keys(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let keys = self.keys.iter().map(|row| row.key.as_str());
        let builder = write_lines(builder, KEYS, ListOf::Keys, keys)?;
        let shape = [self.keys.len()];
        let column = |of: fn(&KeyCounts) -> u64| {
            let rows = self.keys.iter();
            rows.map(move |row| signed(of(row)))
        };
        Ok(builder
            .tensor_of("received", &shape, column(|row| row.received))?
            .tensor_of("lost", &shape, column(|row| row.lost))?
            .tensor_of("duplicated", &shape, column(|row| row.duplicated))?
            .tensor_of("reordered", &shape, column(|row| row.reordered))?
            .tensor_of("restarts", &shape, column(|row| row.restarts))?)
    }

    fn write_drops(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let each = || self.drops.iter();
        let keys = each().map(|row| row.key.as_str());
        let places = each().map(|row| row.place.as_str());
        let reasons = each().map(|row| row.reason.as_str());
        let counts = each().map(|row| signed(row.count));
        let builder = write_lines(builder, DROP_KEYS, ListOf::Keys, keys)?;
        let builder = write_lines(builder, DROP_PLACES, ListOf::Names, places)?;
        let builder = write_lines(builder, DROP_REASONS, ListOf::Names, reasons)?;
        Ok(builder.tensor_of("drop_counts", &[self.drops.len()], counts)?)
    }
}

fn read_keys(message: &Message<'_>) -> Result<Vec<KeyCounts>, InvalidMessage> {
    let received = values::<i64>(message, "received")?;
    let lost = values::<i64>(message, "lost")?;
    let duplicated = values::<i64>(message, "duplicated")?;
    let reordered = values::<i64>(message, "reordered")?;
    let restarts = values::<i64>(message, "restarts")?;
    let keys = read_lines(message, KEYS, ListOf::Keys, Some(received.len()))?;
    let row = |(idx, key): (usize, &str)| KeyCounts {
        key: Key::parse(key).expect("the list is one of keys"),
        received: received[idx].unsigned_abs(),
        lost: lost[idx].unsigned_abs(),
        duplicated: duplicated[idx].unsigned_abs(),
        reordered: reordered[idx].unsigned_abs(),
        restarts: restarts[idx].unsigned_abs(),
    };
    Ok(keys.into_iter().enumerate().map(row).collect())
}

fn read_drops(message: &Message<'_>) -> Result<Vec<DropCount>, InvalidMessage> {
    let counts = values::<i64>(message, "drop_counts")?;
    let n_rows = Some(counts.len());
    let keys = read_lines(message, DROP_KEYS, ListOf::Keys, n_rows)?;
    let places = read_lines(message, DROP_PLACES, ListOf::Names, n_rows)?;
    let reasons = read_lines(message, DROP_REASONS, ListOf::Names, n_rows)?;
    let row = |(idx, count): (usize, &i64)| DropCount {
        key: Key::parse(keys[idx]).expect("the list is one of keys"),
        place: places[idx].to_string(),
        reason: reasons[idx].to_string(),
        count: count.unsigned_abs(),
    };
    Ok(counts.iter().enumerate().map(row).collect())
}
