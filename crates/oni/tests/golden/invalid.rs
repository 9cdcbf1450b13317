//! The invalid vectors: each breaks one rule, and a reader refuses it with one code.

use sedge_oni::{ErrorCode, TypedMessage, limits};

use crate::craft::{Crafted, RawHeader, RawLedgerEntry, RawTensor, frame};
use crate::sample;

mod content;
mod packed;

pub(crate) struct Invalid {
    pub(crate) name: &'static str,
    pub(crate) error: ErrorCode,
    pub(crate) why: &'static str,
    pub(crate) frame: Vec<u8>,
}

/// Collects vectors of one kind.
#[derive(Default)]
struct Vectors(Vec<Invalid>);

impl Vectors {
    fn add(&mut self, name: &'static str, error: ErrorCode, why: &'static str, frame: Vec<u8>) {
        self.0.push(Invalid {
            name,
            error,
            why,
            frame,
        });
    }

    fn craft(&mut self, name: &'static str, error: ErrorCode, why: &'static str, it: &Crafted) {
        self.add(name, error, why, it.frame());
    }
}

pub(crate) fn all() -> Vec<Invalid> {
    let mut vectors = Vectors::default();
    frames(&mut vectors);
    protobufs(&mut vectors);
    fields(&mut vectors);
    names(&mut vectors);
    tables(&mut vectors);
    layouts(&mut vectors);
    packed::add(&mut vectors);
    content::add(&mut vectors);
    vectors.0
}

fn odometry() -> Crafted {
    Crafted::of(&sample::odometry(), sample::envelope())
}

fn of<'a>(content: &impl TypedMessage<'a>) -> Crafted {
    Crafted::of(content, sample::envelope())
}

fn frames(vectors: &mut Vectors) {
    let whole = odometry().frame();
    let changed = |at: usize, bytes: &[u8]| {
        let mut frame = whole.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let code = ErrorCode::BAD_MAGIC;
    vectors.add("bad-magic", code, "begins with ONI2", changed(3, b"2"));
    let code = ErrorCode::TRUNCATED_FRAME;
    let (header, payload) = (
        16 + odometry().header_bytes().len(),
        odometry().payload.len(),
    );
    let mut cut = |name, why, length: usize| vectors.add(name, code, why, whole[..length].to_vec());
    cut("truncated-nothing", "no byte at all", 0);
    cut("truncated-magic", "ends within the magic", 3);
    cut("truncated-lengths", "ends within the lengths", 15);
    cut("truncated-header", "ends within the header", header - 1);
    cut(
        "truncated-payload",
        "ends within the payload",
        whole.len() - 17,
    );
    cut("truncated-checksum", "ends one byte early", whole.len() - 1);
    let long = (limits::HEADER_BYTES_MAX as u32 + 1).to_le_bytes();
    vectors.add(
        "header-too-long",
        ErrorCode::HEADER_TOO_LONG,
        "H is 65537",
        changed(4, &long),
    );
    let long = (limits::PAYLOAD_BYTES_MAX as u64 + 1).to_le_bytes();
    let code = ErrorCode::PAYLOAD_TOO_LONG;
    vectors.add("payload-too-long", code, "P is 67108865", changed(8, &long));
    let huge = u64::MAX.to_le_bytes();
    vectors.add("payload-enormous", code, "P is 2^64 - 1", changed(8, &huge));
    let code = ErrorCode::BAD_CHECKSUM;
    let payload_at = whole.len() - 16 - payload;
    let flipped = [whole[payload_at] ^ 1];
    vectors.add(
        "checksum-payload",
        code,
        "a bit of the payload flipped",
        changed(payload_at, &flipped),
    );
    let flipped = [whole[20] ^ 1];
    vectors.add(
        "checksum-header",
        code,
        "a bit of the header flipped",
        changed(20, &flipped),
    );
    let padding = "a byte between header and payload changed";
    assert!(payload_at > header, "there is padding");
    vectors.add("checksum-padding", code, padding, changed(header, &[1]));
    let flipped = [whole[whole.len() - 1] ^ 1];
    vectors.add(
        "checksum-itself",
        code,
        "a bit of the checksum flipped",
        changed(whole.len() - 1, &flipped),
    );
}

fn protobufs(vectors: &mut Vectors) {
    let known = odometry().header_bytes();
    let code = ErrorCode::BAD_PROTOBUF;
    let mut add = |name, why, end: &[u8]| {
        let header = [known.as_slice(), end].concat();
        vectors.add(name, code, why, frame(&header, &odometry().payload));
    };
    add("protobuf-cut-varint", "ends within a varint", b"\x30\xff");
    add(
        "protobuf-long-varint",
        "a varint of 11 bytes",
        b"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    );
    add(
        "protobuf-cut-bytes",
        "a field longer than the header",
        b"\x22\x7fx",
    );
    add(
        "protobuf-wire-type",
        "epoch as a field of 4 bytes",
        b"\x35\x01\x02\x03\x04",
    );
    add("protobuf-no-wire-type", "wire type 7", b"\x37\x01");
    add("protobuf-field-zero", "field number 0", b"\x00\x01");
    add(
        "protobuf-not-utf8",
        "clock_id is not UTF-8",
        b"\x4a\x02\xc3\x28",
    );
    let why = "a tensor's name is not UTF-8";
    add(
        "protobuf-tensor-not-utf8",
        why,
        b"\x92\x01\x08\x0a\x02\xc3\x28\x10\x01\x30\x01",
    );
    add(
        "protobuf-cut-tensor",
        "a tensor that is cut",
        b"\x92\x01\x03\x0a\x04p",
    );
}

fn fields(vectors: &mut Vectors) {
    let code = ErrorCode::BAD_FIELD_LENGTH;
    let mut add = |name, code, why, change: fn(&mut RawHeader)| {
        vectors.craft(name, code, why, &odometry().with(change));
    };
    add("hash-none", code, "no schema hash", |h| {
        h.schema_hash.clear();
    });
    add("hash-short", code, "a schema hash of 15 bytes", |h| {
        h.schema_hash.truncate(15);
    });
    add("hash-long", code, "a schema hash of 17 bytes", |h| {
        h.schema_hash.push(0);
    });
    add("trace-alone", code, "a trace id without a span id", |h| {
        h.span_id.clear();
    });
    add("span-alone", code, "a span id without a trace id", |h| {
        h.trace_id.clear();
    });
    add("trace-short", code, "a trace id of 15 bytes", |h| {
        h.trace_id.truncate(15);
    });
    add("span-long", code, "a span id of 9 bytes", |h| {
        h.span_id.push(1);
    });
    add("model-hash-short", code, "a model hash of 31 bytes", |h| {
        h.model_hash = vec![1; 31];
    });
    let code = ErrorCode::ZERO_ID;
    add("trace-zero", code, "a trace id of zeros", |h| {
        h.trace_id.fill(0);
    });
    add("span-zero", code, "a span id of zeros", |h| {
        h.span_id.fill(0);
    });
    let code = ErrorCode::TOO_MANY_ENTRIES;
    let many = "65 stages in the ledger";
    add("ledger-long", code, many, |h| {
        h.ledger = vec![h.ledger[0].clone(); 65];
    });
    add("tensors-many", code, "65 tensors", |h| {
        let empty = |idx| RawTensor {
            name: format!("t{idx}"),
            shape: vec![0],
            length: 0,
            ..h.tensors[0].clone()
        };
        let rest: Vec<RawTensor> = (0..63).map(empty).collect();
        h.tensors.extend(rest);
    });
}

fn names(vectors: &mut Vectors) {
    let code = ErrorCode::BAD_NAME;
    let mut add = |name, why, change: fn(&mut RawHeader)| {
        vectors.craft(name, code, why, &odometry().with(change));
    };
    add("schema-name-empty", "no schema name", |h| {
        h.schema_name.clear();
    });
    add("schema-name-space", "a space in the schema name", |h| {
        h.schema_name.push_str(" x");
    });
    add("clock-empty", "no clock id", |h| h.clock_id.clear());
    add("clock-long", "a clock id of 65 bytes", |h| {
        h.clock_id = "x".repeat(65);
    });
    add(
        "clock-control",
        "a control character in the clock id",
        |h| h.clock_id.push('\u{7f}'),
    );
    add("agent-empty", "no agent", |h| h.agent.clear());
    add("agent-slash", "a slash in the agent's name", |h| {
        h.agent = "a/b".to_string();
    });
    add("agent-long", "an agent's name of 65 bytes", |h| {
        h.agent = "x".repeat(65);
    });
    add("agent-star", "the agent is *", |h| {
        h.agent = "*".to_string();
    });
    add("frame-space", "a space in the frame id", |h| {
        h.frame_id = "a b".to_string();
    });
    add("frame-long", "a frame id of 65 bytes", |h| {
        h.frame_id = "x".repeat(65);
    });
    add("stage-empty", "a stage without a name", |h| {
        h.ledger[0].stage.clear();
    });
    add("stage-not-ascii", "a stage that is not ASCII", |h| {
        let stage = "é".to_string();
        h.ledger.push(RawLedgerEntry { stage, nanos: 1 });
    });
    add("tensor-name-empty", "a tensor without a name", |h| {
        h.tensors[1].name.clear();
    });
    add("tensor-name-capital", "a capital in a tensor's name", |h| {
        h.tensors[1].name.push('A');
    });
    add("tensor-name-long", "a tensor's name of 65 bytes", |h| {
        h.tensors[1].name = "x".repeat(65);
    });
}

fn tables(vectors: &mut Vectors) {
    let mut add = |name, code, why, change: fn(&mut RawTensor)| {
        vectors.craft(name, code, why, &odometry().with_row("twist", change));
    };
    let code = ErrorCode::DUPLICATE_TENSOR;
    add("tensor-twice", code, "two tensors of one name", |t| {
        t.name = "pose".to_string();
    });
    let code = ErrorCode::UNKNOWN_DTYPE;
    add("dtype-none", code, "dtype 0", |t| t.dtype = 0);
    add("dtype-8", code, "dtype 8", |t| t.dtype = 8);
    add("dtype-negative", code, "dtype -1", |t| t.dtype = -1);
    let code = ErrorCode::UNKNOWN_ENCODING;
    add("encoding-none", code, "encoding 0", |t| t.encoding = 0);
    add("encoding-5", code, "encoding 5", |t| t.encoding = 5);
    let code = ErrorCode::TOO_MANY_DIMENSIONS;
    add("rank-9", code, "9 dimensions", |t| {
        t.shape = vec![1, 1, 1, 1, 1, 1, 1, 1, 3];
    });
    let code = ErrorCode::TENSOR_TOO_LARGE;
    add(
        "shape-long",
        code,
        "a dimension of 2^26 + 1 beside one of 0",
        |t| {
            (t.shape, t.length) = (vec![0, (1 << 26) + 1], 0);
        },
    );
    add("shape-overflow", code, "a product beyond 64 bits", |t| {
        t.shape = vec![1 << 26; 3];
    });
    add(
        "shape-none-large",
        code,
        "no number, but a product beyond the limit with 0 taken for 1",
        |t| (t.shape, t.length) = (vec![1 << 26, 0, 1 << 26], 0),
    );
    add("shape-large", code, "2^23 + 1 numbers of 8 bytes", |t| {
        t.shape = vec![(1 << 23) + 1];
    });
}

fn layouts(vectors: &mut Vectors) {
    let mut add = |name, code, why, change: fn(&mut RawTensor)| {
        vectors.craft(name, code, why, &odometry().with_row("twist", change));
    };
    let code = ErrorCode::TENSOR_LENGTH;
    add("length-short", code, "3 numbers of 8 bytes in 16", |t| {
        t.length = 16;
    });
    add("length-long", code, "3 numbers of 8 bytes in 25", |t| {
        t.length = 25;
    });
    add("length-of-none", code, "an empty tensor of 8 bytes", |t| {
        (t.shape, t.length) = (vec![0], 8);
    });
    add("offset-8", ErrorCode::TENSOR_UNALIGNED, "offset 8", |t| {
        t.offset = 8;
    });
    let code = ErrorCode::TENSOR_OUTSIDE;
    add("offset-behind", code, "ends behind the payload", |t| {
        t.offset = 128;
    });
    add(
        "offset-overflow",
        code,
        "offset + length beyond 64 bits",
        |t| t.offset = u64::MAX - 63,
    );
    add(
        "empty-behind",
        code,
        "an empty tensor behind the payload",
        |t| {
            (t.shape, t.offset, t.length) = (vec![0], 128, 0);
        },
    );
    add(
        "overlap-same",
        ErrorCode::TENSOR_OVERLAP,
        "the same bytes twice",
        |t| t.offset = 0,
    );
    let overlap = odometry().with_bytes("pose", &[16], &[0; 128]);
    let overlap = overlap.with_row("twist", |t| t.offset = 192);
    let why = "one tensor begins within another";
    vectors.craft("overlap-partly", ErrorCode::TENSOR_OVERLAP, why, &overlap);
}

fn decodes(frame: &[u8]) -> bool {
    let read = sedge_oni::Message::from_frame(frame);
    let Ok((message, _)) = read else { return false };
    sedge_oni::check_schema(message.header()).is_ok()
}
