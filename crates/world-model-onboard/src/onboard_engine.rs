//! The network as an engine.

use std::path::Path;

use sedge_world_model_trained::structure::IMAGINE_STEPS;
use sedge_world_model_trained::{
    CheckpointError, Engine, Foreseen, FutureRows, MODEL_FILE, NetworkConfig, SensedStep,
    TrainedModel, read_weights,
};

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::layers::Source;
use crate::recurrent_core::{Latents, Moves, RecurrentCore};

/// The weights, the recurrent state, and memory that serves again.
struct OnboardEngine {
    config: NetworkConfig,
    encoder: Encoder,
    core: RecurrentCore,
    decoder: Decoder,
    /// One row: what is believed.
    latent: Latents,
    /// Kept for their memory.
    imagined: Latents,
    token: Vec<f32>,
}

/// Loads the weights of a run's folder.
///
/// # Errors
/// [`CheckpointError`] when the checkpoint is absent, damaged or incompatible.
pub fn load(dir: &Path) -> Result<TrainedModel, CheckpointError> {
    let (mut tensors, story) = read_weights(dir)?;
    let config = story.config.network.clone();
    let path = dir.join(MODEL_FILE);
    let mut source = Source {
        tensors: &mut tensors,
        path: &path,
    };
    let engine = OnboardEngine {
        encoder: Encoder::load(&mut source, config.hidden)?,
        core: RecurrentCore::load(&mut source, &config)?,
        decoder: Decoder::load(&mut source, &config)?,
        latent: Latents::nothing(&config),
        imagined: Latents::default(),
        token: Vec::new(),
        config,
    };
    Ok(TrainedModel::new(story, Box::new(engine)))
}

impl Engine for OnboardEngine {
    fn filter(&mut self, step: &SensedStep<'_>) {
        self.encoder.forward(step, &mut self.token);
        let moves = Moves {
            motions: &[step.motion],
            secs: &[step.dt_secs],
        };
        self.core.step(&mut self.latent, moves);
        self.core.take_posterior(&mut self.latent, &self.token);
    }

    fn feature(&self) -> Vec<f32> {
        self.latent.feature(&self.config)
    }

    fn foresee(&mut self, futures: &FutureRows) -> Vec<Foreseen> {
        if !self.config.latent {
            return self.decoder.forward(futures, None);
        }
        self.imagined.repeat(&self.latent, futures.n);
        let moves = Moves {
            motions: &futures.part_motions,
            secs: &futures.part_secs,
        };
        for _ in 0..IMAGINE_STEPS {
            self.core.step(&mut self.imagined, moves);
            self.core.take_prior(&mut self.imagined);
        }
        self.decoder.forward(futures, Some(&self.imagined))
    }
}
