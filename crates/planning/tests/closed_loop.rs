//! Planners drive a toy world, with the world itself as their model.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "toy_world/toy_world.rs"]
mod toy_world;

use std::time::Duration;

use sedge_planning::{
    DiscWaypoint, Drive, Goal, GoalDistance, Method, MovingDisc, Planner, PlannerConfig, RightOfWay,
};
use sedge_spacetime::{Pose2, Stamp};
use toy_world::{Body, RADIUS_M, TICK, ToyWorld};

fn config(method: Method) -> PlannerConfig {
    PlannerConfig {
        method,
        n_samples: 128,
        ..PlannerConfig::default()
    }
}

/// What became of a drive.
#[derive(Debug)]
struct Outcome {
    reached_secs: Option<f64>,
    clearance_m: f64,
}

/// Drives to a goal for at most some time; `tell` is what the planner is told of the bodies.
fn drive(
    planner: &mut dyn Planner,
    world: &mut ToyWorld,
    goal: Goal,
    secs_max: f64,
    tell: fn(&ToyWorld) -> Vec<MovingDisc>,
) -> Outcome {
    let mut clearance_m = f64::INFINITY;
    while world.now.secs() < secs_max {
        let discs = tell(world);
        let request = world.request(goal, &discs);
        let plan = planner
            .plan(&mut world.clone(), &request, &mut || true)
            .unwrap();
        assert!(plan.fallback.is_none(), "{:?}", plan.fallback);
        world.drive(&plan);
        clearance_m = clearance_m.min(world.clearance_m());
        if world.distance_m(goal) < 0.2 {
            let reached_secs = Some(world.now.secs());
            return Outcome {
                reached_secs,
                clearance_m,
            };
        }
    }
    Outcome {
        reached_secs: None,
        clearance_m,
    }
}

/// A dead end between robot and goal: a wall across, and one back from its left end.
fn dead_end() -> ToyWorld {
    let mut world = ToyWorld::new(120);
    world.walls = vec![[[1.5, -1.0], [1.5, 1.6]], [[0.5, 1.6], [1.5, 1.6]]];
    world
}

fn leaves_the_dead_end(config: &PlannerConfig, secs_max: f64) -> Outcome {
    let mut world = dead_end();
    world.limits = config.limits;
    let mut planner = config.build(1).unwrap();
    let goal = Goal::place(3.5, 0.0);
    drive(planner.as_mut(), &mut world, goal, secs_max, |_| Vec::new())
}

fn reaches_around_a_wall(method: Method, drive_kind: Drive) {
    let mut config = config(method);
    config.limits.drive = drive_kind;
    let outcome = leaves_the_dead_end(&config, 20.0);
    assert!(
        outcome.reached_secs.is_some() && outcome.clearance_m > 0.02,
        "{method:?} {drive_kind:?}: {outcome:?}"
    );
}

#[test]
fn with_the_straight_distance_to_the_goal_a_dead_end_keeps_it() {
    let mut config = config(Method::Mppi);
    config.costs.goal_distance = GoalDistance::Straight;
    let outcome = leaves_the_dead_end(&config, 8.0);
    assert!(
        outcome.reached_secs.is_none() && outcome.clearance_m > 0.0,
        "{outcome:?}"
    );
}

#[test]
fn mppi_drives_around_a_wall() {
    reaches_around_a_wall(Method::Mppi, Drive::Differential);
    reaches_around_a_wall(Method::Mppi, Drive::Holonomic);
}

#[test]
fn cem_drives_around_a_wall() {
    reaches_around_a_wall(Method::Cem, Drive::Differential);
    reaches_around_a_wall(Method::Cem, Drive::Holonomic);
}

#[test]
fn a_goal_with_a_heading_is_reached_with_it() {
    let mut world = ToyWorld::new(60);
    let mut planner = config(Method::Mppi).build(1).unwrap();
    let goal = Goal {
        position_m: [1.5, 1.0],
        yaw_rad: Some(0.0),
    };
    drive(planner.as_mut(), &mut world, goal, 8.0, |_| Vec::new());
    for _ in 0..30 {
        let request = world.request(goal, &[]);
        let plan = planner
            .plan(&mut world.clone(), &request, &mut || true)
            .unwrap();
        world.drive(&plan);
    }
    let pose = world.world_from_base;
    assert!(
        world.distance_m(goal) < 0.2 && pose.yaw_rad.abs() < 0.35,
        "{pose:?}"
    );
}

/// A body that crosses the way just when a robot that ignores it comes by.
fn crossing() -> ToyWorld {
    let mut world = ToyWorld::new(120);
    world.bodies = vec![Body {
        position_m: [2.0, -2.45],
        velocity_mps: [0.0, 0.8],
        radius_m: 0.3,
    }];
    world
}

#[test]
fn a_crossing_disc_is_yielded_to() {
    let goal = Goal::place(4.0, 0.0);
    let tells: [fn(&ToyWorld) -> Vec<MovingDisc>; 2] = [ToyWorld::discs, |_| Vec::new()];
    // Told of it as a disc, and from predicted scans alone.
    for tell in tells {
        let mut world = crossing();
        let mut planner = config(Method::Mppi).build(1).unwrap();
        let outcome = drive(planner.as_mut(), &mut world, goal, 20.0, tell);
        assert!(
            outcome.reached_secs.is_some() && outcome.clearance_m > 0.03,
            "{outcome:?}"
        );
    }
    // It would have been hit by a planner whose model and neighbours say nothing of it.
    let mut world = crossing();
    let mut planner = config(Method::Mppi).build(1).unwrap();
    let mut clearance_m = f64::INFINITY;
    while world.distance_m(goal) > 0.2 && world.now.secs() < 20.0 {
        let mut blind = world.clone();
        blind.bodies.clear();
        let request = world.request(goal, &[]);
        let plan = planner.plan(&mut blind, &request, &mut || true).unwrap();
        world.drive(&plan);
        clearance_m = clearance_m.min(world.clearance_m());
    }
    assert!(clearance_m < 0.0, "the scene is no test: {clearance_m}");
}

/// Two robots that face each other and want each other's place; each tells the other its plan.
fn swap(rights: [RightOfWay; 2], walls: &[[[f64; 2]; 2]]) -> (f64, f64) {
    let goals = [Goal::place(5.0, 0.0), Goal::place(0.0, 0.0)];
    let mut worlds = [ToyWorld::new(120), ToyWorld::new(120)];
    worlds[1].world_from_base = Pose2::new(5.0, 0.0, std::f64::consts::PI);
    for world in &mut worlds {
        world.walls = walls.to_vec();
    }
    // The same seed: nothing but the side they keep to breaks the symmetry.
    let mut planners = [0, 1].map(|_| config(Method::Mppi).build(5).unwrap());
    let mut intentions: [Vec<Pose2>; 2] = [vec![], vec![]];
    let mut closest_m = f64::INFINITY;
    for _ in 0..250 {
        let plans = [0, 1].map(|me| {
            let disc = intention(
                &worlds[me],
                &worlds[1 - me],
                &intentions[1 - me],
                rights[me],
            );
            let request = worlds[me].request(goals[me], std::slice::from_ref(&disc));
            planners[me]
                .plan(&mut worlds[me].clone(), &request, &mut || true)
                .unwrap()
        });
        for me in [0, 1] {
            let from = worlds[me].world_from_base;
            intentions[me] = plans[me].poses.iter().map(|&pose| from * pose).collect();
            worlds[me].drive(&plans[me]);
        }
        let apart = worlds[0].world_from_base.between(worlds[1].world_from_base);
        closest_m = closest_m.min(apart.distance_m() - 2.0 * RADIUS_M);
        let walls_m = worlds[0].clearance_m().min(worlds[1].clearance_m());
        closest_m = closest_m.min(walls_m);
        if worlds[0]
            .distance_m(goals[0])
            .max(worlds[1].distance_m(goals[1]))
            < 0.3
        {
            break;
        }
    }
    let left_m = worlds[0]
        .distance_m(goals[0])
        .max(worlds[1].distance_m(goals[1]));
    (closest_m, left_m)
}

/// The other's plan of the tick before, as this one sees it.
fn intention(me: &ToyWorld, other: &ToyWorld, plan: &[Pose2], right: RightOfWay) -> MovingDisc {
    let base_from_world = me.world_from_base.inverse();
    let at = |(step, pose): (usize, &Pose2)| DiscWaypoint {
        after: TICK * step as u32,
        position_m: base_from_world.transform([pose.x_m, pose.y_m]),
        sigma_m: 0.02,
    };
    // The plan's first pose is a tick old.
    let mut waypoints: Vec<DiscWaypoint> = plan.iter().skip(1).enumerate().map(at).collect();
    if waypoints.is_empty() {
        waypoints.push(at((0, &other.world_from_base)));
    }
    MovingDisc {
        radius_m: RADIUS_M,
        waypoints: waypoints.into(),
        age: TICK,
        right_of_way: right,
    }
}

#[test]
fn two_that_face_each_other_pass_on_the_right() {
    let walls = [[[-3.0, -1.0], [8.0, -1.0]], [[-3.0, 1.0], [8.0, 1.0]]];
    for rights in [
        [RightOfWay::Equal; 2],
        [RightOfWay::TheyGo, RightOfWay::WeGo],
    ] {
        let (closest_m, left_m) = swap(rights, &walls);
        assert!(
            closest_m > 0.0 && left_m < 0.3,
            "{rights:?}: {closest_m} {left_m}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let run = |method, seed| {
        let mut world = crossing();
        let mut planner = config(method).build(seed).unwrap();
        let goal = Goal::place(4.0, 0.0);
        let mut poses = Vec::new();
        for _ in 0..10 {
            let discs = world.discs();
            let request = world.request(goal, &discs);
            let plan = planner
                .plan(&mut world.clone(), &request, &mut || true)
                .unwrap();
            world.drive(&plan);
            poses.push((world.world_from_base, plan.terms, plan.fan));
        }
        poses
    };
    for method in [Method::Mppi, Method::Cem] {
        assert_eq!(run(method, 3), run(method, 3));
        assert_ne!(run(method, 3), run(method, 4));
    }
}

#[test]
fn more_iterations_cost_no_more() {
    let cost = |method, n_iterations_max, seed| {
        let mut world = crossing();
        world.walls = vec![[[1.5, -0.3], [1.5, 0.4]]];
        let config = PlannerConfig {
            n_iterations_max,
            ..config(method)
        };
        let discs = world.discs();
        let request = world.request(Goal::place(4.0, 0.0), &discs);
        let mut planner = config.build(seed).unwrap();
        let plan = planner
            .plan(&mut world.clone(), &request, &mut || true)
            .unwrap();
        assert_eq!(plan.n_iterations, n_iterations_max);
        plan.terms.total()
    };
    for method in [Method::Mppi, Method::Cem] {
        let mut sums = [0.0; 3];
        for seed in 0..12 {
            let costs = [1, 3, 10].map(|n| cost(method, n, seed));
            // The best is kept, and further iterations only add to what was tried.
            assert!(
                costs[1] <= costs[0] && costs[2] <= costs[1],
                "{method:?} {costs:?}"
            );
            for (sum, cost) in sums.iter_mut().zip(costs) {
                *sum += cost;
            }
        }
        assert!(
            sums[2] < sums[1] && sums[1] < sums[0],
            "{method:?} {sums:?}"
        );
    }
}

#[test]
fn what_is_in_flight_is_planned_from() {
    let mut world = ToyWorld::new(60);
    world.twist.vx_mps = 0.5;
    let in_flight = [sedge_world_model::Action {
        duration: Duration::from_millis(200),
        twist: world.twist,
    }];
    let mut request = world.request(Goal::place(3.0, 0.0), &[]);
    request.in_flight = &in_flight;
    let mut planner = config(Method::Mppi).build(1).unwrap();
    let plan = planner.plan(&mut world, &request, &mut || true).unwrap();
    assert_eq!(plan.start, Stamp::ZERO + Duration::from_millis(200));
    assert!((plan.poses[0].x_m - 0.1).abs() < 1e-9);
    let first = plan.actions.actions[0].twist.vx_mps;
    assert!((first - 0.5).abs() <= 0.1 + 1e-6, "{first}");
}
