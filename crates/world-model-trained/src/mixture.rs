//! Read-outs of mixtures of Laplace distributions, a whole scan at a time, on the host.
//!
//! Beams are taken in blocks whose loops have no branches, so that they vectorise and what they
//! read stays near: the read-outs of a plan's futures must fit well inside a real-time budget. All
//! of it is inlined into its caller, who may have it compiled for wider instructions.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the caller's instructions"
)]

use sedge_world_model::{
    CAUTIOUS_SHARE, PREDICTION_MIN_M, PredictedScan, RANGE_MAX_M, RangeReadout, Reused,
};

use crate::structure::N_COMPONENTS;

/// Half the width of the window whose mass the mode maximises, in metres: what "right" means to
/// the share of beams within 10 cm.
const MODE_WINDOW_M: f32 = 0.1;
/// A component that weighs less may not be the mode where others merely overlap.
const MODE_WEIGHT_MIN: f32 = 1e-3;
/// Bisection steps over all ranges: to within a millimetre.
const BISECTIONS: usize = 14;
/// Powers of two below this are this: less says nothing about a share, and its product with a small
/// weight would be a denormal number, which processors take a hundred times longer for.
const POWER_MIN: f32 = -50.0;
/// Beams of a block: the widest vector there is.
const BLOCK: usize = 16;

/// One number for each beam of a block.
type Lanes = [f32; BLOCK];

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

/// `exp(-x)` for `x` from 0 up, to within 1e-5 of its value, or `2^POWER_MIN` where that is more.
#[inline(always)]
fn decay(x: f32) -> f32 {
    /// Adding this leaves the nearest whole number in the lowest bits.
    const ROUNDER: f32 = 12_582_912.0;
    let power = (-x * std::f32::consts::LOG2_E).max(POWER_MIN);
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

/// The mixtures of a block of beams. `[component]`
struct Block {
    weight: [Lanes; N_COMPONENTS],
    centre_m: [Lanes; N_COMPONENTS],
    rate_per_m: [Lanes; N_COMPONENTS],
}

impl Block {
    /// The beams from `first` on; beyond the last one there is a component of no weight.
    #[inline(always)]
    fn new(rows: &MixtureRows<'_>, first: usize) -> Self {
        let n = BLOCK.min(rows.n_beams - first);
        let lanes = |values: &[f32], k: usize| {
            let mut lanes = [0.0; BLOCK];
            lanes[..n].copy_from_slice(&values[k * rows.n_beams + first..][..n]);
            lanes
        };
        Self {
            weight: std::array::from_fn(|k| lanes(rows.weight, k)),
            centre_m: std::array::from_fn(|k| lanes(rows.centre_m, k)),
            rate_per_m: std::array::from_fn(|k| lanes(rows.rate_per_m, k)),
        }
    }

    /// Expected ranges, in metres.
    #[inline(always)]
    fn mean_m(&self) -> Lanes {
        let mut mean = [0.0; BLOCK];
        for (weight, centre_m) in self.weight.iter().zip(&self.centre_m) {
            for beam in 0..BLOCK {
                mean[beam] += weight[beam] * centre_m[beam];
            }
        }
        mean
    }

    /// Probability that each beam's range is below `range_m`.
    #[inline(always)]
    fn cumulative(&self, range_m: &Lanes) -> Lanes {
        let mut total = [0.0; BLOCK];
        for k in 0..N_COMPONENTS {
            let (weight, centre_m) = (&self.weight[k], &self.centre_m[k]);
            let rate_per_m = &self.rate_per_m[k];
            for beam in 0..BLOCK {
                let z = (range_m[beam] - centre_m[beam]) * rate_per_m[beam];
                let tail = 0.5 * decay(z.abs());
                total[beam] += weight[beam] * if z < 0.0 { tail } else { 1.0 - tail };
            }
        }
        total
    }

    /// The ranges below which the given share of the probability lies, in metres.
    #[inline(always)]
    fn quantile_m(&self, share: f32) -> Lanes {
        let (mut low, mut high) = ([PREDICTION_MIN_M; BLOCK], [RANGE_MAX_M; BLOCK]);
        let middle_of =
            |low: &Lanes, high: &Lanes| std::array::from_fn(|beam| 0.5 * (low[beam] + high[beam]));
        for _ in 0..BISECTIONS {
            let middle: Lanes = middle_of(&low, &high);
            let reached = self.cumulative(&middle);
            for beam in 0..BLOCK {
                let is_below = reached[beam] < share;
                low[beam] = if is_below { middle[beam] } else { low[beam] };
                high[beam] = if is_below { high[beam] } else { middle[beam] };
            }
        }
        middle_of(&low, &high)
    }

    /// The component centres with the most probability within 10 cm of them, in metres.
    #[inline(always)]
    fn mode_m(&self) -> Lanes {
        let (mut best_m, mut most) = ([0.0; BLOCK], [f32::NEG_INFINITY; BLOCK]);
        for (weight, centre_m) in self.weight.iter().zip(&self.centre_m) {
            if weight.iter().all(|weight| *weight < MODE_WEIGHT_MIN) {
                continue;
            }
            let edge = |off_m: f32| centre_m.map(|centre_m| centre_m + off_m);
            let above = self.cumulative(&edge(MODE_WINDOW_M));
            let below = self.cumulative(&edge(-MODE_WINDOW_M));
            for beam in 0..BLOCK {
                let mass = above[beam] - below[beam];
                let is_better = mass > most[beam] && weight[beam] >= MODE_WEIGHT_MIN;
                most[beam] = if is_better { mass } else { most[beam] };
                best_m[beam] = if is_better {
                    centre_m[beam]
                } else {
                    best_m[beam]
                };
            }
        }
        best_m
    }
}

/// The read-outs of every beam: one, or all where none is named. Those left out stay empty.
#[inline(always)]
pub fn read_out(mixture: MixtureRows<'_>, only: Option<RangeReadout>) -> PredictedScan {
    let n_beams = mixture.n_beams;
    let ranges = |read_out| {
        let is_wanted = only.is_none_or(|only| Some(only) == read_out);
        Reused::filled(0.0, if is_wanted { n_beams } else { 0 })
    };
    let mut scan = PredictedScan {
        mean_m: ranges(Some(RangeReadout::Mean)),
        least_error_m: ranges(Some(RangeReadout::Median)),
        mode_m: ranges(Some(RangeReadout::Mode)),
        cautious_m: ranges(Some(RangeReadout::Cautious)),
        low_m: ranges(Some(RangeReadout::Low)),
        high_m: ranges(None),
        hit_probability: mixture
            .hit_logit
            .iter()
            .map(|logit| 1.0 / (1.0 + (-logit).exp()))
            .collect(),
    };
    for first in (0..n_beams).step_by(BLOCK) {
        let block = Block::new(&mixture, first);
        // Called where it stands, or it would be compiled for narrower instructions.
        macro_rules! put {
            ($name:ident, $lanes:expr) => {
                if !scan.$name.is_empty() {
                    for (to, range) in scan.$name[first..].iter_mut().zip($lanes) {
                        *to = range.clamp(PREDICTION_MIN_M, RANGE_MAX_M);
                    }
                }
            };
        }
        put!(mean_m, block.mean_m());
        put!(mode_m, block.mode_m());
        put!(low_m, block.quantile_m(0.05));
        put!(cautious_m, block.quantile_m(CAUTIOUS_SHARE));
        put!(least_error_m, block.quantile_m(0.5));
        put!(high_m, block.quantile_m(0.95));
    }
    scan
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scan of one beam: `(weight, centre in metres)` per component, all equally sharp.
    fn check(components: &[(f32, f32)], rate_per_m: f32, test: impl Fn(Block)) {
        let value = |k: usize| components.get(k).copied().unwrap_or((0.0, 1.0));
        let weight: Vec<f32> = (0..N_COMPONENTS).map(|k| value(k).0).collect();
        let centre_m: Vec<f32> = (0..N_COMPONENTS).map(|k| value(k).1).collect();
        let rate_per_m = &[rate_per_m; N_COMPONENTS];
        let rows = MixtureRows {
            n_beams: 1,
            weight: &weight,
            centre_m: &centre_m,
            rate_per_m,
            hit_logit: &[0.0],
        };
        test(Block::new(&rows, 0));
    }

    #[test]
    fn decay_is_the_exponential_function() {
        for x in [0.0, 1e-6, 0.1, 0.5, std::f32::consts::LN_2, 1.0, 7.7, 30.0] {
            assert!((decay(x) / (-x).exp() - 1.0).abs() < 1e-5, "{x}");
        }
        assert!(decay(1e9) < 1e-14 && decay(f32::INFINITY) < 1e-14);
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
                let reached = scan.cumulative(&scan.quantile_m(share));
                assert!((reached[0] - share).abs() < 0.01, "{share} {}", reached[0]);
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
