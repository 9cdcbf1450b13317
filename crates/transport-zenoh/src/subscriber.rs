//! Subscribers: a receiving thread checks sizes, copies once and enqueues; nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sedge_oni::limits::{HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};
use sedge_oni::{AlignedBytes, EncodedMessage, Key};
use sedge_spacetime::Clock;
use sedge_transport::{Received, RingReader, RingWriter, Subscriber};
use zenoh::sample::{Sample, SampleKind};

/// What a receiving thread needs.
pub(crate) struct Receiver {
    clock: Arc<dyn Clock>,
    refused: Arc<AtomicU64>,
}

impl Receiver {
    pub(crate) fn new(clock: Arc<dyn Clock>, refused: Arc<AtomicU64>) -> Self {
        Self { clock, refused }
    }

    /// Runs on Zenoh's receiving thread. A lossless ring holds it up when it is full, and through
    /// it the link and the publisher: that is the flow control.
    pub(crate) fn receive(&self, sample: &Sample, ring: &RingWriter) {
        let arrival = self.clock.now();
        if let Some((key, message)) = message(sample) {
            // What a live ring drops for it, the ring counts; a closed one has no reader.
            ring.offer_or_wait(Received {
                key,
                message,
                arrival,
            });
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(key = sample.key_expr().as_str(), "network.refuse");
        }
    }
}

/// The message in a sample, copied once into aligned memory; sizes are checked before.
fn message(sample: &Sample) -> Option<(Key, EncodedMessage)> {
    let header = sample.attachment()?;
    let is_put = sample.kind() == SampleKind::Put;
    if !is_put || header.len() > HEADER_BYTES_MAX || sample.payload().len() > PAYLOAD_BYTES_MAX {
        return None;
    }
    let key = Key::parse(sample.key_expr().as_str()).ok()?;
    let payload = AlignedBytes::copy_of(&sample.payload().to_bytes());
    Some((key, EncodedMessage::new(header.to_bytes(), payload)))
}

pub(crate) struct ZenohSubscriber {
    reader: RingReader,
    /// Undeclared when dropped.
    _subscriber: zenoh::pubsub::Subscriber<()>,
}

impl ZenohSubscriber {
    pub(crate) fn new(subscriber: zenoh::pubsub::Subscriber<()>, reader: RingReader) -> Self {
        Self {
            reader,
            _subscriber: subscriber,
        }
    }
}

impl Subscriber for ZenohSubscriber {
    fn try_next(&mut self) -> Option<Received> {
        self.reader.try_next()
    }

    fn waiting(&self) -> usize {
        self.reader.waiting()
    }

    fn dropped(&self) -> u64 {
        self.reader.dropped()
    }
}

impl Drop for ZenohSubscriber {
    fn drop(&mut self) {
        // Before undeclaring, which would wait for a receiving thread that waits for room.
        self.reader.close();
    }
}
