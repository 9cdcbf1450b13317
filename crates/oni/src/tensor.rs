//! Tensors: what their numbers are, where they lie in the payload, and typed views of them.

use std::fmt;

use crate::limits::{ALIGNMENT_BYTES, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, RANK_MAX};
use crate::{Encoding, wire};

mod error;

pub use error::TensorError;

/// What a tensor's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// Byte.
    U8,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit unsigned integer.
    U32,
}

impl Dtype {
    /// Every type, in the order of its number.
    pub const ALL: [Self; 7] = [
        Self::F32,
        Self::F64,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
    ];

    /// Its number in the header.
    pub fn number(self) -> i32 {
        self as i32 + 1
    }

    /// From its number in the header.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.number() == number)
    }

    /// Its name in schemas.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
        }
    }

    /// From its name in schemas.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Bytes of one number.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row of a header's tensor table.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorEntry {
    /// Unique within the message.
    pub name: String,
    /// What its numbers are.
    pub dtype: Dtype,
    /// Row-major, the slowest dimension first.
    pub shape: Vec<u64>,
    /// First byte in the payload.
    pub offset: u64,
    /// Bytes in the payload, packed.
    pub length: u64,
    /// How its bytes are packed. In a message that was decoded or built every tensor is raw; this
    /// tells more only in a header that was decoded on its own.
    pub encoding: Encoding,
}

/// Whether a text may name a tensor.
pub(crate) fn is_tensor_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

impl TensorEntry {
    /// Reads one row; offsets are checked against the payload by [`check_layout`].
    pub(crate) fn from_wire(row: wire::Tensor) -> Result<Self, TensorError> {
        let wire::Tensor {
            name,
            dtype: number,
            shape,
            offset,
            length,
            encoding,
            scale,
        } = row;
        if !is_tensor_name(&name) {
            return Err(TensorError::Name { got: cut(&name) });
        }
        let Some(dtype) = Dtype::from_number(number) else {
            return Err(TensorError::UnknownDtype { name, number });
        };
        if shape.len() > RANK_MAX {
            return Err(TensorError::Rank {
                name,
                got: shape.len(),
            });
        }
        let encoding = Encoding::from_wire(&name, encoding, scale)?;
        let entry = Self {
            name,
            dtype,
            shape,
            offset,
            length,
            encoding,
        };
        entry.check_length()?;
        Ok(entry)
    }

    pub(crate) fn to_wire(&self) -> wire::Tensor {
        wire::Tensor {
            name: self.name.clone(),
            dtype: self.dtype.number(),
            shape: self.shape.clone(),
            offset: self.offset,
            length: self.length,
            encoding: self.encoding.number(),
            scale: self.encoding.scale().unwrap_or_default(),
        }
    }

    /// Bytes when raw.
    pub(crate) fn raw_bytes(&self) -> Result<u64, TensorError> {
        byte_length(&self.shape, self.dtype).ok_or_else(|| TensorError::TooLarge {
            name: self.name.clone(),
            shape: self.shape.clone(),
        })
    }

    fn check_length(&self) -> Result<(), TensorError> {
        let raw_bytes = self.raw_bytes()?;
        self.encoding.check(self)?;
        let expected = match self.encoding {
            Encoding::Raw => raw_bytes,
            Encoding::Int8 { .. } => raw_bytes / self.dtype.size_bytes() as u64,
            // Only the packed bytes themselves can tell.
            Encoding::Zstd | Encoding::Png16 => self.length,
        };
        if expected == self.length {
            return Ok(());
        }
        Err(TensorError::Length {
            name: self.name.clone(),
            expected,
            got: self.length,
        })
    }
}

/// Bytes of a raw tensor, or `None` beyond what a payload may have.
pub(crate) fn byte_length(shape: &[u64], dtype: Dtype) -> Option<u64> {
    let bytes_max = PAYLOAD_BYTES_MAX as u64;
    // A zero counts as one for the limit: nobody should have to think about [0, 2^63], and some
    // array libraries refuse it.
    let mut sizes = shape.iter().map(|dim| (*dim).max(1));
    let bytes = sizes.try_fold(dtype.size_bytes() as u64, |product, dim| {
        product.checked_mul(dim).filter(|bytes| *bytes <= bytes_max)
    })?;
    Some(if shape.contains(&0) { 0 } else { bytes })
}

/// Checks that every tensor lies aligned within the payload and that none share a byte or a name.
pub(crate) fn check_layout(
    tensors: &[TensorEntry],
    payload_bytes: usize,
) -> Result<(), TensorError> {
    for tensor in tensors {
        let (name, offset, length) = (|| tensor.name.clone(), tensor.offset, tensor.length);
        if !offset.is_multiple_of(ALIGNMENT_BYTES as u64) {
            return Err(TensorError::Unaligned {
                name: name(),
                offset,
            });
        }
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > payload_bytes as u64) {
            return Err(TensorError::OutOfPayload {
                name: name(),
                offset,
                length,
                payload_bytes,
            });
        }
    }
    let mut by_name: Vec<&TensorEntry> = tensors.iter().collect();
    by_name.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = by_name.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(TensorError::SameName {
            name: pair[0].name.clone(),
        });
    }
    let mut by_offset = by_name;
    by_offset.retain(|tensor| tensor.length > 0);
    by_offset.sort_by_key(|tensor| tensor.offset);
    let overlaps = |pair: &&[&TensorEntry]| pair[0].offset + pair[0].length > pair[1].offset;
    if let Some(pair) = by_offset.windows(2).find(overlaps) {
        let (first, second) = (pair[0].name.clone(), pair[1].name.clone());
        return Err(TensorError::Overlap { first, second });
    }
    Ok(())
}

/// The beginning of a text from outside, for an error message.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(NAME_BYTES_MAX + 16).collect()
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust number that is the element of a tensor.
pub trait Element: bytemuck::Pod + sealed::Sealed {
    /// The tensor's dtype.
    const DTYPE: Dtype;

    /// The number as `f64` (rounded for large 64-bit integers), for range checks and display.
    fn as_f64(self) -> f64;
}

macro_rules! element {
    ($($number:ty => $dtype:ident),*) => {$(
        impl sealed::Sealed for $number {}
        impl Element for $number {
            const DTYPE: Dtype = Dtype::$dtype;
            fn as_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

#[expect(clippy::cast_lossless, reason = "one body for all widths")]
mod elements {
    use super::{Dtype, Element, sealed};
    element!(f32 => F32, f64 => F64, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32);
}

/// A tensor of a message, in place.
#[derive(Debug, Clone, Copy)]
pub struct TensorView<'m> {
    entry: &'m TensorEntry,
    bytes: &'m [u8],
}

impl<'m> TensorView<'m> {
    /// `bytes` are those of `entry`, checked, and aligned for every dtype.
    pub(crate) fn new(entry: &'m TensorEntry, bytes: &'m [u8]) -> Self {
        Self { entry, bytes }
    }

    /// Its row of the tensor table.
    pub fn entry(&self) -> &'m TensorEntry {
        self.entry
    }

    /// Its bytes.
    pub fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// Its numbers, in place.
    ///
    /// # Errors
    /// [`TensorError::OtherDtype`] when the tensor's numbers are not `T`.
    ///
    /// # Panics
    /// Never: decoding and building see to it that payloads are aligned and lengths match.
    pub fn values<T: Element>(&self) -> Result<&'m [T], TensorError> {
        if self.entry.dtype != T::DTYPE {
            return Err(TensorError::OtherDtype {
                name: self.entry.name.clone(),
                expected: T::DTYPE,
                got: self.entry.dtype,
            });
        }
        Ok(bytemuck::try_cast_slice(self.bytes)
            .expect("payloads are aligned and lengths match shapes"))
    }
}
