//! From a commanded twist to the body's velocity: motors, wheels, floor.

use sedge_spacetime::Twist2;
use serde::{Deserialize, Serialize};

use crate::physics::BodyState;
use crate::{Drive, STEP_SECS};

/// Standard gravity, in m/s².
pub(crate) const GRAVITY_MPS2: f64 = 9.81;

/// What drives one robot of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DrivePlan {
    pub(crate) drive: Drive,
    /// Speed of the wheels for a commanded speed of 1.
    pub(crate) motor_gain: f64,
    pub(crate) floor_friction: f64,
    /// How far from the middle the wheels push, for turning.
    pub(crate) radius_m: f64,
}

/// How fast the wheels would carry the base over a floor on which they do not slip.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Wheels {
    pub(crate) twist: Twist2,
}

impl DrivePlan {
    /// What a command can ask for: not finite is a stop, sideways is not for two wheels, and speeds
    /// are cut in their direction.
    pub(crate) fn clamped(&self, target: Twist2) -> Twist2 {
        if !target.is_finite() {
            return Twist2::default();
        }
        let limits = self.drive.limits();
        let vy_mps = match self.drive {
            Drive::Differential(_) => 0.0,
            Drive::Holonomic(_) => target.vy_mps,
        };
        let [vx_mps, vy_mps] = cut([target.vx_mps, vy_mps], limits.max_speed_mps);
        let turn_max = limits.max_yaw_rate_radps;
        Twist2 {
            vx_mps,
            vy_mps,
            yaw_rate_radps: target.yaw_rate_radps.clamp(-turn_max, turn_max),
        }
    }

    /// Moves the wheels towards the target and gives the body's new velocity in the world.
    ///
    /// The floor changes the body's velocity by at most friction times gravity in a second, and its
    /// rate of turn by what that friction at the wheels' distance can do to a disc.
    pub(crate) fn step(
        &self,
        wheels: &mut Wheels,
        target: Twist2,
        state: &BodyState,
    ) -> ([f64; 2], f64) {
        let limits = self.drive.limits();
        let wanted = self.clamped(target).scaled(self.motor_gain);
        let by_motor = [
            wanted.vx_mps - wheels.twist.vx_mps,
            wanted.vy_mps - wheels.twist.vy_mps,
        ];
        let [dx, dy] = cut(by_motor, limits.max_acceleration_mps2 * STEP_SECS);
        wheels.twist.vx_mps += dx;
        wheels.twist.vy_mps += dy;
        let turn_step = limits.max_yaw_acceleration_radps2 * STEP_SECS;
        let by_motor = wanted.yaw_rate_radps - wheels.twist.yaw_rate_radps;
        wheels.twist.yaw_rate_radps += by_motor.clamp(-turn_step, turn_step);

        let (sin, cos) = state.pose.yaw_rad.sin_cos();
        let [vx, vy] = state.velocity_mps;
        let rolled = wheels.twist;
        let by_floor = [
            cos * rolled.vx_mps - sin * rolled.vy_mps - vx,
            sin * rolled.vx_mps + cos * rolled.vy_mps - vy,
        ];
        let grip = self.floor_friction * GRAVITY_MPS2 * STEP_SECS;
        let [dx, dy] = cut(by_floor, grip);
        let turn_grip = 2.0 * grip / self.radius_m;
        let by_floor = rolled.yaw_rate_radps - state.yaw_rate_radps;
        let turn = state.yaw_rate_radps + by_floor.clamp(-turn_grip, turn_grip);
        ([vx + dx, vy + dy], turn)
    }
}

/// A vector, cut to a length.
pub(crate) fn cut([x, y]: [f64; 2], length_max: f64) -> [f64; 2] {
    let length = x.hypot(y);
    if length <= length_max {
        return [x, y];
    }
    let factor = length_max / length;
    [x * factor, y * factor]
}
