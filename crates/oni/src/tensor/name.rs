//! Names of tensors, without memory of their own: a table has many, and each is short.

use std::fmt;
use std::ops::Deref;

use crate::limits::NAME_BYTES_MAX;

/// Which bytes a name may have; every row of every header asks.
const IS_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < plain.len() {
        plain[byte] = matches!(byte as u8, b'a'..=b'z' | b'0'..=b'9' | b'_');
        byte += 1;
    }
    plain
};

/// A tensor's name, 1 to 64 of `a-z 0-9 _`; reads as a text.
#[derive(Clone, Copy)]
pub struct TensorName {
    bytes: [u8; NAME_BYTES_MAX],
    len: u8,
}

impl TensorName {
    /// From a text; `None` where it cannot name a tensor.
    pub fn new(name: &str) -> Option<Self> {
        Self::of_bytes(name.as_bytes())
    }

    #[inline]
    pub(crate) fn of_bytes(name: &[u8]) -> Option<Self> {
        let plain = |byte: &u8| IS_PLAIN[usize::from(*byte)];
        if name.is_empty() || !name.iter().all(plain) {
            return None;
        }
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        let len = name.len() as u8;
        Some(Self { bytes, len })
    }

    /// No name yet.
    pub(super) const EMPTY: Self = Self {
        bytes: [0; NAME_BYTES_MAX],
        len: 0,
    };

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Deref for TensorName {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a name was made of plain characters")
    }
}

impl fmt::Display for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for TensorName {
    #[inline]
    fn eq(&self, other: &T) -> bool {
        self.as_bytes() == other.as_ref().as_bytes()
    }
}

impl AsRef<str> for TensorName {
    fn as_ref(&self) -> &str {
        self
    }
}
