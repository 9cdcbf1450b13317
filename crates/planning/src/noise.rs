//! Smooth random changes of a sequence of twists.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::rollout::{Rollouts, Twist3};

/// Normal numbers at a few points in time, joined by straight lines.
#[derive(Debug, Clone)]
pub(crate) struct KnotNoise {
    pub(crate) n_knots: usize,
    n_samples: usize,
    /// `[3][knot, sample]`, standard deviations already in.
    pub(crate) values: [Vec<f32>; 3],
    /// Knot before each step, and how far the step is on the way to the next one. `[step]`
    places: Vec<(usize, f32)>,
}

impl KnotNoise {
    pub(crate) fn new(n_knots: usize, n_steps: usize, n_samples: usize) -> Self {
        let zeros = vec![0.0; n_knots * n_samples];
        let steps_a_knot = (n_steps - 1) as f32 / (n_knots - 1) as f32;
        let place = |step: usize| {
            let place = step as f32 / steps_a_knot;
            let knot = (place as usize).min(n_knots - 2);
            (knot, place - knot as f32)
        };
        Self {
            n_knots,
            n_samples,
            values: [zeros.clone(), zeros.clone(), zeros],
            places: (0..n_steps).map(place).collect(),
        }
    }

    /// Draws anew; `sigmas` is `[knot]`. A direction without noise costs no numbers.
    pub(crate) fn draw(&mut self, rng: &mut ChaCha8Rng, sigmas: &[Twist3]) {
        for axis in 0..3 {
            let knots = self.values[axis].chunks_exact_mut(self.n_samples);
            for (values, sigma) in knots.zip(sigmas) {
                if sigma[axis] > 0.0 {
                    fill_normal(rng, sigma[axis], values);
                } else {
                    values.fill(0.0);
                }
            }
        }
    }

    /// Commands every motion the mean with its noise.
    pub(crate) fn command(&self, mean: &[Twist3], rollouts: &mut Rollouts) {
        let n = self.n_samples;
        for axis in 0..3 {
            let steps = rollouts.twists[axis].chunks_exact_mut(n);
            for ((commands, mean), &(knot, share)) in steps.zip(mean).zip(&self.places) {
                let from = &self.values[axis][knot * n..(knot + 1) * n];
                let to = &self.values[axis][(knot + 1) * n..(knot + 2) * n];
                for ((command, &from), &to) in commands.iter_mut().zip(from).zip(to) {
                    *command = mean[axis] + (from + share * (to - from));
                }
            }
        }
    }
}

/// Normal numbers, two at a time (Box & Muller, 1958).
fn fill_normal(rng: &mut ChaCha8Rng, sigma: f32, values: &mut [f32]) {
    /// A 24-bit integer, which `f32` holds exactly, to the unit interval.
    const UNIT: f32 = 1.0 / 16_777_216.0;
    for pair in values.chunks_mut(2) {
        let bits = rng.next_u64();
        let size = ((bits >> 40) as f32 + 1.0) * UNIT;
        let turn = ((bits >> 8) & 0xff_ffff) as f32 * UNIT;
        let length = sigma * (-2.0 * size.ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * turn).sin_cos();
        pair[0] = length * cos;
        if let Some(second) = pair.get_mut(1) {
            *second = length * sin;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng as _;

    #[test]
    fn numbers_are_normal() {
        let mut values = vec![0.0; 40_001];
        fill_normal(&mut ChaCha8Rng::seed_from_u64(3), 2.0, &mut values);
        let n = values.len() as f32;
        let mean = values.iter().sum::<f32>() / n;
        let variance = values.iter().map(|it| it * it).sum::<f32>() / n;
        let beyond_two = values.iter().filter(|it| it.abs() > 4.0).count() as f32 / n;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 4.0).abs() < 0.1, "{variance}");
        assert!((beyond_two - 0.0455).abs() < 0.004, "{beyond_two}");
    }

    #[test]
    fn noise_is_a_straight_line_between_knots() {
        let mut noise = KnotNoise::new(3, 9, 2);
        noise.draw(&mut ChaCha8Rng::seed_from_u64(1), &[[1.0, 0.0, 1.0]; 3]);
        let mut rollouts = Rollouts::new(9, 2);
        noise.command(&[[0.5, 0.25, 0.0]; 9], &mut rollouts);
        for sample in 0..2 {
            let mut twists = Vec::new();
            rollouts.read_twists(sample, &mut twists);
            let bend = |step: usize| {
                let [before, here, after] = [step - 1, step, step + 1].map(|it| twists[it][0]);
                (before - 2.0 * here + after).abs()
            };
            assert!(
                (1..8)
                    .filter(|&step| step != 4)
                    .all(|step| bend(step) < 1e-5)
            );
            assert!(bend(4) > 1e-3);
            assert!(twists.iter().all(|twist| (twist[1] - 0.25).abs() < 1e-6));
        }
    }
}
