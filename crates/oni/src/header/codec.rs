//! The header as protobuf, both ways, with its rules.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::Stamp;

use super::known_names;
use super::spare::HeaderBox;
use super::{Envelope, Header, HeaderError, LedgerEntry, TraceContext};
use crate::limits::{HEADER_BYTES_MAX, LEDGER_ENTRIES_MAX, NAME_BYTES_MAX, TENSORS_MAX};
use crate::tensor::{RowError, cut};
use crate::wire::{self, Fields, Key, bytes, fixed64, varint};
use crate::{ProtobufError, TensorEntry, TensorError};

/// Room for the header of a typical sensor message, so that it is written in one go.
const TYPICAL_BYTES: usize = 512;
/// Room for its table.
const TYPICAL_TENSORS: usize = 4;

impl Header {
    /// The header as protobuf.
    ///
    /// # Errors
    /// [`HeaderError`] where a field breaks a rule that a decoder would refuse it for.
    pub fn encode(&self) -> Result<Vec<u8>, HeaderError> {
        let mut out = Vec::with_capacity(TYPICAL_BYTES);
        self.encode_to(&mut out)?;
        Ok(out)
    }

    /// The header as protobuf, for whoever shares it.
    pub(crate) fn encode_shared(&self) -> Result<Arc<[u8]>, HeaderError> {
        thread_local! {
            static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let shared = WRITTEN.try_with(|written| {
            let out = &mut *written.borrow_mut();
            out.clear();
            self.encode_to(out)?;
            Ok(Arc::from(out.as_slice()))
        });
        // A thread that ends has no such place any more.
        shared.unwrap_or_else(|_| self.encode().map(Arc::from))
    }

    /// Behind what is there, which is nothing.
    pub(crate) fn encode_to(&self, out: &mut Vec<u8>) -> Result<(), HeaderError> {
        self.check()?;
        let Envelope {
            source, capture, ..
        } = &self.envelope;
        let envelope = &self.envelope;
        let error = nanos("capture_error_nanos", capture.error)?;
        let deadline = nanos("deadline_nanos", envelope.deadline.unwrap_or_default())?;
        let lifespan = nanos("lifespan_nanos", envelope.lifespan.unwrap_or_default())?;
        wire::put_bytes(out, 1, self.schema.name.as_bytes());
        wire::put_varint(out, 2, self.schema.major.into());
        wire::put_varint(out, 3, self.schema.minor.into());
        wire::put_bytes(out, 4, &self.schema.hash);
        wire::put_bytes(out, 5, source.agent.as_str().as_bytes());
        wire::put_varint(out, 6, source.epoch);
        wire::put_varint(out, 7, source.sequence);
        wire::put_fixed64(out, 8, capture.stamp.nanos().to_le_bytes());
        wire::put_bytes(out, 9, capture.clock.as_bytes());
        wire::put_varint(out, 10, error);
        if let Some(frame) = &envelope.frame {
            wire::put_bytes(out, 11, frame.as_str().as_bytes());
        }
        if let Some(trace) = &envelope.trace {
            wire::put_bytes(out, 12, &trace.trace_id);
            wire::put_bytes(out, 13, &trace.span_id);
        }
        wire::put_varint(out, 14, deadline);
        wire::put_varint(out, 15, lifespan);
        if let Some(hash) = &envelope.model_hash {
            wire::put_bytes(out, 16, hash);
        }
        for entry in &envelope.ledger {
            wire::put_message(out, 17, |out| {
                wire::put_bytes(out, 1, entry.stage.as_bytes());
                wire::put_varint(out, 2, entry.nanos);
            });
        }
        for tensor in &self.tensors {
            wire::put_message(out, 18, |out| tensor.put(out));
        }
        match out.len() {
            0..=HEADER_BYTES_MAX => Ok(()),
            got => Err(HeaderError::TooLong { got }),
        }
    }

    /// Reads a header. Tensor offsets are checked against the payload when the message is decoded.
    ///
    /// # Errors
    /// [`HeaderError`] for anything that is no header within the limits.
    pub fn decode(encoded: &[u8]) -> Result<Self, HeaderError> {
        Self::decode_boxed(encoded).map(HeaderBox::into_header)
    }

    /// In a box from the start: a header is large to be moved.
    pub(crate) fn decode_boxed(encoded: &[u8]) -> Result<HeaderBox, HeaderError> {
        if encoded.len() > HEADER_BYTES_MAX {
            let got = encoded.len();
            return Err(HeaderError::TooLong { got });
        }
        if let Some(header) = HeaderBox::read_next(encoded) {
            return Ok(header);
        }
        let mut header = HeaderBox::spare();
        let mut parts = Parts {
            ledger: emptied(&mut header.envelope.ledger),
            tensors: emptied(&mut header.tensors),
            ..Parts::default()
        };
        let mut fields = Fields::new(encoded);
        while !fields.is_empty() {
            parts.take(&mut fields)?;
        }
        let varying = parts.varying(encoded);
        parts.write_to(&mut header)?;
        header.check()?;
        if let Some(varying) = varying {
            header.remember(encoded, varying);
        }
        Ok(header)
    }

    /// The rules that types alone do not keep.
    fn check(&self) -> Result<(), HeaderError> {
        check_text("schema_name", &self.schema.name)?;
        check_text("clock_id", &self.envelope.capture.clock)?;
        check_count("tensors", self.tensors.len(), TENSORS_MAX)?;
        check_count("ledger", self.envelope.ledger.len(), LEDGER_ENTRIES_MAX)?;
        match &self.envelope.trace {
            Some(trace) if trace.trace_id == [0; 16] => {
                Err(HeaderError::ZeroId { field: "trace_id" })
            }
            Some(trace) if trace.span_id == [0; 8] => Err(HeaderError::ZeroId { field: "span_id" }),
            _ => Ok(()),
        }
    }
}

/// A header's fields as they come. As protobuf wants it, of a field that comes twice the last one
/// counts, so that nothing is judged before the end; rows beyond the limits are only counted.
#[derive(Default)]
struct Parts<'b> {
    schema_name: &'b str,
    schema_major: u32,
    schema_minor: u32,
    schema_hash: &'b [u8],
    agent: &'b str,
    epoch: u64,
    sequence: u64,
    capture_nanos: i64,
    /// How many bytes are behind these two.
    n_behind_sequence: usize,
    n_behind_stamp: usize,
    clock_id: &'b str,
    capture_error_nanos: u64,
    frame_id: &'b str,
    trace_id: &'b [u8],
    span_id: &'b [u8],
    deadline_nanos: u64,
    lifespan_nanos: u64,
    model_hash: &'b [u8],
    ledger: Vec<LedgerEntry>,
    n_ledger: usize,
    refused_stage: Option<&'b str>,
    tensors: Vec<TensorEntry>,
    n_tensors: usize,
    refused_tensor: Option<TensorError>,
}

impl<'b> Parts<'b> {
    fn take(&mut self, fields: &mut Fields<'b>) -> Result<(), ProtobufError> {
        const SCHEMA_NAME: Key = bytes(1);
        const SCHEMA_MAJOR: Key = varint(2);
        const SCHEMA_MINOR: Key = varint(3);
        const SCHEMA_HASH: Key = bytes(4);
        const AGENT: Key = bytes(5);
        const EPOCH: Key = varint(6);
        const CLOCK_ID: Key = bytes(9);
        const CAPTURE_ERROR_NANOS: Key = varint(10);
        const FRAME_ID: Key = bytes(11);
        const TRACE_ID: Key = bytes(12);
        const SPAN_ID: Key = bytes(13);
        const DEADLINE_NANOS: Key = varint(14);
        const LIFESPAN_NANOS: Key = varint(15);
        const MODEL_HASH: Key = bytes(16);
        const LEDGER: Key = bytes(17);
        const TENSORS: Key = bytes(18);
        match fields.key()? {
            SCHEMA_NAME => self.schema_name = fields.text(1)?,
            // 32-bit numbers are cut to 32 bits, as protobuf says.
            SCHEMA_MAJOR => self.schema_major = fields.varint()? as u32,
            SCHEMA_MINOR => self.schema_minor = fields.varint()? as u32,
            SCHEMA_HASH => self.schema_hash = fields.bytes()?,
            AGENT => self.agent = fields.text(5)?,
            EPOCH => self.epoch = fields.varint()?,
            SEQUENCE => {
                self.sequence = fields.varint()?;
                self.n_behind_sequence = fields.len();
            }
            CAPTURE_NANOS => {
                self.capture_nanos = i64::from_le_bytes(fields.fixed64()?);
                self.n_behind_stamp = fields.len();
            }
            CLOCK_ID => self.clock_id = fields.text(9)?,
            CAPTURE_ERROR_NANOS => self.capture_error_nanos = fields.varint()?,
            FRAME_ID => self.frame_id = fields.text(11)?,
            TRACE_ID => self.trace_id = fields.bytes()?,
            SPAN_ID => self.span_id = fields.bytes()?,
            DEADLINE_NANOS => self.deadline_nanos = fields.varint()?,
            LIFESPAN_NANOS => self.lifespan_nanos = fields.varint()?,
            MODEL_HASH => self.model_hash = fields.bytes()?,
            LEDGER => self.take_ledger_entry(fields.bytes()?)?,
            TENSORS => self.take_tensor(fields.bytes()?)?,
            key => fields.skip(key, 18)?,
        }
        Ok(())
    }

    fn take_ledger_entry(&mut self, entry: &'b [u8]) -> Result<(), ProtobufError> {
        const STAGE: Key = bytes(1);
        const NANOS: Key = varint(2);
        let (mut stage, mut nanos) = ("", 0);
        let mut fields = Fields::new(entry);
        while !fields.is_empty() {
            match fields.key()? {
                STAGE => stage = fields.text(1)?,
                NANOS => nanos = fields.varint()?,
                key => fields.skip(key, 2)?,
            }
        }
        self.n_ledger += 1;
        match LedgerEntry::new(stage, nanos) {
            _ if self.n_ledger > LEDGER_ENTRIES_MAX => {}
            Some(entry) => self.ledger.push(entry),
            None => drop(self.refused_stage.get_or_insert(stage)),
        }
        Ok(())
    }

    fn take_tensor(&mut self, row: &'b [u8]) -> Result<(), ProtobufError> {
        self.n_tensors += 1;
        let is_kept = self.n_tensors <= TENSORS_MAX && self.refused_tensor.is_none();
        if !is_kept {
            self.tensors.pop();
        }
        if self.tensors.capacity() == 0 {
            self.tensors.reserve(TYPICAL_TENSORS);
        }
        self.tensors.push(TensorEntry::UNREAD);
        let entry = self.tensors.last_mut().expect("one was pushed");
        match entry.read(row) {
            Ok(()) => {}
            Err(RowError::Protobuf(error)) => return Err(error),
            Err(RowError::Tensor(error)) => {
                self.refused_tensor.get_or_insert(error);
            }
        }
        Ok(())
    }

    /// Where the sequence number and right behind it the stamp are, if that is how they come. Had
    /// either come again later, that one would count.
    fn varying(&self, encoded: &[u8]) -> Option<Range<usize>> {
        let stamp_bytes = self.n_behind_sequence.checked_sub(self.n_behind_stamp)?;
        let end = encoded.len() - self.n_behind_stamp;
        let begin = end.checked_sub(1 + wire::varint_bytes(self.sequence) + stamp_bytes)?;
        let read = read_varying(&encoded[begin..end])?;
        let expected = (self.sequence, Stamp::from_nanos(self.capture_nanos));
        (read == expected).then_some(begin..end)
    }

    /// Over another header, whose memory serves again.
    fn write_to(self, header: &mut Header) -> Result<(), HeaderError> {
        check_count("ledger", self.n_ledger, LEDGER_ENTRIES_MAX)?;
        check_count("tensors", self.n_tensors, TENSORS_MAX)?;
        let envelope = &mut header.envelope;
        match (self.frame_id, &envelope.frame) {
            ("", _) => envelope.frame = None,
            (same, Some(frame)) if frame.as_str() == same => {}
            (other, _) => envelope.frame = Some(known_names::frame(other)?),
        }
        envelope.trace = match (self.trace_id, self.span_id) {
            ([], []) => None,
            (trace_id, span_id) => Some(TraceContext {
                trace_id: exactly("trace_id", "0 or 16 like span_id's 0 or 8", trace_id)?,
                span_id: exactly("span_id", "0 or 8 like trace_id's 0 or 16", span_id)?,
            }),
        };
        envelope.model_hash = match self.model_hash {
            [] => None,
            hash => Some(exactly("model_hash", "0 or 32", hash)?),
        };
        let some_time = |nanos: u64| (nanos > 0).then(|| Duration::from_nanos(nanos));
        envelope.deadline = some_time(self.deadline_nanos);
        envelope.lifespan = some_time(self.lifespan_nanos);
        let source = &mut envelope.source;
        if source.agent.as_str() != self.agent {
            source.agent = known_names::agent(self.agent)?;
        }
        source.epoch = self.epoch;
        source.sequence = self.sequence;
        let schema = &mut header.schema;
        schema.hash = exactly("schema_hash", "16", self.schema_hash)?;
        if let Some(error) = self.refused_tensor {
            return Err(error.into());
        }
        write_short(self.schema_name, &mut schema.name);
        schema.major = self.schema_major;
        schema.minor = self.schema_minor;
        envelope.capture.stamp = Stamp::from_nanos(self.capture_nanos);
        envelope.capture.error = Duration::from_nanos(self.capture_error_nanos);
        write_short(self.clock_id, &mut envelope.capture.clock);
        if let Some(stage) = self.refused_stage {
            let (field, got) = ("ledger.stage", cut(stage));
            return Err(HeaderError::Text { field, got });
        }
        envelope.ledger = self.ledger;
        header.tensors = self.tensors;
        Ok(())
    }
}

const SEQUENCE: Key = varint(7);
const CAPTURE_NANOS: Key = fixed64(8);

/// A sequence number, the stamp behind it, and nothing else.
pub(super) fn read_varying(encoded: &[u8]) -> Option<(u64, Stamp)> {
    let mut fields = Fields::new(encoded);
    if fields.key().ok()? != SEQUENCE {
        return None;
    }
    let sequence = fields.varint().ok()?;
    if fields.key().ok()? != CAPTURE_NANOS {
        return None;
    }
    let nanos = i64::from_le_bytes(fields.fixed64().ok()?);
    fields
        .is_empty()
        .then(|| (sequence, Stamp::from_nanos(nanos)))
}

/// A list without its rows, for other rows.
fn emptied<T>(rows: &mut Vec<T>) -> Vec<T> {
    let mut rows = std::mem::take(rows);
    rows.clear();
    rows
}

/// A text to be checked, in the memory of another one, cut where it is too long anyway.
fn write_short(text: &str, target: &mut String) {
    target.clear();
    if text.len() <= NAME_BYTES_MAX {
        target.push_str(text);
    } else {
        target.push_str(&cut(text));
    }
}

/// A text to be checked, cut where it is too long anyway.
pub(super) fn short(text: &str) -> String {
    if text.len() <= NAME_BYTES_MAX {
        text.to_string()
    } else {
        cut(text)
    }
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

#[inline]
fn check_count(field: &'static str, got: usize, max: usize) -> Result<(), HeaderError> {
    if got <= max {
        Ok(())
    } else {
        Err(HeaderError::TooMany { field, max, got })
    }
}

#[inline]
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
