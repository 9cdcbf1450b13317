//! Scenario files, and what is run of them.

use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;
use sedge_simulation::scripted::{Scripted, flocking, orca, social_force};
use sedge_simulation::{Scenario, ScenarioError};
use sedge_spacetime::AgentName;
use serde::{Deserialize, Serialize};

/// The fleet of all simulated robots and walkers.
pub(crate) const FLEET: &str = "flock";

/// The name of [`FLEET`].
pub(crate) fn fleet() -> anyhow::Result<AgentName> {
    Ok(AgentName::new(FLEET)?)
}

/// Reads a scenario; its text goes beside what is made of it.
///
/// # Errors
/// [`ScenarioError`] with file, line and reason: the request makes no sense, exit code 2.
pub(crate) fn read_scenario(path: &Path) -> anyhow::Result<(Scenario, String)> {
    let scenario = Scenario::read(path)?;
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok((scenario, text))
}

/// Whether what went wrong is the scenario's fault.
pub(crate) fn is_scenario_error(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<ScenarioError>()
}

/// Drivers that know the truth and follow each robot's route: yardsticks, and teachers for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptedDriver {
    /// Optimal reciprocal collision avoidance.
    Orca,
    /// The social force model.
    SocialForce,
    /// Alignment, cohesion and separation, for scenarios whose task is to flock.
    Flocking,
}

impl ScriptedDriver {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orca => "orca",
            Self::SocialForce => "social-force",
            Self::Flocking => "flocking",
        }
    }

    pub(crate) fn scripted(self) -> Scripted {
        match self {
            Self::Orca => Scripted::Orca(orca::Orca::default()),
            Self::SocialForce => Scripted::SocialForce(social_force::SocialForce::default()),
            Self::Flocking => Scripted::Flocking(flocking::Flocking::default()),
        }
    }
}

/// A hash as people compare it.
pub(crate) fn hex(hash: &[u8]) -> String {
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
