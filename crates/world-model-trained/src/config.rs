//! What a network is made of and how it is trained.

use serde::{Deserialize, Serialize};

/// Sizes of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Width of the deterministic (recurrent) state; a multiple of `blocks`.
    pub deter: usize,
    /// Width of the layers around it.
    pub hidden: usize,
    /// How many categorical variables the stochastic state has.
    pub groups: usize,
    /// How many classes each of them has.
    pub classes: usize,
    /// Blocks of the block-diagonal recurrent unit.
    pub blocks: usize,
    /// Channels of the lidar decoder's convolutions along the beams.
    pub trunk_channels: usize,
    /// Whether the recurrent latent informs the decoder and the motion head. Without it the rest
    /// is the ablation row that the latent must beat.
    pub latent: bool,
}

impl NetworkConfig {
    /// Width of the flattened stochastic state.
    pub fn stoch(&self) -> usize {
        self.groups * self.classes
    }

    /// Width of the feature that heads read: deterministic and stochastic state.
    pub fn feature(&self) -> usize {
        self.deter + self.stoch()
    }
}

/// How a network is trained. Everything here changes the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The network's sizes.
    pub network: NetworkConfig,
    /// Seed of the weights, the batches and the sampled latents.
    pub seed: u64,
    /// Optimiser steps.
    pub updates: usize,
    /// Stretches of consecutive scans per update, split evenly over the shards.
    pub stretches: usize,
    /// Scans per stretch.
    pub stretch_scans: usize,
    /// Predictions graded per stretch, from starts in the stretch's later part.
    pub branches: usize,
    /// Parts of a batch whose gradients are computed on threads of their own and then added, in
    /// order: the number changes rounding, so it is part of the recipe.
    pub shards: usize,
    /// Peak learning rate, after warm-up; it falls to a hundredth of this along a cosine.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_updates: usize,
    /// Gradients are scaled down to this norm.
    pub gradient_norm_max: f32,
    /// Decay of the averaged weights that a checkpoint offers for use.
    pub average_decay: f32,
    /// Horizons to learn, in seconds (or in scans, for thinned logs).
    pub horizons: HorizonRange,
    /// Share of the log's scans to learn from, counted from the start.
    pub train_share: f64,
    /// How often a stretch is learnt from as if the inertial unit were missing, in `[0, 1]`.
    pub imu_dropout: f64,
    /// How often each other robot or mover is hidden from the encoder at a scan, in `[0, 1]`; half
    /// as often all of them for a whole stretch. Radios drop out, and robots leave.
    pub others_dropout: f64,
}

/// From where to where the targets of training lie after their start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "unit", rename_all = "lowercase", deny_unknown_fields)]
pub enum HorizonRange {
    /// In seconds.
    Secs {
        /// Nearest target.
        min: f64,
        /// Farthest target.
        max: f64,
    },
    /// In scans, for logs that were thinned by distance.
    Scans {
        /// Nearest target.
        min: usize,
        /// Farthest target.
        max: usize,
    },
}

/// Named sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// For the demo and for tests: about a minute on two cores.
    Tiny,
    /// Small: about 0.7 million parameters, the default on CPUs.
    S,
}

impl Preset {
    /// The sizes.
    pub fn network(self) -> NetworkConfig {
        match self {
            Self::Tiny => NetworkConfig {
                deter: 64,
                hidden: 64,
                groups: 8,
                classes: 8,
                blocks: 4,
                trunk_channels: 24,
                latent: true,
            },
            Self::S => NetworkConfig {
                deter: 256,
                hidden: 128,
                groups: 16,
                classes: 16,
                blocks: 4,
                trunk_channels: 32,
                latent: true,
            },
        }
    }

    /// The recipe, with a seed of your choice.
    pub fn train(self, seed: u64) -> TrainConfig {
        TrainConfig {
            network: self.network(),
            seed,
            updates: match self {
                Self::Tiny => 600,
                Self::S => 1500,
            },
            stretches: 8,
            stretch_scans: 16,
            branches: 6,
            shards: 1,
            learning_rate: 2e-3,
            warmup_updates: 100,
            gradient_norm_max: 1.0,
            average_decay: 0.995,
            horizons: HorizonRange::Secs { min: 0.3, max: 2.5 },
            train_share: 0.7,
            imu_dropout: 0.2,
            others_dropout: 0.3,
        }
    }
}

impl std::str::FromStr for Preset {
    type Err = UnknownPreset;
    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        match name {
            "tiny" => Ok(Self::Tiny),
            "s" => Ok(Self::S),
            other => Err(UnknownPreset {
                got: other.to_owned(),
            }),
        }
    }
}

/// A preset name that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a preset of: tiny, s; got {got:?}")]
pub struct UnknownPreset {
    got: String,
}
