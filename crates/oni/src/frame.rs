//! The framed form: a message as one run of bytes, for files and serial lines.

use crate::limits::{ALIGNMENT_BYTES, HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::{DecodeError, EncodedMessage, Message};

mod reader;

pub use reader::{FrameCounts, FrameReader};

/// The first bytes of a framed message.
pub const FRAME_MAGIC: [u8; 4] = *b"ONI1";
/// Magic, header length (u32), payload length (u64).
const PREAMBLE_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 16;

/// Why bytes are no framed message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// It does not begin as a frame does.
    #[error("expected a frame to begin with {FRAME_MAGIC:?}, got {got:?}")]
    Magic {
        /// What came.
        got: Vec<u8>,
    },
    /// The bytes end too early.
    #[error("expected a frame of {expected} bytes, got {got}")]
    Truncated {
        /// Bytes that the frame has, as far as is known.
        expected: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// A length is beyond the limits.
    #[error("frame: expected a {part} of at most {max} bytes, got {got}")]
    TooLong {
        /// Header or payload.
        part: &'static str,
        /// What it may have.
        max: usize,
        /// What came.
        got: u64,
    },
    /// The checksum is another one.
    #[error("frame: expected checksum {expected}, got {got}")]
    Checksum {
        /// Of the bytes that came, hexadecimal.
        expected: String,
        /// What came, hexadecimal.
        got: String,
    },
    /// The frame is whole, and what is in it is no message.
    #[error(transparent)]
    Message(#[from] DecodeError),
}

/// Where the parts of a frame begin and end.
struct Layout {
    header_end: usize,
    payload_begin: usize,
    payload_end: usize,
}

impl Layout {
    /// Both lengths must be within the limits, so that nothing here can overflow.
    fn new(header_bytes: usize, payload_bytes: usize) -> Self {
        let header_end = PREAMBLE_BYTES + header_bytes;
        let payload_begin = header_end.next_multiple_of(ALIGNMENT_BYTES);
        Self {
            header_end,
            payload_begin,
            payload_end: payload_begin + payload_bytes,
        }
    }

    /// From the beginning of a frame, of which not everything must be there yet.
    fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let magic = &bytes[..bytes.len().min(FRAME_MAGIC.len())];
        if !FRAME_MAGIC.starts_with(magic) {
            return Err(FrameError::Magic {
                got: magic.to_vec(),
            });
        }
        let Some(preamble) = bytes.first_chunk::<PREAMBLE_BYTES>() else {
            return Err(FrameError::Truncated {
                expected: PREAMBLE_BYTES,
                got: bytes.len(),
            });
        };
        let [.., a, b, c, d, e, f, g, h] = *preamble;
        let payload_bytes = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let [_, _, _, _, a, b, c, d, ..] = *preamble;
        let header_bytes = u32::from_le_bytes([a, b, c, d]);
        Ok(Self::new(
            within("header", u64::from(header_bytes), HEADER_BYTES_MAX)?,
            within("payload", payload_bytes, PAYLOAD_BYTES_MAX)?,
        ))
    }

    /// The frame at the beginning of `bytes`, whole and with the right checksum.
    fn check<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], FrameError> {
        let expected = self.frame_bytes();
        let Some(frame) = bytes.get(..expected) else {
            return Err(FrameError::Truncated {
                expected,
                got: bytes.len(),
            });
        };
        let (content, stated) = frame.split_at(self.payload_end);
        let actual = checksum(content);
        if actual != stated {
            let (expected, got) = (crate::header::hex(&actual), crate::header::hex(stated));
            return Err(FrameError::Checksum { expected, got });
        }
        Ok(frame)
    }

    fn header<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        &frame[PREAMBLE_BYTES..self.header_end]
    }

    fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        &frame[self.payload_begin..self.payload_end]
    }

    fn frame_bytes(&self) -> usize {
        self.payload_end + CHECKSUM_BYTES
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *blake3::hash(bytes)
        .as_bytes()
        .first_chunk()
        .expect("a blake3 hash has 32 bytes")
}

impl EncodedMessage {
    /// The framed form.
    pub fn to_frame(&self) -> Vec<u8> {
        let (header, payload) = (self.header(), self.payload());
        let layout = Layout::new(header.len(), payload.len());
        let mut frame = Vec::with_capacity(layout.frame_bytes());
        frame.extend_from_slice(&FRAME_MAGIC);
        frame.extend_from_slice(&(header.len() as u32).to_le_bytes());
        frame.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        frame.extend_from_slice(header);
        frame.resize(layout.payload_begin, 0);
        frame.extend_from_slice(payload);
        let checksum = checksum(&frame);
        frame.extend_from_slice(&checksum);
        frame
    }
}

impl<'a> Message<'a> {
    /// Reads the framed message at the beginning of `bytes`, and how many bytes it took.
    ///
    /// # Errors
    /// [`FrameError`]; for [`FrameError::Truncated`] more bytes may help.
    pub fn from_frame(bytes: &'a [u8]) -> Result<(Self, usize), FrameError> {
        let layout = Layout::read(bytes)?;
        let frame = layout.check(bytes)?;
        let message = Self::decode(layout.header(frame), layout.payload(frame))?;
        Ok((message, frame.len()))
    }
}

fn within(part: &'static str, got: u64, max: usize) -> Result<usize, FrameError> {
    let fits = usize::try_from(got).ok().filter(|length| *length <= max);
    fits.ok_or(FrameError::TooLong { part, max, got })
}
