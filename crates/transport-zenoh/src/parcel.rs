//! What came, before it is copied out of Zenoh's buffers.

use std::borrow::Cow;

use sedge_oni::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use sedge_oni::{BundleParts, EncodedMessage};
use sedge_spacetime::Stamp;
use zenoh::bytes::ZBytes;
use zenoh::sample::{Sample, SampleKind};

use crate::payload::{self, COPY_BYTES_MAX};

/// A message in a sample.
pub(crate) struct Parcel<'s> {
    /// Not yet known to be a key of ours.
    pub(crate) key: &'s str,
    pub(crate) header: Cow<'s, [u8]>,
    pub(crate) payload: Content<'s>,
    pub(crate) arrival: Stamp,
    /// Bytes of both parts.
    pub(crate) n_bytes: usize,
}

/// Where a message's payload lies.
#[derive(Clone, Copy)]
pub(crate) enum Content<'s> {
    /// In a buffer that may be kept.
    Buffer(&'s ZBytes),
    /// Among others, whom keeping it would keep too.
    Part(&'s [u8]),
}

/// Hands on each message of a sample; whether it is one or a bundle of them, within the limits, and
/// all were taken. Nothing is copied before that is known.
pub(crate) fn each_of(
    sample: &Sample,
    arrival: Stamp,
    mut take: impl FnMut(&Parcel<'_>) -> bool,
) -> bool {
    let (Some(header), SampleKind::Put) = (sample.attachment(), sample.kind()) else {
        return false;
    };
    let payload = sample.payload();
    if header.len() > HEADER_BYTES_MAX || payload.len() > PAYLOAD_BYTES_MAX {
        return false;
    }
    let header = header.to_bytes();
    let key = sample.key_expr().as_str();
    if !BundleParts::is_begun_by(&header) {
        return take(&Parcel {
            key,
            n_bytes: header.len() + payload.len(),
            header,
            payload: Content::Buffer(payload),
            arrival,
        });
    }
    let payload = payload.to_bytes();
    let parts = BundleParts::read(&header, &payload);
    parts.is_ok_and(|mut parts| {
        parts.all(|(header, payload)| {
            take(&Parcel {
                key,
                n_bytes: header.len() + payload.len(),
                header: Cow::Borrowed(header),
                payload: Content::Part(payload),
                arrival,
            })
        })
    })
}

impl Parcel<'_> {
    /// Whether the payload is memory of its sender's.
    pub(crate) fn is_shared(&self) -> bool {
        match self.payload {
            Content::Buffer(buffer) => buffer.as_shm().is_some(),
            Content::Part(_) => false,
        }
    }

    /// Whether it is copied into a slab, rather than kept in its buffer or copied by itself.
    pub(crate) fn is_small(&self) -> bool {
        self.n_bytes < COPY_BYTES_MAX && !self.is_shared()
    }

    /// The payload's bytes, in one run.
    pub(crate) fn payload(&self) -> Cow<'_, [u8]> {
        match self.payload {
            Content::Buffer(buffer) => buffer.to_bytes(),
            Content::Part(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// The message, in memory of its own or in its buffer.
    pub(crate) fn message(&self) -> EncodedMessage {
        match self.payload {
            Content::Buffer(buffer) => payload::received(&self.header, buffer),
            Content::Part(bytes) => EncodedMessage::copy_of(&self.header, bytes),
        }
    }
}
