//! Where and when motions begin.

use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};

use crate::PlanRequest;
use crate::rollout::{Start, twist3};

/// The request, turned into where and when motions begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) start: Start,
    pub(crate) start_stamp: Stamp,
    /// After the time that fields count from.
    pub(crate) start_secs: f64,
    pub(crate) scan_age: Duration,
}

/// Where and when motions begin: after what is in flight.
pub(crate) fn setting(request: &PlanRequest<'_>) -> Setting {
    let (mut pose, mut twist, mut start_stamp) = (Pose2::IDENTITY, request.twist, request.now);
    for action in request.in_flight {
        pose = pose * Pose2::exp(action.twist.scaled(action.duration.as_secs_f64()));
        start_stamp = start_stamp + action.duration;
        twist = action.twist;
    }
    Setting {
        start: Start {
            pose,
            twist: twist3(twist),
        },
        start_stamp,
        start_secs: request.in_flight_secs(),
        scan_age: request.now.saturating_since(request.scan_stamp),
    }
}
