//! The inertial measurement unit.

use std::time::Duration;

use sedge_spacetime::Pose2;
use serde::{Deserialize, Serialize};

use crate::drive::GRAVITY_MPS2;
use crate::noise::Noise;
use crate::{ImuConfig, STEP, STEP_SECS, STEPS_PER_SECOND};

/// One sample of an inertial measurement unit, in the frame of the base.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImuSample {
    /// Rate of turn about x, y, z, in rad/s.
    pub angular_velocity: [f32; 3],
    /// What an accelerometer measures along x, y, z, in m/s²: at rest, 9.81 along z.
    pub linear_acceleration: [f32; 3],
}

/// Samples, evenly apart.
#[derive(Debug, Clone, PartialEq)]
pub struct ImuReading {
    /// In order. `[sample]`
    pub samples: Vec<ImuSample>,
    /// Time from one sample to the next.
    pub period: Duration,
    /// How long before the end of the step the first one was taken.
    pub age: Duration,
}

/// One robot's unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Imu {
    noise: Noise,
    noise_factor: f64,
    gyro_bias: [f64; 3],
    accelerometer_bias: [f64; 3],
    last_velocity_mps: [f64; 2],
    samples: Vec<ImuSample>,
}

impl Imu {
    pub(crate) fn new(config: &ImuConfig, mut noise: Noise, noise_factor: f64) -> Self {
        let mut drawn = |sigma: f64| [0; 3].map(|_| noise.normal(sigma * noise_factor));
        let gyro_bias = drawn(config.gyro_turn_on_bias_radps);
        let accelerometer_bias = drawn(config.accelerometer_turn_on_bias_mps2);
        Self {
            noise,
            noise_factor,
            gyro_bias,
            accelerometer_bias,
            last_velocity_mps: [0.0; 2],
            samples: Vec::new(),
        }
    }

    /// Takes the samples of a step; every `batch` samples it gives a reading.
    pub(crate) fn measure(
        &mut self,
        config: &ImuConfig,
        pose: Pose2,
        (velocity_mps, yaw_rate_radps): ([f64; 2], f64),
        mut give: impl FnMut(ImuReading),
    ) {
        let [ax, ay] =
            [0, 1].map(|axis| (velocity_mps[axis] - self.last_velocity_mps[axis]) / STEP_SECS);
        self.last_velocity_mps = velocity_mps;
        let (sin, cos) = pose.yaw_rad.sin_cos();
        let felt = [cos * ax + sin * ay, cos * ay - sin * ax, GRAVITY_MPS2];
        let n_samples = config.samples_a_step();
        let period = STEP / n_samples;
        for left in (0..n_samples).rev() {
            let sample = self.sample(config, felt, yaw_rate_radps);
            self.samples.push(sample);
            if self.samples.len() < config.batch {
                continue;
            }
            let samples = std::mem::take(&mut self.samples);
            let n_before = u32::try_from(samples.len().saturating_sub(1)).unwrap_or(u32::MAX);
            give(ImuReading {
                age: period * (left + n_before),
                period,
                samples,
            });
        }
    }

    fn sample(&mut self, config: &ImuConfig, felt: [f64; 3], yaw_rate_radps: f64) -> ImuSample {
        let secs = STEP_SECS / f64::from(config.samples_a_step());
        let (root_rate, root_period) = (secs.sqrt().recip(), secs.sqrt());
        let (noise, factor) = (&mut self.noise, self.noise_factor);
        let mut read = |truth: [f64; 3], bias: &mut [f64; 3], [white, walk]: [f64; 2]| {
            let mut axis = 0;
            truth.map(|truth| {
                bias[axis] += noise.normal(walk * root_period * factor);
                let read = truth + bias[axis] + noise.normal(white * root_rate * factor);
                axis += 1;
                read as f32
            })
        };
        let gyro = [config.gyro_noise_density, config.gyro_bias_walk];
        let angular_velocity = read([0.0, 0.0, yaw_rate_radps], &mut self.gyro_bias, gyro);
        let accelerometer = [
            config.accelerometer_noise_density,
            config.accelerometer_bias_walk,
        ];
        let linear_acceleration = read(felt, &mut self.accelerometer_bias, accelerometer);
        ImuSample {
            angular_velocity,
            linear_acceleration,
        }
    }
}

impl ImuConfig {
    /// How often a step is sampled: 1 for a rate of 100 Hz.
    fn samples_a_step(&self) -> u32 {
        (self.rate_hz / STEPS_PER_SECOND).round().max(1.0) as u32
    }
}
