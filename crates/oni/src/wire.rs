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

/// What begins a field: its number, and how its value is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) number: u32,
    wire_type: u32,
}

/// The wire types. Groups (3 and 4), long deprecated, are refused.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

/// The fields of a message, one after the other: a key, then its value by one of the methods that
/// take the key.
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

    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<Key, ProtobufError> {
        let key = self.read_varint()?;
        let (number, wire_type) = ((key >> 3) as u32, (key & 7) as u32);
        // Keys have 32 bits.
        if number == 0 || key > u64::from(u32::MAX) || matches!(wire_type, 3 | 4 | 6 | 7) {
            return Err(ProtobufError::Key { key });
        }
        Ok(Key { number, wire_type })
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self, key: Key) -> Result<u64, ProtobufError> {
        key.must_be(VARINT)?;
        self.read_varint()
    }

    #[inline]
    pub(crate) fn fixed64(&mut self, key: Key) -> Result<[u8; 8], ProtobufError> {
        key.must_be(FIXED64)?;
        let split = self.rest.split_first_chunk();
        let (taken, rest) = split.ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    pub(crate) fn bytes(&mut self, key: Key) -> Result<&'b [u8], ProtobufError> {
        key.must_be(BYTES)?;
        self.read_bytes()
    }

    /// The bytes of a text, which are UTF-8.
    #[inline(always)]
    pub(crate) fn text(&mut self, key: Key) -> Result<&'b [u8], ProtobufError> {
        let bytes = self.bytes(key)?;
        if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
            let number = key.number;
            return Err(ProtobufError::Utf8 { number });
        }
        Ok(bytes)
    }

    /// The numbers of a repeated field: packed, or one of them.
    #[inline]
    pub(crate) fn each_varint(
        &mut self,
        key: Key,
        mut each: impl FnMut(u64),
    ) -> Result<(), ProtobufError> {
        if key.wire_type == VARINT {
            each(self.read_varint()?);
            return Ok(());
        }
        let mut numbers = Self::new(self.bytes(key)?);
        while !numbers.is_empty() {
            each(numbers.read_varint()?);
        }
        Ok(())
    }

    /// Passes over a field that is not known.
    #[inline]
    pub(crate) fn skip(&mut self, key: Key) -> Result<(), ProtobufError> {
        match key.wire_type {
            VARINT => self.read_varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            FIXED32 => self.take(4).map(drop),
            _ => self.read_bytes().map(drop),
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
    fn read_bytes(&mut self) -> Result<&'b [u8], ProtobufError> {
        let length = self.read_varint()?;
        self.take(usize::try_from(length).or(Err(ProtobufError::Truncated))?)
    }

    #[inline(always)]
    fn read_varint(&mut self) -> Result<u64, ProtobufError> {
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

impl Key {
    #[inline]
    fn must_be(self, wire_type: u32) -> Result<(), ProtobufError> {
        if self.wire_type == wire_type {
            return Ok(());
        }
        let number = self.number;
        Err(ProtobufError::WireType { number })
    }
}

#[inline]
fn put_key(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    push_varint(out, u64::from(number << 3 | wire_type));
}

#[inline]
fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A number; zero is the default and left out, as proto3 wants it.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_key(out, number, VARINT);
        push_varint(out, value);
    }
}

/// Eight bytes; zeros are the default and left out.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, number: u32, value: [u8; 8]) {
    if value != [0; 8] {
        put_key(out, number, FIXED64);
        out.extend_from_slice(&value);
    }
}

/// Bytes or a text; nothing where there are none.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    if !value.is_empty() {
        put_key(out, number, BYTES);
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
    put_key(out, number, BYTES);
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
