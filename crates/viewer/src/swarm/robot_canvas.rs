//! What one robot of a swarm draws on.

use std::time::Duration;

use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp};
use sedge_world_model::LidarScan;

use super::SwarmViewer;
use super::counts::Fate;
use super::drawing::RobotPart;
use super::layer::SwarmLayer;
use super::movers::{MOVERS_MAX, SeenMover, WorldMover};
use super::neighbours::{NEIGHBOURS_MAX, SeenNeighbour, WorldNeighbour};
use super::plan::{ImaginedPlan, WorldPlan};
use super::scans::ScanPoints;
use crate::drawing::{Forecaster, PosedRobot, ScanError, TextLevel};

/// One robot at one point in sensor time.
///
/// No call fails, and none blocks unless [`ViewerConfig::queue_full`](crate::ViewerConfig) says so;
/// what cannot be drawn is counted, see [`SwarmViewer::counts`]. What is said is drawn at the next
/// [`SwarmViewer::team`], unless something newer replaces it before.
#[derive(Debug, Clone, Copy)]
pub struct RobotCanvas<'a> {
    pub(super) viewer: &'a SwarmViewer,
    pub(super) name: &'a AgentName,
    pub(super) stamp: Stamp,
}

impl RobotCanvas<'_> {
    /// A measured scan, and which of its beams hit what moves, where that is known.
    ///
    /// # Shapes
    /// `moving`: `[beam]`; beams beyond its end stand.
    pub fn scan(&self, world_from_scanner: Pose2, scan: &LidarScan, moving: Option<&[bool]>) {
        self.posed(SwarmLayer::Scans, world_from_scanner, |points_max, _| {
            let points = ScanPoints::new(world_from_scanner, scan, moving, points_max);
            let is_empty = points.is_empty();
            (!is_empty).then_some(RobotPart::Scan(points))
        });
    }

    /// What it imagined from a pose, and what it chose.
    pub fn plan(&self, world_from_base: Pose2, plan: &ImaginedPlan<'_>) {
        self.posed(SwarmLayer::Plans, world_from_base, |_, lines_max| {
            let plan = WorldPlan::new(world_from_base, plan, lines_max);
            let n_skipped = plan.n_skipped;
            self.viewer
                .tell(SwarmLayer::Plans, Fate::Skipped, n_skipped);
            (!plan.is_empty()).then_some(RobotPart::Plan(plan))
        });
    }

    /// Where it believes it is, with the covariance in its own frame.
    pub fn belief(&self, world_from_base: Pose2, covariance: &Covariance2) {
        self.posed(SwarmLayer::Beliefs, world_from_base, |_, _| {
            let is_finite = covariance.matrix().iter().all(|x| x.is_finite());
            is_finite.then_some(RobotPart::Belief(PosedRobot {
                world_from_base,
                covariance: *covariance,
            }))
        });
    }

    /// What it sees moving.
    pub fn movers(&self, world_from_scanner: Pose2, seen: &[SeenMover]) {
        self.posed(SwarmLayer::Movers, world_from_scanner, |_, _| {
            let movers = seen.iter().take(MOVERS_MAX);
            let movers: Vec<_> = movers
                .filter_map(|mover| WorldMover::new(world_from_scanner, mover))
                .collect();
            let n_skipped = (seen.len() - movers.len()) as u64;
            self.viewer
                .tell(SwarmLayer::Movers, Fate::Skipped, n_skipped);
            Some(RobotPart::Movers(movers))
        });
    }

    /// What it knows of other robots.
    pub fn neighbours(&self, world_from_base: Pose2, known: &[SeenNeighbour<'_>]) {
        self.posed(SwarmLayer::Neighbours, world_from_base, |_, _| {
            let neighbours = known.iter().take(NEIGHBOURS_MAX);
            let neighbours: Vec<_> = neighbours
                .filter_map(|neighbour| WorldNeighbour::new(world_from_base, neighbour))
                .collect();
            let n_skipped = (known.len() - neighbours.len()) as u64;
            self.viewer
                .tell(SwarmLayer::Neighbours, Fate::Skipped, n_skipped);
            Some(RobotPart::Neighbours(neighbours))
        });
    }

    /// How far a forecast was off, for the series of the robot and of the team.
    pub fn error(&self, horizon: Duration, forecaster: Forecaster, error: ScanError) {
        if !error.mae_m.is_finite() {
            return self.viewer.tell(SwarmLayer::Errors, Fate::Skipped, 1);
        }
        self.said(RobotPart::Error {
            horizon,
            forecaster,
            error,
        });
    }

    /// How long a stage took, for the series of the robot and of the team.
    pub fn latency(&self, stage: &str, taken: Duration) {
        self.said(RobotPart::Latency {
            stage: stage.to_owned(),
            taken,
        });
    }

    /// How long a stage may take, beside what it takes from now on; the team's series show the
    /// least that any robot said.
    pub fn budget(&self, stage: &str, limit: Duration) {
        self.said(RobotPart::Budget {
            stage: stage.to_owned(),
            limit,
        });
    }

    /// The rung of its degradation ladder that it plans on from now on, one of
    /// [`SwarmScene::rungs`](super::SwarmScene::rungs): said when it changes, never thinned.
    pub fn rung(&self, rung: &str) {
        self.said(RobotPart::Rung(rung.to_owned()));
    }

    /// A line for the log; never thinned.
    pub fn text(&self, level: TextLevel, message: &str) {
        self.said(RobotPart::Text(level, message.to_owned()));
    }

    fn said(&self, part: RobotPart) {
        self.viewer.say(self.stamp, self.name, part);
    }

    /// Something at a place, capped in rate: made from how many points and lines it may have.
    fn posed(
        &self,
        layer: SwarmLayer,
        pose: Pose2,
        make: impl FnOnce(usize, usize) -> Option<RobotPart>,
    ) {
        let Some(detail) = self.viewer.admit(layer, self.name, self.stamp) else {
            return;
        };
        let part = pose
            .is_finite()
            .then(|| make(detail.points_max, detail.lines_max))
            .flatten();
        match part {
            Some(part) => self.said(part),
            None => self.viewer.tell(layer, Fate::Skipped, 1),
        }
    }
}
