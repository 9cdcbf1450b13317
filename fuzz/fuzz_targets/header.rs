//! Any bytes as a header: what is read is written as it was read, and a header is read the same
//! whatever its thread read before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_oni::limits::HEADER_BYTES_MAX;
use sedge_oni::{Header, Message};

/// An unknown field, number 15000, of a number that no earlier one had.
fn unknown_field() -> [u8; 8] {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut field = [0xc0, 0xa9, 0x07, 0x80, 0x80, 0x80, 0x80, 0];
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    for (idx, byte) in field[3..].iter_mut().enumerate() {
        *byte |= (number >> (7 * idx) & 0x7f) as u8;
    }
    field
}

/// A scale that is no number is the same as itself here.
fn assert_same(one: &Header, other: &Header) {
    if one != other {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}

/// With another field behind it that is passed over, a header is like none before.
fn check_alone(data: &[u8]) {
    let Ok(header) = Header::decode(data) else {
        return;
    };
    let alone = [data, &unknown_field()].concat();
    if alone.len() <= HEADER_BYTES_MAX {
        let alone = Header::decode(&alone).expect("what is passed over breaks nothing");
        assert_same(&alone, &header);
    }
}

fuzz_target!(|data: &[u8]| {
    // A message that is dropped leaves its header to those that its thread reads next.
    drop(Message::decode(data, &[]));
    check_alone(data);
    drop(Message::decode(data, &[]));
    let sum: usize = data.iter().map(|byte| usize::from(*byte)).sum();
    if let Some(idx) = sum.checked_rem(data.len()) {
        let mut other = data.to_vec();
        other[idx] ^= 1 << (sum % 8);
        check_alone(&other);
    }
    if let Ok(header) = Header::decode(data) {
        let encoded = header.encode().expect("what was decoded can be encoded");
        let again = Header::decode(&encoded).expect("what was encoded can be decoded");
        assert_same(&again, &header);
    }
});
