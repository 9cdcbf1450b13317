//! What a scenario must fulfil beyond its types.

use std::ops::RangeInclusive;

use sedge_spacetime::Pose2;

use super::{
    Body, CoverTask, DepthCameraConfig, ImuConfig, LidarConfig, OdometryConfig, Randomisation,
    RangeBearingConfig, Region, RobotKind, Scenario, Task,
};
use crate::limits::{
    ACCELERATION_MAX, BEAMS_MAX, DURATION_SECS_MAX, EXTENT_M_MAX, LIDAR_RANGE_M_MAX, PIXELS_MAX,
    ROBOTS_MAX, SPEED_MPS_MAX, WALKERS_MAX, WALLS_MAX, WAYPOINTS_MAX, YAW_RATE_RADPS_MAX,
};
use crate::outline::{Outline, Placed};
use crate::walker::WALKER_RADIUS_M;
use crate::{STEPS_PER_SECOND, overlap::first_overlap};

/// What is wrong and where, as a path such as `robots[2].start`.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) path: String,
    pub(super) reason: String,
}

type Checked = Result<(), Finding>;

/// Yaw of any turn a person would write down.
const YAW: RangeInclusive<f64> = -10.0..=10.0;
const PLACE: RangeInclusive<f64> = -EXTENT_M_MAX..=EXTENT_M_MAX;
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
/// A factor of zero would be a robot without mass.
const RANDOM_SHARE: RangeInclusive<f64> = 0.0..=0.9;
const SIGMA: RangeInclusive<f64> = 0.0..=10.0;
const TOLERANCE: RangeInclusive<f64> = 0.01..=100.0;
/// Cells of a floor that is to be seen.
const CELLS_MAX: f64 = 1e6;

pub(super) fn check(scenario: &Scenario) -> Checked {
    let name = &scenario.name;
    let is_plain = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    };
    ensure(is_plain(name), "name", || {
        format!("expected 1 to 64 of a-z 0-9 _, got {name:?}")
    })?;
    within(
        "duration_secs",
        scenario.duration_secs,
        &(0.01..=DURATION_SECS_MAX),
    )?;
    within("floor_friction", scenario.floor_friction, &(0.01..=10.0))?;
    check_task(scenario.task)?;
    check_counts(scenario)?;
    for (idx, wall) in scenario.walls.iter().enumerate() {
        let at = |key: &str| format!("walls[{idx}].{key}");
        each(&at("center_m"), &wall.center_m, &PLACE)?;
        each(&at("size_m"), &wall.size_m, &(0.01..=2.0 * EXTENT_M_MAX))?;
        within(&at("yaw_rad"), wall.yaw_rad, &YAW)?;
        within(&at("height_m"), wall.height_m, &(0.01..=100.0))?;
    }
    for (kind_name, kind) in &scenario.kinds {
        let path = format!("kinds.{kind_name}");
        ensure(is_plain(kind_name), &path, || {
            format!("expected a name of 1 to 64 of a-z 0-9 _, got {kind_name:?}")
        })?;
        check_kind(&path, kind)?;
    }
    check_robots(scenario)?;
    check_walkers(scenario)?;
    check_randomisation(&scenario.randomisation)?;
    check_overlaps(scenario)
}

fn check_counts(scenario: &Scenario) -> Checked {
    let counted = |path: &str, count: usize, max: usize| {
        ensure(count <= max, path, || {
            format!("expected at most {max} in all, got {count}")
        })
    };
    counted("walls", scenario.walls.len(), WALLS_MAX)?;
    // Sums saturate: two counts may well be more than any number.
    let mut n_robots = scenario.robots.len();
    counted("robots", n_robots, ROBOTS_MAX)?;
    for (idx, group) in scenario.groups.iter().enumerate() {
        n_robots = n_robots.saturating_add(group.count);
        counted(&format!("groups[{idx}].count"), n_robots, ROBOTS_MAX)?;
    }
    let mut n_walkers = scenario.walkers.len();
    counted("walkers", n_walkers, WALKERS_MAX)?;
    for (idx, crowd) in scenario.crowds.iter().enumerate() {
        n_walkers = n_walkers.saturating_add(crowd.count);
        counted(&format!("crowds[{idx}].count"), n_walkers, WALKERS_MAX)?;
    }
    Ok(())
}

fn check_task(task: Task) -> Checked {
    match task {
        Task::Reach => Ok(()),
        Task::Cover(cover) => check_cover(&cover),
        Task::Flock(flock) => {
            within("task.flock.alignment", flock.alignment, &SHARE)?;
            within(
                "task.flock.spread_m",
                flock.spread_m,
                &(0.01..=EXTENT_M_MAX),
            )
        }
    }
}

fn check_cover(cover: &CoverTask) -> Checked {
    check_rectangle("task.cover", cover.min_m, cover.max_m)?;
    within("task.cover.cell_m", cover.cell_m, &(0.01..=100.0))?;
    within("task.cover.reach_m", cover.reach_m, &(0.01..=100.0))?;
    within("task.cover.share", cover.share, &SHARE)?;
    let sides = [0, 1].map(|axis| (cover.max_m[axis] - cover.min_m[axis]) / cover.cell_m);
    let n_cells = (sides[0].ceil() * sides[1].ceil()).round();
    ensure(n_cells <= CELLS_MAX, "task.cover.cell_m", || {
        format!("expected at most {CELLS_MAX} cells, got {n_cells}")
    })
}

fn check_kind(path: &str, kind: &RobotKind) -> Checked {
    let at = |key: &str| format!("{path}.{key}");
    match kind.body {
        Body::Cylinder { radius_m } => {
            within(&at("body.cylinder.radius_m"), radius_m, &(0.02..=10.0))?;
        }
        Body::Box { length_m, width_m } => {
            within(&at("body.box.length_m"), length_m, &(0.04..=20.0))?;
            within(&at("body.box.width_m"), width_m, &(0.04..=20.0))?;
        }
    }
    within(&at("height_m"), kind.height_m, &(0.01..=100.0))?;
    within(&at("mass_kg"), kind.mass_kg, &(0.1..=10_000.0))?;
    let limits = kind.drive.limits();
    let numbers = [
        ("max_speed_mps", limits.max_speed_mps, SPEED_MPS_MAX),
        (
            "max_acceleration_mps2",
            limits.max_acceleration_mps2,
            ACCELERATION_MAX,
        ),
        (
            "max_yaw_rate_radps",
            limits.max_yaw_rate_radps,
            YAW_RATE_RADPS_MAX,
        ),
        (
            "max_yaw_acceleration_radps2",
            limits.max_yaw_acceleration_radps2,
            10.0 * ACCELERATION_MAX,
        ),
    ];
    let drive = match kind.drive {
        super::Drive::Differential(_) => "differential",
        super::Drive::Holonomic(_) => "holonomic",
    };
    for (key, value, max) in numbers {
        within(&at(&format!("drive.{drive}.{key}")), value, &(0.01..=max))?;
    }
    let sensors = [
        kind.lidar.as_ref().map(|it| check_lidar(&at("lidar"), it)),
        kind.imu.as_ref().map(|it| check_imu(&at("imu"), it)),
        kind.odometry
            .as_ref()
            .map(|it| check_odometry(&at("odometry"), it)),
        kind.range_bearing
            .as_ref()
            .map(|it| check_range_bearing(&at("range_bearing"), it)),
        kind.depth.as_ref().map(|it| check_depth(&at("depth"), it)),
    ];
    sensors.into_iter().flatten().collect()
}

fn check_lidar(path: &str, lidar: &LidarConfig) -> Checked {
    let at = |key: &str| format!("{path}.{key}");
    ensure(
        (1..=BEAMS_MAX).contains(&lidar.n_beams),
        &at("n_beams"),
        || format!("expected 1 to {BEAMS_MAX} beams, got {}", lidar.n_beams),
    )?;
    let range = 0.1..=LIDAR_RANGE_M_MAX;
    within(&at("range_max_m"), lidar.range_max_m, &range)?;
    rate(&at("rate_hz"), lidar.rate_hz)?;
    within(&at("range_sigma_m"), lidar.range_sigma_m, &SIGMA)?;
    within(&at("range_sigma_share"), lidar.range_sigma_share, &SHARE)?;
    within(&at("angle_sigma_rad"), lidar.angle_sigma_rad, &(0.0..=0.1))?;
    within(&at("dropout"), lidar.dropout, &SHARE)
}

fn check_imu(path: &str, imu: &ImuConfig) -> Checked {
    let at = |key: &str| format!("{path}.{key}");
    let samples = imu.rate_hz / STEPS_PER_SECOND;
    let is_whole = (1.0..=10.0).contains(&samples) && (samples - samples.round()).abs() < 1e-9;
    ensure(is_whole, &at("rate_hz"), || {
        let got = imu.rate_hz;
        format!("expected a multiple of {STEPS_PER_SECOND} Hz up to 1000 Hz, got {got}")
    })?;
    ensure((1..=100).contains(&imu.batch), &at("batch"), || {
        format!("expected 1 to 100 samples, got {}", imu.batch)
    })?;
    let sigmas = [
        ("gyro_noise_density", imu.gyro_noise_density),
        ("gyro_bias_walk", imu.gyro_bias_walk),
        ("gyro_turn_on_bias_radps", imu.gyro_turn_on_bias_radps),
        (
            "accelerometer_noise_density",
            imu.accelerometer_noise_density,
        ),
        ("accelerometer_bias_walk", imu.accelerometer_bias_walk),
        (
            "accelerometer_turn_on_bias_mps2",
            imu.accelerometer_turn_on_bias_mps2,
        ),
    ];
    each_of(path, &sigmas, &SIGMA)
}

fn check_odometry(path: &str, odometry: &OdometryConfig) -> Checked {
    rate(&format!("{path}.rate_hz"), odometry.rate_hz)?;
    let sigmas = [
        ("way_sigma_per_root_m", odometry.way_sigma_per_root_m),
        ("yaw_sigma_per_root_m", odometry.yaw_sigma_per_root_m),
        ("yaw_sigma_per_root_rad", odometry.yaw_sigma_per_root_rad),
        ("gain_sigma", odometry.gain_sigma),
    ];
    each_of(path, &sigmas, &SHARE)
}

fn check_range_bearing(path: &str, sensor: &RangeBearingConfig) -> Checked {
    let at = |key: &str| format!("{path}.{key}");
    rate(&at("rate_hz"), sensor.rate_hz)?;
    within(&at("range_max_m"), sensor.range_max_m, &(0.1..=1_000.0))?;
    within(&at("range_sigma_m"), sensor.range_sigma_m, &SIGMA)?;
    within(
        &at("bearing_sigma_rad"),
        sensor.bearing_sigma_rad,
        &(0.0..=1.0),
    )?;
    within(&at("dropout"), sensor.dropout, &SHARE)
}

fn check_depth(path: &str, depth: &DepthCameraConfig) -> Checked {
    let at = |key: &str| format!("{path}.{key}");
    let n_pixels = depth.n_columns.saturating_mul(depth.n_rows);
    ensure(
        (1..=PIXELS_MAX).contains(&n_pixels),
        &at("n_columns"),
        || format!("expected 1 to {PIXELS_MAX} pixels, got {n_pixels}"),
    )?;
    rate(&at("rate_hz"), depth.rate_hz)?;
    within(
        &at("field_of_view_rad"),
        depth.field_of_view_rad,
        &(0.1..=2.5),
    )?;
    within(&at("mount_height_m"), depth.mount_height_m, &(0.0..=100.0))?;
    within(&at("metres_per_tick"), depth.metres_per_tick, &(1e-5..=1.0))?;
    let farthest_m = (depth.metres_per_tick * f64::from(u16::MAX)).min(100.0);
    within(&at("range_max_m"), depth.range_max_m, &(0.1..=farthest_m))?;
    within(&at("sigma_share_per_m"), depth.sigma_share_per_m, &SHARE)?;
    within(&at("dropout"), depth.dropout, &SHARE)?;
    within(&at("hole_step_m"), depth.hole_step_m, &(0.0..=1_000.0))
}

fn check_robots(scenario: &Scenario) -> Checked {
    let known = |path: String, kind: &String| {
        ensure(scenario.kinds.contains_key(kind), &path, || {
            let kinds: Vec<&String> = scenario.kinds.keys().collect();
            format!("expected one of {kinds:?}, got {kind:?}")
        })
    };
    for (idx, robot) in scenario.robots.iter().enumerate() {
        let at = |key: &str| format!("robots[{idx}].{key}");
        known(at("kind"), &robot.kind)?;
        pose(&at("start"), robot.start)?;
        route_length(&at("route"), robot.route.len())?;
        for (point, waypoint) in robot.route.iter().enumerate() {
            pose(&at(&format!("route[{point}]")), *waypoint)?;
        }
        let tolerances = [robot.position_tolerance_m, robot.yaw_tolerance_rad];
        within(&at("position_tolerance_m"), tolerances[0], &TOLERANCE)?;
        within(&at("yaw_tolerance_rad"), tolerances[1], &TOLERANCE)?;
    }
    for (idx, group) in scenario.groups.iter().enumerate() {
        let at = |key: &str| format!("groups[{idx}].{key}");
        known(at("kind"), &group.kind)?;
        region(&at("spawn"), &group.spawn)?;
        route_length(&at("route"), group.route.len())?;
        for (point, waypoint) in group.route.iter().enumerate() {
            region(&at(&format!("route[{point}]")), waypoint)?;
        }
        let tolerance_m = group.position_tolerance_m;
        within(&at("position_tolerance_m"), tolerance_m, &TOLERANCE)?;
    }
    Ok(())
}

fn check_walkers(scenario: &Scenario) -> Checked {
    let speeds = 0.05..=SPEED_MPS_MAX;
    for (idx, walker) in scenario.walkers.iter().enumerate() {
        let at = |key: &str| format!("walkers[{idx}].{key}");
        each(&at("start"), &walker.start, &PLACE)?;
        route_length(&at("route"), walker.route.len())?;
        for (point, waypoint) in walker.route.iter().enumerate() {
            each(&at(&format!("route[{point}]")), waypoint, &PLACE)?;
        }
        within(&at("speed_mps"), walker.speed_mps, &speeds)?;
        within(&at("regard"), walker.regard, &SHARE)?;
    }
    for (idx, crowd) in scenario.crowds.iter().enumerate() {
        let at = |key: &str| format!("crowds[{idx}].{key}");
        region(&at("spawn"), &crowd.spawn)?;
        route_length(&at("route"), crowd.route.len())?;
        for (point, waypoint) in crowd.route.iter().enumerate() {
            region(&at(&format!("route[{point}]")), waypoint)?;
        }
        let [slow, fast] = crowd.speeds_mps;
        each(&at("speeds_mps"), &crowd.speeds_mps, &speeds)?;
        ensure(slow <= fast, &at("speeds_mps"), || {
            format!("expected the slowest speed first, got [{slow}, {fast}]")
        })?;
        within(&at("regard"), crowd.regard, &SHARE)?;
    }
    Ok(())
}

fn check_randomisation(randomisation: &Randomisation) -> Checked {
    let shares = [
        ("friction_share", randomisation.friction_share),
        ("mass_share", randomisation.mass_share),
        ("motor_gain_share", randomisation.motor_gain_share),
        ("sensor_noise_share", randomisation.sensor_noise_share),
        ("walker_speed_share", randomisation.walker_speed_share),
    ];
    each_of("randomisation", &shares, &RANDOM_SHARE)?;
    let jitters = [
        ("spawn_jitter_m", randomisation.spawn_jitter_m),
        ("spawn_jitter_rad", randomisation.spawn_jitter_rad),
    ];
    each_of("randomisation", &jitters, &(0.0..=10.0))
}

/// Nobody who is placed by the file starts in a wall or in somebody else.
fn check_overlaps(scenario: &Scenario) -> Checked {
    let robots = scenario.robots.iter().map(|robot| {
        let [x_m, y_m, yaw_rad] = robot.start;
        let outline = Outline::from(scenario.kinds[&robot.kind].body);
        Placed::new(outline, Pose2::new(x_m, y_m, yaw_rad))
    });
    let walker = Outline::Disc {
        radius_m: WALKER_RADIUS_M,
    };
    let walkers = scenario.walkers.iter().map(|it| {
        let [x_m, y_m] = it.start;
        Placed::new(walker, Pose2::new(x_m, y_m, 0.0))
    });
    let bodies: Vec<Placed> = robots.chain(walkers).collect();
    let walls: Vec<Placed> = scenario.walls.iter().map(Placed::wall).collect();
    let n_robots = scenario.robots.len();
    let body_path = |idx: usize| match idx.checked_sub(n_robots) {
        None => format!("robots[{idx}]"),
        Some(idx) => format!("walkers[{idx}]"),
    };
    let Some((first, second)) = first_overlap(&bodies, &walls) else {
        return Ok(());
    };
    let other = match second.checked_sub(bodies.len()) {
        None => body_path(second),
        Some(idx) => format!("walls[{idx}]"),
    };
    Err(Finding {
        path: format!("{}.start", body_path(first)),
        reason: format!("expected a start apart from everything, got one in {other}"),
    })
}

#[expect(
    clippy::fn_params_excessive_bools,
    reason = "the condition that is ensured, as in an assertion"
)]
fn ensure(is_so: bool, path: &str, reason: impl FnOnce() -> String) -> Checked {
    if is_so {
        return Ok(());
    }
    Err(Finding {
        path: path.to_owned(),
        reason: reason(),
    })
}

/// Not a number is within nothing.
fn within(path: &str, value: f64, range: &RangeInclusive<f64>) -> Checked {
    ensure(range.contains(&value), path, || {
        format!("expected {} to {}, got {value}", range.start(), range.end())
    })
}

fn each(path: &str, values: &[f64], range: &RangeInclusive<f64>) -> Checked {
    values
        .iter()
        .try_for_each(|value| within(path, *value, range))
}

fn each_of(path: &str, values: &[(&str, f64)], range: &RangeInclusive<f64>) -> Checked {
    values
        .iter()
        .try_for_each(|(key, value)| within(&format!("{path}.{key}"), *value, range))
}

fn pose(path: &str, [x_m, y_m, yaw_rad]: [f64; 3]) -> Checked {
    each(path, &[x_m, y_m], &PLACE)?;
    within(path, yaw_rad, &YAW)
}

fn region(path: &str, region: &Region) -> Checked {
    check_rectangle(path, region.min_m, region.max_m)?;
    within(&format!("{path}.yaw_rad"), region.yaw_rad, &YAW)
}

fn check_rectangle(path: &str, min_m: [f64; 2], max_m: [f64; 2]) -> Checked {
    each(&format!("{path}.min_m"), &min_m, &PLACE)?;
    each(&format!("{path}.max_m"), &max_m, &PLACE)?;
    let is_ordered = min_m[0] <= max_m[0] && min_m[1] <= max_m[1];
    ensure(is_ordered, path, || {
        format!("expected min_m below max_m, got {min_m:?} and {max_m:?}")
    })
}

fn route_length(path: &str, length: usize) -> Checked {
    ensure(length <= WAYPOINTS_MAX, path, || {
        format!("expected at most {WAYPOINTS_MAX} way points, got {length}")
    })
}

/// Readings fall on physics steps, so their rate divides that of the steps.
fn rate(path: &str, rate_hz: f64) -> Checked {
    let steps = STEPS_PER_SECOND / rate_hz;
    let divides = (1.0..=1e4).contains(&steps) && (steps - steps.round()).abs() < 1e-9;
    ensure(divides, path, || {
        format!("expected a rate that divides {STEPS_PER_SECOND} Hz, got {rate_hz}")
    })
}
