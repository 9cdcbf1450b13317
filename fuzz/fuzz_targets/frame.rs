//! Any bytes as a frame, as they are and with the checksum that they should have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::check;
use sedge_oni::{EncodedMessage, FrameError, Message};

fn read(frame: &[u8]) -> Option<FrameError> {
    match Message::from_frame(frame) {
        Ok((message, used)) => {
            assert!(used <= frame.len());
            check(&message);
            None
        }
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "an error is a line");
            Some(error)
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let error = read(data);
    if !matches!(error, Some(FrameError::Checksum { .. })) {
        return;
    }
    // Whole, but for its checksum: what it says about its lengths is believed.
    let number = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().expect("4 bytes"));
    let payload_begin = (16 + number(4) as usize).next_multiple_of(64);
    let content = &data[..payload_begin + number(8) as usize];
    let frame = [content, &blake3::hash(content).as_bytes()[..16]].concat();
    if let Ok((message, used)) = Message::from_frame(&frame) {
        assert_eq!(used, frame.len());
        check(&message);
        let again: EncodedMessage = message.encode().expect("what was decoded can be encoded");
        assert_eq!(read(&again.to_frame()), None);
    }
});
