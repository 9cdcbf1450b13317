//! Messages that wait for a reader, many in one piece of memory.

use std::collections::VecDeque;
use std::sync::Arc;

use sedge_oni::{EncodedMessage, Key, MessageSlab};
use sedge_spacetime::Stamp;
use sedge_transport::Received;

use crate::parcel::Parcel;

/// Room for the small messages of a chunk. A reader that keeps one of them keeps all this memory,
/// so it is no more than what a dozen scans take.
const SLAB_BYTES: usize = 32 * 1024;
/// Slabs with less in them are copied out of when they are read: who keeps a message of a quiet
/// stream keeps that message alone.
const SPARSE_BYTES: usize = SLAB_BYTES / 4;
/// Messages of a chunk.
const MESSAGES_MAX: usize = 256;

/// The key that came last; most come again.
pub(super) struct LastKey {
    /// A copy of its text: that of the key is in memory that readers write to.
    text: String,
    key: Key,
}

impl LastKey {
    /// `None` where it is none of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let key = Key::parse(text).ok()?;
        let text = text.to_string();
        Some(Self { text, key })
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }
}

/// What waits, and how its message is found.
struct Entry {
    arrival: Stamp,
    key_idx: usize,
    /// `None` where it is the next one in the slab.
    apart: Option<EncodedMessage>,
}

/// Messages one after the other: small ones copied into one slab, others in their buffers.
pub(super) struct Chunk {
    entries: VecDeque<Entry>,
    keys: Vec<Key>,
    slab: Arc<MessageSlab>,
    n_read: usize,
    /// What its messages hold.
    pub(super) n_bytes: usize,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            keys: Vec::new(),
            slab: Arc::new(MessageSlab::with_room(SLAB_BYTES)),
            n_read: 0,
            n_bytes: 0,
        }
    }
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes what came, if there is room for it.
    fn push(&mut self, arriving: &Arriving<'_>) -> bool {
        if self.entries.len() >= MESSAGES_MAX.min(arriving.depth.max(1)) {
            return false;
        }
        if arriving.apart.is_none() {
            // Nobody reads it yet.
            let Some(slab) = Arc::get_mut(&mut self.slab) else {
                return false;
            };
            let parcel = arriving.parcel;
            if !slab.push(&parcel.header, &parcel.payload()) {
                return false;
            }
        }
        if self.keys.last() != Some(arriving.key.key()) {
            self.keys.push(arriving.key.key().clone());
        }
        self.n_bytes += arriving.n_bytes;
        self.entries.push_back(Entry {
            arrival: arriving.parcel.arrival,
            key_idx: self.keys.len() - 1,
            apart: arriving.apart.clone(),
        });
        true
    }

    /// The oldest message.
    pub(super) fn next(&mut self) -> Option<Received> {
        let entry = self.entries.pop_front()?;
        let message = entry.apart.or_else(|| {
            let idx = self.n_read;
            self.n_read += 1;
            if self.slab.used_bytes() < SPARSE_BYTES {
                self.slab.copy_of(idx)
            } else {
                self.slab.message(idx)
            }
        });
        Some(Received {
            key: self.keys[entry.key_idx].clone(),
            message: message?,
            arrival: entry.arrival,
        })
    }

    /// The keys of the messages that were not read.
    pub(super) fn unread(&self) -> impl Iterator<Item = &Key> {
        self.entries.iter().map(|entry| &self.keys[entry.key_idx])
    }

    /// Itself, empty, where no reader keeps a message of its slab.
    pub(super) fn emptied(mut self) -> Option<Self> {
        Arc::get_mut(&mut self.slab)?.clear();
        self.entries.clear();
        self.keys.clear();
        self.n_read = 0;
        self.n_bytes = 0;
        Some(self)
    }
}

/// A message on its way into a chunk.
pub(super) struct Arriving<'p> {
    pub(super) parcel: &'p Parcel<'p>,
    pub(super) key: &'p LastKey,
    /// The message, where it is not copied into a slab.
    pub(super) apart: Option<EncodedMessage>,
    /// What it holds.
    pub(super) n_bytes: usize,
    /// How deep the stream is: a chunk is moved whole, and must fit.
    pub(super) depth: usize,
}

/// Chunks, oldest first.
#[derive(Default)]
pub(super) struct Line {
    chunks: VecDeque<Chunk>,
    n_messages: usize,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.n_messages
    }

    /// Adds what came, in a new chunk or a spare one where the last is full.
    pub(super) fn push(&mut self, arriving: &Arriving<'_>, spare: &mut Vec<Chunk>) {
        let last = self.chunks.back_mut();
        if !last.is_some_and(|chunk| chunk.push(arriving)) {
            let mut chunk = spare.pop().unwrap_or_default();
            // An empty chunk has room for any message that is copied into it.
            chunk.push(arriving);
            self.chunks.push_back(chunk);
        }
        self.n_messages += 1;
    }

    pub(super) fn push_chunk(&mut self, chunk: Chunk) {
        self.n_messages += chunk.len();
        self.chunks.push_back(chunk);
    }

    pub(super) fn pop_chunk(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.n_messages -= chunk.len();
        Some(chunk)
    }

    pub(super) fn first(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    /// The oldest message, and chunks that have none left.
    pub(super) fn next(&mut self, spent: &mut Vec<Chunk>) -> Option<Received> {
        while let Some(chunk) = self.chunks.front_mut() {
            if let Some(received) = chunk.next() {
                self.n_messages -= 1;
                return Some(received);
            }
            spent.extend(self.chunks.pop_front());
        }
        None
    }

    pub(super) fn unread(&self) -> impl Iterator<Item = &Key> {
        self.chunks.iter().flat_map(Chunk::unread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parcel::Content;
    use crate::payload::COPY_BYTES_MAX;
    use zenoh::bytes::ZBytes;

    fn key(name: &str) -> LastKey {
        LastKey::parse(&format!("oni/flock/crane3/sensor.lidar/{name}")).unwrap()
    }

    fn push(line: &mut Line, spare: &mut Vec<Chunk>, key: &LastKey, payload: &[u8]) {
        let (header, payload) = (&payload[..1], ZBytes::from(payload));
        let parcel = Parcel {
            key: key.key().as_str(),
            header: header.into(),
            payload: Content::Buffer(&payload),
            arrival: Stamp::from_nanos(payload.len() as i64),
            n_bytes: header.len() + payload.len(),
        };
        let arriving = Arriving {
            apart: (!parcel.is_small()).then(|| parcel.message()),
            n_bytes: parcel.n_bytes,
            parcel: &parcel,
            key,
            depth: 1_000,
        };
        line.push(&arriving, spare);
    }

    #[test]
    fn messages_of_all_sizes_come_out_as_they_went_in() {
        let keys = [key("front"), key("rear")];
        let (mut line, mut spare, mut spent) = (Line::default(), Vec::new(), Vec::new());
        for _ in 0..3 {
            let sizes: Vec<usize> = (1..400)
                .map(|idx| idx * idx % (2 * COPY_BYTES_MAX))
                .collect();
            let payloads: Vec<Vec<u8>> = sizes
                .iter()
                .map(|size| vec![*size as u8; size + 1])
                .collect();
            for (idx, payload) in payloads.iter().enumerate() {
                push(&mut line, &mut spare, &keys[idx / 3 % 2], payload);
            }
            assert_eq!(line.len(), payloads.len());
            assert_eq!(line.unread().count(), payloads.len());
            for (idx, payload) in payloads.iter().enumerate() {
                let received = line.next(&mut spent).unwrap();
                assert_eq!(received.key, *keys[idx / 3 % 2].key());
                assert_eq!(received.message.payload(), *payload);
                assert_eq!(received.message.header(), [payload[0]]);
                assert_eq!(received.arrival.nanos(), payload.len() as i64);
            }
            assert!(line.next(&mut spent).is_none() && line.len() == 0);
            let n_spent = spent.len();
            spare.extend(spent.drain(..).filter_map(Chunk::emptied));
            assert_eq!(spare.len(), n_spent, "nobody keeps a message");
        }
    }

    #[test]
    fn whoever_keeps_a_message_of_a_quiet_stream_keeps_no_slab() {
        let key = key("front");
        for (n_messages, is_emptied) in [(1, true), (SLAB_BYTES / 1_024, false)] {
            let (mut line, mut spare, mut spent) = (Line::default(), Vec::new(), Vec::new());
            for idx in 0..n_messages {
                push(&mut line, &mut spare, &key, &vec![idx as u8; 900]);
            }
            let kept = line.next(&mut spent).unwrap();
            while line.next(&mut spent).is_some() {}
            let emptied = spent.pop().and_then(Chunk::emptied);
            assert_eq!(emptied.is_some(), is_emptied, "{n_messages} messages");
            assert_eq!(kept.message.payload(), [0; 900], "and it stays as it was");
        }
    }

    #[test]
    fn a_chunk_has_no_more_messages_than_its_stream_is_deep() {
        let key = key("front");
        let parcel = Parcel {
            key: key.key().as_str(),
            header: [1][..].into(),
            payload: Content::Part(&[2]),
            arrival: Stamp::from_nanos(0),
            n_bytes: 2,
        };
        let arriving = |depth| Arriving {
            parcel: &parcel,
            key: &key,
            apart: None,
            n_bytes: 2,
            depth,
        };
        for (depth, expected) in [(1, 1), (7, 7), (10_000, MESSAGES_MAX)] {
            let mut chunk = Chunk::default();
            while chunk.push(&arriving(depth)) {}
            assert_eq!(chunk.len(), expected);
        }
    }
}
