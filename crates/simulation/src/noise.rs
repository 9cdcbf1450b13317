//! Random numbers: one stream for each body and purpose, all from the run's seed.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// What random numbers are for. A purpose's numbers do not change when another draws more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Randomisation = 0,
    Lidar = 1,
    Imu = 2,
    Odometry = 3,
    RangeBearing = 4,
    Depth = 5,
}

/// A stream of random numbers that a snapshot can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noise(ChaCha8Rng);

impl Noise {
    /// Streams of one seed are independent: they are different streams of the same cipher.
    pub(crate) fn new(seed: u64, body_idx: usize, purpose: Purpose) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(((body_idx as u64) << 8) | purpose as u64);
        Self(rng)
    }

    /// Gaussian of mean 0 and this sigma; sigma 0 gives exactly 0.
    pub(crate) fn normal(&mut self, sigma: f64) -> f64 {
        sigma * self.0.sample::<f64, _>(StandardNormal)
    }

    /// Evenly between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// Whether something of this probability happens.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }
}
