//! The weights that come with Sedge: `weights/swarm-s` of the repository, within the binary.

use std::path::Path;

use anyhow::Context as _;
use sedge_world_model_trained::MODEL_FILE;

use crate::run_folder::START_FILE;

/// The files of the run that made them.
const FILES: [(&str, &[u8]); 2] = [
    (
        MODEL_FILE,
        include_bytes!("../../../weights/swarm-s/model.safetensors"),
    ),
    (
        START_FILE,
        include_bytes!("../../../weights/swarm-s/run.json"),
    ),
];

/// Writes them as a run's folder, in place of what is there.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn unpack_shipped_weights(folder: &Path) -> anyhow::Result<()> {
    let about = || format!("cannot write the shipped weights to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(about)?;
    for (name, bytes) in FILES {
        std::fs::write(folder.join(name), bytes).with_context(about)?;
    }
    Ok(())
}
