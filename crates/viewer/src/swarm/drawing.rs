//! What can be drawn of a swarm, as plain values on their way to the drawing thread.

use std::time::Duration;

use sedge_spacetime::{AgentName, Pose2, Stamp};

use super::layer::SwarmLayer;
use super::messages::Flow;
use super::mode::RobotState;
use super::movers::WorldMover;
use super::neighbours::WorldNeighbour;
use super::plan::WorldPlan;
use super::scans::ScanPoints;
use crate::drawing::{Forecaster, PosedRobot, ScanError, TextLevel};

/// One thing to draw.
#[derive(Debug)]
pub(super) struct SwarmDrawing {
    pub(super) stamp: Stamp,
    pub(super) subject: Subject,
}

/// Its kind and content.
#[derive(Debug)]
pub(super) enum Subject {
    Team(TeamFrame),
    Robot { name: AgentName, part: RobotPart },
    Messages(Vec<Flow>),
    Text(TextLevel, String),
}

/// Where everybody is.
#[derive(Debug)]
pub(super) struct TeamFrame {
    pub(super) robots: Vec<RobotState>,
    /// `None` for a walker whose place is no place.
    pub(super) walkers: Vec<Option<Pose2>>,
}

/// What one robot says.
#[derive(Debug)]
pub(super) enum RobotPart {
    Scan(ScanPoints),
    Plan(WorldPlan),
    Belief(PosedRobot),
    Movers(Vec<WorldMover>),
    Neighbours(Vec<WorldNeighbour>),
    Error {
        horizon: Duration,
        forecaster: Forecaster,
        error: ScanError,
    },
    Latency {
        stage: String,
        taken: Duration,
    },
    Budget {
        stage: String,
        limit: Duration,
    },
    Rung(String),
    Text(TextLevel, String),
}

impl RobotPart {
    pub(super) fn layer(&self) -> SwarmLayer {
        match self {
            Self::Scan(_) => SwarmLayer::Scans,
            Self::Plan(_) => SwarmLayer::Plans,
            Self::Belief(_) => SwarmLayer::Beliefs,
            Self::Movers(_) => SwarmLayer::Movers,
            Self::Neighbours(_) => SwarmLayer::Neighbours,
            Self::Error { .. } => SwarmLayer::Errors,
            Self::Latency { .. } | Self::Budget { .. } => SwarmLayer::Latencies,
            Self::Rung(_) => SwarmLayer::Rungs,
            Self::Text(..) => SwarmLayer::Texts,
        }
    }
}
