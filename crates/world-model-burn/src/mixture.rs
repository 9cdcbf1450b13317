//! Read-outs of a mixture of Laplace distributions, one beam at a time, on the host.

use sedge_world_model::{PREDICTION_MIN_M, RANGE_MAX_M};

use crate::decoder::N_COMPONENTS;

/// Half the width of the window whose mass the mode maximises, in metres: what "right" means to
/// the share of beams within 10 cm.
const MODE_WINDOW_M: f32 = 0.1;
/// Bisection steps inside one bracket between two centres: millimetres over 20 m.
const BISECTIONS: usize = 12;

/// One beam's mixture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BeamMixture {
    pub(crate) weight: [f32; N_COMPONENTS],
    pub(crate) centre_m: [f32; N_COMPONENTS],
    pub(crate) rate_per_m: [f32; N_COMPONENTS],
}

impl BeamMixture {
    /// Expected range, in metres.
    pub(crate) fn mean_m(&self) -> f32 {
        self.weight
            .iter()
            .zip(self.centre_m)
            .map(|(weight, centre)| weight * centre)
            .sum()
    }

    /// Probability of a range below `range_m`.
    pub(crate) fn cumulative(&self, range_m: f32) -> f32 {
        let mut total = 0.0;
        for k in 0..N_COMPONENTS {
            let z = (range_m - self.centre_m[k]) * self.rate_per_m[k];
            let tail = 0.5 * (-z.abs()).exp();
            total += self.weight[k] * if z < 0.0 { tail } else { 1.0 - tail };
        }
        total
    }

    /// The ranges below which the given shares of the probability lie (shares ascending).
    pub(crate) fn quantiles_m<const N: usize>(&self, shares: [f32; N]) -> [f32; N] {
        // Between two neighbouring centres the distribution has no kink: find the bracket first.
        let mut knots = [0.0; N_COMPONENTS + 2];
        knots[0] = PREDICTION_MIN_M;
        knots[1..=N_COMPONENTS].copy_from_slice(&self.centre_m);
        knots[N_COMPONENTS + 1] = RANGE_MAX_M;
        for knot in &mut knots {
            *knot = knot.clamp(PREDICTION_MIN_M, RANGE_MAX_M);
        }
        knots.sort_unstable_by(f32::total_cmp);
        let reached = knots.map(|knot| self.cumulative(knot));
        shares.map(|share| {
            let above = reached.iter().position(|&mass| mass >= share);
            match above {
                Some(0) => knots[0],
                None => RANGE_MAX_M,
                Some(k) => self.bisect(share, knots[k - 1], knots[k]),
            }
        })
    }

    fn bisect(&self, share: f32, mut low: f32, mut high: f32) -> f32 {
        for _ in 0..BISECTIONS {
            if high - low < 1e-3 {
                break;
            }
            let middle = 0.5 * (low + high);
            if self.cumulative(middle) < share {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }

    /// The component centre with the most probability within 10 cm of it, in metres.
    pub(crate) fn mode_m(&self) -> f32 {
        let mass = |centre: f32| {
            self.cumulative(centre + MODE_WINDOW_M) - self.cumulative(centre - MODE_WINDOW_M)
        };
        let mut best = (self.centre_m[0], f32::NEG_INFINITY);
        for (&centre, &weight) in self.centre_m.iter().zip(&self.weight) {
            // A component that weighs nothing may not stand where others merely overlap.
            if weight < 1e-3 {
                continue;
            }
            let mass = mass(centre);
            if mass > best.1 {
                best = (centre, mass);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two surfaces, at 2 m and 6 m, with the given weight on the near one.
    fn two_surfaces(near: f32) -> BeamMixture {
        let mut mixture = BeamMixture {
            weight: [0.0; N_COMPONENTS],
            centre_m: [1.0; N_COMPONENTS],
            rate_per_m: [100.0; N_COMPONENTS],
        };
        (mixture.weight[2], mixture.centre_m[2]) = (near, 2.0);
        (mixture.weight[5], mixture.centre_m[5]) = (1.0 - near, 6.0);
        mixture
    }

    #[test]
    fn at_a_depth_edge_each_read_out_gives_its_own_answer() {
        let mixture = two_surfaces(0.6);
        assert!((mixture.mean_m() - 3.6).abs() < 1e-5);
        let [median] = mixture.quantiles_m([0.5]);
        assert!((median - 2.0).abs() < 0.03, "{median}");
        assert!((mixture.mode_m() - 2.0).abs() < 1e-6);
    }

    #[test]
    fn quantiles_invert_the_cumulative_distribution() {
        let mixture = two_surfaces(0.5);
        let shares = [0.05, 0.3, 0.7, 0.95];
        for (share, range) in shares.into_iter().zip(mixture.quantiles_m(shares)) {
            assert!(
                (mixture.cumulative(range) - share).abs() < 0.03,
                "{share} {range}"
            );
        }
    }

    #[test]
    fn quantiles_are_ordered_and_within_what_may_be_predicted() {
        let mut mixture = two_surfaces(0.5);
        mixture.rate_per_m = [0.01; N_COMPONENTS];
        let [low, middle, high] = mixture.quantiles_m([0.05, 0.5, 0.95]);
        assert!(PREDICTION_MIN_M <= low && low <= middle && middle <= high && high <= RANGE_MAX_M);
    }

    #[test]
    fn the_mode_follows_the_heavier_cluster_not_the_heaviest_component() {
        let mut mixture = two_surfaces(0.4);
        mixture.weight[5] = 0.3;
        (mixture.weight[6], mixture.centre_m[6]) = (0.3, 6.02);
        assert!((mixture.mode_m() - 6.0).abs() < 0.05);
    }
}
