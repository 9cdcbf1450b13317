//! Bundles: several small messages of one stream in one sample of a transport.

use crate::limits::{BUNDLE_BYTES_MAX, BUNDLE_MESSAGES_MAX};

/// The first bytes of a bundle's attachment. No header begins so: as protobuf it would be a field
/// of a wire type that there is not.
pub const BUNDLE_MAGIC: [u8; 4] = *b"ONIB";
/// Length of a message's header and of its payload, both u32.
const ROW_BYTES: usize = 8;

/// Why two runs of bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The attachment is something else, such as a header.
    #[error("expected a bundle to begin with {BUNDLE_MAGIC:?}, got {got:?}")]
    Magic {
        /// What came, at most as many bytes.
        got: Vec<u8>,
    },
    /// The table of lengths ends within a row, is empty or too long.
    #[error(
        "bundle: expected 1 to {BUNDLE_MESSAGES_MAX} rows of {ROW_BYTES} bytes, got {got} bytes"
    )]
    Table {
        /// Bytes behind the beginning.
        got: usize,
    },
    /// Both parts together are too long.
    #[error("bundle: expected at most {BUNDLE_BYTES_MAX} bytes in both parts, got {got}")]
    TooLong {
        /// Bytes of both.
        got: usize,
    },
    /// The lengths and the payload differ.
    #[error("bundle: expected a payload of {expected} bytes, as its lengths add up to, got {got}")]
    Payload {
        /// The sum of the lengths.
        expected: u64,
        /// Bytes that came.
        got: usize,
    },
}

/// Small messages of one stream, in order, that share a sample.
///
/// A transport spends as much on a message of a hundred bytes as on one of ten thousand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    attachment: Vec<u8>,
    payload: Vec<u8>,
}

impl Default for Bundle {
    fn default() -> Self {
        Self {
            attachment: BUNDLE_MAGIC.to_vec(),
            payload: Vec::new(),
        }
    }
}

impl Bundle {
    /// Adds a message, given by its two parts, behind the others; `false` where it has no room.
    pub fn push(&mut self, header: &[u8], payload: &[u8]) -> bool {
        let n_bytes = header.len().saturating_add(payload.len());
        let n_more = n_bytes.saturating_add(ROW_BYTES);
        if self.len() >= BUNDLE_MESSAGES_MAX || n_more > BUNDLE_BYTES_MAX - self.len_bytes() {
            return false;
        }
        if self.payload.capacity() == 0 {
            self.payload.reserve_exact(BUNDLE_BYTES_MAX);
        }
        for part in [header, payload] {
            // It is below the limit of a bundle.
            let length = (part.len() as u32).to_le_bytes();
            self.attachment.extend_from_slice(&length);
            self.payload.extend_from_slice(part);
        }
        true
    }

    /// How many messages are in it.
    pub fn len(&self) -> usize {
        (self.attachment.len() - BUNDLE_MAGIC.len()) / ROW_BYTES
    }

    /// Whether no message is in it; such a bundle is not to be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of both parts.
    pub fn len_bytes(&self) -> usize {
        self.attachment.len() + self.payload.len()
    }

    /// What goes where a message's header and its payload would go.
    pub fn into_parts(self) -> (Vec<u8>, Vec<u8>) {
        (self.attachment, self.payload)
    }
}

/// The messages of a bundle that came, viewed in its bytes.
#[derive(Debug, Clone)]
pub struct BundleParts<'a> {
    table: std::slice::ChunksExact<'a, u8>,
    payload: &'a [u8],
}

impl<'a> BundleParts<'a> {
    /// Whether an attachment begins as that of a bundle does.
    pub fn is_begun_by(attachment: &[u8]) -> bool {
        attachment.starts_with(&BUNDLE_MAGIC)
    }

    /// Reads the two parts; what the messages themselves hold is not looked at.
    ///
    /// # Errors
    /// [`BundleError`]: then none of its messages is to be believed.
    pub fn read(attachment: &'a [u8], payload: &'a [u8]) -> Result<Self, BundleError> {
        let Some(table) = attachment.strip_prefix(&BUNDLE_MAGIC) else {
            let got = attachment.iter().copied().take(BUNDLE_MAGIC.len());
            return Err(BundleError::Magic { got: got.collect() });
        };
        let n_bytes = attachment.len().saturating_add(payload.len());
        if n_bytes > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLong { got: n_bytes });
        }
        let rows = table.chunks_exact(ROW_BYTES);
        let is_whole = rows.remainder().is_empty();
        if !is_whole || !(1..=BUNDLE_MESSAGES_MAX).contains(&rows.len()) {
            return Err(BundleError::Table { got: table.len() });
        }
        // No more than 1024 rows of two 32-bit numbers: the sum cannot overflow.
        let expected = rows.clone().map(|row| {
            let (header, payload) = lengths(row);
            u64::from(header) + u64::from(payload)
        });
        let expected = expected.sum();
        if expected != payload.len() as u64 {
            let got = payload.len();
            return Err(BundleError::Payload { expected, got });
        }
        Ok(Self {
            table: rows,
            payload,
        })
    }
}

/// A message's header and payload, in this order.
impl<'a> Iterator for BundleParts<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (n_header, n_payload) = lengths(self.table.next()?);
        // The lengths add up to the payload.
        let (header, rest) = self.payload.split_at(n_header as usize);
        let (payload, rest) = rest.split_at(n_payload as usize);
        self.payload = rest;
        Some((header, payload))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.table.size_hint()
    }
}

impl ExactSizeIterator for BundleParts<'_> {}

/// Of a message's header and payload.
fn lengths(row: &[u8]) -> (u32, u32) {
    let mut lengths = row.chunks_exact(ROW_BYTES / 2).map(|bytes| {
        let bytes = bytes.first_chunk().copied().unwrap_or_default();
        u32::from_le_bytes(bytes)
    });
    let mut next = || lengths.next().unwrap_or_default();
    (next(), next())
}

#[cfg(test)]
mod tests;
