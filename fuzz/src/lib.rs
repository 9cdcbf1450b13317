//! What the fuzz targets share: headers around a fuzzer's bytes, and what must hold of whatever is
//! decoded. It never decides what is valid: that is the codec's.

use sedge_oni::{
    AlignedBytes, Capture, DecodeError, Dtype, Encoding, Envelope, Header, Message, SchemaId,
    Sequence, Shape, TensorEntry, TensorName, limits,
};
use sedge_spacetime::{AgentName, Stamp};

/// A valid header with this table.
pub fn header(tensors: Vec<TensorEntry>) -> Header {
    let agent = AgentName::new("crane3").expect("a valid name");
    let source = Sequence::new(agent, 7).next_source();
    let capture = Capture::exact(Stamp::from_nanos(1), "log");
    let schema = SchemaId {
        name: "sensor.lidar".into(),
        major: 1,
        minor: 0,
        hash: [7; 16],
    };
    Header {
        schema,
        envelope: Envelope::new(source, capture),
        tensors,
    }
}

/// What must hold of whatever was decoded: limits, alignment, and tensors that share no byte.
pub fn check(message: &Message<'_>) {
    let header = message.header();
    assert!(header.tensors.len() <= limits::TENSORS_MAX);
    assert!(header.envelope.ledger.len() <= limits::LEDGER_ENTRIES_MAX);
    assert!(message.payload().len() <= limits::PAYLOAD_BYTES_MAX);
    let mut total = 0;
    for tensor in message.tensors() {
        let entry = tensor.entry();
        assert_eq!(entry.encoding, Encoding::Raw, "every tensor was unpacked");
        assert!(entry.shape.len() <= limits::RANK_MAX);
        total += tensor.bytes().len();
        let values = match entry.dtype {
            Dtype::F32 => tensor.values::<f32>().map(<[f32]>::len),
            Dtype::F64 => tensor.values::<f64>().map(<[f64]>::len),
            Dtype::I32 => tensor.values::<i32>().map(<[i32]>::len),
            Dtype::I64 => tensor.values::<i64>().map(<[i64]>::len),
            Dtype::U8 => tensor.values::<u8>().map(<[u8]>::len),
            Dtype::U16 => tensor.values::<u16>().map(<[u16]>::len),
            Dtype::U32 => tensor.values::<u32>().map(<[u32]>::len),
        };
        let expected: u64 = entry.shape.iter().product();
        assert_eq!(values, Ok(expected as usize));
    }
    assert!(total <= message.payload().len(), "tensors share bytes");
}

/// Takes the fuzzer's bytes as the packed bytes of one tensor: the first ones choose its shape and
/// dtype. What unpacks must survive another journey, raw and packed.
pub fn unpack(data: &[u8], encoding: Encoding) {
    let Some(([dtype, rank, a, b, c, d], packed)) = data.split_first_chunk() else {
        return;
    };
    let dims = [
        u64::from(u16::from_le_bytes([*a, *b])),
        u64::from(u16::from_le_bytes([*c, *d])),
    ];
    let dtype = Dtype::from_number(i32::from(dtype % 7) + 1).expect("a known number");
    let entry = TensorEntry {
        name: TensorName::new("packed").expect("a valid name"),
        dtype,
        shape: Shape::new(&dims[..usize::from(rank % 3)]).expect("few dimensions"),
        offset: 0,
        length: packed.len() as u64,
        encoding,
    };
    let header = header(vec![entry]).encode().expect("a valid header");
    let payload = AlignedBytes::copy_of(packed);
    let Ok(message) = Message::decode(&header, payload.as_slice()) else {
        return;
    };
    check(&message);
    let raw = message.encode().expect("what was decoded can be encoded");
    let raw = raw.decode().expect("what was encoded can be decoded");
    assert_eq!(raw.payload(), message.payload());
    // Steps below the smallest float do not come back as the same number of steps.
    if encoding
        .scale()
        .is_some_and(|scale| scale < f64::from(f32::MIN_POSITIVE))
    {
        return;
    }
    let mut repacked = message.clone();
    repacked.pack("packed", encoding).expect("it was packed so");
    let again = repacked.encode().expect("it was packed so");
    let again = again.decode().expect("what was packed can be unpacked");
    assert_eq!(again.payload(), message.payload());
}

/// Decodes and checks; an error is an answer too, and a line.
pub fn decode(header: &[u8], payload: &[u8]) -> Result<(), DecodeError> {
    let payload = AlignedBytes::copy_of(payload);
    let message = Message::decode(header, payload.as_slice()).inspect_err(|error| {
        assert!(error.to_string().len() < 1_000, "an error is a line");
    })?;
    check(&message);
    Ok(())
}
