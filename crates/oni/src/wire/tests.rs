use std::collections::BTreeMap;

use prost::Message as _;

use super::*;

const PROTO: &str = include_str!("../../../../schemas/oni/v1/header.proto");

/// `message.field` of the file -> (type as written, number).
fn fields_of(proto: &str) -> BTreeMap<String, (String, u64)> {
    let mut message = None;
    let mut fields = BTreeMap::new();
    for line in proto.lines().map(str::trim) {
        let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
        match words.as_slice() {
            ["message", name, "{"] => message = Some((*name).to_string()),
            ["enum", ..] | ["}"] => message = None,
            [kind @ .., name, "=", number] => {
                if let Some(message) = &message {
                    let number = number.parse().expect("a field number");
                    fields.insert(format!("{message}.{name}"), (kind.join(" "), number));
                }
            }
            _ => {}
        }
    }
    fields
}

/// The tag that a field of this type has on the wire.
fn wire_type(kind: &str) -> u64 {
    match kind {
        "uint32" | "uint64" | "Dtype" | "Encoding" => 0,
        "sfixed64" | "double" => 1,
        "string" | "bytes" | "repeated uint64" | "repeated LedgerEntry" | "repeated Tensor" => 2,
        other => panic!("no such type in this test yet: {other}"),
    }
}

fn first_tag(bytes: &[u8]) -> u64 {
    prost::encoding::decode_varint(&mut &bytes[..]).expect("a tag")
}

fn header(set: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::default();
    set(&mut header);
    header.encode_to_vec()
}

fn tensor(set: impl FnOnce(&mut Tensor)) -> Vec<u8> {
    let mut tensor = Tensor::default();
    set(&mut tensor);
    tensor.encode_to_vec()
}

#[test]
fn the_structs_are_the_proto_file() {
    let mut encoded: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    encoded.insert("Header.schema_name", header(|h| h.schema_name = "s".into()));
    encoded.insert("Header.schema_major", header(|h| h.schema_major = 1));
    encoded.insert("Header.schema_minor", header(|h| h.schema_minor = 1));
    encoded.insert("Header.schema_hash", header(|h| h.schema_hash = vec![1]));
    encoded.insert("Header.agent", header(|h| h.agent = "a".into()));
    encoded.insert("Header.epoch", header(|h| h.epoch = 1));
    encoded.insert("Header.sequence", header(|h| h.sequence = 1));
    encoded.insert("Header.capture_nanos", header(|h| h.capture_nanos = -1));
    encoded.insert("Header.clock_id", header(|h| h.clock_id = "c".into()));
    encoded.insert(
        "Header.capture_error_nanos",
        header(|h| h.capture_error_nanos = 1),
    );
    encoded.insert("Header.frame_id", header(|h| h.frame_id = "f".into()));
    encoded.insert("Header.trace_id", header(|h| h.trace_id = vec![1]));
    encoded.insert("Header.span_id", header(|h| h.span_id = vec![1]));
    encoded.insert("Header.deadline_nanos", header(|h| h.deadline_nanos = 1));
    encoded.insert("Header.lifespan_nanos", header(|h| h.lifespan_nanos = 1));
    encoded.insert("Header.model_hash", header(|h| h.model_hash = vec![1]));
    encoded.insert(
        "Header.ledger",
        header(|h| h.ledger.push(LedgerEntry::default())),
    );
    encoded.insert(
        "Header.tensors",
        header(|h| h.tensors.push(Tensor::default())),
    );
    let entry = LedgerEntry {
        stage: "s".into(),
        nanos: 0,
    };
    encoded.insert("LedgerEntry.stage", entry.encode_to_vec());
    let entry = LedgerEntry {
        stage: String::new(),
        nanos: 1,
    };
    encoded.insert("LedgerEntry.nanos", entry.encode_to_vec());
    encoded.insert("Tensor.name", tensor(|t| t.name = "n".into()));
    encoded.insert("Tensor.dtype", tensor(|t| t.dtype = 1));
    encoded.insert("Tensor.shape", tensor(|t| t.shape = vec![1]));
    encoded.insert("Tensor.offset", tensor(|t| t.offset = 1));
    encoded.insert("Tensor.length", tensor(|t| t.length = 1));
    encoded.insert("Tensor.encoding", tensor(|t| t.encoding = 1));
    encoded.insert("Tensor.scale", tensor(|t| t.scale = 1.0));

    let written = fields_of(PROTO);
    let names: Vec<&str> = written.keys().map(String::as_str).collect();
    assert_eq!(names, encoded.keys().copied().collect::<Vec<_>>());
    for (name, (kind, number)) in &written {
        let expected = number << 3 | wire_type(kind);
        assert_eq!(
            first_tag(&encoded[name.as_str()]),
            expected,
            "{name}: {kind} = {number}"
        );
    }
}

#[test]
fn the_enums_are_the_proto_file() {
    for dtype in crate::Dtype::ALL {
        let line = format!(
            "DTYPE_{} = {};",
            dtype.name().to_uppercase(),
            dtype.number()
        );
        assert!(PROTO.contains(&line), "{line}");
    }
    for number in 1..=4 {
        let scale = if number == 3 { 0.5 } else { 0.0 };
        let encoding = crate::Encoding::from_wire("x", number, scale).expect("a known number");
        let line = format!(
            "ENCODING_{} = {};",
            encoding.name().to_uppercase(),
            encoding.number()
        );
        assert!(PROTO.contains(&line), "{line}");
    }
}
