use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::EncodedMessage;

/// A buffer of runs, as a network has them, that counts how often it is copied.
struct Segments {
    runs: Vec<AlignedBytes>,
    /// Bytes to leave out at the beginning of a single run, so that it is not aligned.
    skip: usize,
    copies: Arc<AtomicUsize>,
}

impl PayloadBuffer for Segments {
    fn len_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.len).sum::<usize>() - self.skip
    }

    fn contiguous(&self) -> Option<&[u8]> {
        match self.runs.as_slice() {
            [run] => Some(&run.as_slice()[self.skip..]),
            _ => None,
        }
    }

    fn copy_to(&self, target: &mut [u8]) {
        self.copies.fetch_add(1, Ordering::Relaxed);
        let bytes = self.runs.iter().flat_map(AlignedBytes::as_slice);
        for (to, from) in target.iter_mut().zip(bytes.skip(self.skip)) {
            *to = *from;
        }
    }
}

fn check(runs: &[&[u8]], skip: usize, expected: PayloadOrigin) {
    let copies = Arc::new(AtomicUsize::new(0));
    let whole = runs.concat()[skip..].to_vec();
    let buffer = Segments {
        runs: runs.iter().map(|run| AlignedBytes::copy_of(run)).collect(),
        skip,
        copies: Arc::clone(&copies),
    };
    let message = EncodedMessage::from_buffer("header", Box::new(buffer));
    let clone = message.clone();
    assert_eq!(message.origin(), expected);
    assert_eq!(message.len_bytes(), 6 + whole.len());
    assert_eq!(copies.load(Ordering::Relaxed), 0, "nobody has read yet");
    assert_eq!(message.payload(), whole);
    assert_eq!(clone.payload(), whole);
    assert!(is_aligned(message.payload()));
    let expected_copies = usize::from(expected == PayloadOrigin::Copied);
    assert_eq!(copies.load(Ordering::Relaxed), expected_copies);
    let owned = EncodedMessage::new("header", AlignedBytes::copy_of(&whole));
    assert_eq!(owned.origin(), PayloadOrigin::Built);
    assert_eq!(owned, message, "messages are equal by their bytes");
    let buffer: &dyn Any = message.buffer().expect("a buffer was handed in");
    assert!(buffer.is::<Segments>());
}

#[test]
fn a_foreign_buffer_is_read_in_place_or_copied_once() {
    check(&[b"twelve bytes"], 0, PayloadOrigin::InPlace);
    check(&[b"twelve bytes"], 8, PayloadOrigin::InPlace);
    check(&[b"twelve bytes"], 3, PayloadOrigin::Copied);
    check(&[b"two", b"", b"runs"], 0, PayloadOrigin::Copied);
    check(&[b""], 0, PayloadOrigin::InPlace);
}

#[test]
fn a_copy_in_one_piece_is_the_same_message() {
    for (n_header, n_payload) in [(0, 0), (1, 0), (0, 1), (13, 7), (115, 64), (116, 1_536)] {
        let header: Vec<u8> = (0..n_header).map(|idx| idx as u8).collect();
        let payload: Vec<u8> = (0..n_payload).map(|idx| (idx * 3) as u8).collect();
        let copy = EncodedMessage::copy_of(&header, &payload);
        assert_eq!((copy.header(), copy.payload()), (&*header, &*payload));
        assert!(is_aligned(copy.payload()));
        assert_eq!(copy.len_bytes(), header.len() + payload.len());
        let apart = EncodedMessage::new(header, AlignedBytes::copy_of(&payload));
        assert_eq!(copy, apart);
        assert_eq!(copy, copy.clone());
        let other = EncodedMessage::copy_of(&[0xff], &payload);
        assert_ne!(copy, other);
    }
}
