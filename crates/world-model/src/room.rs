//! An empty room with known answers, for the conformance suite and for tests.

use std::f64::consts::{FRAC_PI_2, PI};

use sedge_spacetime::{Pose2, Stamp};

use crate::{Episode, EpisodeScan, LidarScan, OdometrySample, ScanGeometry};

const SCAN_PERIOD_SECS: f64 = 0.2;
const ODOMETRY_PERIOD_SECS: f64 = 0.05;

/// A forward half circle of at least two beams.
pub fn half_circle(n_beams: usize) -> ScanGeometry {
    let n_steps = n_beams.saturating_sub(1).max(1);
    ScanGeometry {
        first_angle_rad: -FRAC_PI_2,
        step_rad: PI / n_steps as f64,
        n_beams,
    }
}

/// An empty rectangular room around the origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) half_x_m: f64,
    pub(crate) half_y_m: f64,
}

impl Room {
    /// The exact scan from a pose inside.
    pub(crate) fn scan(self, geometry: ScanGeometry, world_from_scan: Pose2) -> LidarScan {
        let range = |beam| {
            let (sin, cos) = (world_from_scan.yaw_rad + geometry.angle_rad(beam)).sin_cos();
            let along = |position: f64, direction: f64, half: f64| {
                if direction.abs() < 1e-12 {
                    f64::INFINITY
                } else {
                    (half.copysign(direction) - position) / direction
                }
            };
            let x = along(world_from_scan.x_m, cos, self.half_x_m);
            let y = along(world_from_scan.y_m, sin, self.half_y_m);
            x.min(y) as f32
        };
        LidarScan {
            geometry,
            ranges_m: (0..geometry.n_beams).map(range).collect(),
        }
    }

    /// A drive on a circle, without noise.
    pub(crate) fn drive(self, geometry: ScanGeometry, secs: f64) -> Episode {
        self.follow(geometry, secs, |secs| {
            let turn = 0.3 * secs;
            Pose2::new(1.5 * turn.sin(), 1.5 * (1.0 - turn.cos()) - 1.0, turn)
        })
    }

    /// A drive along a path: scans five times a second, odometry twenty times, without noise.
    pub(crate) fn follow(
        self,
        geometry: ScanGeometry,
        secs: f64,
        path: impl Fn(f64) -> Pose2,
    ) -> Episode {
        let stamp = |secs: f64| Stamp::from_nanos((secs * 1e9).round() as i64);
        let times = |period: f64| (0..(secs / period) as u32).map(move |k| f64::from(k) * period);
        let scans = times(SCAN_PERIOD_SECS).map(|secs| EpisodeScan {
            stamp: stamp(secs),
            scan: self.scan(geometry, path(secs)),
            reference: Some(path(secs)),
            moving: None,
        });
        let odometry = times(ODOMETRY_PERIOD_SECS).map(|secs| OdometrySample {
            stamp: stamp(secs),
            odometry_from_base: path(secs),
        });
        Episode {
            name: "room".to_owned(),
            source_hash: String::new(),
            geometry,
            scans: scans.collect(),
            odometry: odometry.collect(),
            others: Vec::new(),
        }
    }
}
