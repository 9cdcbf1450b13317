//! Any bytes behind a valid header, where its table stands, and a payload of any length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::{decode, header};

fuzz_target!(|data: &[u8]| {
    let Some((length, rows)) = data.split_first_chunk() else {
        return;
    };
    let whole = [
        header(Vec::new()).encode().expect("a valid header"),
        rows.to_vec(),
    ]
    .concat();
    let payload = vec![0x5a; usize::from(u16::from_le_bytes(*length))];
    let _: Result<_, _> = decode(&whole, &payload);
});
