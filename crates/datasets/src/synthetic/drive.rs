//! The synthetic robot: where it drives, and what its wheels say.

use std::f64::consts::TAU;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha12Rng;
use sedge_spacetime::{Pose2, Twist2, wrap_angle};

use super::SyntheticConfig;
use super::world::{CORRIDOR_LENGTH_M, JUNCTION_X_M, OPEN_ROOMS_X_M, SIDE_CORRIDOR_LENGTH_M};

/// The simulation's step.
pub(super) const STEP: Duration = Duration::from_millis(10);
/// The same, in seconds.
pub(super) const STEP_SECS: f64 = 0.01;
/// A waypoint is reached at this distance, metres.
const REACHED_M: f64 = 0.3;
/// How far the robot misses the line on purpose, so that no two rounds are alike, metres.
const WANDER_M: f64 = 0.2;
const ACCELERATION_MPS2: f64 = 0.5;
const TURN_ACCELERATION_RADPS2: f64 = 2.0;
const TURN_RATE_MAX_RADPS: f64 = 0.8;
/// Pointing away from its goal by more than this, the robot turns on the spot.
const TURN_ON_SPOT_RAD: f64 = 0.6;
/// Wheels slip about this often while driving, for this long, and count this much too far.
const SLIPS_PER_SEC: f64 = 1.0 / 60.0;
const SLIP_SECS: f64 = 0.3;
const SLIP_SHARE: f64 = 0.3;

/// True and measured pose of the base at one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) world_from_base: Pose2,
    pub(super) odometry_from_base: Pose2,
}

/// One standard normal number (Box and Muller).
pub(super) fn normal(rng: &mut ChaCha12Rng) -> f64 {
    // 1 - u lies in (0, 1]: its logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

/// Once around the building; the robot goes round and round.
fn waypoints() -> [[f64; 2]; 12] {
    let [north_room, south_room] = OPEN_ROOMS_X_M;
    let side_end = SIDE_CORRIDOR_LENGTH_M - 1.5;
    [
        [north_room, 0.0],
        [north_room, 3.8],
        [north_room, 0.0],
        [JUNCTION_X_M, 0.0],
        [JUNCTION_X_M, side_end],
        [JUNCTION_X_M, 0.0],
        [south_room, 0.0],
        [south_room, -3.8],
        [south_room, 0.0],
        [CORRIDOR_LENGTH_M - 2.0, 0.0],
        [JUNCTION_X_M, 0.0],
        [2.0, 0.0],
    ]
}

/// The driver's mind.
struct Driver {
    twist: Twist2,
    waypoint_idx: usize,
    goal: [f64; 2],
    cruise_mps: f64,
    cruise_until_secs: f64,
}

impl Driver {
    fn new() -> Self {
        Self {
            twist: Twist2::default(),
            waypoint_idx: 0,
            goal: waypoints()[0],
            cruise_mps: 0.4,
            cruise_until_secs: 10.0,
        }
    }

    /// Accelerates towards what the way ahead asks for.
    fn step(&mut self, pose: Pose2, secs: f64, rng: &mut ChaCha12Rng) {
        if secs >= self.cruise_until_secs {
            let pauses = rng.random_bool(0.12);
            self.cruise_mps = if pauses {
                0.0
            } else {
                rng.random_range(0.2..0.6)
            };
            self.cruise_until_secs = secs
                + if pauses {
                    rng.random_range(1.0..4.0)
                } else {
                    rng.random_range(6.0..18.0)
                };
        }
        let ahead = [self.goal[0] - pose.x_m, self.goal[1] - pose.y_m];
        let distance_m = ahead[0].hypot(ahead[1]);
        if distance_m < REACHED_M {
            self.waypoint_idx = (self.waypoint_idx + 1) % waypoints().len();
            let mut wander = || rng.random_range(-WANDER_M..WANDER_M);
            let [x, y] = waypoints()[self.waypoint_idx];
            self.goal = [x + wander(), y + wander()];
        }
        let off_rad = wrap_angle(ahead[1].atan2(ahead[0]) - pose.yaw_rad);
        let wanted_mps = if off_rad.abs() > TURN_ON_SPOT_RAD {
            0.0
        } else {
            // Slow enough to stop at the goal, for most of them are corners.
            self.cruise_mps
                .min((2.0 * 0.5 * ACCELERATION_MPS2 * distance_m).sqrt())
        };
        let wanted_radps = if self.cruise_mps > 0.0 {
            (1.5 * off_rad).clamp(-TURN_RATE_MAX_RADPS, TURN_RATE_MAX_RADPS)
        } else {
            0.0
        };
        let towards = |now: f64, wanted: f64, rate: f64| {
            now + (wanted - now).clamp(-rate * STEP_SECS, rate * STEP_SECS)
        };
        self.twist.vx_mps = towards(self.twist.vx_mps, wanted_mps, ACCELERATION_MPS2);
        self.twist.yaw_rate_radps = towards(
            self.twist.yaw_rate_radps,
            wanted_radps,
            TURN_ACCELERATION_RADPS2,
        );
    }
}

/// Drives for so many steps; the first state is before the first step.
pub(super) fn drive(n_steps: usize, config: &SyntheticConfig, rng: &mut ChaCha12Rng) -> Vec<State> {
    let mut driver = Driver::new();
    let mut state = State {
        world_from_base: Pose2::new(2.0, 0.0, 0.0),
        odometry_from_base: Pose2::IDENTITY,
    };
    let mut slip_until_secs = 0.0;
    let mut states = Vec::with_capacity(n_steps + 1);
    states.push(state);
    for step in 0..n_steps {
        let secs = step as f64 * STEP_SECS;
        driver.step(state.world_from_base, secs, rng);
        let driven_m = driver.twist.vx_mps * STEP_SECS;
        let turned_rad = driver.twist.yaw_rate_radps * STEP_SECS;
        if rng.random_bool(SLIPS_PER_SEC * STEP_SECS) {
            slip_until_secs = secs + SLIP_SECS;
        }
        let slip = if secs < slip_until_secs {
            SLIP_SHARE
        } else {
            0.0
        };
        let counted_m = driven_m * (config.distance_scale + slip + 0.02 * normal(rng));
        let counted_rad = turned_rad * (config.yaw_scale + 0.02 * normal(rng))
            - driven_m * config.hidden_turn_rad_per_m;
        let movement = |vx_mps, yaw_rate_radps| {
            Pose2::exp(Twist2 {
                vx_mps,
                vy_mps: 0.0,
                yaw_rate_radps,
            })
        };
        state.world_from_base = state.world_from_base * movement(driven_m, turned_rad);
        state.odometry_from_base = state.odometry_from_base * movement(counted_m, counted_rad);
        states.push(state);
    }
    states
}
