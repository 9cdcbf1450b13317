//! The training loop: one update at a time, resumable bit for bit.

use std::path::Path;

use burn::optim::GradientsParams;
use burn::tensor::Device;
use sedge_world_model::{
    Episode, MotionModel, MotionNoise, ObserveError, RegisteredScans, ScanGeometry,
};
use sedge_world_model_trained::{
    CHECKPOINT_VERSION, CheckpointError, CheckpointStory, TrainConfig, normalisation,
};

use crate::batch::{draw, shard_rng};
use crate::checkpoint::{load_trainer, save_model, save_trainer};
use crate::gathered_drives::GatheredDrives;
use crate::losses::{LossValues, losses};
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::training_set::{PAIRS_MAX, PairSource, TrainingSet, TrainingSetError};
use crate::{DeviceError, DeviceKind};

/// Why training cannot start, go on or be saved.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The recipe makes no sense.
    #[error("expected {expected}, got {got}")]
    BadConfig {
        /// What the recipe must hold to.
        expected: &'static str,
        /// What it says.
        got: String,
    },
    /// Nothing to learn from.
    #[error(transparent)]
    TrainingSet(#[from] TrainingSetError),
    /// The log's odometry cannot be followed.
    #[error("the log's odometry is unusable: {0}")]
    Odometry(#[from] ObserveError),
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint of another log.
    #[error("expected to resume on the log with hash {expected}, got {got}")]
    OtherLog {
        /// The checkpoint's.
        expected: String,
        /// The log's.
        got: String,
    },
    /// Drives of several scanners.
    #[error("expected every drive to be of the scanner {expected:?}, got {got:?}")]
    OtherScanner {
        /// The first drive's.
        expected: ScanGeometry,
        /// A later one's.
        got: ScanGeometry,
    },
    /// A shard's thread could not be started.
    #[error("cannot start a training thread: {0}")]
    Thread(std::io::Error),
}

/// What an update did.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct UpdateReport {
    /// Updates done, this one included.
    pub update: usize,
    /// The loss that was minimised.
    pub loss: f32,
    /// Its parts.
    pub parts: LossValues,
    /// The learning rate used.
    pub learning_rate: f64,
    /// Updates left out so far because their gradients were not finite.
    pub skipped: usize,
}

/// A network being trained.
pub struct Trainer {
    config: TrainConfig,
    set: TrainingSet,
    network: Network,
    optimizer: Optimizer,
    device: Device,
    story: CheckpointStory,
}

/// What is trained on.
pub struct TrainingData<'a> {
    /// The log.
    pub episode: &'a Episode,
    /// Its scanner latency and odometry calibration.
    pub motion_model: MotionModel,
    /// What that leaves unexplained.
    pub motion_noise: MotionNoise,
    /// Its scans where the belief registers them.
    pub scans: &'a RegisteredScans,
}

impl Trainer {
    /// Gathers the training set and draws fresh weights. `progress` is told how much of the set
    /// is gathered.
    ///
    /// # Errors
    /// [`TrainError`] for a bad recipe, a log that is too short, or an absent device.
    pub fn new(
        data: &TrainingData<'_>,
        config: TrainConfig,
        device: DeviceKind,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, TrainError> {
        check(&config)?;
        let device = device.open()?.autodiff();
        let story = story(data, &config);
        let set = gather(data, &config, progress)?;
        Ok(Self::fresh((set, story), config, device))
    }

    /// Draws fresh weights for drives that were gathered before.
    ///
    /// # Errors
    /// [`TrainError`] for a bad recipe, nothing to learn from, or an absent device.
    pub fn of_drives(
        drives: GatheredDrives,
        config: TrainConfig,
        device: DeviceKind,
    ) -> Result<Self, TrainError> {
        check(&config)?;
        let device = device.open()?.autodiff();
        Ok(Self::fresh(drives.finish(&config)?, config, device))
    }

    fn fresh(
        (set, story): (TrainingSet, CheckpointStory),
        config: TrainConfig,
        device: Device,
    ) -> Self {
        let network = Network::new(&config.network, config.seed, &device);
        let optimizer = Optimizer::new(&network);
        Self {
            config,
            set,
            network,
            optimizer,
            device,
            story,
        }
    }

    /// Goes on where a run on gathered drives stopped, as [`Trainer::resume`] does.
    ///
    /// # Errors
    /// [`TrainError`] when the checkpoint is damaged or of another data set.
    pub fn resume_drives(
        dir: &Path,
        drives: GatheredDrives,
        device: DeviceKind,
    ) -> Result<Self, TrainError> {
        let device = device.open()?.autodiff();
        let (network, optimizer, mut story) = load_trainer(dir, &device)?;
        let config = story.config.clone();
        let (set, now) = drives.finish(&config)?;
        if story.dataset_hash != now.dataset_hash {
            return Err(TrainError::OtherLog {
                expected: story.dataset_hash,
                got: now.dataset_hash,
            });
        }
        (story.motion_model, story.motion_noise) = (now.motion_model, now.motion_noise);
        Ok(Self {
            config,
            set,
            network,
            optimizer,
            device,
            story,
        })
    }

    /// Goes on where a run stopped: every later update equals that of an uninterrupted run, bit
    /// for bit, on the same device and version.
    ///
    /// # Errors
    /// [`TrainError`] when the checkpoint is damaged or of another log.
    pub fn resume(
        dir: &Path,
        data: &TrainingData<'_>,
        device: DeviceKind,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, TrainError> {
        let device = device.open()?.autodiff();
        let (network, optimizer, mut story) = load_trainer(dir, &device)?;
        if story.dataset_hash != data.episode.source_hash {
            let got = data.episode.source_hash.clone();
            return Err(TrainError::OtherLog {
                expected: story.dataset_hash,
                got,
            });
        }
        (story.motion_model, story.motion_noise) = (data.motion_model, data.motion_noise);
        let config = story.config.clone();
        let set = gather(data, &config, progress)?;
        Ok(Self {
            config,
            set,
            network,
            optimizer,
            device,
            story,
        })
    }

    /// Updates done.
    pub fn updates(&self) -> usize {
        self.optimizer.updates
    }

    /// The recipe.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Numbers in the network.
    pub fn n_parameters(&self) -> usize {
        use burn::module::Module as _;
        self.network.num_params()
    }

    /// Pairs of a start and a target that are learnt from.
    pub fn n_pairs(&self) -> usize {
        self.set.pairs.len()
    }

    /// One update: every shard's gradients on a thread of its own, added in order.
    ///
    /// # Errors
    /// [`TrainError::Thread`] when the system refuses a thread.
    pub fn update(&mut self) -> Result<UpdateReport, TrainError> {
        let update = self.optimizer.updates;
        let (set, config, network, device) = (&self.set, &self.config, &self.network, &self.device);
        let shard = |shard: usize| {
            let mut rng = shard_rng(config.seed, update, shard);
            let batch = draw(set, config, &mut rng, device);
            let losses = losses(network, &config.network, &batch);
            let total = losses.total();
            let values = losses.values(&total);
            (
                values,
                GradientsParams::from_grads(total.backward(), network),
            )
        };
        let results = std::thread::scope(|scope| {
            let handles = (1..config.shards)
                .map(|k| {
                    let name = format!("train-shard-{k}");
                    let shard = &shard;
                    std::thread::Builder::new()
                        .name(name)
                        .spawn_scoped(scope, move || shard(k))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let mut results = vec![shard(0)];
            for handle in handles {
                results.push(
                    handle
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                );
            }
            Ok(results)
        })
        .map_err(TrainError::Thread)?;
        let (values, gradients): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        let learning_rate = Optimizer::learning_rate(config, update);
        self.network = self
            .optimizer
            .step(self.network.clone(), gradients, &self.config);
        let (loss, parts) = LossValues::mean(&values);
        let skipped = self.optimizer.skipped;
        Ok(UpdateReport {
            update: self.optimizer.updates,
            loss,
            parts,
            learning_rate,
            skipped,
        })
    }

    /// Writes the model for use and the state to go on from; returns the model hash.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<String, TrainError> {
        let story = CheckpointStory {
            updates: self.optimizer.updates,
            ..self.story.clone()
        };
        save_trainer(dir, &self.network, &self.optimizer, &story)?;
        Ok(save_model(dir, &self.network, &self.optimizer, &story)?)
    }
}

fn gather(
    data: &TrainingData<'_>,
    config: &TrainConfig,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<TrainingSet, TrainError> {
    let n = (config.train_share * data.episode.scans.len() as f64) as usize;
    let source = PairSource {
        episode: data.episode,
        scans_in_place: data.scans,
        scans: 0..n,
        horizons: config.horizons,
    };
    Ok(TrainingSet::gather(
        &source,
        config.stretch_scans,
        PAIRS_MAX,
        progress,
    )?)
}

pub(crate) fn story(data: &TrainingData<'_>, config: &TrainConfig) -> CheckpointStory {
    CheckpointStory {
        version: CHECKPOINT_VERSION,
        sedge: env!("CARGO_PKG_VERSION").to_owned(),
        config: config.clone(),
        motion_model: data.motion_model,
        motion_noise: data.motion_noise,
        geometry: data.episode.geometry,
        dataset: data.episode.name.clone(),
        dataset_hash: data.episode.source_hash.clone(),
        normalisation: normalisation(),
        updates: 0,
        model_hash: String::new(),
    }
}

fn check(config: &TrainConfig) -> Result<(), TrainError> {
    let network = &config.network;
    let rules = [
        (
            network.blocks > 0 && network.deter.is_multiple_of(network.blocks.max(1)),
            "deter a multiple of blocks",
        ),
        (
            network.groups > 0 && network.classes > 1,
            "at least one group of two classes",
        ),
        (config.shards > 0 && config.shards <= 64, "1 to 64 shards"),
        (
            config.stretches > 0 && config.stretches.is_multiple_of(config.shards.max(1)),
            "stretches a multiple of shards",
        ),
        (config.stretch_scans >= 4, "stretches of at least 4 scans"),
        (config.branches > 0, "at least one branch"),
        (
            config.learning_rate.is_finite() && config.learning_rate > 0.0,
            "a positive learning rate",
        ),
        (
            config.train_share > 0.0 && config.train_share <= 1.0,
            "a train share in (0, 1]",
        ),
        (
            [config.imu_dropout, config.others_dropout]
                .iter()
                .all(|share| (0.0..=1.0).contains(share)),
            "dropouts in [0, 1]",
        ),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, expected)) => Err(TrainError::BadConfig {
            expected,
            got: format!("{config:?}"),
        }),
        None => Ok(()),
    }
}
