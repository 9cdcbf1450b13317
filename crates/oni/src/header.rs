//! The header: what a message is, who sent it, when it was true and where its tensors lie.

use std::fmt;
use std::time::Duration;

use sedge_spacetime::{AgentName, FrameName, NameError, Stamp};

use crate::limits::{HEADER_BYTES_MAX, NAME_BYTES_MAX};
use crate::{ProtobufError, TensorEntry, TensorError};

mod codec;
mod known_names;
mod spare;
mod stage_name;

pub(crate) use spare::HeaderBox;
pub use stage_name::StageName;

/// Who sent a message, and which of its messages it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The sender.
    pub agent: AgentName,
    /// New at each start of the sender, larger than before.
    pub epoch: u64,
    /// Counts from 0 by one within an epoch, for each key on its own.
    pub sequence: u64,
}

/// Counts the messages of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence(Source);

impl Sequence {
    /// From 0, in an epoch that the caller knows to be new.
    pub fn new(agent: AgentName, epoch: u64) -> Self {
        Self(Source {
            agent,
            epoch,
            sequence: 0,
        })
    }

    /// The source of the next message.
    pub fn next_source(&mut self) -> Source {
        let source = self.0.clone();
        self.0.sequence = self.0.sequence.wrapping_add(1);
        source
    }
}

/// When the content of a message was true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The time, on `clock`.
    pub stamp: Stamp,
    /// Which clock; stamps of different clocks must not be compared. 1 to 64 characters.
    pub clock: String,
    /// How wrong the stamp may be, either way.
    pub error: Duration,
}

impl Capture {
    /// A stamp without an error.
    pub fn exact(stamp: Stamp, clock: impl Into<String>) -> Self {
        Self {
            stamp,
            clock: clock.into(),
            error: Duration::ZERO,
        }
    }
}

/// The W3C trace context of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, not all zero.
    pub trace_id: [u8; 16],
    /// The sender's span, not all zero.
    pub span_id: [u8; 8],
}

/// What one stage took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The stage.
    pub stage: StageName,
    /// Nanoseconds that it took.
    pub nanos: u64,
}

impl LedgerEntry {
    /// Of a stage that took so many nanoseconds; `None` where the text cannot name a stage.
    pub fn new(stage: &str, nanos: u64) -> Option<Self> {
        Self::of_parts([stage, ""], nanos)
    }

    /// As [`LedgerEntry::new`], with a name of two parts, one behind the other.
    pub fn of_parts(stage: [&str; 2], nanos: u64) -> Option<Self> {
        let stage = StageName::of_parts(stage)?;
        Some(Self { stage, nanos })
    }
}

/// Everything about a message that its content does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Who sent it.
    pub source: Source,
    /// When the content was true.
    pub capture: Capture,
    /// Coordinate frame of the content, where it has one.
    pub frame: Option<FrameName>,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
    /// After this much from the capture stamp it is late.
    pub deadline: Option<Duration>,
    /// After this much from the capture stamp it must not be used.
    pub lifespan: Option<Duration>,
    /// Hash of the model that made the content, where one did.
    pub model_hash: Option<[u8; 32]>,
    /// What each stage so far took, in their order.
    pub ledger: Vec<LedgerEntry>,
}

impl Envelope {
    /// With the two things that every message has.
    pub fn new(source: Source, capture: Capture) -> Self {
        Self {
            source,
            capture,
            frame: None,
            trace: None,
            deadline: None,
            lifespan: None,
            model_hash: None,
            ledger: Vec::new(),
        }
    }
}

impl Envelope {
    /// Becomes like another one, in the memory that it has.
    pub(crate) fn write_over(&mut self, other: &Self) {
        let Self {
            source,
            capture,
            frame,
            trace,
            deadline,
            lifespan,
            model_hash,
            ledger,
        } = self;
        source.clone_from(&other.source);
        capture.stamp = other.capture.stamp;
        capture.clock.clone_from(&other.capture.clock);
        capture.error = other.capture.error;
        frame.clone_from(&other.frame);
        (*trace, *deadline, *lifespan) = (other.trace, other.deadline, other.lifespan);
        *model_hash = other.model_hash;
        ledger.clone_from(&other.ledger);
    }
}

/// Which schema a message follows.
#[derive(Clone, PartialEq, Eq)]
pub struct SchemaId {
    /// Such as `sensor.lidar`.
    pub name: String,
    /// Changes when old readers would misread.
    pub major: u32,
    /// Changes when tensors are added.
    pub minor: u32,
    /// First 16 bytes of blake3 over the schema file's canonical JSON.
    pub hash: [u8; 16],
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}.{} ({})",
            self.name,
            self.major,
            self.minor,
            hex(&self.hash)
        )
    }
}

impl fmt::Debug for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("below 16");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// A message's header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Which schema the tensors follow.
    pub schema: SchemaId,
    /// Who, when, how long.
    pub envelope: Envelope,
    /// Where each tensor lies in the payload.
    pub tensors: Vec<TensorEntry>,
}

/// Why a header is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// Too many bytes.
    #[error("expected a header of at most {HEADER_BYTES_MAX} bytes, got {got}")]
    TooLong {
        /// What came.
        got: usize,
    },
    /// The bytes are no protobuf of the header.
    #[error("expected an ONI header (protobuf): {0}")]
    Protobuf(#[from] ProtobufError),
    /// A field of bytes has another length.
    #[error("header field {field}: expected {expected}, got {got} bytes")]
    FieldLength {
        /// The field.
        field: &'static str,
        /// The lengths that it may have.
        expected: &'static str,
        /// What came.
        got: usize,
    },
    /// A trace or span id is all zero.
    #[error("header field {field}: expected an id that is not all zero")]
    ZeroId {
        /// The field.
        field: &'static str,
    },
    /// The agent's or the frame's name is none.
    #[error("header: {0}")]
    Name(#[from] NameError),
    /// Another name is empty, long or not plain.
    #[error(
        "header field {field}: expected 1 to {NAME_BYTES_MAX} printable ASCII characters without \
         spaces, got {got:?}"
    )]
    Text {
        /// The field.
        field: &'static str,
        /// What came, cut.
        got: String,
    },
    /// A repeated field has too many entries.
    #[error("header field {field}: expected at most {max} entries, got {got}")]
    TooMany {
        /// The field.
        field: &'static str,
        /// How many it may have.
        max: usize,
        /// What came.
        got: usize,
    },
    /// A time is longer than 64 bits of nanoseconds.
    #[error("header field {field}: expected a time below 584 years, got {got:?}")]
    Duration {
        /// The field.
        field: &'static str,
        /// What came.
        got: Duration,
    },
    /// The tensor table is wrong.
    #[error("{0}")]
    Tensor(#[from] TensorError),
}
