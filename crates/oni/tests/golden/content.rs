//! Messages whose bytes are in order and whose content is not.

use sedge_oni::ErrorCode;

use super::packed::compress;
use super::{Vectors, odometry, of};
use crate::craft::Crafted;
use crate::sample;

pub(super) fn add(vectors: &mut Vectors) {
    schemas(vectors);
    numbers(vectors);
    covariances(vectors);
    dimensions(vectors);
    lists(vectors);
    named(vectors);
    texts(vectors);
    documents(vectors);
}

fn schemas(vectors: &mut Vectors) {
    let mut add = |name, code, why, it: Crafted| vectors.craft(name, code, why, &it);
    let code = ErrorCode::UNKNOWN_SCHEMA;
    let unknown = odometry().with(|h| h.schema_name = "sensor.sonar".to_string());
    add(
        "schema-unknown",
        code,
        "a schema that nobody knows",
        unknown,
    );
    let code = ErrorCode::OTHER_MAJOR;
    let major = odometry().with(|h| h.schema_major = 2);
    add("schema-major", code, "major version 2", major);
    let code = ErrorCode::OTHER_HASH;
    let hash = odometry().with(|h| h.schema_hash[0] ^= 1);
    add("schema-hash", code, "version 1.0 with another hash", hash);
    let code = ErrorCode::OTHER_TENSOR;
    let missing = odometry().without("twist");
    add(
        "tensor-missing",
        code,
        "a required tensor is missing",
        missing,
    );
    let dtype = odometry().with_bytes("twist", &[3], &[0; 12]);
    let dtype = dtype.with_row("twist", |t| t.dtype = 1);
    add("tensor-dtype", code, "f32 where f64 must be", dtype);
    let rank = odometry().with_row("twist", |t| t.shape = vec![1, 3]);
    add("tensor-rank", code, "[1, 3] where [3] must be", rank);
    let fixed = odometry().with_bytes("twist", &[4], &[0; 32]);
    add("tensor-fixed-dim", code, "[4] where [3] must be", fixed);
    let newer = odometry().without("twist").with(|h| {
        h.schema_minor = 1;
        h.schema_hash = vec![0x11; 16];
    });
    add(
        "tensor-missing-in-minor",
        code,
        "a newer minor version without a tensor",
        newer,
    );
    let code = ErrorCode::MODEL_HASH;
    let sensor = odometry().with(|h| h.model_hash = vec![1; 32]);
    add(
        "model-hash-of-sensor",
        code,
        "a sensor's message that names a model",
        sensor,
    );
    let forecast = Crafted::of(&sample::forecast(), sample::modelled());
    let nobody = forecast.with(|h| h.model_hash.clear());
    add(
        "model-hash-missing",
        code,
        "a prediction of no model",
        nobody,
    );
    let latent = Crafted::of(&sample::latent_state(), sample::modelled());
    let nobody = latent.with(|h| h.model_hash.clear());
    add(
        "model-hash-missing-latent",
        code,
        "a latent state of no model",
        nobody,
    );
}

fn numbers(vectors: &mut Vectors) {
    let mut add = |name, code, why, it: Crafted| vectors.craft(name, code, why, &it);
    let code = ErrorCode::NOT_FINITE;
    let scan = |at, bytes: &[u8]| of(&sample::lidar()).overwritten("ranges_m", at, bytes);
    let nan = scan(4, &f32::NAN.to_le_bytes());
    add("nan-f32", code, "the second range is NaN", nan);
    let infinite = scan(16, &f32::INFINITY.to_le_bytes());
    add("infinite-f32", code, "the last range is infinite", infinite);
    let pose = odometry().overwritten("pose", 8, &f64::NAN.to_le_bytes());
    add("nan-f64", code, "y is NaN", pose);
    let twist = odometry().overwritten("twist", 0, &f64::NEG_INFINITY.to_le_bytes());
    add("infinite-f64", code, "vx is minus infinity", twist);
    let imu = of(&sample::imu()).overwritten("linear_acceleration", 8, &f32::NAN.to_le_bytes());
    add("nan-imu", code, "az is NaN", imu);

    let code = ErrorCode::OUT_OF_RANGE;
    let range = scan(0, &(-0.5f32).to_le_bytes());
    add("range-negative", code, "a range of -0.5", range);
    let step = of(&sample::lidar()).overwritten("step_rad", 0, &0f64.to_le_bytes());
    add(
        "step-zero",
        code,
        "a step of 0, which must be above it",
        step,
    );
    let duration = of(&sample::command()).overwritten("durations_nanos", 8, &(-1i64).to_le_bytes());
    add("duration-negative", code, "a duration of -1 ns", duration);
    let hit = Crafted::of(&sample::forecast(), sample::modelled()).overwritten(
        "hit_probability",
        4,
        &1.5f32.to_le_bytes(),
    );
    add("probability-large", code, "a probability of 1.5", hit);
    let severity = of(&sample::stop()).overwritten("severity", 0, &[4]);
    add("severity-4", code, "severity 4", severity);
    let state = of(&sample::health()).overwritten("state", 0, &[5]);
    add("state-5", code, "state 5", state);
    let measured = of(&sample::range_bearing()).overwritten("measured", 1, &[0]);
    add(
        "measured-nothing",
        code,
        "a neighbour of which nothing was measured",
        measured,
    );
    let direction = of(&sample::manifest()).overwritten("directions", 0, &[3]);
    add("direction-3", code, "direction 3", direction);
    let offsets = of(&sample::imu()).overwritten("offsets_nanos", 0, &6_000_000i64.to_le_bytes());
    add(
        "offsets-descending",
        code,
        "an offset below the one before",
        offsets,
    );
    let rung = of(&sample::latency()).overwritten("rung", 0, &2i64.to_le_bytes());
    add("rung-beyond", code, "the third of two rungs", rung);
    let focal = of(&sample::depth()).overwritten("focal_px", 8, &0f64.to_le_bytes());
    add("focal-zero", code, "a focal length of 0", focal);
}

fn covariances(vectors: &mut Vectors) {
    let mut add = |name, code, why, it: Crafted| vectors.craft(name, code, why, &it);
    let code = ErrorCode::NOT_A_COVARIANCE;
    let belief = || Crafted::of(&sample::belief(), sample::modelled());
    let asymmetric = belief().overwritten("covariance", 8, &0.25f64.to_le_bytes());
    add("covariance-asymmetric", code, "not symmetric", asymmetric);
    let negative = belief().overwritten("covariance", 0, &(-0.25f64).to_le_bytes());
    add("covariance-negative", code, "a negative variance", negative);
    // 0.25 and 0.5 on the diagonal, 0.5 beside it: each entry is fine, the matrix is not.
    let indefinite = belief()
        .overwritten("covariance", 8, &0.5f64.to_le_bytes())
        .overwritten("covariance", 24, &0.5f64.to_le_bytes());
    add(
        "covariance-indefinite",
        code,
        "a negative eigenvalue",
        indefinite,
    );
    let second = Crafted::of(&sample::forecast(), sample::modelled()).overwritten(
        "covariance",
        72,
        &(-1f64).to_le_bytes(),
    );
    add(
        "covariance-second",
        code,
        "the second of two is none",
        second,
    );
}

fn dimensions(vectors: &mut Vectors) {
    let mut add = |name, code, why, it: Crafted| vectors.craft(name, code, why, &it);
    let code = ErrorCode::DIMENSION_MISMATCH;
    let twists = of(&sample::command()).with_bytes("twists", &[2, 3], &[0; 48]);
    add("steps-differ", code, "3 durations and 2 twists", twists);
    let forecast = Crafted::of(&sample::forecast(), sample::modelled());
    let beams = forecast.with_bytes("mode_m", &[2, 3], &[0; 24]);
    add("beams-differ", code, "tables of 4 and of 3 beams", beams);
    let format = of(&sample::camera()).with_bytes("pixel_format", &[5], b"gray8");
    add("channels-of-gray", code, "3 channels of gray8", format);
    let lens = [1.0f64, 1.0, 2.0, 2.0].map(f64::to_le_bytes).concat();
    let lenses = of(&sample::camera())
        .with_bytes("focal_px", &[2, 2], &lens)
        .with_bytes("centre_px", &[2, 2], &lens);
    add("lenses-two", code, "one picture through two lenses", lenses);
    let budgets = of(&sample::latency()).with_bytes("budget_nanos", &[1], &[0; 8]);
    add("budgets-differ", code, "2 stages and 1 budget", budgets);
    let code = ErrorCode::EMPTY_TENSOR;
    let none = of(&sample::lidar()).with_bytes("ranges_m", &[0], &[]);
    add("scan-empty", code, "a scan without beams", none);
    let none = of(&sample::imu())
        .with_bytes("offsets_nanos", &[0], &[])
        .with_bytes("angular_velocity", &[0, 3], &[])
        .with_bytes("linear_acceleration", &[0, 3], &[]);
    add("imu-empty", code, "no sample", none);
    let none = of(&sample::camera()).with_bytes("pixels", &[0, 2, 3], &[]);
    add("picture-empty", code, "a picture without rows", none);
}

fn lists(vectors: &mut Vectors) {
    let mut add = |name, why, tensor: &str, it: Crafted, text: &[u8]| {
        let it = it.with_bytes(tensor, &[text.len() as u64], text);
        vectors.craft(name, ErrorCode::BAD_TEXT, why, &it);
    };
    let latency = || of(&sample::latency());
    let names = "stage_names";
    add(
        "list-no-line-feed",
        "the last line is not ended",
        names,
        latency(),
        b"decode\nfuse",
    );
    add(
        "list-short",
        "1 name of 2 stages",
        names,
        latency(),
        b"decode\n",
    );
    add(
        "list-long",
        "3 names of 2 stages",
        names,
        latency(),
        b"a\nb\nc\n",
    );
    add(
        "list-empty-line",
        "a name of no character",
        names,
        latency(),
        b"decode\n\n",
    );
    add(
        "list-space",
        "a space in a name",
        names,
        latency(),
        b"decode\na b\n",
    );
    add(
        "list-carriage-return",
        "a carriage return",
        names,
        latency(),
        b"decode\r\nfuse\r\n",
    );
    add(
        "list-not-utf8",
        "a name that is not UTF-8",
        names,
        latency(),
        b"decode\n\xff\n",
    );
    add(
        "list-rungs",
        "1 name of 2 rungs",
        "rung_names",
        latency(),
        b"full\n",
    );
    let long = format!("decode\n{}\n", "x".repeat(65));
    add(
        "list-name-long",
        "a name of 65 bytes",
        names,
        latency(),
        long.as_bytes(),
    );
}

fn named(vectors: &mut Vectors) {
    let mut add = |name, why, tensor: &str, it: Crafted, text: &[u8]| {
        let it = it.with_bytes(tensor, &[text.len() as u64], text);
        vectors.craft(name, ErrorCode::BAD_TEXT, why, &it);
    };
    let agents = "agent_names";
    add(
        "agents-star",
        "an agent called *",
        agents,
        of(&sample::stop()),
        b"*\n",
    );
    add(
        "agents-slash",
        "a slash in an agent's name",
        agents,
        of(&sample::goal()),
        b"a/b\n",
    );
    let seen = of(&sample::range_bearing());
    add(
        "agents-twice",
        "one neighbour twice",
        "neighbour_names",
        seen,
        b"a\nb\na\n",
    );
    let health = || of(&sample::health());
    let keys = b"oni/a/b/c/d\noni/a/*/c/d\n";
    add(
        "keys-pattern",
        "a pattern where a key must be",
        "keys",
        health(),
        keys,
    );
    let keys = b"oni/a/b/c/d\nros/a/b/c/d\n";
    add(
        "keys-root",
        "a key of another root",
        "drop_keys",
        health(),
        keys,
    );
    let manifest = || of(&sample::manifest());
    let keys = b"oni/a/**/c\noni/a/b/c/d\n";
    add(
        "patterns-inner",
        "** that is not the last part",
        "stream_keys",
        manifest(),
        keys,
    );
    let keys = b"oni/a/b/c/d\noni/a/*/c/d\n";
    add(
        "manifest-pattern",
        "a stream published on a pattern",
        "stream_keys",
        manifest(),
        keys,
    );
}

fn texts(vectors: &mut Vectors) {
    let mut add = |name, why, tensor: &str, it: Crafted, text: &[u8]| {
        let it = it.with_bytes(tensor, &[text.len() as u64], text);
        vectors.craft(name, ErrorCode::BAD_TEXT, why, &it);
    };
    let stop = || of(&sample::stop());
    add(
        "text-not-utf8",
        "a reason that is not UTF-8",
        "reason",
        stop(),
        b"\xff",
    );
    add(
        "text-control",
        "a control character",
        "reason",
        stop(),
        b"a\nb",
    );
    add(
        "text-c1",
        "a control character of two bytes",
        "reason",
        stop(),
        "a\u{85}b".as_bytes(),
    );
    add(
        "text-long",
        "a text of 1025 bytes",
        "reason",
        stop(),
        &[b'x'; 1025],
    );
    let camera = of(&sample::camera());
    add(
        "pixel-format",
        "an unknown pixel format",
        "pixel_format",
        camera,
        b"bgr8",
    );
}

fn documents(vectors: &mut Vectors) {
    let canonical = sample::schema_document().canonical().to_string();
    let mut add = |name, why, text: &str| {
        let it = of(&sample::schema_document());
        let it = it.with_bytes("json", &[text.len() as u64], text.as_bytes());
        vectors.craft(name, ErrorCode::BAD_SCHEMA_DOCUMENT, why, &it);
    };
    let changed = |from: &str, to: &str| {
        assert!(
            canonical.contains(from),
            "the test must change something: {from}"
        );
        canonical.replacen(from, to, 1)
    };
    add(
        "document-cut",
        "JSON that ends early",
        &canonical[..canonical.len() - 1],
    );
    add(
        "document-spaces",
        "JSON that is not canonical",
        &changed(":", ": "),
    );
    add(
        "document-fraction",
        "a number with a point",
        &changed("\"major\":1", "\"major\":1.5"),
    );
    add(
        "document-no-title",
        "no title",
        &changed("\"title\"", "\"titles\""),
    );
    add(
        "document-dtype",
        "an unknown dtype",
        &changed("\"f32\"", "\"f16\""),
    );
    add("document-list", "a list and no object", "[1,2]");
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    add("document-deep", "100 levels", &deep);
    let rule = changed("\"x-unit\":\"m\"", "\"x-rule\":\"prime\",\"x-unit\":\"m\"");
    add("document-rule", "an x-rule that nobody knows", &rule);
    // Packed, so that the file is short.
    let long = canonical.replacen("One planar scan", &"x".repeat(262_144), 1);
    let packed = of(&sample::schema_document());
    let packed = packed.with_bytes("json", &[long.len() as u64], &compress(long.as_bytes()));
    let packed = packed.with_row("json", |t| t.encoding = 2);
    let why = "more than 262144 bytes";
    vectors.craft(
        "document-long",
        ErrorCode::BAD_SCHEMA_DOCUMENT,
        why,
        &packed,
    );
}
