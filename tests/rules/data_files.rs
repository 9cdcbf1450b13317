//! What may not be in git.

use crate::{Finding, SourceFile};

/// Room for a picture, not for a log.
pub const N_BYTES_MAX: usize = 1 << 20;

/// Logs, recordings, weights and archives: other people's work, or what a command makes again.
const DATA_ENDINGS: [&str; 17] = [
    ".log",
    ".clf",
    ".g2o",
    ".bag",
    ".db3",
    ".mcap",
    ".rrd",
    ".rbl",
    ".gz",
    ".zip",
    ".zst",
    ".tar",
    ".npz",
    ".pt",
    ".onnx",
    ".safetensors",
    ".parquet",
];

const WHY_NO_DATA: &str = "other people's data has their licence, and ours is made by a command";
const WHY_SMALL: &str = "every clone carries every file for ever";

/// Data files.
pub fn foreign_data(file: &SourceFile) -> Vec<Finding> {
    let lower = file.path.to_lowercase();
    let ending = DATA_ENDINGS
        .into_iter()
        .find(|ending| lower.ends_with(ending));
    let finding =
        ending.map(|ending| Finding::about(&file.path, format!("a {ending} file"), WHY_NO_DATA));
    finding.into_iter().collect()
}

/// Files of more than [`N_BYTES_MAX`] bytes; `Cargo.lock` is the tool's.
pub fn large_files(file: &SourceFile) -> Vec<Finding> {
    if file.n_bytes <= N_BYTES_MAX || file.path == "Cargo.lock" {
        return Vec::new();
    }
    let what = format!("expected at most {N_BYTES_MAX} bytes, got {}", file.n_bytes);
    vec![Finding::about(&file.path, what, WHY_SMALL)]
}
