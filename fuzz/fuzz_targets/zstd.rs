//! Any bytes as a tensor packed as zstd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::unpack;
use sedge_oni::Encoding;

fuzz_target!(|data: &[u8]| unpack(data, Encoding::Zstd));
