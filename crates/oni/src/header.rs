//! The header: what a message is, who sent it, when it was true and where its tensors lie.

use std::fmt;
use std::time::Duration;

use prost::Message as _;
use sedge_spacetime::{AgentName, FrameName, NameError, Stamp};

use crate::limits::{HEADER_BYTES_MAX, LEDGER_ENTRIES_MAX, NAME_BYTES_MAX, TENSORS_MAX};
use crate::tensor::cut;
use crate::{TensorEntry, TensorError, wire};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The stage.
    pub stage: String,
    /// Nanoseconds that it took.
    pub nanos: u64,
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
    Protobuf(#[from] prost::DecodeError),
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

impl Header {
    /// The header as protobuf.
    ///
    /// # Errors
    /// [`HeaderError`] where a field breaks a rule that a decoder would refuse it for.
    pub fn encode(&self) -> Result<Vec<u8>, HeaderError> {
        self.check()?;
        let envelope = &self.envelope;
        let trace = envelope.trace.as_ref();
        let ledger = envelope.ledger.iter().map(|entry| wire::LedgerEntry {
            stage: entry.stage.clone(),
            nanos: entry.nanos,
        });
        let bytes = wire::Header {
            schema_name: self.schema.name.clone(),
            schema_major: self.schema.major,
            schema_minor: self.schema.minor,
            schema_hash: self.schema.hash.to_vec(),
            agent: envelope.source.agent.as_str().to_string(),
            epoch: envelope.source.epoch,
            sequence: envelope.source.sequence,
            capture_nanos: envelope.capture.stamp.nanos(),
            clock_id: envelope.capture.clock.clone(),
            capture_error_nanos: nanos("capture_error_nanos", envelope.capture.error)?,
            frame_id: envelope
                .frame
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            trace_id: trace
                .map(|trace| trace.trace_id.to_vec())
                .unwrap_or_default(),
            span_id: trace
                .map(|trace| trace.span_id.to_vec())
                .unwrap_or_default(),
            deadline_nanos: nanos("deadline_nanos", envelope.deadline.unwrap_or_default())?,
            lifespan_nanos: nanos("lifespan_nanos", envelope.lifespan.unwrap_or_default())?,
            model_hash: envelope
                .model_hash
                .map(|hash| hash.to_vec())
                .unwrap_or_default(),
            ledger: ledger.collect(),
            tensors: self.tensors.iter().map(TensorEntry::to_wire).collect(),
        }
        .encode_to_vec();
        match bytes.len() {
            0..=HEADER_BYTES_MAX => Ok(bytes),
            got => Err(HeaderError::TooLong { got }),
        }
    }

    /// Reads a header. Tensor offsets are checked against the payload when the message is decoded.
    ///
    /// # Errors
    /// [`HeaderError`] for anything that is no header within the limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > HEADER_BYTES_MAX {
            return Err(HeaderError::TooLong { got: bytes.len() });
        }
        let wire = wire::Header::decode(bytes)?;
        check_count("ledger", wire.ledger.len(), LEDGER_ENTRIES_MAX)?;
        check_count("tensors", wire.tensors.len(), TENSORS_MAX)?;
        let envelope = envelope_from_wire(&wire)?;
        let schema = SchemaId {
            hash: exactly("schema_hash", "16", &wire.schema_hash)?,
            name: wire.schema_name,
            major: wire.schema_major,
            minor: wire.schema_minor,
        };
        let tensors = wire.tensors.into_iter().map(TensorEntry::from_wire);
        let header = Self {
            schema,
            envelope,
            tensors: tensors.collect::<Result<_, _>>()?,
        };
        header.check()?;
        Ok(header)
    }

    /// The rules that types alone do not keep.
    fn check(&self) -> Result<(), HeaderError> {
        check_text("schema_name", &self.schema.name)?;
        check_text("clock_id", &self.envelope.capture.clock)?;
        check_count("tensors", self.tensors.len(), TENSORS_MAX)?;
        check_count("ledger", self.envelope.ledger.len(), LEDGER_ENTRIES_MAX)?;
        for entry in &self.envelope.ledger {
            check_text("ledger.stage", &entry.stage)?;
        }
        match &self.envelope.trace {
            Some(trace) if trace.trace_id == [0; 16] => {
                Err(HeaderError::ZeroId { field: "trace_id" })
            }
            Some(trace) if trace.span_id == [0; 8] => Err(HeaderError::ZeroId { field: "span_id" }),
            _ => Ok(()),
        }
    }
}

fn envelope_from_wire(wire: &wire::Header) -> Result<Envelope, HeaderError> {
    let frame = match wire.frame_id.as_str() {
        "" => None,
        frame => Some(FrameName::new(cut(frame))?),
    };
    let trace = match (wire.trace_id.as_slice(), wire.span_id.as_slice()) {
        ([], []) => None,
        (trace_id, span_id) => Some(TraceContext {
            trace_id: exactly("trace_id", "0 or 16 like span_id's 0 or 8", trace_id)?,
            span_id: exactly("span_id", "0 or 8 like trace_id's 0 or 16", span_id)?,
        }),
    };
    let model_hash = match wire.model_hash.as_slice() {
        [] => None,
        hash => Some(exactly("model_hash", "0 or 32", hash)?),
    };
    let some_time = |nanos: u64| (nanos > 0).then(|| Duration::from_nanos(nanos));
    let ledger = wire.ledger.iter().map(|entry| LedgerEntry {
        stage: entry.stage.clone(),
        nanos: entry.nanos,
    });
    Ok(Envelope {
        source: Source {
            agent: AgentName::new(cut(&wire.agent))?,
            epoch: wire.epoch,
            sequence: wire.sequence,
        },
        capture: Capture {
            stamp: Stamp::from_nanos(wire.capture_nanos),
            clock: wire.clock_id.clone(),
            error: Duration::from_nanos(wire.capture_error_nanos),
        },
        frame,
        trace,
        deadline: some_time(wire.deadline_nanos),
        lifespan: some_time(wire.lifespan_nanos),
        model_hash,
        ledger: ledger.collect(),
    })
}

fn exactly<const N: usize>(
    field: &'static str,
    expected: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], HeaderError> {
    let got = bytes.len();
    bytes
        .first_chunk()
        .filter(|_| got == N)
        .copied()
        .ok_or(HeaderError::FieldLength {
            field,
            expected,
            got,
        })
}

fn nanos(field: &'static str, time: Duration) -> Result<u64, HeaderError> {
    u64::try_from(time.as_nanos())
        .ok()
        .ok_or(HeaderError::Duration { field, got: time })
}

fn check_count(field: &'static str, got: usize, max: usize) -> Result<(), HeaderError> {
    if got <= max {
        Ok(())
    } else {
        Err(HeaderError::TooMany { field, max, got })
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), HeaderError> {
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(HeaderError::Text {
            field,
            got: cut(text),
        })
    }
}
