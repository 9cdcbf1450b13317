//! The whole network and how many numbers it holds.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sedge_world_model_trained::NetworkConfig;
use sedge_world_model_trained::structure::IMAGINE_STEPS;

use crate::decoder::LidarDecoder;
use crate::encoder::Encoder;
use crate::layers::{Dense, Init};
use crate::motion_head::MotionHead;
use crate::recurrent_core::{Latent, RecurrentCore};

/// Sectors of the coarse scan that the posterior must be able to draw.
pub(crate) const COARSE_SECTORS: usize = 60;

/// Encoder, recurrent latent, decoder and heads.
#[derive(Module, Debug)]
pub struct Network {
    pub(crate) encoder: Encoder,
    pub(crate) core: RecurrentCore,
    pub(crate) decoder: LidarDecoder,
    pub(crate) motion_head: MotionHead,
    pub(crate) coarse_head: Dense,
}

/// A sensed step: what the filter takes in.
pub(crate) struct StepInput {
    /// `[batch, hidden]`
    pub(crate) token: Tensor<2>,
    /// `[batch, 4]`
    pub(crate) motion: Tensor<2>,
    /// `[batch, 1]`
    pub(crate) dt_secs: Tensor<2>,
}

/// A filter step's outcome.
pub(crate) struct Filtered {
    pub(crate) latent: Latent,
    pub(crate) prior: Tensor<2>,
    pub(crate) posterior: Tensor<2>,
}

impl Network {
    /// A fresh network; the seed alone decides its weights.
    pub fn new(config: &NetworkConfig, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut init = Init {
            rng: &mut rng,
            device,
        };
        Self {
            encoder: Encoder::new(config.hidden, &mut init),
            core: RecurrentCore::new(config, &mut init),
            decoder: LidarDecoder::new(config, &mut init),
            motion_head: MotionHead::new(config, &mut init),
            coarse_head: Dense::new(config.feature(), COARSE_SECTORS, 1.0, &mut init),
        }
    }

    /// Predicts to the time of the input and corrects with it.
    pub(crate) fn filter(
        &self,
        latent: &Latent,
        input: StepInput,
        gumbel: Option<Tensor<2>>,
    ) -> Filtered {
        let deter = self.core.step(latent, input.motion, input.dt_secs);
        let prior = self.core.prior(deter.clone());
        let posterior = self.core.posterior(deter.clone(), input.token);
        let stoch = self.core.sample(posterior.clone(), gumbel);
        Filtered {
            latent: Latent { deter, stoch },
            prior,
            posterior,
        }
    }

    /// Rolls the latent forward along a movement cut into [`IMAGINE_STEPS`] equal parts.
    ///
    /// # Shapes
    /// Movement of one part `[batch, 4]`, its time step `[batch, 1]`; one noise tensor per step.
    pub(crate) fn imagine(
        &self,
        latent: Latent,
        motion: &Tensor<2>,
        dt_secs: &Tensor<2>,
        gumbel: Option<Vec<Tensor<2>>>,
    ) -> Latent {
        let mut noise = gumbel.map(Vec::into_iter);
        (0..IMAGINE_STEPS).fold(latent, |latent, _| {
            let deter = self.core.step(&latent, motion.clone(), dt_secs.clone());
            let prior = self.core.prior(deter.clone());
            let stoch = self
                .core
                .sample(prior, noise.as_mut().and_then(Iterator::next));
            Latent { deter, stoch }
        })
    }
}
