//! Payload bytes, aligned so that tensors can be read in place.

use crate::limits::ALIGNMENT_BYTES;

/// The largest alignment that any dtype asks of memory.
const WORD_BYTES: usize = size_of::<u64>();

/// Bytes whose first one is aligned for every dtype.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AlignedBytes {
    words: Vec<u64>,
    len: usize,
}

impl AlignedBytes {
    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.as_mut_slice().copy_from_slice(bytes);
        copy
    }

    fn zeroed(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(WORD_BYTES)],
            len,
        }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    /// Appends `bytes` at the next multiple of [`ALIGNMENT_BYTES`], zeros between; its offset.
    pub(crate) fn append_tensor(&mut self, bytes: &[u8]) -> usize {
        let offset = self.len.next_multiple_of(ALIGNMENT_BYTES);
        self.len = offset + bytes.len();
        self.words.resize(self.len.div_ceil(WORD_BYTES), 0);
        self.as_mut_slice()[offset..].copy_from_slice(bytes);
        offset
    }
}

impl std::fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBytes({} bytes)", self.len)
    }
}

/// How a message came to its payload; copies are worth counting on a path that should have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadOrigin {
    /// Built here.
    Built,
    /// Decoded, and read where it lies.
    InPlace,
    /// Decoded from a buffer that was not aligned, and therefore copied once.
    Copied,
}

/// A message's payload.
#[derive(Debug, Clone)]
pub(crate) enum Payload<'a> {
    Borrowed(&'a [u8]),
    Owned(AlignedBytes, PayloadOrigin),
}

impl<'a> Payload<'a> {
    /// Keeps aligned bytes as they are and copies others once.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Self {
        if bytes.as_ptr().addr().is_multiple_of(WORD_BYTES) {
            Self::Borrowed(bytes)
        } else {
            Self::Owned(AlignedBytes::copy_of(bytes), PayloadOrigin::Copied)
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes, _) => bytes.as_slice(),
        }
    }

    pub(crate) fn origin(&self) -> PayloadOrigin {
        match self {
            Self::Borrowed(_) => PayloadOrigin::InPlace,
            Self::Owned(_, origin) => *origin,
        }
    }
}
