//! Which model an agent believes with.

use std::path::Path;

use anyhow::{Context as _, bail};
use sedge_runtime::{ModelError, ModelFactory, named_model_hash};
use sedge_world_model::{GeometricModel, MotionModel, MotionNoise, WorldModel};
use sedge_world_model_trained::{CheckpointStory, read_story};

use crate::UsageError;
use crate::commands::agent::{AgentSettings, UntrainedModel};
use crate::engine::{Engine, check_rungs, rungs_precision};
use crate::first_scan_model::FirstScanModel;

/// The model that the settings ask for.
pub(crate) struct ChosenModel {
    /// Of its weights, or of its name.
    pub(crate) hash: [u8; 32],
    /// Its scanner latency and odometry calibration.
    pub(crate) motion: MotionModel,
    /// Makes it.
    pub(crate) model: ModelFactory,
    /// Of a trained model; the geometric one is its baseline.
    story: Option<CheckpointStory>,
}

impl ChosenModel {
    pub(crate) fn of(settings: &AgentSettings) -> anyhow::Result<Self> {
        match (&settings.run, settings.model) {
            (Some(run), None) => Self::trained(run, settings),
            (None, Some(kind)) => Self::untrained(kind, settings),
            (Some(_), Some(_)) => bail!(UsageError("expected a run or a model, got both".into())),
            (None, None) => bail!(UsageError(
                "expected a model: --run RUN for a trained one, or --model geometric or \
                 constant-velocity"
                    .into(),
            )),
        }
    }

    fn trained(run: &Path, settings: &AgentSettings) -> anyhow::Result<Self> {
        let story = read_story(run)?;
        let driving = settings.driving.as_ref();
        let engine = Engine::choose_for(driving, settings.engine, settings.device, run)?;
        let (run, also) = (run.to_owned(), driving.and_then(rungs_precision));
        let load = move || -> Result<Box<dyn WorldModel>, ModelError> {
            Ok(Box::new(engine.load_also(&run, also)?))
        };
        Ok(Self {
            hash: hash_bytes(&story.model_hash)?,
            motion: story.motion_model,
            model: Box::new(load),
            story: Some(story),
        })
    }

    fn untrained(kind: UntrainedModel, settings: &AgentSettings) -> anyhow::Result<Self> {
        if let Some(driving) = &settings.driving {
            check_rungs(driving, None)?;
        }
        let motion = match &settings.calibration {
            Some(path) => read_motion(path)?,
            None => MotionModel::default(),
        };
        let make = move || -> Result<Box<dyn WorldModel>, ModelError> {
            Ok(Box::new(FirstScanModel::new(kind, motion)))
        };
        let name = FirstScanModel::new(kind, motion).name().to_owned();
        Ok(Self {
            hash: named_model_hash(&name),
            motion,
            model: Box::new(make),
            story: None,
        })
    }

    /// What the model has to beat: persistence comes by itself, geometry with a trained model.
    pub(crate) fn baselines(&self) -> Vec<ModelFactory> {
        let Some(story) = &self.story else {
            return Vec::new();
        };
        let (geometry, motion) = (story.geometry, story.motion_model);
        let make = move || -> Result<Box<dyn WorldModel>, ModelError> {
            Ok(Box::new(GeometricModel::new(
                geometry,
                motion,
                MotionNoise::ASSUMED,
            )))
        };
        vec![Box::new(make)]
    }
}

fn read_motion(path: &Path) -> anyhow::Result<MotionModel> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let motion: MotionModel = serde_json::from_str(&text).with_context(|| {
        format!(
            "expected what `sedge calibrate --out` wrote in {}",
            path.display()
        )
    })?;
    Ok(motion)
}

/// 64 hexadecimal digits as bytes.
pub(crate) fn hash_bytes(text: &str) -> anyhow::Result<[u8; 32]> {
    let byte = |byte_idx: usize| {
        let digits = text.get(2 * byte_idx..2 * byte_idx + 2)?;
        u8::from_str_radix(digits, 16).ok()
    };
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    let bytes = bytes
        .filter(|_| text.len() == 64)
        .and_then(|bytes| bytes.try_into().ok());
    bytes.with_context(|| format!("expected a hash of 64 hexadecimal digits, got {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_hexadecimal_digits_are_a_hash() {
        assert_eq!(hash_bytes(&"0f".repeat(32)).unwrap(), [15; 32]);
        for bad in [
            "",
            "0f",
            &"0f".repeat(33),
            &"zz".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(hash_bytes(bad).is_err(), "{bad}");
        }
    }
}
