//! How a planner is set up: data for launch files, checked once.

use serde::{Deserialize, Serialize};

use crate::{Cem, CostConfig, FieldConfig, MotionLimits, Mppi, Planner};

const N_STEPS_MAX: usize = 200;
const N_SAMPLES_MAX: usize = 65_536;
const N_ITERATIONS_MAX: usize = 1_000;
/// Samples times steps: what bounds memory and the time of one iteration.
const N_STATES_MAX: usize = 1 << 21;
/// A body turned by more than this within a step is no longer integrated exactly.
const TURN_A_STEP_RAD_MAX: f64 = 1.0;

/// How samples become a better plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Model-predictive path integral control: the mean of all samples, weighted by
    /// `exp(-cost / temperature)` (Williams et al., "Information-theoretic model predictive
    /// control", 2018, with the control cost's share of the weights left out).
    #[default]
    Mppi,
    /// Cross-entropy method: the mean of the cheapest samples, and noise that shrinks to their
    /// spread (de Boer et al., "A tutorial on the cross-entropy method", 2005).
    Cem,
}

/// The whole planner, for launch files. Every key has a default; unknown keys are refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlannerConfig {
    /// How samples become a better plan. Default MPPI.
    pub method: Method,
    /// Steps of a plan. Default 20.
    pub n_steps: usize,
    /// Length of a step, in seconds. Default 0.1: commands are about as frequent.
    pub step_secs: f64,
    /// Motions tried in an iteration. Default 256.
    pub n_samples: usize,
    /// Iterations at most, however much time there is: what makes plans repeatable. Default 3.
    pub n_iterations_max: usize,
    /// Noise is drawn at this many points in time and joined by straight lines: smooth motions,
    /// and far fewer directions to search. Default 5.
    pub n_knots: usize,
    /// How much motions differ from the best known one.
    pub noise: NoiseConfig,
    /// Of MPPI alone.
    pub mppi: MppiConfig,
    /// Of CEM alone.
    pub cem: CemConfig,
    /// What the base can do.
    pub limits: MotionLimits,
    /// Radius of the disc that covers the base, in metres. Default 0.25.
    pub footprint_radius_m: f64,
    /// Where predicted obstacles are looked up.
    pub field: FieldConfig,
    /// What motions cost.
    pub costs: CostConfig,
    /// Sampled motions that a plan carries for a viewer. Default 24.
    pub n_fan_max: usize,
    /// A newest scan older than this is no ground for a plan, in seconds. Default 0.5.
    pub scan_age_secs_max: f64,
}

/// Standard deviations of the noise on twists, as shares of the speeds' ranges.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseConfig {
    /// Of forward speed. Default 0.35.
    pub forward: f64,
    /// Of sideways speed. Default 0.35.
    pub lateral: f64,
    /// Of turn rate. Default 0.3.
    pub yaw: f64,
}

/// How MPPI weighs samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MppiConfig {
    /// In units of cost: a sample that costs this much more than the cheapest weighs `1/e` of it.
    /// Default 0.1.
    pub temperature: f64,
}

/// How CEM learns from samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CemConfig {
    /// Which share of the samples is learnt from. Default 0.1.
    pub elite_share: f64,
    /// How much of the elites' spread replaces the noise in each iteration. Default 0.8.
    pub learning_rate: f64,
    /// The noise never shrinks below this share of its beginning. Default 0.1.
    pub noise_share_min: f64,
}

impl Default for PlannerConfig {
    fn default() -> Self {
        Self {
            method: Method::default(),
            n_steps: 20,
            step_secs: 0.1,
            n_samples: 256,
            n_iterations_max: 3,
            n_knots: 5,
            noise: NoiseConfig::default(),
            mppi: MppiConfig::default(),
            cem: CemConfig::default(),
            limits: MotionLimits::default(),
            footprint_radius_m: 0.25,
            field: FieldConfig::default(),
            costs: CostConfig::default(),
            n_fan_max: 24,
            scan_age_secs_max: 0.5,
        }
    }
}

impl Default for NoiseConfig {
    fn default() -> Self {
        Self {
            forward: 0.35,
            lateral: 0.35,
            yaw: 0.3,
        }
    }
}

impl Default for MppiConfig {
    fn default() -> Self {
        Self { temperature: 0.1 }
    }
}

impl Default for CemConfig {
    fn default() -> Self {
        Self {
            elite_share: 0.1,
            learning_rate: 0.8,
            noise_share_min: 0.1,
        }
    }
}

/// Why a configuration is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A number is out of its range.
    #[error("expected {key} {expected}, got {got}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What would do.
        expected: &'static str,
        /// What came.
        got: f64,
    },
    /// A number of things is out of its range.
    #[error("expected {key} within [{min}, {max}], got {got}")]
    Count {
        /// The key.
        key: &'static str,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
        /// What came.
        got: usize,
    },
    /// The base can drive out of the field within a plan.
    #[error("expected field.half_size_m of at least {needed_m:.2} m, got {got_m} m")]
    SmallField {
        /// What the plan's length, the fastest speed, footprint and margin need.
        needed_m: f64,
        /// What came.
        got_m: f64,
    },
    /// A route's waypoint is not a place.
    #[error("expected a route of sound waypoints, got a bad or no waypoint at {waypoint_idx}")]
    BadWaypoint {
        /// Which one.
        waypoint_idx: usize,
    },
}

pub(crate) fn check_positive(key: &'static str, got: f64) -> Result<(), ConfigError> {
    let expected = "to be finite and above zero";
    if got.is_finite() && got > 0.0 {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange { key, expected, got })
    }
}

pub(crate) fn check_non_negative(key: &'static str, got: f64) -> Result<(), ConfigError> {
    let expected = "to be finite and not negative";
    if got.is_finite() && got >= 0.0 {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange { key, expected, got })
    }
}

pub(crate) fn check_share(key: &'static str, got: f64) -> Result<(), ConfigError> {
    let expected = "within (0, 1]";
    if got > 0.0 && got <= 1.0 {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange { key, expected, got })
    }
}

pub(crate) fn check_count(
    key: &'static str,
    got: usize,
    min: usize,
    max: usize,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&got) {
        Ok(())
    } else {
        Err(ConfigError::Count { key, min, max, got })
    }
}

impl PlannerConfig {
    /// The planner; the same seed and the same calls give the same plans, bit for bit.
    ///
    /// # Errors
    /// [`ConfigError`] as [`PlannerConfig::check`].
    pub fn build(&self, seed: u64) -> Result<Box<dyn Planner + Send>, ConfigError> {
        Ok(match self.method {
            Method::Mppi => Box::new(Mppi::new(*self, seed)?),
            Method::Cem => Box::new(Cem::new(*self, seed)?),
        })
    }

    /// Checks that this can be planned with.
    ///
    /// # Errors
    /// [`ConfigError`] with the key that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_count("n_steps", self.n_steps, 2, N_STEPS_MAX)?;
        check_count("n_samples", self.n_samples, 2, N_SAMPLES_MAX)?;
        check_count(
            "n_iterations_max",
            self.n_iterations_max,
            1,
            N_ITERATIONS_MAX,
        )?;
        check_count("n_knots", self.n_knots, 2, self.n_steps)?;
        check_count("n_fan_max", self.n_fan_max, 0, self.n_samples)?;
        let n_states = self.n_steps * self.n_samples;
        check_count("n_steps * n_samples", n_states, 4, N_STATES_MAX)?;
        check_positive("step_secs", self.step_secs)?;
        check_non_negative("noise.forward", self.noise.forward)?;
        check_non_negative("noise.lateral", self.noise.lateral)?;
        check_non_negative("noise.yaw", self.noise.yaw)?;
        check_positive("mppi.temperature", self.mppi.temperature)?;
        check_share("cem.elite_share", self.cem.elite_share)?;
        check_share("cem.learning_rate", self.cem.learning_rate)?;
        check_share("cem.noise_share_min", self.cem.noise_share_min)?;
        check_positive("footprint_radius_m", self.footprint_radius_m)?;
        check_positive("scan_age_secs_max", self.scan_age_secs_max)?;
        self.limits.check()?;
        self.field.check()?;
        self.costs.check()?;
        let got = self.limits.yaw_rate_radps_max * self.step_secs;
        if got > TURN_A_STEP_RAD_MAX {
            let (key, expected) = ("yaw_rate_radps_max * step_secs", "of at most 1 rad");
            return Err(ConfigError::OutOfRange { key, expected, got });
        }
        self.check_reach()
    }

    fn check_reach(&self) -> Result<(), ConfigError> {
        let reach_m = self.limits.fastest_mps() * self.step_secs * self.n_steps as f64;
        let needed_m = reach_m + self.footprint_radius_m + self.costs.clearance_margin_m;
        let got_m = self.field.half_size_m;
        if got_m >= needed_m {
            Ok(())
        } else {
            Err(ConfigError::SmallField { needed_m, got_m })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_sound_and_survives_being_written() {
        let config = PlannerConfig::default();
        config.check().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<PlannerConfig>(&text).unwrap(),
            config
        );
        assert_eq!(serde_json::from_str::<PlannerConfig>("{}").unwrap(), config);
    }

    #[test]
    fn unknown_keys_are_refused_wherever_they_are() {
        for text in [
            r#"{"n_step": 3}"#,
            r#"{"costs": {"gaol": 1.0}}"#,
            r#"{"costs": {"neighbours": {"wait": 1.0}}}"#,
            r#"{"limits": {"speed": 1.0}}"#,
            r#"{"field": {"unknown": {"at_most": {"clearence_m": 1.0}}}}"#,
            r#"{"mppi": {"elite_share": 0.1}}"#,
            r#"{"method": "guess"}"#,
        ] {
            assert!(
                serde_json::from_str::<PlannerConfig>(text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_key() {
        let refused = |change: fn(&mut PlannerConfig), key: &str| {
            let mut config = PlannerConfig::default();
            change(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        };
        refused(|it| it.limits.speed_mps_max = 0.0, "speed_mps_max");
        refused(
            |it| it.limits.acceleration_mps2_max = f64::NAN,
            "acceleration",
        );
        refused(|it| it.n_samples = 0, "n_samples");
        let many = |it: &mut PlannerConfig| (it.n_samples, it.n_steps) = (65_536, 200);
        refused(many, "n_steps * n_samples");
        refused(|it| it.step_secs = f64::INFINITY, "step_secs");
        refused(|it| it.step_secs = 0.2, "half_size_m");
        refused(|it| it.costs.collision = -1.0, "costs.collision");
        refused(|it| it.field.cell_m = 0.0, "field.cell_m");
        refused(|it| it.cem.elite_share = 1.5, "elite_share");
        refused(|it| it.limits.yaw_rate_radps_max = 11.0, "yaw_rate");
        refused(|it| it.mppi.temperature = 0.0, "temperature");
    }
}
