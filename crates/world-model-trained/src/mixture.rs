//! Read-outs of mixtures of Laplace distributions, a whole scan at a time, on the host.
//!
//! Loops run over beams innermost and have no branches, so that they vectorise: the read-outs of
//! three horizons must fit well inside a real-time budget.

use sedge_world_model::{PREDICTION_MIN_M, PredictedScan, RANGE_MAX_M};

use crate::structure::N_COMPONENTS;

/// Half the width of the window whose mass the mode maximises, in metres: what "right" means to
/// the share of beams within 10 cm.
const MODE_WINDOW_M: f32 = 0.1;
/// A component that weighs less may not be the mode where others merely overlap.
const MODE_WEIGHT_MIN: f32 = 1e-3;
/// Bisection steps over all ranges: to within a millimetre.
const BISECTIONS: usize = 14;

/// The mixtures of one scan: what the lidar decoder says, made plain.
///
/// # Shapes
/// `[component, beam]`, flat; `hit_logit` is `[beam]`.
#[derive(Debug, Clone, Copy)]
pub struct MixtureRows<'a> {
    /// Beams of the scanner.
    pub n_beams: usize,
    /// Weights of the components; they sum to one.
    pub weight: &'a [f32],
    /// Where components lie, in metres.
    pub centre_m: &'a [f32],
    /// How sharp they are: one over the Laplace scale, per metre.
    pub rate_per_m: &'a [f32],
    /// Log odds of "the beam returns".
    pub hit_logit: &'a [f32],
}

/// Every read-out of every beam.
///
/// It is inlined so that an engine can have it compiled for wider instructions.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the caller's instructions"
)]
pub fn read_out(mixture: MixtureRows<'_>) -> PredictedScan {
    let clipped = |mut ranges: Vec<f32>| {
        for range in &mut ranges {
            *range = range.clamp(PREDICTION_MIN_M, RANGE_MAX_M);
        }
        ranges
    };
    let hit = |logit: &f32| 1.0 / (1.0 + (-logit).exp());
    PredictedScan {
        mean_m: clipped(mixture.mean_m()),
        least_error_m: clipped(mixture.quantile_m(0.5)),
        mode_m: clipped(mixture.mode_m()),
        low_m: clipped(mixture.quantile_m(0.05)),
        high_m: clipped(mixture.quantile_m(0.95)),
        hit_probability: mixture.hit_logit.iter().map(hit).collect(),
    }
}

/// `exp(-x)` for `x` from 0 up, to within 1e-5 of its value.
fn decay(x: f32) -> f32 {
    /// Adding this leaves the nearest whole number in the lowest bits.
    const ROUNDER: f32 = 12_582_912.0;
    let power = (-x * std::f32::consts::LOG2_E).max(-120.0);
    let rounded = power + ROUNDER;
    let rest = power - (rounded - ROUNDER);
    // Taylor of 2^rest for rest in [-1/2, 1/2].
    let [a, b, c, d, e] = [
        std::f32::consts::LN_2,
        0.240_226_5,
        0.055_504_1,
        0.009_618_1,
        0.001_333_4,
    ];
    let fraction = 1.0 + rest * (a + rest * (b + rest * (c + rest * (d + rest * e))));
    let whole = rounded.to_bits().wrapping_sub(ROUNDER.to_bits());
    f32::from_bits(whole.wrapping_add(127) << 23) * fraction
}

impl MixtureRows<'_> {
    fn row<'a>(&self, values: &'a [f32], component: usize) -> &'a [f32] {
        &values[component * self.n_beams..][..self.n_beams]
    }

    /// Expected ranges, in metres. `[beam]`
    fn mean_m(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.n_beams];
        for k in 0..N_COMPONENTS {
            let component = self
                .row(self.weight, k)
                .iter()
                .zip(self.row(self.centre_m, k));
            for (mean, (weight, centre)) in mean.iter_mut().zip(component) {
                *mean += weight * centre;
            }
        }
        mean
    }

    /// Probability that each beam's range is below `range_m`. `[beam]`
    fn cumulative_into(&self, range_m: &[f32], total: &mut [f32]) {
        total.fill(0.0);
        for k in 0..N_COMPONENTS {
            let weight = self.row(self.weight, k);
            let (centre, rate) = (self.row(self.centre_m, k), self.row(self.rate_per_m, k));
            for beam in 0..self.n_beams {
                let z = (range_m[beam] - centre[beam]) * rate[beam];
                let tail = 0.5 * decay(z.abs());
                total[beam] += weight[beam] * if z < 0.0 { tail } else { 1.0 - tail };
            }
        }
    }

    /// The ranges below which the given share of the probability lies, in metres. `[beam]`
    fn quantile_m(&self, share: f32) -> Vec<f32> {
        let mut low = vec![PREDICTION_MIN_M; self.n_beams];
        let mut high = vec![RANGE_MAX_M; self.n_beams];
        let (mut middle, mut reached) = (low.clone(), low.clone());
        for _ in 0..BISECTIONS {
            for beam in 0..self.n_beams {
                middle[beam] = 0.5 * (low[beam] + high[beam]);
            }
            self.cumulative_into(&middle, &mut reached);
            for beam in 0..self.n_beams {
                let is_below = reached[beam] < share;
                low[beam] = if is_below { middle[beam] } else { low[beam] };
                high[beam] = if is_below { high[beam] } else { middle[beam] };
            }
        }
        low.iter()
            .zip(high)
            .map(|(low, high)| 0.5 * (low + high))
            .collect()
    }

    /// The component centres with the most probability within 10 cm of them, in metres. `[beam]`
    fn mode_m(&self) -> Vec<f32> {
        let mut best = vec![(0.0, f32::NEG_INFINITY); self.n_beams];
        let (mut edge, mut above, mut below) = (
            vec![0.0; self.n_beams],
            vec![0.0; self.n_beams],
            vec![0.0; self.n_beams],
        );
        for k in 0..N_COMPONENTS {
            let (centre, weight) = (self.row(self.centre_m, k), self.row(self.weight, k));
            for (offset, mass) in [(MODE_WINDOW_M, &mut above), (-MODE_WINDOW_M, &mut below)] {
                for (edge, centre) in edge.iter_mut().zip(centre) {
                    *edge = centre + offset;
                }
                self.cumulative_into(&edge, mass);
            }
            for (beam, best) in best.iter_mut().enumerate() {
                let mass = above[beam] - below[beam];
                if mass > best.1 && weight[beam] >= MODE_WEIGHT_MIN {
                    *best = (centre[beam], mass);
                }
            }
        }
        best.into_iter().map(|(centre, _)| centre).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scan of one beam: `(weight, centre in metres)` per component, all equally sharp.
    fn check(components: &[(f32, f32)], rate_per_m: f32, test: impl Fn(MixtureRows<'_>)) {
        let value = |k: usize| components.get(k).copied().unwrap_or((0.0, 1.0));
        let weight: Vec<f32> = (0..N_COMPONENTS).map(|k| value(k).0).collect();
        let centre_m: Vec<f32> = (0..N_COMPONENTS).map(|k| value(k).1).collect();
        let rate_per_m = &[rate_per_m; N_COMPONENTS];
        test(MixtureRows {
            n_beams: 1,
            weight: &weight,
            centre_m: &centre_m,
            rate_per_m,
            hit_logit: &[0.0],
        });
    }

    #[test]
    fn decay_is_the_exponential_function() {
        for x in [0.0, 1e-6, 0.1, 0.5, std::f32::consts::LN_2, 1.0, 7.7, 30.0] {
            assert!((decay(x) / (-x).exp() - 1.0).abs() < 1e-5, "{x}");
        }
        assert!(decay(1e9) < 1e-30 && decay(f32::INFINITY) < 1e-30);
    }

    #[test]
    fn at_a_depth_edge_each_read_out_gives_its_own_answer() {
        check(&[(0.6, 2.0), (0.4, 6.0)], 100.0, |scan| {
            assert!((scan.mean_m()[0] - 3.6).abs() < 1e-5);
            assert!((scan.quantile_m(0.5)[0] - 2.0).abs() < 0.03);
            assert!((scan.mode_m()[0] - 2.0).abs() < 1e-6);
        });
    }

    #[test]
    fn quantiles_invert_the_cumulative_distribution() {
        check(&[(0.5, 2.0), (0.5, 6.0)], 20.0, |scan| {
            for share in [0.05, 0.3, 0.7, 0.95] {
                let mut reached = [0.0];
                scan.cumulative_into(&scan.quantile_m(share), &mut reached);
                assert!((reached[0] - share).abs() < 0.01, "{share} {reached:?}");
            }
        });
    }

    #[test]
    fn quantiles_are_ordered_and_within_what_may_be_predicted() {
        check(&[(0.5, 2.0), (0.5, 6.0)], 0.01, |scan| {
            let [low, middle, high] = [0.05, 0.5, 0.95].map(|share| scan.quantile_m(share)[0]);
            assert!(PREDICTION_MIN_M <= low && low <= middle);
            assert!(middle <= high && high <= RANGE_MAX_M);
        });
    }

    #[test]
    fn the_mode_follows_the_heavier_cluster_not_the_heaviest_component() {
        check(&[(0.4, 2.0), (0.3, 6.0), (0.3, 6.02)], 100.0, |scan| {
            assert!((scan.mode_m()[0] - 6.0).abs() < 0.05);
        });
    }
}
