//! `mission.goal`.

use std::time::Duration;

use sedge_spacetime::{AgentName, Pose2};

use crate::command::{duration, nanos};
use crate::text::{read_lines, write_lines};
use crate::typed::{pose_from_row, pose_to_row, rows, values};
use crate::{InvalidMessage, ListOf, Message, MessageBuilder, TypedMessage};

const AGENTS: &str = "agent_names";

/// A pose to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waypoint {
    /// The pose of the base in the header's frame.
    pub goal_from_base: Pose2,
    /// How near is near enough, in metres, positive.
    pub position_tolerance_m: f64,
    /// How well the heading must fit, in radians, positive; 4 or more means any heading.
    pub yaw_tolerance_rad: f64,
    /// When to be there, after the capture stamp; none, or more than zero.
    pub deadline: Option<Duration>,
}

/// Where agents shall go.
///
/// A goal replaces the one before it of the same key. One without way points takes it back: there
/// is nowhere to go.
///
/// # Units and frames
/// Poses are in the frame that the header names, which sender and agents must share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Goal {
    /// The agents that shall go; none named means every agent that receives this. `[agent]`
    pub agents: Vec<AgentName>,
    /// The poses to reach, one after the other. `[waypoint]`
    pub waypoints: Vec<Waypoint>,
}

impl Goal {
    /// Whether an agent is meant.
    pub fn is_for(&self, agent: &AgentName) -> bool {
        self.agents.is_empty() || self.agents.contains(agent)
    }
}

impl TypedMessage<'_> for Goal {
    const NAME: &'static str = "mission.goal";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let each = || self.waypoints.iter();
        let poses: Vec<f64> = each()
            .flat_map(|it| pose_to_row(it.goal_from_base))
            .collect();
        let position: Vec<f64> = each().map(|it| it.position_tolerance_m).collect();
        let yaw: Vec<f64> = each().map(|it| it.yaw_tolerance_rad).collect();
        let deadlines: Vec<i64> = each()
            .map(|it| nanos(it.deadline.unwrap_or_default()))
            .collect();
        let n_waypoints = self.waypoints.len();
        Ok(write_agents(builder, &self.agents)?
            .tensor("waypoints", &[n_waypoints, 3], &poses)?
            .tensor("position_tolerances_m", &[n_waypoints], &position)?
            .tensor("yaw_tolerances_rad", &[n_waypoints], &yaw)?
            .tensor("deadlines_nanos", &[n_waypoints], &deadlines)?)
    }

    fn read(message: &Message<'_>) -> Result<Self, InvalidMessage> {
        let poses = rows::<f64, 3>(message, "waypoints")?;
        let position = values::<f64>(message, "position_tolerances_m")?;
        let yaw = values::<f64>(message, "yaw_tolerances_rad")?;
        let deadlines = values::<i64>(message, "deadlines_nanos")?;
        let waypoint = |(idx, pose): (usize, &[f64; 3])| Waypoint {
            goal_from_base: pose_from_row(pose),
            position_tolerance_m: position[idx],
            yaw_tolerance_rad: yaw[idx],
            deadline: (deadlines[idx] > 0).then(|| duration(deadlines[idx])),
        };
        Ok(Self {
            agents: read_agents(message)?,
            waypoints: poses.iter().enumerate().map(waypoint).collect(),
        })
    }
}

/// Adds the list of the agents that are meant.
pub(crate) fn write_agents(
    builder: MessageBuilder,
    agents: &[AgentName],
) -> Result<MessageBuilder, InvalidMessage> {
    let names = agents.iter().map(AgentName::as_str);
    write_lines(builder, AGENTS, ListOf::Agents, names)
}

/// The agents that are meant.
pub(crate) fn read_agents(message: &Message<'_>) -> Result<Vec<AgentName>, InvalidMessage> {
    let names = read_lines(message, AGENTS, ListOf::Agents, None)?;
    let name = |name: &str| AgentName::new(name).expect("the list is one of agents");
    Ok(names.into_iter().map(name).collect())
}
