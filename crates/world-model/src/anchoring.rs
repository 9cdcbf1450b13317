//! From odometry's account of where the robot goes to where the newest scan will be left behind.
//!
//! Stamps jitter: a scan was not seen exactly where odometry was at its stamp. Registration knows
//! better for every scan but the future ones, so the future motion starts from where odometry,
//! anchored at several recent registered scans, says that the newest scan was.

use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};

/// How fast earlier scans lose their say: long enough to average jitter, short enough not to
/// collect drift. Seconds.
const ANCHOR_DECAY_SECS: f64 = 0.4;
/// Scans older than this have no say, seconds.
pub(crate) const ANCHOR_AGE_MAX_SECS: f64 = 1.2;
/// Smoothing takes so many samples on each side.
const N_SMOOTHING: u32 = 4;

/// The mean of the poses from `smoothing` before a time to as long after it.
pub(crate) fn smoothed_pose(
    pose_at: impl Fn(Stamp) -> Pose2,
    stamp: Stamp,
    smoothing: Duration,
) -> Pose2 {
    let centre = pose_at(stamp);
    if smoothing.is_zero() {
        return centre;
    }
    let mut mean = Mean::default();
    mean.add(Pose2::IDENTITY, 1.0);
    for step in 1..=N_SMOOTHING {
        let off = smoothing * step / N_SMOOTHING;
        mean.add(centre.between(pose_at(stamp - off)), 1.0);
        mean.add(centre.between(pose_at(stamp + off)), 1.0);
    }
    centre * mean.pose()
}

/// A scan whose pose is known twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    /// By registration.
    pub(crate) registered: Pose2,
    /// By (smoothed) odometry.
    pub(crate) odometry: Pose2,
}

/// Where odometry, anchored at recent scans, says that the newest scan was, in the frame of where
/// registration says it was. `earlier` are ages in seconds and scans, in any order.
pub(crate) fn newest_from_anchored(
    newest: Anchor,
    earlier: impl Iterator<Item = (f64, Anchor)>,
) -> Pose2 {
    let mut mean = Mean::default();
    mean.add(Pose2::IDENTITY, 1.0);
    for (age_secs, anchor) in earlier.filter(|&(age_secs, _)| age_secs <= ANCHOR_AGE_MAX_SECS) {
        let predicted = anchor.registered * anchor.odometry.between(newest.odometry);
        let weight = (-age_secs.max(0.0) / ANCHOR_DECAY_SECS).exp();
        mean.add(newest.registered.between(predicted), weight);
    }
    mean.pose()
}

/// A weighted mean of small movements.
#[derive(Default)]
struct Mean {
    weight: f64,
    x_m: f64,
    y_m: f64,
    yaw_rad: f64,
}

impl Mean {
    fn add(&mut self, small: Pose2, weight: f64) {
        self.weight += weight;
        self.x_m += weight * small.x_m;
        self.y_m += weight * small.y_m;
        self.yaw_rad += weight * small.yaw_rad;
    }

    /// Must not be empty.
    fn pose(&self) -> Pose2 {
        let scale = 1.0 / self.weight;
        Pose2::new(self.x_m * scale, self.y_m * scale, self.yaw_rad * scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMOOTHING: Duration = Duration::from_millis(120);

    fn turning(stamp: Stamp) -> Pose2 {
        Pose2::new(0.5 * stamp.secs(), 0.0, 0.3 * stamp.secs())
    }

    #[test]
    fn steady_motion_is_not_changed_by_smoothing() {
        let stamp = Stamp::from_nanos(2_000_000_000);
        let off = turning(stamp).between(smoothed_pose(turning, stamp, SMOOTHING));
        assert!(
            off.distance_m() < 1e-9 && off.yaw_rad.abs() < 1e-9,
            "{off:?}"
        );
    }

    #[test]
    fn a_jump_of_odometry_is_spread_over_the_smoothing() {
        let jump = |stamp: Stamp| Pose2::new(f64::from(stamp.nanos() >= 0), 0.0, 0.0);
        let shortly_before = smoothed_pose(jump, Stamp::from_nanos(-50_000_000), SMOOTHING);
        assert!(
            (shortly_before.x_m - 3.0 / 9.0).abs() < 1e-9,
            "{shortly_before:?}"
        );
    }

    #[test]
    fn the_jitter_of_one_stamp_is_mostly_corrected() {
        let at = |secs: f64| Stamp::from_secs(secs).unwrap();
        // Scans every 0.2 s; the newest was seen 40 ms before its stamp says.
        let earlier = (1..=5).map(|k| {
            let age_secs = 0.2 * f64::from(k);
            let pose = turning(at(2.0 - age_secs));
            (
                age_secs,
                Anchor {
                    registered: pose,
                    odometry: pose,
                },
            )
        });
        let newest = Anchor {
            registered: turning(at(1.96)),
            odometry: turning(at(2.0)),
        };
        let correction = newest_from_anchored(newest, earlier);
        let left = (0.3 * 0.04 - correction.yaw_rad) / (0.3 * 0.04);
        assert!((0.2..0.5).contains(&left), "left of the jitter: {left}");
    }

    #[test]
    fn without_earlier_scans_nothing_is_corrected() {
        let newest = Anchor {
            registered: Pose2::new(1.0, 2.0, 0.5),
            odometry: Pose2::IDENTITY,
        };
        let far = Anchor {
            registered: Pose2::IDENTITY,
            odometry: Pose2::new(9.0, 9.0, 1.0),
        };
        let correction = newest_from_anchored(newest, std::iter::once((5.0, far)));
        assert_eq!(correction, Pose2::IDENTITY);
    }
}
