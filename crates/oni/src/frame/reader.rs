//! Frames out of a stream of bytes that may be damaged: a serial line, a file with a torn end.

use super::{FRAME_MAGIC, Layout};
use crate::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::{AlignedBytes, EncodedMessage, FrameError};

/// What a [`FrameReader`] has found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    /// Whole frames with the right checksum.
    pub frames: u64,
    /// Places that began as a frame does and were none: damaged frames, mostly. Where a damaged
    /// frame carries the magic bytes once more, it counts twice.
    pub broken: u64,
    /// Bytes that were in no whole frame.
    pub skipped_bytes: u64,
}

/// Finds the frames in bytes that come in pieces, and finds the next one after damage.
///
/// Push bytes, take messages until there is none, push more. After something that is no frame it
/// goes on at the next [`FRAME_MAGIC`] behind the first byte of what was refused, so that one
/// damaged byte costs one frame. It keeps at most one frame's bytes; what it does not take yet,
/// [`FrameReader::push`] says.
///
/// ```
/// use sedge_oni::{AlignedBytes, EncodedMessage, FrameReader};
///
/// let sent = EncodedMessage::new("header", AlignedBytes::copy_of(b"payload"));
/// let line = [b"noise".as_slice(), &sent.to_frame()].concat();
/// let mut reader = FrameReader::new();
/// let mut came = Vec::new();
/// for piece in line.chunks(7) {
///     assert_eq!(reader.push(piece), piece.len());
///     came.extend(std::iter::from_fn(|| reader.next_message()));
/// }
/// assert_eq!(came, [sent]);
/// assert_eq!(reader.counts().skipped_bytes, 5);
/// ```
#[derive(Debug)]
pub struct FrameReader {
    /// What is kept begins at `begin`.
    bytes: Vec<u8>,
    begin: usize,
    frame_bytes_max: usize,
    at_end: bool,
    counts: FrameCounts,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameReader {
    /// For frames up to the format's limits (64 MiB and some).
    pub fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// For frames of at most `frame_bytes_max`; longer ones count as broken. A line that is noisy
    /// or not trusted wants a limit near its longest frame: a damaged length makes the reader wait
    /// for as many bytes, and each place that looks like a frame costs the checksum of its length.
    pub fn with_limit(frame_bytes_max: usize) -> Self {
        let longest = Layout::new(HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX).frame_bytes();
        let shortest = Layout::new(0, 0).frame_bytes();
        Self {
            bytes: Vec::new(),
            begin: 0,
            frame_bytes_max: frame_bytes_max.clamp(shortest, longest),
            at_end: false,
            counts: FrameCounts::default(),
        }
    }

    /// Takes bytes from the stream, and says how many: all of them, unless a frame's bytes are
    /// waiting to be taken by [`FrameReader::next_message`]. After that has returned `None`, at
    /// least one is taken.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let room = self.frame_bytes_max - self.waiting().len();
        let taken = bytes.len().min(room);
        if self.begin > 0 && self.bytes.len() + taken > self.frame_bytes_max {
            self.bytes.drain(..self.begin);
            self.begin = 0;
        }
        self.bytes.extend_from_slice(&bytes[..taken]);
        taken
    }

    /// Says that no byte will come any more: what waits for its rest is broken, and whole frames
    /// behind it are found.
    pub fn end(&mut self) {
        self.at_end = true;
    }

    /// The next whole frame; `None` when more bytes are needed, or after [`FrameReader::end`] when
    /// there is none any more. What is in it has not been decoded.
    pub fn next_message(&mut self) -> Option<EncodedMessage> {
        loop {
            let waiting = self.waiting();
            let refused = match self.whole_frame() {
                Ok((message, frame_bytes)) => {
                    self.begin += frame_bytes;
                    self.counts.frames += 1;
                    return Some(message);
                }
                Err(FrameError::Truncated { .. }) if waiting.is_empty() || !self.at_end => {
                    return None;
                }
                Err(error) => error,
            };
            // Not the magic itself again, and nothing that could be the beginning of the next.
            let skipped = 1 + next_magic(&waiting[1..]);
            if !matches!(refused, FrameError::Magic { .. }) {
                self.counts.broken += 1;
            }
            self.counts.skipped_bytes += skipped as u64;
            self.begin += skipped;
        }
    }

    /// What was found so far.
    pub fn counts(&self) -> FrameCounts {
        self.counts
    }

    fn waiting(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    /// The frame at the beginning of what waits, and its length.
    fn whole_frame(&self) -> Result<(EncodedMessage, usize), FrameError> {
        let layout = Layout::read(self.waiting())?;
        let frame_bytes = layout.frame_bytes();
        if frame_bytes > self.frame_bytes_max {
            return Err(FrameError::TooLong {
                part: "frame",
                max: self.frame_bytes_max,
                got: frame_bytes as u64,
            });
        }
        let frame = layout.check(self.waiting())?;
        let payload = AlignedBytes::copy_of(layout.payload(frame));
        Ok((
            EncodedMessage::new(layout.header(frame), payload),
            frame_bytes,
        ))
    }
}

/// Bytes before the next magic, or before what could be its beginning at the end.
fn next_magic(bytes: &[u8]) -> usize {
    let begins = |from: usize| {
        let rest = &bytes[from..];
        FRAME_MAGIC.starts_with(&rest[..rest.len().min(FRAME_MAGIC.len())])
    };
    let first = FRAME_MAGIC[0];
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if begins(from + at) {
            return from + at;
        }
        from += at + 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
