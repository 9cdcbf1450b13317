//! What crosses a link, and the link.

use sedge_oni::Key;
use sedge_spacetime::AgentName;

use crate::{DropLedger, ImpairedLink, Queued, Received};

/// What crosses a link.
#[derive(Clone)]
pub(super) enum Parcel {
    /// To every listener that was there when it was put.
    Message { number: u64, queued: Queued },
    /// To one that came later.
    History { listener: u64, queued: Queued },
    /// A query, for one of the answers that it can get.
    Ask { query: u64, served: u64, key: Key },
    /// That answer.
    Answer {
        query: u64,
        served: u64,
        answer: Received,
    },
}

impl Parcel {
    pub(super) fn key(&self) -> &Key {
        match self {
            Self::Message { queued, .. } | Self::History { queued, .. } => &queued.received.key,
            Self::Ask { key, .. } => key,
            Self::Answer { answer, .. } => &answer.key,
        }
    }

    pub(super) fn n_bytes(&self) -> u64 {
        let n_content = match self {
            Self::Message { queued, .. } | Self::History { queued, .. } => {
                queued.received.message.len_bytes()
            }
            Self::Ask { .. } => 0,
            Self::Answer { answer, .. } => answer.message.len_bytes(),
        };
        (self.key().as_str().len() + n_content) as u64
    }
}

pub(super) struct Link {
    pub(super) link: ImpairedLink<Parcel>,
    pub(super) drops: DropLedger,
}

/// Of its own for each link, whatever other agents there are.
pub(super) fn link_seed(seed: u64, from: &AgentName, to: &AgentName) -> u64 {
    // FNV-1a, with the slash that no name has between them.
    let names = format!("{from}/{to}");
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    names.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, hash)
}
