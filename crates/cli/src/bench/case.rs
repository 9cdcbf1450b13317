//! Cases of benchmarks: TOML files that say what is measured, how often, and beside whom.

use std::path::{Path, PathBuf};

use sedge_transport_zenoh::race::Link;
use sedge_world_model_onboard::workload::Work;
use sedge_world_model_onboard::{EngineConfig, Precision};
use serde::{Deserialize, Serialize};

use super::numbers::{Count, Imagined, PayloadBytes, RateHz, Threads};
use crate::launch_file::{LaunchFileError, parse_launch_text, read_launch_file};
use crate::swarm_settings::RunSecs;

/// The cases that come with Sedge, in the order in which they are run.
const SHIPPED: [(&str, &str); 10] = [
    shipped(
        "filter",
        include_str!("../../../../launch/bench/filter.toml"),
    ),
    shipped(
        "imagine-64",
        include_str!("../../../../launch/bench/imagine-64.toml"),
    ),
    shipped(
        "imagine-512",
        include_str!("../../../../launch/bench/imagine-512.toml"),
    ),
    shipped("plan", include_str!("../../../../launch/bench/plan.toml")),
    shipped(
        "ping-pong",
        include_str!("../../../../launch/bench/ping-pong.toml"),
    ),
    shipped(
        "ping-pong-shared-memory",
        include_str!("../../../../launch/bench/ping-pong-shared-memory.toml"),
    ),
    shipped(
        "ping-pong-100hz",
        include_str!("../../../../launch/bench/ping-pong-100hz.toml"),
    ),
    shipped(
        "throughput",
        include_str!("../../../../launch/bench/throughput.toml"),
    ),
    shipped(
        "caterpillar",
        include_str!("../../../../launch/bench/caterpillar.toml"),
    ),
    shipped(
        "sensor-to-command",
        include_str!("../../../../launch/bench/sensor-to-command.toml"),
    ),
];

const fn shipped(name: &'static str, text: &'static str) -> (&'static str, &'static str) {
    (name, text)
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A scan is taken into the belief, and a view decoded.
    Filter,
    /// Plans are imagined in the latent.
    Imagine,
    /// A plan is searched for in the latent.
    Plan,
    /// One message there and one back, between two processes.
    PingPong,
    /// As many messages as go through, between two processes.
    Throughput,
    /// A chain of tasks with a sink each.
    Caterpillar,
    /// A simulated robot's agent, from a scan to the command that it led to.
    SensorToCommand,
}

/// One file.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// The file's name without its end.
    pub name: String,
    /// What is measured.
    pub kind: Kind,
    /// What it says.
    pub case: Case,
}

/// What a case says, by its kind.
#[derive(Debug, Clone)]
pub enum Case {
    /// Filter, imagine or plan: the onboard engine.
    Engine(EngineCase),
    /// Round trips.
    PingPong(PingPongCase),
    /// Floods.
    Throughput(ThroughputCase),
    /// A chain of tasks.
    Caterpillar(CaterpillarCase),
    /// The whole loop.
    SensorToCommand(SensorToCommandCase),
}

/// The key that every case has; what else it may have depends on it.
#[derive(Deserialize)]
struct KindOnly {
    kind: Kind,
}

/// An engine's work, and who does it.
#[derive(Debug, Clone)]
pub struct EngineCase {
    /// In tables.
    pub title: String,
    /// What is done.
    pub work: Work,
    /// How often, by whom, and beside whom.
    pub contest: Contest,
}

/// Who takes part where an engine works.
#[derive(Debug, Clone)]
pub struct Contest {
    /// Calls of each.
    pub n: Count,
    /// Calls in a row before the next one's turn.
    pub n_in_block: Count,
    /// Ours.
    pub engines: Vec<EngineRow>,
    /// Theirs.
    pub peers: Vec<EnginePeer>,
}

/// An onboard engine that takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineRow {
    /// In which numbers it imagines.
    pub precision: Precision,
    /// How many threads imagine.
    pub threads: Threads,
}

impl EngineRow {
    /// As the engine is loaded.
    pub fn config(self) -> EngineConfig {
        EngineConfig {
            precision: self.precision,
            threads: self.threads.get() as usize,
            also: None,
        }
    }

    /// In tables.
    pub fn name(self) -> String {
        let (precision, threads) = (self.precision, self.threads.get());
        format!("onboard {precision}, threads: {threads}")
    }
}

/// Whose network an engine is set beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnginePeer {
    /// The same network in `PyTorch`, eager.
    Torch,
    /// The same, compiled.
    TorchCompiled,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterFile {
    #[serde(rename = "kind")]
    _kind: Kind,
    title: String,
    n: Count,
    n_in_block: Count,
    engines: Vec<EngineRow>,
    #[serde(default)]
    peers: Vec<EnginePeer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImagineFile {
    #[serde(rename = "kind")]
    _kind: Kind,
    title: String,
    n_plans: Imagined,
    n_steps: Imagined,
    n: Count,
    n_in_block: Count,
    engines: Vec<EngineRow>,
    #[serde(default)]
    peers: Vec<EnginePeer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    #[serde(rename = "kind")]
    _kind: Kind,
    title: String,
    n_samples: Imagined,
    n_steps: Imagined,
    n_iterations: Imagined,
    n: Count,
    n_in_block: Count,
    engines: Vec<EngineRow>,
    #[serde(default)]
    peers: Vec<EnginePeer>,
}

/// One message there and one back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingPongCase {
    #[serde(rename = "kind")]
    _kind: Kind,
    /// In tables.
    pub title: String,
    /// What lies between the two processes.
    pub link: LinkName,
    /// Bytes of payloads, one after the other.
    pub payload_bytes: Vec<PayloadBytes>,
    /// Paces, one after the other.
    pub paces: Vec<PaceName>,
    /// Round trips of each, a payload and a pace.
    pub n: Count,
    /// Theirs.
    #[serde(default)]
    pub peers: Vec<WirePeer>,
}

/// When turns begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaceName {
    /// Each when the last has ended.
    BackToBack,
    /// So many a second: `{ hz = 100 }`.
    Hz(RateHz),
}

/// What lies between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkName {
    /// TCP on loopback.
    Tcp,
    /// Payloads in shared memory.
    SharedMemory,
}

impl From<LinkName> for Link {
    fn from(name: LinkName) -> Self {
        match name {
            LinkName::Tcp => Self::Tcp,
            LinkName::SharedMemory => Self::SharedMemory,
        }
    }
}

/// Whose messages ours are set beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WirePeer {
    /// Zenoh as it is, with the same payloads, classes of service, processes and threads.
    RawZenoh,
    /// dora's nodes in Python, by shared memory or however its daemon sees fit.
    Dora,
}

/// As many messages as go through.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThroughputCase {
    #[serde(rename = "kind")]
    _kind: Kind,
    /// In tables.
    pub title: String,
    /// What lies between the two processes.
    pub link: LinkName,
    /// What is sent, one after the other.
    pub floods: Vec<Flood>,
    /// Rounds of each.
    pub n_rounds: Count,
    /// Theirs.
    #[serde(default)]
    pub peers: Vec<RawPeer>,
}

/// Messages of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// Bytes of each payload.
    pub payload_bytes: PayloadBytes,
    /// Messages of a round.
    pub n_per_round: Count,
}

/// Whose messages ours are set beside where dora has nothing of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawPeer {
    /// Zenoh as it is.
    RawZenoh,
}

/// A chain of tasks with a sink each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaterpillarCase {
    #[serde(rename = "kind")]
    _kind: Kind,
    /// In tables.
    pub title: String,
    /// Where tasks run.
    pub layout: Layout,
    /// Bytes of every payload.
    pub payload_bytes: PayloadBytes,
    /// Paces, one after the other.
    pub paces: Vec<PaceName>,
    /// How often the source sends, at each pace.
    pub n: Count,
    /// Theirs.
    #[serde(default)]
    pub peers: Vec<RawPeer>,
}

/// Where tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Each task but the source and the last sink in a process of its own.
    Processes,
    /// Each task in a thread of its own, all in one process, with one session.
    Threads,
}

/// A launch file of `sedge swarm`, run as processes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorToCommandCase {
    #[serde(rename = "kind")]
    _kind: Kind,
    /// In tables.
    pub title: String,
    /// The launch file, as seen from where the command is given.
    pub launch: PathBuf,
    /// How long it runs; where nothing is said, as long as the launch file says.
    pub secs: Option<RunSecs>,
}

impl CaseFile {
    /// The cases that come with Sedge.
    ///
    /// # Errors
    /// [`LaunchFileError`] where one is refused, which a test excludes.
    pub fn shipped() -> Result<Vec<Self>, LaunchFileError> {
        let parse = |(name, text): (&str, &str)| {
            Self::parse(Path::new(&format!("launch/bench/{name}.toml")), text)
        };
        SHIPPED.into_iter().map(parse).collect()
    }

    /// A case of a file.
    ///
    /// # Errors
    /// [`LaunchFileError`], with file, line and column where a key or value is refused.
    pub fn read(path: &Path) -> Result<Self, LaunchFileError> {
        let _: KindOnly = read_launch_file(path)?;
        let text = std::fs::read_to_string(path).map_err(|source| LaunchFileError::Io {
            path: path.into(),
            source,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, LaunchFileError> {
        let KindOnly { kind } = parse_launch_text(path, text)?;
        let case = match kind {
            Kind::Filter => Case::Engine(parse_launch_text::<FilterFile>(path, text)?.into()),
            Kind::Imagine => Case::Engine(parse_launch_text::<ImagineFile>(path, text)?.into()),
            Kind::Plan => Case::Engine(parse_launch_text::<PlanFile>(path, text)?.into()),
            Kind::PingPong => Case::PingPong(parse_launch_text(path, text)?),
            Kind::Throughput => Case::Throughput(parse_launch_text(path, text)?),
            Kind::Caterpillar => Case::Caterpillar(parse_launch_text(path, text)?),
            Kind::SensorToCommand => Case::SensorToCommand(parse_launch_text(path, text)?),
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name.into_owned(),
            kind,
            case,
        })
    }
}

impl Case {
    /// What it is called in tables.
    pub fn title(&self) -> &str {
        match self {
            Self::Engine(case) => &case.title,
            Self::PingPong(case) => &case.title,
            Self::Throughput(case) => &case.title,
            Self::Caterpillar(case) => &case.title,
            Self::SensorToCommand(case) => &case.title,
        }
    }
}

impl From<FilterFile> for EngineCase {
    fn from(file: FilterFile) -> Self {
        Self {
            title: file.title,
            work: Work::Filter,
            contest: Contest {
                n: file.n,
                n_in_block: file.n_in_block,
                engines: file.engines,
                peers: file.peers,
            },
        }
    }
}

impl From<ImagineFile> for EngineCase {
    fn from(file: ImagineFile) -> Self {
        Self {
            title: file.title,
            work: Work::Imagine {
                n_plans: file.n_plans.get() as usize,
                n_steps: file.n_steps.get() as usize,
            },
            contest: Contest {
                n: file.n,
                n_in_block: file.n_in_block,
                engines: file.engines,
                peers: file.peers,
            },
        }
    }
}

impl From<PlanFile> for EngineCase {
    fn from(file: PlanFile) -> Self {
        Self {
            title: file.title,
            work: Work::Plan {
                n_samples: file.n_samples.get() as usize,
                n_steps: file.n_steps.get() as usize,
                n_iterations: file.n_iterations.get() as usize,
            },
            contest: Contest {
                n: file.n,
                n_in_block: file.n_in_block,
                engines: file.engines,
                peers: file.peers,
            },
        }
    }
}
