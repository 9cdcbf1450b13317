//! What a peer says.

use std::time::Duration;

use sedge_spacetime::AgentName;

use super::HEARTBEAT_PEERS_MAX;

/// No beat is longer.
pub const BEAT_BYTES_MAX: usize = 32 * 1024;

const VERSION: u8 = 1;

/// Whom a peer heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The name.
    pub name: AgentName,
    /// Its epoch.
    pub epoch: u64,
    /// How long before the beat, on the speaker's clock; whole milliseconds travel, rounded up.
    pub ago: Duration,
}

/// What a peer says to all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The speaker.
    pub name: AgentName,
    /// New at each start of the speaker, larger than before.
    pub epoch: u64,
    /// Counts from 0 by one.
    pub sequence: u64,
    /// Whom it heard of late.
    pub heard: Vec<Heard>,
}

/// Why bytes are no beat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeatError {
    /// Of a version that is not known.
    #[error("expected a heartbeat of version {VERSION}, got version {got}")]
    Version {
        /// What came.
        got: u8,
    },
    /// They end in the midst of it, or go on behind it.
    #[error("expected a heartbeat, got {got} bytes that are none")]
    Length {
        /// How many came.
        got: usize,
    },
    /// Too many peers.
    #[error("expected a heartbeat of at most {HEARTBEAT_PEERS_MAX} peers, got {got}")]
    TooMany {
        /// How many it claims.
        got: usize,
    },
    /// A name is none.
    #[error("heartbeat: {0}")]
    Name(#[from] sedge_spacetime::NameError),
}

impl Beat {
    /// The beat as it travels: version (1 byte), name, epoch (8), sequence (8), count (2), and for
    /// each peer name, epoch (8), milliseconds (4). A name is its length (1) and its characters;
    /// numbers are little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        put_name(&mut bytes, &self.name);
        bytes.extend(self.epoch.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        let heard = &self.heard[..self.heard.len().min(HEARTBEAT_PEERS_MAX)];
        bytes.extend((heard.len() as u16).to_le_bytes());
        for Heard { name, epoch, ago } in heard {
            put_name(&mut bytes, name);
            bytes.extend(epoch.to_le_bytes());
            let millis = ago.as_nanos().div_ceil(1_000_000);
            bytes.extend(u32::try_from(millis).unwrap_or(u32::MAX).to_le_bytes());
        }
        bytes
    }

    /// Reads a beat.
    ///
    /// # Errors
    /// [`BeatError`] for anything that is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BeatError> {
        let mut rest = Rest {
            bytes,
            n: bytes.len(),
        };
        let [version] = rest.take()?;
        if version != VERSION {
            return Err(BeatError::Version { got: version });
        }
        let name = rest.name()?;
        let (epoch, sequence) = (rest.number()?, rest.number()?);
        let n_heard = usize::from(u16::from_le_bytes(rest.take()?));
        if n_heard > HEARTBEAT_PEERS_MAX {
            return Err(BeatError::TooMany { got: n_heard });
        }
        let mut heard = Vec::with_capacity(n_heard);
        for _ in 0..n_heard {
            let (name, epoch) = (rest.name()?, rest.number()?);
            let millis = u32::from_le_bytes(rest.take()?);
            heard.push(Heard {
                name,
                epoch,
                ago: Duration::from_millis(u64::from(millis)),
            });
        }
        if !rest.bytes.is_empty() {
            return Err(rest.error());
        }
        Ok(Self {
            name,
            epoch,
            sequence,
            heard,
        })
    }
}

fn put_name(bytes: &mut Vec<u8>, name: &AgentName) {
    let name = name.as_str().as_bytes();
    // A name has at most 64 characters.
    bytes.push(name.len() as u8);
    bytes.extend(name);
}

struct Rest<'a> {
    bytes: &'a [u8],
    /// How many there were.
    n: usize,
}

impl Rest<'_> {
    fn error(&self) -> BeatError {
        BeatError::Length { got: self.n }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BeatError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or_else(|| self.error())?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u64, BeatError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn name(&mut self) -> Result<AgentName, BeatError> {
        let [n] = self.take()?;
        let split = self.bytes.split_at_checked(usize::from(n));
        let (name, rest) = split.ok_or_else(|| self.error())?;
        self.bytes = rest;
        Ok(AgentName::new(String::from_utf8_lossy(name))?)
    }
}
