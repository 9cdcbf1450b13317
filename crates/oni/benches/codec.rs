//! What encoding and decoding take: `cargo bench -p sedge-oni`.
//!
//! Every message type as it is sent (raw tensors), and every encoding of large tensors beside a
//! plain copy of the same bytes. Encoding is the typed value to header and payload; decoding is
//! header and payload to the typed value, each with all checks. Timings are single calls on a
//! monotonic clock whose own cost is taken off.

#[path = "../tests/sample/sample.rs"]
mod sample;

use std::hint::black_box;
use std::time::{Duration, Instant};

use sedge_oni::{EncodedMessage, Encoding, Envelope, Lidar, Message, MessageBuilder, TypedMessage};

const N_CALLS: usize = 20_000;
const N_LARGE_CALLS: usize = 10_000;
const N_WARM_UP_CALLS: usize = 1_000;

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

/// Times each call and prints one row of the table.
fn measure<T>(name: &str, bytes: usize, n_calls: usize, mut call: impl FnMut() -> T) {
    let clock_cost = clock_cost();
    for _ in 0..N_WARM_UP_CALLS {
        black_box(call());
    }
    let mut times: Vec<Duration> = Vec::with_capacity(n_calls);
    for _ in 0..n_calls {
        let begin = now();
        let result = call();
        times.push((now() - begin).saturating_sub(clock_cost));
        // Dropped outside, as a sender hands it on and a reader keeps it.
        black_box(&result);
    }
    times.sort_unstable();
    let nanos = |quantile: f64| times[((n_calls - 1) as f64 * quantile) as usize].as_nanos();
    println!(
        "| {name} | {bytes} | {} | {} | {} | {} | {} |",
        nanos(0.0),
        nanos(0.5),
        nanos(0.99),
        nanos(0.999),
        nanos(1.0)
    );
}

/// Encoding and decoding of one message type, the payload in place.
macro_rules! typed {
    ($name:expr, $value:expr, $type:ty) => {{
        let value = $value;
        let envelope = envelope_of::<$type>();
        let encode = |envelope: Envelope| -> EncodedMessage {
            let message = value.to_message(envelope).expect("a valid sample");
            message.encode().expect("a valid sample")
        };
        let encoded = encode(envelope.clone());
        // Envelopes are built by the sender as it goes; here they are cloned outside the clock.
        let mut envelopes = vec![envelope.clone(); N_CALLS + N_WARM_UP_CALLS];
        let bytes = encoded.len_bytes();
        measure(&format!("{} encode", $name), bytes, N_CALLS, || {
            encode(envelopes.pop().unwrap_or_else(|| envelope.clone()))
        });
        measure("Header::decode", 0, N_CALLS, || {
            sedge_oni::Header::decode(encoded.header()).is_ok()
        });
        measure("Header::decode, no drop", 0, N_CALLS, || {
            sedge_oni::Header::decode(encoded.header())
        });
        measure("Message::decode", 0, N_CALLS, || encoded.decode().is_ok());
        let header = sedge_oni::Header::decode(encoded.header()).unwrap();
        measure("Header::encode", 0, N_CALLS, || header.encode());
        measure("clone header", 0, N_CALLS, || header.clone());
        let message = encoded.decode().unwrap();
        measure("from_message", 0, N_CALLS, || {
            <$type>::from_message(black_box(&message)).is_ok()
        });
        measure("schema()", 0, N_CALLS, || <$type>::schema().tensors.len());
        measure("check", 0, N_CALLS, || {
            <$type>::schema().check(message.header()).is_ok()
        });
        measure(&format!("{} decode", $name), bytes, N_CALLS, || {
            let message = encoded.decode().expect("a valid sample");
            <$type>::from_message(black_box(&message)).is_ok()
        });
    }};
}

/// A model's hash where the schema wants one.
fn envelope_of<'a, T: TypedMessage<'a>>() -> Envelope {
    match T::schema().model_hash {
        sedge_oni::ModelHashRule::Absent => sample::envelope(),
        _ => sample::modelled(),
    }
}

fn scan_of(n_beams: usize) -> Lidar<'static> {
    let ranges_m: Vec<f32> = (0..n_beams).map(|beam| 4.0 + (beam as f32).sin()).collect();
    Lidar {
        first_angle_rad: -3.1,
        step_rad: 0.0174,
        ranges_m: ranges_m.into(),
    }
}

fn main() {
    println!("Nanoseconds a call, of {N_CALLS} calls.\n");
    println!("| what | bytes | min | p50 | p99 | p99.9 | max |");
    println!("|---|---|---|---|---|---|---|");
    typed!("sensor.lidar, 360 beams", scan_of(360), Lidar<'_>);
}
