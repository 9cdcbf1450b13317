//! Where the robot is between two odometry messages, by how fast it went last.

use std::time::Duration;

use sedge_oni::Odometry;
use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::{ImuSample, Observation, SensorEvent};

/// Carries the newest odometry on by its velocity, and by a newer yaw rate of the inertial unit,
/// for so long and no longer.
///
/// # Error
/// Odometry states the mean velocity since the reading before, a period `T` of its own ago. At an
/// acceleration `a`, carrying it on for `t` is wrong by at most `a t (t + T) / 2`: at 2 m/s² and
/// 50 Hz by 0.3 mm after 10 ms and 0.8 mm after 20 ms, less than a scanner's noise by ten times.
/// The yaw rate of an inertial unit is of its stamp, so only its `a t² / 2` is left of the turn.
#[derive(Debug, Default)]
pub(crate) struct DeadReckoning {
    reach: Duration,
    moved: Option<(Stamp, Pose2, Twist2)>,
    turned: Option<(Stamp, f64)>,
}

impl DeadReckoning {
    /// Reaches so far beyond the newest odometry; zero for never.
    pub(crate) fn new(reach: Duration) -> Self {
        Self {
            reach,
            ..Self::default()
        }
    }

    /// Forgets everything heard, as after a restart of the streams.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.reach);
    }

    /// Takes in odometry; an older one than the newest changes nothing.
    pub(crate) fn moved(&mut self, stamp: Stamp, odometry: &Odometry) {
        let pose = odometry.odometry_from_base;
        if self.moved.is_none_or(|(newest, ..)| stamp > newest) {
            self.moved = Some((stamp, pose, odometry.twist));
        }
    }

    /// Takes in the newest of some inertial samples.
    pub(crate) fn turned(&mut self, stamp: Stamp, samples: &[ImuSample]) {
        let Some(sample) = samples.last() else {
            return;
        };
        let stamp = stamp + sample.offset;
        if self.turned.is_none_or(|(newest, _)| stamp > newest) {
            self.turned = Some((stamp, sample.yaw_rate_radps));
        }
    }

    /// The pose at a time after the newest odometry; nothing where no velocity is known, or only
    /// one that is too old for it.
    pub(crate) fn at(&self, stamp: Stamp) -> Option<SensorEvent> {
        let (newest, odometry_from_base, twist) = self.moved?;
        let ahead = stamp.saturating_since(newest);
        if ahead.is_zero() || ahead > self.reach {
            return None;
        }
        let is_newer = |&(turned, _): &(Stamp, f64)| turned > newest;
        let yaw_rate_radps = self.turned.filter(is_newer).map(|(_, rate)| rate);
        let twist = Twist2 {
            yaw_rate_radps: yaw_rate_radps.unwrap_or(twist.yaw_rate_radps),
            ..twist
        };
        let moved = Pose2::exp(twist.scaled(ahead.as_secs_f64()));
        let pose = odometry_from_base * moved;
        pose.is_finite().then_some(SensorEvent {
            stamp,
            observation: Observation::DeadReckoning(pose),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REACH: Duration = Duration::from_millis(20);

    fn millis(millis: u64) -> Stamp {
        Stamp::ZERO + Duration::from_millis(millis)
    }

    /// At 1 m along x, driving forward at 1 m/s and turning at 0.5 rad/s.
    fn driving(at_millis: u64) -> DeadReckoning {
        let mut reckoning = DeadReckoning::new(REACH);
        let odometry = Odometry {
            odometry_from_base: Pose2::new(1.0, 0.0, 0.0),
            twist: Twist2 {
                vx_mps: 1.0,
                vy_mps: 0.0,
                yaw_rate_radps: 0.5,
            },
        };
        reckoning.moved(millis(at_millis), &odometry);
        reckoning
    }

    fn imu(yaw_rate_radps: f64) -> [ImuSample; 1] {
        [ImuSample {
            offset: Duration::ZERO,
            yaw_rate_radps,
            acceleration_mps2: [0.0; 2],
        }]
    }

    fn pose(reckoning: &DeadReckoning, at_millis: u64) -> Option<Pose2> {
        let event = reckoning.at(millis(at_millis))?;
        assert_eq!(event.stamp, millis(at_millis));
        match event.observation {
            Observation::DeadReckoning(pose) => Some(pose),
            other => panic!("expected dead reckoning, got {other:?}"),
        }
    }

    #[test]
    fn a_velocity_carries_on_within_its_reach_and_no_further() {
        let reckoning = driving(40);
        let there = pose(&reckoning, 50).unwrap();
        assert!((there.x_m - 1.01).abs() < 1e-6 && (there.yaw_rad - 0.005).abs() < 1e-12);
        assert!(pose(&reckoning, 60).is_some());
        assert_eq!(pose(&reckoning, 61), None);
        assert_eq!(pose(&reckoning, 40), None, "that is odometry's own");
    }

    #[test]
    fn a_newer_yaw_rate_turns_it_and_an_older_one_does_not() {
        let mut reckoning = driving(40);
        reckoning.turned(millis(40), &imu(2.0));
        assert!((pose(&reckoning, 50).unwrap().yaw_rad - 0.005).abs() < 1e-12);
        reckoning.turned(millis(45), &imu(1.0));
        reckoning.turned(millis(30), &imu(9.0));
        reckoning.turned(millis(48), &[]);
        assert!((pose(&reckoning, 50).unwrap().yaw_rad - 0.01).abs() < 1e-12);
    }

    #[test]
    fn without_a_velocity_or_a_finite_one_nothing_is_reckoned() {
        assert_eq!(pose(&DeadReckoning::new(REACH), 10), None);
        let mut reckoning = driving(40);
        reckoning.turned(millis(45), &imu(f64::NAN));
        assert_eq!(pose(&reckoning, 50), None);
        reckoning.clear();
        assert_eq!(pose(&reckoning, 50), None);
        assert_eq!(pose(&DeadReckoning::default(), 50), None);
    }
}
