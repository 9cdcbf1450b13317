//! Where odometry says the robot went, calibrated and readable at any time.

use std::collections::VecDeque;

use sedge_spacetime::{Pose2, Stamp, wrap_angle};

use crate::{
    ActionSequence, ImagineError, ObserveError, OdometryCalibration, OdometrySample, Reused,
};

/// Positions beyond this are no odometry: `f64` would no longer resolve a tenth of a micrometre.
const POSITION_MAX_M: f64 = 1e8;

/// A calibrated pose whose yaw counts full turns, so that it can be interpolated.
#[derive(Debug, Clone, Copy)]
struct Waypoint {
    stamp: Stamp,
    x_m: f64,
    y_m: f64,
    unwrapped_yaw_rad: f64,
}

impl Waypoint {
    fn pose(self) -> Pose2 {
        Pose2::new(self.x_m, self.y_m, wrap_angle(self.unwrapped_yaw_rad))
    }

    fn moved_by(self, increment: Pose2, stamp: Stamp) -> Self {
        let there = self.pose() * increment;
        Self {
            stamp,
            x_m: there.x_m,
            y_m: there.y_m,
            unwrapped_yaw_rad: self.unwrapped_yaw_rad + wrap_angle(increment.yaw_rad),
        }
    }

    fn towards(self, next: Self, stamp: Stamp) -> Pose2 {
        let share = stamp.secs_since(self.stamp) / next.stamp.secs_since(self.stamp);
        let mix = |a: f64, b: f64| a + share * (b - a);
        Pose2::new(
            mix(self.x_m, next.x_m),
            mix(self.y_m, next.y_m),
            wrap_angle(mix(self.unwrapped_yaw_rad, next.unwrapped_yaw_rad)),
        )
    }
}

/// The calibrated chain of odometry samples.
///
/// Between samples x, y and unwrapped yaw are interpolated linearly; before the first and after
/// the last sample the robot is taken to stand still. The chain starts at the first raw pose ever
/// pushed; only poses relative to each other mean anything. A dead-reckoned sample at its end is
/// gone as soon as a measured one comes, so what it got wrong is in no later pose.
#[derive(Debug, Clone)]
pub struct OdometryTrack {
    calibration: OdometryCalibration,
    waypoints: VecDeque<Waypoint>,
    /// The newest measured sample, as it came.
    newest_raw: Pose2,
    /// The same sample in the chain.
    measured: Option<Waypoint>,
    /// The last waypoint was carried on from `measured` by velocity.
    ends_reckoned: bool,
}

impl OdometryTrack {
    /// An empty track.
    pub fn new(calibration: OdometryCalibration) -> Self {
        Self {
            calibration,
            waypoints: VecDeque::new(),
            newest_raw: Pose2::IDENTITY,
            measured: None,
            ends_reckoned: false,
        }
    }

    /// The track of a whole episode.
    ///
    /// # Errors
    /// [`ObserveError`] for the first sample that [`OdometryTrack::push`] refuses.
    pub fn from_samples(
        samples: &[OdometrySample],
        calibration: OdometryCalibration,
    ) -> Result<Self, ObserveError> {
        let mut track = Self::new(calibration);
        for sample in samples {
            track.push(sample.stamp, sample.odometry_from_base)?;
        }
        Ok(track)
    }

    /// Appends a raw sample, in place of a dead-reckoned one.
    ///
    /// # Errors
    /// [`ObserveError`] when it is not later than the newest measured one, not finite, or absurdly
    /// far away.
    pub fn push(&mut self, stamp: Stamp, odometry_from_base: Pose2) -> Result<(), ObserveError> {
        let waypoint = match self.next(stamp, odometry_from_base)? {
            Some(next) => next,
            None => Waypoint {
                stamp,
                x_m: odometry_from_base.x_m,
                y_m: odometry_from_base.y_m,
                unwrapped_yaw_rad: odometry_from_base.yaw_rad,
            },
        };
        self.forget_reckoned();
        self.newest_raw = odometry_from_base;
        self.measured = Some(waypoint);
        self.waypoints.push_back(waypoint);
        Ok(())
    }

    /// Ends the chain with a raw pose that was not measured but carried on from the newest sample
    /// by velocity, in place of an earlier such pose. It holds until the next measured one.
    ///
    /// # Errors
    /// [`ObserveError`] as [`OdometryTrack::push`] has them, and before the first sample.
    pub fn reckon(&mut self, stamp: Stamp, odometry_from_base: Pose2) -> Result<(), ObserveError> {
        let what = "odometry before dead reckoning";
        let next = self.next(stamp, odometry_from_base)?;
        let waypoint = next.ok_or(ObserveError::Disordered { what })?;
        self.forget_reckoned();
        self.ends_reckoned = true;
        self.waypoints.push_back(waypoint);
        Ok(())
    }

    /// A raw pose as the waypoint after the newest measured one, if there is such.
    fn next(&self, stamp: Stamp, raw: Pose2) -> Result<Option<Waypoint>, ObserveError> {
        if !raw.is_finite() {
            return Err(ObserveError::NotFinite { what: "odometry" });
        }
        let got = raw.x_m.abs().max(raw.y_m.abs());
        if got > POSITION_MAX_M {
            return Err(ObserveError::TooLarge {
                what: "odometry",
                max: POSITION_MAX_M,
                got,
            });
        }
        let Some(measured) = self.measured else {
            return Ok(None);
        };
        if stamp <= measured.stamp {
            let newest = measured.stamp;
            return Err(ObserveError::Late { newest, stamp });
        }
        let increment = self.newest_raw.between(raw);
        Ok(Some(
            measured.moved_by(self.calibration.corrected(increment), stamp),
        ))
    }

    fn forget_reckoned(&mut self) {
        if std::mem::take(&mut self.ends_reckoned) {
            self.waypoints.pop_back();
        }
    }

    /// Drops samples that no pose at or after `stamp` depends on; the newest one always stays.
    pub fn forget_before(&mut self, stamp: Stamp) {
        while self
            .waypoints
            .get(1)
            .is_some_and(|second| second.stamp <= stamp)
        {
            self.waypoints.pop_front();
        }
    }

    /// Keeps at most this many of the newest samples, and always one.
    pub fn truncate_to_newest(&mut self, n_samples: usize) {
        while self.waypoints.len() > n_samples.max(1) {
            self.waypoints.pop_front();
        }
    }

    /// How many samples are kept.
    pub fn len(&self) -> usize {
        self.waypoints.len()
    }

    /// Whether there is no sample at all.
    pub fn is_empty(&self) -> bool {
        self.waypoints.is_empty()
    }

    /// The stamp of the oldest sample kept.
    pub fn oldest_stamp(&self) -> Option<Stamp> {
        self.waypoints.front().map(|waypoint| waypoint.stamp)
    }

    /// The stamp of the newest sample, a dead-reckoned one included.
    pub fn newest_stamp(&self) -> Option<Stamp> {
        self.waypoints.back().map(|waypoint| waypoint.stamp)
    }

    /// The calibrated pose at a time, or `None` for an empty track.
    pub fn pose_at(&self, stamp: Stamp) -> Option<Pose2> {
        let after = self
            .waypoints
            .partition_point(|waypoint| waypoint.stamp <= stamp);
        interpolate(|idx| self.waypoints.get(idx).copied(), after, stamp)
    }

    /// This track with planned motion after its newest sample.
    ///
    /// # Errors
    /// [`ImagineError`] for an empty track or actions that are not numbers.
    pub fn extended_by(&self, plan: &ActionSequence) -> Result<ExtendedTrack<'_>, ImagineError> {
        let newest = *self.waypoints.back().ok_or(ImagineError::NoBelief)?;
        let mut ahead = Reused::with_capacity(plan.actions.len() + 1);
        ahead.push(newest);
        let mut here = newest;
        for (action_idx, action) in plan.actions.iter().enumerate() {
            let twist = action.twist;
            let increment = Pose2::exp(twist.scaled(action.duration.as_secs_f64()));
            let next = here.moved_by(
                self.calibration.corrected(increment),
                here.stamp + action.duration,
            );
            // Finite twists can still overflow over long durations.
            if !twist.is_finite() || !next.pose().is_finite() {
                return Err(ImagineError::BadAction { action_idx, twist });
            }
            // No time, no motion; and stamps must increase for the interpolation.
            if next.stamp > here.stamp {
                ahead.push(next);
                here = next;
            }
        }
        Ok(ExtendedTrack {
            history: self,
            ahead,
        })
    }
}

/// Past odometry and planned motion as one track.
#[derive(Debug, Clone)]
pub struct ExtendedTrack<'a> {
    history: &'a OdometryTrack,
    /// From the newest sample on; never empty.
    ahead: Reused<Waypoint>,
}

impl ExtendedTrack<'_> {
    /// The calibrated pose at a time, past or planned.
    pub fn pose_at(&self, stamp: Stamp) -> Pose2 {
        let after = self
            .ahead
            .partition_point(|waypoint| waypoint.stamp <= stamp);
        let pose = if after == 0 {
            self.history.pose_at(stamp)
        } else {
            interpolate(|idx| self.ahead.get(idx).copied(), after, stamp)
        };
        // Neither half is ever empty: `extended_by` refuses an empty track.
        pose.unwrap_or_default()
    }
}

/// The pose at `stamp`, where `after` is the index of the first waypoint later than it.
fn interpolate(
    waypoint: impl Fn(usize) -> Option<Waypoint>,
    after: usize,
    stamp: Stamp,
) -> Option<Pose2> {
    let before = after.checked_sub(1).and_then(&waypoint);
    match (before, waypoint(after)) {
        (Some(before), Some(after)) => Some(before.towards(after, stamp)),
        (Some(end), None) | (None, Some(end)) => Some(end.pose()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
