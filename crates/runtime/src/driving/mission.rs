//! Where the robot was told to go.

use sedge_oni::{Envelope, Goal as GoalMessage, Key, Waypoint};
use sedge_planning::{ConfigError, Goal, RouteConfig, RouteFollower, RouteState};
use sedge_spacetime::{AgentName, FrameName, Pose2};

/// The share of what is tolerated at the end that it stops within: it only believes where it is,
/// and a tolerance is of where it truly is.
const AIMED: f64 = 0.5;

/// The frame that goals are in; see [`super::whereabouts::Whereabouts`].
const FRAME: &str = "start";
/// A waypoint that takes this much or more takes any heading.
const ANY_YAW_RAD: f64 = 4.0;

/// Why a goal is not taken.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("it is for others")]
    ForOthers,
    #[error("expected waypoints in the frame {FRAME:?}, got {got}")]
    OtherFrame { got: String },
    #[error("a newer one came before it")]
    Older,
    #[error(transparent)]
    Route(#[from] ConfigError),
}

/// What to aim for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// No goal.
    Nowhere,
    /// A goal, and nobody knows yet where the robot is.
    Unplaced,
    /// The next waypoint, in the base's frame now.
    Towards(Goal),
    /// The last waypoint was reached.
    Arrived,
}

/// The newest goal, and how far along it the robot is.
#[derive(Debug)]
pub(crate) struct Mission {
    config: RouteConfig,
    newest: Option<(Key, u64, u64)>,
    route: Option<RouteFollower>,
}

impl Mission {
    pub(crate) fn new(config: RouteConfig) -> Self {
        Self {
            config,
            newest: None,
            route: None,
        }
    }

    /// Takes a goal in place of the one before. A goal without waypoints takes it back.
    pub(crate) fn take(
        &mut self,
        key: &Key,
        envelope: &Envelope,
        goal: &GoalMessage,
        robot: &AgentName,
    ) -> Result<(), NotTaken> {
        if !goal.is_for(robot) {
            return Err(NotTaken::ForOthers);
        }
        let frame = envelope.frame.as_ref().map(FrameName::as_str);
        if frame != Some(FRAME) {
            let got = frame.unwrap_or("none").to_owned();
            return Err(NotTaken::OtherFrame { got });
        }
        let (epoch, sequence) = (envelope.source.epoch, envelope.source.sequence);
        let is_older = |newest: &(Key, u64, u64)| {
            newest.0 == *key && (epoch, sequence) <= (newest.1, newest.2)
        };
        if self.newest.as_ref().is_some_and(is_older) {
            return Err(NotTaken::Older);
        }
        let route = match goal.waypoints.as_slice() {
            [] => None,
            waypoints => Some(self.route_along(waypoints)?),
        };
        self.newest = Some((key.clone(), epoch, sequence));
        self.route = route;
        Ok(())
    }

    /// What to aim for, from a pose in the frame of the goals.
    pub(crate) fn aim(&mut self, start_from_base: Option<Pose2>) -> Aim {
        let Some(route) = &mut self.route else {
            return Aim::Nowhere;
        };
        let Some(pose) = start_from_base else {
            return Aim::Unplaced;
        };
        match route.update(pose) {
            RouteState::Driving { goal, .. } => Aim::Towards(goal),
            RouteState::Reached => Aim::Arrived,
        }
    }

    /// The strictest tolerance on the way, and a share of that of the last waypoint.
    fn route_along(&self, waypoints: &[Waypoint]) -> Result<RouteFollower, ConfigError> {
        let mut config = self.config;
        if let [on_the_way @ .., last] = waypoints {
            let tolerances = on_the_way.iter().map(|it| it.position_tolerance_m);
            config.tolerance_m = tolerances.fold(f64::INFINITY, f64::min).min(1e3);
            config.final_tolerance_m = AIMED * last.position_tolerance_m;
            config.yaw_tolerance_rad = last.yaw_tolerance_rad;
        }
        let goal = |waypoint: &Waypoint| Goal {
            position_m: [waypoint.goal_from_base.x_m, waypoint.goal_from_base.y_m],
            yaw_rad: (waypoint.yaw_tolerance_rad < ANY_YAW_RAD)
                .then_some(waypoint.goal_from_base.yaw_rad),
        };
        RouteFollower::new(config, waypoints.iter().map(goal).collect())
    }
}

#[cfg(test)]
mod tests {
    use sedge_oni::{Capture, Source};
    use sedge_spacetime::Stamp;

    use super::*;

    fn key(stream: &str) -> Key {
        Key::parse(&format!("oni/flock/crane1/mission.goal/{stream}")).unwrap()
    }

    fn envelope(epoch: u64, sequence: u64, frame: &str) -> Envelope {
        let source = Source {
            agent: AgentName::new("crane1").unwrap(),
            epoch,
            sequence,
        };
        let mut envelope = Envelope::new(source, Capture::exact(Stamp::ZERO, "simulation"));
        envelope.frame = Some(FrameName::new(frame).unwrap());
        envelope
    }

    fn goal(places: &[[f64; 2]]) -> GoalMessage {
        let waypoint = |[x, y]: &[f64; 2]| Waypoint {
            goal_from_base: Pose2::new(*x, *y, 0.0),
            position_tolerance_m: 0.3,
            yaw_tolerance_rad: 4.0,
            deadline: None,
        };
        GoalMessage {
            agents: Vec::new(),
            waypoints: places.iter().map(waypoint).collect(),
        }
    }

    #[test]
    fn it_stops_well_within_what_is_tolerated() {
        let me = AgentName::new("crane1").unwrap();
        let mut mission = Mission::new(RouteConfig::default());
        let envelope = envelope(1, 0, "start");
        let taken = mission.take(&key("route"), &envelope, &goal(&[[2.0, 0.0]]), &me);
        assert_eq!(taken.ok(), Some(()));
        // Within 0.3 m, but not if its place is off by the least.
        let near = mission.aim(Some(Pose2::new(1.75, 0.0, 0.0)));
        assert!(matches!(near, Aim::Towards(_)), "{near:?}");
        let there = mission.aim(Some(Pose2::new(1.9, 0.0, 0.0)));
        assert!(matches!(there, Aim::Arrived), "{there:?}");
    }

    #[test]
    fn a_newer_goal_replaces_and_an_empty_one_takes_it_back() {
        let me = AgentName::new("crane1").unwrap();
        let mut mission = Mission::new(RouteConfig::default());
        let mut take = |stream: &str, at: (u64, u64), places: &[[f64; 2]]| {
            let envelope = envelope(at.0, at.1, "start");
            let taken = mission.take(&key(stream), &envelope, &goal(places), &me);
            (taken, mission.aim(Some(Pose2::IDENTITY)))
        };
        let towards = |x, y| Aim::Towards(Goal::place(x, y));
        assert_eq!(
            take("route", (1, 0), &[[5.0, 0.0]]),
            (Ok(()), towards(5.0, 0.0))
        );
        let older = (Err(NotTaken::Older), towards(5.0, 0.0));
        assert_eq!(take("route", (1, 0), &[[9.0, 0.0]]), older);
        assert_eq!(
            take("other", (1, 0), &[[0.0, 2.0]]),
            (Ok(()), towards(0.0, 2.0))
        );
        assert_eq!(take("other", (1, 1), &[]), (Ok(()), Aim::Nowhere));
        let passed = take("other", (1, 2), &[[0.1, 0.0], [4.0, 0.0]]);
        assert_eq!(passed, (Ok(()), towards(4.0, 0.0)));
        assert_eq!(take("other", (1, 3), &[[0.1, 0.0]]), (Ok(()), Aim::Arrived));
    }

    #[test]
    fn goals_of_others_or_of_other_frames_are_refused() {
        let me = AgentName::new("crane1").unwrap();
        let mut mission = Mission::new(RouteConfig::default());
        let there = goal(&[[5.0, 0.0]]);
        let refused = mission.take(&key("route"), &envelope(1, 0, "world"), &there, &me);
        assert!(
            matches!(refused, Err(NotTaken::OtherFrame { .. })),
            "{refused:?}"
        );
        let theirs = GoalMessage {
            agents: vec![AgentName::new("crane2").unwrap()],
            ..there.clone()
        };
        let refused = mission.take(&key("route"), &envelope(1, 0, "start"), &theirs, &me);
        assert_eq!(refused, Err(NotTaken::ForOthers));
        let nowhere = goal(&[[1e9, 0.0]]);
        let refused = mission.take(&key("route"), &envelope(1, 0, "start"), &nowhere, &me);
        assert!(matches!(refused, Err(NotTaken::Route(_))), "{refused:?}");
        assert_eq!(mission.aim(Some(Pose2::IDENTITY)), Aim::Nowhere);
        let taken = mission.take(&key("route"), &envelope(1, 0, "start"), &there, &me);
        assert_eq!((taken, mission.aim(None)), (Ok(()), Aim::Unplaced));
    }
}
