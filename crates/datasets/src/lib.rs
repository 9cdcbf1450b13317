//! Other people's logs as episodes and as ONI streams.
//!
//! [`open`] reads a CARMEN text log or a planar g2o file with scans in it (plain, gzip or zip,
//! told apart by content) into an [`Episode`](sedge_world_model::Episode). A log that breaks in
//! the middle gives what came before it, with the [`LogError`] beside it.
//!
//! It never learns, and never touches the network.

mod carmen;
mod error;
mod fields;
mod g2o;
mod lines;
mod oni_stream;
mod open;
mod reading;
mod scan_line;
mod synthetic;
mod wheel;
mod write_carmen;

pub use error::LogError;
pub use oni_stream::{OniItem, OniStream, OniStreamConfig};
pub use open::open;
pub use reading::{LogFormat, LogReading, LogWarnings, OdometrySource, Sampling};
pub use synthetic::{SyntheticConfig, SyntheticError, synthetic_corridor};
pub use wheel::unpack_wheel;
pub use write_carmen::{CarmenLayout, save_carmen, write_carmen};
