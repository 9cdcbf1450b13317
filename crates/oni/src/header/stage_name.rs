//! Names of stages in a header's ledger, without memory of their own: commands and predictions have
//! many, and are made at a robot's pace.

use std::fmt;
use std::ops::Deref;

use crate::limits::NAME_BYTES_MAX;

/// A stage's name: 1 to 64 printable ASCII characters without spaces; reads as a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StageName {
    /// Zeros behind the name.
    bytes: [u8; NAME_BYTES_MAX],
    len: u8,
}

impl StageName {
    /// From a text; `None` where it cannot name a stage.
    pub fn new(name: &str) -> Option<Self> {
        Self::of_parts([name, ""])
    }

    /// From two texts, one behind the other.
    pub(super) fn of_parts(parts: [&str; 2]) -> Option<Self> {
        let mut bytes = [0; NAME_BYTES_MAX];
        let mut len = 0;
        for part in parts {
            bytes
                .get_mut(len..len + part.len())?
                .copy_from_slice(part.as_bytes());
            len += part.len();
        }
        let is_plain = bytes[..len].iter().all(u8::is_ascii_graphic);
        let len = u8::try_from(len).ok().filter(|len| *len > 0 && is_plain)?;
        Some(Self { bytes, len })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self
    }
}

impl Deref for StageName {
    type Target = str;

    fn deref(&self) -> &str {
        let name = &self.bytes[..usize::from(self.len)];
        std::str::from_utf8(name).expect("a name was made of ASCII")
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_were_written_and_others_are_refused() {
        for good in ["fuse", "put@this-clock", &"x".repeat(64)] {
            assert_eq!(StageName::new(good).as_deref(), Some(good));
        }
        for bad in ["", "a b", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(StageName::new(bad), None, "{bad:?}");
        }
        let joined = StageName::of_parts(["put@", "here"]);
        assert_eq!(joined, StageName::new("put@here"));
        assert_eq!(StageName::of_parts(["put@", &"x".repeat(61)]), None);
    }
}
