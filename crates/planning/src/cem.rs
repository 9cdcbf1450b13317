//! The cross-entropy method.

use crate::config::CemConfig;
use crate::rollout::Twist3;
use crate::search::{Batch, Proposal, Refine, Search, Searching};
use crate::{ConfigError, PlannerConfig};

/// CEM: the mean of the cheapest sampled motions, and noise that shrinks to their spread; warm
/// started by the plan before, shifted to now, with the whole noise anew.
///
/// de Boer et al., "A tutorial on the cross-entropy method" (2005).
#[derive(Debug, Clone)]
pub struct Cem {
    search: Search,
    narrowing: Narrowing,
}

/// What a proposal becomes.
#[derive(Debug, Clone)]
struct Narrowing {
    config: CemConfig,
    n_elites: usize,
    sigmas_min: Option<Vec<Twist3>>,
    ranks: Vec<usize>,
}

impl Refine for Narrowing {
    fn refine(&mut self, batch: &Batch<'_>, proposal: &mut Proposal) {
        let Self {
            config,
            n_elites,
            sigmas_min,
            ranks,
        } = self;
        // Each plan begins with the same noise; the first proposal seen tells how much.
        let least = sigmas_min.get_or_insert_with(|| {
            let share = config.noise_share_min as f32;
            let least = |sigma: &Twist3| sigma.map(|it| share * it);
            proposal.sigmas.iter().map(least).collect()
        });
        choose(batch.costs, *n_elites, ranks);
        let elites = &ranks[..*n_elites];
        average(batch, elites, proposal);
        narrow(batch, elites, config.learning_rate as f32, proposal);
        for (sigma, least) in proposal.sigmas.iter_mut().zip(least) {
            for axis in 0..3 {
                sigma[axis] = sigma[axis].max(least[axis]);
            }
        }
    }
}

impl Cem {
    /// From its configuration, whose `method` does not matter here.
    ///
    /// # Errors
    /// [`ConfigError`] as [`PlannerConfig::check`].
    pub fn new(config: PlannerConfig, seed: u64) -> Result<Self, ConfigError> {
        let n_elites = (config.cem.elite_share * config.n_samples as f64).ceil() as usize;
        Ok(Self {
            search: Search::new(&config, seed)?,
            narrowing: Narrowing {
                config: config.cem,
                n_elites: n_elites.clamp(2, config.n_samples),
                sigmas_min: None,
                ranks: Vec::with_capacity(config.n_samples),
            },
        })
    }
}

impl Searching for Cem {
    const NAME: &'static str = "cem";

    fn search(&self) -> &Search {
        &self.search
    }

    fn parts(&mut self) -> (&mut Search, &mut dyn Refine) {
        (&mut self.search, &mut self.narrowing)
    }
}

/// Puts the cheapest first, in no order among themselves but always the same one.
fn choose(costs: &[f32], n_elites: usize, ranks: &mut Vec<usize>) {
    ranks.clear();
    ranks.extend(0..costs.len());
    let by_cost = |&a: &usize, &b: &usize| costs[a].total_cmp(&costs[b]).then(a.cmp(&b));
    ranks.select_nth_unstable_by(n_elites - 1, by_cost);
    ranks[..n_elites].sort_unstable();
}

fn average(batch: &Batch<'_>, elites: &[usize], proposal: &mut Proposal) {
    let n = batch.rollouts.n_samples;
    let share = 1.0 / elites.len() as f32;
    for (step, mean) in proposal.mean.iter_mut().enumerate() {
        for (axis, value) in mean.iter_mut().enumerate() {
            let twists = &batch.rollouts.twists[axis][step * n..(step + 1) * n];
            *value = share * elites.iter().map(|&elite| twists[elite]).sum::<f32>();
        }
    }
}

/// Moves the noise towards the spread of the elites' noise.
fn narrow(batch: &Batch<'_>, elites: &[usize], learning_rate: f32, proposal: &mut Proposal) {
    let n = batch.rollouts.n_samples;
    let share = 1.0 / elites.len() as f32;
    for knot in 0..batch.noise.n_knots {
        for axis in 0..3 {
            let values = &batch.noise.values[axis][knot * n..(knot + 1) * n];
            let mean = share * elites.iter().map(|&elite| values[elite]).sum::<f32>();
            let square = |&elite: &usize| (values[elite] - mean) * (values[elite] - mean);
            let spread = (share * elites.iter().map(square).sum::<f32>()).sqrt();
            let sigma = &mut proposal.sigmas[knot][axis];
            *sigma += learning_rate * (spread - *sigma);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_are_chosen_and_ties_go_to_the_first() {
        let mut ranks = Vec::new();
        choose(&[3.0, 1.0, 2.0, 1.0, 0.5, 2.0], 4, &mut ranks);
        assert_eq!(ranks[..4], [1, 2, 3, 4]);
    }
}
