//! Any bytes as a header: what is read is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_oni::Header;

fuzz_target!(|data: &[u8]| {
    if let Ok(header) = Header::decode(data) {
        let encoded = header.encode().expect("what was decoded can be encoded");
        let again = Header::decode(&encoded).expect("what was encoded can be decoded");
        assert_eq!(format!("{again:?}"), format!("{header:?}"));
    }
});
