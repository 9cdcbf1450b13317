//! Outlines in the plane and the distance between them.

use sedge_spacetime::Pose2;
use serde::{Deserialize, Serialize};

use crate::{Body, Wall};

/// An outline around its own origin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outline {
    Disc { radius_m: f64 },
    Box { half_m: [f64; 2] },
}

/// An outline at a place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) outline: Outline,
    pub(crate) center_m: [f64; 2],
    /// Cosine and sine of the heading.
    pub(crate) heading: [f64; 2],
}

impl From<Body> for Outline {
    fn from(body: Body) -> Self {
        match body {
            Body::Cylinder { radius_m } => Self::Disc { radius_m },
            Body::Box { length_m, width_m } => Self::Box {
                half_m: [length_m / 2.0, width_m / 2.0],
            },
        }
    }
}

impl Outline {
    /// Radius of the smallest disc around the origin that holds it.
    pub(crate) fn radius_m(self) -> f64 {
        match self {
            Self::Disc { radius_m } => radius_m,
            Self::Box { half_m } => length(half_m),
        }
    }
}

impl Placed {
    pub(crate) fn new(outline: Outline, pose: Pose2) -> Self {
        Self {
            outline,
            center_m: [pose.x_m, pose.y_m],
            heading: [pose.yaw_rad.cos(), pose.yaw_rad.sin()],
        }
    }

    pub(crate) fn wall(wall: &Wall) -> Self {
        let half_m = [wall.size_m[0] / 2.0, wall.size_m[1] / 2.0];
        let pose = Pose2::new(wall.center_m[0], wall.center_m[1], wall.yaw_rad);
        Self::new(Outline::Box { half_m }, pose)
    }

    /// A point of the world, seen from here.
    pub(crate) fn to_local(self, point_m: [f64; 2]) -> [f64; 2] {
        let [dx, dy] = [point_m[0] - self.center_m[0], point_m[1] - self.center_m[1]];
        let [cos, sin] = self.heading;
        [cos * dx + sin * dy, cos * dy - sin * dx]
    }

    /// A direction from here, seen by the world.
    pub(crate) fn turn_to_world(self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [cos, sin] = self.heading;
        [cos * x - sin * y, sin * x + cos * y]
    }

    /// The nearest point of the border and the distance to it, less than zero inside.
    pub(crate) fn nearest(self, point_m: [f64; 2]) -> ([f64; 2], f64) {
        let local = self.to_local(point_m);
        let (near, distance_m) = match self.outline {
            Outline::Disc { radius_m } => nearest_of_disc(radius_m, local),
            Outline::Box { half_m } => nearest_of_box(half_m, local),
        };
        let [x, y] = self.turn_to_world(near);
        ([self.center_m[0] + x, self.center_m[1] + y], distance_m)
    }

    /// The distance to another outline, less than zero by how deep they are in each other.
    pub(crate) fn clearance_m(self, other: Self) -> f64 {
        match (self.outline, other.outline) {
            (Outline::Disc { radius_m }, _) => other.nearest(self.center_m).1 - radius_m,
            (_, Outline::Disc { radius_m }) => self.nearest(other.center_m).1 - radius_m,
            (Outline::Box { .. }, Outline::Box { .. }) => box_clearance_m(self, other),
        }
    }

    /// The unit direction in which this one leaves another the shortest way, and
    /// [`Self::clearance_m`].
    pub(crate) fn way_out(self, other: Self) -> ([f64; 2], f64) {
        let against = |[x, y]: [f64; 2]| [-x, -y];
        match (self.outline, other.outline) {
            (Outline::Disc { radius_m }, _) => {
                let (direction, distance_m) = other.way_out_of(self.center_m);
                (direction, distance_m - radius_m)
            }
            (_, Outline::Disc { radius_m }) => {
                let (direction, distance_m) = self.way_out_of(other.center_m);
                (against(direction), distance_m - radius_m)
            }
            (Outline::Box { .. }, Outline::Box { .. }) => {
                let (axis, gap_m) = widest_gap(self, other);
                (against(axis), gap_m)
            }
        }
    }

    /// The unit direction in which a point leaves this outline the shortest way, and its distance
    /// to the border, less than zero inside.
    fn way_out_of(self, point_m: [f64; 2]) -> ([f64; 2], f64) {
        let (near_m, distance_m) = self.nearest(point_m);
        let to = [near_m[0] - point_m[0], near_m[1] - point_m[1]];
        let length_m = length(to);
        if length_m == 0.0 {
            // On the border to the bit: away from the middle leads out of a disc or a box.
            let to = [point_m[0] - self.center_m[0], point_m[1] - self.center_m[1]];
            let away = length(to).max(f64::MIN_POSITIVE);
            return ([to[0] / away, to[1] / away], distance_m);
        }
        let outwards = -distance_m.signum() / length_m;
        ([to[0] * outwards, to[1] * outwards], distance_m)
    }

    /// The corners of a box; none of a disc.
    pub(crate) fn corners(self) -> impl Iterator<Item = [f64; 2]> {
        let half_m = match self.outline {
            Outline::Disc { .. } => None,
            Outline::Box { half_m } => Some(half_m),
        };
        let signs = [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]];
        half_m.into_iter().flat_map(move |[hx, hy]| {
            signs.map(|[sx, sy]| {
                let [x, y] = self.turn_to_world([sx * hx, sy * hy]);
                [self.center_m[0] + x, self.center_m[1] + y]
            })
        })
    }

    /// Half its length along a unit direction.
    fn half_extent_m(self, [ux, uy]: [f64; 2]) -> f64 {
        let [cos, sin] = self.heading;
        match self.outline {
            Outline::Disc { radius_m } => radius_m,
            Outline::Box { half_m: [hx, hy] } => {
                hx * (ux * cos + uy * sin).abs() + hy * (uy * cos - ux * sin).abs()
            }
        }
    }
}

fn nearest_of_disc(radius_m: f64, [x, y]: [f64; 2]) -> ([f64; 2], f64) {
    let distance_m = length([x, y]);
    // At the very middle every direction is as near.
    let unit = if distance_m > 0.0 {
        [x / distance_m, y / distance_m]
    } else {
        [1.0, 0.0]
    };
    let near = [unit[0] * radius_m, unit[1] * radius_m];
    (near, distance_m - radius_m)
}

fn nearest_of_box([hx, hy]: [f64; 2], [x, y]: [f64; 2]) -> ([f64; 2], f64) {
    let clamped = [x.clamp(-hx, hx), y.clamp(-hy, hy)];
    let outside_m = length([x - clamped[0], y - clamped[1]]);
    if outside_m > 0.0 {
        return (clamped, outside_m);
    }
    let (to_x, to_y) = (hx - x.abs(), hy - y.abs());
    if to_x < to_y {
        ([hx.copysign(x), y], -to_x)
    } else {
        ([x, hy.copysign(y)], -to_y)
    }
}

/// Apart, two boxes are nearest at a corner of one; in each other, the least overlap along any of
/// their four axes is how deep (separating axes).
fn box_clearance_m(a: Placed, b: Placed) -> f64 {
    let (_, gap_m) = widest_gap(a, b);
    if gap_m <= 0.0 {
        return gap_m;
    }
    let corners_of = |one: Placed, other: Placed| {
        one.corners()
            .map(move |corner| other.nearest(corner).1)
            .fold(f64::INFINITY, f64::min)
    };
    corners_of(a, b).min(corners_of(b, a))
}

/// The axis, from `a` to `b`, along which two boxes are farthest apart or least in each other, and
/// by how much: along one of their own four (separating axes).
fn widest_gap(a: Placed, b: Placed) -> ([f64; 2], f64) {
    let between = [b.center_m[0] - a.center_m[0], b.center_m[1] - a.center_m[1]];
    [a.heading, b.heading]
        .into_iter()
        .flat_map(|[cos, sin]| [[cos, sin], [-sin, cos]])
        .map(|[x, y]| {
            let along_m = between[0] * x + between[1] * y;
            let axis = [x * along_m.signum(), y * along_m.signum()];
            (
                axis,
                along_m.abs() - a.half_extent_m(axis) - b.half_extent_m(axis),
            )
        })
        .fold(([1.0, 0.0], f64::NEG_INFINITY), |widest, gap| {
            if gap.1 > widest.1 { gap } else { widest }
        })
}

/// Length of a vector within the extents of a scenario. The square root is exact to the last bit on
/// every machine, and several times as fast as `hypot`, which guards against extents that are not.
fn length([x, y]: [f64; 2]) -> f64 {
    (x * x + y * y).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_PI_4, SQRT_2};

    fn check(a: Placed, b: Placed, expected_m: f64) {
        for got_m in [a.clearance_m(b), b.clearance_m(a)] {
            assert!((got_m - expected_m).abs() < 1e-12, "{got_m} {expected_m}");
        }
    }

    fn disc(radius_m: f64, x_m: f64, y_m: f64) -> Placed {
        Placed::new(Outline::Disc { radius_m }, Pose2::new(x_m, y_m, 0.3))
    }

    fn square(half_m: f64, pose: Pose2) -> Placed {
        let half_m = [half_m, half_m];
        Placed::new(Outline::Box { half_m }, pose)
    }

    #[test]
    fn clearances_are_what_geometry_says() {
        let unit = square(1.0, Pose2::IDENTITY);
        let turned = |x_m| square(1.0, Pose2::new(x_m, 0.0, FRAC_PI_4));
        check(disc(0.5, 0.0, 0.0), disc(0.5, 3.0, 4.0), 4.0);
        check(disc(0.5, 0.0, 0.0), disc(0.5, 0.6, 0.0), -0.4);
        check(unit, disc(0.5, 3.0, 0.0), 1.5);
        check(unit, disc(0.5, 2.0, 2.0), SQRT_2 - 0.5);
        check(unit, disc(0.5, 0.9, 0.0), -0.6);
        check(unit, disc(0.5, 0.0, 0.0), -1.5);
        check(unit, square(1.0, Pose2::new(5.0, 6.0, 0.0)), 5.0);
        check(unit, square(1.0, Pose2::new(1.5, 0.2, 0.0)), -0.5);
        check(unit, turned(4.0), 3.0 - SQRT_2);
        check(unit, turned(2.0), 1.0 - SQRT_2);
    }

    #[test]
    fn the_way_out_leads_out_by_the_depth() {
        let unit = square(1.0, Pose2::IDENTITY);
        let box_inside = square(1.0, Pose2::new(1.5, 0.2, 0.1));
        let corner = square(1.0, Pose2::new(1.9, 0.1, FRAC_PI_4));
        let others = [
            disc(0.5, 0.9, 0.3),
            disc(0.5, -1.2, 1.2),
            disc(0.5, 1.0, 0.0),
        ];
        for other in others.into_iter().chain([box_inside, corner]) {
            for (mut one, other) in [(unit, other), (other, unit)] {
                let ([x, y], clearance_m) = one.way_out(other);
                assert!((length([x, y]) - 1.0).abs() < 1e-12);
                assert!((clearance_m - one.clearance_m(other)).abs() < 1e-12);
                assert!(clearance_m < 0.0, "{clearance_m}");
                one.center_m[0] -= x * clearance_m;
                one.center_m[1] -= y * clearance_m;
                let left_m = one.clearance_m(other);
                assert!(left_m.abs() < 1e-9, "{other:?}: {left_m}");
            }
        }
    }
}
