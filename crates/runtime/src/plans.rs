//! What the robot will do: the newest commanded plan, or else what it does now.

use std::collections::VecDeque;
use std::time::Duration;

use sedge_oni::Command;
use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::{Action, ActionSequence, Reused};

/// Plans that may wait for their scan: with a backlog, a plan can be ahead of the sensors.
const PLANS_MAX: usize = 64;
/// Odometry samples that a speed is read from.
const SAMPLES_MAX: usize = 64;
/// A speed over less time than this is mostly the resolution of the encoders.
const SPEED_TIME_MIN: Duration = Duration::from_millis(100);
/// How much further than the longest horizon a held speed is stated, so that a model with a
/// scanner latency of its own never runs out of actions.
const HELD_BEYOND: Duration = Duration::from_secs(1);

/// Where the actions of a prediction came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanSource {
    /// A fresh `actuator.cmd`.
    Commanded,
    /// None was there: the last speed is held.
    Assumed,
}

/// Keeps the commanded plans and the newest odometry, both bounded.
#[derive(Debug)]
pub(crate) struct Plans {
    age_max: Duration,
    held_for: Duration,
    commanded: VecDeque<(Stamp, Reused<Action>)>,
    samples: VecDeque<(Stamp, Pose2)>,
    /// Up to where velocity carries the newest of them on.
    reckoned: Option<Stamp>,
}

impl Plans {
    pub(crate) fn new(age_max: Duration, horizon_max: Duration) -> Self {
        Self {
            age_max,
            held_for: horizon_max + HELD_BEYOND,
            commanded: VecDeque::new(),
            samples: VecDeque::new(),
            reckoned: None,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.commanded.clear();
        self.samples.clear();
        self.reckoned = None;
    }

    /// Keeps a plan; the oldest is forgotten when there are too many, and a second one of the same
    /// stamp replaces the first.
    pub(crate) fn command(&mut self, stamp: Stamp, command: &Command) {
        let action = |step: &sedge_oni::CommandStep| Action {
            duration: step.duration,
            twist: step.twist,
        };
        self.keep(stamp, command.steps.iter().map(action).collect());
    }

    /// As [`Plans::command`], of a plan of one's own.
    pub(crate) fn keep(&mut self, stamp: Stamp, actions: Reused<Action>) {
        let idx = self.commanded.partition_point(|(kept, _)| *kept < stamp);
        match self.commanded.get_mut(idx) {
            Some((kept, plan)) if *kept == stamp => *plan = actions,
            _ => self.commanded.insert(idx, (stamp, actions)),
        }
        if self.commanded.len() > PLANS_MAX {
            self.commanded.pop_front();
        }
    }

    /// The actions from the newest odometry on, where `actions` are executed from `now` on.
    pub(crate) fn chosen(&self, now: Stamp, actions: &ActionSequence) -> ActionSequence {
        let begin = self.odometry_until().unwrap_or(now);
        self.aligned(now, &actions.actions, begin)
    }

    /// Notes odometry that a belief has taken in.
    pub(crate) fn moved(&mut self, stamp: Stamp, odometry_from_base: Pose2) {
        self.reckoned = None;
        self.samples.push_back((stamp, odometry_from_base));
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// Notes up to where a belief took velocity for odometry, until the next odometry.
    pub(crate) fn reckoned(&mut self, stamp: Stamp) {
        self.reckoned = Some(stamp);
    }

    fn odometry_until(&self) -> Option<Stamp> {
        let newest = self.samples.back().map(|(stamp, _)| *stamp);
        self.reckoned.or(newest)
    }

    /// The actions from the newest odometry on, for a belief whose newest scan is `scan_stamp`.
    ///
    /// The newest plan that is stamped at or before the newest of both is used if it is at most
    /// `age_max` older than that odometry; its part before the newest odometry is over and left
    /// out, and where it begins later, the last speed is held until it does.
    pub(crate) fn actions(&self, scan_stamp: Stamp) -> (ActionSequence, PlanSource) {
        let begin = self.odometry_until().unwrap_or(scan_stamp);
        let reference = begin.max(scan_stamp);
        let n_begun = self
            .commanded
            .partition_point(|(stamp, _)| *stamp <= reference);
        let newest = n_begun.checked_sub(1).map(|idx| &self.commanded[idx]);
        match newest.filter(|(stamp, _)| begin.saturating_since(*stamp) <= self.age_max) {
            Some((stamp, plan)) => (self.aligned(*stamp, plan, begin), PlanSource::Commanded),
            None => (self.held(self.held_for), PlanSource::Assumed),
        }
    }

    fn aligned(&self, stamp: Stamp, plan: &[Action], begin: Stamp) -> ActionSequence {
        let mut actions = match stamp.saturating_since(begin) {
            Duration::ZERO => Reused::new(),
            gap => self.held(gap).actions,
        };
        let mut over = begin.saturating_since(stamp);
        for action in plan {
            let duration = action.duration.saturating_sub(over);
            over = over.saturating_sub(action.duration);
            if duration > Duration::ZERO {
                actions.push(Action {
                    duration,
                    twist: action.twist,
                });
            }
        }
        ActionSequence { actions }
    }

    fn held(&self, duration: Duration) -> ActionSequence {
        let held = Action {
            duration,
            twist: self.speed(),
        };
        ActionSequence {
            actions: Reused::filled(held, 1),
        }
    }

    /// Over the last tenth of a second or so; zero until two samples are in.
    fn speed(&self) -> Twist2 {
        let Some((newest_stamp, newest)) = self.samples.back() else {
            return Twist2::default();
        };
        let old_enough = |(stamp, _): &&(Stamp, Pose2)| *stamp + SPEED_TIME_MIN <= *newest_stamp;
        let earlier = self
            .samples
            .iter()
            .rev()
            .find(old_enough)
            .or(self.samples.front());
        match earlier.map(|(stamp, pose)| (newest_stamp.secs_since(*stamp), pose)) {
            Some((secs, pose)) if secs > 0.0 => pose.between(*newest).log().scaled(1.0 / secs),
            _ => Twist2::default(),
        }
    }
}

#[cfg(test)]
mod tests;
