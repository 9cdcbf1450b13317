//! Adam with averaged weights, as plain tensors in visiting order, so that every number of its
//! state can be saved and restored bit for bit.

use burn::module::{Module as _, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use sedge_world_model_trained::TrainConfig;

use crate::network::Network;

const BETA_FIRST: f32 = 0.9;
const BETA_SECOND: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// The learning rate falls to this share of its peak.
const RATE_END_SHARE: f64 = 0.01;

/// State of one parameter, flattened.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) first: Tensor<1>,
    pub(crate) second: Tensor<1>,
    pub(crate) average: Tensor<1>,
}

/// Adam's state.
#[derive(Debug, Clone)]
pub(crate) struct Optimizer {
    /// Updates done.
    pub(crate) updates: usize,
    /// Updates left out because their gradients were not finite.
    pub(crate) skipped: usize,
    /// One per parameter, in visiting order.
    pub(crate) slots: Vec<Slot>,
}

impl Optimizer {
    /// A fresh state, its averages at the network's weights.
    pub(crate) fn new(network: &Network) -> Self {
        struct Fresh(Vec<Slot>);
        impl ModuleVisitor for Fresh {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let value = param.val().without_autodiff().flatten::<1>(0, D - 1);
                let zeros = value.zeros_like();
                self.0.push(Slot {
                    first: zeros.clone(),
                    second: zeros,
                    average: value,
                });
            }
        }
        let mut fresh = Fresh(Vec::new());
        network.visit(&mut fresh);
        Self {
            updates: 0,
            skipped: 0,
            slots: fresh.0,
        }
    }

    /// The learning rate of an update: linear warm-up, then a cosine.
    pub(crate) fn learning_rate(config: &TrainConfig, update: usize) -> f64 {
        let warm = ((update + 1) as f64 / config.warmup_updates.max(1) as f64).min(1.0);
        let progress = update as f64 / config.updates.max(1) as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
        config.learning_rate * warm * (RATE_END_SHARE + (1.0 - RATE_END_SHARE) * cosine)
    }

    /// One update from the shards' gradients, which are averaged in order.
    pub(crate) fn step(
        &mut self,
        network: Network,
        gradients: Vec<GradientsParams>,
        config: &TrainConfig,
    ) -> Network {
        let mut sum = SumGradients {
            gradients,
            sums: Vec::new(),
        };
        network.visit(&mut sum);
        let norm = norm(&sum.sums);
        let rate = Self::learning_rate(config, self.updates);
        self.updates += 1;
        if !norm.is_finite() {
            // One bad batch must not spoil the weights.
            self.skipped += 1;
            return network;
        }
        let corrected = |beta: f32| 1.0 - f64::from(beta).powi(self.updates as i32);
        // A young average would remember the random start: let it follow faster at first.
        let decay = config
            .average_decay
            .min((1 + self.updates) as f32 / (10 + self.updates) as f32);
        let mut step = AdamStep {
            slots: self.slots.iter_mut(),
            gradients: sum.sums.into_iter(),
            clip: (config.gradient_norm_max / (norm + 1e-12)).min(1.0),
            rate: (rate / corrected(BETA_FIRST)) as f32,
            second_correction: corrected(BETA_SECOND) as f32,
            decay,
        };
        network.map(&mut step)
    }
}

/// Adds the shards' gradients, parameter by parameter.
struct SumGradients {
    gradients: Vec<GradientsParams>,
    sums: Vec<Option<Tensor<1>>>,
}

impl ModuleVisitor for SumGradients {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shards = self.gradients.len() as f32;
        let mut sum: Option<Tensor<1>> = None;
        for gradients in &mut self.gradients {
            if let Some(gradient) = gradients.remove::<D>(param.id) {
                let gradient = gradient.without_autodiff().flatten::<1>(0, D - 1);
                sum = Some(match sum {
                    Some(sum) => sum + gradient,
                    None => gradient,
                });
            }
        }
        self.sums.push(sum.map(|sum| sum / shards));
    }
}

/// The common norm of all gradients.
fn norm(sums: &[Option<Tensor<1>>]) -> f32 {
    let squares = sums
        .iter()
        .flatten()
        .map(|sum| (sum.clone() * sum.clone()).sum());
    squares
        .reduce(|a, b| a + b)
        .map_or(0.0, |total| total.into_scalar::<f32>().sqrt())
}

/// Adam's arithmetic (Kingma and Ba, 2015) over one parameter after the other.
struct AdamStep<'a> {
    slots: std::slice::IterMut<'a, Slot>,
    gradients: std::vec::IntoIter<Option<Tensor<1>>>,
    clip: f32,
    /// With the first moment's bias correction in it.
    rate: f32,
    second_correction: f32,
    decay: f32,
}

impl ModuleMapper for AdamStep<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let slot = self.slots.next().expect("one slot per parameter");
        let gradient = self.gradients.next().expect("one sum per parameter");
        // Parts that an ablation leaves out have no gradient.
        let Some(gradient) = gradient else {
            return param;
        };
        let gradient = gradient * self.clip;
        let square = gradient.clone() * gradient.clone();
        slot.first = slot.first.clone() * BETA_FIRST + gradient * (1.0 - BETA_FIRST);
        slot.second = slot.second.clone() * BETA_SECOND + square * (1.0 - BETA_SECOND);
        let root = (slot.second.clone() / self.second_correction).sqrt() + EPSILON;
        let change = slot.first.clone() / root * self.rate;
        let (id, value, mapper) = param.consume();
        let shape = value.dims();
        let autodiff = value.device();
        let value = value.without_autodiff().flatten::<1>(0, D - 1) - change;
        slot.average = slot.average.clone() * self.decay + value.clone() * (1.0 - self.decay);
        let value = moved(value.reshape(shape), &autodiff);
        Param::from_mapped_value(id, value, mapper)
    }
}

/// A plain tensor as a trainable one, where the device differentiates.
pub(crate) fn moved<const D: usize>(value: Tensor<D>, device: &Device) -> Tensor<D> {
    if device.is_autodiff() {
        Tensor::from_inner(value).require_grad()
    } else {
        value
    }
}
