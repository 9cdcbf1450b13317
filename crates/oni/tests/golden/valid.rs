//! The valid vectors: one of each type, and what else a reader must read.

use std::borrow::Cow;

use sedge_oni::limits::HEADER_BYTES_MAX;
use sedge_oni::{
    BeliefReport, Camera, Command, EncodedMessage, Encoding, Envelope, Goal, Health, HealthState,
    Imu, LatencyReport, Manifest, Message, MessageBuilder, Odometry, PixelFormat, RangeBearing,
    SchemaId, Severity, Stop, TypedMessage,
};

use crate::craft::{Crafted, RawTensor, frame};
use crate::sample;

/// What of a vector is the same wherever it is written.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pinned {
    /// Every byte.
    Bytes,
    /// What is read from it: compressors differ.
    Content,
}

pub(crate) struct Valid {
    pub(crate) name: String,
    pub(crate) frame: Vec<u8>,
    pub(crate) pinned: Pinned,
}

fn valid(name: &str, frame: Vec<u8>) -> Valid {
    Valid {
        name: name.to_string(),
        frame,
        pinned: Pinned::Bytes,
    }
}

pub(crate) fn all() -> Vec<Valid> {
    let mut all: Vec<Valid> = sample::all()
        .iter()
        .map(|message| valid(&message.header().schema.name, encoded(message).to_frame()))
        .collect();
    all.extend(edges());
    all.extend(packed());
    all.extend(limits());
    all.extend(unusual());
    all
}

fn encoded(message: &Message<'_>) -> EncodedMessage {
    message.encode().unwrap()
}

fn typed<'a>(name: &str, content: &impl TypedMessage<'a>, envelope: Envelope) -> Valid {
    let message = content.to_message(envelope).unwrap();
    valid(name, encoded(&message).to_frame())
}

/// The emptiest and most extreme content that each type allows.
fn edges() -> Vec<Valid> {
    let plain = sample::envelope;
    let no_latent = BeliefReport {
        latent: Cow::default(),
        ..sample::belief()
    };
    let everyone = Stop {
        agents: Vec::new(),
        severity: Severity::Emergency,
        reason: "".into(),
    };
    let gray = Camera {
        n_columns: 3,
        format: PixelFormat::Gray8,
        pixels: vec![0, 127, 255].into(),
        pinhole: None,
    };
    let one_sample = Imu {
        offsets_nanos: vec![0].into(),
        angular_velocity: vec![[f32::MIN_POSITIVE, f32::MAX, f32::MIN]].into(),
        linear_acceleration: vec![[0.0, -0.0, 1e-45]].into(),
    };
    let mut bare = plain();
    bare.frame = None;
    bare.trace = None;
    bare.deadline = None;
    bare.lifespan = None;
    bare.ledger.clear();
    bare.source.epoch = 0;
    bare.source.sequence = 0;
    bare.capture.stamp = sedge_spacetime::Stamp::from_nanos(i64::MIN);
    bare.capture.error = std::time::Duration::ZERO;
    vec![
        typed("actuator.cmd.none", &Command::default(), plain()),
        typed("event.stop.everyone", &everyone, plain()),
        typed("mission.goal.withdrawn", &Goal::default(), plain()),
        typed("model.belief.no-latent", &no_latent, plain()),
        typed("sensor.camera.gray8", &gray, plain()),
        typed("sensor.imu.extremes", &one_sample, plain()),
        typed(
            "sensor.range_bearing.alone",
            &RangeBearing::default(),
            plain(),
        ),
        typed("telemetry.latency.none", &LatencyReport::default(), plain()),
        typed("header.bare", &sample::odometry(), bare),
    ]
}

/// Every encoding that is not raw.
fn packed() -> Vec<Valid> {
    let pack = |name: &str, mut message: Message<'_>, tensors: &[(&str, Encoding)], pinned| {
        for (tensor, encoding) in tensors {
            message.pack(tensor, *encoding).unwrap();
        }
        Valid {
            pinned,
            ..valid(name, encoded(&message).to_frame())
        }
    };
    let latent = sample::latent_state()
        .to_message(sample::modelled())
        .unwrap();
    let depth = || sample::depth().to_message(sample::envelope()).unwrap();
    let scan = sample::lidar().to_message(sample::envelope()).unwrap();
    let int8 = [("latent", Encoding::Int8 { scale: 1.0 })];
    let png16 = [("depth_ticks", Encoding::Png16)];
    let zstd = [("ranges_m", Encoding::Zstd), ("step_rad", Encoding::Zstd)];
    let mixed = [
        ("depth_ticks", Encoding::Zstd),
        ("focal_px", Encoding::Int8 { scale: 2.5625 }),
    ];
    vec![
        pack("model.latent_state.int8", latent, &int8, Pinned::Bytes),
        pack("sensor.depth.png16", depth(), &png16, Pinned::Content),
        pack("sensor.depth.zstd-int8", depth(), &mixed, Pinned::Content),
        pack("sensor.lidar.zstd", scan, &zstd, Pinned::Content),
    ]
}

/// Just within the limits.
fn limits() -> Vec<Valid> {
    let longest = || "x".repeat(64);
    let full = Crafted::of(&sample::odometry(), sample::envelope()).with(|h| {
        (h.agent, h.clock_id, h.frame_id) = (longest(), longest(), longest());
        h.ledger = vec![h.ledger[0].clone(); 64];
        h.ledger[63].stage = longest();
        h.ledger[63].nanos = u64::MAX;
        (h.epoch, h.sequence, h.capture_nanos) = (u64::MAX, u64::MAX, i64::MAX);
        let empty = |idx| RawTensor {
            name: format!("{idx:0>64}"),
            dtype: 1 + idx % 7,
            shape: vec![1, 2, 3, 0, 5, 6, 7, 8],
            offset: 64,
            length: 0,
            encoding: 1,
            scale: 0.0,
        };
        h.tensors.extend((0..62).map(empty));
    });
    // Padded by an unknown field (number 100, a key of two bytes, a length of three).
    let mut padded = Crafted::of(&sample::odometry(), sample::envelope()).header_bytes();
    let n_padding = HEADER_BYTES_MAX - padded.len() - 5;
    let length = [
        n_padding as u8 | 0x80,
        (n_padding >> 7) as u8 | 0x80,
        (n_padding >> 14) as u8,
    ];
    padded.extend_from_slice(&[0xa2, 0x06]);
    padded.extend_from_slice(&length);
    padded.resize(HEADER_BYTES_MAX, b' ');
    let payload = Crafted::of(&sample::odometry(), sample::envelope()).payload;
    let reason = Stop {
        reason: "é".repeat(512).into(),
        ..sample::stop()
    };
    let certain = BeliefReport {
        covariance: sedge_spacetime::Covariance2::zero(),
        ..sample::belief()
    };
    // Of rank one, and not symmetric by a part in 10^10: rounding, not meaning.
    let row = [1.0, 2.0 + 1e-10, 3.0, 2.0, 4.0, 6.0, 3.0, 6.0, 9.0f64];
    let rounded = Crafted::of(&sample::belief(), sample::modelled());
    let rounded = rounded.overwritten("covariance", 0, &row.map(f64::to_le_bytes).concat());
    let silent = Manifest {
        software: "".into(),
        streams: Vec::new(),
    };
    let young = Health {
        state: HealthState::Starting,
        detail: "".into(),
        uptime: std::time::Duration::ZERO,
        keys: Vec::new(),
        drops: Vec::new(),
        drops_unlisted: u64::MAX,
    };
    vec![
        valid("header.limits", full.frame()),
        valid("header.longest", frame(&padded, &payload)),
        typed("event.stop.longest", &reason, sample::envelope()),
        typed("model.belief.certain", &certain, sample::modelled()),
        valid("model.belief.rounded", rounded.frame()),
        typed("agent.manifest.none", &silent, sample::envelope()),
        typed("telemetry.health.starting", &young, sample::envelope()),
    ]
}

/// What a sender of `telemetry.latency` 1.0 writes, which knows no budgets and no rungs.
fn latency_of_1_0() -> Crafted {
    let hash = 0x936a_d54c_2e56_b2f8_0fad_bddd_7730_4fad_u128;
    let mut older = Crafted::of(&sample::latency(), sample::envelope()).with(|h| {
        h.schema_minor = 0;
        h.schema_hash = hash.to_be_bytes().to_vec();
        h.tensors.truncate(9);
    });
    let last = older.header.tensors.last().unwrap();
    assert_eq!(last.name, "duplicated", "what 1.1 added comes behind it");
    older.payload.truncate((last.offset + last.length) as usize);
    older
}

/// What our writer never does and a reader must take.
fn unusual() -> Vec<Valid> {
    let odometry = || Crafted::of(&sample::odometry(), sample::envelope());
    // Fields 100 to 103, one of each wire type, before and after the known ones.
    let unknown = b"\xa0\x06\x96\x01\xa9\x06\x01\x02\x03\x04\x05\x06\x07\x08\xb2\x06\x02hi\
        \xbd\x06\x01\x02\x03\x04";
    let known = odometry().header_bytes();
    let around = [unknown.as_slice(), &known, unknown].concat();

    // The shape of a tensor, one number a field: proto3 readers take both forms.
    let unpacked_row = b"\x0a\x04pose\x10\x02\x18\x03\x28\x18\x30\x01";
    let twist = odometry().without("pose");
    let mut unpacked = twist.header_bytes();
    unpacked.extend_from_slice(&[0x92, 0x01, unpacked_row.len() as u8]);
    unpacked.extend_from_slice(unpacked_row);

    // A sequence that comes twice: the last one counts.
    let twice = [known.as_slice(), b"\x38\x2a"].concat();

    let mut moved = odometry();
    let pose = moved.payload[..24].to_vec();
    moved = moved.with_bytes("pose", &[3], &pose);
    moved
        .payload
        .extend_from_slice(b"bytes that no tensor covers");
    moved.header.tensors.reverse();

    let mut id: SchemaId = Odometry::schema().id.clone();
    (id.minor, id.hash) = (1, [0x11; 16]);
    let newer = MessageBuilder::new(id, sample::envelope())
        .tensor("acceleration", &[3, 0, 1_000], &[0f64; 0])
        .and_then(|builder| builder.tensor("pose", &[3], &[1.0f64, 2.0, 3.0]))
        .and_then(|builder| builder.tensor("twist", &[3], &[f64::MAX, f64::MIN, -0.0]))
        .and_then(|builder| builder.tensor("count", &[], &[u32::MAX]))
        .unwrap()
        .build();

    let mut nan = odometry();
    nan.payload.resize(128, 0);
    nan.payload.extend_from_slice(&f32::NAN.to_le_bytes());
    nan.header.schema_minor = 1;
    nan.header.schema_hash = vec![0x22; 16];
    nan.header.tensors.push(RawTensor {
        name: "unknown_to_the_schema".to_string(),
        dtype: 1,
        shape: vec![1],
        offset: 128,
        length: 4,
        encoding: 1,
        scale: 0.0,
    });
    vec![
        valid("schema.older-minor", latency_of_1_0().frame()),
        valid("header.unknown-fields", frame(&around, &odometry().payload)),
        valid("header.unpacked-shape", frame(&unpacked, &twist.payload)),
        valid("header.field-twice", frame(&twice, &odometry().payload)),
        valid("payload.gaps", moved.frame()),
        valid("schema.newer-minor", encoded(&newer).to_frame()),
        valid("schema.unknown-tensor-nan", nan.frame()),
    ]
}
