//! Any bytes as a tensor packed as png16, as they are and with the CRCs that they should have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::unpack;
use sedge_oni::Encoding;

/// Bytes before the picture that choose the tensor's dtype and shape.
const CHOICES: usize = 6;
const SIGNATURE: usize = 8;

/// Gives every chunk its checksum, or hardly a changed byte would come further than to it.
fn mend(data: &mut [u8]) {
    let mut rest = data.get_mut(CHOICES + SIGNATURE..).unwrap_or_default();
    while let Some((length, behind)) = rest.split_first_chunk_mut() {
        let checked = (u32::from_be_bytes(*length) as usize).saturating_add(4);
        let Some((checked, behind)) = behind.split_at_mut_checked(checked) else {
            return;
        };
        let Some((checksum, behind)) = behind.split_first_chunk_mut() else {
            return;
        };
        *checksum = crc32fast::hash(checked).to_be_bytes();
        rest = behind;
    }
}

fuzz_target!(|data: &[u8]| {
    unpack(data, Encoding::Png16);
    let mut mended = data.to_vec();
    mend(&mut mended);
    unpack(&mended, Encoding::Png16);
});
