//! Following a route: one goal after the other.

use sedge_spacetime::{Pose2, wrap_angle};
use serde::{Deserialize, Serialize};

use crate::config::check_positive;
use crate::{ConfigError, Goal};

/// When a waypoint counts as reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// How near a waypoint on the way must be, in metres, positive. Default 0.5: it is passed, not
    /// parked at.
    pub tolerance_m: f64,
    /// How near the last one must be, in metres, positive. Default 0.2.
    pub final_tolerance_m: f64,
    /// How near the last one's heading must be if it has one, in radians, positive. Default 0.3.
    pub yaw_tolerance_rad: f64,
}

impl Default for RouteConfig {
    fn default() -> Self {
        Self {
            tolerance_m: 0.5,
            final_tolerance_m: 0.2,
            yaw_tolerance_rad: 0.3,
        }
    }
}

/// How far along a route a robot is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RouteState {
    /// On the way.
    Driving {
        /// Which waypoint is next.
        waypoint_idx: usize,
        /// That waypoint, in the base's frame now: what a planner is asked for.
        goal: Goal,
    },
    /// The last waypoint was reached; it stays reached.
    Reached,
}

/// Waypoints in the robot's own frame, reached one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteFollower {
    config: RouteConfig,
    waypoints: Vec<Goal>,
    waypoint_idx: usize,
}

impl RouteFollower {
    /// A route from its first waypoint on.
    ///
    /// # Units and frames
    /// Waypoints are in the robot's own frame: where it began.
    ///
    /// # Errors
    /// [`ConfigError`] for tolerances that nothing satisfies, and waypoints that are no places.
    pub fn new(config: RouteConfig, waypoints: Vec<Goal>) -> Result<Self, ConfigError> {
        check_positive("route.tolerance_m", config.tolerance_m)?;
        check_positive("route.final_tolerance_m", config.final_tolerance_m)?;
        check_positive("route.yaw_tolerance_rad", config.yaw_tolerance_rad)?;
        if waypoints.is_empty() {
            return Err(ConfigError::BadWaypoint { waypoint_idx: 0 });
        }
        match waypoints.iter().position(|it| !it.is_sound()) {
            Some(waypoint_idx) => Err(ConfigError::BadWaypoint { waypoint_idx }),
            None => Ok(Self {
                config,
                waypoints,
                waypoint_idx: 0,
            }),
        }
    }

    /// Where the robot is, for `start_from_base`; waypoints that it has come to are done. A pose
    /// that is not finite changes nothing.
    pub fn update(&mut self, start_from_base: Pose2) -> RouteState {
        // Each round finishes a waypoint, so that this ends.
        while let Some(waypoint) = self.waypoints.get(self.waypoint_idx) {
            if !self.is_reached(waypoint, start_from_base) {
                return RouteState::Driving {
                    waypoint_idx: self.waypoint_idx,
                    goal: waypoint.seen_from(start_from_base.inverse()),
                };
            }
            self.waypoint_idx += 1;
        }
        RouteState::Reached
    }

    /// The waypoints, in the robot's own frame.
    pub fn waypoints(&self) -> &[Goal] {
        &self.waypoints
    }

    fn is_reached(&self, waypoint: &Goal, pose: Pose2) -> bool {
        let [x_m, y_m] = waypoint.position_m;
        let distance_m = (x_m - pose.x_m).hypot(y_m - pose.y_m);
        if self.waypoint_idx + 1 < self.waypoints.len() {
            return distance_m <= self.config.tolerance_m;
        }
        let off_rad = waypoint
            .yaw_rad
            .map_or(0.0, |yaw_rad| wrap_angle(yaw_rad - pose.yaw_rad).abs());
        distance_m <= self.config.final_tolerance_m && off_rad <= self.config.yaw_tolerance_rad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower(waypoints: Vec<Goal>) -> RouteFollower {
        RouteFollower::new(RouteConfig::default(), waypoints).unwrap()
    }

    #[test]
    fn waypoints_are_reached_one_after_the_other_and_told_in_the_base_frame() {
        let mut route = follower(vec![Goal::place(2.0, 0.0), Goal::place(2.0, 2.0)]);
        let goal = |state| match state {
            RouteState::Driving { goal, waypoint_idx } => (waypoint_idx, goal.position_m),
            RouteState::Reached => panic!("not yet"),
        };
        assert_eq!(goal(route.update(Pose2::IDENTITY)), (0, [2.0, 0.0]));
        let quarter = std::f64::consts::FRAC_PI_2;
        let (idx, place) = goal(route.update(Pose2::new(1.6, 0.0, quarter)));
        assert_eq!(idx, 1);
        assert!((place[0] - 2.0).abs() < 1e-12 && (place[1] + 0.4).abs() < 1e-12);
        assert_eq!(route.update(Pose2::new(2.1, 1.9, 0.0)), RouteState::Reached);
        assert_eq!(route.update(Pose2::new(9.0, 9.0, 0.0)), RouteState::Reached);
    }

    #[test]
    fn the_last_heading_counts_if_there_is_one() {
        let goal = Goal {
            position_m: [1.0, 0.0],
            yaw_rad: Some(3.1),
        };
        let mut route = follower(vec![goal]);
        let is_driving = |state| matches!(state, RouteState::Driving { .. });
        assert!(is_driving(route.update(Pose2::new(1.0, 0.0, 0.0))));
        assert!(is_driving(route.update(Pose2::new(f64::NAN, 0.0, 0.0))));
        // Across the seam of angles.
        assert_eq!(
            route.update(Pose2::new(1.0, 0.0, -3.1)),
            RouteState::Reached
        );
    }

    #[test]
    fn routes_to_nowhere_are_refused() {
        let config = RouteConfig::default();
        assert!(RouteFollower::new(config, vec![]).is_err());
        let bad = vec![Goal::place(0.0, 0.0), Goal::place(f64::NAN, 0.0)];
        let refused = RouteFollower::new(config, bad).unwrap_err();
        assert_eq!(refused, ConfigError::BadWaypoint { waypoint_idx: 1 });
    }
}
