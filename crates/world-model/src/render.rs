//! Seeing one scan from another pose: ray-casting of its outline.

use std::f64::consts::FRAC_PI_2;

use sedge_spacetime::Pose2;

use crate::bearing::bearing_rad;
use crate::{LidarScan, RANGE_MAX_M, Reused, ScanGeometry};

/// Neighbouring points this close in range are one surface, metres (protocol constant).
const EDGE_M: f64 = 0.3;
/// How far, relative to the inverse range, three neighbours may be from a straight wall (protocol
/// constant). A wall is straight in inverse range, even at grazing angles.
const STRAIGHTNESS_MAX: f64 = 0.02;
/// The shortest range that is inverted, metres: keeps inverse ranges finite.
const INVERTIBLE_MIN_M: f64 = 1e-3;
/// Segments spanning more than this, seen from the new pose, are not surfaces, radians.
const SEGMENT_SPAN_MAX_RAD: f64 = FRAC_PI_2;
/// Beams this close to a segment's end still hit it, in beams.
const BEAM_TOLERANCE: f64 = 1e-6;
/// A ray closer to parallel than this does not cross a segment.
const PARALLEL_MAX: f64 = 1e-9;
/// Ranges are decimals of a log rounded to `f32`; this many per metre bring the decimals back.
const DECIMALS_PER_M: f64 = 1e5;

/// A measured range as the decimal that the sensor reported, freed of `f32` rounding.
pub(crate) fn decimal_range_m(range_m: f32) -> f64 {
    (f64::from(range_m) * DECIMALS_PER_M).round() / DECIMALS_PER_M
}

/// How a point is connected.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// On the same surface as the point after it in the list.
    joined_to_next: bool,
    /// Lacks a joined neighbour on at least one side.
    is_end: bool,
}

/// What of a scan can be worked out before the pose is known: its points and which are joined.
///
/// # Shapes
/// All vectors are `[point]`; apart from each other so that moving points vectorises.
#[derive(Debug, Clone)]
pub struct RenderableScan {
    xs_m: Reused<f64>,
    ys_m: Reused<f64>,
    links: Reused<Link>,
    /// Which points are on movers; empty where none is.
    on_mover: Reused<bool>,
}

impl RenderableScan {
    /// From a scan; beams that measured nothing are left out.
    pub fn new(scan: &LidarScan) -> Self {
        Self::with_movers(scan, &[])
    }

    /// As [`RenderableScan::new`], and knows which beams hit movers (`[beam]`, or empty for none).
    pub fn with_movers(scan: &LidarScan, hits_mover: &[bool]) -> Self {
        let geometry = scan.geometry;
        let n_beams = geometry.n_beams.min(scan.ranges_m.len());
        let ranges: Reused<f64> = scan.ranges_m[..n_beams]
            .iter()
            .map(|&range| decimal_range_m(range))
            .collect();
        let valid: Reused<bool> = (0..n_beams).map(|beam| scan.is_valid(beam)).collect();
        let joined = joined_to_next(&ranges, &valid);
        let is_inner =
            |beam: usize| beam > 0 && beam + 1 < n_beams && joined[beam - 1] && joined[beam];
        let (mut xs_m, mut ys_m) = (
            Reused::with_capacity(n_beams),
            Reused::with_capacity(n_beams),
        );
        let mut links = Reused::with_capacity(n_beams);
        for beam in (0..n_beams).filter(|&beam| valid[beam]) {
            let (sin, cos) = geometry.angle_rad(beam).sin_cos();
            xs_m.push(ranges[beam] * cos);
            ys_m.push(ranges[beam] * sin);
            links.push(Link {
                joined_to_next: joined[beam],
                is_end: !is_inner(beam),
            });
        }
        let hits = |beam: &usize| hits_mover.get(*beam).copied().unwrap_or(false);
        let measured = (0..n_beams).filter(|&beam| valid[beam]);
        let on_mover: Reused<bool> = measured.map(|beam| hits(&beam)).collect();
        let has_movers = on_mover.contains(&true);
        Self {
            xs_m,
            ys_m,
            links,
            on_mover: if has_movers { on_mover } else { Reused::new() },
        }
    }

    /// Whether any point is on a mover.
    pub fn has_movers(&self) -> bool {
        !self.on_mover.is_empty()
    }

    /// The points that measured something, in the scanner's frame, counter-clockwise.
    pub fn points_m(&self) -> impl Iterator<Item = [f64; 2]> {
        self.xs_m.iter().zip(&self.ys_m).map(|(&x, &y)| [x, y])
    }
}

/// For each beam, whether it and the next one lie on one surface.
pub(crate) fn joined_to_next(ranges: &[f64], valid: &[bool]) -> Reused<bool> {
    let n_beams = ranges.len();
    let inverse: Reused<f64> = ranges
        .iter()
        .map(|range| 1.0 / range.max(INVERTIBLE_MIN_M))
        .collect();
    // Second difference of the inverse range around a beam: zero on a straight wall.
    let bend = |beam: usize| {
        let inside = beam > 0 && beam + 1 < n_beams;
        if inside && valid[beam - 1] && valid[beam] && valid[beam + 1] {
            (inverse[beam + 1] - inverse[beam] - (inverse[beam] - inverse[beam - 1])).abs()
        } else {
            f64::INFINITY
        }
    };
    let is_joined = |beam: usize| {
        if beam + 1 >= n_beams || !valid[beam] || !valid[beam + 1] {
            return false;
        }
        let bend_max = STRAIGHTNESS_MAX * inverse[beam].min(inverse[beam + 1]);
        (ranges[beam + 1] - ranges[beam]).abs() < EDGE_M
            || bend(beam).min(bend(beam + 1)) < bend_max
    };
    (0..n_beams).map(is_joined).collect()
}

/// A point as seen from the new pose.
#[derive(Debug, Clone, Copy)]
struct SeenPoint {
    x_m: f64,
    y_m: f64,
    range_m: f64,
    /// Angle in beams: 0 is beam 0.
    bearing_beams: f64,
}

/// The points of a scan as seen from the new pose. Every vector is `[point]`.
#[derive(Debug, Clone, Default)]
struct SeenPoints {
    xs_m: Reused<f64>,
    ys_m: Reused<f64>,
    ranges_m: Reused<f64>,
    bearings_beams: Reused<f64>,
}

impl SeenPoints {
    fn look(&mut self, scan: &RenderableScan, scan_from_view: Pose2, geometry: ScanGeometry) {
        let n_points = scan.links.len();
        for values in [
            &mut self.xs_m,
            &mut self.ys_m,
            &mut self.ranges_m,
            &mut self.bearings_beams,
        ] {
            values.resize(n_points, 0.0);
        }
        let (sin, cos) = scan_from_view.yaw_rad.sin_cos();
        let (origin_x, origin_y) = (scan_from_view.x_m, scan_from_view.y_m);
        let moved = self.xs_m.iter_mut().zip(&mut self.ys_m);
        for ((x, y), (&from_x, &from_y)) in moved.zip(scan.xs_m.iter().zip(&scan.ys_m)) {
            let (dx, dy) = (from_x - origin_x, from_y - origin_y);
            *x = cos * dx + sin * dy;
            *y = cos * dy - sin * dx;
        }
        let beams_per_rad = 1.0 / geometry.step_rad;
        let first_beams = geometry.first_angle_rad * beams_per_rad;
        let polar = self.ranges_m.iter_mut().zip(&mut self.bearings_beams);
        for ((range, bearing), (&x, &y)) in polar.zip(self.xs_m.iter().zip(&self.ys_m)) {
            *range = (x * x + y * y).sqrt();
            *bearing = bearing_rad(y, x) * beams_per_rad - first_beams;
        }
    }

    fn get(&self, idx: usize) -> SeenPoint {
        SeenPoint {
            x_m: self.xs_m[idx],
            y_m: self.ys_m[idx],
            range_m: self.ranges_m[idx],
            bearing_beams: self.bearings_beams[idx],
        }
    }
}

/// Renders scans into rows of ranges; keeps its buffers from call to call.
#[derive(Debug, Clone)]
pub struct Renderer {
    geometry: ScanGeometry,
    /// Cosine and sine of each beam's angle.
    rays: Reused<[f64; 2]>,
    seen: SeenPoints,
    row: Reused<f64>,
    still: Reused<f64>,
    ends: Reused<f64>,
}

/// A scan seen from elsewhere, with and without what moved in it. NaN marks holes. `[beam]`
#[derive(Debug, Clone, Copy)]
pub struct Views<'a> {
    /// Everything.
    pub all: &'a [f64],
    /// Without movers: what stands behind them is a hole.
    pub still: &'a [f64],
}

impl Renderer {
    /// For views with this scanner.
    pub fn new(geometry: ScanGeometry) -> Self {
        let ray = |beam| {
            let (sin, cos) = geometry.angle_rad(beam).sin_cos();
            [cos, sin]
        };
        Self {
            geometry,
            rays: (0..geometry.n_beams).map(ray).collect(),
            seen: SeenPoints::default(),
            row: Reused::filled(0.0, geometry.n_beams),
            still: Reused::filled(0.0, geometry.n_beams),
            ends: Reused::filled(0.0, geometry.n_beams),
        }
    }

    /// Cosine and sine of each beam's angle. `[beam]`
    pub(crate) fn rays(&self) -> &[[f64; 2]] {
        &self.rays
    }

    /// The scan as the scanner would see it from `scan_from_view`, in metres; NaN marks holes:
    /// beams that cross nothing the scan saw. `[beam]`
    ///
    /// Each ray takes the nearest surface that it crosses. Points without a joined neighbour on
    /// both sides also go to the beam nearest to them.
    pub fn render(&mut self, scan: &RenderableScan, scan_from_view: Pose2) -> &[f64] {
        self.row.fill(f64::INFINITY);
        self.seen.look(scan, scan_from_view, self.geometry);
        let mut rays = RowOfRays {
            rays: &self.rays,
            step_rad: self.geometry.step_rad,
            row: &mut self.row,
        };
        for (idx, link) in scan.links.iter().enumerate() {
            let point = self.seen.get(idx);
            if link.joined_to_next {
                rays.cast_segment(point, self.seen.get(idx + 1));
            }
            if link.is_end {
                rays.cast_point(point);
            }
        }
        mark_holes(&mut self.row);
        &self.row
    }

    /// As [`Renderer::render`], and once more without what moved.
    pub fn render_apart(&mut self, scan: &RenderableScan, scan_from_view: Pose2) -> Views<'_> {
        if !scan.has_movers() {
            self.render(scan, scan_from_view);
            return Views {
                all: &self.row,
                still: &self.row,
            };
        }
        self.seen.look(scan, scan_from_view, self.geometry);
        let rays_and = |row| RowOfRays {
            rays: &self.rays,
            step_rad: self.geometry.step_rad,
            row,
        };
        for row in [&mut self.row, &mut self.still, &mut self.ends] {
            row.fill(f64::INFINITY);
        }
        // What moves goes into `row`, which ends up with everything.
        let (mut moving, mut still, mut ends) = (
            rays_and(&mut self.row),
            rays_and(&mut self.still),
            rays_and(&mut self.ends),
        );
        let moves = |idx: usize| scan.on_mover[idx];
        for (idx, link) in scan.links.iter().enumerate() {
            let point = self.seen.get(idx);
            let next_moves = link.joined_to_next && moves(idx + 1);
            if link.joined_to_next {
                let side = if moves(idx) || next_moves {
                    &mut moving
                } else {
                    &mut still
                };
                side.cast_segment(point, self.seen.get(idx + 1));
            }
            if link.is_end {
                let side = if moves(idx) { &mut moving } else { &mut still };
                side.cast_point(point);
            } else if !moves(idx) && (next_moves || moves(idx - 1)) {
                // Beside a mover a surface ends. An inner point has neighbours on both sides.
                ends.cast_point(point);
            }
        }
        for ((all, still), end) in self.row.iter_mut().zip(&mut self.still).zip(&self.ends) {
            *all = all.min(*still);
            *still = still.min(*end);
        }
        mark_holes(&mut self.row);
        mark_holes(&mut self.still);
        Views {
            all: &self.row,
            still: &self.still,
        }
    }
}

fn mark_holes(row: &mut [f64]) {
    for range in row {
        if !range.is_finite() {
            *range = f64::NAN;
        }
    }
}

/// A row of ranges and the rays that it belongs to.
struct RowOfRays<'a> {
    rays: &'a [[f64; 2]],
    step_rad: f64,
    row: &'a mut [f64],
}

impl RowOfRays<'_> {
    #[inline]
    fn cast_segment(&mut self, a: SeenPoint, b: SeenPoint) {
        let low = a.bearing_beams.min(b.bearing_beams);
        let high = a.bearing_beams.max(b.bearing_beams);
        // Written so that NaN bearings (absurd poses) are dropped, too.
        let is_surface = (high - low) * self.step_rad < SEGMENT_SPAN_MAX_RAD;
        if !is_surface || high < -BEAM_TOLERANCE {
            return;
        }
        let first = ceil_to_index(low - BEAM_TOLERANCE);
        let end = self.rays.len().min((high + BEAM_TOLERANCE) as usize + 1);
        if first >= end {
            return;
        }
        let (ex, ey) = (b.x_m - a.x_m, b.y_m - a.y_m);
        let cross = a.x_m * ey - a.y_m * ex;
        let (nearest, farthest) = (a.range_m.min(b.range_m), a.range_m.max(b.range_m));
        for (ray, range) in self.rays[first..end].iter().zip(&mut self.row[first..end]) {
            let denominator = ray[0] * ey - ray[1] * ex;
            let crossing = cross / denominator;
            let is_crossing = denominator.abs() >= PARALLEL_MAX && crossing.is_finite();
            let hit = if is_crossing {
                crossing.max(nearest).min(farthest)
            } else {
                nearest
            };
            *range = range.min(hit);
        }
    }

    #[inline]
    fn cast_point(&mut self, point: SeenPoint) {
        let beam = point.bearing_beams.round_ties_even();
        if beam >= 0.0 && beam < self.row.len() as f64 {
            let range = &mut self.row[beam as usize];
            *range = range.min(point.range_m);
        }
    }
}

/// The smallest index not below a number; zero for negative ones.
#[inline]
fn ceil_to_index(value: f64) -> usize {
    let floor = value as usize;
    if value > floor as f64 {
        floor + 1
    } else {
        floor
    }
}

/// Fills holes (NaN) with the larger of the nearest values left and right, one-sided at the
/// border: a gap is more often seen through than blocked. A row of holes only becomes
/// [`RANGE_MAX_M`].
pub fn fill_far(row: &mut [f64]) {
    fill(row, f64::max);
}

/// Fills holes (NaN) with the smaller of the nearest values left and right; else as [`fill_far`].
pub fn fill_near(row: &mut [f64]) {
    fill(row, f64::min);
}

fn fill(row: &mut [f64], choose: fn(f64, f64) -> f64) {
    let mut beam = 0;
    while beam < row.len() {
        if !row[beam].is_nan() {
            beam += 1;
            continue;
        }
        let length = row[beam..]
            .iter()
            .take_while(|range| range.is_nan())
            .count();
        let left = beam.checked_sub(1).map(|left| row[left]);
        let right = row.get(beam + length).copied();
        let value = match (left, right) {
            (Some(left), Some(right)) => choose(left, right),
            (Some(side), None) | (None, Some(side)) => side,
            (None, None) => f64::from(RANGE_MAX_M),
        };
        row[beam..beam + length].fill(value);
        beam += length;
    }
}

#[cfg(test)]
mod tests;
