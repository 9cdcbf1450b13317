//! What odometry and gyroscope say of a movement, before the scans have a say.

use sedge_spacetime::{Pose2, Stamp, wrap_angle};

use crate::gyro_track::GyroTrack;

/// A movement as expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionPrior {
    /// The scan's pose if the movement was as expected.
    pub predicted: Pose2,
    /// The movement since the scan before.
    pub moved: Pose2,
    /// Standard deviation of its turn in radians, where a gyroscope measured it.
    pub yaw_sigma_rad: Option<f64>,
}

/// Odometry's movement between two times with the gyroscope's turn, as far as it reaches, and the
/// standard deviation of that turn.
pub(crate) fn turned_by_gyro(
    odometry_at: impl Fn(Stamp) -> Pose2,
    gyro: &GyroTrack,
    (from, to): (Stamp, Stamp),
) -> (Pose2, Option<f64>) {
    let moved = odometry_at(from).between(odometry_at(to));
    let Some(turn) = gyro.turn(from, to) else {
        return (moved, None);
    };
    let rest = odometry_at(turn.until).between(odometry_at(to));
    let yaw_rad = turn.yaw_rad + rest.yaw_rad;
    // What wheels got wrong in heading bent the way by half of it on average.
    let bent = Pose2::new(0.0, 0.0, 0.5 * wrap_angle(yaw_rad - moved.yaw_rad));
    let [x_m, y_m] = bent.transform([moved.x_m, moved.y_m]);
    let sigma_rad = turn.sigma_rad.hypot(0.1 * rest.yaw_rad);
    (Pose2::new(x_m, y_m, wrap_angle(yaw_rad)), Some(sigma_rad))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{crowded_drive, full_circle};
    use crate::registration::learn_bias;
    use crate::{MotionModel, Observation, OdometryTrack, RegisteredScan, RegistrationOutcome};

    /// A drive with wheels that slip and a gyroscope with a bias: the turn between scans.
    #[test]
    fn with_a_gyroscope_the_expected_turn_is_several_times_nearer_to_the_truth() {
        let episode = crowded_drive(full_circle(8), 30.0, (1, 2));
        let calibration = MotionModel::default().calibration;
        let track = OdometryTrack::from_samples(&episode.odometry, calibration).unwrap();
        let odometry_at = |stamp| track.pose_at(stamp).unwrap();
        let mut gyro = GyroTrack::default();
        for event in &episode.others {
            if let Observation::Imu(samples) = &event.observation {
                gyro.push(event.stamp, samples).unwrap();
            }
        }
        let (mut by_wheels, mut by_gyro, mut n_sure) = (0.0, 0.0, 0);
        let mut done: Vec<(Stamp, RegisteredScan)> = Vec::new();
        for pair in episode.scans.windows(2) {
            let times = (pair[0].stamp, pair[1].stamp);
            let truth = [0, 1].map(|k| pair[k].reference.unwrap());
            let turned = truth[0].between(truth[1]).yaw_rad;
            let (moved, sigma_rad) = turned_by_gyro(odometry_at, &gyro, times);
            if let (true, Some(sigma_rad)) = (times.0.secs() > 5.0, sigma_rad) {
                let wheels = odometry_at(times.0).between(odometry_at(times.1)).yaw_rad;
                by_wheels += (wheels - turned).abs();
                by_gyro += (moved.yaw_rad - turned).abs();
                n_sure += u32::from((moved.yaw_rad - turned).abs() < 3.0 * sigma_rad);
            }
            done.push((
                times.0,
                RegisteredScan {
                    map_from_scan: truth[0],
                    outcome: RegistrationOutcome::Registered,
                },
            ));
            learn_bias(&mut gyro, &done);
        }
        assert!(by_gyro < 0.5 * by_wheels, "{by_gyro} for {by_wheels}");
        assert!(n_sure > 230, "{n_sure} of about 249");
    }
}
