//! What a swarm's run has to show.

use std::fmt;

use sedge_latency::LatencyReport;
use sedge_spacetime::AgentName;
use serde::{Deserialize, Serialize};

use super::SwarmEnd;
use crate::{AgentReport, PredictionRow, PredictionTable};

/// What became of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberReport {
    /// Who it is.
    pub name: String,
    /// Why it was out before the end, if it was.
    pub failure: Option<String>,
    /// Time of the machine's clock that its ticks took, in seconds.
    pub busy_secs: f64,
    /// Messages dropped because too many came in one tick.
    pub n_inbox_dropped: u64,
    /// Its figures; none where it could not be made or failed.
    pub report: Option<AgentReport>,
}

/// Everything that a run counts. `Display` prints it as a table. Only what is measured on the
/// machine's clock (`wall_secs`, `world_secs`, `agents_secs`, `busy_secs` and latency) differs
/// between two runs of the same swarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwarmReport {
    /// Why it ended.
    pub end: SwarmEnd,
    /// blake3, hexadecimal, over every message in order: when, by whom, under which key, and every
    /// byte of it.
    pub hash: String,
    /// Ticks.
    pub n_ticks: u64,
    /// Simulated time, in seconds.
    pub simulated_secs: f64,
    /// Time of the machine's clock, in seconds, without the making of agents.
    pub wall_secs: f64,
    /// Of that, what the world's ticks took.
    pub world_secs: f64,
    /// Of that, what was waited for the agents.
    pub agents_secs: f64,
    /// Messages sent.
    pub n_messages: u64,
    /// Their bytes.
    pub n_bytes: u64,
    /// Messages that were past their expiry and were not sent.
    pub n_late: u64,
    /// Messages under keys that were not declared; an error of a node.
    pub n_undeclared: u64,
    /// Messages for the world dropped because too many came in one tick.
    pub n_world_dropped: u64,
    /// Members in their order.
    pub members: Vec<MemberReport>,
    /// Predictions against what came, pooled over the beams of all members; of medians the mean.
    #[serde(default)]
    pub predictions: Vec<PredictionRow>,
    /// Stages of all members together, on the machine's clock.
    pub latency: LatencyReport,
}

impl SwarmReport {
    pub(super) fn of(names: &[AgentName]) -> Self {
        let member = |name: &AgentName| MemberReport {
            name: name.to_string(),
            failure: None,
            busy_secs: 0.0,
            n_inbox_dropped: 0,
            report: None,
        };
        Self {
            end: SwarmEnd::TicksReached,
            hash: String::new(),
            n_ticks: 0,
            simulated_secs: 0.0,
            wall_secs: 0.0,
            world_secs: 0.0,
            agents_secs: 0.0,
            n_messages: 0,
            n_bytes: 0,
            n_late: 0,
            n_undeclared: 0,
            n_world_dropped: 0,
            members: names.iter().map(member).collect(),
            predictions: Vec::new(),
            latency: LatencyReport::default(),
        }
    }

    /// Simulated seconds a second of the machine's clock.
    pub fn real_time_factor(&self) -> f64 {
        ratio(self.simulated_secs, self.wall_secs)
    }

    /// Ticks of all members together a second of the machine's clock.
    pub fn member_ticks_per_sec(&self) -> f64 {
        ratio(
            self.n_ticks as f64 * self.members.len() as f64,
            self.wall_secs,
        )
    }
}

fn ratio(of: f64, by: f64) -> f64 {
    if by > 0.0 { of / by } else { 0.0 }
}

impl fmt::Display for SwarmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} agents, {:.2} s simulated in {:.2} s: {:.2} times real time, {:.0} agent ticks/s \
             (world {:.2} s, agents {:.2} s)",
            self.members.len(),
            self.simulated_secs,
            self.wall_secs,
            self.real_time_factor(),
            self.member_ticks_per_sec(),
            self.world_secs,
            self.agents_secs,
        )?;
        writeln!(
            f,
            "{} messages, {:.1} MB, {} late, {} undeclared, {} dropped; hash {}",
            self.n_messages,
            self.n_bytes as f64 / 1e6,
            self.n_late,
            self.n_undeclared,
            self.n_world_dropped,
            self.hash,
        )?;
        for member in &self.members {
            write!(f, "{}: busy {:.2} s", member.name, member.busy_secs)?;
            if let Some(driving) = member.report.as_ref().and_then(|it| it.driving.as_ref()) {
                write!(f, ", {driving}")?;
            }
            match &member.failure {
                Some(why) => writeln!(f, ", out: {why}")?,
                None => writeln!(f)?,
            }
        }
        if !self.predictions.is_empty() {
            write!(f, "\n{}", PredictionTable(&self.predictions))?;
        }
        write!(f, "\n{}", self.latency)
    }
}
