//! Messages of one stream after the other, in memory that serves again.

use std::sync::Arc;

use crate::header::HeaderBox;
use crate::validate::validate;
use crate::{
    AlignedBytes, Capture, EncodedMessage, Envelope, HeaderError, InvalidMessage, Message,
    MessageBuilder, MessageSlab, Source, TypedMessage,
};

/// Messages that may be on their way at once, or be kept by readers, before one gets memory of its
/// own: more than any queue of what is newest, and the memory of a thousand lidar scans at most.
const SLABS_MAX: usize = 32;

/// Writes the messages of one stream. Once as many as are usually on their way have been written,
/// nothing is allocated: what readers have let go of serves the next message.
///
/// # Examples
/// ```
/// use sedge_oni::{Capture, MessageWriter, Odometry, Sequence, TypedMessage as _};
/// use sedge_spacetime::{AgentName, Pose2, Stamp, Twist2};
///
/// let mut sequence = Sequence::new(AgentName::new("crane3")?, 7);
/// let capture = Capture::exact(Stamp::ZERO, "here");
/// let mut writer = MessageWriter::new(sequence.next_source(), capture);
/// for secs in 1..4 {
///     writer.envelope.capture.stamp = Stamp::from_secs(f64::from(secs))?;
///     let said = Odometry { odometry_from_base: Pose2::IDENTITY, twist: Twist2::default() };
///     let encoded = writer.write(&said)?;
///     assert_eq!(Odometry::from_message(&encoded.decode()?)?, said);
///     writer.envelope.source = sequence.next_source();
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MessageWriter {
    /// Of the next message: that of the one before, as far as nobody changed it.
    pub envelope: Envelope,
    /// Of the message before.
    kept: Option<(HeaderBox, AlignedBytes)>,
    encoded_header: Vec<u8>,
    /// Each holds one message.
    slabs: Vec<Arc<MessageSlab>>,
}

/// Why a message is not written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// The content does not follow its schema.
    #[error(transparent)]
    Content(#[from] InvalidMessage),
    /// The envelope breaks a rule of headers.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

impl MessageWriter {
    /// Whose first message has this source and capture.
    pub fn new(source: Source, capture: Capture) -> Self {
        Self {
            envelope: Envelope::new(source, capture),
            kept: None,
            encoded_header: Vec::new(),
            slabs: Vec::new(),
        }
    }

    /// The message, ready to be sent: the same bytes that [`TypedMessage::to_message`] and
    /// [`Message::encode`] would make.
    ///
    /// # Errors
    /// [`WriteError`] where the content does not follow its schema, or the envelope breaks a rule.
    pub fn write<'a, T: TypedMessage<'a>>(
        &mut self,
        content: &T,
    ) -> Result<EncodedMessage, WriteError> {
        let schema = T::schema();
        let builder = match self.kept.take() {
            Some((header, payload)) => {
                MessageBuilder::over((header, payload), (&schema.id, &self.envelope))
            }
            None => MessageBuilder::new(schema.id.clone(), self.envelope.clone()),
        };
        let message = content.write(builder)?.build_kept();
        validate(schema, &message)?;
        message.write_header(&mut self.encoded_header)?;
        let encoded = self.placed(&message);
        self.kept = message.into_kept();
        Ok(encoded)
    }

    /// A copy in memory that no reader has any more, or in new one.
    fn placed(&mut self, message: &Message<'_>) -> EncodedMessage {
        let (header, payload) = (self.encoded_header.as_slice(), message.payload());
        let mut too_small = None;
        for (idx, slab) in self.slabs.iter_mut().enumerate() {
            let Some(free) = Arc::get_mut(slab) else {
                continue;
            };
            free.clear();
            if free.push(header, payload) {
                return only_message(slab);
            }
            too_small = Some(idx);
        }
        // Each part ends with a whole word.
        let n_bytes = header.len() + payload.len() + 2 * size_of::<u64>();
        let mut slab = MessageSlab::with_room(n_bytes.next_power_of_two());
        if !slab.push(header, payload) {
            return EncodedMessage::copy_of(header, payload);
        }
        let slab = Arc::new(slab);
        let encoded = only_message(&slab);
        match too_small {
            Some(idx) => self.slabs[idx] = slab,
            None if self.slabs.len() < SLABS_MAX => self.slabs.push(slab),
            None => {}
        }
        encoded
    }
}

fn only_message(slab: &Arc<MessageSlab>) -> EncodedMessage {
    slab.message(0).expect("a message was put there")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use sedge_spacetime::{AgentName, Covariance2, FrameName, Pose2, Stamp};

    use super::*;
    use crate::{BeliefReport, LedgerEntry, Sequence};

    fn belief(n: usize) -> BeliefReport<'static> {
        BeliefReport {
            world_from_scanner: Pose2::IDENTITY,
            covariance: Covariance2::zero(),
            latent: Cow::Owned((0..n).map(|it| it as f32).collect()),
        }
    }

    fn writer() -> MessageWriter {
        let source = Sequence::new(AgentName::new("ant").unwrap(), 3).next_source();
        let mut writer = MessageWriter::new(source, Capture::exact(Stamp::ZERO, "here"));
        writer.envelope.model_hash = Some([3; 32]);
        writer
    }

    #[test]
    fn each_message_is_what_it_would_be_alone() {
        let mut writer = writer();
        let mut on_their_way = Vec::new();
        for n in [3, 400, 0, 17, 400, 9_000, 2] {
            let envelope = &mut writer.envelope;
            envelope.source.sequence += 1;
            envelope.frame = (n % 2 == 0).then(|| FrameName::new("world").unwrap());
            envelope.lifespan = (n > 10).then(|| Duration::from_millis(n));
            envelope.ledger.clear();
            envelope.ledger.extend(LedgerEntry::new("fuse", n));
            let content = belief(n as usize);
            let alone = content.to_message(envelope.clone()).unwrap().encode();
            let encoded = writer.write(&content).unwrap();
            assert_eq!(encoded, alone.unwrap());
            on_their_way.push((
                encoded.clone(),
                encoded.header().to_vec(),
                encoded.payload().to_vec(),
            ));
        }
        for (message, header, payload) in on_their_way {
            assert_eq!((message.header(), message.payload()), (&*header, &*payload));
        }
    }

    #[test]
    fn memory_serves_again_once_no_reader_has_it() {
        let mut writer = writer();
        let place = |message: &EncodedMessage| message.payload().as_ptr();
        let first = writer.write(&belief(40)).unwrap();
        let second = writer.write(&belief(40)).unwrap();
        assert_ne!(place(&first), place(&second));
        let before = place(&first);
        drop(first);
        assert_eq!(place(&writer.write(&belief(30)).unwrap()), before);
        let many: Vec<_> = (0..2 * SLABS_MAX)
            .map(|_| writer.write(&belief(9)))
            .collect();
        assert!(many.iter().all(Result::is_ok) && writer.slabs.len() == SLABS_MAX);
    }

    #[test]
    fn a_refused_message_leaves_the_next_as_it_would_be() {
        let mut writer = writer();
        let refused = BeliefReport {
            latent: Cow::Owned(vec![f32::NAN]),
            ..belief(0)
        };
        assert!(matches!(
            writer.write(&refused),
            Err(WriteError::Content(_))
        ));
        writer.envelope.capture.clock.clear();
        assert!(matches!(
            writer.write(&belief(1)),
            Err(WriteError::Header(_))
        ));
        writer.envelope.capture.clock.push_str("here");
        let expected = belief(1).to_message(writer.envelope.clone()).unwrap();
        assert_eq!(
            writer.write(&belief(1)).unwrap(),
            expected.encode().unwrap()
        );
    }
}
