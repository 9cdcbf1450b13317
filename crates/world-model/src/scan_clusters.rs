//! A scan cut into things: what is small and apart, and what is new within something larger.

use std::f64::consts::FRAC_PI_2;
use std::ops::Range;

use nalgebra::{Matrix2, Vector2};
use sedge_spacetime::Pose2;

use crate::render::decimal_range_m;
use crate::{LidarScan, Reused, ScanGeometry};

/// Neighbouring points farther apart than this are two things, metres ...
const GAP_M: f64 = 0.12;
/// ... and so many times the spacing that the beams have on something seen square on.
const GAP_SPACINGS: f64 = 2.0;
/// Beams that measured nothing within a thing do not end it, if they are at most so many.
const DROPPED_BEAMS_MAX: usize = 2;
/// Larger things are walls and furniture, metres across.
const EXTENT_MAX_M: f64 = 1.2;
/// Fewer points than this are noise.
const N_POINTS_MIN: usize = 2;
/// A neighbour so much nearer hides the rest of a thing, metres.
const NEARER_M: f64 = 0.1;
/// The nearest and largest disc that is fitted, metres.
const RADIUS_MIN_M: f64 = 0.06;
const RADIUS_MAX_M: f64 = 0.6;
/// Error of a fitted centre: along the ray, metres.
const ALONG_SIGMA_M: f64 = 0.02;
/// Across it: constant, metres, and in beam spacings for a thing seen whole or in part.
const ACROSS_SIGMA_M: f64 = 0.015;
const ACROSS_WHOLE: f64 = 0.3;
const ACROSS_PART: f64 = 0.6;
const ACROSS_PART_M: f64 = 0.06;

/// A thing in a scan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cluster {
    /// First beam and the one after the last.
    pub(crate) beams: Range<usize>,
    /// How many points it has.
    n_points: usize,
    /// Share of its points that are where nothing was.
    pub(crate) fresh_share: f64,
    /// Whether something nearer hides its rest on the side of the first, of the last beam.
    is_cut: [bool; 2],
    /// Middle of its points, in the map.
    pub(crate) middle: Vector2<f64>,
}

/// Where a thing seems to be, if it is a disc.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sight {
    /// Its centre in the map.
    pub(crate) centre: Vector2<f64>,
    /// How wrong that may be, along the map's axes.
    pub(crate) covariance: Matrix2<f64>,
    /// Its radius, where it is seen whole.
    pub(crate) radius_m: Option<f64>,
    /// Its nearest point in the map.
    pub(crate) near: Vector2<f64>,
    /// How many points that rests on.
    pub(crate) n_points: usize,
    /// Share of its points that are where nothing was.
    pub(crate) fresh_share: f64,
}

/// The points of a scan in the map.
#[derive(Debug, Clone)]
pub(crate) struct ScanPoints {
    geometry: ScanGeometry,
    map_from_scan: Pose2,
    /// NaN where nothing was measured. `[beam]`
    ranges_m: Reused<f64>,
    /// `[beam]`
    in_map: Reused<Option<Vector2<f64>>>,
}

impl ScanPoints {
    pub(crate) fn new(scan: &LidarScan, map_from_scan: Pose2) -> Self {
        let geometry = scan.geometry;
        let n_beams = geometry.n_beams.min(scan.ranges_m.len());
        let range = |beam: usize| {
            if scan.is_valid(beam) {
                decimal_range_m(scan.ranges_m[beam])
            } else {
                f64::NAN
            }
        };
        let ranges_m: Reused<f64> = (0..n_beams).map(range).collect();
        let place = |(beam, &range): (usize, &f64)| {
            let (sin, cos) = geometry.angle_rad(beam).sin_cos();
            let place = map_from_scan.transform([range * cos, range * sin]);
            (!range.is_nan()).then(|| Vector2::from(place))
        };
        Self {
            in_map: ranges_m.iter().enumerate().map(place).collect(),
            geometry,
            map_from_scan,
            ranges_m,
        }
    }

    /// The points, `None` where nothing was measured. `[beam]`
    pub(crate) fn in_map(&self) -> &[Option<Vector2<f64>>] {
        &self.in_map
    }

    /// Everything small, and what is `fresh` (`[beam]`) within everything large.
    pub(crate) fn clusters(&self, fresh: &[bool]) -> Reused<Cluster> {
        let mut clusters = Reused::new();
        for beams in &self.segments() {
            if self.extent_m(beams) <= EXTENT_MAX_M {
                clusters.extend(self.cluster(beams, fresh));
            } else {
                let runs = fresh_runs(beams, fresh);
                let small = runs.iter().filter(|run| self.extent_m(run) <= EXTENT_MAX_M);
                clusters.extend(small.filter_map(|run| self.cluster(run, fresh)));
            }
        }
        clusters
    }

    /// Beams that lie on one surface after the other.
    fn segments(&self) -> Reused<Range<usize>> {
        let mut segments: Reused<Range<usize>> = Reused::new();
        let measured = (0..self.ranges_m.len()).filter(|&beam| self.in_map[beam].is_some());
        for beam in measured {
            match segments.last_mut() {
                Some(open) if self.is_joined(open.end - 1, beam) => open.end = beam + 1,
                _ => segments.push(beam..beam + 1),
            }
        }
        segments
    }

    fn is_joined(&self, a: usize, b: usize) -> bool {
        let (Some(from), Some(to)) = (self.in_map[a], self.in_map[b]) else {
            return false;
        };
        let n_steps = b - a;
        let spacing = self.ranges_m[a].min(self.ranges_m[b]) * self.geometry.step_rad;
        let gap = GAP_M + GAP_SPACINGS * spacing * n_steps as f64;
        n_steps <= 1 + DROPPED_BEAMS_MAX && (to - from).norm() <= gap
    }

    fn extent_m(&self, beams: &Range<usize>) -> f64 {
        let (mut low, mut high) = (
            Vector2::repeat(f64::INFINITY),
            Vector2::repeat(f64::NEG_INFINITY),
        );
        for point in self.in_map[beams.clone()].iter().flatten() {
            low = low.inf(point);
            high = high.sup(point);
        }
        (high - low).norm()
    }

    fn cluster(&self, beams: &Range<usize>, fresh: &[bool]) -> Option<Cluster> {
        let points = self.in_map[beams.clone()].iter().flatten();
        let n_points = points.clone().count();
        if n_points < N_POINTS_MIN {
            return None;
        }
        let middle = points.sum::<Vector2<f64>>() / n_points as f64;
        let n_fresh = beams.clone().filter(|&beam| fresh[beam]).count();
        let ends = [beams.start, beams.end - 1];
        let outside = [
            beams.start.checked_sub(1),
            Some(beams.end).filter(|&it| it < self.ranges_m.len()),
        ];
        let is_cut = [0, 1].map(|side| {
            // Beyond the field of view there may be more of it. NaN is not nearer.
            outside[side]
                .is_none_or(|beam| self.ranges_m[beam] < self.ranges_m[ends[side]] - NEARER_M)
        });
        Some(Cluster {
            beams: beams.clone(),
            n_points,
            fresh_share: n_fresh as f64 / n_points as f64,
            is_cut,
            middle,
        })
    }

    /// Where a thing is if it is a disc of this radius.
    pub(crate) fn measure(&self, cluster: &Cluster, radius_m: f64) -> Sight {
        let step = self.geometry.step_rad;
        let beams = cluster.beams.clone();
        let low = self.geometry.angle_rad(beams.start) - 0.5 * step;
        let high = self.geometry.angle_rad(beams.end - 1) + 0.5 * step;
        let measured = || beams.clone().filter(|&beam| self.in_map[beam].is_some());
        let nearest = measured()
            .min_by(|&a, &b| self.ranges_m[a].total_cmp(&self.ranges_m[b]))
            .unwrap_or(beams.start);
        let near_m = self.ranges_m[nearest];
        let whole = cluster.is_cut == [false, false];
        let spacing = near_m * step;
        let (bearing, across) = {
            let half = (radius_m / (near_m + radius_m)).asin();
            let part = ACROSS_PART_M + ACROSS_PART * spacing;
            match cluster.is_cut {
                [false, false] => (0.5 * (low + high), ACROSS_SIGMA_M + ACROSS_WHOLE * spacing),
                [true, false] => (high - half, part),
                [false, true] => (low + half, part),
                [true, true] => (0.5 * (low + high), part + radius_m),
            }
        };
        let distance = self.distance_m(measured(), bearing, radius_m);
        let (sin, cos) = bearing.sin_cos();
        let centre = self
            .map_from_scan
            .transform([distance * cos, distance * sin]);
        let (sin, cos) = (self.map_from_scan.yaw_rad + bearing).sin_cos();
        let turn = Matrix2::new(cos, -sin, sin, cos);
        let along = ALONG_SIGMA_M * ALONG_SIGMA_M;
        let spread = Matrix2::from_diagonal(&Vector2::new(along, across * across));
        let half_angle = (0.5 * (high - low)).min(0.5 * FRAC_PI_2).sin();
        let radius = near_m * half_angle / (1.0 - half_angle);
        Sight {
            centre: centre.into(),
            covariance: turn * spread * turn.transpose(),
            radius_m: whole.then(|| radius.clamp(RADIUS_MIN_M, RADIUS_MAX_M)),
            near: self.in_map[nearest].unwrap_or(cluster.middle),
            n_points: cluster.n_points,
            fresh_share: cluster.fresh_share,
        }
    }

    /// Distance to the centre of a disc in a direction: the median of what each point says.
    fn distance_m(
        &self,
        beams: impl Iterator<Item = usize>,
        bearing_rad: f64,
        radius_m: f64,
    ) -> f64 {
        let centre = |beam: usize| {
            let range = self.ranges_m[beam];
            let (sin, cos) = (self.geometry.angle_rad(beam) - bearing_rad).sin_cos();
            let inside = radius_m * radius_m - range * range * sin * sin;
            range * cos + inside.max(0.0).sqrt()
        };
        let mut distances: Reused<f64> = beams.map(centre).collect();
        distances.sort_unstable_by(f64::total_cmp);
        distances.get(distances.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Beams with new points, short gaps closed.
fn fresh_runs(beams: &Range<usize>, fresh: &[bool]) -> Reused<Range<usize>> {
    let mut runs: Reused<Range<usize>> = Reused::new();
    for beam in beams.clone().filter(|&beam| fresh[beam]) {
        match runs.last_mut() {
            Some(open) if beam - open.end <= DROPPED_BEAMS_MAX => open.end = beam + 1,
            _ => runs.push(beam..beam + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests;
