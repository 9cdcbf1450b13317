//! Which places earlier scans saw through: what is there now has come since.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use nalgebra::Vector2;
use sedge_spacetime::{Pose2, Stamp};

use crate::bearing::bearing_rad;
use crate::{LidarScan, RANGE_MAX_M, RANGE_MIN_M, Reused, ScanGeometry};

/// A scan is asked if it is the newest of at least one of these ages, seconds: slow movers show
/// only after a while, fast ones at once.
const ASKED_AGES_SECS: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// Scans that follow closer than this are not kept, seconds.
const SPACING_SECS: f64 = 0.09;
/// Kept at most, whatever their stamps say.
const N_SCANS_MAX: usize = 128;
/// So many earlier scans must have seen through a place, where there are so many.
const N_FREE_MIN: usize = 2;
/// A beam must go this much farther than a place to have seen through it: range noise, surfaces'
/// roughness and what registration is off, metres ...
const THROUGH_M: f64 = 0.15;
/// ... and so much more per metre away, for the angle that registration is off.
const THROUGH_SHARE: f64 = 0.015;

/// What a scan says about a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It saw through: nothing was there.
    Free,
    /// It saw a surface there.
    Taken,
    /// It cannot tell: something nearer, no return, or out of view.
    Unknown,
}

/// A scan and where it was seen from.
#[derive(Debug, Clone)]
pub(crate) struct PlacedScan {
    stamp: Stamp,
    scan: LidarScan,
    scan_from_map: Pose2,
    is_all_round: bool,
}

impl PlacedScan {
    pub(crate) fn new(stamp: Stamp, scan: &LidarScan, map_from_scan: Pose2) -> Self {
        Self {
            stamp,
            scan: scan.clone(),
            scan_from_map: map_from_scan.inverse(),
            is_all_round: is_all_round(scan.geometry),
        }
    }

    fn range_m(&self, beam: isize) -> Option<f64> {
        let n_beams = self.scan.ranges_m.len();
        let beam = if self.is_all_round {
            beam.rem_euclid(n_beams.max(1).cast_signed())
        } else {
            beam
        };
        let range = *self.scan.ranges_m.get(usize::try_from(beam).ok()?)?;
        (range > RANGE_MIN_M && range < RANGE_MAX_M).then_some(f64::from(range))
    }

    /// What it says about a place in the map. Three neighbouring beams must agree that it is free:
    /// at the edge of something nearer, a little misplaced, one alone would see past it.
    pub(crate) fn look_at(&self, place_in_map: Vector2<f64>) -> Look {
        let [x, y] = self.scan_from_map.transform(place_in_map.into());
        let range = x.hypot(y);
        let geometry = self.scan.geometry;
        let angle = bearing_rad(y, x) - geometry.first_angle_rad;
        let angle = if self.is_all_round {
            angle.rem_euclid(TAU)
        } else {
            angle
        };
        let beam = (angle / geometry.step_rad).round();
        // Also refuses NaN.
        if !(beam > -2.0 && beam < (geometry.n_beams + 1) as f64) {
            return Look::Unknown;
        }
        let beam = beam as isize;
        let margin = THROUGH_M + THROUGH_SHARE * range;
        let Some(centre) = self.range_m(beam) else {
            return Look::Unknown;
        };
        let sides = [beam - 1, beam + 1].map(|beam| self.range_m(beam).unwrap_or(centre));
        let nearest = centre.min(sides[0]).min(sides[1]);
        if nearest > range + margin {
            Look::Free
        } else if [centre, sides[0], sides[1]]
            .iter()
            .any(|seen| (seen - range).abs() <= margin)
        {
            Look::Taken
        } else {
            Look::Unknown
        }
    }
}

/// Whether the last beam's neighbour is the first.
pub(crate) fn is_all_round(geometry: ScanGeometry) -> bool {
    (geometry.n_beams as f64 * geometry.step_rad - TAU).abs() < 0.5 * geometry.step_rad
}

/// The scans of the last seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeenSpace {
    /// Oldest first.
    scans: VecDeque<PlacedScan>,
}

impl SeenSpace {
    /// Which points lie where more of the earlier scans saw through than saw a surface. `[point]`
    pub(crate) fn newly_taken(
        &self,
        now: Stamp,
        points_in_map: impl Iterator<Item = Option<Vector2<f64>>>,
    ) -> Reused<bool> {
        let asked = self.asked(now);
        let is_new = |point: Option<Vector2<f64>>| {
            let Some(point) = point else { return false };
            let (mut n_free, mut n_taken) = (0, 0);
            for &scan in &asked {
                match self.scans[scan].look_at(point) {
                    Look::Free => n_free += 1,
                    Look::Taken => n_taken += 1,
                    Look::Unknown => {}
                }
            }
            n_free > n_taken && n_free >= N_FREE_MIN.min(asked.len())
        };
        points_in_map.map(is_new).collect()
    }

    pub(crate) fn remember(&mut self, scan: PlacedScan) {
        let stamp = scan.stamp;
        let is_close = |newest: &PlacedScan| stamp.secs_since(newest.stamp) < SPACING_SECS;
        if self.scans.back().is_some_and(is_close) {
            return;
        }
        self.scans.push_back(scan);
        let oldest_secs = ASKED_AGES_SECS[ASKED_AGES_SECS.len() - 1];
        let is_old = |it: &PlacedScan| stamp.secs_since(it.stamp) >= oldest_secs;
        while self.scans.len() > N_SCANS_MAX || self.scans.get(1).is_some_and(is_old) {
            self.scans.pop_front();
        }
    }

    fn asked(&self, now: Stamp) -> Reused<usize> {
        let of_age = |&age_secs: &f64| {
            let is_old = |it: &PlacedScan| now.secs_since(it.stamp) >= age_secs;
            self.scans.iter().rposition(is_old)
        };
        let mut chosen: Reused<usize> = ASKED_AGES_SECS.iter().filter_map(of_age).collect();
        chosen.dedup();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_scenes::{Room, half_circle};

    const ROOM: Room = Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    };

    fn placed(secs: f64, from: Pose2) -> PlacedScan {
        let scan = ROOM.scan(half_circle(181), from);
        PlacedScan::new(Stamp::from_secs(secs).unwrap(), &scan, from)
    }

    #[test]
    fn a_scan_tells_free_from_taken_from_unknown() {
        let scan = placed(0.0, Pose2::new(-1.0, 0.5, 0.2));
        let check = |place: [f64; 2], expected| {
            assert_eq!(scan.look_at(place.into()), expected, "{place:?}");
        };
        check([1.0, 0.5], Look::Free);
        check([4.0, 1.0], Look::Taken);
        check([6.0, 1.0], Look::Unknown);
        check([-3.0, 0.0], Look::Unknown);
        check([f64::NAN, 0.0], Look::Unknown);
    }

    #[test]
    fn walls_seen_a_little_askew_are_not_new_but_a_thing_in_the_middle_is() {
        let mut seen = SeenSpace::default();
        for k in 0..40 {
            let secs = 0.1 * f64::from(k);
            seen.remember(placed(secs, Pose2::new(-1.0 + 0.3 * secs, 0.2, 0.1 * secs)));
        }
        let here = Pose2::new(0.2, 0.2, 0.4);
        let askew = here * Pose2::new(0.03, -0.03, 0.01);
        let scan = ROOM.scan(half_circle(181), here);
        let geometry = scan.geometry;
        let wall = (0..181).map(|beam| {
            let (sin, cos) = geometry.angle_rad(beam).sin_cos();
            let range = f64::from(scan.ranges_m[beam]);
            Some(Vector2::from(askew.transform([range * cos, range * sin])))
        });
        let now = Stamp::from_secs(4.0).unwrap();
        assert!(!seen.newly_taken(now, wall).contains(&true));
        let thing = [Vector2::new(1.5, 0.5), Vector2::new(1.5, 0.6)];
        let fresh = seen.newly_taken(now, thing.into_iter().map(Some));
        assert_eq!(fresh, [true, true]);
    }

    #[test]
    fn memory_is_bounded_at_any_rate() {
        let mut seen = SeenSpace::default();
        for k in 0..5_000 {
            seen.remember(placed(0.01 * f64::from(k), Pose2::IDENTITY));
        }
        assert!(seen.scans.len() <= N_SCANS_MAX);
        assert!(seen.asked(Stamp::from_secs(50.0).unwrap()).len() <= ASKED_AGES_SECS.len());
    }
}
