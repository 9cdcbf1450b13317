//! A damaged stream: pieces of noise, whole frames and torn frames, pushed in pieces of any
//! length. Every byte is in a frame or counted as skipped, and nothing grows beyond the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_oni::{AlignedBytes, EncodedMessage, FrameReader};

/// The stream that the fuzzer describes, and how many whole frames were put into it.
fn stream(mut data: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let Some(([kind, length], rest)) = data.split_first_chunk() {
        let taken = usize::from(*length).min(rest.len());
        let (bytes, rest) = rest.split_at(taken);
        data = rest;
        let frame = || EncodedMessage::new(bytes, AlignedBytes::copy_of(bytes)).to_frame();
        match kind % 4 {
            0 | 1 => stream.extend_from_slice(bytes),
            2 => stream.extend_from_slice(&frame()),
            _ => {
                let frame = frame();
                let torn = usize::from(*kind).min(frame.len());
                stream.extend_from_slice(&frame[..torn]);
            }
        }
    }
    stream
}

fuzz_target!(|data: &[u8]| {
    let Some(([limit, piece], rest)) = data.split_first_chunk() else {
        return;
    };
    let stream = stream(rest);
    let mut reader = FrameReader::with_limit(usize::from(*limit) * 8);
    let (mut rest, mut in_frames) = (&stream[..], 0);
    let mut take = |reader: &mut FrameReader| {
        let mut n_frames = 0;
        while let Some(message) = reader.next_message() {
            in_frames += message.to_frame().len();
            n_frames += 1;
        }
        n_frames
    };
    while !rest.is_empty() {
        let end = usize::from(*piece).clamp(1, rest.len());
        let taken = reader.push(&rest[..end]);
        rest = &rest[taken..];
        assert!(take(&mut reader) > 0 || taken > 0, "it goes on");
    }
    reader.end();
    take(&mut reader);
    let counts = reader.counts();
    assert_eq!(in_frames as u64 + counts.skipped_bytes, stream.len() as u64);
    assert!(counts.broken <= counts.skipped_bytes);
});
