//! One Zstandard frame (RFC 8878) that states its content's size.

use zstd::zstd_safe;

use super::bad_data;
use crate::{TensorEntry, TensorError};

/// The library's default: on scans and pictures higher levels take much longer for little.
const LEVEL: i32 = 3;
/// How a frame begins; other magics are those of skippable frames and of older formats.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

pub(super) fn pack(entry: &TensorEntry, raw: &[u8]) -> Result<Vec<u8>, TensorError> {
    let expected = || format!("{} bytes of memory to pack into", raw.len());
    zstd::bulk::compress(raw, LEVEL).map_err(|error| bad_data(entry, expected(), &error))
}

pub(super) fn check(entry: &TensorEntry, packed: &[u8]) -> Result<(), TensorError> {
    let raw_bytes = entry.raw_bytes()?;
    let bad = |got: &dyn ToString| bad_data(entry, expected(raw_bytes), got);
    if !packed.starts_with(&MAGIC) {
        return Err(bad(&"no frame"));
    }
    match zstd_safe::get_frame_content_size(packed) {
        Ok(Some(bytes)) if bytes == raw_bytes => {}
        Ok(Some(bytes)) => return Err(bad(&format!("a frame of {bytes} bytes"))),
        Ok(None) => return Err(bad(&"a frame that does not state its content's size")),
        Err(_) => return Err(bad(&"a broken frame header")),
    }
    match zstd_safe::find_frame_compressed_size(packed) {
        Ok(bytes) if bytes == packed.len() => Ok(()),
        Ok(bytes) => Err(bad(&format!("{} bytes behind it", packed.len() - bytes))),
        Err(code) => Err(bad(&zstd_safe::get_error_name(code))),
    }
}

/// The bytes have been checked. Memory is the frame's content, which is `raw`, and a context of a
/// fixed size: frames are unpacked in one go, so their window is `raw` itself.
pub(super) fn unpack(
    entry: &TensorEntry,
    packed: &[u8],
    raw: &mut [u8],
) -> Result<(), TensorError> {
    let raw_bytes = raw.len();
    let bad = |got: &dyn ToString| bad_data(entry, expected(raw_bytes as u64), got);
    let mut decompressor = zstd::bulk::Decompressor::new().map_err(|error| bad(&error))?;
    let unpacked = decompressor
        .decompress_to_buffer(packed, raw)
        .map_err(|error| bad(&error))?;
    if unpacked == raw_bytes {
        return Ok(());
    }
    Err(bad(&format!("{unpacked} bytes")))
}

fn expected(raw_bytes: u64) -> String {
    format!("one frame of {raw_bytes} bytes")
}
