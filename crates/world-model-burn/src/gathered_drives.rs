//! Several drives to learn from, gathered one after the other: only what is learnt from stays.

use sedge_world_model::ScanGeometry;
use sedge_world_model_trained::{CheckpointStory, HorizonRange, TrainConfig};

use crate::trainer::{TrainError, TrainingData, story};
use crate::training_set::{PAIRS_MAX, PairSource, TrainingSet, TrainingSetError};

/// Drives of one data set, such as the robots' of many simulated runs, each learnt from whole.
///
/// # Examples
/// ```no_run
/// use sedge_world_model::{Episode, MotionModel, MotionNoise, RegisteredScans};
/// use sedge_world_model_burn::{DeviceKind, GatheredDrives, Trainer, TrainingData};
/// use sedge_world_model_trained::Preset;
///
/// let config = Preset::Tiny.train(7);
/// let drives: Vec<(Episode, RegisteredScans)> = Vec::new();
/// let mut gathered = GatheredDrives::new(("doorway", "hash of the data set"), drives.len());
/// for (episode, scans) in &drives {
///     let (motion_model, motion_noise) = (MotionModel::default(), MotionNoise::ASSUMED);
///     let drive = TrainingData { episode, motion_model, motion_noise, scans };
///     gathered.add(&drive, &config)?;
/// }
/// let mut trainer = Trainer::of_drives(gathered, config, DeviceKind::Flex)?;
/// trainer.update()?;
/// # Ok::<(), sedge_world_model_burn::TrainError>(())
/// ```
pub struct GatheredDrives {
    dataset: String,
    dataset_hash: String,
    pairs_max: usize,
    n_too_short: usize,
    n_scans: usize,
    /// Of the drives so far, and the story that the first of them began.
    gathered: Option<(TrainingSet, CheckpointStory)>,
}

impl GatheredDrives {
    /// None yet of about `n_drives`, which share the room for pairs; name and hash are those of the
    /// whole data set.
    pub fn new((dataset, dataset_hash): (&str, &str), n_drives: usize) -> Self {
        Self {
            dataset: dataset.to_owned(),
            dataset_hash: dataset_hash.to_owned(),
            pairs_max: PAIRS_MAX.div_ceil(n_drives.max(1)),
            n_too_short: 0,
            n_scans: 0,
            gathered: None,
        }
    }

    /// Adds a drive, whole. One that is too short for the recipe is left out and counted.
    ///
    /// # Errors
    /// [`TrainError::OtherScanner`] where it is of another scanner than those before.
    pub fn add(
        &mut self,
        drive: &TrainingData<'_>,
        config: &TrainConfig,
    ) -> Result<(), TrainError> {
        let n = drive.episode.scans.len();
        let source = PairSource {
            episode: drive.episode,
            scans_in_place: drive.scans,
            scans: 0..n,
            horizons: config.horizons,
        };
        if let Some((set, _)) = &self.gathered {
            check_scanner(set.geometry, drive.episode.geometry)?;
        }
        self.n_scans += n;
        let (stretch_scans, pairs_max) = (config.stretch_scans, self.pairs_max);
        let set = TrainingSet::gather(&source, stretch_scans, pairs_max, &mut |_, _| {});
        match (set, &mut self.gathered) {
            (Err(TrainingSetError::TooShort { .. }), _) => self.n_too_short += 1,
            (Ok(set), Some((all, _))) => all.append(set),
            (Ok(set), gathered) => *gathered = Some((set, story(drive, config))),
        }
        Ok(())
    }

    /// Drives that were left out because they are too short for the recipe.
    pub fn n_too_short(&self) -> usize {
        self.n_too_short
    }

    /// Pairs of a start and a target so far.
    pub fn n_pairs(&self) -> usize {
        self.gathered.as_ref().map_or(0, |(set, _)| set.pairs.len())
    }

    pub(crate) fn finish(
        self,
        config: &TrainConfig,
    ) -> Result<(TrainingSet, CheckpointStory), TrainError> {
        let horizons: HorizonRange = config.horizons;
        let (set, story) = self.gathered.ok_or(TrainingSetError::TooShort {
            scans: self.n_scans,
            stretch_scans: config.stretch_scans,
            horizons,
        })?;
        let story = CheckpointStory {
            config: config.clone(),
            dataset: self.dataset,
            dataset_hash: self.dataset_hash,
            ..story
        };
        Ok((set, story))
    }
}

fn check_scanner(expected: ScanGeometry, got: ScanGeometry) -> Result<(), TrainError> {
    if expected == got {
        return Ok(());
    }
    Err(TrainError::OtherScanner { expected, got })
}
