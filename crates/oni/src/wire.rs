//! Protobuf by hand: fields of a message, one after the other, in place.
//!
//! The header's fields are in `schemas/oni/v1/header.proto`; `header/codec.rs` gives them their
//! meaning. A test compares both ways with a protobuf library.

/// Why bytes are no protobuf of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The bytes end within a field.
    #[error("expected a whole field, the bytes end within it")]
    Truncated,
    /// A number is longer than 64 bits.
    #[error("expected a variable-length number of at most 64 bits")]
    Varint,
    /// The number or the wire type of a field cannot be.
    #[error("expected a field's number and wire type, got key {key}")]
    Key {
        /// What came.
        key: u64,
    },
    /// A known field comes with the wire type of another.
    #[error("field {number}: expected the wire type of header.proto, got another")]
    WireType {
        /// The field's number.
        number: u32,
    },
    /// A text is not UTF-8.
    #[error("field {number}: expected UTF-8")]
    Utf8 {
        /// The field's number.
        number: u32,
    },
}

/// What begins a field: its number times eight, and its wire type.
pub(crate) type Key = u32;

/// The wire types. Groups (3 and 4), long deprecated, are refused.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

/// The key of a field that is a number of variable length.
pub(crate) const fn varint(number: u32) -> Key {
    number << 3 | VARINT
}

/// The key of a field of eight bytes.
pub(crate) const fn fixed64(number: u32) -> Key {
    number << 3 | FIXED64
}

/// The key of a field of bytes: a text, a message, packed numbers.
pub(crate) const fn bytes(number: u32) -> Key {
    number << 3 | BYTES
}

/// The fields of a message, one after the other: a key, then the value that the key says.
pub(crate) struct Fields<'b> {
    rest: &'b [u8],
}

#[expect(
    clippy::inline_always,
    reason = "results returned through memory cost more than reading what is in them"
)]
impl<'b> Fields<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<Key, ProtobufError> {
        let key = self.varint()?;
        u32::try_from(key).or(Err(ProtobufError::Key { key }))
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> Result<[u8; 8], ProtobufError> {
        let split = self.rest.split_first_chunk();
        let (taken, rest) = split.ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], ProtobufError> {
        let length = self.varint()?;
        self.take(usize::try_from(length).or(Err(ProtobufError::Truncated))?)
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, number: u32) -> Result<&'b str, ProtobufError> {
        std::str::from_utf8(self.bytes()?).or(Err(ProtobufError::Utf8 { number }))
    }

    /// Packed numbers.
    #[inline(always)]
    pub(crate) fn each_varint(&mut self, mut each: impl FnMut(u64)) -> Result<(), ProtobufError> {
        let mut numbers = Self::new(self.bytes()?);
        while !numbers.is_empty() {
            each(numbers.varint()?);
        }
        Ok(())
    }

    /// Passes over a field that is not known. Those up to `known` are: such a key then has the wire
    /// type of another field.
    #[cold]
    pub(crate) fn skip(&mut self, key: Key, known: u32) -> Result<(), ProtobufError> {
        let (number, wire_type) = (key >> 3, key & 7);
        if number == 0 || !matches!(wire_type, VARINT | FIXED64 | BYTES | FIXED32) {
            return Err(ProtobufError::Key { key: key.into() });
        }
        if number <= known {
            return Err(ProtobufError::WireType { number });
        }
        match wire_type {
            VARINT => self.varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            FIXED32 => self.take(4).map(drop),
            _ => self.bytes().map(drop),
        }
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Result<&'b [u8], ProtobufError> {
        let split = self.rest.split_at_checked(length);
        let (taken, rest) = split.ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, ProtobufError> {
        // Most are keys, lengths and small numbers, of one or two bytes.
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.read_long_varint(),
        }
    }

    fn read_long_varint(&mut self) -> Result<u64, ProtobufError> {
        let mut number = 0;
        for (idx, byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * idx);
            // The tenth byte has room for the last bit only.
            if idx == 9 && *byte > 1 {
                return Err(ProtobufError::Varint);
            }
            if *byte < 0x80 {
                self.rest = &self.rest[idx + 1..];
                return Ok(number);
            }
        }
        Err(ProtobufError::Truncated)
    }
}

#[inline]
fn put_key(out: &mut Vec<u8>, key: Key) {
    push_varint(out, u64::from(key));
}

#[inline]
fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes a number takes.
pub(crate) fn varint_bytes(number: u64) -> usize {
    (number | 1).ilog2() as usize / 7 + 1
}

/// A number; zero is the default and left out, as proto3 wants it.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_key(out, varint(number));
        push_varint(out, value);
    }
}

/// Eight bytes; zeros are the default and left out.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, number: u32, value: [u8; 8]) {
    if value != [0; 8] {
        put_key(out, fixed64(number));
        out.extend_from_slice(&value);
    }
}

/// Bytes or a text; nothing where there are none.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    if !value.is_empty() {
        put_key(out, bytes(number));
        push_varint(out, value.len() as u64);
        out.extend_from_slice(value);
    }
}

/// Repeated numbers, packed; nothing where there are none.
pub(crate) fn put_packed(out: &mut Vec<u8>, number: u32, values: &[u64]) {
    if !values.is_empty() {
        put_message(out, number, |out| {
            for value in values {
                push_varint(out, *value);
            }
        });
    }
}

/// A message within the message: its length is known once it is written.
pub(crate) fn put_message(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_key(out, bytes(number));
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    if length < 0x80 {
        out[at] = length as u8;
    } else {
        let mut prefix = Vec::with_capacity(5);
        push_varint(&mut prefix, length as u64);
        drop(out.splice(at..=at, prefix));
    }
}

#[cfg(test)]
mod tests;
