//! One of a program's own streams: a key, and how many messages went out under it.

use sedge_oni::{
    Capture, Envelope, HeaderError, InvalidMessage, Key, Message, MessageWriter, Sequence, Source,
    TypedMessage, WriteError,
};
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
    Written(#[from] WriteError),
    #[error(transparent)]
    Full(#[from] OutboxFull),
}

pub(crate) struct Voice {
    key: Key,
    sequence: Sequence,
    /// Of a stream that has spoken.
    writer: Option<MessageWriter>,
}

impl Voice {
    pub(crate) fn new(key: Key, sequence: Sequence) -> Self {
        Self {
            key,
            sequence,
            writer: None,
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The source of the next message.
    pub(crate) fn next_source(&mut self) -> Source {
        self.sequence.next_source()
    }

    /// Begins the next message, in the memory of earlier ones.
    pub(crate) fn begin(&mut self, stamp: Stamp, clock: &str) -> Begun<'_> {
        let source = self.sequence.next_source();
        let first = source.clone();
        let writer = self
            .writer
            .get_or_insert_with(|| MessageWriter::new(first, Capture::exact(stamp, clock)));
        let Envelope {
            source: whose,
            capture,
            frame,
            trace,
            deadline,
            lifespan,
            model_hash,
            ledger,
        } = &mut writer.envelope;
        *whose = source;
        capture.stamp = stamp;
        capture.error = std::time::Duration::ZERO;
        capture.clock.clear();
        capture.clock.push_str(clock);
        (*frame, *trace, *model_hash) = (None, None, None);
        (*deadline, *lifespan) = (None, None);
        ledger.clear();
        Begun {
            key: &self.key,
            writer,
        }
    }

    pub(crate) fn put(&self, message: &Message<'_>, outbox: &mut Outbox) -> Result<(), SpeakError> {
        Ok(outbox.put(self.key.clone(), message.encode()?)?)
    }
}

/// A message that has a source, a stamp and a clock.
pub(crate) struct Begun<'v> {
    key: &'v Key,
    writer: &'v mut MessageWriter,
}

impl Begun<'_> {
    /// What is known beside the content.
    pub(crate) fn envelope(&mut self) -> &mut Envelope {
        &mut self.writer.envelope
    }

    /// Puts it; one that has an expiry must not be sent past it.
    pub(crate) fn put<'a>(
        self,
        content: &impl TypedMessage<'a>,
        expiry: Option<Stamp>,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let encoded = self.writer.write(content)?;
        Ok(outbox.put_before(self.key.clone(), encoded, expiry)?)
    }
}
