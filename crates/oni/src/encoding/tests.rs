use proptest::prelude::*;
use sedge_spacetime::{AgentName, Stamp};

use super::*;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::{
    Capture, DecodeError, Envelope, Header, HeaderError, Message, MessageBuilder, PayloadOrigin,
    SchemaId, Sequence, Shape, TensorName,
};

fn builder() -> MessageBuilder {
    let mut sequence = Sequence::new(AgentName::new("crane3").unwrap(), 7);
    let capture = Capture::exact(Stamp::from_nanos(1), "log");
    let schema = SchemaId {
        name: "test.packed".into(),
        major: 1,
        minor: 0,
        hash: [7; 16],
    };
    MessageBuilder::new(schema, Envelope::new(sequence.next_source(), capture))
}

fn message<T: Element>(shape: &[usize], values: &[T]) -> Message<'static> {
    let builder = builder().tensor("before", &[3], &[1_u8, 2, 3]).unwrap();
    let builder = builder.tensor("packed", shape, values).unwrap();
    builder.tensor("after", &[1], &[0.5_f64]).unwrap().build()
}

/// Packs, encodes, decodes, and checks everything but the packed numbers, which it returns.
fn travel<T: Element>(shape: &[usize], values: &[T], encoding: Encoding) -> Vec<T> {
    let mut sent = message(shape, values);
    sent.pack("packed", encoding).unwrap();
    let encoded = sent.encode().unwrap();
    let table = Header::decode(encoded.header()).unwrap().tensors;
    assert_eq!(table[1].encoding, encoding);
    let came = encoded.decode().unwrap();
    assert_eq!(came.origin(), PayloadOrigin::Unpacked);
    assert_eq!(came.header(), sent.header(), "all raw, laid out as built");
    for name in ["before", "after"] {
        let bytes = |message: &Message<'_>| message.tensor(name).unwrap().bytes().to_vec();
        assert_eq!(bytes(&came), bytes(&sent));
    }
    let again = came.encode().unwrap();
    assert_eq!(again.header(), sent_raw(&sent).header());
    came.tensor("packed")
        .unwrap()
        .values::<T>()
        .unwrap()
        .to_vec()
}

fn sent_raw(message: &Message<'_>) -> crate::EncodedMessage {
    let mut raw = message.clone();
    raw.pack("packed", Encoding::Raw).unwrap();
    raw.encode().unwrap()
}

proptest! {
    #[test]
    fn zstd_gives_back_any_numbers(
        floats in prop::collection::vec(any::<f32>(), 0..300),
        bytes in prop::collection::vec(0_u8..3, 0..3_000),
    ) {
        let came = travel(&[floats.len()], &floats, Encoding::Zstd);
        prop_assert!(came.iter().map(|v| v.to_bits()).eq(floats.iter().map(|v| v.to_bits())));
        prop_assert_eq!(travel(&[bytes.len()], &bytes, Encoding::Zstd), bytes);
    }

    #[test]
    fn png16_gives_back_any_picture(
        columns in 1_usize..20,
        samples in prop::collection::vec(any::<u16>(), 20..400),
    ) {
        let rows = samples.len() / columns;
        let picture = &samples[..rows * columns];
        prop_assert_eq!(travel(&[rows, columns], picture, Encoding::Png16), picture);
    }

    #[test]
    fn int8_is_off_by_half_a_step_at_most(
        exponent in -60_i32..60,
        mantissa in 1.0_f64..2.0,
        steps in prop::collection::vec(-128.4_f64..127.4, 0..300),
    ) {
        let scale = mantissa * f64::powi(2.0, exponent);
        let values: Vec<f64> = steps.iter().map(|step| step * scale).collect();
        let came = travel(&[values.len()], &values, Encoding::Int8 { scale });
        // One rounding of the product more, of numbers below 128 steps.
        let tolerance = scale * (0.5 + 128.0 * f64::EPSILON);
        for (came, sent) in came.iter().zip(&values) {
            prop_assert!((came - sent).abs() <= tolerance, "{came} of {sent} by {scale}");
        }
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let came = travel(&[values.len()], &values, Encoding::Int8 { scale });
        let tolerance = scale * (0.5 + 128.0 * f64::from(f32::EPSILON));
        for (came, sent) in came.iter().zip(&values) {
            let error = (f64::from(*came) - f64::from(*sent)).abs();
            prop_assert!(error <= tolerance, "{came} of {sent} by {scale}");
        }
    }

    #[test]
    fn unpacking_any_bytes_is_an_error_or_the_tensor(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        number in 2_i32..=4,
    ) {
        let scale = if number == 3 { 0.5 } else { 0.0 };
        let name = TensorName::new("packed").unwrap();
        let encoding = Encoding::from_wire(&name, number, scale).unwrap();
        let entry = TensorEntry {
            name,
            dtype: if number == 4 { Dtype::U16 } else { Dtype::F32 },
            shape: Shape::new(&[4, 5]).unwrap(),
            offset: 0,
            length: bytes.len() as u64,
            encoding,
        };
        // An int8's length is checked with the table, before this.
        if number != 3 {
            prop_assert!(unpack(&mut [entry], &bytes).is_err());
        }
    }
}

#[test]
fn a_scale_says_exactly_its_steps() {
    let values = [-128.0_f32, -1.0, 0.0, 0.5, 1.0, 127.0].map(|step| step * 0.25);
    let came = travel(&[6], &values, Encoding::Int8 { scale: 0.25 });
    assert_eq!(came, [-32.0, -0.25, 0.0, 0.25, 0.25, 31.75]);
}

#[test]
fn numbers_that_int8_cannot_say_are_refused_with_their_place() {
    let scale = 0.25;
    for value in [f64::NAN, f64::INFINITY, -32.2, 31.9, 1e300] {
        let mut message = message(&[2], &[1.0, value]);
        message.pack("packed", Encoding::Int8 { scale }).unwrap();
        let error = message.encode().unwrap_err();
        let HeaderError::Tensor(TensorError::NotInt8 { name, index, .. }) = &error else {
            panic!("{error}");
        };
        assert_eq!((name.as_str(), *index), ("packed", 1), "{error}");
    }
}

#[test]
fn an_encoding_is_only_for_its_tensors() {
    let check = |message: &Message<'_>, encoding, expected: &str| {
        let error = message.clone().pack("packed", encoding).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    let int8 = |scale| Encoding::Int8 { scale };
    check(&message(&[1], &[1_u16]), int8(0.5), "f32 or f64");
    check(&message(&[1], &[1_u16]), Encoding::Png16, "[row, column]");
    check(
        &message(&[1, 0], &[0_u16; 0]),
        Encoding::Png16,
        "at least 1",
    );
    check(&message(&[1, 1], &[1_i32]), Encoding::Png16, "u16");
    for scale in [0.0, -0.5, f64::NAN, f64::INFINITY, 1e308] {
        check(&message(&[1], &[1.0]), int8(scale), "positive scale");
    }
    check(&message(&[1], &[1.0_f32]), int8(3e36), "positive scale");
    message(&[1], &[1.0]).pack("packed", int8(3e36)).unwrap();
    let error = message(&[1], &[1.0]).pack("absent", Encoding::Zstd);
    assert!(matches!(error, Err(TensorError::NoSuchTensor { .. })));
}

/// What is said about packed bytes that were changed.
#[track_caller]
fn refusal<T: Element>(shape: &[usize], values: &[T], packed: &PackedBytes) -> String {
    let mut sent = message(shape, values);
    sent.pack("packed", packed.encoding).unwrap();
    let encoded = sent.encode().unwrap();
    let mut header = Header::decode(encoded.header()).unwrap();
    let mut payload = AlignedBytes::copy_of(&encoded.payload()[..64]);
    let entry = &mut header.tensors[1];
    let original = &encoded.payload()[entry.offset as usize..][..entry.length as usize];
    let bytes = (packed.change)(original.to_vec());
    entry.length = bytes.len() as u64;
    payload.append_tensor(&bytes);
    header.tensors.truncate(2);
    let header = header.encode().unwrap();
    match Message::decode(&header, payload.as_slice()) {
        Err(DecodeError::Tensor(error @ TensorError::PackedData { .. })) => error.to_string(),
        other => panic!("expected an error about packed data, got {other:?}"),
    }
}

struct PackedBytes {
    encoding: Encoding,
    change: fn(Vec<u8>) -> Vec<u8>,
}

fn checksum_of_a_chunk(chunk: &[u8]) -> [u8; 4] {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    };
    (!chunk.iter().fold(!0, step)).to_be_bytes()
}

/// A picture whose IHDR says something else, with a right checksum.
fn with_header(mut png: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    png[16 + at] = byte;
    let checksum = checksum_of_a_chunk(&png[12..29]);
    png[29..33].copy_from_slice(&checksum);
    png
}

#[test]
fn a_zstd_frame_that_is_not_the_tensor_is_refused() {
    let check = |change, expected: &str| {
        let encoding = Encoding::Zstd;
        let error = refusal(&[256], &[7_u8; 256], &PackedBytes { encoding, change });
        assert!(error.contains(expected), "{error}");
    };
    let of = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).unwrap();
    check(|_| Vec::new(), "no frame");
    check(|_| vec![0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], "no frame");
    check(|mut bytes| bytes.split_off(4), "no frame");
    check(|bytes| [bytes, vec![0]].concat(), "1 bytes behind it");
    check(|bytes| [bytes.clone(), bytes].concat(), "bytes behind it");
    check(
        |mut bytes| {
            bytes.pop();
            bytes
        },
        "incorrect",
    );
    assert!(of(&[7; 255]).len() < 30);
    check(
        |_| zstd::bulk::compress(&[7; 255], 3).unwrap(),
        "a frame of 255 bytes",
    );
    // A bomb: a megabyte in a few bytes, where the table says 256.
    check(
        |_| zstd::bulk::compress(&vec![7; 1 << 20], 3).unwrap(),
        "a frame of 1048576 bytes",
    );
    check(
        |_| zstd::stream::encode_all(&[7_u8; 256][..], 3).unwrap(),
        "does not state",
    );
    // Says 256 bytes and holds 255.
    check(
        |_| {
            let mut lie = zstd::bulk::compress(&[7; 255], 3).unwrap();
            let honest = zstd::bulk::compress(&[7; 256], 3).unwrap();
            assert_eq!(
                (lie[4], honest[4]),
                (0x20, 0x60),
                "one and two bytes of size"
            );
            lie.splice(4..6, honest[4..7].iter().copied());
            lie
        },
        "one frame of 256 bytes, got",
    );
}

/// A chunk with its right checksum.
fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let checked = [&kind[..], content].concat();
    let length = (content.len() as u32).to_be_bytes();
    let checksum = checksum_of_a_chunk(&checked);
    [length.as_slice(), &checked, &checksum].concat()
}

/// The picture with this content of its IDAT chunk, and with `more` before its last 12 bytes.
fn with_image_data(png: &[u8], change: impl Fn(Vec<u8>) -> Vec<u8>, more: &[u8]) -> Vec<u8> {
    assert_eq!(&png[37..41], b"IDAT");
    let end = png.len() - 12;
    let data = change(png[41..end - 4].to_vec());
    [&png[..33], &chunk(*b"IDAT", &data), more, &png[end..]].concat()
}

#[test]
fn a_picture_that_is_not_the_tensor_is_refused() {
    let check = |change, expected: &str| {
        let encoding = Encoding::Png16;
        let error = refusal(&[2, 3], &[1_u16; 6], &PackedBytes { encoding, change });
        assert!(error.contains(expected), "{error}");
    };
    check(|_| Vec::new(), "no picture");
    check(|png| png[..28].to_vec(), "no picture");
    check(|png| with_header(png, 0, 0x7f), "one of 2130706435 x 2");
    check(|png| with_header(png, 7, 3), "one of 3 x 3");
    check(|png| with_header(png, 8, 8), "another kind");
    check(|png| with_header(png, 9, 2), "another kind");
    check(|png| with_header(png, 12, 1), "another kind");
    check(|png| changed(png, 23), "one of 3 x 3");
    check(
        |png| changed(png, 32),
        "no whole chunk with its CRC at byte 8",
    );
    check(
        |png| changed(png, 45),
        "no whole chunk with its CRC at byte 33",
    );
    check(|png| png[..png.len() - 12].to_vec(), "no whole chunk");
    check(|png| png[..40].to_vec(), "no whole chunk");
    check(|png| [png, vec![0; 5]].concat(), "5 bytes behind it");
    let behind = |png: Vec<u8>| {
        let whole = png.len() - 12;
        [&png[..whole], &chunk(*b"IEND", b"x")].concat()
    };
    check(behind, "1 bytes behind it");
    check(
        |png| [&png[..33], &png[png.len() - 12..]].concat(),
        "no IDAT",
    );
    check(
        |png| [&png[..33], &chunk(*b"PLTE", &[0; 3]), &png[33..]].concat(),
        "PLTE",
    );
    check(|png| [&png[..33], &png[8..]].concat(), "a chunk IHDR");
    check(
        |png| [&png[..33], &chunk(*b"acTL", &[0; 8]), &png[33..]].concat(),
        "an animation",
    );
    check(
        |png| {
            let apart = [chunk(*b"tEXt", b"a"), chunk(*b"IDAT", b"")].concat();
            with_image_data(&png, |data| data, &apart)
        },
        "an IDAT chunk of its own",
    );
    check(
        |png| with_image_data(&png, |_| Vec::new(), &[]),
        "no image data",
    );
}

#[test]
fn image_data_that_is_not_just_the_rows_is_refused() {
    let check = |change, expected: &str| {
        let encoding = Encoding::Png16;
        let error = refusal(&[2, 3], &[1_u16; 6], &PackedBytes { encoding, change });
        assert!(error.contains(expected), "{error}");
    };
    // Behind the Adler-32, in the same chunk and in a further one, few bytes and many.
    check(
        |png| with_image_data(&png, |data| [data, vec![0]].concat(), &[]),
        "more image data",
    );
    check(
        |png| with_image_data(&png, |data| [data, vec![0; 99]].concat(), &[]),
        "more image data",
    );
    check(
        |png| with_image_data(&png, |data| data, &chunk(*b"IDAT", &[0; 4])),
        "more image data",
    );
    // The Adler-32 wrong, half there, and not there.
    check(
        |png| with_image_data(&png, |data| changed(data.clone(), data.len() - 1), &[]),
        "WrongChecksum",
    );
    for cut in [1, 2, 4] {
        let change: fn(Vec<u8>) -> Vec<u8> = match cut {
            1 => |png| with_image_data(&png, |data| data[..data.len() - 1].to_vec(), &[]),
            2 => |png| with_image_data(&png, |data| data[..data.len() - 2].to_vec(), &[]),
            _ => |png| with_image_data(&png, |data| data[..data.len() - 4].to_vec(), &[]),
        };
        check(change, "InsufficientInput");
    }
    // One row more, one less, one byte more, and a filter that there is not.
    check(
        |png| with_image_data(&png, |_| stored(&[0; 21]), &[]),
        "image data",
    );
    check(
        |png| with_image_data(&png, |_| stored(&[0; 7]), &[]),
        "7 bytes of rows",
    );
    check(
        |png| with_image_data(&png, |_| stored(&[0; 15]), &[]),
        "15 bytes of rows",
    );
    check(
        |png| with_image_data(&png, |_| stored(&[5; 14]), &[]),
        "filter 5",
    );
}

/// A zlib stream with one stored block.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let length = bytes.len() as u16;
    let head = [
        [0x78, 0x01, 0x01].as_slice(),
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
    ];
    [
        head.concat().as_slice(),
        bytes,
        &(b << 16 | a).to_be_bytes(),
    ]
    .concat()
}

fn changed(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

/// Packed here, changed, and unpacked.
fn read_picture(samples: &[u16], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u16> {
    let entry = TensorEntry {
        name: TensorName::new("packed").unwrap(),
        dtype: Dtype::U16,
        shape: Shape::new(&[4, samples.len() as u64 / 4]).unwrap(),
        offset: 0,
        length: 0,
        encoding: Encoding::Png16,
    };
    let raw = AlignedBytes::copy_of(bytemuck::cast_slice(samples));
    let packed = change(&png16::pack(&entry, raw.as_slice()).unwrap());
    let length = packed.len() as u64;
    let bytes = unpack(&mut [TensorEntry { length, ..entry }], &packed).unwrap();
    numbers::<u16>(bytes.as_slice()).to_vec()
}

#[test]
fn ancillary_chunks_are_passed_over_whatever_is_in_them() {
    let samples: Vec<u16> = (0..40).map(|idx| idx * 1_111).collect();
    let came = read_picture(&samples, |png| {
        let mut text = chunk(*b"tEXt", b"no checksum");
        *text.last_mut().unwrap() ^= 1;
        let more = [text, chunk(*b"fcTL", b"short"), chunk(*b"zzZz", &[0; 300])].concat();
        let whole = png.len() - 12;
        [&png[..33], &more, &png[33..whole], &more, &png[whole..]].concat()
    });
    assert_eq!(came, samples);
}

#[test]
fn every_filter_is_undone_as_the_library_does_it() {
    let samples: Vec<u16> = (0..400_u32).map(|idx| (idx * idx * 977) as u16).collect();
    let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_be_bytes()).collect();
    for filter in [
        png::Filter::NoFilter,
        png::Filter::Sub,
        png::Filter::Up,
        png::Filter::Avg,
        png::Filter::Paeth,
        png::Filter::Adaptive,
    ] {
        let came = read_picture(&samples, |_| {
            let mut packed = Vec::new();
            let mut encoder = png::Encoder::new(&mut packed, 100, 4);
            encoder.set_color(png::ColorType::Grayscale);
            encoder.set_depth(png::BitDepth::Sixteen);
            encoder.set_filter(filter);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&bytes).unwrap();
            writer.finish().unwrap();
            packed
        });
        assert_eq!(came, samples, "{filter:?}");
    }
}

#[test]
fn tensors_that_only_fit_packed_are_refused_before_memory_is_taken() {
    let zeros = vec![0_u8; PAYLOAD_BYTES_MAX];
    let mut sent = builder()
        .tensor("first", &[PAYLOAD_BYTES_MAX], &zeros)
        .unwrap()
        .build();
    sent.pack("first", Encoding::Zstd).unwrap();
    let encoded = sent.encode().unwrap();
    assert!(encoded.payload().len() < 10_000);
    assert_eq!(encoded.decode().unwrap().payload().len(), PAYLOAD_BYTES_MAX);
    let mut header = Header::decode(encoded.header()).unwrap();
    let mut second = header.tensors[0].clone();
    second.name = TensorName::new("second").unwrap();
    second.offset = second.length.next_multiple_of(64);
    header.tensors.push(second);
    let mut payload = AlignedBytes::copy_of(encoded.payload());
    payload.append_tensor(encoded.payload());
    let error = Message::decode(&header.encode().unwrap(), payload.as_slice()).unwrap_err();
    assert!(
        matches!(&error, DecodeError::Tensor(TensorError::UnpackedTooLarge { name, got })
            if name == "second" && *got == 2 * PAYLOAD_BYTES_MAX as u64),
        "{error}"
    );
}
