//! Model-predictive path integral control.

use crate::rollout::Twist3;
use crate::search::{Batch, Proposal, Refine, Search, Searching};
use crate::{ConfigError, PlannerConfig};

/// Sums are kept in this many parts, so that they become vector code and lose fewer digits.
const N_LANES: usize = 8;

/// MPPI: the mean of all sampled motions, weighted by `exp(-cost / temperature)`; warm started by
/// the plan before, shifted to now.
///
/// Williams et al., "Information-theoretic model predictive control: theory and applications to
/// autonomous driving" (2018), with the control cost's share of the weights left out (their
/// `alpha = 1`). Motions within limits are averaged, so that the mean is within them too.
#[derive(Debug, Clone)]
pub struct Mppi {
    search: Search,
    averaging: Averaging,
}

/// What a proposal becomes.
#[derive(Debug, Clone)]
struct Averaging {
    temperature: f32,
    weights: Vec<f32>,
}

impl Mppi {
    /// From its configuration, whose `method` does not matter here.
    ///
    /// # Errors
    /// [`ConfigError`] as [`PlannerConfig::check`].
    pub fn new(config: PlannerConfig, seed: u64) -> Result<Self, ConfigError> {
        Ok(Self {
            search: Search::new(&config, seed)?,
            averaging: Averaging {
                temperature: config.mppi.temperature as f32,
                weights: vec![0.0; config.n_samples],
            },
        })
    }
}

impl Searching for Mppi {
    const NAME: &'static str = "mppi";

    fn search(&self) -> &Search {
        &self.search
    }

    fn parts(&mut self) -> (&mut Search, &mut dyn Refine) {
        (&mut self.search, &mut self.averaging)
    }
}

impl Refine for Averaging {
    fn refine(&mut self, batch: &Batch<'_>, proposal: &mut Proposal) {
        weigh(batch.costs, self.temperature, &mut self.weights);
        average(batch, &self.weights, proposal);
    }
}

/// Weights that sum to one. The cheapest weighs most, so the sum is never zero.
fn weigh(costs: &[f32], temperature: f32, weights: &mut [f32]) {
    let cheapest = costs.iter().copied().fold(f32::INFINITY, f32::min);
    let mut sum = 0.0;
    for (weight, &cost) in weights.iter_mut().zip(costs) {
        *weight = ((cheapest - cost) / temperature).exp();
        sum += *weight;
    }
    for weight in weights {
        *weight /= sum;
    }
}

fn average(batch: &Batch<'_>, weights: &[f32], proposal: &mut Proposal) {
    let n = batch.rollouts.n_samples;
    for (step, mean) in proposal.mean.iter_mut().enumerate() {
        let mut twist: Twist3 = [0.0; 3];
        for (axis, value) in twist.iter_mut().enumerate() {
            *value = dot(
                weights,
                &batch.rollouts.twists[axis][step * n..(step + 1) * n],
            );
        }
        *mean = twist;
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; N_LANES];
    let (a, a_rest) = a.as_chunks::<N_LANES>();
    let (b, b_rest) = b.as_chunks::<N_LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..N_LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fall_by_e_for_each_temperature_and_sum_to_one() {
        let mut weights = [0.0; 3];
        weigh(&[5.0, 5.5, 1e9], 0.5, &mut weights);
        assert!((weights[0] / weights[1] - std::f32::consts::E).abs() < 1e-4);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(weights[2] < 1e-30);
    }

    #[test]
    fn sums_of_any_length_are_whole() {
        for n in [0, 1, 7, 8, 9, 31] {
            let ones = vec![1.0; n];
            let numbers: Vec<f32> = (0..n).map(|k| k as f32).collect();
            let expected = (n * n.saturating_sub(1)) as f32 / 2.0;
            assert!((dot(&ones, &numbers) - expected).abs() < 1e-3);
        }
    }
}
