//! Encodings: how the bytes of a tensor are packed, and back.

mod int8;
mod png16;
mod zstandard;

use crate::limits::{ALIGNMENT_BYTES, PAYLOAD_BYTES_MAX};
use crate::{AlignedBytes, Dtype, Element, TensorEntry, TensorError, TensorName};

/// How a tensor's bytes are packed.
///
/// Packing is a choice of the sender ([`crate::Message::pack`]); readers get raw numbers whatever
/// was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Encoding {
    /// The numbers themselves: nothing to unpack, read in place.
    Raw,
    /// One Zstandard frame. For every dtype, without loss.
    Zstd,
    /// A byte per number, for f32 and f64. Lossy: off by half a step at most.
    Int8 {
        /// What one step is worth, positive; numbers of -128 to 127 steps can be said.
        scale: f64,
    },
    /// A 16-bit greyscale PNG picture, for u16 of shape `[row, column]`. Without loss.
    Png16,
}

impl Encoding {
    /// Its number in the header.
    pub fn number(self) -> i32 {
        match self {
            Self::Raw => 1,
            Self::Zstd => 2,
            Self::Int8 { .. } => 3,
            Self::Png16 => 4,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Zstd => "zstd",
            Self::Int8 { .. } => "int8",
            Self::Png16 => "png16",
        }
    }

    /// What one step of an int8 is worth; `None` for the other encodings.
    pub fn scale(self) -> Option<f64> {
        match self {
            Self::Int8 { scale } => Some(scale),
            Self::Raw | Self::Zstd | Self::Png16 => None,
        }
    }

    #[inline]
    pub(crate) fn from_wire(
        tensor: &TensorName,
        number: i32,
        scale: f64,
    ) -> Result<Self, TensorError> {
        let name = || tensor.to_string();
        let encoding = match number {
            1 => Self::Raw,
            2 => Self::Zstd,
            3 => Self::Int8 { scale },
            4 => Self::Png16,
            _ => {
                return Err(TensorError::UnknownEncoding {
                    name: name(),
                    number,
                });
            }
        };
        if encoding.scale().is_none() && scale != 0.0 {
            return Err(TensorError::Scale {
                name: name(),
                expected: "no scale for an encoding other than int8",
                got: scale,
            });
        }
        Ok(encoding)
    }

    /// Whether it is for tensors of this dtype and shape, and its scale is one.
    pub(crate) fn check(self, entry: &TensorEntry) -> Result<(), TensorError> {
        let TensorEntry { dtype, shape, .. } = entry;
        let (fits, expected) = match self {
            Self::Raw | Self::Zstd => (true, "any tensor"),
            Self::Int8 { .. } => (
                matches!(dtype, Dtype::F32 | Dtype::F64),
                "a tensor of dtype f32 or f64",
            ),
            Self::Png16 => (
                *dtype == Dtype::U16
                    && matches!(shape[..], [rows, columns] if rows.min(columns) > 0),
                "a tensor of dtype u16 and shape [row, column], both at least 1,",
            ),
        };
        if !fits {
            return Err(TensorError::EncodingMisfit {
                name: entry.name.to_string(),
                encoding: self.name(),
                expected,
                dtype: *dtype,
                shape: shape.to_vec(),
            });
        }
        match self {
            Self::Int8 { scale } => int8::check_scale(entry, scale),
            Self::Raw | Self::Zstd | Self::Png16 => Ok(()),
        }
    }

    /// Packs the raw bytes of a tensor that this encoding is for.
    pub(crate) fn pack(self, entry: &TensorEntry, raw: &[u8]) -> Result<Vec<u8>, TensorError> {
        match self {
            Self::Raw => Ok(raw.to_vec()),
            Self::Zstd => zstandard::pack(entry, raw),
            Self::Int8 { scale } => int8::pack(entry, scale, raw),
            Self::Png16 => png16::pack(entry, raw),
        }
    }
}

/// Unpacks every tensor of a table whose layout was checked: the same table with all tensors raw,
/// one after the other, and the bytes that it describes. Nothing is allocated before every tensor's
/// size was found to be what its packed bytes say.
pub(crate) fn unpack(
    tensors: &mut [TensorEntry],
    payload: &[u8],
) -> Result<AlignedBytes, TensorError> {
    let mut end = 0;
    let mut unpacked = tensors.to_vec();
    for (packed, raw) in tensors.iter().zip(&mut unpacked) {
        check_packed(packed, bytes_of(packed, payload))?;
        raw.encoding = Encoding::Raw;
        raw.offset = u64::next_multiple_of(end, ALIGNMENT_BYTES as u64);
        raw.length = packed.raw_bytes()?;
        // Neither can overflow: there are few tensors, each within the limits.
        end = raw.offset + raw.length;
        if end > PAYLOAD_BYTES_MAX as u64 {
            return Err(TensorError::UnpackedTooLarge {
                name: raw.name.to_string(),
                got: end,
            });
        }
    }
    let mut bytes = AlignedBytes::zeroed(end as usize);
    for (packed, raw) in tensors.iter().zip(&unpacked) {
        let begin = raw.offset as usize;
        let target = &mut bytes.as_mut_slice()[begin..begin + raw.length as usize];
        unpack_one(packed, bytes_of(packed, payload), target)?;
    }
    tensors.clone_from_slice(&unpacked);
    Ok(bytes)
}

fn bytes_of<'p>(entry: &TensorEntry, payload: &'p [u8]) -> &'p [u8] {
    &payload[entry.offset as usize..][..entry.length as usize]
}

/// What can be said about packed bytes without memory for what is in them.
fn check_packed(entry: &TensorEntry, packed: &[u8]) -> Result<(), TensorError> {
    match entry.encoding {
        // Their lengths follow from their shapes, which was checked with the table.
        Encoding::Raw | Encoding::Int8 { .. } => Ok(()),
        Encoding::Zstd => zstandard::check(entry, packed),
        Encoding::Png16 => png16::check(entry, packed),
    }
}

/// `raw` has as many zeros as the tensor has bytes, and is aligned for every dtype.
fn unpack_one(entry: &TensorEntry, packed: &[u8], raw: &mut [u8]) -> Result<(), TensorError> {
    match entry.encoding {
        Encoding::Raw => {
            raw.copy_from_slice(packed);
            Ok(())
        }
        Encoding::Zstd => zstandard::unpack(entry, packed, raw),
        Encoding::Int8 { scale } => {
            int8::unpack(entry.dtype, scale, packed, raw);
            Ok(())
        }
        Encoding::Png16 => png16::unpack(entry, packed, raw),
    }
}

fn bad_data(entry: &TensorEntry, expected: String, got: &dyn ToString) -> TensorError {
    TensorError::PackedData {
        name: entry.name.to_string(),
        encoding: entry.encoding.name(),
        expected,
        got: got.to_string(),
    }
}

/// The numbers of raw bytes, which are aligned and as long as whole numbers.
fn numbers<T: Element>(raw: &[u8]) -> &[T] {
    bytemuck::try_cast_slice(raw).expect("payloads are aligned and lengths match shapes")
}

/// The numbers of raw bytes, which are aligned and as long as whole numbers.
fn numbers_mut<T: Element>(raw: &mut [u8]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(raw).expect("payloads are aligned and lengths match shapes")
}

#[cfg(test)]
mod tests;
