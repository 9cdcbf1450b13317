//! The golden vectors of `schemas/oni/golden`: frames that every reader must read to the same
//! content, and frames that every reader must refuse for the same reason.
//!
//! They pin the bytes: a reader in another language, or a later version of this one, is held to
//! them. `ONI_WRITE_GOLDEN=1 cargo test -p sedge-oni --test golden` writes them anew.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, functions beside them included"
)]

#[path = "golden/bundles.rs"]
mod bundles;
#[path = "golden/craft.rs"]
mod craft;
#[path = "golden/invalid.rs"]
mod invalid;
#[path = "sample/sample.rs"]
mod sample;
#[path = "golden/streams.rs"]
mod streams;
#[path = "golden/valid.rs"]
mod valid;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use sedge_oni::{
    BeliefReport, BundleError, BundleParts, Camera, Command, Depth, EncodedMessage, ErrorCode,
    Forecast, FrameReader, Goal, Health, Imu, InvalidMessage, LatencyReport, LatentState, Lidar,
    Manifest, Message, Odometry, RangeBearing, SchemaDocument, Stop, TypedMessage, limits, schemas,
};
use serde_json::{Value, json};

use crate::valid::Pinned;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/oni/golden");

fn path(kind: &str, file: &str) -> PathBuf {
    PathBuf::from(GOLDEN).join(kind).join(file)
}

fn is_writing() -> bool {
    std::env::var_os("ONI_WRITE_GOLDEN").is_some()
}

/// Texts are compared, because `serde_json` reads some floats one bit off; members are sorted,
/// because other crates may ask it to keep their order.
fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(&sorted(json)).unwrap() + "\n"
}

fn sorted(json: &Value) -> Value {
    match json {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let members: BTreeMap<&String, &Value> = members.iter().collect();
            let members = members
                .into_iter()
                .map(|(name, it)| (name.clone(), sorted(it)));
            Value::Object(members.collect())
        }
        plain => plain.clone(),
    }
}

/// The files of a folder, without their ending.
fn stems(kind: &str, extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(path(kind, "")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let stem = |name: String| name.strip_suffix(extension).map(str::to_string);
    names.filter_map(stem).collect()
}

/// Reads a message as its Rust type.
fn read_typed(message: &Message<'_>) -> Result<(), InvalidMessage> {
    fn read<'a, T: TypedMessage<'a>>(message: &'a Message<'_>) -> Result<(), InvalidMessage> {
        T::from_message(message).map(drop)
    }
    match message.header().schema.name.as_str() {
        Command::NAME => read::<Command>(message),
        Manifest::NAME => read::<Manifest<'_>>(message),
        SchemaDocument::NAME => read::<SchemaDocument>(message),
        Stop::NAME => read::<Stop<'_>>(message),
        Goal::NAME => read::<Goal>(message),
        BeliefReport::NAME => read::<BeliefReport<'_>>(message),
        LatentState::NAME => read::<LatentState<'_>>(message),
        Forecast::NAME => read::<Forecast<'_>>(message),
        Camera::NAME => read::<Camera<'_>>(message),
        Depth::NAME => read::<Depth<'_>>(message),
        Imu::NAME => read::<Imu<'_>>(message),
        Lidar::NAME => read::<Lidar<'_>>(message),
        Odometry::NAME => read::<Odometry>(message),
        RangeBearing::NAME => read::<RangeBearing>(message),
        Health::NAME => read::<Health<'_>>(message),
        LatencyReport::NAME => read::<LatencyReport>(message),
        other => panic!("{other} has no Rust type"),
    }
}

/// Reads a frame as far as it goes.
fn refusal(frame: &[u8]) -> Result<(), ErrorCode> {
    let (message, used) = Message::from_frame(frame).map_err(|error| error.code())?;
    assert_eq!(used, frame.len());
    sedge_oni::check_schema(message.header()).map_err(|error| error.code())?;
    read_typed(&message).map_err(|error| error.code())
}

#[test]
fn every_valid_vector_is_written_and_read_as_it_was() {
    let vectors = valid::all();
    for vector in &vectors {
        let name = &vector.name;
        let golden = path("valid", &format!("{name}.oni"));
        let json_file = path("valid", &format!("{name}.json"));
        if is_writing() {
            let (read, _) = Message::from_frame(&vector.frame).unwrap();
            fs::write(&golden, &vector.frame).unwrap();
            fs::write(&json_file, pretty(&read.to_json())).unwrap();
        }
        let bytes = fs::read(&golden).unwrap();
        assert!(
            vector.pinned == Pinned::Content || bytes == vector.frame,
            "{name}: the bytes written differ from the golden ones"
        );
        let expected = fs::read_to_string(&json_file).unwrap();
        for frame in [&bytes, &vector.frame] {
            assert_eq!(refusal(frame), Ok(()), "{name}");
            let (read, _) = Message::from_frame(frame).unwrap();
            assert_eq!(pretty(&read.to_json()), expected, "{name}");
            let mut known = schemas().iter();
            let schema = known.find(|schema| schema.id.name == read.header().schema.name);
            assert_eq!(schema.unwrap().validate(&read), Ok(()), "{name}");
        }
    }
    let names: BTreeSet<String> = vectors.into_iter().map(|vector| vector.name).collect();
    assert_eq!(stems("valid", ".oni"), names, "a file without a vector");
    assert_eq!(stems("valid", ".json"), names, "a file without a vector");
}

#[test]
fn every_invalid_vector_is_refused_for_its_reason() {
    let vectors = invalid::all();
    let (mut listed, mut wrong) = (BTreeMap::new(), Vec::new());
    for vector in &vectors {
        let (error, why) = (vector.error.as_str(), vector.why);
        let entry = json!({ "error": error, "why": why });
        assert!(
            listed.insert(vector.name, entry).is_none(),
            "{}",
            vector.name
        );
        let file = path("invalid", &format!("{}.oni", vector.name));
        if is_writing() {
            fs::write(&file, &vector.frame).unwrap();
        }
        for frame in [&fs::read(&file).unwrap(), &vector.frame] {
            let refused = refusal(frame);
            if refused != Err(vector.error) {
                wrong.push(format!(
                    "{} ({why}): expected {error}, got {refused:?}",
                    vector.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let listed = json!(listed);
    if is_writing() {
        fs::write(path("invalid", "errors.json"), pretty(&listed)).unwrap();
    }
    let text = fs::read_to_string(path("invalid", "errors.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), listed);
    let names: BTreeSet<String> = vectors.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(stems("invalid", ".oni"), names, "a file without a vector");
    // A reader of one frame cannot ask for another type, a frame cannot say a longer time, and
    // bundles have vectors of their own.
    let elsewhere = [
        ErrorCode::OTHER_SCHEMA,
        ErrorCode::BAD_DURATION,
        ErrorCode::BAD_BUNDLE,
    ];
    for code in ErrorCode::ALL {
        let is_shown = vectors.iter().any(|vector| vector.error == *code);
        assert_ne!(is_shown, elsewhere.contains(code), "{code}");
    }
}

/// What one type's page says beyond its schema is checked by its Rust type alone.
const BEYOND_SCHEMA: [&str; 6] = [
    "agents-twice",
    "channels-of-gray",
    "lenses-two",
    "manifest-pattern",
    "pixel-format",
    "rung-beyond",
];

#[test]
fn a_schema_alone_refuses_what_its_type_refuses() {
    for vector in invalid::all() {
        let Ok((message, _)) = Message::from_frame(&vector.frame) else {
            continue;
        };
        let Ok(()) = sedge_oni::check_schema(message.header()) else {
            continue;
        };
        let mut known = schemas().iter();
        let schema = known.find(|schema| schema.id.name == message.header().schema.name);
        let refused = schema.unwrap().validate(&message).map_err(|it| it.code());
        let is_beyond = BEYOND_SCHEMA.contains(&vector.name);
        let expected = if is_beyond { Ok(()) } else { Err(vector.error) };
        assert_eq!(refused, expected, "{}", vector.name);
    }
}

#[test]
fn every_stream_gives_its_whole_frames_and_counts_the_rest() {
    let streams = streams::all();
    let mut listed = BTreeMap::new();
    for stream in &streams {
        let file = path("streams", &format!("{}.oni", stream.name));
        if is_writing() {
            fs::write(&file, &stream.bytes).unwrap();
        }
        assert!(fs::read(&file).unwrap() == stream.bytes, "{}", stream.name);
        for piece_bytes in [1, 7, 64, stream.bytes.len().max(1)] {
            let (mut reader, mut came) = (FrameReader::new(), Vec::new());
            for piece in stream.bytes.chunks(piece_bytes) {
                assert_eq!(reader.push(piece), piece.len());
                came.extend(std::iter::from_fn(|| reader.next_message()));
            }
            reader.end();
            came.extend(std::iter::from_fn(|| reader.next_message()));
            let counts = reader.counts();
            let came: Vec<Vec<u8>> = came.iter().map(EncodedMessage::to_frame).collect();
            let golden = |name: &&str| fs::read(path("valid", &format!("{name}.oni"))).unwrap();
            let expected: Vec<Vec<u8>> = stream.frames.iter().map(golden).collect();
            assert!(came == expected, "{} by {piece_bytes}", stream.name);
            assert_eq!(counts.frames, expected.len() as u64, "{}", stream.name);
            assert_eq!(counts.broken, stream.broken, "{}", stream.name);
            assert_eq!(
                counts.skipped_bytes, stream.skipped_bytes as u64,
                "{}",
                stream.name
            );
        }
        let (frames, broken) = (&stream.frames, stream.broken);
        let (skipped, why) = (stream.skipped_bytes, stream.why);
        listed.insert(
            stream.name,
            json!({ "frames": frames, "broken": broken, "skipped_bytes": skipped, "why": why }),
        );
    }
    if is_writing() {
        fs::write(path("streams", "streams.json"), pretty(&json!(listed))).unwrap();
    }
    let text = fs::read_to_string(path("streams", "streams.json")).unwrap();
    assert_eq!(text, pretty(&json!(listed)));
    let names: BTreeSet<String> = streams.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(stems("streams", ".oni"), names, "a file without a vector");
}

#[test]
fn every_bundle_gives_its_messages_or_is_refused() {
    let bundles = bundles::all();
    let mut listed = BTreeMap::new();
    for bundle in &bundles {
        for (part, bytes) in [
            ("attachment", &bundle.attachment),
            ("payload", &bundle.payload),
        ] {
            let file = path("bundles", &format!("{}.{part}", bundle.name));
            if is_writing() {
                fs::write(&file, bytes).unwrap();
            }
            assert!(fs::read(&file).unwrap() == *bytes, "{}", bundle.name);
        }
        let parts = BundleParts::read(&bundle.attachment, &bundle.payload);
        let refused = parts.as_ref().map(|_| ()).map_err(BundleError::code);
        assert_eq!(refused, bundle.outcome(), "{}: {}", bundle.name, bundle.why);
        let came: Vec<Vec<u8>> = parts.into_iter().flatten().map(bundles::framed).collect();
        let golden = |name: &&str| fs::read(path("valid", &format!("{name}.oni"))).unwrap();
        let expected: Vec<Vec<u8>> = bundle.frames.iter().map(golden).collect();
        assert!(came == expected, "{}", bundle.name);
        let (frames, why) = (&bundle.frames, bundle.why);
        let error = bundle.outcome().err().map(ErrorCode::as_str);
        listed.insert(
            bundle.name,
            json!({ "frames": frames, "error": error, "why": why }),
        );
    }
    if is_writing() {
        fs::write(path("bundles", "bundles.json"), pretty(&json!(listed))).unwrap();
    }
    let text = fs::read_to_string(path("bundles", "bundles.json")).unwrap();
    assert_eq!(text, pretty(&json!(listed)));
    let names: BTreeSet<String> = bundles.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(
        stems("bundles", ".payload"),
        names,
        "a file without a vector"
    );
}

#[test]
fn the_specification_lists_every_error_code_and_no_other() {
    let page = fs::read_to_string(PathBuf::from(GOLDEN).join("../README.md")).unwrap();
    let section = page
        .split("\n## ")
        .find(|it| it.starts_with("Errors"))
        .unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let listed: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, codes);
}

#[test]
fn the_specification_lists_every_message_type_with_its_hash() {
    let page = fs::read_to_string(PathBuf::from(GOLDEN).join("../README.md")).unwrap();
    for schema in schemas() {
        let link = format!("[`{0}`](v1/{0}.json)", schema.id.name);
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {link}")));
        let hash = schema.id.to_string();
        let hash = hash.split(['(', ')']).nth(1).unwrap();
        assert!(
            row.is_some_and(|row| row.contains(hash)),
            "{link} with {hash}"
        );
    }
}

/// A number as the specification writes it: `65,536`.
fn written(number: usize) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (first, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3).map(str::from_utf8);
    let groups = groups.map(|group| format!(",{}", group.unwrap()));
    first.to_string() + &groups.collect::<String>()
}

#[test]
fn the_specification_states_the_limits() {
    let page = fs::read_to_string(PathBuf::from(GOLDEN).join("../README.md")).unwrap();
    let section = page
        .split("\n## ")
        .find(|it| it.starts_with("Limits"))
        .unwrap();
    let check = |of: &str, limits: &[usize]| {
        let row = section
            .lines()
            .find(|row| row.starts_with(&format!("| {of}")));
        let row = row.unwrap_or_else(|| panic!("no row of {of:?}"));
        let stated: Vec<&str> = row
            .split(|symbol: char| !symbol.is_ascii_digit() && symbol != ',')
            .map(|number| number.trim_matches(','))
            .filter(|number| !number.is_empty())
            .collect();
        let expected: Vec<String> = limits.iter().map(|limit| written(*limit)).collect();
        assert_eq!(stated, expected, "{row}");
    };
    assert_eq!(
        limits::TENSORS_MAX,
        limits::LEDGER_ENTRIES_MAX,
        "one row says both"
    );
    check("a header", &[limits::HEADER_BYTES_MAX]);
    check("a payload", &[limits::PAYLOAD_BYTES_MAX]);
    check(
        "a bundle",
        &[limits::BUNDLE_MESSAGES_MAX, limits::BUNDLE_BYTES_MAX],
    );
    check("tensors in a message", &[limits::TENSORS_MAX]);
    check("dimensions", &[limits::RANK_MAX]);
    check("names and parts", &[limits::NAME_BYTES_MAX]);
    check("a key", &[limits::KEY_BYTES_MAX]);
    check("a text", &[limits::TEXT_BYTES_MAX]);
    check("lines of a list", &[limits::LINES_MAX]);
    let document = [
        limits::SCHEMA_BYTES_MAX,
        limits::SCHEMA_DEPTH_MAX,
        limits::TENSORS_MAX,
    ];
    check("a schema document", &document);
}
