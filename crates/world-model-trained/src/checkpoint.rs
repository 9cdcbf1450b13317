//! Checkpoints: weights and their story in one safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use sedge_world_model::{MotionModel, MotionNoise, ScanGeometry};
use serde::{Deserialize, Serialize};

use crate::TrainConfig;
use crate::features::normalisation;

/// The file with the averaged weights, for use.
pub const MODEL_FILE: &str = "model.safetensors";
/// The file with everything needed to go on training.
pub const TRAINER_FILE: &str = "trainer.safetensors";
/// Metadata key of [`CheckpointStory`].
const STORY_KEY: &str = "sedge";
/// Version of the layout of both files and of the network's structure.
pub const CHECKPOINT_VERSION: u32 = 2;

/// Where weights come from: all that is needed to use, repeat or refuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointStory {
    /// [`CHECKPOINT_VERSION`] of the writer.
    pub version: u32,
    /// Sedge's own version.
    pub sedge: String,
    /// The recipe.
    pub config: TrainConfig,
    /// Scanner latency and odometry calibration, fitted from the log.
    pub motion_model: MotionModel,
    /// What that leaves unexplained: the belief's uncertainty.
    pub motion_noise: MotionNoise,
    /// The scanner that the weights are for.
    pub geometry: ScanGeometry,
    /// Name of the log.
    pub dataset: String,
    /// blake3 of the log's bytes.
    pub dataset_hash: String,
    /// Constants that inputs are scaled by.
    pub normalisation: Normalisation,
    /// Updates done.
    pub updates: usize,
    /// blake3 over the weights in order of their names; empty in a trainer file.
    pub model_hash: String,
}

/// Constants that inputs are scaled by: a reader with others would feed the weights nonsense.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Range at which the log scale bends, in metres.
    pub log_range_bend_m: f32,
    /// The longest range, in metres.
    pub range_max_m: f32,
    /// One unit of movement between scans: metres, metres, radians.
    pub step_motion: [f64; 3],
    /// One unit of motion error: metres, metres, radians.
    pub motion_error: [f64; 3],
    /// One unit of horizon, in seconds.
    pub horizon_secs: f32,
    /// The time step at which the update gate is used as it is, in seconds.
    pub step_reference_secs: f32,
    /// One unit of a mover's speed (m/s), age (s) and doubt (m) on a beam.
    pub mover: [f32; 3],
    /// One unit of another's distance (m), speed (m/s), doubt (m) and age (s).
    pub others: [f32; 4],
    /// One unit of yaw rate (rad/s) and of acceleration (m/s2).
    pub imu: [f32; 2],
}

/// Why a checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system said no.
    #[error("cannot {verb} {path}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not a safetensors file, or a damaged one.
    #[error("expected a safetensors checkpoint in {path}: {reason}")]
    Malformed {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Weights of another structure.
    #[error("expected tensor {name} of shape {expected:?} in {path}, got {got:?}")]
    OtherShape {
        /// Where.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// What the network needs.
        expected: Vec<usize>,
        /// What the file has; `None` when the tensor is missing.
        got: Option<Vec<usize>>,
    },
    /// The weights are not those that the file says.
    #[error("expected weights with hash {expected} in {path}, got {got}: the file is damaged")]
    OtherHash {
        /// Where.
        path: PathBuf,
        /// What the story says.
        expected: String,
        /// What the weights say.
        got: String,
    },
    /// Written by a version that this one does not read, or for other inputs.
    #[error("expected {what} {expected} in {path}, got {got}")]
    Incompatible {
        /// Where.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What this version reads.
        expected: String,
        /// What the file says.
        got: String,
    },
}

/// Named tensors of a file, in order of their names.
pub type NamedTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// blake3 over names, shapes and weights.
pub fn hash_of(tensors: &NamedTensors) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, (shape, values)) in tensors {
        hasher.update(name.as_bytes());
        for &size in shape {
            hasher.update(&(size as u64).to_le_bytes());
        }
        hasher.update(&little_endian(values));
    }
    hasher.finalize().to_hex().to_string()
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Writes a file beside its place and then moves it there: a reader never sees half of one.
///
/// # Errors
/// [`CheckpointError`] when the file cannot be written.
pub fn write_checkpoint(
    path: &Path,
    tensors: &NamedTensors,
    story: &CheckpointStory,
) -> Result<(), CheckpointError> {
    let malformed = |reason: String| CheckpointError::Malformed {
        path: path.into(),
        reason,
    };
    let bytes: BTreeMap<&String, (&Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, v))| (name, (shape, little_endian(v))))
        .collect();
    let views = bytes
        .iter()
        .map(|(name, (shape, bytes))| {
            TensorView::new(Dtype::F32, (*shape).clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(error.to_string()))?;
    let story = serde_json::to_string(story).map_err(|error| malformed(error.to_string()))?;
    let metadata = HashMap::from([(STORY_KEY.to_owned(), story)]);
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| malformed(error.to_string()))?;
    let partial = path.with_extension("partial");
    let io = |verb| {
        move |source| CheckpointError::Io {
            verb,
            path: path.into(),
            source,
        }
    };
    std::fs::write(&partial, file).map_err(io("write"))?;
    std::fs::rename(&partial, path).map_err(io("write"))
}

/// Named tensors and story of a file.
///
/// # Errors
/// [`CheckpointError`] when there is none, it is damaged, or of another version.
pub fn read_checkpoint(path: &Path) -> Result<(NamedTensors, CheckpointStory), CheckpointError> {
    let malformed = |reason: String| CheckpointError::Malformed {
        path: path.into(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
        verb: "read",
        path: path.into(),
        source,
    })?;
    let (_, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|error| malformed(error.to_string()))?;
    let story = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(STORY_KEY));
    let story = story.ok_or_else(|| malformed(format!("no {STORY_KEY:?} in its metadata")))?;
    let version = serde_json::from_str::<serde_json::Value>(story)
        .map_err(|error| malformed(error.to_string()))?["version"]
        .as_u64();
    if version != Some(u64::from(CHECKPOINT_VERSION)) {
        return Err(CheckpointError::Incompatible {
            path: path.into(),
            what: "checkpoint version",
            expected: CHECKPOINT_VERSION.to_string(),
            got: version.map_or("none".to_owned(), |version| version.to_string()),
        });
    }
    let story: CheckpointStory =
        serde_json::from_str(story).map_err(|error| malformed(error.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| malformed(error.to_string()))?;
    let mut tensors = NamedTensors::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(format!(
                "expected f32 in {name}, got {:?}",
                view.dtype()
            )));
        }
        let values = view
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|&four| f32::from_le_bytes(four));
        tensors.insert(name, (view.shape().to_vec(), values.collect()));
    }
    Ok((tensors, story))
}

/// The story of a checkpoint in a run's folder, without building its network.
///
/// # Errors
/// [`CheckpointError`] when there is none or it is damaged.
pub fn read_story(dir: &Path) -> Result<CheckpointStory, CheckpointError> {
    read_checkpoint(&dir.join(MODEL_FILE)).map(|(_, story)| story)
}

/// The weights of a run's folder and their story, checked: they are those that the story names, for
/// inputs as this version scales them.
///
/// # Errors
/// [`CheckpointError`] when the file is absent, damaged or incompatible.
pub fn read_weights(dir: &Path) -> Result<(NamedTensors, CheckpointStory), CheckpointError> {
    let path = dir.join(MODEL_FILE);
    let (tensors, story) = read_checkpoint(&path)?;
    let got = hash_of(&tensors);
    if got != story.model_hash {
        let expected = story.model_hash;
        return Err(CheckpointError::OtherHash {
            path,
            expected,
            got,
        });
    }
    if story.normalisation != normalisation() {
        return Err(CheckpointError::Incompatible {
            path,
            what: "normalisation",
            expected: format!("{:?}", normalisation()),
            got: format!("{:?}", story.normalisation),
        });
    }
    Ok((tensors, story))
}

/// Takes the numbers of a named tensor of a given shape.
///
/// # Errors
/// [`CheckpointError::OtherShape`] when it is missing or has another shape.
pub fn take(
    tensors: &mut NamedTensors,
    path: &Path,
    name: &str,
    expected: &[usize],
) -> Result<Vec<f32>, CheckpointError> {
    match tensors.remove(name) {
        Some((shape, values)) if shape == expected => Ok(values),
        other => Err(CheckpointError::OtherShape {
            path: path.into(),
            name: name.to_owned(),
            expected: expected.to_vec(),
            got: other.map(|(shape, _)| shape),
        }),
    }
}
