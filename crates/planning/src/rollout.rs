//! Many motions at once: twists kept within limits, and where they lead.
//!
//! Arrays are laid out `[step, sample]` and the inner loops run over samples, without branches, so
//! that the compiler turns them into vector code.

use sedge_spacetime::{Pose2, Twist2};
use sedge_world_model::Reused;

use crate::MotionLimits;

/// Forward, left, turn rate; as [`Twist2`] in `f32`.
pub(crate) type Twist3 = [f32; 3];

pub(crate) fn twist3(twist: Twist2) -> Twist3 {
    [
        twist.vx_mps as f32,
        twist.vy_mps as f32,
        twist.yaw_rate_radps as f32,
    ]
}

pub(crate) fn twist2(twist: Twist3) -> Twist2 {
    Twist2 {
        vx_mps: f64::from(twist[0]),
        vy_mps: f64::from(twist[1]),
        yaw_rate_radps: f64::from(twist[2]),
    }
}

/// Limits of one step, in `f32`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepLimits {
    pub(crate) low: Twist3,
    pub(crate) high: Twist3,
    pub(crate) change_max: Twist3,
    pub(crate) step_secs: f32,
}

impl StepLimits {
    pub(crate) fn new(limits: &MotionLimits, step_secs: f64) -> Self {
        let (low, high) = limits.range();
        Self {
            low: twist3(low),
            high: twist3(high),
            change_max: twist3(limits.change_max(step_secs)),
            step_secs: step_secs as f32,
        }
    }
}

/// Where motions begin, in the base's frame at `now`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) pose: Pose2,
    pub(crate) twist: Twist3,
}

/// Motions of the same length from the same start.
#[derive(Debug, Clone)]
pub(crate) struct Rollouts {
    pub(crate) n_samples: usize,
    pub(crate) n_steps: usize,
    /// Commands before [`Rollouts::run`], what the base does after it. `[3][step, sample]`
    pub(crate) twists: [Vec<f32>; 3],
    /// Place and heading at the end of each step. `[step, sample]`
    pub(crate) x_m: Vec<f32>,
    pub(crate) y_m: Vec<f32>,
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
}

impl Rollouts {
    pub(crate) fn new(n_steps: usize, n_samples: usize) -> Self {
        let zeros = vec![0.0; n_steps * n_samples];
        Self {
            n_samples,
            n_steps,
            twists: [zeros.clone(), zeros.clone(), zeros.clone()],
            x_m: zeros.clone(),
            y_m: zeros.clone(),
            cos: zeros.clone(),
            sin: zeros,
        }
    }

    /// Commands one of the motions.
    pub(crate) fn command(&mut self, sample: usize, twists: &[Twist3]) {
        for (step, twist) in twists.iter().enumerate().take(self.n_steps) {
            for (axis, &value) in twist.iter().enumerate() {
                self.twists[axis][step * self.n_samples + sample] = value;
            }
        }
    }

    /// What one of the motions does.
    pub(crate) fn read_twists(&self, sample: usize, twists: &mut Vec<Twist3>) {
        twists.clear();
        twists.extend((0..self.n_steps).map(|step| {
            let idx = step * self.n_samples + sample;
            [0, 1, 2].map(|axis| self.twists[axis][idx])
        }));
    }

    /// The poses of one of the motions, the start first.
    pub(crate) fn poses(&self, sample: usize, start: Start) -> Reused<Pose2> {
        let after = (0..self.n_steps).map(|step| {
            let idx = step * self.n_samples + sample;
            let yaw_rad = f64::from(self.sin[idx]).atan2(f64::from(self.cos[idx]));
            Pose2::new(f64::from(self.x_m[idx]), f64::from(self.y_m[idx]), yaw_rad)
        });
        std::iter::once(start.pose).chain(after).collect()
    }

    /// Keeps the commands within the limits and follows them.
    pub(crate) fn run(&mut self, start: Start, limits: &StepLimits) {
        for axis in 0..3 {
            self.limit_axis(axis, start.twist[axis], limits);
        }
        let n = self.n_samples;
        let (sin, cos) = start.pose.yaw_rad.sin_cos();
        let (x_m, y_m) = (start.pose.x_m as f32, start.pose.y_m as f32);
        self.x_m[..n].fill(x_m);
        self.y_m[..n].fill(y_m);
        self.cos[..n].fill(cos as f32);
        self.sin[..n].fill(sin as f32);
        self.advance(0, limits.step_secs);
        for step in 1..self.n_steps {
            let (from, here) = ((step - 1) * n, step * n);
            for states in [&mut self.x_m, &mut self.y_m, &mut self.cos, &mut self.sin] {
                states.copy_within(from..here, here);
            }
            self.advance(step, limits.step_secs);
        }
    }

    fn limit_axis(&mut self, axis: usize, start: f32, limits: &StepLimits) {
        let n = self.n_samples;
        let (low, high, change) = (limits.low[axis], limits.high[axis], limits.change_max[axis]);
        let twists = &mut self.twists[axis];
        for twist in &mut twists[..n] {
            *twist = twist
                .max(low)
                .min(high)
                .max(start - change)
                .min(start + change);
        }
        for step in 1..self.n_steps {
            let (before, here) = twists.split_at_mut(step * n);
            let before = &before[(step - 1) * n..];
            for (twist, &before) in here[..n].iter_mut().zip(before) {
                let wanted = twist.max(low).min(high);
                *twist = wanted.max(before - change).min(before + change);
            }
        }
    }

    /// Moves the states of a step by its twists: the chord of a circular arc, along the heading at
    /// half the turn, which is SE(2)'s exponential map. The series are good to 1e-6 for half turns
    /// up to half a radian, which the configuration ensures.
    fn advance(&mut self, step: usize, step_secs: f32) {
        let range = step * self.n_samples..(step + 1) * self.n_samples;
        let [forward, left, turn] = &self.twists;
        let (forward, left, turn) = (
            &forward[range.clone()],
            &left[range.clone()],
            &turn[range.clone()],
        );
        let n = forward.len();
        let (x_m, y_m) = (
            &mut self.x_m[range.clone()][..n],
            &mut self.y_m[range.clone()][..n],
        );
        let (cos, sin) = (&mut self.cos[range.clone()][..n], &mut self.sin[range][..n]);
        let (left, turn) = (&left[..n], &turn[..n]);
        for i in 0..n {
            let half = 0.5 * step_secs * turn[i];
            let square = half * half;
            let sinc = 1.0 - square * (1.0 / 6.0 - square * (1.0 / 120.0 - square / 5040.0));
            let half_sin = half * sinc;
            let half_cos = 1.0 - square * (0.5 - square * (1.0 / 24.0 - square / 720.0));
            let middle_cos = cos[i] * half_cos - sin[i] * half_sin;
            let middle_sin = sin[i] * half_cos + cos[i] * half_sin;
            let chord = step_secs * sinc;
            x_m[i] += chord * (forward[i] * middle_cos - left[i] * middle_sin);
            y_m[i] += chord * (forward[i] * middle_sin + left[i] * middle_cos);
            cos[i] = middle_cos * half_cos - middle_sin * half_sin;
            sin[i] = middle_sin * half_cos + middle_cos * half_sin;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP_SECS: f64 = 0.1;

    fn run(twists: &[Twist3], limits: &MotionLimits, start: Start) -> Rollouts {
        let mut rollouts = Rollouts::new(twists.len(), 2);
        rollouts.command(1, twists);
        rollouts.run(start, &StepLimits::new(limits, STEP_SECS));
        rollouts
    }

    fn holonomic() -> MotionLimits {
        MotionLimits {
            drive: crate::Drive::Holonomic,
            ..MotionLimits::default()
        }
    }

    proptest! {
        #[test]
        fn motions_keep_the_limits_and_follow_the_exponential_map(
            twists in proptest::collection::vec(proptest::array::uniform3(-3.0..3.0f32), 1..20),
            start in proptest::array::uniform3(-0.3..0.3f32),
        ) {
            let limits = holonomic();
            let start = Start { pose: Pose2::new(0.3, -0.2, 0.7), twist: start };
            let rollouts = run(&twists, &limits, start);
            let mut done = Vec::new();
            rollouts.read_twists(1, &mut done);
            let poses = rollouts.poses(1, start);
            let (low, high) = limits.range();
            let change = twist3(limits.change_max(STEP_SECS));
            let (low, high) = (twist3(low), twist3(high));
            let (mut before, mut pose) = (start.twist, start.pose);
            for (step, twist) in done.iter().enumerate() {
                for axis in 0..3 {
                    prop_assert!((low[axis]..=high[axis]).contains(&twist[axis]));
                    prop_assert!((twist[axis] - before[axis]).abs() <= change[axis] + 1e-6);
                }
                pose = pose * Pose2::exp(twist2(*twist).scaled(STEP_SECS));
                let got = poses[step + 1];
                prop_assert!((pose.between(got)).distance_m() < 1e-4, "{pose:?} {got:?}");
                prop_assert!(pose.between(got).yaw_rad.abs() < 1e-4);
                before = *twist;
            }
            // What can be done is done to the bit when it is commanded again.
            let again = run(&done, &limits, start);
            prop_assert_eq!(rollouts.poses(1, start), again.poses(1, start));
        }
    }

    #[test]
    fn a_differential_drive_never_slides() {
        let start = Start {
            pose: Pose2::IDENTITY,
            twist: [0.0; 3],
        };
        let rollouts = run(&[[0.0, 5.0, 0.0]; 5], &MotionLimits::default(), start);
        assert!(rollouts.twists[1].iter().all(|&it| it == 0.0));
    }

    #[test]
    fn a_base_that_is_too_fast_slows_as_quickly_as_it_can() {
        let start = Start {
            pose: Pose2::IDENTITY,
            twist: [3.0, 0.0, 0.0],
        };
        let rollouts = run(&[[9.0, 0.0, 0.0]; 3], &MotionLimits::default(), start);
        let mut done = Vec::new();
        rollouts.read_twists(1, &mut done);
        assert!((done[0][0] - 2.9).abs() < 1e-6 && (done[2][0] - 2.7).abs() < 1e-6);
    }
}
