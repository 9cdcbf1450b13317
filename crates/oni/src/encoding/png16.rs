//! A 16-bit greyscale PNG picture, for depth images.
//!
//! Written by a library, read by hand: libraries pass over damage that does not hurt the picture
//! (bytes behind the image data, a wrong Adler-32) each in its own way, and two readers of one
//! message must not disagree about it.

use std::borrow::Cow;

use fdeflate::Decompressor;
use png::{BitDepth, ColorType, Encoder};

use super::{bad_data, numbers};
use crate::{TensorEntry, TensorError};

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// How every PNG begins, up to its width: signature, length and type of the first chunk.
const BEGINNING: [u8; 16] = *b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
/// Bit depth 16, greyscale, deflate, the five filters, not interlaced.
const KIND: [u8; 5] = [16, 0, 0, 0, 0];
const SAMPLE_BYTES: usize = size_of::<u16>();

pub(super) fn pack(entry: &TensorEntry, raw: &[u8]) -> Result<Vec<u8>, TensorError> {
    let (rows, columns) = size(entry);
    let mut packed = Vec::new();
    let mut encoder = Encoder::new(&mut packed, columns, rows);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Sixteen);
    // A tenth of the time of the default for a few per cent more bytes.
    encoder.set_compression(png::Compression::Fast);
    let samples = numbers::<u16>(raw)
        .iter()
        .flat_map(|sample| sample.to_be_bytes());
    let samples: Vec<u8> = samples.collect();
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&samples)?;
        writer.finish()
    });
    match written {
        Ok(()) => Ok(packed),
        Err(error) => Err(bad_data(entry, expected(entry), &error)),
    }
}

pub(super) fn check(entry: &TensorEntry, packed: &[u8]) -> Result<(), TensorError> {
    let bad = |got: &dyn ToString| bad_data(entry, expected(entry), got);
    let (Some(header), true) = (packed.get(16..29), packed.starts_with(&BEGINNING)) else {
        return Err(bad(&"no picture"));
    };
    let (columns, rows) = (number(header), number(&header[4..]));
    if (rows, columns) != size(entry) {
        return Err(bad(&format!("one of {columns} x {rows}")));
    }
    let kind = &header[8..];
    if kind != KIND {
        let expected = "depth, colour, compression, filter, interlace";
        return Err(bad(&format!("one of another kind ({expected}: {kind:?})")));
    }
    Ok(())
}

/// The bytes have been checked. Memory beside `raw` is the image data, inflated.
pub(super) fn unpack(
    entry: &TensorEntry,
    packed: &[u8],
    raw: &mut [u8],
) -> Result<(), TensorError> {
    let bad = |got: String| bad_data(entry, expected(entry), &got);
    let row_bytes = size(entry).1 as usize * SAMPLE_BYTES;
    let n_filtered_bytes = raw.len() / row_bytes * (1 + row_bytes);
    let stream = image_data(packed).map_err(bad)?;
    let filtered = inflate(&stream, n_filtered_bytes).map_err(bad)?;
    let mut above: &[u8] = &vec![0; row_bytes];
    let lines = filtered.chunks_exact(1 + row_bytes);
    for (line, row) in lines.zip(raw.chunks_exact_mut(row_bytes)) {
        row.copy_from_slice(&line[1..]);
        unfilter(line[0], above, row).map_err(bad)?;
        above = row;
    }
    for sample in raw.as_chunks_mut::<SAMPLE_BYTES>().0 {
        *sample = u16::from_be_bytes(*sample).to_le_bytes();
    }
    Ok(())
}

/// One chunk of a PNG.
struct Chunk<'p> {
    kind: [u8; 4],
    content: &'p [u8],
    rest: &'p [u8],
}

impl<'p> Chunk<'p> {
    /// The first chunk of `bytes`, with the right CRC if readers must know it.
    fn read(bytes: &'p [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let [_, _, _, _, kind @ ..] = *head;
        let length = number(head) as usize;
        let (content, rest) = rest.split_at_checked(length)?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let chunk = Self {
            kind,
            content,
            rest,
        };
        let is_whole = chunk.is_ancillary()
            || crc32fast::hash(&bytes[4..8 + length]) == u32::from_be_bytes(*checksum);
        is_whole.then_some(chunk)
    }

    /// Readers may pass over a chunk whose first letter is a small one.
    fn is_ancillary(&self) -> bool {
        self.kind[0] & 0x20 != 0
    }
}

/// The content of the IDAT chunks, which stand in a row, one after the other; what is wrong if not.
fn image_data(packed: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let mut rest = &packed[SIGNATURE.len()..];
    let mut data: Option<Cow<'_, [u8]>> = None;
    let mut before = *b"\0\0\0\0";
    loop {
        let at = packed.len() - rest.len();
        let Some(chunk) = Chunk::read(rest) else {
            return Err(format!("no whole chunk with its CRC at byte {at}"));
        };
        match &chunk.kind {
            b"IHDR" if at == SIGNATURE.len() => {}
            b"IDAT" => match &mut data {
                None => data = Some(Cow::Borrowed(chunk.content)),
                Some(data) if before == *b"IDAT" => data.to_mut().extend_from_slice(chunk.content),
                Some(_) => return Err(format!("an IDAT chunk of its own at byte {at}")),
            },
            b"IEND" if chunk.content.is_empty() && chunk.rest.is_empty() => {
                return data.ok_or_else(|| "no IDAT chunk".to_string());
            }
            b"IEND" => {
                let behind = chunk.content.len() + chunk.rest.len();
                return Err(format!("{behind} bytes behind it"));
            }
            b"acTL" => return Err("an animation".to_string()),
            _ if chunk.is_ancillary() => {}
            kind => return Err(format!("a chunk {} at byte {at}", kind.escape_ascii())),
        }
        (before, rest) = (chunk.kind, chunk.rest);
    }
}

/// Inflates a zlib stream that ends with `stream` and holds exactly this many bytes.
fn inflate(stream: &[u8], n_bytes: usize) -> Result<Vec<u8>, String> {
    let Some((last, most)) = stream.split_last() else {
        return Err("no image data".to_string());
    };
    let broken = |error| format!("image data with {error:?}");
    let mut inflater = Decompressor::new();
    // A byte more than there should be, to see whether there is more.
    let mut bytes = vec![0; n_bytes + 1];
    let (consumed, produced) = inflater.read(most, &mut bytes, 0, false).map_err(broken)?;
    // Its own buffer hides whether a few bytes are left: without the last one it must not be done.
    if consumed < most.len() || inflater.is_done() {
        return Err("more image data than the rows".to_string());
    }
    let last = inflater.read(&[*last], &mut bytes, produced, true);
    let (_, more) = last.map_err(broken)?;
    if !inflater.is_done() || produced + more != n_bytes {
        return Err(format!("{} bytes of rows or more", produced + more));
    }
    bytes.truncate(n_bytes);
    Ok(bytes)
}

/// Undoes a row's filter, in place; `above` is the row before, without its filter.
fn unfilter(filter: u8, above: &[u8], row: &mut [u8]) -> Result<(), String> {
    const BACK: usize = SAMPLE_BYTES;
    match filter {
        0 => {}
        1 => {
            for idx in BACK..row.len() {
                row[idx] = row[idx].wrapping_add(row[idx - BACK]);
            }
        }
        2 => {
            for (byte, above) in row.iter_mut().zip(above) {
                *byte = byte.wrapping_add(*above);
            }
        }
        3 | 4 => {
            for idx in 0..row.len() {
                let before = |row: &[u8]| idx.checked_sub(BACK).map_or(0, |idx| row[idx]);
                let (left, up, corner) = (before(row), above[idx], before(above));
                let guess = if filter == 3 {
                    u8::midpoint(left, up)
                } else {
                    paeth(left, up, corner)
                };
                row[idx] = row[idx].wrapping_add(guess);
            }
        }
        other => return Err(format!("a row with filter {other}")),
    }
    Ok(())
}

/// The neighbour nearest to `left + up - corner`; of two as near, the first.
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let distances = [b - c, a - c, a + b - 2 * c].map(i16::abs);
    if distances[0] <= distances[1] && distances[0] <= distances[2] {
        left
    } else if distances[1] <= distances[2] {
        up
    } else {
        corner
    }
}

/// A big-endian number at the beginning of `bytes`, which has four of them.
fn number(bytes: &[u8]) -> u32 {
    bytes[..4]
        .iter()
        .fold(0, |n, byte| n << 8 | u32::from(*byte))
}

/// Rows and columns. The shape was checked: two dimensions, each of at most 2^26.
fn size(entry: &TensorEntry) -> (u32, u32) {
    let dim = |idx: usize| entry.shape.get(idx).map_or(0, |dim| *dim as u32);
    (dim(0), dim(1))
}

fn expected(entry: &TensorEntry) -> String {
    let (rows, columns) = size(entry);
    format!("a still 16-bit greyscale PNG of {columns} x {rows}, not interlaced")
}
