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
mod bundle;
mod camera;
mod command;
mod content;
mod depth;
mod encoding;
mod error_code;
mod forecast;
mod frame;
mod goal;
mod header;
mod health;
mod imu;
mod json;
mod key;
mod latency_report;
mod latent_state;
mod lidar;
pub mod limits;
mod manifest;
mod message;
mod message_builder;
mod message_writer;
mod odometry;
mod payload;
mod pinhole;
mod range_bearing;
mod schema;
mod schema_diff;
mod schema_document;
mod slab;
mod stop;
mod tensor;
mod text;
mod typed;
mod validate;
mod wire;

pub use belief::BeliefReport;
pub use bundle::{BUNDLE_MAGIC, Bundle, BundleError, BundleParts};
pub use camera::{Camera, PixelFormat};
pub use command::{Command, CommandStep};
pub use depth::Depth;
pub use encoding::Encoding;
pub use error_code::ErrorCode;
pub use forecast::{Forecast, ScanForecast};
pub use frame::{FRAME_MAGIC, FrameCounts, FrameError, FrameReader};
pub use goal::{Goal, Waypoint};
pub use header::{
    Capture, Envelope, Header, HeaderError, LedgerEntry, SchemaId, Sequence, Source, StageName,
    TraceContext,
};
pub use health::{DropCount, Health, HealthState, KeyCounts};
pub use imu::Imu;
pub use json::canonical_json;
pub use key::{Key, KeyError, KeyPattern};
pub use latency_report::{LadderReport, LatencyReport, RungLatency, StageLatency};
pub use latent_state::{LatentState, LatentStep, Validity};
pub use lidar::Lidar;
pub use manifest::{Direction, Manifest, Stream};
pub use message::{DecodeError, EncodedMessage, Message};
pub use message_builder::MessageBuilder;
pub use message_writer::{MessageWriter, WriteError};
pub use odometry::Odometry;
pub use payload::{AlignedBytes, PayloadBuffer, PayloadOrigin};
pub use pinhole::Pinhole;
pub use range_bearing::{Measured, Neighbour, RangeBearing};
pub use schema::{
    Content, Dim, ListOf, ModelHashRule, Presence, Schema, SchemaError, SchemaMismatch, TensorRule,
    check_schema, schema_documents, schemas,
};
pub use schema_diff::{Effect, SchemaDifference, schema_differences};
pub use schema_document::SchemaDocument;
pub use slab::MessageSlab;
pub use stop::{Severity, Stop};
pub use tensor::{Dtype, Element, Shape, TensorEntry, TensorError, TensorName, TensorView};
pub use typed::{InvalidMessage, TypedMessage};
pub use wire::ProtobufError;
