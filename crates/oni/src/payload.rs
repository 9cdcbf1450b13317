//! Payload bytes, aligned so that tensors can be read in place, whoever owns them.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use crate::limits::ALIGNMENT_BYTES;

/// The largest alignment that any dtype asks of memory.
const WORD_BYTES: usize = size_of::<u64>();

/// 2 KiB: a planar scan and what belongs to it.
const TYPICAL_WORDS: usize = 256;

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

    /// Empty, with room for the tensors of a typical sensor message.
    pub(crate) fn with_room() -> Self {
        Self {
            words: Vec::with_capacity(TYPICAL_WORDS),
            len: 0,
        }
    }

    pub(crate) fn zeroed(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(WORD_BYTES)],
            len,
        }
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    /// Without bytes, its memory kept.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    /// Appends so many zeros at the next multiple of [`ALIGNMENT_BYTES`]; their offset.
    pub(crate) fn append_zeros(&mut self, n_bytes: usize) -> usize {
        let offset = self.len.next_multiple_of(ALIGNMENT_BYTES);
        self.len = offset + n_bytes;
        self.words.resize(self.len.div_ceil(WORD_BYTES), 0);
        offset
    }

    /// Appends `bytes` at the next multiple of [`ALIGNMENT_BYTES`], zeros between; its offset.
    pub(crate) fn append_tensor(&mut self, bytes: &[u8]) -> usize {
        let offset = self.append_zeros(bytes.len());
        self.as_mut_slice()[offset..].copy_from_slice(bytes);
        offset
    }
}

impl std::fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBytes({} bytes)", self.len)
    }
}

/// Payload bytes that somebody else owns: a network's receive buffer, shared memory.
///
/// The bytes must stay the same for as long as the buffer lives. (If a faulty process writes into
/// shared memory all the same, readers see other numbers, and nothing worse.) A transport that
/// wants its own type back asks [`EncodedMessage::buffer`](crate::EncodedMessage::buffer) and
/// casts it to [`Any`].
pub trait PayloadBuffer: Any + Send + Sync {
    /// How many bytes there are.
    fn len_bytes(&self) -> usize;

    /// All bytes, if they lie in one run.
    fn contiguous(&self) -> Option<&[u8]>;

    /// Copies all bytes into `target`, which has [`PayloadBuffer::len_bytes`] zeros.
    fn copy_to(&self, target: &mut [u8]);
}

/// How a message came to its payload; copies are worth counting on a path that should have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadOrigin {
    /// Built here.
    Built,
    /// Read where it lies.
    InPlace,
    /// Not aligned or not in one run, and therefore copied once.
    Copied,
    /// Some tensors were packed: all were unpacked into memory of their own.
    Unpacked,
}

/// The payload of an encoded message.
pub(crate) enum PayloadBytes {
    Owned(AlignedBytes),
    Foreign {
        buffer: Box<dyn PayloadBuffer>,
        /// Made on the first reader's thread, and only where the buffer cannot be read in place.
        copy: OnceLock<AlignedBytes>,
    },
}

impl PayloadBytes {
    pub(crate) fn of_buffer(buffer: Box<dyn PayloadBuffer>) -> Self {
        let copy = OnceLock::new();
        Self::Foreign { buffer, copy }
    }

    /// The bytes, aligned for every dtype.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes.as_slice(),
            Self::Foreign { buffer, copy } => in_place(&**buffer).unwrap_or_else(|| {
                let copied = copy.get_or_init(|| {
                    let mut copied = AlignedBytes::zeroed(buffer.len_bytes());
                    buffer.copy_to(copied.as_mut_slice());
                    copied
                });
                copied.as_slice()
            }),
        }
    }

    pub(crate) fn buffer(&self) -> Option<&dyn PayloadBuffer> {
        match self {
            Self::Owned(_) => None,
            Self::Foreign { buffer, .. } => Some(&**buffer),
        }
    }

    /// Copies nothing, unlike [`PayloadBytes::as_slice`].
    pub(crate) fn len_bytes(&self) -> usize {
        match self {
            Self::Owned(bytes) => bytes.len,
            Self::Foreign { buffer, .. } => buffer.len_bytes(),
        }
    }

    pub(crate) fn origin(&self) -> PayloadOrigin {
        match self {
            Self::Owned(_) => PayloadOrigin::Built,
            Self::Foreign { buffer, .. } if in_place(&**buffer).is_some() => PayloadOrigin::InPlace,
            Self::Foreign { .. } => PayloadOrigin::Copied,
        }
    }
}

fn in_place(buffer: &dyn PayloadBuffer) -> Option<&[u8]> {
    buffer.contiguous().filter(|bytes| is_aligned(bytes))
}

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(WORD_BYTES)
}

/// Payload and header in one piece of memory: payload, which is aligned there, then header.
#[derive(Clone)]
pub(crate) struct Together {
    words: Arc<[u64]>,
    payload_bytes: usize,
    header_bytes: usize,
}

impl Together {
    pub(crate) fn copy_of(header: &[u8], payload: &[u8]) -> Self {
        let (payload_bytes, header_bytes) = (payload.len(), header.len());
        let n_words = (payload_bytes + header_bytes).div_ceil(WORD_BYTES);
        // Of a length that is known beforehand, and therefore allocated once.
        let mut words: Arc<[u64]> = std::iter::repeat_n(0, n_words).collect();
        let target = Arc::get_mut(&mut words).expect("nobody else has it yet");
        let target: &mut [u8] = bytemuck::cast_slice_mut(target);
        target[..payload_bytes].copy_from_slice(payload);
        target[payload_bytes..][..header_bytes].copy_from_slice(header);
        Self {
            words,
            payload_bytes,
            header_bytes,
        }
    }

    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.payload_bytes]
    }

    #[inline]
    pub(crate) fn header(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[self.payload_bytes..][..self.header_bytes]
    }

    pub(crate) fn is_same_memory(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.words, &other.words)
    }
}

/// A message's payload.
#[derive(Clone)]
pub(crate) enum Payload<'a> {
    Borrowed(&'a [u8], PayloadOrigin),
    /// Built here, for its memory to serve again.
    Kept(AlignedBytes),
    Shared(Arc<PayloadBytes>, PayloadOrigin),
}

impl<'a> Payload<'a> {
    /// Keeps aligned bytes as they are and copies others once.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Self {
        if is_aligned(bytes) {
            Self::Borrowed(bytes, PayloadOrigin::InPlace)
        } else {
            Self::owned(AlignedBytes::copy_of(bytes), PayloadOrigin::Copied)
        }
    }

    pub(crate) fn owned(bytes: AlignedBytes, origin: PayloadOrigin) -> Self {
        Self::Shared(Arc::new(PayloadBytes::Owned(bytes)), origin)
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes, _) => bytes,
            Self::Kept(bytes) => bytes.as_slice(),
            Self::Shared(bytes, _) => bytes.as_slice(),
        }
    }

    pub(crate) fn origin(&self) -> PayloadOrigin {
        match self {
            Self::Borrowed(_, origin) | Self::Shared(_, origin) => *origin,
            Self::Kept(_) => PayloadOrigin::Built,
        }
    }

    /// The bytes to send: those that are owned already, or a copy of borrowed ones.
    pub(crate) fn to_shared(&self) -> Arc<PayloadBytes> {
        match self {
            Self::Borrowed(bytes, _) => Arc::new(PayloadBytes::Owned(AlignedBytes::copy_of(bytes))),
            Self::Kept(bytes) => Arc::new(PayloadBytes::Owned(bytes.clone())),
            Self::Shared(bytes, _) => Arc::clone(bytes),
        }
    }
}

impl std::fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n_bytes = self.as_slice().len();
        write!(f, "Payload({n_bytes} bytes, {:?})", self.origin())
    }
}

#[cfg(test)]
mod tests;
