//! What sensors measure, against what is there.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::float_cmp,
    reason = "these numbers are the same bits, or drawn apart"
)]

use sedge_simulation::{
    DROP_OUT_M, DepthReading, LidarReading, Measurement, NO_RETURN_M, Reading, Scenario, Simulation,
};
use sedge_spacetime::{Twist2, wrap_angle};

/// A robot at the middle of a room of 8 m by 4 m, and whatever is added.
fn room(sensors: &str, extra: &str) -> Simulation {
    let text = format!(
        r#"
name = "room"
duration_secs = 1000.0
[kinds.crane]
mass_kg = 12.0
height_m = 0.4
body.cylinder.radius_m = 0.2
drive.differential.max_speed_mps = 1.0
{sensors}
[[walls]]
center_m = [0.0, 2.1]
size_m = [8.4, 0.2]
[[walls]]
center_m = [0.0, -2.1]
size_m = [8.4, 0.2]
[[walls]]
center_m = [4.1, 0.0]
size_m = [0.2, 4.0]
[[walls]]
center_m = [-4.1, 0.0]
size_m = [0.2, 4.0]
[[robots]]
kind = "crane"
start = [0.0, 0.0, 0.0]
{extra}
"#
    );
    Simulation::new(&Scenario::parse(&text, "room").unwrap(), 11).unwrap()
}

/// All readings of robot 0 in so many steps without a command.
fn readings<T>(
    simulation: &mut Simulation,
    target: Twist2,
    n_steps: usize,
    pick: impl Fn(&Measurement) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for _ in 0..n_steps {
        simulation.step(&[target]);
        let own = |it: &&Reading| it.robot_idx == 0;
        let own = simulation.readings().iter().filter(own);
        found.extend(own.filter_map(|it| pick(&it.measured)));
    }
    found
}

fn scan(measured: &Measurement) -> Option<LidarReading> {
    match measured {
        Measurement::Lidar(scan) => Some(scan.clone()),
        _ => None,
    }
}

/// Range to the walls of the empty room.
fn wall_range_m(angle_rad: f64) -> f64 {
    let (sin, cos) = angle_rad.sin_cos();
    (4.0 / cos.abs()).min(2.0 / sin.abs())
}

fn mean_and_sigma(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let square = numbers.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
    (mean, (square / n).sqrt())
}

const PERFECT: &str = "lidar = { range_sigma_m = 0.0, range_sigma_share = 0.0, \
                       angle_sigma_rad = 0.0, dropout = 0.0 }";

#[test]
fn a_perfect_lidar_measures_the_walls() {
    let mut simulation = room(PERFECT, "");
    let scans = readings(&mut simulation, Twist2::default(), 100, scan);
    assert_eq!(scans.len(), 10, "10 Hz");
    let scan = &scans[3];
    assert_eq!(scan.ranges_m.len(), 360);
    assert_eq!(scan.first_angle_rad, -std::f64::consts::PI);
    for (beam, range_m) in scan.ranges_m.iter().enumerate() {
        let angle_rad = scan.first_angle_rad + beam as f64 * scan.step_rad;
        let expected_m = wall_range_m(angle_rad);
        assert!(
            (f64::from(*range_m) - expected_m).abs() < 1e-4,
            "beam {beam}: {range_m}"
        );
    }
    assert_eq!(simulation.true_scan(0).unwrap().ranges_m, scan.ranges_m[..]);
}

#[test]
fn a_lidar_sees_robots_and_walkers_but_not_its_own() {
    let extra = "[[robots]]\nkind = \"crane\"\nstart = [1.0, 0.0, 0.0]\n\
                 [[walkers]]\nstart = [0.0, 1.25]\n";
    let mut simulation = room(PERFECT, extra);
    simulation.step(&[]);
    let scan = simulation.true_scan(0).unwrap();
    assert!(
        (scan.ranges_m[180] - 0.8).abs() < 1e-3,
        "{}",
        scan.ranges_m[180]
    );
    assert!(
        (scan.ranges_m[270] - 1.0).abs() < 1e-2,
        "{}",
        scan.ranges_m[270]
    );
    let moving = |beam: usize| scan.moving[beam];
    assert_eq!(
        [moving(180), moving(270), moving(0), moving(90)],
        [1, 1, 0, 0]
    );
    let n_moving: u32 = scan.moving.iter().map(|it| u32::from(*it)).sum();
    let seen_rad = 2.0 * (0.2_f64.asin() + (0.25_f64 / 1.25).asin());
    assert!(
        (f64::from(n_moving) - seen_rad.to_degrees()).abs() <= 2.0,
        "{n_moving}"
    );
}

#[test]
fn lidar_noise_is_as_its_sheet_says() {
    let noisy = "lidar = { range_sigma_m = 0.03, range_sigma_share = 0.01, angle_sigma_rad = 0.0, \
                 dropout = 0.1, range_max_m = 4.2 }";
    let mut simulation = room(noisy, "");
    let scans = readings(&mut simulation, Twist2::default(), 2_000, scan);
    let beam = |beam: usize| scans.iter().map(move |it| f64::from(it.ranges_m[beam]));
    let returns: Vec<f64> = beam(90).filter(|it| *it > 0.0).collect();
    let (mean, sigma) = mean_and_sigma(&returns);
    assert!((mean - 2.0).abs() < 0.015, "{mean}");
    assert!((sigma - 0.05).abs() < 0.012, "{sigma}");
    let all = || scans.iter().flat_map(|it| it.ranges_m.iter());
    let n_dropped = all().filter(|it| **it == DROP_OUT_M).count();
    let share = n_dropped as f64 / all().count() as f64;
    assert!((share - 0.1).abs() < 0.005, "{share}");
    // The corners are 4.47 m away: beyond the maximum.
    let corner = 180 + 2.0_f64.atan2(4.0).to_degrees().round() as usize;
    let n_returns = beam(corner)
        .filter(|it| *it > 0.0 && *it < f64::from(NO_RETURN_M))
        .count();
    assert!(n_returns < 5, "{n_returns}");
}

#[test]
fn noise_of_angles_shows_where_walls_slant() {
    let noisy = "lidar = { range_sigma_m = 0.0, range_sigma_share = 0.0, angle_sigma_rad = 0.01, \
                 dropout = 0.0 }";
    let mut simulation = room(noisy, "");
    let scans = readings(&mut simulation, Twist2::default(), 2_000, scan);
    let sigma_of = |beam: usize| {
        let ranges: Vec<f64> = scans
            .iter()
            .map(|it| f64::from(it.ranges_m[beam]))
            .collect();
        mean_and_sigma(&ranges).1
    };
    // At 45 degrees r = 2 / sin(a), so dr = 2.83 da; at 90 degrees it is flat.
    assert!((sigma_of(225) - 0.0283).abs() < 0.004, "{}", sigma_of(225));
    assert!(sigma_of(270) < 0.001, "{}", sigma_of(270));
}

#[test]
fn an_imu_at_rest_feels_gravity_its_noise_and_its_bias() {
    let imu = "imu = { batch = 4, gyro_noise_density = 0.001, gyro_bias_walk = 0.0, \
               gyro_turn_on_bias_radps = 0.02, accelerometer_noise_density = 0.01, \
               accelerometer_bias_walk = 0.0, accelerometer_turn_on_bias_mps2 = 0.0 }";
    let mut simulation = room(imu, "");
    let pick = |it: &Measurement| match it {
        Measurement::Imu(it) => Some(it.clone()),
        _ => None,
    };
    let batches = readings(&mut simulation, Twist2::default(), 4_000, pick);
    assert_eq!(batches.len(), 1_000);
    let axis = |of: fn(&sedge_simulation::ImuSample) -> f32| -> Vec<f64> {
        let samples = batches.iter().flat_map(|it| &it.samples);
        samples.map(|it| f64::from(of(it))).collect()
    };
    let (up, sigma) = mean_and_sigma(&axis(|it| it.linear_acceleration[2]));
    assert!(
        (up - 9.81).abs() < 0.005 && (sigma - 0.1).abs() < 0.005,
        "{up} {sigma}"
    );
    let (bias, sigma) = mean_and_sigma(&axis(|it| it.angular_velocity[2]));
    assert!((sigma - 0.01).abs() < 0.0005, "{sigma}");
    assert!(
        bias.abs() > 0.0005 && bias.abs() < 0.08,
        "a turn-on bias: {bias}"
    );
}

#[test]
fn an_imu_feels_turns_acceleration_and_a_bias_that_walks() {
    let quiet = "imu = { batch = 1, gyro_noise_density = 0.0, gyro_bias_walk = 0.0, \
                 gyro_turn_on_bias_radps = 0.0, accelerometer_noise_density = 0.0, \
                 accelerometer_bias_walk = 0.0, accelerometer_turn_on_bias_mps2 = 0.0 }";
    let pick = |it: &Measurement| match it {
        Measurement::Imu(it) => Some(it.samples[0]),
        _ => None,
    };
    let mut simulation = room(quiet, "");
    let arc = Twist2 {
        vx_mps: 1.0,
        yaw_rate_radps: 1.0,
        ..Twist2::default()
    };
    let samples = readings(&mut simulation, arc, 150, pick);
    assert!(
        (samples[10].linear_acceleration[0] - 2.0).abs() < 0.1,
        "{:?}",
        samples[10]
    );
    let steady = samples[140];
    assert!(
        (steady.angular_velocity[2] - 1.0).abs() < 1e-3,
        "{steady:?}"
    );
    // v w to the left, in a circle.
    assert!(
        (steady.linear_acceleration[1] - 1.0).abs() < 0.05,
        "{steady:?}"
    );
    assert!(steady.linear_acceleration[0].abs() < 0.05, "{steady:?}");

    let walking = quiet.replace("gyro_bias_walk = 0.0", "gyro_bias_walk = 0.01");
    let mut simulation = room(&walking, "");
    let samples = readings(&mut simulation, Twist2::default(), 10_000, pick);
    let rate = |idx: usize| f64::from(samples[idx].angular_velocity[2]);
    let steps: Vec<f64> = (1..100)
        .map(|it| rate(it * 100) - rate(it * 100 - 100))
        .collect();
    let (_, sigma) = mean_and_sigma(&steps);
    assert!((sigma - 0.01).abs() < 0.003, "0.01 in each second: {sigma}");
}

#[test]
fn an_imu_samples_a_step_as_often_as_its_rate_says_with_the_noise_of_its_rate() {
    let imu = "imu = { rate_hz = 200.0, batch = 3, gyro_noise_density = 0.001, \
               gyro_bias_walk = 0.0, gyro_turn_on_bias_radps = 0.0, \
               accelerometer_noise_density = 0.01, accelerometer_bias_walk = 0.0, \
               accelerometer_turn_on_bias_mps2 = 0.0 }";
    let mut simulation = room(imu, "");
    let pick = |it: &Measurement| match it {
        Measurement::Imu(it) => Some(it.clone()),
        _ => None,
    };
    let batches = readings(&mut simulation, Twist2::default(), 3_000, pick);
    assert_eq!(batches.len(), 2_000);
    assert!(batches.iter().all(|it| it.period.as_millis() == 5));
    // Three samples begin at the first of two in a step, and then at the second.
    let ages: Vec<u128> = batches.iter().map(|it| it.age.as_millis()).collect();
    assert_eq!(ages[..4], [15, 10, 15, 10]);
    let samples = batches.iter().flat_map(|it| &it.samples);
    let rates: Vec<f64> = samples
        .map(|it| f64::from(it.angular_velocity[2]))
        .collect();
    let (_, sigma) = mean_and_sigma(&rates);
    assert!((sigma - 0.001 * 200.0_f64.sqrt()).abs() < 0.0005, "{sigma}");
}

#[test]
fn odometry_drifts_with_the_way_whatever_its_rate() {
    let end = |rate_hz: u32, seed: u64| {
        let text = format!(
            r#"
name = "field"
duration_secs = 100.0
[kinds.crane]
mass_kg = 12.0
height_m = 0.4
body.cylinder.radius_m = 0.2
drive.differential.max_speed_mps = 1.0
odometry.rate_hz = {rate_hz}.0
odometry.way_sigma_per_root_m = 0.05
odometry.yaw_sigma_per_root_m = 0.02
odometry.yaw_sigma_per_root_rad = 0.0
odometry.gain_sigma = 0.0
[[robots]]
kind = "crane"
start = [0.0, 0.0, 0.0]
"#
        );
        let scenario = Scenario::parse(&text, "field").unwrap();
        let mut simulation = Simulation::new(&scenario, seed).unwrap();
        let forward = Twist2 {
            vx_mps: 1.0,
            ..Twist2::default()
        };
        let pick = |it: &Measurement| match it {
            Measurement::Odometry(it) => Some(it.odometry_from_base),
            _ => None,
        };
        let read = *readings(&mut simulation, forward, 500, pick)
            .last()
            .unwrap();
        let true_x_m = simulation.robots()[0].pose.x_m;
        (read.x_m - true_x_m, read.yaw_rad)
    };
    for rate_hz in [10, 50] {
        let ends: Vec<(f64, f64)> = (0..80).map(|seed| end(rate_hz, seed)).collect();
        let (ways, yaws): (Vec<f64>, Vec<f64>) = ends.into_iter().unzip();
        let root_way = 4.75_f64.sqrt();
        let (_, way_sigma) = mean_and_sigma(&ways);
        let (_, yaw_sigma) = mean_and_sigma(&yaws);
        assert!(
            (way_sigma / (0.05 * root_way) - 1.0).abs() < 0.25,
            "{rate_hz}: {way_sigma}"
        );
        assert!(
            (yaw_sigma / (0.02 * root_way) - 1.0).abs() < 0.25,
            "{rate_hz}: {yaw_sigma}"
        );
    }
}

#[test]
fn peers_are_measured_in_line_of_sight_and_bearings_give_relative_headings() {
    let sensor = "range_bearing = { range_sigma_m = 0.0, bearing_sigma_rad = 0.0, dropout = 0.0, \
                  range_max_m = 3.0 }";
    let extra = "[[walls]]\ncenter_m = [0.0, 1.0]\nsize_m = [0.4, 0.1]\n\
                 [[robots]]\nkind = \"crane\"\nstart = [1.0, 1.0, 2.0]\n\
                 [[robots]]\nkind = \"crane\"\nstart = [0.0, 1.7, 0.0]\n\
                 [[robots]]\nkind = \"crane\"\nstart = [3.5, 0.0, 0.0]\n\
                 [[robots]]\nkind = \"crane\"\nstart = [-2.0, 0.0, 0.0]\n\
                 [[walkers]]\nstart = [-1.0, 0.0]\n";
    let mut simulation = room(sensor, extra);
    (0..10).for_each(|_| simulation.step(&[]));
    let of = |robot: usize| {
        let own = |it: &&Reading| it.robot_idx == robot;
        let mut own = simulation.readings().iter().filter(own);
        own.find_map(|it| match &it.measured {
            Measurement::RangeBearing(it) => Some(it.peers.clone()),
            _ => None,
        })
        .unwrap()
    };
    let seen: Vec<usize> = of(0).iter().map(|it| it.robot_idx).collect();
    assert_eq!(
        seen,
        [1],
        "one behind a wall, one too far, one behind a walker"
    );
    let peer = of(0)[0];
    assert!((peer.range_m - 2.0_f64.sqrt()).abs() < 1e-4);
    assert!((peer.bearing_rad - std::f64::consts::FRAC_PI_4).abs() < 1e-4);
    let back = *of(1).iter().find(|it| it.robot_idx == 0).unwrap();
    let heading = wrap_angle(peer.bearing_rad - back.bearing_rad + std::f64::consts::PI);
    assert!((heading - 2.0).abs() < 1e-4, "{heading}");
}

#[test]
fn noise_of_ranges_and_bearings_is_as_the_sheet_says() {
    let sensor = "range_bearing = { range_sigma_m = 0.1, bearing_sigma_rad = 0.05, dropout = 0.2 }";
    let extra = "[[robots]]\nkind = \"crane\"\nstart = [2.0, 0.0, 0.0]\n";
    let mut simulation = room(sensor, extra);
    let pick = |it: &Measurement| match it {
        Measurement::RangeBearing(it) => Some(it.peers.first().copied()),
        _ => None,
    };
    let all = readings(&mut simulation, Twist2::default(), 10_000, pick);
    let peers: Vec<_> = all.iter().flatten().collect();
    let share = peers.len() as f64 / all.len() as f64;
    assert!((share - 0.8).abs() < 0.05, "{share}");
    let (mean, sigma) = mean_and_sigma(&peers.iter().map(|it| it.range_m).collect::<Vec<_>>());
    assert!(
        (mean - 2.0).abs() < 0.02 && (sigma - 0.1).abs() < 0.01,
        "{mean} {sigma}"
    );
    let bearings: Vec<f64> = peers.iter().map(|it| it.bearing_rad).collect();
    let (mean, sigma) = mean_and_sigma(&bearings);
    assert!(
        mean.abs() < 0.01 && (sigma - 0.05).abs() < 0.005,
        "{mean} {sigma}"
    );
}

/// Depth in metres of a pixel, 0 for none.
fn depth_m(picture: &DepthReading, row: usize, column: usize) -> f64 {
    let ticks = picture.depth_ticks[row * picture.n_columns + column];
    f64::from(ticks) * picture.metres_per_tick
}

#[test]
fn a_depth_picture_shows_walls_floor_and_bodies() {
    let camera = "depth = { n_columns = 81, n_rows = 61, field_of_view_rad = 1.2, \
                  mount_height_m = 0.6, dropout = 0.0, sigma_share_per_m = 0.0 }";
    let extra = "[[robots]]\nkind = \"crane\"\nstart = [2.0, 0.0, 0.0]\n";
    let mut simulation = room(camera, extra);
    let pick = |it: &Measurement| match it {
        Measurement::Depth(it) => Some(it.clone()),
        _ => None,
    };
    let pictures = readings(&mut simulation, Twist2::default(), 100, pick);
    assert_eq!(pictures.len(), 5, "5 Hz");
    let picture = &pictures[0];
    // Level, over the robot of 0.4 m: the wall at 4 m.
    assert!((depth_m(picture, 30, 40) - 4.0).abs() < 0.001);
    let drop = |row: usize| (row as f64 - 30.0) / picture.focal_px;
    // Down: its front at 1.8 m; its top; the floor before it.
    let front = (31..61)
        .find(|row| (0.2 / 1.8..0.59 / 1.8).contains(&drop(*row)))
        .unwrap();
    assert!((depth_m(picture, front, 40) - 1.8).abs() < 0.001);
    let top = (31..61)
        .find(|row| (0.2 / 2.15..0.2 / 1.85).contains(&drop(*row)))
        .unwrap();
    assert!((depth_m(picture, top, 40) - 0.2 / drop(top)).abs() < 0.001);
    assert!((depth_m(picture, 60, 40) - 0.6 / drop(60)).abs() < 0.001);
    // Depth is along the axis: the wall ahead is as deep everywhere it is seen.
    assert!((depth_m(picture, 30, 30) - 4.0).abs() < 0.001);
    // Beside the robot's front edge there is a hole.
    let row: Vec<u16> = picture.depth_ticks[front * 81..(front + 1) * 81].to_vec();
    assert_eq!(row.iter().filter(|it| **it == 0).count(), 2, "{row:?}");
}

#[test]
fn holes_and_noise_of_depth_grow_as_the_sheet_says() {
    let camera = "depth = { n_columns = 21, n_rows = 11, field_of_view_rad = 0.5, dropout = 0.2, \
                  mount_height_m = 1.0, sigma_share_per_m = 0.005 }";
    let mut simulation = room(camera, "");
    let pick = |it: &Measurement| match it {
        Measurement::Depth(it) => Some(depth_m(it, 5, 10)),
        _ => None,
    };
    let depths = readings(&mut simulation, Twist2::default(), 8_000, pick);
    let seen: Vec<f64> = depths.iter().copied().filter(|it| *it > 0.0).collect();
    let holes = 1.0 - seen.len() as f64 / depths.len() as f64;
    assert!((holes - 0.2).abs() < 0.05, "{holes}");
    let (mean, sigma) = mean_and_sigma(&seen);
    assert!(
        (mean - 4.0).abs() < 0.01 && (sigma - 0.08).abs() < 0.008,
        "{mean} {sigma}"
    );
}
