//! Events and drives with known answers, for tests.

use sedge_spacetime::{Pose2, Stamp};

use crate::{Episode, LidarScan, Observation, ScanGeometry, SensorEvent};

pub(crate) use crate::room::{Room, half_circle};

/// A scan event.
pub(crate) fn scan_event(secs: f64, scan: LidarScan) -> SensorEvent {
    SensorEvent {
        stamp: Stamp::from_secs(secs).unwrap(),
        observation: Observation::Lidar(scan),
    }
}

/// An odometry event.
pub(crate) fn odometry_event(secs: f64, pose: Pose2) -> SensorEvent {
    SensorEvent {
        stamp: Stamp::from_secs(secs).unwrap(),
        observation: Observation::Odometry(pose),
    }
}

/// A room from a pose with discs in it: centre, radius.
pub(crate) fn scan_with_discs(
    room: Room,
    geometry: ScanGeometry,
    discs: &[([f64; 2], f64)],
    from: Pose2,
) -> LidarScan {
    let walls = room.scan(geometry, from);
    let range = |beam: usize| {
        let direction = from.yaw_rad + geometry.angle_rad(beam);
        let (sin, cos) = direction.sin_cos();
        let hit = |&(centre, radius): &([f64; 2], f64)| {
            let (dx, dy) = (centre[0] - from.x_m, centre[1] - from.y_m);
            let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
            if along <= 0.0 || across.abs() >= radius {
                return f64::INFINITY;
            }
            along - (radius * radius - across * across).sqrt()
        };
        let nearest = discs.iter().map(hit).fold(f64::INFINITY, f64::min);
        nearest.min(f64::from(walls.ranges_m[beam])) as f32
    };
    LidarScan {
        geometry,
        ranges_m: (0..geometry.n_beams).map(range).collect(),
    }
}

/// A drive that moves in x, y and yaw independently, so that all of a calibration shows.
pub(crate) fn wander(n_beams: usize, secs: f64) -> Episode {
    let room = Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    };
    room.follow(half_circle(n_beams), secs, |secs| {
        let wave = |rate: f64, phase: f64| (rate * secs + phase).sin();
        Pose2::new(
            1.2 * wave(0.7, 0.0) + 0.3 * wave(1.9, 1.0),
            0.9 * wave(0.53, 2.0) + 0.3 * wave(2.3, 0.3),
            1.3 * wave(0.41, 0.5) + 0.4 * wave(1.3, 0.1),
        )
    })
}

/// A drive among pillars, past a doorway that returns nothing: ranges in whole centimetres, scans
/// stamped 0.1 s late, odometry that turns and slides a little wrong. What a log is like.
pub(crate) fn cluttered_drive(n_beams: usize, secs: f64) -> Episode {
    let mut episode = wander(n_beams, secs);
    let (mut truth, mut odometry_from_base) = (None, Pose2::IDENTITY);
    for sample in &mut episode.odometry {
        let here = sample.odometry_from_base;
        let moved = truth.unwrap_or(here).between(here);
        let wrong = Pose2::new(
            1.02 * moved.x_m - 0.03 * moved.yaw_rad,
            0.97 * moved.y_m + 0.02 * moved.yaw_rad,
            0.95 * moved.yaw_rad + 0.01 * moved.x_m,
        );
        odometry_from_base = odometry_from_base * wrong;
        truth = Some(here);
        sample.odometry_from_base = odometry_from_base;
    }
    for (idx, scan) in episode.scans.iter_mut().enumerate() {
        let world_from_scan = scan.reference.unwrap();
        let geometry = scan.scan.geometry;
        let range = |beam: usize| {
            let wall = scan.scan.ranges_m[beam];
            let angle = geometry.angle_rad(beam);
            let hit = world_from_scan
                .transform([f64::from(wall) * angle.cos(), f64::from(wall) * angle.sin()]);
            let is_doorway = hit[0] > 3.99 && hit[1].abs() < 0.7;
            let open = if is_doorway {
                f64::INFINITY
            } else {
                f64::from(wall)
            };
            let direction = world_from_scan.yaw_rad + angle;
            let pillars = [([2.6, 1.9], 0.25), ([-2.8, -1.2], 0.4), ([-2.9, 2.2], 0.3)];
            let nearest = pillars
                .iter()
                .map(|&(centre, radius)| to_circle(world_from_scan, direction, centre, radius))
                .fold(open, f64::min);
            if nearest.is_finite() {
                ((nearest * 100.0).round() / 100.0) as f32
            } else {
                81.91
            }
        };
        let ranges_m = (0..n_beams).map(range).collect();
        scan.scan = LidarScan { geometry, ranges_m };
        let late = if idx == 0 { 0.0 } else { 0.1 };
        scan.stamp = Stamp::from_secs(scan.stamp.secs() + late).unwrap();
    }
    episode
}

/// Distance along a direction to a circle; infinite for a miss.
fn to_circle(from: Pose2, direction: f64, centre: [f64; 2], radius: f64) -> f64 {
    let (dx, dy) = (centre[0] - from.x_m, centre[1] - from.y_m);
    let (along, across) = (
        dx * direction.cos() + dy * direction.sin(),
        dy * direction.cos() - dx * direction.sin(),
    );
    if along <= 0.0 || across.abs() >= radius {
        return f64::INFINITY;
    }
    along - (radius * radius - across * across).sqrt()
}
