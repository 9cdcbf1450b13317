//! The models that the agents of a swarm believe with.

use std::path::PathBuf;

use anyhow::ensure;
use sedge_runtime::{DrivingConfig, ModelError, ModelFactory, named_model_hash};
use sedge_simulation::{LidarConfig, RobotKind};
use sedge_world_model::{MotionModel, ScanGeometry, WorldModel};
use sedge_world_model_trained::{CheckpointStory, read_story};

use crate::UsageError;
use crate::chosen_model::hash_bytes;
use crate::commands::agent::UntrainedModel;
use crate::engine::{Engine, check_rungs, rungs_precision};
use crate::first_scan_model::untrained;
use crate::scenario_file::hex;

/// How every agent of a swarm comes to its model; it can be sent to the thread that keeps one.
#[derive(Debug, Clone)]
pub(crate) enum Minds {
    Trained {
        run: PathBuf,
        engine: Engine,
        story: Box<CheckpointStory>,
    },
    Untrained(UntrainedModel),
}

impl Minds {
    pub(crate) fn trained(run: PathBuf, engine: Engine) -> anyhow::Result<Self> {
        let story = Box::new(read_story(&run)?);
        Ok(Self::Trained { run, engine, story })
    }

    /// What it is called in tables.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Trained { run, .. } => run.display().to_string(),
            Self::Untrained(model) => model.as_str().to_owned(),
        }
    }

    /// Of its weights, or of its name.
    pub(crate) fn hash(&self) -> anyhow::Result<[u8; 32]> {
        match self {
            Self::Trained { story, .. } => hash_bytes(&story.model_hash),
            Self::Untrained(model) => Ok(named_model_hash(model.as_str())),
        }
    }

    /// The same as people compare it.
    pub(crate) fn hash_text(&self) -> anyhow::Result<String> {
        Ok(hex(&self.hash()?))
    }

    pub(crate) fn scanner_latency_secs(&self) -> f64 {
        match self {
            Self::Trained { story, .. } => story.motion_model.latency_secs,
            Self::Untrained(_) => 0.0,
        }
    }

    /// Whether it can believe with the scanner of a kind of robot.
    ///
    /// # Errors
    /// [`UsageError`] where it was trained for another, or there is none.
    pub(crate) fn check(&self, name: &str, kind: &RobotKind) -> anyhow::Result<ScanGeometry> {
        let Some(lidar) = &kind.lidar else {
            return Err(UsageError(format!(
                "expected robots with a lidar, but kind {name:?} has none"
            ))
            .into());
        };
        let geometry = geometry_of(lidar);
        if let Self::Trained { run, story, .. } = self {
            ensure!(
                fits(&story.geometry, &geometry),
                UsageError(format!(
                    "expected robots with the scanner that {} was trained for, {:?}; kind {name:?} \
                     has {geometry:?}",
                    run.display(),
                    story.geometry
                ))
            );
        }
        Ok(geometry)
    }

    /// Whether it can imagine as rungs of the ladder say.
    ///
    /// # Errors
    /// [`UsageError`] where it cannot.
    pub(crate) fn check_rungs(&self, driving: &DrivingConfig) -> anyhow::Result<()> {
        let engine = match self {
            Self::Trained { engine, .. } => Some(*engine),
            Self::Untrained(_) => None,
        };
        check_rungs(driving, engine)
    }

    /// Makes models for a scanner, ready for what such driving asks of them.
    pub(crate) fn factory(&self, geometry: ScanGeometry, driving: &DrivingConfig) -> ModelFactory {
        match self.clone() {
            Self::Trained { run, engine, .. } => {
                let also = rungs_precision(driving);
                Box::new(move || -> Result<Box<dyn WorldModel>, ModelError> {
                    Ok(Box::new(engine.load_also(&run, also)?))
                })
            }
            Self::Untrained(model) => {
                Box::new(move || -> Result<Box<dyn WorldModel>, ModelError> {
                    Ok(Box::new(untrained(model, geometry, MotionModel::default())))
                })
            }
        }
    }

    /// What a trained model has to beat, beside persistence: what was seen moving goes on so.
    pub(crate) fn baselines(&self, geometry: ScanGeometry) -> Vec<ModelFactory> {
        match self {
            Self::Untrained(_) => Vec::new(),
            Self::Trained { .. } => {
                let moves_on = UntrainedModel::ConstantVelocity;
                let make = move || -> Result<Box<dyn WorldModel>, ModelError> {
                    Ok(Box::new(untrained(
                        moves_on,
                        geometry,
                        MotionModel::default(),
                    )))
                };
                vec![Box::new(make)]
            }
        }
    }
}

/// Beams evenly over the full circle, the first one backward.
fn geometry_of(lidar: &LidarConfig) -> ScanGeometry {
    ScanGeometry {
        first_angle_rad: -std::f64::consts::PI,
        step_rad: std::f64::consts::TAU / lidar.n_beams as f64,
        n_beams: lidar.n_beams,
    }
}

/// Angles that were written in a header are the same angles.
fn fits(one: &ScanGeometry, other: &ScanGeometry) -> bool {
    let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
    one.n_beams == other.n_beams
        && near(one.first_angle_rad, other.first_angle_rad)
        && near(one.step_rad, other.step_rad)
}
