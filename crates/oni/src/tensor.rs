//! Tensors: what their numbers are, where they lie in the payload, and typed views of them.

use std::fmt;

use crate::limits::{ALIGNMENT_BYTES, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, RANK_MAX};
use crate::wire::{self, Fields, Key, bytes, fixed64, varint};
use crate::{Encoding, ProtobufError};

mod error;
mod name;
mod shape;

pub use error::TensorError;
pub use name::TensorName;
pub use shape::Shape;

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
        let idx = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(idx).copied()
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
    pub name: TensorName,
    /// What its numbers are.
    pub dtype: Dtype,
    /// Row-major, the slowest dimension first.
    pub shape: Shape,
    /// First byte in the payload.
    pub offset: u64,
    /// Bytes in the payload, packed.
    pub length: u64,
    /// How its bytes are packed. In a message that was decoded or built every tensor is raw; this
    /// tells more only in a header that was decoded on its own.
    pub encoding: Encoding,
}

/// Why a row is refused: for its bytes, or for what they say.
pub(crate) enum RowError {
    Protobuf(ProtobufError),
    Tensor(TensorError),
}

impl From<ProtobufError> for RowError {
    fn from(error: ProtobufError) -> Self {
        Self::Protobuf(error)
    }
}

impl From<TensorError> for RowError {
    fn from(error: TensorError) -> Self {
        Self::Tensor(error)
    }
}

/// Whether a text may name a tensor.
pub(crate) fn is_tensor_name(name: &str) -> bool {
    TensorName::new(name).is_some()
}

impl TensorEntry {
    /// What a row without a field says: nothing that would be accepted.
    pub(crate) const UNREAD: Self = Self {
        name: TensorName::EMPTY,
        dtype: Dtype::U8,
        shape: Shape::SCALAR,
        offset: 0,
        length: 0,
        encoding: Encoding::Raw,
    };

    /// Reads one row into an unread entry, in place: tables are most of a header. Offsets are
    /// checked against the payload by [`check_layout`].
    pub(crate) fn read(&mut self, row: &[u8]) -> Result<(), RowError> {
        const NAME: Key = bytes(1);
        const DTYPE: Key = varint(2);
        const DIM: Key = varint(3);
        const SHAPE: Key = bytes(3);
        const OFFSET: Key = varint(4);
        const LENGTH: Key = varint(5);
        const ENCODING: Key = varint(6);
        const SCALE: Key = fixed64(7);
        let (mut name, mut dtype, mut encoding, mut scale) = (&[][..], 0, 0, 0.0);
        let mut rank = 0;
        let mut fields = Fields::new(row);
        while !fields.is_empty() {
            let mut push = |dim| {
                rank += 1;
                self.shape.push(dim);
            };
            match fields.key()? {
                NAME => name = fields.bytes()?,
                // 32-bit numbers are cut to 32 bits, as protobuf says.
                DTYPE => dtype = fields.varint()? as i32,
                // Repeated numbers come packed, or one by one.
                SHAPE => fields.each_varint(push)?,
                DIM => push(fields.varint()?),
                OFFSET => self.offset = fields.varint()?,
                LENGTH => self.length = fields.varint()?,
                ENCODING => encoding = fields.varint()? as i32,
                SCALE => scale = f64::from_le_bytes(fields.fixed64()?),
                key => fields.skip(key, 7)?,
            }
        }
        let Some(tensor_name) = TensorName::of_bytes(name) else {
            let name = std::str::from_utf8(name).or(Err(ProtobufError::Utf8 { number: 1 }))?;
            return Err(TensorError::Name { got: cut(name) }.into());
        };
        self.name = tensor_name;
        let name = || self.name.to_string();
        let Some(dtype) = Dtype::from_number(dtype) else {
            let (name, number) = (name(), dtype);
            return Err(TensorError::UnknownDtype { name, number }.into());
        };
        self.dtype = dtype;
        if rank > RANK_MAX {
            let (name, got) = (name(), rank);
            return Err(TensorError::Rank { name, got }.into());
        }
        self.encoding = Encoding::from_wire(&self.name, encoding, scale)?;
        Ok(self.check_length()?)
    }

    /// Writes the row.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        wire::put_bytes(out, 1, self.name.as_bytes());
        wire::put_varint(out, 2, i64::from(self.dtype.number()).cast_unsigned());
        wire::put_packed(out, 3, &self.shape);
        wire::put_varint(out, 4, self.offset);
        wire::put_varint(out, 5, self.length);
        wire::put_varint(out, 6, i64::from(self.encoding.number()).cast_unsigned());
        wire::put_fixed64(out, 7, self.encoding.scale().unwrap_or(0.0).to_le_bytes());
    }

    /// Bytes when raw.
    pub(crate) fn raw_bytes(&self) -> Result<u64, TensorError> {
        byte_length(&self.shape, self.dtype).ok_or_else(|| TensorError::TooLarge {
            name: self.name.to_string(),
            shape: self.shape.to_vec(),
        })
    }

    fn check_length(&self) -> Result<(), TensorError> {
        let raw_bytes = self.raw_bytes()?;
        let expected = match self.encoding {
            // For every tensor, and by far the most of them.
            Encoding::Raw => raw_bytes,
            Encoding::Int8 { .. } => {
                self.encoding.check(self)?;
                raw_bytes / self.dtype.size_bytes() as u64
            }
            // Only the packed bytes themselves can tell.
            Encoding::Zstd | Encoding::Png16 => {
                self.encoding.check(self)?;
                self.length
            }
        };
        if expected == self.length {
            return Ok(());
        }
        Err(TensorError::Length {
            name: self.name.to_string(),
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
        let (name, offset, length) = (|| tensor.name.to_string(), tensor.offset, tensor.length);
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
    check_names(tensors)?;
    check_overlap(tensors)
}

/// There are few names, mostly of different lengths: comparing each with each is the fastest.
fn check_names(tensors: &[TensorEntry]) -> Result<(), TensorError> {
    for (idx, tensor) in tensors.iter().enumerate() {
        let name = tensor.name.as_bytes();
        if tensors[..idx]
            .iter()
            .any(|other| other.name.as_bytes() == name)
        {
            return Err(TensorError::SameName {
                name: tensor.name.to_string(),
            });
        }
    }
    Ok(())
}

fn check_overlap(tensors: &[TensorEntry]) -> Result<(), TensorError> {
    // Writers lay tensors out one after the other: then there is nothing to sort.
    let mut end = 0;
    let one_after_the_other = tensors.iter().all(|tensor| {
        let behind = tensor.length == 0 || tensor.offset >= end;
        end = end.max(tensor.offset + tensor.length);
        behind
    });
    if one_after_the_other {
        return Ok(());
    }
    let mut by_offset: Vec<&TensorEntry> = tensors.iter().collect();
    by_offset.retain(|tensor| tensor.length > 0);
    by_offset.sort_by_key(|tensor| tensor.offset);
    let overlaps = |pair: &&[&TensorEntry]| pair[0].offset + pair[0].length > pair[1].offset;
    if let Some(pair) = by_offset.windows(2).find(overlaps) {
        let (first, second) = (pair[0].name.to_string(), pair[1].name.to_string());
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

    /// Whether all are finite and within limits, found out fast; `false` where that cannot be
    /// said fast, and for a range that `f64` is too coarse for.
    fn all_within(values: &[Self], limits: Limits) -> bool;
}

/// What each number of a tensor must be within, as schemas say it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub(crate) minimum: Option<f64>,
    pub(crate) exclusive_minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
}

impl Limits {
    fn is_none(self) -> bool {
        let Self {
            minimum,
            exclusive_minimum,
            maximum,
        } = self;
        minimum.is_none() && exclusive_minimum.is_none() && maximum.is_none()
    }
}

macro_rules! element {
    ($($number:ident => $dtype:ident, $all_within:expr);*) => {$(
        impl sealed::Sealed for $number {}
        impl Element for $number {
            const DTYPE: Dtype = Dtype::$dtype;
            fn as_f64(self) -> f64 {
                self as f64
            }
            fn all_within(values: &[Self], limits: Limits) -> bool {
                $all_within(values, limits)
            }
        }
    )*};
}

#[expect(clippy::cast_lossless, reason = "one body for all widths")]
mod elements {
    use super::{Dtype, Element, Limits, sealed};

    element!(
        f32 => F32, floats_within::<f32, 16>;
        f64 => F64, floats_within::<f64, 8>;
        i32 => I32, integers_within;
        i64 => I64, integers_within;
        u8 => U8, integers_within;
        u16 => U16, integers_within;
        u32 => U32, integers_within
    );

    /// A float that a limit can be said in exactly, or not at all.
    trait Float: Copy + PartialOrd {
        const LARGEST: Self;
        const SMALLEST: Self;
        fn exactly(limit: f64) -> Option<Self>;
    }

    impl Float for f32 {
        const LARGEST: Self = Self::MAX;
        const SMALLEST: Self = Self::MIN;
        fn exactly(limit: f64) -> Option<Self> {
            let float = limit as Self;
            let is_exact = (float as f64).to_bits() == limit.to_bits();
            (float.is_finite() && is_exact).then_some(float)
        }
    }

    impl Float for f64 {
        const LARGEST: Self = Self::MAX;
        const SMALLEST: Self = Self::MIN;
        fn exactly(limit: f64) -> Option<Self> {
            limit.is_finite().then_some(limit)
        }
    }

    /// NaN is in no range, and infinities are beyond the largest finite numbers.
    fn floats_within<T: Float, const LANES: usize>(values: &[T], limits: Limits) -> bool {
        let Some(minimum) = limits.minimum.map_or(Some(T::SMALLEST), T::exactly) else {
            return false;
        };
        let Some(maximum) = limits.maximum.map_or(Some(T::LARGEST), T::exactly) else {
            return false;
        };
        match limits.exclusive_minimum.map(T::exactly) {
            None => all::<T, LANES>(values, |value| value >= minimum && value <= maximum),
            Some(Some(below)) => all::<T, LANES>(values, |value| {
                value > below && value >= minimum && value <= maximum
            }),
            Some(None) => false,
        }
    }

    /// Without a branch for each value, so that the compiler takes many at once.
    fn all<T: Copy, const LANES: usize>(values: &[T], is_within: impl Fn(T) -> bool) -> bool {
        let (chunks, rest) = values.as_chunks::<LANES>();
        let within = |values: &[T]| {
            values
                .iter()
                .fold(true, |all, value| all & is_within(*value))
        };
        chunks.iter().all(|chunk| within(chunk)) && within(rest)
    }

    /// An integer is finite: without limits there is nothing to look at.
    fn integers_within<T: Element>(values: &[T], limits: Limits) -> bool {
        limits.is_none() || values.is_empty()
    }
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
                name: self.entry.name.to_string(),
                expected: T::DTYPE,
                got: self.entry.dtype,
            });
        }
        Ok(bytemuck::try_cast_slice(self.bytes)
            .expect("payloads are aligned and lengths match shapes"))
    }
}
