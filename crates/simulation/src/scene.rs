//! What stands and moves in the plane, for rays: each outline is drawn onto the beams that can hit
//! it, so that a scan costs what is seen and not beams times outlines.
//!
//! Every hit is computed from the outline itself, so ranges are exact to double precision; a test
//! compares them with rapier's own rays.

use std::f64::consts::{PI, TAU};

use sedge_spacetime::Pose2;

use crate::outline::{Outline, Placed};

/// Nothing is hit.
pub(crate) const NO_HIT: u32 = u32::MAX;
/// Beams are drawn this much beyond an outline's edge, against rounding.
const EDGE_RAD: f64 = 1e-9;

/// Walls first, then the bodies that move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) walls: &'a [Placed],
    pub(crate) bodies: &'a [Placed],
}

/// Where beams point, in the frame they start in: evenly spaced, each off by a little.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beams<'a> {
    pub(crate) first_angle_rad: f64,
    pub(crate) step_rad: f64,
    /// Unit vectors. `[beam]`
    pub(crate) directions: &'a [[f64; 2]],
    /// No beam is farther from its even place than this.
    pub(crate) offset_max_rad: f64,
    pub(crate) range_max_m: f64,
}

/// What beams hit, reused from scan to scan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hits {
    /// Range per beam, infinite where nothing is within the maximum. `[beam]`
    pub(crate) ranges_m: Vec<f64>,
    /// Index of the wall, or the number of walls plus that of the body, or [`NO_HIT`]. `[beam]`
    pub(crate) what: Vec<u32>,
}

impl Scene<'_> {
    /// Casts all beams from a pose; the body of index `own` is not there for them.
    pub(crate) fn cast(&self, from: Pose2, own: Option<usize>, beams: &Beams<'_>, hits: &mut Hits) {
        hits.ranges_m.clear();
        hits.ranges_m.resize(beams.directions.len(), f64::INFINITY);
        hits.what.clear();
        hits.what.resize(beams.directions.len(), NO_HIT);
        let eye = Placed::new(Outline::Disc { radius_m: 0.0 }, from);
        let mut canvas = Canvas { beams, hits };
        for (idx, wall) in self.walls.iter().enumerate() {
            canvas.draw(eye, *wall, idx as u32);
        }
        for (idx, body) in self.bodies.iter().enumerate() {
            if Some(idx) != own {
                canvas.draw(eye, *body, (self.walls.len() + idx) as u32);
            }
        }
    }

    /// Whether a line between two points meets no wall and none of some bodies.
    pub(crate) fn is_clear(
        &self,
        from_m: [f64; 2],
        to_m: [f64; 2],
        bodies: impl IntoIterator<Item = usize>,
    ) -> bool {
        let is_free = |placed: &Placed| !crosses(*placed, from_m, to_m);
        self.walls.iter().all(is_free) && bodies.into_iter().all(|idx| is_free(&self.bodies[idx]))
    }
}

struct Canvas<'a, 'b> {
    beams: &'a Beams<'b>,
    hits: &'a mut Hits,
}

impl Canvas<'_, '_> {
    fn draw(&mut self, eye: Placed, placed: Placed, what: u32) {
        let center = eye.to_local(placed.center_m);
        let radius_m = placed.outline.radius_m();
        let far_m = self.beams.range_max_m + radius_m;
        let distance_2 = center[0] * center[0] + center[1] * center[1];
        if distance_2 > far_m * far_m {
            return;
        }
        match placed.outline {
            Outline::Disc { radius_m } => self.draw_disc(center, distance_2.sqrt(), radius_m, what),
            Outline::Box { half_m } => {
                let [cos, sin] = eye.heading;
                let [c, s] = placed.heading;
                let heading = [c * cos + s * sin, s * cos - c * sin];
                self.draw_box(center, heading, half_m, what);
            }
        }
    }

    fn draw_disc(&mut self, [x, y]: [f64; 2], distance_m: f64, radius_m: f64, what: u32) {
        if distance_m <= radius_m {
            // From inside everything is hit at once.
            self.set_all(what);
            return;
        }
        let middle_rad = y.atan2(x);
        let half_rad = (radius_m / distance_m).asin();
        self.each_beam(middle_rad - half_rad, 2.0 * half_rad, |[dx, dy]| {
            let aside_m = dx * y - dy * x;
            let chord_2 = radius_m * radius_m - aside_m * aside_m;
            (chord_2 >= 0.0).then(|| (dx * x + dy * y - chord_2.sqrt(), what))
        });
    }

    fn draw_box(&mut self, [x, y]: [f64; 2], [cos, sin]: [f64; 2], [hx, hy]: [f64; 2], what: u32) {
        // Counter-clockwise, so that a side that faces the eye runs clockwise around it.
        let corners = [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]].map(|[sx, sy]| {
            let (lx, ly) = (sx * hx, sy * hy);
            [x + cos * lx - sin * ly, y + sin * lx + cos * ly]
        });
        let mut is_inside = true;
        for side in 0..4 {
            let [a, b] = [corners[side], corners[(side + 1) % 4]];
            let edge = [b[0] - a[0], b[1] - a[1]];
            // Twice the area of eye, a, b: less than zero where the side faces the eye.
            let facing = a[0] * b[1] - a[1] * b[0];
            is_inside &= facing >= 0.0;
            if facing >= 0.0 {
                continue;
            }
            // From b to a is counter-clockwise around the eye, and less than half a turn.
            let from_rad = b[1].atan2(b[0]);
            let turn_rad = (-facing).atan2(a[0] * b[0] + a[1] * b[1]);
            self.each_beam(from_rad, turn_rad, |[dx, dy]| {
                let slope = dx * edge[1] - dy * edge[0];
                let along = a[0] * dy - a[1] * dx;
                // Both are of a sign where the ray meets the side; corners belong to both sides.
                let share = along / slope;
                let meets = (-EDGE_RAD..=1.0 + EDGE_RAD).contains(&share);
                let range_m = facing_range(a, edge, slope);
                (meets && range_m >= 0.0).then_some((range_m, what))
            });
        }
        if is_inside {
            self.set_all(what);
        }
    }

    fn set_all(&mut self, what: u32) {
        self.hits.ranges_m.fill(0.0);
        self.hits.what.fill(what);
    }

    /// Offers a range to every beam that may point between two angles.
    fn each_beam(
        &mut self,
        from_rad: f64,
        turn_rad: f64,
        hit: impl Fn([f64; 2]) -> Option<(f64, u32)>,
    ) {
        let Beams {
            first_angle_rad,
            step_rad,
            directions,
            offset_max_rad,
            range_max_m,
        } = *self.beams;
        let margin_rad = offset_max_rad + EDGE_RAD;
        let n_beams = directions.len();
        let low = ((from_rad - margin_rad - first_angle_rad) / step_rad).ceil();
        let high = ((from_rad + turn_rad + margin_rad - first_angle_rad) / step_rad).floor();
        // As many as there are beams are all of them.
        let count = ((high - low + 1.0).max(0.0) as usize).min(n_beams);
        let mut idx = (low as i64).rem_euclid(n_beams as i64) as usize;
        for _ in 0..count {
            if let Some((range_m, what)) = hit(directions[idx])
                && range_m < self.hits.ranges_m[idx]
                && range_m <= range_max_m
            {
                self.hits.ranges_m[idx] = range_m;
                self.hits.what[idx] = what;
            }
            idx += 1;
            if idx == n_beams {
                idx = 0;
            }
        }
    }
}

/// Where a ray from the origin meets the line through `a` along `edge`.
fn facing_range(a: [f64; 2], edge: [f64; 2], slope: f64) -> f64 {
    (a[0] * edge[1] - a[1] * edge[0]) / slope
}

/// Evenly spaced beams over the full circle, the first one straight behind.
pub(crate) fn full_circle(n_beams: usize) -> (f64, f64, Vec<[f64; 2]>) {
    let step_rad = TAU / n_beams as f64;
    let direction = |beam: usize| {
        let (sin, cos) = (-PI + beam as f64 * step_rad).sin_cos();
        [cos, sin]
    };
    (-PI, step_rad, (0..n_beams).map(direction).collect())
}

fn crosses(placed: Placed, from_m: [f64; 2], to_m: [f64; 2]) -> bool {
    let (a, b) = (placed.to_local(from_m), placed.to_local(to_m));
    let along = [b[0] - a[0], b[1] - a[1]];
    interval(placed.outline, a, along).is_some_and(|[enter, exit]| exit >= 0.0 && enter <= 1.0)
}

/// Between which multiples of `along` from a point on a line is in an outline, both in the
/// outline's frame.
pub(crate) fn interval(outline: Outline, from: [f64; 2], along: [f64; 2]) -> Option<[f64; 2]> {
    match outline {
        Outline::Disc { radius_m } => {
            let a = along[0] * along[0] + along[1] * along[1];
            let b = from[0] * along[0] + from[1] * along[1];
            let c = from[0] * from[0] + from[1] * from[1] - radius_m * radius_m;
            let root_2 = b * b - a * c;
            (root_2 >= 0.0 && a > 0.0).then(|| {
                let root = root_2.sqrt();
                [(-b - root) / a, (-b + root) / a]
            })
        }
        Outline::Box { half_m } => {
            let mut inside = [f64::NEG_INFINITY, f64::INFINITY];
            for axis in 0..2 {
                if along[axis] == 0.0 {
                    if from[axis].abs() > half_m[axis] {
                        return None;
                    }
                    continue;
                }
                let to = |border_m: f64| (border_m - from[axis]) / along[axis];
                let (one, other) = (to(-half_m[axis]), to(half_m[axis]));
                inside[0] = inside[0].max(one.min(other));
                inside[1] = inside[1].min(one.max(other));
            }
            (inside[0] <= inside[1]).then_some(inside)
        }
    }
}

#[cfg(test)]
mod tests;
