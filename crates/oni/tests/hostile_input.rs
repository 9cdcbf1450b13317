//! Bytes that nobody sane would send: every decoder answers with an error or a message, never with
//! a panic, and keeps nothing beyond the limits.

#[path = "sample/sample.rs"]
mod sample;

use prost::Message as _;
use sedge_oni::{
    AlignedBytes, BeliefReport, Camera, Command, DecodeError, Depth, EncodedMessage, Encoding,
    Forecast, FrameError, FrameReader, Goal, Header, HeaderError, Health, Imu, InvalidMessage, Key,
    KeyPattern, LatencyReport, LatentState, Lidar, Manifest, Message, Odometry, RangeBearing,
    Schema, SchemaDocument, Stop, TensorError, TypedMessage as _, limits,
};

/// Always run, with the development profile: about a minute of one core.
const N_MUTATED_FRAMES: usize = 1_000_000;
const N_MUTANTS: usize = 20_000;

/// `SplitMix64` (Steele, Lea and Flood 2014): a few lines of seeded numbers.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    match numbers.below(7) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, numbers.next() as u8),
        3 if !bytes.is_empty() => drop(bytes.remove(at)),
        // The largest numbers that a varint or a float can say.
        4 => drop(bytes.splice(
            at..at,
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        )),
        5 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
        _ => {
            let end = (at + numbers.below(32)).min(bytes.len());
            let copied = bytes[at..end].to_vec();
            bytes.extend_from_slice(&copied);
        }
    }
}

/// A message of each type as it is sent, and again with every encoding that fits its tensors.
fn subjects() -> Vec<EncodedMessage> {
    let encodings = [
        Encoding::Raw,
        Encoding::Zstd,
        Encoding::Int8 { scale: 0.125 },
        Encoding::Png16,
    ];
    let mut subjects = Vec::new();
    for message in sample::all() {
        let names: Vec<_> = message.header().tensors.iter().map(|it| it.name).collect();
        for encoding in encodings {
            let mut packed = message.clone();
            let fits: Vec<_> = names
                .iter()
                .map(|name| packed.pack(name, encoding).is_ok())
                .collect();
            // A number of the sample that int8 cannot say is no reason to leave its type out.
            if let (true, Ok(encoded)) = (fits.contains(&true), packed.encode()) {
                subjects.push(encoded);
            }
        }
    }
    subjects
}

/// Reads everything that can be read; what is kept must be within the limits.
fn read_all(message: &Message<'_>) {
    let header = message.header();
    assert!(header.tensors.len() <= limits::TENSORS_MAX);
    assert!(header.envelope.ledger.len() <= limits::LEDGER_ENTRIES_MAX);
    assert!(message.payload().len() <= limits::PAYLOAD_BYTES_MAX);
    let total: usize = message.tensors().map(|tensor| tensor.bytes().len()).sum();
    assert!(total <= message.payload().len(), "tensors share bytes");
    let read = [
        Lidar::from_message(message).is_ok(),
        Imu::from_message(message).is_ok(),
        Odometry::from_message(message).is_ok(),
        Depth::from_message(message).is_ok(),
        Camera::from_message(message).is_ok(),
        RangeBearing::from_message(message).is_ok(),
        LatentState::from_message(message).is_ok(),
        BeliefReport::from_message(message).is_ok(),
        Forecast::from_message(message).is_ok(),
        Command::from_message(message).is_ok(),
        Goal::from_message(message).is_ok(),
        Stop::from_message(message).is_ok(),
        LatencyReport::from_message(message).is_ok(),
        Health::from_message(message).is_ok(),
        Manifest::from_message(message).is_ok(),
        SchemaDocument::from_message(message).is_ok(),
    ];
    assert!(
        read.iter().filter(|ok| **ok).count() <= 1,
        "a message is of one type"
    );
}

/// The most memory that this process has had, where the system tells.
fn peak_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[test]
fn a_million_mutated_frames_never_panic_and_take_bounded_memory() {
    let mut numbers = Numbers(1);
    let subjects = subjects();
    assert!(subjects.len() > 40, "{} subjects", subjects.len());
    let (mut refused, mut read) = (0, 0);
    for mutant in 0..N_MUTATED_FRAMES {
        let subject = &subjects[mutant % subjects.len()];
        let (mut header, mut payload) = (subject.header().to_vec(), subject.payload().to_vec());
        for _ in 0..=numbers.below(3) {
            match numbers.below(2) {
                0 => mutate(&mut header, &mut numbers),
                _ => mutate(&mut payload, &mut numbers),
            }
        }
        // With the right checksum, or all of them would be refused for the same reason.
        let payload = AlignedBytes::copy_of(&payload);
        let frame = EncodedMessage::new(header, payload).to_frame();
        match Message::from_frame(&frame) {
            Ok((message, used)) => {
                assert_eq!(used, frame.len());
                assert!(message.payload().len() <= limits::PAYLOAD_BYTES_MAX);
                // Every rule of its schema; now and then as every type there is.
                let schema = sedge_oni::schemas()
                    .iter()
                    .find(|it| it.id.name == message.header().schema.name);
                if let Some(schema) = schema {
                    let valid = schema.validate(&message);
                    let is_line = |error: &InvalidMessage| error.to_string().len() < 4_000;
                    assert!(valid.as_ref().err().is_none_or(is_line), "{valid:?}");
                }
                if read % 64 == 0 {
                    read_all(&message);
                    assert!(message.to_json().is_object());
                }
                read += 1;
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.len() < 1_000, "an error is a line: {text}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused + read, N_MUTATED_FRAMES);
    const { assert!(N_MUTATED_FRAMES >= 1_000_000) };
    // Neither all noise nor all harmless: both ways through the decoder were taken often.
    assert!(
        refused > N_MUTATED_FRAMES / 10 && read > N_MUTATED_FRAMES / 10,
        "{refused} refused, {read} read"
    );
    // A few payloads of the largest size, whatever the mutants asked for.
    if let Some(bytes) = peak_bytes() {
        assert!(bytes < 8 * limits::PAYLOAD_BYTES_MAX, "{bytes} bytes");
    }
}

#[test]
fn frames_with_a_damaged_byte_are_all_refused() {
    let mut numbers = Numbers(2);
    let frames: Vec<_> = subjects().iter().map(EncodedMessage::to_frame).collect();
    for mutant in 0..N_MUTANTS {
        let original = &frames[mutant % frames.len()];
        let mut frame = original.clone();
        mutate(&mut frame, &mut numbers);
        if !frame.starts_with(original) {
            assert!(
                Message::from_frame(&frame).is_err(),
                "mutant {mutant} was read"
            );
        }
    }
}

#[test]
fn a_stream_of_mutated_frames_is_read_to_its_end() {
    let mut numbers = Numbers(4);
    let frames: Vec<_> = subjects().iter().map(EncodedMessage::to_frame).collect();
    let mut reader = FrameReader::with_limit(16 * 1024);
    let (mut n_pushed, mut n_in_frames, mut n_whole) = (0, 0, 0);
    for mutant in 0..N_MUTANTS {
        let original = &frames[mutant % frames.len()];
        let mut frame = original.clone();
        if numbers.below(2) == 0 {
            mutate(&mut frame, &mut numbers);
        }
        n_whole += u64::from(frame == *original);
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            let taken = reader.push(rest);
            rest = &rest[taken..];
            n_pushed += taken as u64;
            while let Some(message) = reader.next_message() {
                n_in_frames += message.to_frame().len() as u64;
            }
        }
    }
    reader.end();
    while let Some(message) = reader.next_message() {
        n_in_frames += message.to_frame().len() as u64;
    }
    let counts = reader.counts();
    assert_eq!(n_in_frames + counts.skipped_bytes, n_pushed);
    assert!(counts.frames >= n_whole, "{counts:?} of {n_whole}");
    assert!(counts.broken > N_MUTANTS as u64 / 8, "{counts:?}");
}

#[test]
fn noise_never_panics() {
    let mut numbers = Numbers(3);
    for _ in 0..N_MUTANTS {
        let length = numbers.below(200);
        let noise: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
        assert!(Message::decode(&noise, &noise).is_err());
        let mut frame = b"ONI1".to_vec();
        frame.extend_from_slice(&noise);
        assert!(Message::from_frame(&frame).is_err());
        let text = String::from_utf8_lossy(&noise);
        assert!(Key::parse(&text).is_err());
        assert!(KeyPattern::parse(&text).is_err());
        assert!(Schema::parse(&text).is_err());
    }
}

/// `oni.v1.Tensor` once more, so that a test can say what the encoder never would.
#[derive(Clone, PartialEq, prost::Message)]
struct Row {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    dtype: i32,
    #[prost(uint64, repeated, tag = "3")]
    shape: Vec<u64>,
    #[prost(uint64, tag = "4")]
    offset: u64,
    #[prost(uint64, tag = "5")]
    length: u64,
    #[prost(int32, tag = "6")]
    encoding: i32,
    #[prost(double, tag = "7")]
    scale: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Rows {
    #[prost(message, repeated, tag = "18")]
    tensors: Vec<Row>,
}

fn row(name: &str, shape: &[u64], offset: u64, length: u64) -> Row {
    Row {
        name: name.to_string(),
        dtype: 5,
        shape: shape.to_vec(),
        offset,
        length,
        encoding: 1,
        scale: 0.0,
    }
}

/// Decodes an odometry message (two tensors of 24 bytes at 0 and 64) with more rows.
fn decode_with(tensors: Vec<Row>) -> Result<(), TensorError> {
    let encoded = sample::odometry()
        .to_message(sample::envelope())
        .expect("a valid sample")
        .encode()
        .expect("a valid sample");
    let header = [encoded.header(), &Rows { tensors }.encode_to_vec()].concat();
    match Message::decode(&header, encoded.payload()) {
        Ok(_) => Ok(()),
        Err(DecodeError::Header(HeaderError::Tensor(error))) => Err(error),
        Err(error) => panic!("expected a tensor error, got {error}"),
    }
}

#[test]
fn absurd_tensor_tables_are_refused() {
    let check = |rows: Vec<Row>, expected: fn(&TensorError) -> bool| {
        let shown = format!("{rows:?}");
        let error = decode_with(rows).expect_err(&shown);
        assert!(expected(&error), "{shown}: {error}");
    };
    let huge = 1 << 63;
    assert_eq!(decode_with(vec![row("a", &[0], 64, 0)]), Ok(()));
    check(vec![row("a", &[huge], 0, huge)], |e| {
        matches!(e, TensorError::TooLarge { .. })
    });
    check(vec![row("a", &[huge, 2], 0, 0)], |e| {
        matches!(e, TensorError::TooLarge { .. })
    });
    check(vec![row("a", &[0, huge], 0, 0)], |e| {
        matches!(e, TensorError::TooLarge { .. })
    });
    check(vec![row("a", &[1 << 32, 1 << 32], 0, 0)], |e| {
        matches!(e, TensorError::TooLarge { .. })
    });
    check(vec![row("a", &[3], 64, 4)], |e| {
        matches!(e, TensorError::Length { .. })
    });
    check(vec![row("a", &[1; 9], 64, 1)], |e| {
        matches!(e, TensorError::Rank { got: 9, .. })
    });
    check(vec![row("a", &[8], 64, 8)], |e| {
        matches!(e, TensorError::Overlap { .. })
    });
    check(vec![row("a", &[1], 8, 1)], |e| {
        matches!(e, TensorError::Unaligned { offset: 8, .. })
    });
    check(vec![row("a", &[1], 128, 1)], |e| {
        matches!(e, TensorError::OutOfPayload { .. })
    });
    let end = u64::MAX - 63;
    check(vec![row("a", &[64], end, 64)], |e| {
        matches!(e, TensorError::OutOfPayload { .. })
    });
    check(vec![row("pose", &[0], 0, 0)], |e| {
        matches!(e, TensorError::SameName { .. })
    });
    check(vec![row("../x", &[0], 0, 0)], |e| {
        matches!(e, TensorError::Name { .. })
    });
    let unknown = Row {
        dtype: 99,
        ..row("a", &[0], 0, 0)
    };
    check(vec![unknown], |e| {
        matches!(e, TensorError::UnknownDtype { number: 99, .. })
    });
}

#[test]
fn an_encoding_that_cannot_be_read_is_refused_by_number() {
    for number in [-1, 0, 5, 77] {
        let error = decode_with(vec![Row {
            encoding: number,
            ..row("a", &[0], 0, 0)
        }])
        .unwrap_err();
        assert!(
            matches!(error, TensorError::UnknownEncoding { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(&number.to_string()), "{error}");
    }
}

#[test]
fn packed_rows_that_contradict_themselves_are_refused() {
    let check = |dtype, encoding, scale, expected: fn(&TensorError) -> bool| {
        let row = Row {
            dtype,
            encoding,
            scale,
            ..row("a", &[2], 128, 2)
        };
        let error = decode_with(vec![row.clone()]).unwrap_err();
        assert!(expected(&error), "{row:?}: {error}");
    };
    let misfit = |error: &TensorError| matches!(error, TensorError::EncodingMisfit { .. });
    let scale = |error: &TensorError| matches!(error, TensorError::Scale { .. });
    check(6, 3, 0.5, misfit);
    check(6, 4, 0.0, misfit);
    check(1, 3, 0.0, scale);
    check(1, 3, -1.0, scale);
    check(1, 3, f64::NAN, scale);
    check(1, 3, 1e300, scale);
    check(1, 2, 0.5, scale);
    check(1, 1, f64::NAN, scale);
    // Right in itself, but behind the payload's end.
    check(1, 3, 0.5, |e| matches!(e, TensorError::OutOfPayload { .. }));
}

#[test]
fn a_header_full_of_tensors_is_refused() {
    let tensors = (0..20_000).map(|_| Row::default()).collect();
    let bytes = Rows { tensors }.encode_to_vec();
    assert!(bytes.len() < limits::HEADER_BYTES_MAX);
    let error = Header::decode(&bytes).unwrap_err();
    assert!(
        matches!(error, HeaderError::TooMany { got: 20_000, .. }),
        "{error}"
    );
}

#[test]
fn a_frame_that_claims_to_be_enormous_is_refused_before_memory_is_taken() {
    let mut frame = sample::lidar()
        .to_message(sample::envelope())
        .unwrap()
        .encode()
        .unwrap();
    let mut bytes = frame.to_frame();
    bytes[8..16].copy_from_slice(&(1u64 << 63).to_le_bytes());
    let error = Message::from_frame(&bytes).unwrap_err();
    assert!(
        matches!(
            error,
            FrameError::TooLong {
                part: "payload",
                ..
            }
        ),
        "{error}"
    );
    bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = Message::from_frame(&bytes).unwrap_err();
    assert!(
        matches!(error, FrameError::TooLong { part: "header", .. }),
        "{error}"
    );
    // Within the limits, but longer than what there is.
    frame = sample::odometry()
        .to_message(sample::envelope())
        .unwrap()
        .encode()
        .unwrap();
    let mut bytes = frame.to_frame();
    bytes[8..16].copy_from_slice(&(1u64 << 20).to_le_bytes());
    let error = Message::from_frame(&bytes).unwrap_err();
    assert!(matches!(error, FrameError::Truncated { .. }), "{error}");
    for end in 0..bytes.len() {
        assert!(Message::from_frame(&bytes[..end]).is_err(), "{end}");
    }
}
