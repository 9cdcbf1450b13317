//! The trained network as a [`WorldModel`].

use std::path::Path;
use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use sedge_spacetime::Pose2;
use sedge_world_model::{
    ActionSequence, Belief, CandidateSet, Futures, ImagineError, Mover, Neighbour, Observation,
    ObserveError, PREDICTION_MIN_M, PredictedScan, Prediction, RANGE_MAX_M, ScanMemory,
    SensorEvent, WorldModel,
};

use crate::checkpoint::{CheckpointError, CheckpointStory, MODEL_FILE, host_values, load_model};
use crate::company_rows::{CompanyRow, N_OTHERS, OTHER_INPUTS};
use crate::decoder::{COMPONENTS, DecoderInput, MixtureTensors, N_COMPONENTS};
use crate::encoder::{ENCODER_BEAMS, ENCODER_CHANNELS, MOTION_INPUTS, OthersInput, SensedInput};
use crate::features::{
    DECODER_CHANNELS, DecoderRows, FutureView, encoder_scan, motion_row, normalisation,
};
use crate::mixture::ScanMixture;
use crate::motion_head::corrected_motion;
use crate::network::{IMAGINE_STEPS, Network, StepInput};
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

/// A trained network with its memory of recent scans and its recurrent state.
pub struct BurnWorldModel {
    network: Network,
    story: CheckpointStory,
    device: Device,
    memory: ScanMemory,
    latent: Latent,
}

/// Everything about one future before it is decoded.
struct Future {
    horizon: Duration,
    motion: Pose2,
    candidates: CandidateSet,
}

impl BurnWorldModel {
    /// Loads the weights of a run's folder.
    ///
    /// # Errors
    /// [`LoadError`] when the device is absent or the checkpoint is damaged or incompatible.
    pub fn load(dir: &Path, device: DeviceKind) -> Result<Self, LoadError> {
        let device = device.open()?;
        let (network, story) = load_model(dir, &device)?;
        if story.normalisation != normalisation() {
            return Err(LoadError::Checkpoint(CheckpointError::Incompatible {
                path: dir.join(MODEL_FILE),
                what: "normalisation",
                expected: format!("{:?}", normalisation()),
                got: format!("{:?}", story.normalisation),
            }));
        }
        let memory = ScanMemory::registering(story.geometry, story.motion_model);
        let latent = Latent::zeros(1, &story.config.network, &device);
        Ok(Self {
            network,
            story,
            device,
            memory,
            latent,
        })
    }

    /// Where the weights come from.
    pub fn story(&self) -> &CheckpointStory {
        &self.story
    }

    /// Takes the newest scan into the recurrent state.
    fn filter_newest(&mut self) {
        let Some(scan) = self.memory.newest_scan() else {
            return;
        };
        let shape = [1, ENCODER_CHANNELS, ENCODER_BEAMS];
        let scans =
            Tensor::<3>::from_data(TensorData::new(encoder_scan(scan), shape), &self.device);
        let dt_secs = self.memory.last_period_secs().unwrap_or(0.0).max(0.0);
        let motion = self.memory.last_motion().unwrap_or(Pose2::IDENTITY);
        let motion = self.motion_tensor(&[motion_row(motion, dt_secs)]);
        let sensed = self.sensed(scans, motion.clone());
        let token = self.network.encoder.forward(&sensed);
        let dt_secs = Tensor::from_data([[dt_secs as f32]], &self.device);
        let input = StepInput {
            token,
            motion,
            dt_secs,
        };
        self.latent = self.network.filter(&self.latent, input, None).latent;
    }

    /// The encoder's input at the newest scan.
    fn sensed(&self, scans: Tensor<3>, motions: Tensor<2>) -> SensedInput {
        let row = CompanyRow::new(self.memory.company(), self.memory.imu());
        let two = |values: Vec<f32>| {
            let width = values.len();
            Tensor::<2>::from_data(TensorData::new(values, [1, width]), &self.device)
        };
        SensedInput {
            scans,
            motions,
            imu: two(row.imu.to_vec()),
            others: row.has_others().then(|| OthersInput {
                valid: two(row.valid.to_vec()),
                rows: two(row.others).reshape([1, N_OTHERS, OTHER_INPUTS]),
            }),
        }
    }

    fn motion_tensor(&self, rows: &[[f32; MOTION_INPUTS]]) -> Tensor<2> {
        let shape = [rows.len(), MOTION_INPUTS];
        Tensor::from_data(TensorData::new(rows.concat(), shape), &self.device)
    }

    /// The latent feature of each future. `[future, feature]`
    fn foreseen_features(&self, futures: &[Future]) -> Option<Tensor<2>> {
        if !self.story.config.network.latent {
            return None;
        }
        let n = futures.len();
        let part_secs = |f: &Future| f.horizon.as_secs_f64() / IMAGINE_STEPS as f64;
        let rows: Vec<_> = futures
            .iter()
            .map(|f| motion_row(f.motion.powf(1.0 / IMAGINE_STEPS as f64), part_secs(f)))
            .collect();
        let dts: Vec<f32> = futures.iter().map(|f| part_secs(f) as f32).collect();
        let dts = Tensor::from_data(TensorData::new(dts, [n, 1]), &self.device);
        let start = Latent {
            deter: self.latent.deter.clone().repeat_dim(0, n),
            stoch: self.latent.stoch.clone().repeat_dim(0, n),
        };
        Some(
            self.network
                .imagine(start, &self.motion_tensor(&rows), &dts, None)
                .feature(),
        )
    }

    fn decode(&self, futures: &[Future]) -> Vec<Prediction> {
        let (n, geometry) = (futures.len(), self.memory.geometry());
        let beams = geometry.n_beams;
        let mut rows = DecoderRows::with_capacity(n, beams);
        for Future {
            horizon,
            motion,
            candidates,
        } in futures
        {
            let (horizon, motion) = (*horizon, *motion);
            rows.push(&FutureView {
                candidates,
                motion,
                horizon,
                geometry,
            });
        }
        let three = |values: Vec<f32>, channels: usize| {
            Tensor::<3>::from_data(TensorData::new(values, [n, channels, beams]), &self.device)
        };
        let input = DecoderInput {
            features: three(rows.features, DECODER_CHANNELS),
            candidates_m: three(rows.candidates_m, COMPONENTS.len()),
        };
        let feature = self.foreseen_features(futures);
        let mixture = self.network.decoder.forward(input, feature.clone());
        let whole: Vec<_> = futures
            .iter()
            .map(|f| motion_row(f.motion, f.horizon.as_secs_f64()))
            .collect();
        let width = self.story.config.network.feature();
        let feature = feature.unwrap_or_else(|| Tensor::zeros([n, width], &self.device));
        let head = self
            .network
            .motion_head
            .forward(feature, self.motion_tensor(&whole));
        let head = host_values(head.0);
        let scans = read_out(mixture);
        let predictions = futures
            .iter()
            .zip(scans)
            .enumerate()
            .map(|(k, (future, scan))| {
                let (motion, covariance) =
                    corrected_motion(future.motion, &head[9 * k..9 * (k + 1)]);
                Prediction {
                    horizon: future.horizon,
                    motion,
                    covariance,
                    scan,
                }
            });
        predictions.collect()
    }
}

/// Every read-out of every beam.
fn read_out(mixture: MixtureTensors) -> Vec<PredictedScan> {
    let [n, _, beams] = mixture.centre_m.dims();
    let hit = host_values(mixture.hit_logit);
    let weight = host_values(mixture.log_weight.exp());
    let centre_m = host_values(mixture.centre_m);
    let rate_per_m = host_values(mixture.log_scale.neg().exp());
    let clipped = |ranges: Vec<f32>| -> Vec<f32> {
        ranges
            .into_iter()
            .map(|range| range.clamp(PREDICTION_MIN_M, RANGE_MAX_M))
            .collect()
    };
    let scan = |future: usize| {
        let rows = future * N_COMPONENTS * beams..(future + 1) * N_COMPONENTS * beams;
        let mixture = ScanMixture {
            n_beams: beams,
            weight: &weight[rows.clone()],
            centre_m: &centre_m[rows.clone()],
            rate_per_m: &rate_per_m[rows],
        };
        let logits = &hit[future * beams..(future + 1) * beams];
        PredictedScan {
            mean_m: clipped(mixture.mean_m()),
            least_error_m: clipped(mixture.quantile_m(0.5)),
            mode_m: clipped(mixture.mode_m()),
            low_m: clipped(mixture.quantile_m(0.05)),
            high_m: clipped(mixture.quantile_m(0.95)),
            hit_probability: logits
                .iter()
                .map(|logit| 1.0 / (1.0 + (-logit).exp()))
                .collect(),
        }
    };
    (0..n).map(scan).collect()
}

impl WorldModel for BurnWorldModel {
    fn name(&self) -> &'static str {
        if self.story.config.network.latent {
            "sedge"
        } else {
            "sedge, no latent"
        }
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        self.memory.observe(event)?;
        if matches!(event.observation, Observation::Lidar(_)) && self.story.config.network.latent {
            self.filter_newest();
        }
        Ok(())
    }

    fn belief(&self) -> Option<Belief> {
        let period_secs = self.memory.last_period_secs().unwrap_or(0.0);
        Some(Belief {
            stamp: self.memory.newest_event_stamp()?,
            pose: self.memory.world_from_newest()?,
            covariance: self.story.motion_noise.covariance(period_secs),
            latent: if self.story.config.network.latent {
                host_values(self.latent.feature())
            } else {
                Vec::new()
            },
        })
    }

    fn movers(&self) -> Vec<Mover> {
        self.memory.company().movers.clone()
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        self.memory.company().neighbours.clone()
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Vec<Futures>, ImagineError> {
        let mut futures = Vec::with_capacity(plans.len() * horizons.len());
        for plan in plans {
            let window = self.memory.scan_window(plan)?;
            for (&horizon, motion) in horizons.iter().zip(self.memory.motions(plan, horizons)?) {
                futures.push(Future {
                    horizon,
                    motion,
                    candidates: window.candidates(motion, horizon),
                });
            }
        }
        if futures.is_empty() {
            return Ok(plans
                .iter()
                .map(|_| Futures {
                    predictions: Vec::new(),
                })
                .collect());
        }
        let mut predictions = self.decode(&futures).into_iter();
        let mut next = || Futures {
            predictions: predictions.by_ref().take(horizons.len()).collect(),
        };
        Ok(plans.iter().map(|_| next()).collect())
    }
}
