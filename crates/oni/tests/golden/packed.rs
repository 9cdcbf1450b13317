//! Packed tensors that do not unpack.

use std::io::Write as _;

use sedge_oni::ErrorCode;

use super::{Vectors, decodes, odometry, of};
use crate::craft::{Crafted, RawTensor};
use crate::sample;

pub(super) fn add(vectors: &mut Vectors) {
    encodings(vectors);
    zstd(vectors);
    png16(vectors);
}

fn encodings(vectors: &mut Vectors) {
    let depth = || of(&sample::depth());
    let latent = || {
        let steps = [0u8, 0x81, 63, 1, 2, 0xfd];
        let latent = Crafted::of(&sample::latent_state(), sample::modelled());
        let latent = latent.with_bytes("latent", &[2, 3], &steps);
        latent.with_row("latent", |t| (t.encoding, t.scale) = (3, 1.0))
    };
    assert!(
        decodes(&latent().frame()),
        "only what is changed below is wrong"
    );
    let code = ErrorCode::ENCODING_MISFIT;
    let int8 = depth().with_bytes("depth_ticks", &[2, 3], &[1; 6]);
    let int8 = int8.with_row("depth_ticks", |t| (t.encoding, t.scale) = (3, 1.0));
    vectors.craft("int8-u16", code, "int8 for u16", &int8);
    let png = depth().with_row("focal_px", |t| t.encoding = 4);
    vectors.craft("png16-f64", code, "png16 for f64", &png);
    let flat = depth().with_row("depth_ticks", |t| (t.encoding, t.shape) = (4, vec![6]));
    vectors.craft("png16-flat", code, "png16 for one dimension", &flat);
    let none = depth().with_bytes("depth_ticks", &[0, 3], &[]);
    let none = none.with_row("depth_ticks", |t| t.encoding = 4);
    vectors.craft("png16-no-row", code, "png16 for no row", &none);
    let code = ErrorCode::BAD_SCALE;
    let mut scale = |name, why, scale: f64| {
        let it = latent().with_row("latent", |t| t.scale = scale);
        vectors.craft(name, code, why, &it);
    };
    scale("int8-scale-none", "int8 without a scale", 0.0);
    scale("int8-scale-negative", "int8 with scale -1", -1.0);
    scale("int8-scale-nan", "int8 with scale NaN", f64::NAN);
    scale(
        "int8-scale-infinite",
        "int8 with an infinite scale",
        f64::INFINITY,
    );
    scale("int8-scale-large", "128 x scale beyond f32", 3e38);
    let raw = odometry().with_row("pose", |t| t.scale = 1.0);
    vectors.craft("raw-scale", code, "a scale for raw", &raw);
    let length = latent().with_row("latent", |t| t.length = 5);
    let why = "6 numbers of int8 in 5 bytes";
    vectors.craft("int8-length", ErrorCode::TENSOR_LENGTH, why, &length);
}

/// A scan whose ranges are these bytes, as zstd.
fn zstd_scan(bytes: &[u8]) -> Crafted {
    let scan = of(&sample::lidar()).with_bytes("ranges_m", &[5], bytes);
    scan.with_row("ranges_m", |t| t.encoding = 2)
}

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_contentsize(true).unwrap();
    encoder
        .set_pledged_src_size(Some(bytes.len() as u64))
        .unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A frame that does not say how much is in it.
fn compress_without_size(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(vectors: &mut Vectors) {
    let good = compress(&[0; 20]);
    assert!(
        decodes(&zstd_scan(&good).frame()),
        "only what is changed below is wrong"
    );
    let code = ErrorCode::BAD_PACKED_DATA;
    let mut add = |name, why, bytes: &[u8]| vectors.craft(name, code, why, &zstd_scan(bytes));
    add("zstd-noise", "bytes that are no zstd", b"no zstd frame");
    add("zstd-none", "no byte", b"");
    add("zstd-cut", "a frame that is cut", &good[..good.len() - 1]);
    add(
        "zstd-trailing",
        "a byte behind the frame",
        &[&good, &b"x"[..]].concat(),
    );
    add(
        "zstd-two-frames",
        "two frames",
        &[compress(&[0; 8]), compress(&[0; 12])].concat(),
    );
    add(
        "zstd-short",
        "19 bytes where 20 must be",
        &compress(&[0; 19]),
    );
    add(
        "zstd-long",
        "24 bytes where 20 must be",
        &compress(&[0; 24]),
    );
    add(
        "zstd-no-size",
        "a frame that does not state its size",
        &compress_without_size(&[0; 20]),
    );
    // Each within the limit, both beyond it; the packed bytes are few.
    let bomb = compress(&vec![0; 40 << 20]);
    let shape = [10 << 20];
    let two = of(&sample::lidar()).with_bytes("ranges_m", &shape, &bomb);
    let mut two = two.with_row("ranges_m", |t| t.encoding = 2);
    let copy = two.row("ranges_m").clone();
    two.header.tensors.push(RawTensor {
        name: "more".to_string(),
        ..copy
    });
    let two = two.with_bytes("more", &shape, &bomb);
    let why = "two tensors that unpack to 40 MiB each";
    vectors.craft("zstd-too-much", ErrorCode::PAYLOAD_TOO_LONG, why, &two);
}

fn png(width: u32, height: u32, depth: png::BitDepth, color: png::ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let n_samples = (width * height) as usize * color.samples();
    let data = vec![0; n_samples * usize::from(depth as u8) / 8];
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&data).unwrap();
    writer.finish().unwrap();
    bytes
}

fn png16(vectors: &mut Vectors) {
    use png::{BitDepth, ColorType};
    let depth = |bytes: &[u8]| {
        let depth = of(&sample::depth()).with_bytes("depth_ticks", &[2, 3], bytes);
        depth.with_row("depth_ticks", |t| t.encoding = 4)
    };
    let good = png(3, 2, BitDepth::Sixteen, ColorType::Grayscale);
    assert!(
        decodes(&depth(&good).frame()),
        "only what is changed below is wrong"
    );
    let code = ErrorCode::BAD_PACKED_DATA;
    let mut add = |name, why, bytes: &[u8]| vectors.craft(name, code, why, &depth(bytes));
    add("png16-noise", "bytes that are no PNG", b"no picture");
    add("png16-none", "no byte", b"");
    add(
        "png16-cut",
        "a picture that is cut",
        &good[..good.len() - 20],
    );
    add(
        "png16-trailing",
        "a byte behind the picture",
        &[&good, &b"x"[..]].concat(),
    );
    let turned = png(2, 3, BitDepth::Sixteen, ColorType::Grayscale);
    add(
        "png16-turned",
        "width and height the wrong way round",
        &turned,
    );
    let eight = png(3, 2, BitDepth::Eight, ColorType::Grayscale);
    add("png16-eight-bits", "8 bits a pixel", &eight);
    let rgb = png(3, 2, BitDepth::Sixteen, ColorType::Rgb);
    add("png16-rgb", "three channels", &rgb);
    let mut crc = good.clone();
    crc[29] ^= 1;
    add("png16-crc", "the checksum of a chunk changed", &crc);
}
