//! Names of agents and frames.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

const NAME_BYTES_MAX: usize = 64;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected {kind} name of 1 to {NAME_BYTES_MAX} characters from a-z A-Z 0-9 _ - ., got {got:?}"
)]
pub struct NameError {
    kind: &'static str,
    got: String,
}

fn is_name(name: &str) -> bool {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    fits && name.bytes().all(plain)
}

fn check(kind: &'static str, name: &str) -> Result<(), NameError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(NameError {
            kind,
            got: name.chars().take(NAME_BYTES_MAX + 16).collect(),
        })
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and keeps a name.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, longer than 64 bytes, or holds any character
            /// outside `a-z A-Z 0-9 _ - .` (so a name is always one chunk of a key expression).
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                check($kind, &name)?;
                Ok(Self(name.into()))
            }

            /// Whether a text could be such a name.
            pub fn is_name(text: &str) -> bool {
                is_name(text)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().into()
            }
        }
    };
}

name_type!(
    /// The name of an agent (or of a whole fleet): one chunk of a key expression.
    AgentName,
    "an agent"
);
name_type!(
    /// The name of a coordinate frame, such as `base` or `odometry`.
    FrameName,
    "a frame"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_chunk_of_a_key_expression_is_a_name() {
        for good in ["crane3", "a", "lidar_front", "v1.2-b"] {
            assert!(AgentName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "*", "a b", "é", "a$b", "x".repeat(65).as_str()] {
            assert!(AgentName::new(bad).is_err(), "{bad:?}");
        }
    }
}
