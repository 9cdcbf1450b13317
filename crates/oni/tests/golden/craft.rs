//! Messages that no writer of ours would write: the header once more, field by field.

use sedge_oni::{Envelope, FRAME_MAGIC, TypedMessage};

/// `oni.v1.Header`, without the rules.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RawHeader {
    #[prost(string, tag = "1")]
    pub(crate) schema_name: String,
    #[prost(uint32, tag = "2")]
    pub(crate) schema_major: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) schema_minor: u32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) schema_hash: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) agent: String,
    #[prost(uint64, tag = "6")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) sequence: u64,
    #[prost(sfixed64, tag = "8")]
    pub(crate) capture_nanos: i64,
    #[prost(string, tag = "9")]
    pub(crate) clock_id: String,
    #[prost(uint64, tag = "10")]
    pub(crate) capture_error_nanos: u64,
    #[prost(string, tag = "11")]
    pub(crate) frame_id: String,
    #[prost(bytes = "vec", tag = "12")]
    pub(crate) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "13")]
    pub(crate) span_id: Vec<u8>,
    #[prost(uint64, tag = "14")]
    pub(crate) deadline_nanos: u64,
    #[prost(uint64, tag = "15")]
    pub(crate) lifespan_nanos: u64,
    #[prost(bytes = "vec", tag = "16")]
    pub(crate) model_hash: Vec<u8>,
    #[prost(message, repeated, tag = "17")]
    pub(crate) ledger: Vec<RawLedgerEntry>,
    #[prost(message, repeated, tag = "18")]
    pub(crate) tensors: Vec<RawTensor>,
}

/// `oni.v1.LedgerEntry`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RawLedgerEntry {
    #[prost(string, tag = "1")]
    pub(crate) stage: String,
    #[prost(uint64, tag = "2")]
    pub(crate) nanos: u64,
}

/// `oni.v1.Tensor`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RawTensor {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    pub(crate) dtype: i32,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) shape: Vec<u64>,
    #[prost(uint64, tag = "4")]
    pub(crate) offset: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) length: u64,
    #[prost(int32, tag = "6")]
    pub(crate) encoding: i32,
    #[prost(double, tag = "7")]
    pub(crate) scale: f64,
}

/// A header and a payload that need not fit together.
#[derive(Clone)]
pub(crate) struct Crafted {
    pub(crate) header: RawHeader,
    pub(crate) payload: Vec<u8>,
}

impl Crafted {
    /// A valid message, to be spoilt.
    pub(crate) fn of<'a>(content: &impl TypedMessage<'a>, envelope: Envelope) -> Self {
        let message = content.to_message(envelope).unwrap();
        let encoded = message.encode().unwrap();
        Self {
            header: prost::Message::decode(encoded.header()).unwrap(),
            payload: encoded.payload().to_vec(),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut RawHeader)) -> Self {
        change(&mut self.header);
        self
    }

    /// The row of a tensor.
    pub(crate) fn row(&mut self, name: &str) -> &mut RawTensor {
        let mut rows = self.header.tensors.iter_mut();
        rows.find(|row| row.name == name).unwrap()
    }

    /// Changes the row of a tensor.
    pub(crate) fn with_row(mut self, name: &str, change: impl FnOnce(&mut RawTensor)) -> Self {
        change(self.row(name));
        self
    }

    /// Takes a tensor out of the table.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.header.tensors.retain(|row| row.name != name);
        self
    }

    /// Gives a tensor another shape and other bytes, at the end of the payload.
    pub(crate) fn with_bytes(mut self, name: &str, shape: &[u64], bytes: &[u8]) -> Self {
        self.payload
            .resize(self.payload.len().next_multiple_of(64), 0);
        let offset = self.payload.len() as u64;
        self.payload.extend_from_slice(bytes);
        let row = self.row(name);
        (row.shape, row.offset, row.length) = (shape.to_vec(), offset, bytes.len() as u64);
        self
    }

    /// Writes bytes over those of a tensor.
    pub(crate) fn overwritten(mut self, name: &str, at: usize, bytes: &[u8]) -> Self {
        let begin = self.row(name).offset as usize + at;
        self.payload[begin..begin + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn header_bytes(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(&self.header)
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        frame(&self.header_bytes(), &self.payload)
    }
}

/// The framed form, whatever the parts are.
pub(crate) fn frame(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = FRAME_MAGIC.to_vec();
    frame.extend_from_slice(&(header.len() as u32).to_le_bytes());
    frame.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    frame.extend_from_slice(header);
    frame.resize(frame.len().next_multiple_of(64), 0);
    frame.extend_from_slice(payload);
    let checksum = blake3::hash(&frame);
    frame.extend_from_slice(&checksum.as_bytes()[..16]);
    frame
}
