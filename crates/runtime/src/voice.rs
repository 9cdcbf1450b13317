//! One of a program's own streams: a key, and how many messages went out under it.

use sedge_oni::{HeaderError, InvalidMessage, Key, Message, Sequence, Source};
use sedge_spacetime::Stamp;
use sedge_transport::{Outbox, OutboxFull};

/// Why a message was not put.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeakError {
    #[error(transparent)]
    Content(#[from] InvalidMessage),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Full(#[from] OutboxFull),
}

pub(crate) struct Voice {
    key: Key,
    sequence: Sequence,
}

impl Voice {
    pub(crate) fn new(key: Key, sequence: Sequence) -> Self {
        Self { key, sequence }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The source of the next message.
    pub(crate) fn next_source(&mut self) -> Source {
        self.sequence.next_source()
    }

    pub(crate) fn put(&self, message: &Message<'_>, outbox: &mut Outbox) -> Result<(), SpeakError> {
        Ok(outbox.put(self.key.clone(), message.encode()?)?)
    }

    /// Puts a message that must not be sent past its expiry.
    pub(crate) fn put_before(
        &self,
        message: &Message<'_>,
        expiry: Stamp,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let encoded = message.encode()?;
        Ok(outbox.put_before(self.key.clone(), encoded, Some(expiry))?)
    }
}
