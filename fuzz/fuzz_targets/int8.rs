//! Any bytes as a tensor packed as int8, with any scale.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::unpack;
use sedge_oni::Encoding;

fuzz_target!(|data: &[u8]| {
    if let Some((scale, data)) = data.split_first_chunk() {
        let scale = f64::from_le_bytes(*scale);
        unpack(data, Encoding::Int8 { scale });
    }
});
