use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message as _;
use sedge_spacetime::{AgentName, FrameName, Stamp};

use crate::{Dtype, Encoding, HeaderError, SchemaId, Shape, TensorEntry, TensorName};

/// `oni.v1.Header`, for the protobuf library that the hand-written code is compared with.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Header {
    #[prost(string, tag = "1")]
    pub(crate) schema_name: String,
    #[prost(uint32, tag = "2")]
    pub(crate) schema_major: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) schema_minor: u32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) schema_hash: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) agent: String,
    #[prost(uint64, tag = "6")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) sequence: u64,
    #[prost(sfixed64, tag = "8")]
    pub(crate) capture_nanos: i64,
    #[prost(string, tag = "9")]
    pub(crate) clock_id: String,
    #[prost(uint64, tag = "10")]
    pub(crate) capture_error_nanos: u64,
    #[prost(string, tag = "11")]
    pub(crate) frame_id: String,
    #[prost(bytes = "vec", tag = "12")]
    pub(crate) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "13")]
    pub(crate) span_id: Vec<u8>,
    #[prost(uint64, tag = "14")]
    pub(crate) deadline_nanos: u64,
    #[prost(uint64, tag = "15")]
    pub(crate) lifespan_nanos: u64,
    #[prost(bytes = "vec", tag = "16")]
    pub(crate) model_hash: Vec<u8>,
    #[prost(message, repeated, tag = "17")]
    pub(crate) ledger: Vec<LedgerEntry>,
    #[prost(message, repeated, tag = "18")]
    pub(crate) tensors: Vec<Tensor>,
}

/// `oni.v1.LedgerEntry`.
#[derive(Clone, PartialEq, Eq, ::prost::Message)]
pub(crate) struct LedgerEntry {
    #[prost(string, tag = "1")]
    pub(crate) stage: String,
    #[prost(uint64, tag = "2")]
    pub(crate) nanos: u64,
}

/// `oni.v1.Tensor`; the enums stay numbers so that unknown ones can be named in an error.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Tensor {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    pub(crate) dtype: i32,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) shape: Vec<u64>,
    #[prost(uint64, tag = "4")]
    pub(crate) offset: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) length: u64,
    #[prost(int32, tag = "6")]
    pub(crate) encoding: i32,
    #[prost(double, tag = "7")]
    pub(crate) scale: f64,
}

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
    for dtype in Dtype::ALL {
        let line = format!(
            "DTYPE_{} = {};",
            dtype.name().to_uppercase(),
            dtype.number()
        );
        assert!(PROTO.contains(&line), "{line}");
    }
    for number in 1..=4 {
        let scale = if number == 3 { 0.5 } else { 0.0 };
        let encoding = Encoding::from_wire(&TensorName::new("x").unwrap(), number, scale)
            .expect("a known number");
        let line = format!(
            "ENCODING_{} = {};",
            encoding.name().to_uppercase(),
            encoding.number()
        );
        assert!(PROTO.contains(&line), "{line}");
    }
}

/// A header of these texts and numbers.
fn ours(text: &str, number: u64, shape: &[u64]) -> crate::Header {
    let hash = [number as u8 | 1; 32];
    let source = crate::Source {
        agent: AgentName::new(text).unwrap(),
        epoch: number,
        sequence: number >> 3,
    };
    let capture = crate::Capture {
        stamp: Stamp::from_nanos(number as i64),
        clock: text.into(),
        error: std::time::Duration::from_nanos(number),
    };
    let mut ours = crate::Header {
        schema: SchemaId {
            name: text.into(),
            major: number as u32,
            minor: (number >> 32) as u32,
            hash: [number as u8; 16],
        },
        envelope: crate::Envelope::new(source, capture),
        tensors: Vec::new(),
    };
    let envelope = &mut ours.envelope;
    envelope.frame = Some(FrameName::new(text).unwrap());
    envelope.deadline = Some(std::time::Duration::from_nanos(number));
    envelope.lifespan = Some(std::time::Duration::from_nanos(number));
    envelope.model_hash = Some(hash);
    envelope.trace = Some(crate::TraceContext {
        trace_id: [hash[0]; 16],
        span_id: [hash[1]; 8],
    });
    envelope.ledger = crate::LedgerEntry::new(text, number).into_iter().collect();
    let length = shape.iter().product::<u64>();
    for (name, dtype, encoding, length) in [
        ("raw", Dtype::F64, Encoding::Raw, 8 * length),
        ("int8", Dtype::F32, Encoding::Int8 { scale: 0.5 }, length),
        ("zstd", Dtype::I64, Encoding::Zstd, number),
    ] {
        ours.tensors.push(TensorEntry {
            name: TensorName::new(name).unwrap(),
            dtype,
            shape: Shape::new(shape).unwrap(),
            offset: number,
            length,
            encoding,
        });
    }
    ours
}

/// The same header as the library has it.
fn theirs(ours: &crate::Header, text: &str, number: u64) -> Header {
    let hash = [number as u8 | 1; 32];
    let row = |tensor: &TensorEntry| Tensor {
        name: tensor.name.to_string(),
        dtype: tensor.dtype.number(),
        shape: tensor.shape.to_vec(),
        offset: tensor.offset,
        length: tensor.length,
        encoding: tensor.encoding.number(),
        scale: tensor.encoding.scale().unwrap_or_default(),
    };
    Header {
        schema_name: text.into(),
        schema_major: number as u32,
        schema_minor: (number >> 32) as u32,
        schema_hash: vec![number as u8; 16],
        agent: text.into(),
        epoch: number,
        sequence: number >> 3,
        capture_nanos: number as i64,
        clock_id: text.into(),
        capture_error_nanos: number,
        frame_id: text.into(),
        trace_id: vec![hash[0]; 16],
        span_id: vec![hash[1]; 8],
        deadline_nanos: number,
        lifespan_nanos: number,
        model_hash: hash.to_vec(),
        ledger: vec![LedgerEntry {
            stage: text.into(),
            nanos: number,
        }],
        tensors: ours.tensors.iter().map(row).collect(),
    }
}

proptest! {
    #[test]
    fn a_protobuf_library_reads_and_writes_the_same(
        text in "[a-zA-Z0-9_.-]{1,64}",
        // Small and huge numbers alike.
        number in any::<u64>().prop_flat_map(|number| (0..64_u32).prop_map(move |by| number >> by)),
        shape in prop::collection::vec(0_u64..9, 0..=8),
        damage in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        // A deadline of zero is none.
        let number = number.max(1);
        let ours = ours(&text, number, &shape);
        let theirs = theirs(&ours, &text, number);
        let mut bytes = ours.encode().unwrap();
        prop_assert_eq!(&bytes, &theirs.encode_to_vec());
        prop_assert_eq!(crate::Header::decode(&bytes).unwrap(), ours);
        // Unpacked repeated numbers, and fields that a later version might add.
        for dim in &shape {
            let row = Tensor { name: "more".into(), dtype: 1, encoding: 2, ..Tensor::default() };
            let row = [row.encode_to_vec(), vec![0x18, *dim as u8, 0x55, 1, 2, 3, 4]].concat();
            let bytes = [vec![0x92, 0x01, row.len() as u8], row].concat();
            let row = crate::Header::decode(&[theirs.encode_to_vec(), bytes].concat()).unwrap();
            prop_assert_eq!(row.tensors[3].shape, [*dim]);
        }
        // What is no protobuf to one is none to the other.
        let at = damage.0.index(bytes.len());
        bytes[at] = damage.1;
        let is_protobuf = Header::decode(bytes.as_slice()).is_ok();
        match crate::Header::decode(&bytes) {
            Err(HeaderError::Protobuf(_)) => {
                // The library skips groups, which are refused here.
                let groups = bytes.iter().any(|byte| matches!(byte & 7, 3 | 4));
                prop_assert!(!is_protobuf || groups, "{bytes:?}");
            }
            _ => prop_assert!(is_protobuf, "{bytes:?}"),
        }
    }
}
