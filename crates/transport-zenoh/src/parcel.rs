//! What came, before it is copied out of Zenoh's buffers.

use sedge_oni::EncodedMessage;
use sedge_oni::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use sedge_spacetime::Stamp;
use zenoh::bytes::ZBytes;
use zenoh::sample::{Sample, SampleKind};

use crate::payload::{self, COPY_BYTES_MAX};

/// A message in a sample.
pub(crate) struct Parcel<'s> {
    /// Not yet known to be a key of ours.
    pub(crate) key: &'s str,
    pub(crate) header: &'s ZBytes,
    pub(crate) payload: &'s ZBytes,
    pub(crate) arrival: Stamp,
    /// Bytes of both parts.
    pub(crate) n_bytes: usize,
    /// Whether the payload is memory of its sender's.
    pub(crate) is_shared: bool,
}

impl<'s> Parcel<'s> {
    /// `None` where it is no message, or one beyond the limits; nothing is copied before that is
    /// known.
    pub(crate) fn of(sample: &'s Sample, arrival: Stamp) -> Option<Self> {
        let header = sample.attachment()?;
        let payload = sample.payload();
        let is_put = sample.kind() == SampleKind::Put;
        let (header_bytes, payload_bytes) = (header.len(), payload.len());
        if !is_put || header_bytes > HEADER_BYTES_MAX || payload_bytes > PAYLOAD_BYTES_MAX {
            return None;
        }
        Some(Self {
            key: sample.key_expr().as_str(),
            header,
            payload,
            arrival,
            n_bytes: header_bytes + payload_bytes,
            is_shared: payload.as_shm().is_some(),
        })
    }

    /// Whether it is copied rather than kept in its buffer.
    pub(crate) fn is_small(&self) -> bool {
        self.n_bytes < COPY_BYTES_MAX && !self.is_shared
    }

    /// The message, in memory of its own or in its buffer.
    pub(crate) fn message(&self) -> EncodedMessage {
        payload::received(self.header, self.payload)
    }
}
