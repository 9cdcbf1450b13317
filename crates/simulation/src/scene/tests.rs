use rapier3d::prelude::{ColliderBuilder, PhysicsWorld, Pose, QueryFilter, Ray, Vector};

use super::*;
use crate::noise::{Noise, Purpose};

const RANGE_M_MAX: f64 = 15.0;

fn disc(radius_m: f64, x_m: f64, y_m: f64) -> Placed {
    Placed::new(Outline::Disc { radius_m }, Pose2::new(x_m, y_m, 0.0))
}

fn oblong(half_m: [f64; 2], pose: Pose2) -> Placed {
    Placed::new(Outline::Box { half_m }, pose)
}

fn scan(walls: &[Placed], bodies: &[Placed], own: Option<usize>, n_beams: usize) -> Hits {
    let (first_angle_rad, step_rad, directions) = full_circle(n_beams);
    let beams = Beams {
        first_angle_rad,
        step_rad,
        directions: &directions,
        offset_max_rad: 0.0,
        range_max_m: RANGE_M_MAX,
    };
    let mut hits = Hits::default();
    let scene = Scene { walls, bodies };
    scene.cast(Pose2::IDENTITY, own, &beams, &mut hits);
    hits
}

/// Infinite ranges are alike, too.
fn is_near(got_m: f64, expected_m: f64, within_m: f64) -> bool {
    (got_m.is_infinite() && expected_m.is_infinite()) || (got_m - expected_m).abs() < within_m
}

#[test]
fn ranges_are_those_of_geometry() {
    // Beams point to -180, -90, 0, 90 degrees.
    let walls = [oblong([0.5, 4.0], Pose2::new(3.5, 0.0, 0.0))];
    let bodies = [
        disc(0.2, 0.0, 0.0),
        disc(1.0, 0.0, 5.0),
        disc(1.0, -20.0, 0.0),
    ];
    let hits = scan(&walls, &bodies, Some(0), 4);
    let expected = [f64::INFINITY, f64::INFINITY, 3.0, 4.0];
    for (got, expected) in hits.ranges_m.iter().zip(expected) {
        assert!(is_near(*got, expected, 1e-12), "{got} {expected}");
    }
    assert_eq!(hits.what, [NO_HIT, NO_HIT, 0, 2]);
}

#[test]
fn a_turned_square_is_hit_at_its_corner() {
    let quarter = std::f64::consts::FRAC_PI_4;
    let walls = [oblong([1.0, 1.0], Pose2::new(5.0, 0.0, quarter))];
    let hits = scan(&walls, &[], None, 360);
    let corner_m = 5.0 - std::f64::consts::SQRT_2;
    assert!((hits.ranges_m[180] - corner_m).abs() < 1e-9);
    // One degree off, the side recedes at 45 degrees.
    let off = 1.0_f64.to_radians();
    let side_m = corner_m / (off.cos() - off.sin());
    for beam in [179, 181] {
        assert!((hits.ranges_m[beam] - side_m).abs() < 1e-9);
    }
}

#[test]
fn who_stands_in_something_sees_it_at_once() {
    let hits = scan(&[oblong([1.0, 1.0], Pose2::IDENTITY)], &[], None, 8);
    assert_eq!(hits.ranges_m, [0.0; 8]);
    let hits = scan(&[], &[disc(1.0, 0.5, 0.0)], None, 8);
    assert_eq!(hits.ranges_m, [0.0; 8]);
}

#[test]
fn rays_are_those_of_rapier() {
    for seed in 0..40 {
        let mut noise = Noise::new(seed, 0, Purpose::Lidar);
        let mut place = |far: f64| {
            let mut number = || noise.between(-far, far);
            Pose2::new(number(), number(), number())
        };
        let walls: Vec<Placed> = (0..12)
            .map(|idx| oblong([0.1 + 0.2 * f64::from(idx), 0.3], place(10.0)))
            .collect();
        let bodies: Vec<Placed> = (0..12)
            .map(|idx| {
                disc(
                    0.1 + 0.05 * f64::from(idx),
                    place(10.0).x_m,
                    place(10.0).y_m,
                )
            })
            .collect();
        let hits = scan(&walls, &bodies, None, 360);
        let world = world_of(walls.iter().chain(&bodies));
        let query = world.query_pipeline_with_filter(QueryFilter::default());
        let (_, _, directions) = full_circle(360);
        for (beam, [x, y]) in directions.iter().enumerate() {
            let ray = Ray::new(Vector::ZERO, Vector::new(*x as f32, *y as f32, 0.0));
            let (got_m, expected_m) = (
                hits.ranges_m[beam],
                query
                    .cast_ray(&ray, RANGE_M_MAX as f32, true)
                    .map_or(f64::INFINITY, |(_, range_m)| range_m.into()),
            );
            // Single precision decides otherwise where a ray grazes something: then ours must be
            // near a border.
            let agrees = is_near(got_m, expected_m, 2e-4);
            assert!(
                agrees
                    || grazes(
                        &walls.iter().chain(&bodies),
                        [*x, *y],
                        got_m.min(expected_m)
                    ),
                "seed {seed} beam {beam}: {got_m} {expected_m}"
            );
        }
    }
}

/// Whether a tiny turn of the ray changes what it hits first.
fn grazes<'a>(
    placed: &(impl Iterator<Item = &'a Placed> + Clone),
    [x, y]: [f64; 2],
    range_m: f64,
) -> bool {
    let first = |turn: f64| {
        let ray = [x - turn * y, y + turn * x];
        let enters = placed.clone().filter_map(|it| {
            let (from, to) = (it.to_local([0.0, 0.0]), it.to_local(ray));
            let along = [to[0] - from[0], to[1] - from[1]];
            interval(it.outline, from, along).filter(|[enter, _]| *enter >= 0.0)
        });
        enters.map(|[enter, _]| enter).fold(f64::INFINITY, f64::min)
    };
    [-2e-4, 2e-4]
        .into_iter()
        .any(|turn| (first(turn) - first(0.0)).abs() > 1e-2 && range_m.is_finite())
}

fn world_of<'a>(placed: impl Iterator<Item = &'a Placed>) -> PhysicsWorld {
    let mut world = PhysicsWorld::new();
    for it in placed {
        let [x_m, y_m] = it.center_m.map(|it| it as f32);
        let yaw_rad = it.heading[1].atan2(it.heading[0]) as f32;
        let pose = Pose::new(Vector::new(x_m, y_m, 0.0), Vector::new(0.0, 0.0, yaw_rad));
        let collider = match it.outline {
            Outline::Disc { radius_m } => ColliderBuilder::ball(radius_m as f32),
            Outline::Box { half_m } => {
                ColliderBuilder::cuboid(half_m[0] as f32, half_m[1] as f32, 1.0)
            }
        };
        world.insert_collider(collider.position(pose), None);
    }
    world.detect_collisions(&(), &());
    world
}

#[test]
fn lines_of_sight_end_at_walls_and_at_the_bodies_that_count() {
    let walls = [oblong([0.1, 1.0], Pose2::new(2.0, 0.0, 0.0))];
    let bodies = [disc(0.3, 0.0, 3.0), disc(0.3, 0.0, -3.0)];
    let scene = Scene {
        walls: &walls,
        bodies: &bodies,
    };
    let check = |to_m: [f64; 2], counted: &[usize], expected: bool| {
        let is_clear = scene.is_clear([0.0, 0.0], to_m, counted.iter().copied());
        assert_eq!(is_clear, expected, "{to_m:?} {counted:?}");
    };
    check([4.0, 0.0], &[], false);
    check([1.5, 0.0], &[], true);
    check([4.0, 4.0], &[], true);
    check([0.0, 6.0], &[], true);
    check([0.0, 6.0], &[0], false);
    check([0.0, 6.0], &[1], true);
}
