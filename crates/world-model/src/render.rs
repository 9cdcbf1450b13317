//! Seeing one scan from another pose: ray-casting of its outline.

use std::f64::consts::FRAC_PI_2;

use sedge_spacetime::Pose2;

use crate::{LidarScan, RANGE_MAX_M, ScanGeometry};

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

/// A point of a scan, in the scanner's frame.
#[derive(Debug, Clone, Copy)]
struct OutlinePoint {
    x_m: f64,
    y_m: f64,
    /// On the same surface as the point after it in the list.
    joined_to_next: bool,
    /// Lacks a joined neighbour on at least one side.
    is_end: bool,
}

/// What of a scan can be worked out before the pose is known: its points and which are joined.
#[derive(Debug, Clone)]
pub struct RenderableScan {
    points: Vec<OutlinePoint>,
}

impl RenderableScan {
    /// From a scan; beams that measured nothing are left out.
    pub fn new(scan: &LidarScan) -> Self {
        let geometry = scan.geometry;
        let n_beams = geometry.n_beams.min(scan.ranges_m.len());
        let ranges: Vec<f64> = scan.ranges_m[..n_beams]
            .iter()
            .map(|&range| decimal_range_m(range))
            .collect();
        let valid: Vec<bool> = (0..n_beams).map(|beam| scan.is_valid(beam)).collect();
        let joined = joined_to_next(&ranges, &valid);
        let is_inner =
            |beam: usize| beam > 0 && beam + 1 < n_beams && joined[beam - 1] && joined[beam];
        let points = (0..n_beams).filter(|&beam| valid[beam]).map(|beam| {
            let (sin, cos) = geometry.angle_rad(beam).sin_cos();
            OutlinePoint {
                x_m: ranges[beam] * cos,
                y_m: ranges[beam] * sin,
                joined_to_next: joined[beam],
                is_end: !is_inner(beam),
            }
        });
        Self {
            points: points.collect(),
        }
    }

    /// The points that measured something, in the scanner's frame, counter-clockwise.
    pub fn points_m(&self) -> impl Iterator<Item = [f64; 2]> {
        self.points.iter().map(|point| [point.x_m, point.y_m])
    }
}

/// For each beam, whether it and the next one lie on one surface.
fn joined_to_next(ranges: &[f64], valid: &[bool]) -> Vec<bool> {
    let n_beams = ranges.len();
    let inverse: Vec<f64> = ranges
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
#[derive(Debug, Clone, Copy, Default)]
struct SeenPoint {
    x_m: f64,
    y_m: f64,
    range_m: f64,
    /// Angle in beams: 0 is beam 0.
    bearing_beams: f64,
}

/// Renders scans into rows of ranges; keeps its buffers from call to call.
#[derive(Debug, Clone)]
pub struct Renderer {
    geometry: ScanGeometry,
    /// Cosine and sine of each beam's angle.
    rays: Vec<[f64; 2]>,
    seen: Vec<SeenPoint>,
    row: Vec<f64>,
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
            seen: Vec::new(),
            row: vec![0.0; geometry.n_beams],
        }
    }

    /// The scan as the scanner would see it from `scan_from_view`, in metres; NaN marks holes:
    /// beams that cross nothing the scan saw. `[beam]`
    ///
    /// Each ray takes the nearest surface that it crosses. Points without a joined neighbour on
    /// both sides also go to the beam nearest to them.
    pub fn render(&mut self, scan: &RenderableScan, scan_from_view: Pose2) -> &[f64] {
        self.row.fill(f64::INFINITY);
        self.look(scan, scan_from_view);
        for (idx, point) in scan.points.iter().enumerate() {
            if point.joined_to_next {
                self.cast_segment(self.seen[idx], self.seen[idx + 1]);
            }
            if point.is_end {
                self.cast_point(self.seen[idx]);
            }
        }
        for range in &mut self.row {
            if !range.is_finite() {
                *range = f64::NAN;
            }
        }
        &self.row
    }

    fn look(&mut self, scan: &RenderableScan, scan_from_view: Pose2) {
        let (sin, cos) = scan_from_view.yaw_rad.sin_cos();
        let beams_per_rad = 1.0 / self.geometry.step_rad;
        let first_angle = self.geometry.first_angle_rad;
        let seen_point = |point: &OutlinePoint| {
            let (dx, dy) = (
                point.x_m - scan_from_view.x_m,
                point.y_m - scan_from_view.y_m,
            );
            let (x_m, y_m) = (cos * dx + sin * dy, -sin * dx + cos * dy);
            SeenPoint {
                x_m,
                y_m,
                range_m: (x_m * x_m + y_m * y_m).sqrt(),
                bearing_beams: (y_m.atan2(x_m) - first_angle) * beams_per_rad,
            }
        };
        self.seen.clear();
        self.seen.extend(scan.points.iter().map(seen_point));
    }

    fn cast_segment(&mut self, a: SeenPoint, b: SeenPoint) {
        let (low, high) = if a.bearing_beams <= b.bearing_beams {
            (a.bearing_beams, b.bearing_beams)
        } else {
            (b.bearing_beams, a.bearing_beams)
        };
        // Written so that NaN bearings (absurd poses) are dropped, too.
        let is_surface = (high - low) * self.geometry.step_rad < SEGMENT_SPAN_MAX_RAD;
        if !is_surface || high < -BEAM_TOLERANCE {
            return;
        }
        let first = (low - BEAM_TOLERANCE).ceil().max(0.0) as usize;
        let end = ((high + BEAM_TOLERANCE).floor() + 1.0).min(self.rays.len() as f64) as usize;
        if first >= end {
            return;
        }
        let (ex, ey) = (b.x_m - a.x_m, b.y_m - a.y_m);
        let cross = a.x_m * ey - a.y_m * ex;
        let (nearest, farthest) = (a.range_m.min(b.range_m), a.range_m.max(b.range_m));
        for (ray, range) in self.rays[first..end].iter().zip(&mut self.row[first..end]) {
            let denominator = ray[0] * ey - ray[1] * ex;
            let crossing = cross / denominator;
            let hit = if denominator.abs() < PARALLEL_MAX || !crossing.is_finite() {
                nearest
            } else {
                crossing.clamp(nearest, farthest)
            };
            *range = range.min(hit);
        }
    }

    fn cast_point(&mut self, point: SeenPoint) {
        let beam = point.bearing_beams.round_ties_even();
        if beam >= 0.0 && beam < self.row.len() as f64 {
            let range = &mut self.row[beam as usize];
            *range = range.min(point.range_m);
        }
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
