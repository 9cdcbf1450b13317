//! Neighbours and tracked movers as discs that move.

use std::time::Duration;

use sedge_world_model::Reused;

/// Who goes first where two paths cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RightOfWay {
    /// Nobody has agreed on anything.
    #[default]
    Equal,
    /// The other goes first: it is given more room.
    TheyGo,
    /// The other is to give way: it is given less room, and a collision costs as much as ever.
    WeGo,
}

/// Where a disc will be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiscWaypoint {
    /// How long after the request's `now`.
    pub after: Duration,
    /// Its centre in the base's frame at `now`: forward and left, in metres.
    pub position_m: [f64; 2],
    /// Standard deviation of the centre in its worst direction, in metres.
    pub sigma_m: f64,
}

/// A neighbour's published intention, or a mover that a tracker sees, as a disc.
///
/// Between waypoints it moves straight; before the first it keeps the first velocity, after the
/// last one the last velocity; a single waypoint stands still.
#[derive(Debug, Clone, PartialEq)]
pub struct MovingDisc {
    /// Radius of its body, in metres.
    pub radius_m: f64,
    /// Where it will be, times rising; at least one.
    pub waypoints: Reused<DiscWaypoint>,
    /// How old the evidence is that this was made of: the uncertainty grows with it.
    pub age: Duration,
    /// Who goes first.
    pub right_of_way: RightOfWay,
}

/// How far ahead a velocity is written down; any later time continues it.
const VELOCITY_SPAN: Duration = Duration::from_secs(1);

impl MovingDisc {
    /// A disc that keeps its velocity, given in the base's frame at `now`.
    pub fn constant_velocity(
        radius_m: f64,
        position_m: [f64; 2],
        velocity_mps: [f64; 2],
        sigma_m: f64,
        age: Duration,
    ) -> Self {
        let secs = VELOCITY_SPAN.as_secs_f64();
        let there = [
            position_m[0] + secs * velocity_mps[0],
            position_m[1] + secs * velocity_mps[1],
        ];
        let waypoint = |after, position_m| DiscWaypoint {
            after,
            position_m,
            sigma_m,
        };
        Self {
            radius_m,
            waypoints: Reused::copy_of(&[
                waypoint(Duration::ZERO, position_m),
                waypoint(VELOCITY_SPAN, there),
            ]),
            age,
            right_of_way: RightOfWay::Equal,
        }
    }

    /// Centre and standard deviation some seconds after `now`; `None` without waypoints.
    pub fn at_secs(&self, secs: f64) -> Option<([f64; 2], f64)> {
        let first = self.waypoints.first()?;
        let after = self
            .waypoints
            .partition_point(|waypoint| waypoint.after.as_secs_f64() <= secs);
        // Outside of the waypoints the nearest leg is continued.
        let end = after.clamp(1, self.waypoints.len().max(2) - 1);
        let Some(to) = self.waypoints.get(end) else {
            return Some((first.position_m, first.sigma_m));
        };
        let from = &self.waypoints[end - 1];
        let span_secs = (to.after.as_secs_f64() - from.after.as_secs_f64()).max(1e-9);
        let share = (secs - from.after.as_secs_f64()) / span_secs;
        let mix = |a: f64, b: f64, share: f64| a + share * (b - a);
        let centre = [
            mix(from.position_m[0], to.position_m[0], share),
            mix(from.position_m[1], to.position_m[1], share),
        ];
        // A standard deviation is not continued: it may shrink along a leg, and must not vanish.
        Some((centre, mix(from.sigma_m, to.sigma_m, share.clamp(0.0, 1.0))))
    }

    /// What is wrong with it, if anything: not finite, negative, or out of order.
    pub(crate) fn defect(&self) -> Option<&'static str> {
        if !(self.radius_m.is_finite() && self.radius_m >= 0.0) {
            return Some("radius");
        }
        if self.waypoints.is_empty() {
            return Some("number of waypoints");
        }
        let is_rising = self
            .waypoints
            .windows(2)
            .all(|it| it[0].after < it[1].after);
        if !is_rising {
            return Some("order of waypoints");
        }
        let is_sound = |it: &DiscWaypoint| {
            it.position_m
                .iter()
                .all(|value| value.abs() < POSITION_MAX_M)
                && (0.0..POSITION_MAX_M).contains(&it.sigma_m)
        };
        if !self.waypoints.iter().all(is_sound) {
            return Some("waypoints");
        }
        None
    }
}

/// Positions farther away than this are no obstacle and no goal of this robot.
pub(crate) const POSITION_MAX_M: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disc_keeps_its_velocity_before_between_and_after_its_waypoints() {
        let age = Duration::ZERO;
        let disc = MovingDisc::constant_velocity(0.3, [2.0, 1.0], [-0.5, 0.25], 0.1, age);
        for secs in [-1.0, 0.0, 0.4, 1.0, 3.0] {
            let (centre, sigma_m) = disc.at_secs(secs).unwrap();
            assert!((centre[0] - (2.0 - 0.5 * secs)).abs() < 1e-12, "{secs}");
            assert!((centre[1] - (1.0 + 0.25 * secs)).abs() < 1e-12, "{secs}");
            assert!((sigma_m - 0.1).abs() < 1e-12);
        }
    }

    #[test]
    fn a_single_waypoint_stands_still_and_none_is_nowhere() {
        let mut disc =
            MovingDisc::constant_velocity(0.3, [2.0, 1.0], [1.0, 0.0], 0.1, Duration::ZERO);
        disc.waypoints.truncate(1);
        assert_eq!(disc.at_secs(5.0), Some(([2.0, 1.0], 0.1)));
        disc.waypoints.clear();
        assert_eq!(disc.at_secs(5.0), None);
        assert_eq!(disc.defect(), Some("number of waypoints"));
    }
}
