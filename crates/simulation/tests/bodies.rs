//! Bodies: how they drive, what stops them, and what is counted.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "pens/pens.rs"]
mod pens;

use sedge_simulation::{
    Contact, ContactReading, Measurement, RobotMetrics, RunMetrics, STEP_SECS, Scenario,
    Simulation, WALKER_RADIUS_M,
};
use sedge_spacetime::Twist2;

use pens::{pen, wild};

#[test]
fn a_thousand_crowded_pens_stay_whole() {
    stay_whole(&pen(1.5, 30), 1_000, 5_000);
}

#[test]
fn heavy_and_fast_ones_do_not_press_light_ones_into_walls() {
    stay_whole(&pen(5.0, 800), 200, 1_500);
}

fn stay_whole(pen: &str, n_seeds: u64, n_contacts_min: u32) {
    let scenario = Scenario::parse(pen, "pen").unwrap();
    let mut deepest_m: f64 = 0.0;
    let mut n_contacts = 0;
    for seed in 0..n_seeds {
        let mut simulation = Simulation::new(&scenario, seed).unwrap();
        for step in 0..120_u64 {
            // Everybody drives at full speed and changes its mind four times a second.
            let targets: Vec<Twist2> = (0..4)
                .map(|robot| wild(seed, step / 25, robot, 3.0))
                .collect();
            simulation.step(&targets);
            for body in simulation.robots().iter().chain(simulation.walkers()) {
                assert!(
                    body.pose.is_finite() && body.twist.is_finite(),
                    "seed {seed}"
                );
                let far_m = body.pose.x_m.abs().max(body.pose.y_m.abs());
                assert!(far_m < 1.0, "seed {seed} step {step}: {far_m} m is outside");
            }
        }
        let metrics = simulation.metrics();
        assert_eq!(metrics.n_quarantined, 0, "seed {seed}");
        deepest_m = deepest_m.max(metrics.penetration_max_m);
        n_contacts += metrics
            .robots
            .iter()
            .map(RobotMetrics::n_collisions)
            .sum::<u32>();
    }
    // Otherwise nothing was tried.
    assert!(n_contacts > n_contacts_min, "{n_contacts}");
    assert!(
        deepest_m < 0.01,
        "{deepest_m} m deep in {n_contacts} contacts"
    );
}

/// One robot facing a wall 1 m ahead of its hull.
fn yard(extra: &str) -> Scenario {
    let text = format!(
        r#"
name = "yard"
duration_secs = 60.0
[kinds.crane]
mass_kg = 12.0
height_m = 0.4
body.cylinder.radius_m = 0.2
drive.differential = {{ max_speed_mps = 1.0, max_acceleration_mps2 = 2.0 }}
odometry.gain_sigma = 0.0
odometry.way_sigma_per_root_m = 0.0
odometry.yaw_sigma_per_root_m = 0.0
odometry.yaw_sigma_per_root_rad = 0.0
[kinds.float]
mass_kg = 12.0
height_m = 0.4
body.box = {{ length_m = 0.5, width_m = 0.3 }}
drive.holonomic = {{ max_speed_mps = 1.0, max_acceleration_mps2 = 2.0, max_yaw_rate_radps = 2.0 }}
[[walls]]
center_m = [1.3, 0.0]
size_m = [0.2, 4.0]
{extra}
"#
    );
    Scenario::parse(&text, "yard").unwrap()
}

const CRANE: &str = "[[robots]]\nkind = \"crane\"\nstart = [0.0, 0.0, 0.0]\n";

fn forward(vx_mps: f64) -> Twist2 {
    Twist2 {
        vx_mps,
        ..Twist2::default()
    }
}

fn drive(simulation: &mut Simulation, targets: &[Twist2], n_steps: usize) {
    (0..n_steps).for_each(|_| simulation.step(targets));
}

#[test]
fn acceleration_speed_and_braking_are_those_of_the_drive() {
    let mut simulation = Simulation::new(&yard(CRANE), 1).unwrap();
    let back = [forward(-3.0)];
    drive(&mut simulation, &back, 25);
    let twist = simulation.robots()[0].twist;
    assert!(
        (twist.vx_mps + 0.5).abs() < 1e-3,
        "2 m/s² for 0.25 s: {twist:?}"
    );
    drive(&mut simulation, &back, 75);
    let twist = simulation.robots()[0].twist;
    assert!(
        (twist.vx_mps + 1.0).abs() < 1e-3,
        "at most 1 m/s: {twist:?}"
    );
    // Without a command it brakes.
    drive(&mut simulation, &[], 51);
    let twist = simulation.robots()[0].twist;
    assert!(twist.vx_mps.abs() < 1e-3, "{twist:?}");
    let way_m = 1.0 / (2.0 * 2.0) + 0.5 + 0.25;
    let pose = simulation.robots()[0].pose;
    assert!((pose.x_m + way_m).abs() < 0.02, "{pose:?}");
}

#[test]
fn numbers_that_are_none_stop_a_robot() {
    let mut simulation = Simulation::new(&yard(CRANE), 1).unwrap();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut target = forward(bad);
        target.yaw_rate_radps = bad;
        drive(&mut simulation, &[target], 10);
    }
    let state = simulation.robots()[0];
    assert!(state.pose.distance_m() < 1e-6, "{state:?}");
}

#[test]
fn two_wheels_do_not_go_sideways_and_holonomic_ones_do() {
    let robots = format!("{CRANE}[[robots]]\nkind = \"float\"\nstart = [-2.0, 0.0, 1.0]\n");
    let mut simulation = Simulation::new(&yard(&robots), 1).unwrap();
    let aside = Twist2 {
        vy_mps: 0.5,
        ..Twist2::default()
    };
    drive(&mut simulation, &[aside, aside], 100);
    assert!(simulation.robots()[0].pose.distance_m() < 1e-6);
    let float = simulation.robots()[1].pose;
    let expected = [-2.0 - 0.4375 * 1.0_f64.sin(), 0.4375 * 1.0_f64.cos()];
    assert!(
        (float.x_m - expected[0]).hypot(float.y_m - expected[1]) < 0.01,
        "{float:?}"
    );
}

#[test]
fn a_full_turn_comes_back() {
    let mut simulation = Simulation::new(&yard(CRANE), 1).unwrap();
    let turn = Twist2 {
        yaw_rate_radps: -1.0,
        ..Twist2::default()
    };
    drive(&mut simulation, &[turn], 100);
    let state = simulation.robots()[0];
    assert!((state.twist.yaw_rate_radps + 1.0).abs() < 1e-3, "{state:?}");
    assert!(
        (state.pose.yaw_rad + (1.0 - 0.0625)).abs() < 0.01,
        "{state:?}"
    );
}

/// What its odometry says after driving straight for a while.
fn odometry_x_m(simulation: &mut Simulation, target: Twist2, n_steps: usize) -> f64 {
    let mut x_m = 0.0;
    for _ in 0..n_steps {
        simulation.step(&[target]);
        for reading in simulation.readings() {
            if let Measurement::Odometry(odometry) = &reading.measured {
                x_m = odometry.odometry_from_base.x_m;
            }
        }
    }
    x_m
}

#[test]
fn wheels_slip_where_a_wall_stops_the_robot_and_odometry_does_not_know() {
    let mut simulation = Simulation::new(&yard(CRANE), 1).unwrap();
    let rolled_m = odometry_x_m(&mut simulation, forward(1.0), 300);
    let pose = simulation.robots()[0].pose;
    assert!(
        (pose.x_m - 1.0).abs() < 0.01,
        "it stands at the wall: {pose:?}"
    );
    assert!(
        (rolled_m - 2.75).abs() < 0.02,
        "wheels rolled 3 s: {rolled_m}"
    );
    let metrics = &simulation.metrics().robots[0];
    assert_eq!(
        (metrics.collisions_wall, metrics.n_collisions()),
        (1, 1),
        "one episode"
    );
}

#[test]
fn a_slippery_floor_lets_wheels_spin() {
    let mut scenario = yard(CRANE);
    scenario.floor_friction = 0.05;
    let mut simulation = Simulation::new(&scenario, 1).unwrap();
    let rolled_m = odometry_x_m(&mut simulation, forward(-1.0), 100);
    // 0.05 g for 1 s, against 2 m/s² up to 1 m/s.
    let way_m = -simulation.robots()[0].pose.x_m;
    assert!((way_m - 0.05 * 9.81 / 2.0).abs() < 0.01, "{way_m}");
    assert!((rolled_m + 0.75).abs() < 0.02, "{rolled_m}");
}

#[test]
fn contacts_are_said_when_they_begin_and_counted_by_episode() {
    let robots = format!("{CRANE}[[robots]]\nkind = \"crane\"\nstart = [-1.0, 0.0, 0.0]\n");
    let mut simulation = Simulation::new(&yard(&robots), 1).unwrap();
    let mut said = Vec::new();
    let mut go = |simulation: &mut Simulation, vx_mps: [f64; 2], n_steps: usize| {
        for _ in 0..n_steps {
            simulation.step(&vx_mps.map(forward));
            for reading in simulation.readings() {
                if let Measurement::Contact(ContactReading { with }) = reading.measured {
                    said.push((reading.robot_idx, with));
                }
            }
        }
    };
    go(&mut simulation, [0.0, 0.5], 300);
    go(&mut simulation, [0.0, -0.5], 100);
    go(&mut simulation, [0.0, 0.5], 300);
    let pair = [(0, Contact::Robot(1)), (1, Contact::Robot(0))];
    assert_eq!(said, [pair, pair].concat());
    let metrics = simulation.metrics();
    assert_eq!(metrics.robots[0].collisions_robot, 2);
    assert_eq!(metrics.robots[1].collisions_robot, 2);
    assert!(metrics.robots[0].separation_min_m.abs() < 0.01);
    assert!(simulation.robots()[0].pose.x_m > 0.05, "it was pushed");
}

#[test]
fn reaching_takes_all_way_points_in_order_and_the_heading() {
    let robot = "[[robots]]\nkind = \"crane\"\nstart = [0.0, 0.0, 0.0]\n\
                 route = [[-1.0, 0.0, 0.0], [0.0, 0.0, 1.5]]\n\
                 position_tolerance_m = 0.1\nyaw_tolerance_rad = 0.2\n";
    let mut simulation = Simulation::new(&yard(robot), 1).unwrap();
    let reached = |simulation: &Simulation| {
        let robot = simulation.metrics().robots[0].clone();
        (robot.n_passed, robot.reached_secs.is_some())
    };
    drive(&mut simulation, &[], 10);
    assert_eq!(
        reached(&simulation),
        (0, false),
        "the last way point does not count yet"
    );
    drive(&mut simulation, &[forward(-1.0)], 125);
    assert_eq!(reached(&simulation), (1, false));
    drive(&mut simulation, &[forward(1.0)], 150);
    drive(&mut simulation, &[forward(-0.05)], 1);
    let x_m = simulation.robots()[0].pose.x_m;
    // Wherever that is: back to the goal, and turn there.
    let to_goal = [forward(if x_m > 0.0 { -0.5 } else { 0.5 })];
    for _ in 0..300 {
        if simulation.robots()[0].pose.x_m.abs() < 0.02 {
            break;
        }
        simulation.step(&to_goal);
    }
    drive(&mut simulation, &[], 50);
    assert_eq!(reached(&simulation), (1, false), "the heading is wrong");
    assert!(!simulation.is_over());
    let turn = Twist2 {
        yaw_rate_radps: 1.0,
        ..Twist2::default()
    };
    drive(&mut simulation, &[turn], 160);
    assert_eq!(reached(&simulation), (2, true));
    assert!(simulation.is_over());
    assert!(simulation.metrics().is_success);
}

#[test]
fn who_stands_for_ten_seconds_without_its_goal_is_deadlocked() {
    let robots = format!(
        "{CRANE}route = [[0.0, 3.0, 0.0]]\n[[robots]]\nkind = \"crane\"\nstart = [-2.0, 0.0, 0.0]\n"
    );
    let mut simulation = Simulation::new(&yard(&robots), 1).unwrap();
    let dead = |metrics: RunMetrics| metrics.robots.iter().map(|it| it.is_deadlocked).collect();
    drive(&mut simulation, &[], 999);
    let before: Vec<bool> = dead(simulation.metrics());
    assert_eq!(before, [false, false]);
    drive(&mut simulation, &[], 2);
    let after: Vec<bool> = dead(simulation.metrics());
    assert_eq!(after, [true, false], "the other one has nowhere to go");
    drive(&mut simulation, &[forward(-1.0)], 100);
    let moving: Vec<bool> = dead(simulation.metrics());
    assert_eq!(moving, [false, false]);
}

#[test]
fn walkers_walk_their_routes_and_turn_back() {
    let walker = "[[walkers]]\nstart = [-3.0, 2.0]\nroute = [[-3.0, 6.0]]\n\
                  [[walkers]]\nstart = [-6.0, 2.0]\nroute = [[-6.0, 4.0], [-6.0, 2.0]]\n\
                  [[walkers]]\nstart = [-9.0, 2.0]\nroute = [[-9.0, 4.0]]\nat_end = \"stop\"\n";
    let mut simulation = Simulation::new(&yard(walker), 1).unwrap();
    let mut highest = [0.0_f64; 3];
    let mut n_turns = 0;
    let mut last_y_m = 2.0;
    for _ in 0..1_500 {
        simulation.step(&[]);
        for (highest, walker) in highest.iter_mut().zip(simulation.walkers()) {
            *highest = highest.max(walker.pose.y_m);
        }
        let y_m = simulation.walkers()[1].pose.y_m;
        n_turns += u32::from((last_y_m < 3.0) != (y_m < 3.0));
        last_y_m = y_m;
    }
    assert!((5.2..6.2).contains(&highest[0]), "{highest:?}");
    assert!((3.2..4.4).contains(&highest[1]), "{highest:?}");
    assert!(n_turns > 5, "it walks up and down: {n_turns}");
    let stopped = simulation.walkers()[2];
    assert!((3.2..4.6).contains(&stopped.pose.y_m) && stopped.twist.vx_mps.abs() < 0.1);
}

#[test]
fn walkers_give_way_to_people_and_push_robots_they_do_not_regard() {
    let meeting = |regard: f64| {
        let text = format!(
            "[[walkers]]\nstart = [-4.0, 0.05]\nroute = [[4.0, 0.05]]\nregard = {regard}\n{CRANE}"
        );
        let mut scenario = yard(&text);
        scenario.walls.clear();
        let mut simulation = Simulation::new(&scenario, 1).unwrap();
        drive(&mut simulation, &[], 700);
        let metrics = simulation.metrics();
        let robot = simulation.robots()[0].pose.distance_m();
        (metrics.robots[0].collisions_walker, robot)
    };
    let (n_hits, _) = meeting(1.0);
    assert_eq!(n_hits, 0);
    let (n_hits, pushed_m) = meeting(0.0);
    assert!(n_hits >= 1 && pushed_m > 0.05, "{n_hits} {pushed_m}");
    assert!((0.2..0.3).contains(&WALKER_RADIUS_M));
}

#[test]
fn time_is_counted_in_steps() {
    let mut simulation = Simulation::new(&yard(CRANE), 1).unwrap();
    drive(&mut simulation, &[], 250);
    assert_eq!(simulation.now().nanos(), 2_500_000_000);
    assert!((simulation.metrics().secs - 250.0 * STEP_SECS).abs() < 1e-9);
}
