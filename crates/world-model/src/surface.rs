//! A scan as pieces of surface: what another scan can be registered against.

use nalgebra::Vector2;

use crate::bearing::bearing_rad;
use crate::render::{decimal_range_m, joined_to_next};
use crate::{LidarScan, Reused, ScanGeometry};

/// A beam's line is fitted to up to this many neighbours on each side.
const NEIGHBOURS_MAX: usize = 5;
/// Neighbours farther away than this are another piece of surface, metres ...
const NEIGHBOUR_DISTANCE_MAX_M: f64 = 0.3;
/// ... unless the beams themselves are that far apart there: so many of their spacings.
const NEIGHBOUR_SPACINGS_MAX: f64 = 2.5;
/// Fewer points than this fit no line.
const LINE_POINTS_MIN: usize = 4;
/// Points scattered wider than this around their line are a corner or clutter, metres.
const LINE_SCATTER_MAX_M: f64 = 0.025;
/// What is no larger than this may be a robot or a person, metres across ...
const COMPACT_MAX_M: f64 = 0.8;
/// ... and has so much of the say of a wall: it may be about to move.
const COMPACT_SHARE: f64 = 0.1;
/// A line must be this much longer than it is wide, both as standard deviations.
const LINE_ELONGATION_MIN: f64 = 2.5;

/// A point and the straight piece of surface that it lies on, in the scanner's frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SurfacePoint {
    /// The measured point, metres.
    pub(crate) point: Vector2<f64>,
    /// The middle of the points that the line was fitted to, metres.
    pub(crate) centre: Vector2<f64>,
    /// The line's unit normal, towards the scanner.
    pub(crate) normal: Vector2<f64>,
    /// How much it is trusted to stand still, in `[0, 1]`.
    pub(crate) trust: f64,
}

/// The straight pieces of surface that a scan saw.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    geometry: ScanGeometry,
    /// By beam, where there is a line. `[beam]`
    by_beam: Reused<Option<SurfacePoint>>,
}

impl Surface {
    pub(crate) fn new(scan: &LidarScan) -> Self {
        let geometry = scan.geometry;
        let n_beams = geometry.n_beams.min(scan.ranges_m.len());
        let ranges: Reused<f64> = scan.ranges_m[..n_beams]
            .iter()
            .map(|&range| decimal_range_m(range))
            .collect();
        let valid: Reused<bool> = (0..n_beams).map(|beam| scan.is_valid(beam)).collect();
        let joined = joined_to_next(&ranges, &valid);
        let point = |beam: usize| {
            let (sin, cos) = geometry.angle_rad(beam).sin_cos();
            Vector2::new(ranges[beam] * cos, ranges[beam] * sin)
        };
        let points: Reused<Vector2<f64>> = (0..n_beams).map(point).collect();
        let trusts = trusts(&points, &joined, &valid);
        let line = |beam: usize| {
            let line = valid[beam]
                .then(|| fit_line(&points, &joined, beam, geometry.step_rad))
                .flatten()?;
            Some(SurfacePoint {
                trust: trusts[beam],
                ..line
            })
        };
        Self {
            geometry,
            by_beam: (0..n_beams).map(line).collect(),
        }
    }

    /// Without the beams that hit something that moves: it is no landmark. `[beam]`, or empty for
    /// none.
    #[must_use]
    pub(crate) fn without(mut self, moves: &[bool]) -> Self {
        for (line, &moves) in self.by_beam.iter_mut().zip(moves) {
            if moves {
                *line = None;
            }
        }
        self
    }

    /// The points that lie on lines.
    pub(crate) fn points(&self) -> impl Iterator<Item = &SurfacePoint> {
        self.by_beam.iter().flatten()
    }

    /// The piece of surface in the direction of a point.
    pub(crate) fn towards(&self, point: Vector2<f64>) -> Option<&SurfacePoint> {
        let angle = bearing_rad(point.y, point.x) - self.geometry.first_angle_rad;
        let beam = angle / self.geometry.step_rad + 0.5;
        if beam < 0.0 {
            return None;
        }
        self.by_beam.get(beam as usize)?.as_ref()
    }
}

/// How much the thing that each beam hits is trusted to stand still. `[beam]`
fn trusts(points: &[Vector2<f64>], joined: &[bool], valid: &[bool]) -> Reused<f64> {
    let mut trusts = Reused::filled(1.0, points.len());
    let mut first = 0;
    for beam in 0..points.len() {
        if joined[beam] {
            continue;
        }
        let extent_m = (points[beam] - points[first]).norm();
        if valid[first] && extent_m <= COMPACT_MAX_M {
            trusts[first..=beam].fill(COMPACT_SHARE);
        }
        first = beam + 1;
    }
    trusts
}

/// The line through a point's joined neighbours.
fn fit_line(
    points: &[Vector2<f64>],
    joined: &[bool],
    beam: usize,
    step_rad: f64,
) -> Option<SurfacePoint> {
    let spacing_m = step_rad * points[beam].norm();
    let near_m = NEIGHBOUR_DISTANCE_MAX_M.max(NEIGHBOUR_SPACINGS_MAX * spacing_m);
    let is_near = |&other: &usize| (points[other] - points[beam]).norm_squared() <= near_m * near_m;
    let before = (0..beam)
        .rev()
        .take(NEIGHBOURS_MAX)
        .take_while(|&other| joined[other]);
    let after = (beam + 1..points.len())
        .take(NEIGHBOURS_MAX)
        .take_while(|&it| joined[it - 1]);
    let first = before.take_while(is_near).last().unwrap_or(beam);
    let last = after.take_while(is_near).last().unwrap_or(beam);
    let members = &points[first..=last];
    if members.len() < LINE_POINTS_MIN {
        return None;
    }
    let n = members.len() as f64;
    let centre = members.iter().sum::<Vector2<f64>>() / n;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for member in members {
        let off = member - centre;
        xx += off.x * off.x;
        xy += off.x * off.y;
        yy += off.y * off.y;
    }
    // Principal axes of a symmetric 2 x 2 matrix in closed form.
    let (middle, half) = (0.5 * (xx + yy), (0.25 * (xx - yy).powi(2) + xy * xy).sqrt());
    let (width, length) = (
        ((middle - half).max(0.0) / n).sqrt(),
        ((middle + half) / n).sqrt(),
    );
    if width > LINE_SCATTER_MAX_M || length < LINE_ELONGATION_MIN * width {
        return None;
    }
    let along = 0.5 * (2.0 * xy).atan2(xx - yy);
    let normal = Vector2::new(-along.sin(), along.cos());
    let towards_scanner = if normal.dot(&centre) > 0.0 {
        -normal
    } else {
        normal
    };
    Some(SurfacePoint {
        point: points[beam],
        centre,
        normal: towards_scanner,
        trust: 1.0,
    })
}

#[cfg(test)]
mod tests;
