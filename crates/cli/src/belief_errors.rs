//! How far from the truth agents believe they are.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use sedge_oni::{BeliefReport, TypedMessage as _};
use sedge_runtime::swarm::{Sender, SwarmObserver};
use sedge_simulation::{RobotDraw, RunHeader};
use sedge_spacetime::{AgentName, Pose2, Stamp};
use sedge_transport::Outgoing;

use crate::cockpit::{Cockpit, TruePose, truth_of};

/// True poses that are remembered of each robot: beliefs are about the newest scan, a tick or two
/// ago.
const N_TRUTHS: usize = 32;
/// A truth this near in time to a belief is what it is compared with.
const APART_MAX: Duration = Duration::from_millis(15);

/// Watches a run and measures beliefs; the cockpit watches along.
pub(crate) struct BeliefErrors<'c> {
    cockpit: &'c mut Cockpit,
    robots: BTreeMap<AgentName, Tally>,
}

struct Tally {
    world_from_start: Pose2,
    truths: VecDeque<(Stamp, Pose2)>,
    n: u64,
    sum_m: f64,
    max_m: f64,
}

/// How wrong the beliefs of a run were about their place, in metres.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct PlaceError {
    /// Over all beliefs of all robots.
    pub(crate) mean_m: f64,
    /// The worst.
    pub(crate) max_m: f64,
}

impl<'c> BeliefErrors<'c> {
    pub(crate) fn new(header: &RunHeader, cockpit: &'c mut Cockpit) -> Self {
        let tally = |robot: &RobotDraw| Tally {
            world_from_start: robot.start,
            truths: VecDeque::new(),
            n: 0,
            sum_m: 0.0,
            max_m: 0.0,
        };
        let robots = header.robots.iter();
        Self {
            cockpit,
            robots: robots
                .map(|robot| (robot.agent_name(), tally(robot)))
                .collect(),
        }
    }

    /// What came of it; none before the first belief.
    pub(crate) fn place_error(&self) -> Option<PlaceError> {
        let tallies = self.robots.values();
        let (n, sum_m, max_m) = tallies.fold((0, 0.0, 0.0_f64), |(n, sum_m, max_m), tally| {
            (n + tally.n, sum_m + tally.sum_m, max_m.max(tally.max_m))
        });
        (n > 0).then(|| PlaceError {
            mean_m: sum_m / n as f64,
            max_m,
        })
    }

    fn hear(&mut self, outgoing: &Outgoing) -> Option<()> {
        if let Some(TruePose { stamp, agent, pose }) = truth_of(outgoing) {
            let tally = self.robots.get_mut(&agent)?;
            tally.truths.push_back((stamp, pose));
            if tally.truths.len() > N_TRUTHS {
                tally.truths.pop_front();
            }
            return None;
        }
        if outgoing.key.message_type() != BeliefReport::NAME {
            return None;
        }
        let message = outgoing.message.decode().ok()?;
        let believed = BeliefReport::from_message(&message)
            .ok()?
            .world_from_scanner;
        let envelope = message.envelope();
        let tally = self.robots.get_mut(&envelope.source.agent)?;
        tally.compare(envelope.capture.stamp, believed)
    }
}

impl Tally {
    fn compare(&mut self, stamp: Stamp, believed: Pose2) -> Option<()> {
        let apart = |at: Stamp| at.saturating_since(stamp).max(stamp.saturating_since(at));
        let nearest = self.truths.iter().min_by_key(|(at, _)| apart(*at));
        let (_, truth) = nearest.filter(|(at, _)| apart(*at) <= APART_MAX)?;
        let off = truth.between(self.world_from_start * believed);
        let off_m = off.x_m.hypot(off.y_m);
        self.n += 1;
        self.sum_m += off_m;
        self.max_m = self.max_m.max(off_m);
        Some(())
    }
}

impl SwarmObserver for BeliefErrors<'_> {
    fn on_message(&mut self, at: Stamp, sender: Sender, outgoing: &Outgoing) {
        self.hear(outgoing);
        self.cockpit.on_message(at, sender, outgoing);
    }

    fn on_tick(&mut self, at: Stamp) -> ControlFlow<()> {
        self.cockpit.on_tick(at)
    }

    fn on_failure(&mut self, at: Stamp, member: &AgentName, why: &str) {
        self.cockpit.on_failure(at, member, why);
    }
}
