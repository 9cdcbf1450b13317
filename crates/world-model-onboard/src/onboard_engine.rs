//! The network as an engine.

use std::path::Path;
use std::sync::Arc;

use sedge_world_model::{Precision, PrecisionError, Reused};
use sedge_world_model_trained::structure::{IMAGINE_STEPS, MOTION_OUTPUTS};
use sedge_world_model_trained::{
    CheckpointError, CheckpointStory, Engine, Foreseen, FutureRows, MODEL_FILE, MixtureRows,
    NamedTensors, NetworkConfig, SensedStep, TrainedModel, read_weights,
};

use crate::EngineConfig;
use crate::aligned::Aligned;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::imagination::{ImaginedRows, PlanRows, Rollout};
use crate::layers::Source;
use crate::recurrent_core::{Latents, Moves, Posterior, Sequences, Workspace};
use crate::workers::Workers;

/// Why an engine cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The threads that it was told to imagine on did not start.
    #[error("cannot start threads to imagine on")]
    Threads(#[source] std::io::Error),
}

/// What the heads say of one view.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// What the scanner may see.
    pub mixture: MixtureRows<'a>,
    /// For [`corrected_motion`](sedge_world_model_trained::corrected_motion).
    pub motion_head: [f32; MOTION_OUTPUTS],
}

/// The weights, the recurrent state, and memory that serves again.
pub struct OnboardEngine {
    config: NetworkConfig,
    encoder: Encoder,
    sequences: Arc<Sequences>,
    posterior: Posterior,
    decoder: Decoder,
    /// One row: what is believed.
    latent: Latents,
    /// What it imagines in; there is a sequence for it.
    precision: Precision,
    /// They imagine all shares but the caller's.
    workers: Workers,
    /// Kept for their memory.
    rollout: Rollout,
    imagined: ImaginedRows,
    plans: PlanRows,
    space: Workspace,
    token: Aligned<f32>,
}

/// Loads the weights of a run's folder, to be computed in `f32` on the caller's thread.
///
/// # Errors
/// [`CheckpointError`] when the checkpoint is absent, damaged or incompatible.
pub fn load(dir: &Path) -> Result<TrainedModel, CheckpointError> {
    match load_with(dir, EngineConfig::default()) {
        Ok(model) => Ok(model),
        Err(LoadError::Checkpoint(error)) => Err(error),
        Err(LoadError::Threads(error)) => unreachable!("it starts none: {error}"),
    }
}

/// Loads the weights of a run's folder, to be computed as said.
///
/// # Errors
/// [`LoadError`] when the checkpoint is absent, damaged or incompatible, or threads do not start.
pub fn load_with(dir: &Path, config: EngineConfig) -> Result<TrainedModel, LoadError> {
    let (engine, story) = OnboardEngine::load(dir, config)?;
    Ok(TrainedModel::new(story, Box::new(engine)))
}

impl OnboardEngine {
    /// The engine of a run's folder, without a memory of scans, and the story of its weights.
    ///
    /// # Errors
    /// [`LoadError`] when the checkpoint is absent, damaged or incompatible, or threads do not
    /// start.
    pub fn load(dir: &Path, config: EngineConfig) -> Result<(Self, CheckpointStory), LoadError> {
        let (tensors, story) = read_weights(dir)?;
        let network = &story.config.network;
        let engine = Self::new(tensors, &dir.join(MODEL_FILE), (network, config))?;
        Ok((engine, story))
    }

    fn new(
        mut tensors: NamedTensors,
        path: &Path,
        (network, config): (&NetworkConfig, EngineConfig),
    ) -> Result<Self, LoadError> {
        let threads = config.threads.clamp(1, EngineConfig::THREADS_MAX);
        let mut source = Source {
            tensors: &mut tensors,
            path,
        };
        let is_wanted = |it| config.precision == it || config.also == Some(it);
        let sequences = Arc::new(Sequences::load(&mut source, network, is_wanted)?);
        let workers = Workers::start(threads - 1, &sequences).map_err(LoadError::Threads)?;
        Ok(Self {
            encoder: Encoder::load(&mut source, network.hidden)?,
            posterior: Posterior::load(&mut source, network)?,
            decoder: Decoder::load(&mut source, network)?,
            latent: Latents::nothing(network),
            sequences,
            precision: config.precision,
            workers,
            rollout: Rollout::default(),
            imagined: ImaginedRows::default(),
            plans: PlanRows::default(),
            space: Workspace::default(),
            token: Aligned::default(),
            config: network.clone(),
        })
    }

    /// Imagines plans from what is believed now, and leaves no trace in it.
    ///
    /// Nothing is allocated once it has imagined as many plans of as many steps before.
    ///
    /// # Panics
    /// Where lengths of the plans do not fit each other or the network.
    pub fn imagine(&mut self, plans: &PlanRows) -> &ImaginedRows {
        assert_eq!(plans.motions.len(), plans.secs.len(), "movements and times");
        assert!(
            plans.read_out.is_empty() || plans.read_out.len() == self.config.feature(),
            "expected a read-out of {} numbers, got {}",
            self.config.feature(),
            plans.read_out.len()
        );
        let share = plans.n.div_ceil(1 + self.workers.n());
        let rows = |idx: usize| (idx * share).min(plans.n)..((idx + 1) * share).min(plans.n);
        for idx in 0..self.workers.n() {
            let start = (&self.latent, self.precision);
            let fill = |rollout: &mut Rollout| rollout.take(start, plans, rows(1 + idx));
            self.workers.hand(idx, fill);
        }
        let start = (&self.latent, self.precision);
        self.rollout.take(start, plans, rows(0));
        self.rollout.run(&self.sequences);
        self.imagined.clear();
        self.imagined.append(&self.rollout.imagined);
        for idx in 0..self.workers.n() {
            self.imagined.append(&self.workers.take_back(idx).imagined);
        }
        &self.imagined
    }

    /// What the heads say of one view from what is believed now, without imagining: parts of
    /// movements are not looked at.
    ///
    /// # Panics
    /// Where lengths of the view do not fit the network.
    pub fn decode(&mut self, view: &FutureRows) -> Decoded<'_> {
        let latents = self.config.latent.then_some(&self.latent);
        self.decoder.look(view, latents);
        Decoded {
            motion_head: self.decoder.motion_head(0),
            mixture: self.decoder.mixture(0, view),
        }
    }
}

impl Engine for OnboardEngine {
    fn filter(&mut self, step: &SensedStep<'_>) {
        self.encoder.forward(step, &mut self.token);
        let moves = Moves {
            motions: &[step.motion],
            secs: &[step.dt_secs],
        };
        let sequence = self.sequences.wide();
        sequence.look(&self.latent, &mut self.space);
        sequence.step(&mut self.latent, moves, &mut self.space);
        self.posterior
            .take(&mut self.latent, &self.token, &mut self.space);
    }

    fn feature(&self) -> Reused<f32> {
        self.latent.feature(&self.config)
    }

    fn foresee(&mut self, futures: &FutureRows) -> Reused<Foreseen> {
        if !self.config.latent {
            return self.decoder.forward(futures, None);
        }
        let mut plans = std::mem::take(&mut self.plans);
        plans.n = futures.n;
        plans.motions.clear();
        plans.secs.clear();
        for _ in 0..IMAGINE_STEPS {
            plans.motions.extend_from_slice(&futures.part_motions);
            plans.secs.extend_from_slice(&futures.part_secs);
        }
        self.imagine(&plans);
        self.plans = plans;
        self.decoder.forward(futures, Some(&self.imagined.latents))
    }
    fn imagine_in(&mut self, precision: Precision) -> Result<Precision, PrecisionError> {
        if !self.sequences.has(precision) {
            return Err(PrecisionError { precision });
        }
        Ok(std::mem::replace(&mut self.precision, precision))
    }
}
