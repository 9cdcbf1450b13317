//! Copies of many small messages in one piece of memory.

use std::sync::Arc;

use crate::EncodedMessage;

/// The largest alignment that any dtype asks of memory.
const WORD_BYTES: usize = size_of::<u64>();

/// Room for copies of small messages, one behind the other: a network that copies each into memory
/// of its own spends more time on asking for memory than on copying.
///
/// Whoever keeps one of its messages keeps all of the slab, which is why its maker bounds its size.
#[derive(Debug, Default)]
pub struct MessageSlab {
    /// All the room, from the first message on.
    words: Vec<u64>,
    n_words_max: usize,
    n_words_used: usize,
    places: Vec<Place>,
}

/// Where a message lies: its payload, then its header, each from a new word on.
#[derive(Debug, Clone, Copy)]
struct Place {
    first_word: usize,
    payload_bytes: usize,
    header_bytes: usize,
}

impl MessageSlab {
    /// Empty, with room for so many bytes; the memory is taken with the first message.
    pub fn with_room(n_bytes: usize) -> Self {
        Self {
            n_words_max: n_bytes / WORD_BYTES,
            ..Self::default()
        }
    }

    /// Copies a message behind the others; `false` where there is no room for it.
    pub fn push(&mut self, header: &[u8], payload: &[u8]) -> bool {
        let n_payload_words = payload.len().div_ceil(WORD_BYTES);
        let n_words = n_payload_words + header.len().div_ceil(WORD_BYTES);
        if n_words > self.n_words_max - self.n_words_used {
            return false;
        }
        if self.words.is_empty() {
            self.words = vec![0; self.n_words_max];
        }
        let (of_payload, of_header) = self.words[self.n_words_used..].split_at_mut(n_payload_words);
        bytemuck::cast_slice_mut(of_payload)[..payload.len()].copy_from_slice(payload);
        bytemuck::cast_slice_mut(of_header)[..header.len()].copy_from_slice(header);
        self.places.push(Place {
            first_word: self.n_words_used,
            payload_bytes: payload.len(),
            header_bytes: header.len(),
        });
        self.n_words_used += n_words;
        true
    }

    /// How many messages are in it.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no message is in it.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many bytes its messages take.
    pub fn used_bytes(&self) -> usize {
        self.n_words_used * WORD_BYTES
    }

    /// Forgets its messages and keeps the memory.
    pub fn clear(&mut self) {
        self.n_words_used = 0;
        self.places.clear();
    }

    /// The message of this number, counted from 0, in place.
    pub fn message(self: &Arc<Self>, idx: usize) -> Option<EncodedMessage> {
        let place = *self.places.get(idx)?;
        let slab = Arc::clone(self);
        Some(EncodedMessage::in_slab(InSlab { slab, place }))
    }

    /// A copy of the message of this number in memory of its own.
    pub fn copy_of(&self, idx: usize) -> Option<EncodedMessage> {
        let place = self.places.get(idx)?;
        let (header, payload) = (self.header(place), self.payload(place));
        Some(EncodedMessage::copy_of(header, payload))
    }

    fn payload(&self, place: &Place) -> &[u8] {
        let bytes: &[u8] = bytemuck::cast_slice(&self.words[place.first_word..]);
        &bytes[..place.payload_bytes]
    }

    fn header(&self, place: &Place) -> &[u8] {
        let first_word = place.first_word + place.payload_bytes.div_ceil(WORD_BYTES);
        let bytes: &[u8] = bytemuck::cast_slice(&self.words[first_word..]);
        &bytes[..place.header_bytes]
    }
}

/// A message in a slab, which nobody changes for as long as it is held.
#[derive(Clone)]
pub(crate) struct InSlab {
    slab: Arc<MessageSlab>,
    place: Place,
}

impl InSlab {
    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        self.slab.payload(&self.place)
    }

    #[inline]
    pub(crate) fn header(&self) -> &[u8] {
        self.slab.header(&self.place)
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.place.payload_bytes
    }

    pub(crate) fn is_same_memory(&self, other: &Self) -> bool {
        let is_same_slab = Arc::ptr_eq(&self.slab, &other.slab);
        is_same_slab && self.place.first_word == other.place.first_word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(n: usize, seed: usize) -> Vec<u8> {
        (0..n).map(|idx| (idx * 7 + seed) as u8).collect()
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut slab = MessageSlab::with_room(4_096);
        let sizes = [(0, 0), (1, 0), (0, 1), (13, 7), (115, 64), (116, 1_536)];
        for (idx, (n_header, n_payload)) in sizes.into_iter().enumerate() {
            assert!(slab.push(&bytes(n_header, idx), &bytes(n_payload, idx + 1)));
        }
        let n_used = slab.used_bytes();
        let slab = Arc::new(slab);
        assert_eq!(slab.len(), sizes.len());
        for (idx, (n_header, n_payload)) in sizes.into_iter().enumerate() {
            let message = slab.message(idx).unwrap();
            assert_eq!(message.header(), bytes(n_header, idx));
            assert_eq!(message.payload(), bytes(n_payload, idx + 1));
            assert!(message.payload().as_ptr().addr().is_multiple_of(WORD_BYTES));
            assert_eq!(message.len_bytes(), n_header + n_payload);
            assert!(message.buffer().is_none());
            let copy = slab.copy_of(idx).unwrap();
            assert_eq!(copy, message);
            assert_eq!(message, message.clone());
        }
        assert!(slab.message(sizes.len()).is_none() && slab.copy_of(sizes.len()).is_none());
        assert_ne!(slab.message(4), slab.message(5));
        let n_bytes: usize = sizes.iter().map(|(header, payload)| header + payload).sum();
        assert!(n_used < n_bytes + 2 * sizes.len() * WORD_BYTES);
    }

    #[test]
    fn there_is_as_much_room_as_was_asked_for_again_and_again() {
        let mut slab = MessageSlab::with_room(64);
        for turn in 0..3 {
            assert!(slab.is_empty(), "turn {turn}");
            assert!(slab.push(&[1; 8], &[2; 16]));
            assert!(!slab.push(&[1; 8], &[2; 33]), "a byte too many");
            assert!(slab.push(&[turn; 8], &[2; 32]));
            assert!(slab.push(&[], &[]), "nothing takes no room");
            assert!(!slab.push(&[1], &[]));
            assert_eq!(slab.len(), 3);
            assert_eq!(slab.copy_of(1).unwrap().header(), [turn; 8]);
            slab.clear();
        }
        assert!(!MessageSlab::with_room(7).push(&[1], &[]), "not a word");
        assert!(!MessageSlab::default().push(&[], &[1]));
    }
}
