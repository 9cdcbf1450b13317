//! Commands between two scans, and commands that do not wait for what a model imagines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "toy_world/toy_world.rs"]
mod toy_world;

use std::time::Duration;

use sedge_planning::{FallbackReason, Goal, Method, MovingDisc, Plan, Planner, PlannerConfig};
use sedge_spacetime::{Pose2, Twist2};
use toy_world::{Body, RADIUS_M, ToyWorld};

const METHODS: [Method; 2] = [Method::Mppi, Method::Cem];

fn planner(method: Method) -> Box<dyn Planner + Send> {
    let config = PlannerConfig {
        method,
        n_samples: 128,
        ..PlannerConfig::default()
    };
    config.build(1).unwrap()
}

fn look_ahead(planner: &mut dyn Planner, world: &ToyWorld, goal: Goal, discs: &[MovingDisc]) {
    let request = world.request(goal, discs);
    planner.look_ahead(&mut world.clone(), &request).unwrap();
}

fn replan(planner: &mut dyn Planner, world: &ToyWorld, goal: Goal, discs: &[MovingDisc]) -> Plan {
    let request = world.request(goal, discs);
    planner.replan(&request, &mut || true).unwrap()
}

/// Drives with commands made in what was imagined up to two ticks ago; how near it comes to
/// anything, and whether it arrives.
fn drive(planner: &mut dyn Planner, world: &mut ToyWorld, goal: Goal) -> (f64, bool) {
    let mut clearance_m = f64::INFINITY;
    for tick in 0..200 {
        if tick % 3 == 0 {
            look_ahead(planner, world, goal, &[]);
        }
        let plan = replan(planner, world, goal, &[]);
        assert!(plan.fallback.is_none(), "{:?}", plan.fallback);
        world.drive(&plan);
        clearance_m = clearance_m.min(world.clearance_m());
        if world.distance_m(goal) < 0.2 {
            return (clearance_m, true);
        }
    }
    (clearance_m, false)
}

#[test]
fn old_scenes_are_driven_through_as_what_they_have_become() {
    for method in METHODS {
        let mut walls = ToyWorld::new(120);
        walls.walls = vec![[[1.5, -1.0], [1.5, 1.6]], [[0.5, 1.6], [1.5, 1.6]]];
        // It comes from the side, just when a robot that ignores it would be there.
        let mut crossing = ToyWorld::new(120);
        crossing.bodies = vec![Body {
            position_m: [2.0, -2.45],
            velocity_mps: [0.0, 0.8],
            radius_m: 0.3,
        }];
        for mut world in [walls, crossing] {
            let goal = Goal::place(3.5, 0.0);
            let (clearance_m, arrives) = drive(planner(method).as_mut(), &mut world, goal);
            assert!(arrives && clearance_m > 0.0, "{method:?}: {clearance_m}");
        }
    }
}

#[test]
fn on_the_spot_a_plan_is_found_that_would_be_found_at_once() {
    for method in METHODS {
        let mut world = ToyWorld::new(120);
        world.world_from_base = Pose2::new(3.0, -2.0, 0.7);
        world.walls = vec![[[4.0, -2.0], [5.0, -0.5]]];
        world.bodies = vec![Body {
            position_m: [4.5, -3.0],
            velocity_mps: [0.0, 0.5],
            radius_m: 0.3,
        }];
        let goal = Goal::place(6.0, -1.0);
        let discs = world.discs();
        let request = world.request(goal, &discs);
        let at_once = planner(method).plan(&mut world.clone(), &request, &mut || true);
        let at_once = at_once.unwrap();
        let mut later = planner(method);
        look_ahead(later.as_mut(), &world, goal, &discs);
        let later = replan(later.as_mut(), &world, goal, &discs);
        let ratio = later.terms.total() / at_once.terms.total();
        assert!((ratio - 1.0).abs() < 0.01, "{method:?}: {ratio}");
        for (one, other) in later.poses.iter().zip(&at_once.poses) {
            assert!(one.between(*other).distance_m() < 0.05, "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_planner_searches_in_what_another_imagined() {
    for method in METHODS {
        let mut world = ToyWorld::new(120);
        world.walls = vec![[[1.0, -0.6], [1.0, 0.6]]];
        let goal = Goal::place(3.0, 0.0);
        let mut one = planner(method);
        assert!(one.imagined().is_none(), "nothing was imagined yet");
        look_ahead(one.as_mut(), &world, goal, &[]);
        let alone = replan(one.as_mut(), &world, goal, &[]);
        let imagined = one.imagined().unwrap();
        let mut same = planner(method);
        assert!(same.adopt(&imagined));
        assert_eq!(replan(same.as_mut(), &world, goal, &[]), alone);
        let with = |change: &dyn Fn(&mut PlannerConfig)| {
            let mut config = PlannerConfig {
                method,
                ..PlannerConfig::default()
            };
            change(&mut config);
            config.build(1).unwrap()
        };
        // Shorter plans in fewer futures: the fields are the same.
        let mut short = with(&|config| {
            config.n_steps = 12;
            config.n_knots = 4;
            config.field.n_nominal = 1;
        });
        assert!(short.adopt(&imagined));
        let plan = replan(short.as_mut(), &world, goal, &[]);
        assert!(plan.fallback.is_none(), "{:?}", plan.fallback);
        let mut other = with(&|config| config.field.n_fields += 1);
        assert!(!other.adopt(&imagined), "its fields are other fields");
        let plan = replan(other.as_mut(), &world, goal, &[]);
        let reason = plan.fallback.unwrap().reason;
        assert_eq!(reason, FallbackReason::NothingImagined);
    }
}

#[test]
fn what_a_plan_says_is_seen_from_where_the_base_is_now() {
    let mut world = ToyWorld::new(120);
    let mut planner = planner(Method::Mppi);
    let goal = Goal::place(5.0, 0.0);
    look_ahead(planner.as_mut(), &world, goal, &[]);
    world.world_from_base = Pose2::new(0.1, 0.05, 0.4);
    world.now = world.now + Duration::from_millis(150);
    world.twist = Twist2 {
        vx_mps: 0.5,
        ..Twist2::default()
    };
    let ahead = Body {
        position_m: [0.1 + 2.0 * RADIUS_M, 3.0],
        velocity_mps: [0.0; 2],
        radius_m: 0.3,
    };
    world.bodies = vec![ahead];
    let plan = replan(planner.as_mut(), &world, goal, &world.discs());
    assert!(plan.poses[0].distance_m() < 1e-9, "{:?}", plan.poses[0]);
    assert_eq!(plan.start, world.now);
    let end = world.world_from_base * plan.poses[plan.poses.len() - 1];
    assert!(end.x_m > 1.0 && end.y_m.abs() < 0.5, "{end:?}");
    for trajectory in &plan.fan {
        assert!(trajectory.points_m[0].iter().all(|it| it.abs() < 1e-5));
    }
}

#[test]
fn without_anything_imagined_or_with_what_is_too_old_it_stops_and_says_so() {
    let mut world = ToyWorld::new(60);
    let mut planner = planner(Method::Mppi);
    let goal = Goal::place(5.0, 0.0);
    let reason = |plan: &Plan| plan.fallback.as_ref().map(|it| it.reason.clone());
    let nothing = replan(planner.as_mut(), &world, goal, &[]);
    assert_eq!(reason(&nothing), Some(FallbackReason::NothingImagined));
    look_ahead(planner.as_mut(), &world, goal, &[]);
    assert_eq!(reason(&replan(planner.as_mut(), &world, goal, &[])), None);
    let age_secs_max = PlannerConfig::default().scan_age_secs_max;
    world.now = world.now + Duration::from_secs_f64(age_secs_max + 0.01);
    let old = reason(&replan(planner.as_mut(), &world, goal, &[]));
    assert!(matches!(old, Some(FallbackReason::StaleScan { age_secs }) if age_secs > age_secs_max));
    look_ahead(planner.as_mut(), &world, goal, &[]);
    planner.forget();
    let forgotten = replan(planner.as_mut(), &world, goal, &[]);
    assert_eq!(reason(&forgotten), Some(FallbackReason::NothingImagined));
}
