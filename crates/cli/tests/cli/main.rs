//! The commands of `sedge`, through its library and as processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod bus;
mod commands;
mod demo;
mod ladder;
mod latency;
mod launch_files;
mod running;
mod schema;
mod swarm;
mod training;
mod two_processes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sedge_datasets::{CarmenLayout, SyntheticConfig, save_carmen, synthetic_corridor};

/// Writes the log of a short drive through a synthetic corridor into a folder.
fn write_corridor_log(folder: &Path, secs: u64) -> PathBuf {
    let config = SyntheticConfig {
        duration: Duration::from_secs(secs),
        n_beams: 60,
        ..SyntheticConfig::new(3)
    };
    let episode = synthetic_corridor(&config).unwrap().episode;
    let path = folder.join("corridor.log");
    save_carmen(&episode, CarmenLayout::ScanMatched, &path).unwrap();
    path
}
