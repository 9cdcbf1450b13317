//! How a robot's odometry and scanner relate to its true motion.

use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};
use serde::{Deserialize, Serialize};

/// A linear correction of odometry: each increment `d` becomes `d * (C d)`.
///
/// It takes out what wheels get systematically wrong: radii, track width, a scanner mounted askew.
///
/// # Shapes
/// `matrix` is `[3, 3]`, rows and columns x (m), y (m), yaw (rad); all zeros corrects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OdometryCalibration {
    /// The matrix `C`, row by row.
    pub matrix: [[f64; 3]; 3],
}

impl OdometryCalibration {
    /// Odometry as it comes.
    pub const NONE: Self = Self {
        matrix: [[0.0; 3]; 3],
    };

    /// What the robot really did when odometry reported `increment`.
    pub fn corrected(&self, increment: Pose2) -> Pose2 {
        let row = |row: [f64; 3]| {
            row[0] * increment.x_m + row[1] * increment.y_m + row[2] * increment.yaw_rad
        };
        let [x_m, y_m, yaw_rad] = self.matrix.map(row);
        increment * Pose2 { x_m, y_m, yaw_rad }
    }
}

/// What is fitted once per robot: its odometry's calibration and its scanner's latency.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MotionModel {
    /// The correction of odometry.
    pub calibration: OdometryCalibration,
    /// How much later a scan is stamped than it was seen, on the odometry's clock, in seconds;
    /// negative when odometry is the later one.
    pub latency_secs: f64,
    /// Where future motion starts from registered scans, odometry is averaged over this long
    /// before and after a time, in seconds: the stamps of some odometry jitter. Zero for none.
    #[serde(default)]
    pub smoothing_secs: f64,
}

impl MotionModel {
    /// [`MotionModel::smoothing_secs`] as a duration; none where that is no duration.
    pub(crate) fn smoothing(&self) -> Duration {
        Duration::try_from_secs_f64(self.smoothing_secs).unwrap_or_default()
    }

    /// When, on the odometry's clock, a scan with this stamp was seen: `stamp - latency`.
    pub fn seen_at(&self, scan_stamp: Stamp) -> Stamp {
        // A latency that is no duration (NaN, centuries) is taken as none rather than believed.
        let amount = Duration::try_from_secs_f64(self.latency_secs.abs()).unwrap_or_default();
        if self.latency_secs >= 0.0 {
            scan_stamp - amount
        } else {
            scan_stamp + amount
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_calibration_changes_nothing() {
        let increment = Pose2::new(0.3, -0.1, 0.2);
        let rest = increment.between(OdometryCalibration::NONE.corrected(increment));
        assert!(rest.distance_m() < 1e-12 && rest.yaw_rad.abs() < 1e-12);
    }

    #[test]
    fn the_correction_is_made_in_the_frame_after_the_increment() {
        let matrix = [[0.1, 0.0, 0.0], [0.0; 3], [0.0, 0.0, -0.5]];
        let quarter = std::f64::consts::FRAC_PI_2;
        let corrected = OdometryCalibration { matrix }.corrected(Pose2::new(1.0, 0.0, quarter));
        assert!((corrected.x_m - 1.0).abs() < 1e-12);
        assert!((corrected.y_m - 0.1).abs() < 1e-12);
        assert!((corrected.yaw_rad - quarter / 2.0).abs() < 1e-12);
    }

    #[test]
    fn latency_moves_a_scan_back_and_negative_latency_forth() {
        let stamp = Stamp::from_nanos(1_000_000_000);
        let seen_at = |latency_secs| {
            MotionModel {
                latency_secs,
                ..MotionModel::default()
            }
            .seen_at(stamp)
            .nanos()
        };
        assert_eq!(seen_at(0.15), 850_000_000);
        assert_eq!(seen_at(-0.2), 1_200_000_000);
        assert_eq!(seen_at(f64::NAN), 1_000_000_000);
    }
}
