//! Any bytes as the two parts of a bundle: the first two say how long its attachment is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_oni::{Bundle, BundleParts, Message};

fuzz_target!(|data: &[u8]| {
    let Some((n_attachment, parts)) = data.split_first_chunk() else {
        return;
    };
    let n_attachment = usize::from(u16::from_le_bytes(*n_attachment));
    let (attachment, payload) = parts.split_at(n_attachment.min(parts.len()));
    let parts = match BundleParts::read(attachment, payload) {
        Ok(parts) => parts,
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "an error is a line");
            return;
        }
    };
    let mut again = Bundle::default();
    for (header, payload) in parts {
        drop(Message::decode(header, payload));
        assert!(again.push(header, payload), "it fitted before");
    }
    assert_eq!(again.into_parts(), (attachment.to_vec(), payload.to_vec()));
});
