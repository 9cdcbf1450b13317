//! What the network is trained to be good at.

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use sedge_world_model_trained::NetworkConfig;
use sedge_world_model_trained::structure::ENCODER_BEAMS;

use crate::batch::Batch;
use crate::decoder::MixtureTensors;
use crate::network::{COARSE_SECTORS, Network, StepInput};
use crate::recurrent_core::Latent;

/// A mean over beams is small beside a divergence in nats: this many beams' worth (the research
/// recipe's balance).
const RANGE_WEIGHT: f32 = 16.0;
/// Squared error of the mean read-out, per square metre: the likelihood alone leaves it free.
const MEAN_WEIGHT: f32 = 0.02;
const HIT_WEIGHT: f32 = 1.0;
const COARSE_WEIGHT: f32 = 4.0;
const MOTION_WEIGHT: f32 = 0.2;
/// DreamerV3: train the prior towards the posterior, and the posterior a little to be predictable.
const DYNAMICS_WEIGHT: f32 = 1.0;
const REPRESENTATION_WEIGHT: f32 = 0.1;
const FREE_NATS: f32 = 1.0;

/// The parts of a loss, each a mean over its own rows. `[1]`
pub(crate) struct Losses {
    /// Negative log density per counted beam, in nats per metre.
    pub(crate) range: Tensor<1>,
    /// Squared error of the mean read-out per counted beam.
    pub(crate) mean: Tensor<1>,
    pub(crate) hit: Tensor<1>,
    pub(crate) motion: Tensor<1>,
    /// Divergence of the prior from the posterior, in nats; zero without the latent.
    pub(crate) divergence: Tensor<1>,
    /// Error of the coarse scan drawn from the posterior; zero without the latent.
    pub(crate) coarse: Tensor<1>,
}

impl Losses {
    /// What is minimised. `[1]`
    pub(crate) fn total(&self) -> Tensor<1> {
        self.range.clone() * RANGE_WEIGHT
            + self.mean.clone() * MEAN_WEIGHT * RANGE_WEIGHT
            + self.hit.clone() * HIT_WEIGHT
            + self.motion.clone() * MOTION_WEIGHT
            + self.divergence.clone()
            + self.coarse.clone() * COARSE_WEIGHT
    }
}

/// The loss of a batch.
pub(crate) fn losses(network: &Network, config: &NetworkConfig, batch: &Batch) -> Losses {
    let device = batch.sensed.scans.device();
    let zero = || Tensor::<1>::zeros([1], &device);
    let [n, _] = batch.target_m.dims();
    let (feature, divergence, coarse) = if config.latent {
        let filtered = filter_stretches(network, config, batch);
        let start = Latent {
            deter: filtered.latent.deter.select(0, batch.start_rows.clone()),
            stoch: filtered.latent.stoch.select(0, batch.start_rows.clone()),
        };
        let noise = Some(batch.imagine_noise.clone());
        let then = network.imagine(start, &batch.part_motions, &batch.part_dt_secs, noise);
        let foreseen = divergence_then(network, batch, &then);
        // The latent learns from its own losses only: with the decoder's gradient through it, both
        // learnt more slowly and predicted worse on held-out scans.
        (
            Some(then.feature().detach()),
            filtered.divergence + foreseen,
            filtered.coarse,
        )
    } else {
        (None, zero(), zero())
    };
    let mixture = network
        .decoder
        .forward(batch.decoder.clone(), feature.clone());
    let feature = feature.unwrap_or_else(|| Tensor::zeros([n, config.feature()], &device));
    let motion = network
        .motion_head
        .forward(feature, batch.whole_motions.clone());
    let motion = motion
        .negative_log_likelihood(batch.motion_errors.clone())
        .mean();
    let (range, mean, hit) = range_losses(&mixture, batch);
    Losses {
        range,
        mean,
        hit,
        motion,
        divergence,
        coarse,
    }
}

fn range_losses(mixture: &MixtureTensors, batch: &Batch) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let valid = batch.target_valid.clone().float();
    let counted = valid.clone().sum() + 1e-6;
    let log_density = mixture.log_density(batch.target_m.clone());
    let range = (log_density * valid.clone()).sum().neg() / counted.clone();
    let error = mixture.mean_m() - batch.target_m.clone();
    let mean = (error.clone() * error * valid.clone()).sum() / counted;
    let logit = mixture.hit_logit.clone();
    let hit =
        log_sigmoid(logit.clone()) * valid.clone() + log_sigmoid(logit.neg()) * (valid.neg() + 1.0);
    (range, mean, hit.mean().neg())
}

/// The latents of every scan of the stretches, and what filtering them cost.
struct FilteredStretches {
    /// Rows `[L * S]`, time-major.
    latent: Latent,
    divergence: Tensor<1>,
    coarse: Tensor<1>,
}

fn filter_stretches(network: &Network, config: &NetworkConfig, batch: &Batch) -> FilteredStretches {
    let [rows, _, _] = batch.sensed.scans.dims();
    let stretches = rows / batch.stretch_scans;
    let tokens = network.encoder.forward(&batch.sensed);
    let mut latent = Latent::zeros(stretches, config, &batch.sensed.scans.device());
    let (mut deters, mut stochs, mut priors, mut posteriors) = (vec![], vec![], vec![], vec![]);
    for step in 0..batch.stretch_scans {
        let part = |x: &Tensor<2>| x.clone().narrow(0, step * stretches, stretches);
        let input = StepInput {
            token: part(&tokens),
            motion: part(&batch.sensed.motions),
            dt_secs: part(&batch.dt_secs),
        };
        let filtered = network.filter(&latent, input, Some(part(&batch.filter_noise)));
        latent = filtered.latent;
        deters.push(latent.deter.clone());
        stochs.push(latent.stoch.clone());
        priors.push(filtered.prior);
        posteriors.push(filtered.posterior);
    }
    let latent = Latent {
        deter: Tensor::cat(deters, 0),
        stoch: Tensor::cat(stochs, 0),
    };
    let (prior, posterior) = (Tensor::cat(priors, 0), Tensor::cat(posteriors, 0));
    let dynamics = network
        .core
        .divergence(posterior.clone().detach(), prior.clone());
    let representation = network.core.divergence(posterior, prior.detach());
    let divergence = dynamics.clamp_min(FREE_NATS).mean() * DYNAMICS_WEIGHT
        + representation.clamp_min(FREE_NATS).mean() * REPRESENTATION_WEIGHT;
    let coarse = coarse_error(network, &latent, &batch.sensed.scans);
    FilteredStretches {
        latent,
        divergence,
        coarse,
    }
}

/// How well a coarse scan can be drawn from the latent: mean absolute error in log range. It keeps
/// the posterior informative; the fine scan is the decoder's business.
fn coarse_error(network: &Network, latent: &Latent, scans: &Tensor<3>) -> Tensor<1> {
    let [rows, _, _] = scans.dims();
    let sector = ENCODER_BEAMS / COARSE_SECTORS;
    let channel = |k: usize| {
        scans
            .clone()
            .narrow(1, k, 1)
            .reshape([rows, COARSE_SECTORS, sector])
            .sum_dim(2)
    };
    let (ranges, hits) = (channel(0), channel(1));
    let target = (ranges / (hits.clone() + 1e-6)).reshape([rows, COARSE_SECTORS]);
    let seen = hits.clamp_max(1.0).reshape([rows, COARSE_SECTORS]);
    let error = (network.coarse_head.forward(latent.feature()) - target).abs() * seen.clone();
    error.sum() / (seen.sum() + 1e-6)
}

/// Divergence of what was imagined from what sensing the target says.
fn divergence_then(network: &Network, batch: &Batch, then: &Latent) -> Tensor<1> {
    let token = network.encoder.forward(&batch.target_sensed);
    let posterior = network.core.posterior(then.deter.clone(), token);
    let prior = network.core.prior(then.deter.clone());
    let divergence = network.core.divergence(posterior.detach(), prior);
    divergence.clamp_min(FREE_NATS).mean() * DYNAMICS_WEIGHT
}

/// The parts of a loss as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct LossValues {
    /// Negative log density per counted beam, in nats per metre.
    pub range: f32,
    /// Squared error of the mean read-out per counted beam, in square metres.
    pub mean: f32,
    /// Cross entropy of "the beam returns", in nats.
    pub hit: f32,
    /// Negative log likelihood of the motion error, up to a constant.
    pub motion: f32,
    /// Divergences of the latent, in nats.
    pub divergence: f32,
    /// Error of the coarse scan, in log range.
    pub coarse: f32,
}

impl Losses {
    /// The total and the parts as numbers, fetched at once.
    pub(crate) fn values(&self, total: &Tensor<1>) -> (f32, LossValues) {
        let parts = [
            total,
            &self.range,
            &self.mean,
            &self.hit,
            &self.motion,
            &self.divergence,
            &self.coarse,
        ];
        let all = Tensor::cat(
            parts
                .map(|part| part.clone().without_autodiff().reshape([1]))
                .to_vec(),
            0,
        );
        let v = crate::checkpoint::host_values(all);
        let parts = LossValues {
            range: v[1],
            mean: v[2],
            hit: v[3],
            motion: v[4],
            divergence: v[5],
            coarse: v[6],
        };
        (v[0], parts)
    }
}

impl LossValues {
    /// The mean over shards.
    pub(crate) fn mean(shards: &[(f32, Self)]) -> (f32, Self) {
        let n = shards.len().max(1) as f32;
        let mean = |part: fn(&Self) -> f32| shards.iter().map(|(_, v)| part(v)).sum::<f32>() / n;
        let parts = Self {
            range: mean(|v| v.range),
            mean: mean(|v| v.mean),
            hit: mean(|v| v.hit),
            motion: mean(|v| v.motion),
            divergence: mean(|v| v.divergence),
            coarse: mean(|v| v.coarse),
        };
        (
            shards.iter().map(|(total, _)| total).sum::<f32>() / n,
            parts,
        )
    }
}
