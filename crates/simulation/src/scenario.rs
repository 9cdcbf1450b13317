//! Scenarios: the world, who is in it, what they sense and what they are to do, as data.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

mod check;
mod mission;
mod patrol;
mod read;
mod robot;
mod sensors;

pub use mission::{
    AtEnd, CoverTask, Crowd, FlockTask, Randomisation, Region, RobotGroup, RobotSpawn, Task,
    WalkerSpawn,
};
pub use read::ScenarioError;
pub use robot::{Body, Drive, DriveLimits, RobotKind};
pub use sensors::{DepthCameraConfig, ImuConfig, LidarConfig, OdometryConfig, RangeBearingConfig};

/// What a run is made of, apart from its seed.
///
/// Read from `sims/<name>/scenario.toml`. Unknown keys, impossible numbers and bodies in each other
/// are refused with file, line and reason.
///
/// # Units and frames
/// Metres, seconds, radians, kilograms; x, y and yaw in the frame "world", z is up.
///
/// # Examples
/// ```
/// let text = r#"
///     name = "yard"
///     duration_secs = 30.0
///     [kinds.crane]
///     mass_kg = 12.0
///     height_m = 0.4
///     body.cylinder.radius_m = 0.2
///     drive.differential.max_speed_mps = 1.0
///     [[robots]]
///     kind = "crane"
///     start = [0.0, 0.0, 0.0]
///     route = [[3.0, 0.0, 0.0]]
/// "#;
/// let scenario = sedge_simulation::Scenario::parse(text, "yard.toml")?;
/// assert_eq!(scenario.n_robots(), 1);
///
/// let wrong = text.replace("mass_kg = 12.0", "mass_kg = -12.0");
/// let error = sedge_simulation::Scenario::parse(&wrong, "yard.toml").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "yard.toml:5: kinds.crane.mass_kg: expected 0.1 to 10000, got -12"
/// );
/// # Ok::<(), sedge_simulation::ScenarioError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called: 1 to 64 of `a-z 0-9 _`.
    pub name: String,
    /// When a run ends at the latest, in simulated seconds.
    pub duration_secs: f64,
    /// What counts as success. Default: every robot reaches the end of its route.
    #[serde(default)]
    pub task: Task,
    /// Friction coefficient between wheels and floor, before randomisation. Default 0.8, rubber on
    /// concrete; a robot accelerates and brakes at most with this times 9.81 m/s².
    #[serde(default = "default_friction")]
    pub floor_friction: f64,
    /// What stands.
    #[serde(default)]
    pub walls: Vec<Wall>,
    /// Kinds of robots by name.
    #[serde(default)]
    pub kinds: BTreeMap<String, RobotKind>,
    /// Robots placed one by one; they are named first, from `crane1` on.
    #[serde(default)]
    pub robots: Vec<RobotSpawn>,
    /// Robots placed by the seed; named after those placed one by one.
    #[serde(default)]
    pub groups: Vec<RobotGroup>,
    /// Walkers placed one by one; they are named first, from `walker1` on.
    #[serde(default)]
    pub walkers: Vec<WalkerSpawn>,
    /// Walkers placed by the seed.
    #[serde(default)]
    pub crowds: Vec<Crowd>,
    /// How far runs of different seeds differ. Default: in places and noise only.
    #[serde(default)]
    pub randomisation: Randomisation,
}

/// A box that stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wall {
    /// Its middle, `[x, y]`.
    pub center_m: [f64; 2],
    /// Its length along its own x and y.
    pub size_m: [f64; 2],
    /// How far it is turned. Default 0.
    #[serde(default)]
    pub yaw_rad: f64,
    /// How high it stands. Default 2.5. Lidars see every wall, depth cameras look over low ones.
    #[serde(default = "default_wall_height")]
    pub height_m: f64,
}

impl Scenario {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ScenarioError`] with the line of the first thing that is wrong.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        read::read(path)
    }

    /// Reads and checks a text; `file` is what errors call it.
    ///
    /// # Errors
    /// [`ScenarioError`] with the line of the first thing that is wrong.
    pub fn parse(text: &str, file: &str) -> Result<Self, ScenarioError> {
        read::parse(text, file)
    }

    /// How many robots there are.
    pub fn n_robots(&self) -> usize {
        let in_groups: usize = self.groups.iter().map(|group| group.count).sum();
        self.robots.len() + in_groups
    }

    /// How many walkers there are.
    pub fn n_walkers(&self) -> usize {
        let in_crowds: usize = self.crowds.iter().map(|crowd| crowd.count).sum();
        self.walkers.len() + in_crowds
    }

    /// What tells two scenarios apart: blake3 of the content, whatever the file's layout.
    ///
    /// # Panics
    /// Never: numbers, texts and lists can always be written.
    pub fn hash(&self) -> [u8; 32] {
        let bytes = postcard::to_stdvec(self).expect("plain data can always be written");
        *blake3::hash(&bytes).as_bytes()
    }
}

fn default_friction() -> f64 {
    0.8
}

fn default_wall_height() -> f64 {
    2.5
}
