//! How far it is to the goal around what stands in between.
//!
//! The straight distance leads into dead ends; this one is the arrival time of a front that starts
//! at the goal and is slow where there is no room (the eikonal equation), by the fast sweeping
//! method: Zhao, "A fast sweeping method for eikonal equations" (2005).

use crate::{ClearanceField, Goal, PlannerConfig};

/// Rounds of four sweeps at most; a room with a few doors needs two or three.
const N_ROUNDS_MAX: usize = 8;
/// A round that changes nothing by more than this was the last, in metres.
const SETTLED_M: f32 = 1e-3;
/// How many metres of a free way a metre through an obstacle is worth: a goal that is closed in is
/// still approached.
const BLOCKED: f32 = 12.0;
/// How many metres more a metre is worth for all of the margin that is missing.
const NARROW: f32 = 1.0;
/// Within this many cells of the goal the way is straight.
const N_STRAIGHT_CELLS: f32 = 2.0;
const FAR_M: f32 = 1e6;

/// What it takes to be free to pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) body_radius_m: f32,
    pub(crate) margin_m: f32,
}

impl Room {
    pub(crate) fn of(config: &PlannerConfig) -> Self {
        Self {
            body_radius_m: config.footprint_radius_m as f32,
            margin_m: config.costs.clearance_margin_m as f32,
        }
    }
}

/// Lengths of ways to one goal from everywhere in the fields' square; buffers are reused. Cells are
/// twice as large as the fields'.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    n_side: usize,
    n_field_side: usize,
    cell_m: f32,
    half_size_m: f32,
    goal_m: [f32; 2],
    /// The most room that a cell has at any time: what moves is no reason for a detour.
    room_m: Vec<f32>,
    slowness: Vec<f32>,
    /// `[row, column]`
    lengths_m: Vec<f32>,
}

/// How far it is from a place, and which way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heading {
    pub(crate) length_m: f32,
    /// The direction of the goal's way, at most of length 1.
    pub(crate) towards: [f32; 2],
}

impl Way {
    pub(crate) fn new(field: &ClearanceField) -> Self {
        let n_side = field.n_side().div_ceil(2);
        let n_cells = n_side * n_side;
        Self {
            n_side,
            n_field_side: field.n_side(),
            cell_m: 2.0 * field.cell_m(),
            half_size_m: 0.5 * field.n_side() as f32 * field.cell_m(),
            goal_m: [0.0; 2],
            room_m: vec![0.0; n_cells],
            slowness: vec![1.0; n_cells],
            lengths_m: vec![0.0; n_cells],
        }
    }

    /// Finds the ways to a goal through what the fields show.
    pub(crate) fn fill(&mut self, fields: &[ClearanceField], room: Room, goal: &Goal) {
        self.goal_m = goal.position_m.map(|it| it as f32);
        self.find_room(fields);
        let Room {
            body_radius_m,
            margin_m,
        } = room;
        for (slowness, &room_m) in self.slowness.iter_mut().zip(&self.room_m) {
            let missing = (1.0 - (room_m - body_radius_m) / margin_m).clamp(0.0, 1.0);
            let free = 1.0 + NARROW * missing * missing;
            *slowness = if room_m < body_radius_m {
                BLOCKED
            } else {
                free
            };
        }
        self.seed();
        for _ in 0..N_ROUNDS_MAX {
            let changes_m = [(false, false), (true, false), (true, true), (false, true)]
                .map(|(up, right)| self.sweep(up.into(), right.into()));
            if changes_m.iter().all(|&it| it < SETTLED_M) {
                break;
            }
        }
    }

    /// Each cell's best of its four fine cells, over all times.
    fn find_room(&mut self, fields: &[ClearanceField]) {
        self.room_m.fill(0.0);
        let n = self.n_field_side;
        for field in fields {
            let distances_m = field.distances_m();
            for row in 0..self.n_side {
                let (low, high) = (2 * row, (2 * row + 1).min(n - 1));
                let rows = (&distances_m[low * n..][..n], &distances_m[high * n..][..n]);
                let room_m = &mut self.room_m[row * self.n_side..][..self.n_side];
                for (column, room_m) in room_m.iter_mut().enumerate() {
                    let (left, right) = (2 * column, (2 * column + 1).min(n - 1));
                    let best_m = rows.0[left]
                        .max(rows.0[right])
                        .max(rows.1[left])
                        .max(rows.1[right]);
                    *room_m = room_m.max(best_m);
                }
            }
        }
    }

    /// Around the goal, and on the edge if the goal lies beyond it, ways are straight.
    fn seed(&mut self) {
        let inside = self.goal_m.iter().all(|it| it.abs() < self.half_size_m);
        let last = self.n_side - 1;
        for row in 0..self.n_side {
            for column in 0..self.n_side {
                let idx = row * self.n_side + column;
                let straight_m = self.straight_m(column, row);
                let is_edge = row == 0 || column == 0 || row == last || column == last;
                let is_near = straight_m <= N_STRAIGHT_CELLS * self.cell_m;
                let is_seed = if inside { is_near } else { is_edge };
                let seed_m = straight_m * self.slowness[idx].min(BLOCKED);
                // From the edge on nothing is known; there the way is as long as it is straight.
                let seed_m = if inside { seed_m } else { straight_m };
                self.lengths_m[idx] = if is_seed { seed_m } else { FAR_M };
            }
        }
    }

    fn straight_m(&self, column: usize, row: usize) -> f32 {
        let dx = self.middle_m(column) - self.goal_m[0];
        let dy = self.middle_m(row) - self.goal_m[1];
        (dx * dx + dy * dy).sqrt()
    }

    fn middle_m(&self, cell: usize) -> f32 {
        (cell as f32 + 0.5) * self.cell_m - self.half_size_m
    }

    /// One Gauss-Seidel sweep; the largest change.
    fn sweep(&mut self, rows: Order, columns: Order) -> f32 {
        let n = self.n_side;
        let mut change_m: f32 = 0.0;
        for row in rows.of(n) {
            for column in columns.of(n) {
                let idx = row * n + column;
                let at = |is_there: bool, idx: usize| {
                    if is_there { self.lengths_m[idx] } else { FAR_M }
                };
                let left_m = at(column > 0, idx.wrapping_sub(1));
                let right_m = at(column + 1 < n, idx + 1);
                let below_m = at(row > 0, idx.wrapping_sub(n));
                let above_m = at(row + 1 < n, idx + n);
                let (a, b) = (left_m.min(right_m), below_m.min(above_m));
                let across_m = self.slowness[idx] * self.cell_m;
                let apart_m = (a - b).abs();
                let length_m = if apart_m >= across_m {
                    a.min(b) + across_m
                } else {
                    0.5 * (a + b + (2.0 * across_m * across_m - apart_m * apart_m).sqrt())
                };
                let before_m = self.lengths_m[idx];
                if length_m < before_m {
                    self.lengths_m[idx] = length_m;
                    change_m = change_m.max(before_m - length_m);
                }
            }
        }
        change_m
    }

    /// How far it is from a place, blended between cells; straight close to the goal.
    #[inline]
    pub(crate) fn at(&self, x_m: f32, y_m: f32) -> Heading {
        let (dx, dy) = (self.goal_m[0] - x_m, self.goal_m[1] - y_m);
        let straight_m = (dx * dx + dy * dy).sqrt();
        if straight_m <= N_STRAIGHT_CELLS * self.cell_m {
            let length_m = straight_m.max(1e-3);
            return Heading {
                length_m: straight_m,
                towards: [dx / length_m, dy / length_m],
            };
        }
        let last = self.n_side as f32 - 1.0 - 1e-3;
        let place = |position_m: f32| {
            // The order makes NaN the first cell.
            ((position_m + self.half_size_m) / self.cell_m - 0.5)
                .max(0.0)
                .min(last)
        };
        let (column, row) = (place(x_m), place(y_m));
        let (left, below) = (column as usize, row as usize);
        let (right, up) = (column - left as f32, row - below as f32);
        let from = below * self.n_side + left;
        let low = &self.lengths_m[from..from + 2];
        let high = &self.lengths_m[from + self.n_side..from + self.n_side + 2];
        let (near, far) = (
            low[0] + right * (low[1] - low[0]),
            high[0] + right * (high[1] - high[0]),
        );
        let slope_x = (low[1] - low[0]) + up * ((high[1] - high[0]) - (low[1] - low[0]));
        let slope = [slope_x, far - near];
        let size = (slope[0] * slope[0] + slope[1] * slope[1]).sqrt().max(1e-6);
        Heading {
            length_m: near + up * (far - near),
            towards: [-slope[0] / size, -slope[1] / size],
        }
    }
}

/// Which way a sweep goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Rising,
    Falling,
}

impl From<bool> for Order {
    fn from(is_falling: bool) -> Self {
        if is_falling {
            Self::Falling
        } else {
            Self::Rising
        }
    }
}

impl Order {
    fn of(self, n: usize) -> impl Iterator<Item = usize> {
        (0..n).map(move |idx| match self {
            Self::Rising => idx,
            Self::Falling => n - 1 - idx,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FieldConfig, UnknownSpace};
    use sedge_spacetime::Pose2;
    use sedge_world_model::{PredictedScan, ScanGeometry};

    const ROOM: Room = Room {
        body_radius_m: 0.25,
        margin_m: 0.3,
    };

    /// A field with a wall across x = 1 m from y = -2 m to y = 1 m, as seen from the origin.
    fn walled() -> ClearanceField {
        let config = FieldConfig {
            unknown: UnknownSpace::Free,
            ..FieldConfig::default()
        };
        let mut field = ClearanceField::new(config).unwrap();
        let geometry = ScanGeometry {
            first_angle_rad: (-2.0_f64).atan2(1.0),
            step_rad: ((1.0_f64).atan2(1.0) - (-2.0_f64).atan2(1.0)) / 120.0,
            n_beams: 121,
        };
        let ranges = (0..121).map(|beam| (1.0 / geometry.angle_rad(beam).cos()) as f32);
        field.clear();
        field.add_scan(&PredictedScan::certain(ranges), &geometry, Pose2::IDENTITY);
        field.finish(0.25);
        field
    }

    fn empty() -> ClearanceField {
        let mut field = ClearanceField::new(FieldConfig::default()).unwrap();
        field.clear();
        field
    }

    #[test]
    fn without_obstacles_ways_are_straight() {
        let field = empty();
        let mut way = Way::new(&field);
        for goal in [Goal::place(2.3, -1.1), Goal::place(9.0, 4.0)] {
            way.fill(std::slice::from_ref(&field), ROOM, &goal);
            let [gx, gy] = goal.position_m.map(|it| it as f32);
            for (x, y) in [(0.0f32, 0.0f32), (-2.0, 1.0), (1.0, -3.0), (2.2, -1.0)] {
                let Heading { length_m, towards } = way.at(x, y);
                let straight_m = (gx - x).hypot(gy - y);
                assert!(
                    (length_m - straight_m).abs() < 0.06 * straight_m + 0.1,
                    "({x}, {y})"
                );
                let along = (towards[0] * (gx - x) + towards[1] * (gy - y)) / straight_m;
                assert!(along > 0.97, "({x}, {y}): {along}");
            }
        }
    }

    #[test]
    fn a_wall_is_walked_around_and_the_way_points_around_it() {
        let field = walled();
        let mut way = Way::new(&field);
        way.fill(std::slice::from_ref(&field), ROOM, &Goal::place(2.0, 0.0));
        let Heading { length_m, towards } = way.at(0.0, 0.0);
        // Up to where the wall ends and a radius further, and down again: 3.2 m, and slow where it
        // is narrow.
        assert!((3.0..4.5).contains(&length_m), "{length_m}");
        assert!(towards[1] > 0.6, "{towards:?}");
        assert!(way.at(0.6, -1.0).length_m > way.at(0.0, 0.5).length_m);
    }

    #[test]
    fn a_closed_in_goal_is_still_somewhere() {
        let field = walled();
        let mut way = Way::new(&field);
        way.fill(std::slice::from_ref(&field), ROOM, &Goal::place(1.0, 0.0));
        assert!(way.lengths_m.iter().all(|&it| it.is_finite() && it < 200.0));
        assert!(way.at(f32::NAN, 1e30).length_m.is_finite());
    }
}
