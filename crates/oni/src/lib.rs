//! ONI: what crosses a process boundary.
//!
//! A message is a [`Header`] (a small protobuf) and a payload of named, little-endian, 64-byte
//! aligned tensors that are read in place. The specification, with byte order, limits and versions,
//! is `schemas/oni/README.md`; this room is its codec, its key expressions and its schema check.
//!
//! It never opens a connection, reads no clock and draws no random number (epochs, stamps and
//! identifiers come from the caller), and it knows no estimation maths. Whatever bytes come in,
//! decoding gives an error or a message, never a panic, and takes memory in proportion to the
//! [`limits`].
//!
//! ```
//! use sedge_oni::{Capture, Envelope, Lidar, Message, Sequence, TypedMessage as _};
//! use sedge_spacetime::{AgentName, Stamp};
//!
//! let mut sequence = Sequence::new(AgentName::new("crane3")?, 17);
//! let capture = Capture::exact(Stamp::from_nanos(1_000), "robot");
//! let scan = Lidar { first_angle_rad: -1.5, step_rad: 0.01, ranges_m: vec![2.0, 2.1].into() };
//! let sent = scan.to_message(Envelope::new(sequence.next_source(), capture))?.encode()?;
//!
//! let came = Message::decode(sent.header(), sent.payload())?;
//! assert_eq!(Lidar::from_message(&came)?, scan);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(target_endian = "big")]
compile_error!("ONI payloads are little-endian and read in place: this host would misread them");

mod belief;
mod command;
mod encoding;
mod forecast;
mod frame;
mod header;
mod json;
mod key;
mod latency_report;
mod lidar;
pub mod limits;
mod message;
mod odometry;
mod payload;
mod schema;
mod tensor;
mod typed;
mod validate;
mod wire;

pub use belief::BeliefReport;
pub use command::{Command, CommandStep};
pub use encoding::Encoding;
pub use forecast::{Forecast, ScanForecast};
pub use frame::{FRAME_MAGIC, FrameCounts, FrameError, FrameReader};
pub use header::{
    Capture, Envelope, Header, HeaderError, LedgerEntry, SchemaId, Sequence, Source, TraceContext,
};
pub use json::canonical_json;
pub use key::{Key, KeyError, KeyPattern};
pub use latency_report::{LatencyReport, StageLatency};
pub use lidar::Lidar;
pub use message::{DecodeError, EncodedMessage, Message, MessageBuilder};
pub use odometry::Odometry;
pub use payload::{AlignedBytes, PayloadBuffer, PayloadOrigin};
pub use schema::{
    Dim, ModelHashRule, Schema, SchemaError, SchemaMismatch, TensorRule, check_schema, schemas,
};
pub use tensor::{Dtype, Element, TensorEntry, TensorError, TensorView};
pub use typed::{InvalidMessage, TypedMessage};
