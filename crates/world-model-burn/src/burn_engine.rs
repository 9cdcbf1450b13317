//! The network on burn as an engine.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use sedge_world_model::Reused;
use sedge_world_model_trained::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, MOTION_INPUTS, MOTION_OUTPUTS,
    N_COMPONENTS, N_OTHERS, OTHER_INPUTS,
};
use sedge_world_model_trained::{
    CheckpointError, Engine, Foreseen, FutureRows, MixtureRows, NetworkConfig, SensedStep,
    TrainedModel, read_out,
};

use crate::checkpoint::{host_values, load_model};
use crate::decoder::{DecoderInput, MixtureTensors};
use crate::encoder::{OthersInput, SensedInput};
use crate::network::{Network, StepInput};
use crate::recurrent_core::Latent;
use crate::{DeviceError, DeviceKind};

/// Why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The device is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A network on a device, with its recurrent state.
struct BurnEngine {
    network: Network,
    config: NetworkConfig,
    device: Device,
    latent: Latent,
}

/// Loads the weights of a run's folder onto a device.
///
/// # Errors
/// [`LoadError`] when the device is absent or the checkpoint is damaged or incompatible.
pub fn load(dir: &Path, device: DeviceKind) -> Result<TrainedModel, LoadError> {
    let device = device.open()?;
    let (network, story) = load_model(dir, &device)?;
    let config = story.config.network.clone();
    let latent = Latent::zeros(1, &config, &device);
    let engine = BurnEngine {
        network,
        config,
        device,
        latent,
    };
    Ok(TrainedModel::new(story, Box::new(engine)))
}

impl BurnEngine {
    fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    fn motions(&self, rows: &[[f32; MOTION_INPUTS]]) -> Tensor<2> {
        self.tensor(rows.concat(), [rows.len(), MOTION_INPUTS])
    }

    /// The encoder's input at a step.
    fn sensed(&self, step: &SensedStep<'_>) -> SensedInput {
        let row = step.company;
        SensedInput {
            scans: self.tensor(step.scan.to_vec(), [1, ENCODER_CHANNELS, ENCODER_BEAMS]),
            motions: self.motions(&[step.motion]),
            imu: self.tensor(row.imu.to_vec(), [1, row.imu.len()]),
            others: row.has_others().then(|| OthersInput {
                valid: self.tensor(row.valid.to_vec(), [1, N_OTHERS]),
                rows: self.tensor(row.others.to_vec(), [1, N_OTHERS, OTHER_INPUTS]),
            }),
        }
    }

    /// The latent feature of each future. `[future, feature]`
    fn foreseen_features(&self, futures: &FutureRows) -> Option<Tensor<2>> {
        if !self.config.latent {
            return None;
        }
        let start = Latent {
            deter: self.latent.deter.clone().repeat_dim(0, futures.n),
            stoch: self.latent.stoch.clone().repeat_dim(0, futures.n),
        };
        let dts = self.tensor(futures.part_secs.clone(), [futures.n, 1]);
        let motions = self.motions(&futures.part_motions);
        Some(self.network.imagine(start, &motions, &dts, None).feature())
    }
}

impl Engine for BurnEngine {
    fn filter(&mut self, step: &SensedStep<'_>) {
        let sensed = self.sensed(step);
        let input = StepInput {
            token: self.network.encoder.forward(&sensed),
            motion: sensed.motions,
            dt_secs: self.tensor(vec![step.dt_secs], [1, 1]),
        };
        self.latent = self.network.filter(&self.latent, input, None).latent;
    }

    fn feature(&self) -> Reused<f32> {
        host_values(self.latent.feature()).into()
    }

    fn foresee(&mut self, futures: &FutureRows) -> Reused<Foreseen> {
        let (n, beams) = (futures.n, futures.n_beams);
        let three =
            |values: &[f32], channels: usize| self.tensor(values.to_vec(), [n, channels, beams]);
        let input = DecoderInput {
            features: three(&futures.views.features, DECODER_CHANNELS),
            candidates_m: three(&futures.views.candidates_m, COMPONENTS.len()),
        };
        let feature = self.foreseen_features(futures);
        let mixture = self.network.decoder.forward(input, feature.clone());
        let feature =
            feature.unwrap_or_else(|| Tensor::zeros([n, self.config.feature()], &self.device));
        let motions = self.motions(&futures.motions);
        let head = self.network.motion_head.forward(feature, motions);
        let head = host_values(head.0);
        let scans = HostMixtures::from(mixture);
        (0..n)
            .map(|future| {
                let mut motion_head = [0.0; MOTION_OUTPUTS];
                motion_head.copy_from_slice(&head[future * MOTION_OUTPUTS..][..MOTION_OUTPUTS]);
                Foreseen {
                    scan: read_out(scans.rows(future, beams), futures.read_out),
                    motion_head,
                }
            })
            .collect()
    }
}

/// Mixtures off the device. `[future, component, beam]`, hits `[future, beam]`.
struct HostMixtures {
    weight: Vec<f32>,
    centre_m: Vec<f32>,
    rate_per_m: Vec<f32>,
    hit_logit: Vec<f32>,
}

impl From<MixtureTensors> for HostMixtures {
    fn from(mixture: MixtureTensors) -> Self {
        Self {
            weight: host_values(mixture.log_weight.exp()),
            centre_m: host_values(mixture.centre_m),
            rate_per_m: host_values(mixture.log_scale.neg().exp()),
            hit_logit: host_values(mixture.hit_logit),
        }
    }
}

impl HostMixtures {
    fn rows(&self, future: usize, n_beams: usize) -> MixtureRows<'_> {
        let width = N_COMPONENTS * n_beams;
        let rows = future * width..(future + 1) * width;
        MixtureRows {
            n_beams,
            weight: &self.weight[rows.clone()],
            centre_m: &self.centre_m[rows.clone()],
            rate_per_m: &self.rate_per_m[rows],
            hit_logit: &self.hit_logit[future * n_beams..][..n_beams],
        }
    }
}
