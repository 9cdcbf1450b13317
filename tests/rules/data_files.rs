//! What may not be in git.

use crate::{Finding, SourceFile};

/// Room for a picture, not for a log.
pub const N_BYTES_MAX: usize = 1 << 20;
/// Where weights that our own training made may lie, each with its recipe beside it, and how large
/// they may be.
const OWN_WEIGHTS: (&str, usize) = ("weights/", 4 << 20);

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
    if lower.starts_with(OWN_WEIGHTS.0) && lower.ends_with(".safetensors") {
        return Vec::new();
    }
    let ending = DATA_ENDINGS
        .into_iter()
        .find(|ending| lower.ends_with(ending));
    let finding =
        ending.map(|ending| Finding::about(&file.path, format!("a {ending} file"), WHY_NO_DATA));
    finding.into_iter().collect()
}

/// Files of more than [`N_BYTES_MAX`] bytes; `Cargo.lock` is the tool's.
pub fn large_files(file: &SourceFile) -> Vec<Finding> {
    let n_bytes_max = if file.path.starts_with(OWN_WEIGHTS.0) {
        OWN_WEIGHTS.1
    } else {
        N_BYTES_MAX
    };
    if file.n_bytes <= n_bytes_max || file.path == "Cargo.lock" {
        return Vec::new();
    }
    let what = format!("expected at most {n_bytes_max} bytes, got {}", file.n_bytes);
    vec![Finding::about(&file.path, what, WHY_SMALL)]
}
