//! Events and drives with known answers, for tests.

use sedge_spacetime::{Pose2, Stamp};

use crate::{Episode, LidarScan, Observation, SensorEvent};

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
