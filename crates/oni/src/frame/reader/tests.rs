use proptest::prelude::*;

use super::*;

fn message(number: u8, payload_bytes: usize) -> EncodedMessage {
    let payload: Vec<u8> = (0..payload_bytes).map(|idx| idx as u8 ^ number).collect();
    EncodedMessage::new(vec![number; 5], AlignedBytes::copy_of(&payload))
}

/// Everything that a reader finds in a stream that comes in pieces of these lengths.
fn read(
    mut reader: FrameReader,
    stream: &[u8],
    pieces: &[usize],
) -> (Vec<EncodedMessage>, FrameCounts) {
    let mut came = Vec::new();
    let mut rest = stream;
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let piece = (*pieces.next().expect("a cycle")).clamp(1, rest.len());
        let taken = reader.push(&rest[..piece]);
        assert!(reader.waiting().len() <= reader.frame_bytes_max);
        assert!(reader.bytes.len() <= reader.frame_bytes_max);
        rest = &rest[taken..];
        let before = came.len();
        came.extend(std::iter::from_fn(|| reader.next_message()));
        assert!(taken > 0 || came.len() > before, "it goes on");
    }
    reader.end();
    came.extend(std::iter::from_fn(|| reader.next_message()));
    assert!(reader.waiting().is_empty());
    let counts = reader.counts();
    let in_frames: usize = came.iter().map(|message| message.to_frame().len()).sum();
    assert_eq!(
        in_frames as u64 + counts.skipped_bytes,
        stream.len() as u64,
        "every byte is counted once"
    );
    assert_eq!(counts.frames, came.len() as u64);
    (came, counts)
}

proptest! {
    #[test]
    fn frames_between_noise_are_all_found(
        // Noise of the magic's own bytes, so that its beginnings are common.
        noise in prop::collection::vec(prop::collection::vec(
            prop::sample::select(b"ONI1\0x".to_vec()), 0..40), 3..8),
        lengths in prop::collection::vec(0_usize..200, 8),
        pieces in prop::collection::vec(1_usize..100, 1..5),
    ) {
        let mut stream = Vec::new();
        let mut sent = Vec::new();
        for (idx, noise) in noise.iter().enumerate() {
            stream.extend_from_slice(noise);
            sent.push(message(idx as u8, lengths[idx]));
            stream.extend_from_slice(&sent[idx].to_frame());
        }
        // With a limit, noise that says a huge length cannot swallow what comes after.
        let (came, _) = read(FrameReader::with_limit(1_000), &stream, &pieces);
        // Noise that ends with the magic and small lengths may hide nothing: what is refused is
        // searched again from its second byte.
        prop_assert_eq!(came, sent);
    }

    #[test]
    fn one_damaged_byte_costs_one_frame(
        at in 0_usize..1_000,
        byte in 1_u8..,
        pieces in prop::collection::vec(1_usize..100, 1..5),
    ) {
        let sent: Vec<_> = (0..5).map(|number| message(number, 100)).collect();
        let frames: Vec<_> = sent.iter().map(EncodedMessage::to_frame).collect();
        let mut stream = frames.concat();
        let at = at % stream.len();
        stream[at] ^= byte;
        let damaged = at / frames[0].len();
        let (came, counts) = read(FrameReader::new(), &stream, &pieces);
        prop_assert_eq!(counts.skipped_bytes, frames[0].len() as u64);
        prop_assert!(counts.broken <= 1);
        for (idx, message) in sent.iter().enumerate() {
            prop_assert_eq!(came.contains(message), idx != damaged);
        }
    }

    #[test]
    fn any_bytes_are_read_to_their_end(
        stream in prop::collection::vec(prop::sample::select(b"ONI1\0\x01\xff".to_vec()), 0..600),
        pieces in prop::collection::vec(1_usize..100, 1..5),
        limit in 0_usize..400,
    ) {
        let (came, _) = read(FrameReader::with_limit(limit), &stream, &pieces);
        prop_assert!(came.is_empty());
    }
}

#[test]
fn a_length_beyond_the_limit_does_not_make_it_wait() {
    let mut lie = message(1, 100).to_frame();
    lie[8..16].copy_from_slice(&2_000_u64.to_le_bytes());
    let honest = message(2, 100);
    let mut reader = FrameReader::with_limit(1_000);
    reader.push(&[lie.clone(), honest.to_frame()].concat());
    assert_eq!(reader.next_message(), Some(honest.clone()));
    assert_eq!(reader.counts().broken, 1);
    // Within the limit it waits, and what it waited for is searched in the end.
    let mut reader = FrameReader::new();
    reader.push(&[lie, honest.to_frame()].concat());
    assert_eq!(reader.next_message(), None);
    reader.end();
    assert_eq!(reader.next_message(), Some(honest));
    assert_eq!(reader.next_message(), None);
}

#[test]
fn a_full_reader_takes_no_more_until_it_was_read() {
    let frame = message(1, 100).to_frame();
    let mut reader = FrameReader::with_limit(frame.len());
    let stream = frame.repeat(3);
    assert_eq!(reader.push(&stream), frame.len());
    assert_eq!(reader.push(&stream[frame.len()..]), 0);
    assert!(reader.next_message().is_some());
    assert_eq!(reader.push(&stream[frame.len()..]), frame.len());
}
