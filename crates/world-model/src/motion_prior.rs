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
