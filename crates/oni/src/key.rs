//! Key expressions: `oni/<fleet>/<agent>/<message type>/<stream>`.

use std::fmt;
use std::sync::Arc;

use sedge_spacetime::AgentName;

use crate::limits::KEY_BYTES_MAX;

const ROOT: &str = "oni";
const FORM: &str = "oni/<fleet>/<agent>/<message type>/<stream>";
/// With the first one.
const N_CHUNKS: usize = 5;
const ANY_CHUNK: &str = "*";
const ANY_CHUNKS: &str = "**";

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not have the five chunks.
    #[error("expected a key of the form {FORM}, got {got:?}")]
    Form {
        /// What came, cut.
        got: String,
    },
    /// A chunk has characters that it must not have.
    #[error("expected 1 to 64 of a-z A-Z 0-9 _ - . between the slashes of a key, got {got:?}")]
    Chunk {
        /// What came, cut.
        got: String,
    },
}

/// The full name of one stream of messages; cheap to clone, as every message that comes bears one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Of its parts.
    ///
    /// # Errors
    /// [`KeyError::Chunk`] where message type or stream is no chunk of a key.
    pub fn new(
        fleet: &AgentName,
        agent: &AgentName,
        message_type: &str,
        stream: &str,
    ) -> Result<Self, KeyError> {
        check_chunk(message_type)?;
        check_chunk(stream)?;
        let text = format!("{ROOT}/{fleet}/{agent}/{message_type}/{stream}");
        Ok(Self(text.into()))
    }

    /// From its text.
    ///
    /// # Errors
    /// [`KeyError`] where the text has another form.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form { got: cut(text) };
        let chunks = || text.split('/');
        let is_formed = text.len() <= KEY_BYTES_MAX
            && chunks().next() == Some(ROOT)
            && chunks().count() == N_CHUNKS;
        if !is_formed {
            return Err(form());
        }
        chunks().skip(1).try_for_each(check_chunk)?;
        Ok(Self(text.into()))
    }

    /// Whether a text is a key.
    pub(crate) fn is_key(text: &str) -> bool {
        let mut chunks = text.split('/');
        text.len() <= KEY_BYTES_MAX
            && chunks.next() == Some(ROOT)
            && chunks.clone().count() == N_CHUNKS - 1
            && chunks.all(AgentName::is_name)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn chunk(&self, idx: usize) -> &str {
        self.0.split('/').nth(idx).expect("a key has five chunks")
    }

    /// The fleet.
    pub fn fleet(&self) -> &str {
        self.chunk(1)
    }

    /// The agent.
    pub fn agent(&self) -> &str {
        self.chunk(2)
    }

    /// The message type, such as `sensor.lidar`.
    pub fn message_type(&self) -> &str {
        self.chunk(3)
    }

    /// The stream, such as `front`.
    pub fn stream(&self) -> &str {
        self.chunk(4)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What to subscribe to: a key in which `*` stands for any one chunk and a last `**` for any rest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPattern(String);

impl KeyPattern {
    /// From its text, such as `oni/*/crane3/sensor.lidar/**`.
    ///
    /// # Errors
    /// [`KeyError`] where no key could match.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let chunks: Vec<&str> = text.split('/').collect();
        let form = || KeyError::Form { got: cut(text) };
        if text.len() > KEY_BYTES_MAX || chunks[0] != ROOT {
            return Err(form());
        }
        let (rest, n_chunks) = match &chunks[1..] {
            [rest @ .., ANY_CHUNKS] => (rest, 0..=4),
            rest => (rest, 4..=4),
        };
        if !n_chunks.contains(&rest.len()) {
            return Err(form());
        }
        rest.iter()
            .filter(|chunk| **chunk != ANY_CHUNK)
            .try_for_each(|chunk| check_chunk(chunk))?;
        Ok(Self(text.to_string()))
    }

    /// Whether the key is one of those.
    pub fn matches(&self, key: &Key) -> bool {
        let mut chunks = key.0.split('/');
        for wanted in self.0.split('/') {
            if wanted == ANY_CHUNKS {
                return true;
            }
            if chunks
                .next()
                .is_none_or(|chunk| wanted != ANY_CHUNK && wanted != chunk)
            {
                return false;
            }
        }
        chunks.next().is_none()
    }

    /// Its text, a key expression of Zenoh as well.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The pattern that only this key matches.
impl From<&Key> for KeyPattern {
    fn from(key: &Key) -> Self {
        Self(key.as_str().to_string())
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a text may stand between two slashes of a key.
pub(crate) fn is_chunk(chunk: &str) -> bool {
    check_chunk(chunk).is_ok()
}

fn check_chunk(chunk: &str) -> Result<(), KeyError> {
    // The same rule as for agents, which are chunks of keys.
    if AgentName::is_name(chunk) {
        Ok(())
    } else {
        Err(KeyError::Chunk { got: cut(chunk) })
    }
}

fn cut(text: &str) -> String {
    text.chars().take(KEY_BYTES_MAX + 16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_of_its_parts_and_gives_them_back() {
        let name = |name: &str| AgentName::new(name).unwrap();
        let key = Key::new(&name("flock"), &name("crane3"), "sensor.lidar", "front").unwrap();
        assert_eq!(key.as_str(), "oni/flock/crane3/sensor.lidar/front");
        assert_eq!(Key::parse(key.as_str()), Ok(key.clone()));
        let parts = [key.fleet(), key.agent(), key.message_type(), key.stream()];
        assert_eq!(parts, ["flock", "crane3", "sensor.lidar", "front"]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = format!("oni/a/b/c/{}", "x".repeat(65));
        for bad in [
            "",
            "oni",
            "oni/a/b/c",
            "oni/a/b/c/d/e",
            "ros/a/b/c/d",
            "oni/a//c/d",
            &long,
        ] {
            assert!(Key::parse(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "oni/a/*/c/d",
            "oni/a/b/c/é",
            "oni/a/b/c/d?x",
            "oni/a/b/$*/d",
        ] {
            assert!(
                matches!(Key::parse(bad), Err(KeyError::Chunk { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn patterns_match_by_chunk() {
        let key = Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap();
        let check = |pattern: &str, expected: bool| {
            assert_eq!(
                KeyPattern::parse(pattern).unwrap().matches(&key),
                expected,
                "{pattern}"
            );
        };
        check("oni/flock/crane3/sensor.lidar/front", true);
        check("oni/*/crane3/*/front", true);
        check("oni/flock/crane3/sensor.lidar/**", true);
        check("oni/**", true);
        check("oni/flock/crane3/sensor.lidar/front/**", true);
        check("oni/flock/crane4/**", false);
        check("oni/*/*/sensor.lidar/rear", false);
        for bad in [
            "",
            "**",
            "*/**",
            "oni/a",
            "oni/**/front",
            "oni/a*/b/c/d",
            "oni/a/b/c/d/e",
        ] {
            assert!(KeyPattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
