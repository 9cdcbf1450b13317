//! Scripted controllers on the scenarios of the repository.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use sedge_simulation::scripted::flocking::Flocking;
use sedge_simulation::scripted::orca::Orca;
use sedge_simulation::scripted::social_force::SocialForce;
use sedge_simulation::scripted::{Scripted, steer};
use sedge_simulation::{Drive, DriveLimits, RobotMetrics, RunMetrics, Scenario, Simulation};
use sedge_spacetime::Pose2;

fn run(name: &str, mut driver: Scripted, seed: u64) -> RunMetrics {
    let sims = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sims");
    let mut scenario = Scenario::read(&sims.join(name).join("scenario.toml")).unwrap();
    for kind in scenario.kinds.values_mut() {
        // Scripted controllers see the truth, and sensors take time.
        (kind.lidar, kind.imu, kind.odometry) = (None, None, None);
        (kind.range_bearing, kind.depth) = (None, None);
    }
    let mut simulation = Simulation::new(&scenario, seed).unwrap();
    let mut targets = Vec::new();
    while !simulation.is_over() {
        driver.targets(&simulation, &mut targets);
        simulation.step(&targets);
    }
    let metrics = simulation.metrics();
    assert!(metrics.penetration_max_m < 0.01, "{name}: {metrics:?}");
    assert_eq!(metrics.n_quarantined, 0);
    metrics
}

fn orca() -> Scripted {
    Scripted::Orca(Orca::default())
}

#[test]
fn orca_swaps_in_a_corridor_without_a_touch() {
    for seed in 0..3 {
        let metrics = run("corridor_swap", orca(), seed);
        assert!(metrics.is_success, "{metrics:?}");
        let n_hits: u32 = metrics.robots.iter().map(RobotMetrics::n_collisions).sum();
        assert_eq!(n_hits, 0, "{metrics:?}");
        for robot in &metrics.robots {
            assert!(
                robot.path_m > 9.0 && robot.reached_secs.unwrap() < 30.0,
                "{robot:?}"
            );
        }
    }
}

#[test]
fn social_force_swaps_in_a_corridor() {
    let metrics = run(
        "corridor_swap",
        Scripted::SocialForce(SocialForce::default()),
        1,
    );
    assert!(metrics.is_success, "{metrics:?}");
}

#[test]
fn lanes_cover_a_room() {
    let metrics = run("coverage", orca(), 1);
    assert!(metrics.is_success, "{metrics:?}");
    assert!(metrics.covered_share.unwrap() >= 0.95);
}

#[test]
fn a_flock_forms_where_everybody_flocks() {
    let metrics = run("flocking", Scripted::Flocking(Flocking::default()), 1);
    assert!(metrics.is_success, "{metrics:?}");
}

#[test]
fn two_wheels_turn_before_they_go_and_holonomic_ones_go() {
    let limits = DriveLimits {
        max_speed_mps: 1.0,
        max_acceleration_mps2: 2.0,
        max_yaw_rate_radps: 2.0,
        max_yaw_acceleration_radps2: 8.0,
    };
    let pose = Pose2::new(3.0, 4.0, std::f64::consts::FRAC_PI_2);
    let north = [0.0, 1.0];
    let west = [-1.0, 0.0];
    let wheels = |velocity| steer(&Drive::Differential(limits), pose, velocity);
    assert!((wheels(north).vx_mps - 1.0).abs() < 1e-9);
    assert!(wheels(north).yaw_rate_radps.abs() < 1e-9);
    assert!(wheels(west).vx_mps.abs() < 1e-9 && wheels(west).yaw_rate_radps > 1.0);
    let any = steer(&Drive::Holonomic(limits), pose, west);
    assert!(any.vx_mps.abs() < 1e-9 && (any.vy_mps - 1.0).abs() < 1e-9);
}
