//! Where the robot is now, in the frame that its goals are in.

use sedge_oni::Odometry;
use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::Belief;

/// Odometry as it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HeardOdometry {
    pub(crate) stamp: Stamp,
    odometry_from_base: Pose2,
    pub(crate) twist: Twist2,
}

/// The newest odometry, the newest belief, and how the frames lie.
///
/// # Units and frames
/// Goals are in the frame "start", which is the origin of the robot's odometry: where the robot
/// stood when its wheels began to count. The model's own world begins where its first scan was
/// seen; the two are tied together by the odometry then, so that an agent that dies and begins anew
/// still knows where its goals are, as far as odometry does.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    base_from_scanner: Pose2,
    odometry: Option<HeardOdometry>,
    /// The newest odometry that is in the belief: what was heard since waits for a scan.
    fused: Option<Stamp>,
    scan: Option<(Stamp, Pose2)>,
    start_from_world: Option<Pose2>,
}

impl Whereabouts {
    pub(crate) fn new(base_from_scanner: Pose2) -> Self {
        Self {
            base_from_scanner,
            odometry: None,
            fused: None,
            scan: None,
            start_from_world: None,
        }
    }

    /// Forgets everything: the belief begins anew.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.base_from_scanner);
    }

    /// Takes in odometry; an older one than the newest changes nothing.
    pub(crate) fn moved(&mut self, stamp: Stamp, odometry: &Odometry) {
        if self.odometry.is_none_or(|newest| stamp > newest.stamp) {
            self.odometry = Some(HeardOdometry {
                stamp,
                odometry_from_base: odometry.odometry_from_base,
                twist: odometry.twist,
            });
        }
    }

    /// Notes that the belief holds odometry up to here.
    pub(crate) fn fused(&mut self, stamp: Stamp) {
        self.fused = Some(stamp);
    }

    /// Up to where the belief holds odometry.
    pub(crate) fn fused_until(&self) -> Option<Stamp> {
        self.fused
    }

    /// Takes in what is believed with a scan.
    pub(crate) fn believed(&mut self, scan_stamp: Stamp, belief: &Belief) {
        self.scan = Some((scan_stamp, belief.pose));
        if self.start_from_world.is_none()
            && let Some(odometry) = self.odometry
        {
            let start_from_scanner = odometry.odometry_from_base * self.base_from_scanner;
            self.start_from_world = Some(start_from_scanner * belief.pose.inverse());
        }
    }

    pub(crate) fn odometry(&self) -> Option<HeardOdometry> {
        self.odometry
    }

    pub(crate) fn twist(&self) -> Twist2 {
        self.odometry
            .map_or(Twist2::default(), |newest| newest.twist)
    }

    /// The base in the model's world.
    pub(crate) fn world_from_base(&self, now: Stamp) -> Option<Pose2> {
        let (_, world_from_scanner) = self.scan?;
        Some(world_from_scanner * self.base_now_from_scanner(now)?.inverse())
    }

    /// The base in the frame of its goals.
    pub(crate) fn start_from_base(&self, now: Stamp) -> Option<Pose2> {
        Some(self.start_from_world? * self.world_from_base(now)?)
    }

    /// The scanner at the newest scan, seen from the base now.
    pub(crate) fn base_now_from_scanner(&self, now: Stamp) -> Option<Pose2> {
        let (stamp, _) = self.scan?;
        let secs = now.secs_since(stamp).max(0.0);
        let then_from_now = Pose2::exp(self.twist().scaled(secs));
        Some(then_from_now.inverse() * self.base_from_scanner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sedge_spacetime::Covariance2;

    use super::*;

    fn belief(pose: Pose2) -> Belief {
        Belief {
            stamp: Stamp::ZERO,
            pose,
            covariance: Covariance2::zero(),
            latent: Vec::new().into(),
        }
    }

    fn near(a: Pose2, b: Pose2) {
        let off = a.between(b);
        assert!(
            off.distance_m() < 1e-9 && off.yaw_rad.abs() < 1e-9,
            "{a:?} {b:?}"
        );
    }

    #[test]
    fn goals_stay_where_they_are_when_the_belief_begins_anew() {
        let mount = Pose2::new(0.1, 0.0, 0.3);
        let mut whereabouts = Whereabouts::new(mount);
        let at = |millis: u64| Stamp::ZERO + Duration::from_millis(millis);
        let odometry = |odometry_from_base| Odometry {
            odometry_from_base,
            twist: Twist2::default(),
        };
        whereabouts.moved(at(0), &odometry(Pose2::IDENTITY));
        whereabouts.believed(at(0), &belief(Pose2::IDENTITY));
        near(whereabouts.start_from_base(at(0)).unwrap(), Pose2::IDENTITY);

        // It dies, and the next one begins elsewhere, with a world of its own.
        let there = Pose2::new(3.0, 1.0, 1.0);
        whereabouts.clear();
        assert_eq!(whereabouts.start_from_base(at(0)), None);
        whereabouts.moved(at(900), &odometry(there));
        whereabouts.believed(at(900), &belief(Pose2::IDENTITY));
        near(whereabouts.start_from_base(at(900)).unwrap(), there);
        let ahead = mount.inverse() * Pose2::new(1.0, 0.0, 0.0) * mount;
        whereabouts.believed(at(1_000), &belief(ahead));
        let expected = there * Pose2::new(1.0, 0.0, 0.0);
        near(whereabouts.start_from_base(at(1_000)).unwrap(), expected);
    }

    #[test]
    fn it_moves_on_between_scans() {
        let mut whereabouts = Whereabouts::new(Pose2::IDENTITY);
        let twist = Twist2 {
            vx_mps: 2.0,
            ..Twist2::default()
        };
        let odometry = Odometry {
            odometry_from_base: Pose2::IDENTITY,
            twist,
        };
        whereabouts.moved(Stamp::ZERO, &odometry);
        whereabouts.believed(Stamp::ZERO, &belief(Pose2::IDENTITY));
        let later = Stamp::ZERO + Duration::from_millis(250);
        let expected = Pose2::new(0.5, 0.0, 0.0);
        near(whereabouts.start_from_base(later).unwrap(), expected);
        let seen = whereabouts.base_now_from_scanner(later).unwrap();
        near(seen, expected.inverse());
    }
}
