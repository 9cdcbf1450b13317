//! Between what was imagined and what is asked later.

use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};

use crate::setting::Setting;
use crate::{DiscWaypoint, MovingDisc, Plan};

/// From where and when something was imagined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) now: Stamp,
    pub(crate) scan_stamp: Stamp,
    pub(crate) odometry_from_base: Pose2,
}

/// How the base moved since, and how long that took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shift {
    pub(crate) then_from_now: Pose2,
    pub(crate) elapsed: Duration,
}

impl Shift {
    /// A disc as it would have been told then.
    pub(crate) fn disc(&self, disc: &MovingDisc) -> MovingDisc {
        let waypoint = |it: &DiscWaypoint| DiscWaypoint {
            after: it.after + self.elapsed,
            position_m: self.then_from_now.transform(it.position_m),
            sigma_m: it.sigma_m,
        };
        MovingDisc {
            waypoints: disc.waypoints.iter().map(waypoint).collect(),
            ..disc.clone()
        }
    }

    /// Where and when motions begin, seen from then.
    pub(crate) fn setting(&self, now: Setting) -> Setting {
        let mut then = now;
        then.start.pose = self.then_from_now * now.start.pose;
        then.start_secs += self.elapsed.as_secs_f64();
        then
    }

    /// A plan that was found then, seen from now.
    pub(crate) fn back(&self, mut plan: Plan) -> Plan {
        let now_from_then = self.then_from_now.inverse();
        let point = |point: [f32; 2]| {
            let there = now_from_then.transform(point.map(f64::from));
            there.map(|it| it as f32)
        };
        for pose in &mut plan.poses {
            *pose = now_from_then * *pose;
        }
        for it in plan.fan.iter_mut().flat_map(|it| &mut it.points_m) {
            *it = point(*it);
        }
        plan
    }
}
