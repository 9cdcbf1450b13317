//! What a swarm is told, on the command line or in a launch file.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use sedge_latency::Budgets;
use sedge_runtime::DrivingConfig;
use sedge_world_model_burn::DeviceKind;
use serde::{Deserialize, Deserializer};

use crate::ScriptedDriver;
use crate::commands::agent::{HorizonSecs, UntrainedModel, viewer_words};
use crate::engine::EngineChoice;
use crate::seconds::parse_secs;

/// More runs than anybody waits for.
const SEEDS_MAX: u64 = 1_000_000;
/// The longest run: a day.
const SECS_MAX: f64 = 86_400.0;

/// What a swarm is told (keys with `_` for `-`).
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwarmSettings {
    /// The scenario, in a launch file.
    #[arg(skip)]
    pub scenario: Option<PathBuf>,
    /// The folder of the run whose model every agent believes with.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["model", "driver"])]
    pub run: Option<PathBuf>,
    /// A model that needs no training, instead of a run's.
    #[arg(long, value_enum, conflicts_with = "driver")]
    pub model: Option<UntrainedModel>,
    /// No agents: a script that knows the truth drives all robots, as a yardstick.
    #[arg(long, value_enum)]
    pub driver: Option<ScriptedDriver>,
    /// What computes the network: onboard (default; our own, for CPUs), burn, or auto, which
    /// measures both when it starts.
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
    /// Where burn runs: flex (CPU), vulkan, cuda; see `sedge devices`. Implies the engine burn.
    #[arg(long)]
    pub device: Option<DeviceKind>,
    /// The run's seed.
    #[arg(long, value_name = "SEED", conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Many runs, from seed A to the one before B, and a table of how they went.
    #[arg(long, value_name = "A..B")]
    pub seeds: Option<SeedRange>,
    /// Threads (default: one a core); the result does not depend on it.
    #[arg(long, value_name = "T")]
    pub threads: Option<NonZeroUsize>,
    /// How many seconds ahead agents publish predictions (default 0.5,1,2).
    #[arg(long, value_name = "SECS", value_delimiter = ',')]
    pub horizons_secs: Vec<HorizonSecs>,
    /// Show one run: off (default), file PATH, serve (at IP:PORT), connect (to URL) or spawn.
    #[arg(long, value_name = "TARGET", num_args = 1..=2)]
    #[serde(deserialize_with = "viewer_words")]
    pub rerun: Vec<String>,
    /// Write the report as JSON into this folder, as report.json.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The simulator and each agent as a process of its own, over Zenoh and in real time.
    #[arg(long)]
    pub processes: bool,
    /// With --processes: kill and restart agents and silence sensors at random, by this seed.
    #[arg(long, value_name = "SEED")]
    pub chaos: Option<u64>,
    /// With --processes: run for so long, robots going to and fro (default: once, the scenario's
    /// time).
    #[arg(long, value_name = "SECS")]
    pub secs: Option<RunSecs>,
    /// How long stages of every agent and chains of them may take, in a launch file, and what is
    /// done about those that took longer; in lockstep only warnings can be asked for.
    #[arg(skip)]
    pub budgets: Option<Budgets>,
    /// How agents drive, in a launch file: what is not written there fits the scenario's robots.
    #[arg(skip)]
    pub driving: Option<DrivingConfig>,
}

/// How long a run lasts: 1 second to a day.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct RunSecs(f64);

impl RunSecs {
    /// Seconds.
    pub fn secs(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for RunSecs {
    type Error = String;
    fn try_from(secs: f64) -> Result<Self, String> {
        if (1.0..=SECS_MAX).contains(&secs) {
            Ok(Self(secs))
        } else {
            Err(format!("expected 1 to {SECS_MAX} seconds, got {secs}"))
        }
    }
}

impl FromStr for RunSecs {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse_secs(text)
    }
}

/// Seeds from one to before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedRange(pub Range<u64>);

impl FromStr for SeedRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("expected seeds A..B with A below B, such as 0..100, got {text:?}");
        let (first, end) = text.split_once("..").ok_or_else(form)?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let (first, end) = number(first).zip(number(end)).ok_or_else(form)?;
        if first >= end {
            return Err(form());
        }
        if end - first > SEEDS_MAX {
            let got = end - first;
            return Err(format!("expected at most {SEEDS_MAX} seeds, got {got}"));
        }
        Ok(Self(first..end))
    }
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.start, self.0.end)
    }
}

impl<'de> Deserialize<'de> for SeedRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl SwarmSettings {
    /// These settings where they say something, `otherwise`'s elsewhere.
    #[must_use]
    pub fn or(self, otherwise: Self) -> Self {
        fn first<T>(here: Vec<T>, otherwise: Vec<T>) -> Vec<T> {
            if here.is_empty() { otherwise } else { here }
        }
        // Who drives is one choice, and so is which seeds: what is typed overrides what is written.
        let says_who = self.run.is_some() || self.model.is_some() || self.driver.is_some();
        let (run, model, driver) = if says_who {
            (self.run, self.model, self.driver)
        } else {
            (otherwise.run, otherwise.model, otherwise.driver)
        };
        let says_seed = self.seed.is_some() || self.seeds.is_some();
        let (seed, seeds) = if says_seed {
            (self.seed, self.seeds)
        } else {
            (otherwise.seed, otherwise.seeds)
        };
        Self {
            scenario: self.scenario.or(otherwise.scenario),
            run,
            model,
            driver,
            engine: self.engine.or(otherwise.engine),
            device: self.device.or(otherwise.device),
            seed,
            seeds,
            threads: self.threads.or(otherwise.threads),
            horizons_secs: first(self.horizons_secs, otherwise.horizons_secs),
            rerun: first(self.rerun, otherwise.rerun),
            out: self.out.or(otherwise.out),
            processes: self.processes || otherwise.processes,
            chaos: self.chaos.or(otherwise.chaos),
            secs: self.secs.or(otherwise.secs),
            budgets: self.budgets.or(otherwise.budgets),
            driving: self.driving.or(otherwise.driving),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_that_is_not_empty() {
        assert_eq!("3..10".parse(), Ok(SeedRange(3..10)));
        for bad in [
            "",
            "3",
            "3..",
            "..3",
            "3..3",
            "4..3",
            "-1..3",
            "a..b",
            "0..10000000000",
        ] {
            assert!(bad.parse::<SeedRange>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_run_lasts_a_second_to_a_day() {
        assert_eq!("600".parse::<RunSecs>().map(RunSecs::secs), Ok(600.0));
        for bad in ["0", "-1", "NaN", "86401", "inf", "long"] {
            assert!(bad.parse::<RunSecs>().is_err(), "{bad:?}");
        }
        assert!(toml::from_str::<SwarmSettings>("secs = 0.5").is_err());
    }

    #[test]
    fn who_is_typed_to_drive_replaces_who_is_written() {
        let written: SwarmSettings =
            toml::from_str("run = 'a'\nseeds = '0..9'\nthreads = 2").unwrap();
        let typed = SwarmSettings {
            driver: Some(ScriptedDriver::Orca),
            seed: Some(4),
            ..SwarmSettings::default()
        };
        let both = typed.or(written);
        assert_eq!((both.run, both.driver), (None, Some(ScriptedDriver::Orca)));
        assert_eq!((both.seed, both.seeds), (Some(4), None));
        assert_eq!(both.threads.map(NonZeroUsize::get), Some(2));
    }
}
