//! Other people's logs as episodes and as ONI streams.
//!
//! [`open`] reads a CARMEN text log or a planar g2o file with scans in it (plain, gzip or zip,
//! told apart by content) into an [`Episode`](sedge_world_model::Episode). A log that breaks in
//! the middle gives what came before it, with the [`LogError`] beside it.
//!
//! [`OniStream`] tells an episode as the ONI messages that its robot would have sent;
//! [`synthetic_corridor`] makes an episode without any robot.
//!
//! [`Collection`] is a folder of simulated runs, each a file of framed ONI messages, which
//! [`EpisodeWriter`] wrote; [`open_any`] takes whatever of all this a path holds.
//!
//! It never learns, and never touches the network.
//!
//! ```
//! use sedge_datasets::{CarmenLayout, SyntheticConfig, open, save_carmen, synthetic_corridor};
//! use std::time::Duration;
//!
//! let config = SyntheticConfig { duration: Duration::from_secs(5), ..SyntheticConfig::new(7) };
//! let made = synthetic_corridor(&config)?.episode;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("corridor.log.gz");
//! save_carmen(&made, CarmenLayout::Ordinary, &path)?;
//! let read = open(&path)?;
//! assert!(read.defect.is_none());
//! assert_eq!(read.episode.scans, made.scans);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod carmen;
mod collection;
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

pub use collection::{
    COLLECTION_FILE, Collection, CollectionFile, CollectionRecipe, EpisodeEntry, EpisodeWriter,
    RobotReading, RunReading, Split, WORLD_FRAME, dataset_hash, open_collections, read_run,
};
pub use error::LogError;
pub use oni_stream::{OniItem, OniStream, OniStreamConfig};
pub use open::{Opened, open, open_any};
pub use reading::{LogFormat, LogReading, LogWarnings, OdometrySource, Sampling};
pub use synthetic::{SyntheticConfig, SyntheticError, synthetic_corridor};
pub use wheel::unpack_wheel;
pub use write_carmen::{CarmenLayout, save_carmen, write_carmen};
