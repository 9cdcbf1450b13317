//! The synthetic building and the people in it.

use std::f64::consts::TAU;
use std::ops::Range;

use rand::RngExt as _;
use rand_chacha::ChaCha12Rng;

/// The corridor runs along x from 0 to here, metres.
pub(super) const CORRIDOR_LENGTH_M: f64 = 60.0;
/// Half the corridor's width, metres.
const CORRIDOR_HALF_WIDTH_M: f64 = 1.2;
/// Where the side corridor leaves to the north, and its length, metres.
pub(super) const JUNCTION_X_M: f64 = 30.0;
pub(super) const SIDE_CORRIDOR_LENGTH_M: f64 = 20.0;
/// The middles of the rooms, on both sides of the corridor, metres.
const ROOMS_X_M: [f64; 6] = [7.5, 15.0, 22.5, 37.5, 45.0, 52.5];
/// Rooms whose doors stand open on both sides, whatever the seed: the robot and people go there.
pub(super) const OPEN_ROOMS_X_M: [f64; 2] = [15.0, 45.0];
const ROOM_WIDTH_M: f64 = 6.5;
const ROOM_DEPTH_M: f64 = 5.0;
const DOOR_HALF_WIDTH_M: f64 = 0.6;
/// How deep a closed door lies in the wall, metres.
const DOOR_RECESS_M: f64 = 0.12;
/// Radius of a person, metres.
const PERSON_RADIUS_M: f64 = 0.22;
/// People this near step out of the beam, metres.
const PERSON_NEAR_M: f64 = 0.4;

type Point = [f64; 2];

/// A straight piece of wall.
#[derive(Debug, Clone, Copy)]
struct Wall {
    from: Point,
    to: Point,
}

/// Somebody who walks to and fro.
#[derive(Debug, Clone, Copy)]
struct Walker {
    from: Point,
    to: Point,
    /// Walks one way and back in this time, seconds.
    round_secs: f64,
    begin_secs: f64,
}

impl Walker {
    fn position(&self, secs: f64) -> Point {
        let share = ((secs + self.begin_secs) / self.round_secs).rem_euclid(1.0);
        let there = 1.0 - (2.0 * share - 1.0).abs();
        let mix = |idx: usize| self.from[idx] + there * (self.to[idx] - self.from[idx]);
        [mix(0), mix(1)]
    }
}

/// Walls, boxes and people.
#[derive(Debug)]
pub(super) struct World {
    walls: Vec<Wall>,
    walkers: Vec<Walker>,
}

impl World {
    /// A building of its own for each generator.
    pub(super) fn new(n_walkers: usize, rng: &mut ChaCha12Rng) -> Self {
        let mut world = Self {
            walls: Vec::new(),
            walkers: Vec::new(),
        };
        for side in [1.0, -1.0] {
            world.add_corridor_side(side, rng);
        }
        let half = CORRIDOR_HALF_WIDTH_M;
        world.add([0.0, -half], [0.0, half]);
        world.add([CORRIDOR_LENGTH_M, -half], [CORRIDOR_LENGTH_M, half]);
        let end_y = half + SIDE_CORRIDOR_LENGTH_M;
        for x in [JUNCTION_X_M - half, JUNCTION_X_M + half] {
            world.add([x, half], [x, end_y]);
        }
        world.add([JUNCTION_X_M - half, end_y], [JUNCTION_X_M + half, end_y]);
        for _ in 0..8 {
            // Along the corridor's walls, where the robot does not drive.
            let x = rng.random_range(2.0..CORRIDOR_LENGTH_M - 2.0);
            let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            let is_free = ROOMS_X_M
                .iter()
                .chain([&JUNCTION_X_M])
                .all(|at| (x - at).abs() > 2.0);
            if is_free {
                world.add_box([x, side * (half - 0.2)], rng.random_range(0.15..0.25), rng);
            }
        }
        for idx in 0..n_walkers {
            world.add_walker(idx, rng);
        }
        world
    }

    fn add(&mut self, from: Point, to: Point) {
        self.walls.push(Wall { from, to });
    }

    /// One long wall with its doors, and the rooms behind it.
    fn add_corridor_side(&mut self, side: f64, rng: &mut ChaCha12Rng) {
        let y = side * CORRIDOR_HALF_WIDTH_M;
        let mut gaps: Vec<Range<f64>> = Vec::new();
        for x in ROOMS_X_M {
            let is_open = OPEN_ROOMS_X_M.contains(&x) || rng.random_bool(0.4);
            let shift = if OPEN_ROOMS_X_M.contains(&x) {
                0.0
            } else {
                rng.random_range(-1.0..1.0)
            };
            let door = (x + shift - DOOR_HALF_WIDTH_M)..(x + shift + DOOR_HALF_WIDTH_M);
            if is_open {
                self.add_room(x, side, rng);
            } else {
                let recess_y = y + side * DOOR_RECESS_M;
                self.add([door.start, y], [door.start, recess_y]);
                self.add([door.start, recess_y], [door.end, recess_y]);
                self.add([door.end, recess_y], [door.end, y]);
            }
            gaps.push(door);
        }
        if side > 0.0 {
            let half = CORRIDOR_HALF_WIDTH_M;
            gaps.push(JUNCTION_X_M - half..JUNCTION_X_M + half);
            gaps.sort_by(|a, b| a.start.total_cmp(&b.start));
        }
        let mut from_x = 0.0;
        for gap in gaps {
            self.add([from_x, y], [gap.start, y]);
            from_x = gap.end;
        }
        self.add([from_x, y], [CORRIDOR_LENGTH_M, y]);
    }

    /// The far walls of a room (the corridor's wall closes it) and what stands in it.
    fn add_room(&mut self, x: f64, side: f64, rng: &mut ChaCha12Rng) {
        let near_y = side * (CORRIDOR_HALF_WIDTH_M + DOOR_RECESS_M);
        let far_y = near_y + side * ROOM_DEPTH_M;
        let (left, right) = (x - ROOM_WIDTH_M / 2.0, x + ROOM_WIDTH_M / 2.0);
        self.add([left, near_y], [left, far_y]);
        self.add([left, far_y], [right, far_y]);
        self.add([right, far_y], [right, near_y]);
        for corner_x in [left + 0.9, right - 0.9] {
            let y = near_y + side * rng.random_range(1.0..ROOM_DEPTH_M - 1.0);
            self.add_box([corner_x, y], rng.random_range(0.2..0.6), rng);
        }
    }

    /// A turned square.
    fn add_box(&mut self, middle: Point, half_size_m: f64, rng: &mut ChaCha12Rng) {
        let turn: f64 = rng.random_range(-0.3..0.3);
        let corner = |idx: i32| {
            let angle = turn + TAU * (f64::from(idx) + 0.5) / 4.0;
            let radius = half_size_m * std::f64::consts::SQRT_2;
            [
                middle[0] + radius * angle.cos(),
                middle[1] + radius * angle.sin(),
            ]
        };
        for idx in 0..4 {
            self.add(corner(idx), corner(idx + 1));
        }
    }

    /// Every other person goes along the corridor, the others cross it from room to room.
    fn add_walker(&mut self, idx: usize, rng: &mut ChaCha12Rng) {
        let (from, to) = if idx.is_multiple_of(2) {
            let x = rng.random_range(3.0..35.0);
            let y = if rng.random_bool(0.5) { 0.7 } else { -0.7 };
            ([x, y], [x + rng.random_range(8.0..22.0), y])
        } else {
            let x = OPEN_ROOMS_X_M[(idx / 2) % OPEN_ROOMS_X_M.len()] + rng.random_range(-0.3..0.3);
            ([x, -4.0], [x, 4.0])
        };
        let speed_mps = rng.random_range(0.7..1.3);
        let round_secs = 2.0 * (to[0] - from[0]).hypot(to[1] - from[1]) / speed_mps;
        let begin_secs = rng.random_range(0.0..round_secs);
        self.walkers.push(Walker {
            from,
            to,
            round_secs,
            begin_secs,
        });
    }

    /// Where the people who can be seen from here are.
    pub(super) fn people(&self, origin: Point, secs: f64) -> Vec<Point> {
        let positions = self.walkers.iter().map(|walker| walker.position(secs));
        positions
            .filter(|at| (at[0] - origin[0]).hypot(at[1] - origin[1]) > PERSON_NEAR_M)
            .collect()
    }

    /// How far one sees in a direction, in metres; `None` for nothing there.
    pub(super) fn range_m(&self, origin: Point, angle_rad: f64, people: &[Point]) -> Option<f64> {
        let (sin, cos) = angle_rad.sin_cos();
        let walls = self
            .walls
            .iter()
            .filter_map(|wall| wall_range(wall, origin, [cos, sin]));
        let people = people
            .iter()
            .filter_map(|person| person_range(*person, origin, [cos, sin]));
        walls.chain(people).min_by(f64::total_cmp)
    }
}

fn cross(a: Point, b: Point) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

/// Where a ray meets a piece of wall.
fn wall_range(wall: &Wall, origin: Point, direction: Point) -> Option<f64> {
    let along = [wall.to[0] - wall.from[0], wall.to[1] - wall.from[1]];
    let start = [wall.from[0] - origin[0], wall.from[1] - origin[1]];
    let denominator = cross(direction, along);
    if denominator.abs() < 1e-12 {
        return None;
    }
    let range = cross(start, along) / denominator;
    let share = cross(start, direction) / denominator;
    (range > 0.0 && (0.0..=1.0).contains(&share)).then_some(range)
}

/// Where a ray meets a person.
fn person_range(person: Point, origin: Point, direction: Point) -> Option<f64> {
    let middle = [person[0] - origin[0], person[1] - origin[1]];
    let along = middle[0] * direction[0] + middle[1] * direction[1];
    let aside = cross(direction, middle);
    let half_chord = (PERSON_RADIUS_M * PERSON_RADIUS_M - aside * aside).sqrt();
    // NaN where the ray passes by.
    let range = along - half_chord;
    (range > 0.0).then_some(range)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn rays_meet_walls_and_people_where_they_are() {
        let mut world = World {
            walls: Vec::new(),
            walkers: Vec::new(),
        };
        world.add([2.0, -1.0], [2.0, 1.0]);
        let close = |range: Option<f64>, expected: f64| (range.unwrap() - expected).abs() < 1e-12;
        assert!(close(world.range_m([0.0, 0.0], 0.0, &[]), 2.0));
        assert!(close(
            world.range_m([0.0, 0.0], 0.4, &[]),
            2.0 / 0.4_f64.cos()
        ));
        assert_eq!(world.range_m([0.0, 0.0], 0.5, &[]), None);
        assert_eq!(world.range_m([0.0, 0.0], std::f64::consts::PI, &[]), None);
        assert!(close(
            world.range_m([0.0, 0.0], 0.0, &[[1.0, 0.0]]),
            1.0 - PERSON_RADIUS_M
        ));
        assert!(close(world.range_m([0.0, 0.0], 0.0, &[[1.0, 0.3]]), 2.0));
    }

    #[test]
    fn people_walk_to_and_fro() {
        let walker = Walker {
            from: [0.0, 0.0],
            to: [4.0, 2.0],
            round_secs: 8.0,
            begin_secs: 0.0,
        };
        for (secs, expected) in [
            (0.0, [0.0, 0.0]),
            (2.0, [2.0, 1.0]),
            (4.0, [4.0, 2.0]),
            (7.0, [1.0, 0.5]),
        ] {
            let at = walker.position(secs);
            assert!((at[0] - expected[0]).abs() < 1e-9 && (at[1] - expected[1]).abs() < 1e-9);
        }
    }

    #[test]
    fn the_building_is_closed_seen_from_everywhere_the_robot_goes() {
        for seed in 0..5 {
            let world = World::new(4, &mut ChaCha12Rng::seed_from_u64(seed));
            for origin in [
                [2.0, 0.0],
                [30.0, 0.0],
                [30.0, 15.0],
                [15.0, 4.0],
                [45.0, -4.0],
            ] {
                for degrees in 0..360 {
                    let range = world.range_m(origin, f64::from(degrees).to_radians(), &[]);
                    assert!(
                        range.is_some(),
                        "seed {seed}, {origin:?}, {degrees} degrees"
                    );
                }
            }
        }
    }
}
