//! The recurrent categorical latent: DreamerV3's block GRU, with the time step as an input.

use burn::module::Module;
use burn::tensor::activation::{log_softmax, sigmoid, silu, softmax};
use burn::tensor::{Device, Tensor};
use sedge_world_model_trained::NetworkConfig;
use sedge_world_model_trained::structure::{MOTION_INPUTS, STEP_REFERENCE_SECS};

use crate::layers::{BlockDense, Dense, Init, RmsDense, rms_norm};

/// Share of every class probability that is uniform, so that no class ever dies (DreamerV3).
const UNIMIX: f32 = 0.01;

/// The latent state of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Latent {
    /// `[batch, deter]`
    pub(crate) deter: Tensor<2>,
    /// One-hot per group, flattened. `[batch, groups * classes]`
    pub(crate) stoch: Tensor<2>,
}

impl Latent {
    /// What is believed before anything was sensed.
    pub(crate) fn zeros(batch: usize, config: &NetworkConfig, device: &Device) -> Self {
        Self {
            deter: Tensor::zeros([batch, config.deter], device),
            stoch: Tensor::zeros([batch, config.stoch()], device),
        }
    }

    /// What heads read. `[batch, deter + groups * classes]`
    pub(crate) fn feature(&self) -> Tensor<2> {
        Tensor::cat(vec![self.deter.clone(), self.stoch.clone()], 1)
    }
}

/// Sequence model, prior and posterior.
#[derive(Module, Debug)]
pub(crate) struct RecurrentCore {
    in_deter: RmsDense,
    in_stoch: RmsDense,
    in_motion: RmsDense,
    hidden: BlockDense,
    gates: BlockDense,
    prior_first: RmsDense,
    prior_second: RmsDense,
    prior_out: Dense,
    posterior_first: RmsDense,
    posterior_out: Dense,
    blocks: usize,
    groups: usize,
    classes: usize,
}

impl RecurrentCore {
    pub(crate) fn new(config: &NetworkConfig, init: &mut Init<'_>) -> Self {
        let (deter, hidden, stoch) = (config.deter, config.hidden, config.stoch());
        let block = deter / config.blocks;
        Self {
            in_deter: RmsDense::new(deter, hidden, init),
            in_stoch: RmsDense::new(stoch, hidden, init),
            in_motion: RmsDense::new(MOTION_INPUTS, hidden, init),
            hidden: BlockDense::new(config.blocks, 3 * hidden + block, block, init),
            gates: BlockDense::new(config.blocks, block, 3 * block, init),
            prior_first: RmsDense::new(deter, hidden, init),
            prior_second: RmsDense::new(hidden, hidden, init),
            prior_out: Dense::new(hidden, stoch, 1.0, init),
            posterior_first: RmsDense::new(deter + hidden, hidden, init),
            posterior_out: Dense::new(hidden, stoch, 1.0, init),
            blocks: config.blocks,
            groups: config.groups,
            classes: config.classes,
        }
    }

    /// The deterministic state after a movement that took `dt_secs`.
    ///
    /// The update gate `u` of the reference step becomes `1 - (1 - u)^(dt / reference)`: exact for
    /// a linear decay held over the step, so one step of `2 dt` forgets as much as two of `dt`.
    ///
    /// # Shapes
    /// Movement `[batch, 4]`, time steps `[batch, 1]`, to `[batch, deter]`.
    pub(crate) fn step(&self, latent: &Latent, motion: Tensor<2>, dt_secs: Tensor<2>) -> Tensor<2> {
        let deter = latent.deter.clone();
        let [batch, width] = deter.dims();
        let block = width / self.blocks;
        let inputs = Tensor::cat(
            vec![
                self.in_deter.forward(deter.clone()),
                self.in_stoch.forward(latent.stoch.clone()),
                self.in_motion.forward(motion),
            ],
            1,
        );
        let inputs = inputs.unsqueeze_dim::<3>(0).repeat_dim(0, self.blocks);
        let blocks = |x: Tensor<2>| x.reshape([batch, self.blocks, block]).swap_dims(0, 1);
        let before = blocks(deter);
        let hidden = self
            .hidden
            .forward(Tensor::cat(vec![inputs, before.clone()], 2));
        let gates = self.gates.forward(silu(rms_norm(hidden)));
        let part = |k: usize| gates.clone().narrow(2, k * block, block);
        let (reset, candidate, update) = (part(0), part(1), part(2));
        // 1 - sigmoid(update - 1): the share that stays over one reference step (the -1 biases
        // towards keeping the state), raised to the number of reference steps.
        let stays = sigmoid(update.neg().add_scalar(1.0));
        let steps = (dt_secs / STEP_REFERENCE_SECS).unsqueeze_dim::<3>(0);
        let stays = (stays.log() * steps).exp();
        let fresh = (sigmoid(reset) * candidate).tanh();
        let after = stays.clone() * (before - fresh.clone()) + fresh;
        after.swap_dims(0, 1).reshape([batch, width])
    }

    /// Class logits expected before sensing. `[batch, groups * classes]`
    pub(crate) fn prior(&self, deter: Tensor<2>) -> Tensor<2> {
        self.prior_out
            .forward(self.prior_second.forward(self.prior_first.forward(deter)))
    }

    /// Class logits after sensing. `[batch, groups * classes]`
    pub(crate) fn posterior(&self, deter: Tensor<2>, token: Tensor<2>) -> Tensor<2> {
        self.posterior_out.forward(
            self.posterior_first
                .forward(Tensor::cat(vec![deter, token], 1)),
        )
    }

    fn probabilities(&self, logits: Tensor<2>) -> Tensor<3> {
        let [batch, _] = logits.dims();
        let probabilities = softmax(logits.reshape([batch, self.groups, self.classes]), 2);
        probabilities * (1.0 - UNIMIX) + UNIMIX / self.classes as f32
    }

    /// A one-hot sample per group, with the gradient of the probabilities (straight through).
    ///
    /// `gumbel` is standard Gumbel noise `[batch, groups * classes]`; without it the most probable
    /// class is taken.
    pub(crate) fn sample(&self, logits: Tensor<2>, gumbel: Option<Tensor<2>>) -> Tensor<2> {
        let [batch, width] = logits.dims();
        let probabilities = self.probabilities(logits);
        let detached = probabilities.clone().detach();
        let scores = match gumbel {
            Some(noise) => {
                detached.clone().log() + noise.reshape([batch, self.groups, self.classes])
            }
            None => detached.clone(),
        };
        let hot = scores.clone().equal(scores.max_dim(2)).float();
        (probabilities - detached + hot).reshape([batch, width])
    }

    /// Kullback-Leibler divergence between two sets of logits, summed over groups. `[batch]`
    pub(crate) fn divergence(&self, of: Tensor<2>, from: Tensor<2>) -> Tensor<1> {
        let [batch, _] = of.dims();
        let shape = [batch, self.groups, self.classes];
        let of = log_softmax(of.reshape(shape), 2);
        let from = log_softmax(from.reshape(shape), 2);
        (of.clone().exp() * (of - from))
            .sum_dim(2)
            .sum_dim(1)
            .reshape([batch])
    }
}
