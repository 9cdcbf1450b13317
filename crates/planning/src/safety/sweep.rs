//! The way of a disc that drives a command and then brakes, against measured points.

use std::f64::consts::TAU;

use sedge_spacetime::{Pose2, Twist2, wrap_angle};
use sedge_world_model::{Action, LidarScan};

use super::{Evidence, SafetyConfig};

/// Motion is followed in steps of this length.
const STEP_SECS: f64 = 0.05;
/// Commands and braking together end within this many steps, whatever the limits.
const N_STEPS_MAX: usize = 4_000;
/// A base that stands may seem to move this much.
const DRIFT_M: f64 = 0.01;
/// Rounding of distances that should not shrink.
const ROUNDING_M: f64 = 1e-6;

/// Buffers for one check after another.
#[derive(Debug, Clone, Default)]
pub(super) struct Sweep {
    /// Measured points in the base's frame now.
    points_m: Vec<[f64; 2]>,
    /// Where the base comes along, from where it is now.
    places_m: Vec<[f64; 2]>,
    is_stopped: bool,
}

impl Sweep {
    pub(super) fn take_points(&mut self, scan: &LidarScan, base_now_from_scanner: Pose2) {
        let valid = (0..scan.ranges_m.len()).filter(|&beam| scan.is_valid(beam));
        let point = |beam: usize| {
            let (sin, cos) = scan.geometry.angle_rad(beam).sin_cos();
            let range_m = f64::from(scan.ranges_m[beam]);
            base_now_from_scanner.transform([range_m * cos, range_m * sin])
        };
        self.points_m.clear();
        self.points_m.extend(valid.map(point));
    }

    /// Drives the command at a share of its speed, after the base has reacted, and then brakes.
    pub(super) fn follow(
        &mut self,
        config: &SafetyConfig,
        twist: Twist2,
        actions: &[Action],
        factor: f64,
    ) {
        self.places_m.clear();
        self.places_m.push([0.0, 0.0]);
        self.is_stopped = false;
        let (mut pose, mut twist) = (Pose2::IDENTITY, twist);
        self.drive(&mut pose, twist, config.reaction_secs);
        for action in actions {
            let mut left_secs = action.duration.as_secs_f64();
            while left_secs > 0.0 && self.places_m.len() < N_STEPS_MAX {
                let secs = left_secs.min(STEP_SECS);
                let wanted = action.twist.scaled(factor);
                twist = self.accelerate(config, &mut pose, (twist, wanted), secs);
                left_secs -= secs;
            }
        }
        while self.places_m.len() < N_STEPS_MAX {
            if twist == Twist2::default() {
                self.is_stopped = true;
                break;
            }
            twist = self.accelerate(config, &mut pose, (twist, Twist2::default()), STEP_SECS);
        }
    }

    /// One step from a twist towards another. The faster of both is taken for the whole step where
    /// speed falls, and the new one where it rises: never less way than the base makes.
    fn accelerate(
        &mut self,
        config: &SafetyConfig,
        pose: &mut Pose2,
        (from, wanted): (Twist2, Twist2),
        secs: f64,
    ) -> Twist2 {
        let to = config.limits.approach(from, wanted, secs);
        let faster = |from: f64, to: f64| if from.abs() > to.abs() { from } else { to };
        let held = Twist2 {
            vx_mps: faster(from.vx_mps, to.vx_mps),
            vy_mps: faster(from.vy_mps, to.vy_mps),
            yaw_rate_radps: 0.5 * (from.yaw_rate_radps + to.yaw_rate_radps),
        };
        self.drive(pose, held, secs);
        to
    }

    fn drive(&mut self, pose: &mut Pose2, twist: Twist2, secs: f64) {
        *pose = *pose * Pose2::exp(twist.scaled(secs));
        self.places_m.push([pose.x_m, pose.y_m]);
    }

    /// Whether the way leads, by more than a base drifts at rest, to where no beam looks.
    pub(super) fn leaves_view(&self, scan: &LidarScan, evidence: &Evidence<'_>) -> bool {
        let geometry = scan.geometry;
        let span_rad = geometry.step_rad * (geometry.n_beams as f64 - 1.0);
        // Half a beam is seen beyond the outermost ones.
        if span_rad + geometry.step_rad >= TAU - ROUNDING_M {
            return false;
        }
        let middle_rad = geometry.first_angle_rad + 0.5 * span_rad;
        let half_rad = 0.5 * (span_rad + geometry.step_rad);
        let mount = evidence.base_now_from_scanner;
        self.places_m.iter().any(|&[x_m, y_m]| {
            let bearing_rad = y_m.atan2(x_m) - mount.yaw_rad;
            x_m.hypot(y_m) > DRIFT_M && wrap_angle(bearing_rad - middle_rad).abs() > half_rad
        })
    }

    /// Whether the disc stays clear of all points, and comes to a stop.
    pub(super) fn is_free(&self, config: &SafetyConfig) -> bool {
        let keep_m = config.radius_m + config.margin_m;
        let farthest_m = self.places_m.iter().map(|it| it[0].hypot(it[1]));
        let reach_m = farthest_m.fold(0.0, f64::max) + keep_m;
        let near = self
            .points_m
            .iter()
            .map(|&point| (point, point[0].hypot(point[1])))
            .filter(|&(_, now_m)| now_m <= reach_m);
        for (point, now_m) in near {
            // What is too close already may not come closer.
            let least_m = keep_m.min(now_m - ROUNDING_M);
            let mut legs = self.places_m.windows(2);
            if legs.any(|leg| distance_m(point, leg[0], leg[1]) < least_m) {
                return false;
            }
        }
        self.is_stopped
    }
}

/// Distance from a point to the straight line between two others.
fn distance_m(point: [f64; 2], from: [f64; 2], to: [f64; 2]) -> f64 {
    let (leg_x, leg_y) = (to[0] - from[0], to[1] - from[1]);
    let (x, y) = (point[0] - from[0], point[1] - from[1]);
    let length_m2 = leg_x * leg_x + leg_y * leg_y;
    let share = if length_m2 > 0.0 {
        ((x * leg_x + y * leg_y) / length_m2).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (x - share * leg_x).hypot(y - share * leg_y)
}
