//! What encoding and decoding take: `cargo bench -p sedge-oni`.
//!
//! Every message type as it is sent (raw tensors), and every encoding of large tensors beside a
//! plain copy of the same bytes. Encoding is the typed value to header and payload; decoding is
//! header and payload to the typed value, each with all checks. Headers are full (trace, deadline,
//! lifespan, a stage in the ledger) unless the row says otherwise. Every call is timed by itself;
//! what reading the clock takes is taken off.

#[path = "../tests/sample/sample.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sample;

use std::hint::black_box;
use std::time::{Duration, Instant};

use sedge_oni::{
    AlignedBytes, BeliefReport, Camera, Command, Depth, Element, Encoding, Envelope, Forecast,
    Goal, Health, Imu, InvalidMessage, LatencyReport, LatentState, Lidar, Manifest, Message,
    MessageBuilder, Odometry, RangeBearing, SchemaDocument, Stop, TypedMessage as _,
};

const N_CALLS: usize = 20_000;
const N_WARM_UP_CALLS: usize = 1_000;
/// Large tensors are of 64 KiB.
const N_LARGE_CALLS: usize = 10_000;

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// What two readings of the clock take by themselves, in the best of many cases.
fn clock_cost() -> Duration {
    let cost = |_| {
        let begin = now();
        now() - begin
    };
    (0..N_CALLS).map(cost).min().unwrap_or_default()
}

/// Times each call and prints one row of the table. Results are dropped outside of the clock: a
/// sender hands them on, and a reader keeps them.
fn measure<T>(name: &str, bytes: usize, n_calls: usize, mut call: impl FnMut() -> T) {
    let clock_cost = clock_cost();
    for _ in 0..N_WARM_UP_CALLS.min(n_calls / 10) {
        black_box(call());
    }
    let mut times: Vec<Duration> = Vec::with_capacity(n_calls);
    for _ in 0..n_calls {
        let begin = now();
        let result = call();
        times.push((now() - begin).saturating_sub(clock_cost));
        black_box(&result);
    }
    times.sort_unstable();
    let nanos = |quantile: f64| times[((n_calls - 1) as f64 * quantile) as usize].as_nanos();
    println!(
        "| {name} | {bytes} | {} | {} | {} | {} |",
        nanos(0.5),
        nanos(0.99),
        nanos(0.999),
        nanos(1.0)
    );
}

/// Encoding and decoding of one message type, the payload in place.
fn typed(
    name: &str,
    envelope: &Envelope,
    make: impl Fn(Envelope) -> Result<Message<'static>, InvalidMessage>,
    read: impl Fn(&Message<'_>) -> bool,
) {
    let encode = |envelope: Envelope| {
        let message = make(envelope).expect("a valid sample");
        message.encode().expect("a valid sample")
    };
    let encoded = encode(envelope.clone());
    // Senders have an envelope of their own for each message.
    let mut envelopes = vec![envelope.clone(); N_CALLS + N_WARM_UP_CALLS];
    let bytes = encoded.len_bytes();
    measure(&format!("{name}, encode"), bytes, N_CALLS, || {
        encode(envelopes.pop().expect("one for each call"))
    });
    measure(&format!("{name}, decode"), bytes, N_CALLS, || {
        let message = encoded.decode().expect("a valid sample");
        assert!(read(black_box(&message)), "a valid sample");
        message
    });
}

fn scan_of(n_beams: usize) -> Lidar<'static> {
    let ranges_m: Vec<f32> = (0..n_beams).map(|beam| 4.0 + (beam as f32).sin()).collect();
    Lidar {
        first_angle_rad: -3.1,
        step_rad: 0.0174,
        ranges_m: ranges_m.into(),
    }
}

fn message_types() {
    let (plain, modelled) = (&sample::envelope(), &sample::modelled());
    macro_rules! each {
        ($($envelope:ident $name:literal $value:expr => $type:ident;)*) => {$({
            let value = $value;
            let make = |envelope| value.to_message(envelope);
            typed($name, $envelope, make, |message| $type::from_message(message).is_ok());
        })*};
    }
    // As a driver sends it: who, when and in which frame, and nothing of what else there can be.
    let bare = &Envelope {
        frame: plain.frame.clone(),
        ..Envelope::new(plain.source.clone(), plain.capture.clone())
    };
    each! {
        bare "sensor.lidar of 360 beams, bare header" scan_of(360) => Lidar;
        plain "sensor.lidar of 360 beams" scan_of(360) => Lidar;
        plain "sensor.lidar of 5 beams" sample::lidar() => Lidar;
        plain "sensor.imu" sample::imu() => Imu;
        plain "sensor.odometry" sample::odometry() => Odometry;
        plain "sensor.depth" sample::depth() => Depth;
        plain "sensor.camera" sample::camera() => Camera;
        plain "sensor.range_bearing" sample::range_bearing() => RangeBearing;
        modelled "model.latent_state" sample::latent_state() => LatentState;
        modelled "model.belief" sample::belief() => BeliefReport;
        modelled "model.prediction" sample::forecast() => Forecast;
        plain "actuator.cmd" sample::command() => Command;
        plain "mission.goal" sample::goal() => Goal;
        plain "event.stop" sample::stop() => Stop;
        plain "telemetry.latency" sample::latency() => LatencyReport;
        plain "telemetry.health" sample::health() => Health;
        plain "agent.manifest" sample::manifest() => Manifest;
        plain "agent.schema" sample::schema_document() => SchemaDocument;
    }
}

/// One large tensor, packed and unpacked; the bytes are those that travel.
fn encoding<T: Element>(name: &str, shape: &[usize], values: &[T], encoding: Encoding) {
    let schema = Lidar::schema().id.clone();
    let builder = MessageBuilder::new(schema, sample::envelope());
    let builder = builder.tensor("large", shape, values).expect("it fits");
    let mut message = builder.build();
    message.pack("large", encoding).expect("it fits");
    let encoded = message.encode().expect("it fits");
    let bytes = encoded.len_bytes();
    measure(&format!("{name}, encode"), bytes, N_LARGE_CALLS, || {
        message.encode()
    });
    measure(&format!("{name}, decode"), bytes, N_LARGE_CALLS, || {
        encoded.decode().is_ok()
    });
}

fn encodings() {
    let (rows, columns) = (128, 256);
    // A surface with noise of a few millimetres, as depth cameras have it.
    let depths: Vec<u16> = (0..rows * columns)
        .map(|idx| {
            let (row, column) = (idx / columns, idx % columns);
            (1_500 + 3 * row + 2 * column + (idx * 7_919) % 5) as u16
        })
        .collect();
    let latent: Vec<f32> = (0..rows * columns / 2)
        .map(|idx| (idx as f32 * 0.37).sin())
        .collect();
    let bytes: Vec<u8> = depths.iter().flat_map(|it| it.to_le_bytes()).collect();
    measure("a copy of 64 KiB", bytes.len(), N_LARGE_CALLS, || {
        AlignedBytes::copy_of(black_box(&bytes))
    });
    let image = &[rows, columns][..];
    encoding("64 KiB of u16, raw", image, &depths, Encoding::Raw);
    encoding("64 KiB of u16, zstd", image, &depths, Encoding::Zstd);
    encoding("64 KiB of u16, png16", image, &depths, Encoding::Png16);
    let flat = &[latent.len()][..];
    encoding("64 KiB of f32, raw", flat, &latent, Encoding::Raw);
    encoding("64 KiB of f32, zstd", flat, &latent, Encoding::Zstd);
    let int8 = Encoding::Int8 { scale: 1.0 / 127.0 };
    encoding("64 KiB of f32, int8", flat, &latent, int8);
}

fn main() {
    println!("Nanoseconds a call, of {N_CALLS} calls ({N_LARGE_CALLS} for large tensors).\n");
    println!("| what | bytes sent | p50 | p99 | p99.9 | max |");
    println!("|---|---|---|---|---|---|");
    message_types();
    encodings();
}
