//! Plans that need no search: the rest of the one before, straight to the goal, along the way to
//! it, braking.

use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::{Action, Reused};

use crate::rollout::{Twist3, twist2, twist3};
use crate::way::Way;
use crate::{Drive, Goal, PlannerConfig};

/// How strongly the goal's direction turns the base, in rad/s per radian.
const TURN_GAIN: f64 = 2.0;
/// How strongly the goal's distance drives it, in m/s per metre.
const DRIVE_GAIN: f64 = 1.0;
/// How far along the way is aimed at, in metres.
const LOOK_AHEAD_M: f64 = 0.8;

/// What was planned before, and from when on.
#[derive(Debug, Clone)]
pub(crate) struct Previous {
    pub(crate) start: Stamp,
    pub(crate) twists: Reused<Twist3>,
}

/// What follows the end of a plan that is shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// The last twist is held.
    Hold,
    /// The base stands still.
    Stop,
}

impl Previous {
    /// Of actions a step each, as long as `n_steps`: a shorter plan holds its last twist, and none
    /// at all is no plan.
    pub(crate) fn of(start: Stamp, actions: &[Action], n_steps: usize) -> Option<Self> {
        let mut twists: Reused<Twist3> = actions.iter().map(|it| twist3(it.twist)).collect();
        let last = twists.last().copied()?;
        twists.resize(n_steps, last);
        Some(Self { start, twists })
    }

    /// The rest of it from `start` on, or `None` if there is no rest.
    pub(crate) fn shifted(
        &self,
        start: Stamp,
        step_secs: f64,
        tail: Tail,
    ) -> Option<Reused<Twist3>> {
        let shift = start.secs_since(self.start) / step_secs;
        let n = self.twists.len();
        if !(0.0..n as f64).contains(&shift) {
            return None;
        }
        let whole = shift as usize;
        let share = (shift - whole as f64) as f32;
        let end = match tail {
            Tail::Hold => self.twists.last().copied().unwrap_or_default(),
            Tail::Stop => [0.0; 3],
        };
        let at = |step: usize| self.twists.get(step).copied().unwrap_or(end);
        let mixed = |step: usize| {
            let (from, to) = (at(whole + step), at(whole + step + 1));
            [0, 1, 2].map(|axis| from[axis] + share * (to[axis] - from[axis]))
        };
        Some((0..n).map(mixed).collect())
    }
}

/// Straight to the goal, obstacles or not.
pub(crate) fn towards_goal(
    config: &PlannerConfig,
    start: Pose2,
    twist: Twist3,
    goal: &Goal,
) -> Reused<Twist3> {
    let (mut pose, mut twist) = (start, twist2(twist));
    let step = |_| {
        let wanted = pursuit(config, pose, goal);
        twist = config.limits.approach(twist, wanted, config.step_secs);
        pose = pose * Pose2::exp(twist.scaled(config.step_secs));
        twist3(twist)
    };
    (0..config.n_steps).map(step).collect()
}

/// Along the way around obstacles, as far as these are known.
pub(crate) fn along_way(
    config: &PlannerConfig,
    start: Pose2,
    twist: Twist3,
    (way, goal): (&Way, &Goal),
) -> Reused<Twist3> {
    let (mut pose, mut twist) = (start, twist2(twist));
    let step = |_| {
        let heading = way.at(pose.x_m as f32, pose.y_m as f32);
        let length_m = f64::from(heading.length_m);
        let towards = heading.towards.map(f64::from);
        let next = Goal::place(
            pose.x_m + LOOK_AHEAD_M * towards[0],
            pose.y_m + LOOK_AHEAD_M * towards[1],
        );
        let next = if length_m < LOOK_AHEAD_M { *goal } else { next };
        let wanted = pursuit(config, pose, &next);
        twist = config.limits.approach(twist, wanted, config.step_secs);
        pose = pose * Pose2::exp(twist.scaled(config.step_secs));
        twist3(twist)
    };
    (0..config.n_steps).map(step).collect()
}

fn pursuit(config: &PlannerConfig, pose: Pose2, goal: &Goal) -> Twist2 {
    let [ahead_m, left_m] = pose.inverse().transform(goal.position_m);
    let distance_m = ahead_m.hypot(left_m);
    let bearing_rad = left_m.atan2(ahead_m);
    let braking_mps = (2.0 * config.limits.acceleration_mps2_max * distance_m).sqrt();
    let speed_mps = (DRIVE_GAIN * distance_m)
        .max(0.5 * braking_mps)
        .min(config.costs.speed_mps_preferred);
    let is_there = distance_m < 0.5 * config.costs.heading_within_m;
    let off_rad = match goal.yaw_rad {
        Some(yaw_rad) if is_there => sedge_spacetime::wrap_angle(yaw_rad - pose.yaw_rad),
        None if is_there => 0.0,
        _ => bearing_rad,
    };
    let (vx_mps, vy_mps) = match config.limits.drive {
        Drive::Differential => (speed_mps * bearing_rad.cos().max(0.0), 0.0),
        Drive::Holonomic => (speed_mps * bearing_rad.cos(), speed_mps * bearing_rad.sin()),
    };
    Twist2 {
        vx_mps,
        vy_mps,
        yaw_rate_radps: TURN_GAIN * off_rad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn previous() -> Previous {
        Previous {
            start: Stamp::ZERO,
            twists: (0..4).map(|step| [step as f32, 0.0, 1.0]).collect(),
        }
    }

    fn shifted(millis: u64, tail: Tail) -> Option<Vec<f32>> {
        let start = Stamp::ZERO + Duration::from_millis(millis);
        let twists = previous().shifted(start, 0.1, tail)?;
        Some(twists.iter().map(|it| it[0]).collect())
    }

    #[test]
    fn a_plan_is_shifted_by_whole_steps_and_parts() {
        assert_eq!(shifted(0, Tail::Hold).unwrap(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(shifted(200, Tail::Hold).unwrap(), [2.0, 3.0, 3.0, 3.0]);
        assert_eq!(shifted(200, Tail::Stop).unwrap(), [2.0, 3.0, 0.0, 0.0]);
        assert_eq!(shifted(50, Tail::Hold).unwrap(), [0.5, 1.5, 2.5, 3.0]);
    }

    #[test]
    fn a_plan_of_others_is_cut_or_held_to_our_length() {
        let action = |vx_mps: f64| Action {
            duration: Duration::from_millis(100),
            twist: twist2([vx_mps as f32, 0.0, 0.0]),
        };
        let speeds = |n_steps| {
            let previous = Previous::of(Stamp::ZERO, &[1.0, 2.0, 3.0].map(action), n_steps);
            let twists = previous.unwrap().twists;
            twists.iter().map(|it| it[0]).collect::<Vec<f32>>()
        };
        assert_eq!(speeds(2), [1.0, 2.0]);
        assert_eq!(speeds(5), [1.0, 2.0, 3.0, 3.0, 3.0]);
        assert!(Previous::of(Stamp::ZERO, &[], 5).is_none());
    }

    #[test]
    fn a_plan_that_is_over_or_not_begun_is_none() {
        assert_eq!(shifted(400, Tail::Hold), None);
        let start = Stamp::from_nanos(-1);
        assert!(previous().shifted(start, 0.1, Tail::Hold).is_none());
    }

    #[test]
    fn both_drives_get_to_the_goal() {
        for drive in [Drive::Differential, Drive::Holonomic] {
            let mut config = PlannerConfig {
                n_steps: 100,
                ..PlannerConfig::default()
            };
            config.limits.drive = drive;
            let goal = Goal::place(-2.0, 1.0);
            let twists = towards_goal(&config, Pose2::IDENTITY, [0.0; 3], &goal);
            let pose = twists.iter().fold(Pose2::IDENTITY, |pose, &twist| {
                pose * Pose2::exp(twist2(twist).scaled(config.step_secs))
            });
            let off_m = (pose.x_m + 2.0).hypot(pose.y_m - 1.0);
            assert!(off_m < 0.1, "{drive:?}: {off_m}");
        }
    }
}
