//! The depth camera: upright bodies over a floor, seen by a pinhole.

use sedge_spacetime::Pose2;
use serde::{Deserialize, Serialize};

use crate::DepthCameraConfig;
use crate::noise::Noise;
use crate::outline::{Outline, Placed};
use crate::scene::{Scene, interval};

/// A depth picture.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthReading {
    /// Pixels of a row.
    pub n_columns: usize,
    /// Depth along the optical axis in ticks, the topmost row first; 0 is no reading.
    pub depth_ticks: Vec<u16>,
    /// Metres of a tick.
    pub metres_per_tick: f64,
    /// Focal length in pixels, along rows and columns.
    pub focal_px: f64,
    /// Principal point, column and row.
    pub centre_px: [f64; 2],
}

/// One robot's camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DepthCamera {
    noise: Noise,
    noise_factor: f64,
}

/// What one column of pixels can see of a body: between which depths it stands, and how high, all
/// in metres.
#[derive(Debug, Clone, Copy)]
struct Slab {
    enter: f64,
    exit: f64,
    height: f64,
}

impl DepthCamera {
    pub(crate) fn new(noise: Noise, noise_factor: f64) -> Self {
        Self {
            noise,
            noise_factor,
        }
    }

    /// `heights_m` are those of the scene's walls, then of its bodies.
    pub(crate) fn measure(
        &mut self,
        config: &DepthCameraConfig,
        scene: &Scene<'_>,
        heights_m: &[f64],
        (from, own): (Pose2, usize),
    ) -> DepthReading {
        let (n_columns, n_rows) = (config.n_columns, config.n_rows);
        let focal_px = n_columns as f64 / 2.0 / (config.field_of_view_rad / 2.0).tan();
        let centre_px = [(n_columns - 1) as f64 / 2.0, (n_rows - 1) as f64 / 2.0];
        let eye = Placed::new(Outline::Disc { radius_m: 0.0 }, from);
        let mut depths_m = vec![f64::INFINITY; n_columns * n_rows];
        let mut slabs = Vec::new();
        for column in 0..n_columns {
            // Of depth 1: forward, and to the left.
            let ray = [1.0, (centre_px[0] - column as f64) / focal_px];
            slabs_along(scene, heights_m, (eye, own), ray, &mut slabs);
            slabs.retain(|slab| slab.enter <= config.range_max_m);
            for row in 0..n_rows {
                let drop = (row as f64 - centre_px[1]) / focal_px;
                depths_m[row * n_columns + column] = seen(&slabs, config.mount_height_m, drop);
            }
        }
        let depth_ticks = self.read(config, &depths_m);
        DepthReading {
            n_columns,
            depth_ticks,
            metres_per_tick: config.metres_per_tick,
            focal_px,
            centre_px,
        }
    }

    /// Noise, holes and ticks.
    fn read(&mut self, config: &DepthCameraConfig, depths_m: &[f64]) -> Vec<u16> {
        let tick = |idx: usize| {
            let depth_m = depths_m[idx];
            let is_edge = !idx.is_multiple_of(config.n_columns)
                && (depths_m[idx - 1] - depth_m).abs() > config.hole_step_m;
            if depth_m > config.range_max_m || is_edge || self.noise.happens(config.dropout) {
                return 0;
            }
            let sigma = config.sigma_share_per_m * depth_m * depth_m * self.noise_factor;
            let read_m = depth_m + self.noise.normal(sigma);
            (read_m / config.metres_per_tick)
                .round()
                .clamp(0.0, u16::MAX.into()) as u16
        };
        (0..depths_m.len()).map(tick).collect()
    }
}

fn slabs_along(
    scene: &Scene<'_>,
    heights_m: &[f64],
    (eye, own): (Placed, usize),
    ray: [f64; 2],
    slabs: &mut Vec<Slab>,
) {
    slabs.clear();
    let along = eye.turn_to_world(ray);
    let end = [eye.center_m[0] + along[0], eye.center_m[1] + along[1]];
    let own = scene.walls.len() + own;
    let all = scene.walls.iter().chain(scene.bodies).zip(heights_m);
    for (idx, (placed, height_m)) in all.enumerate() {
        if idx == own {
            continue;
        }
        let from = placed.to_local(eye.center_m);
        let to = placed.to_local(end);
        let inside = interval(placed.outline, from, [to[0] - from[0], to[1] - from[1]]);
        if let Some([enter_m, exit_m]) = inside.filter(|[_, exit_m]| *exit_m > 0.0) {
            slabs.push(Slab {
                enter: enter_m.max(0.0),
                exit: exit_m,
                height: *height_m,
            });
        }
    }
}

/// The depth of what a pixel sees, whose ray drops this much per metre of depth.
fn seen(slabs: &[Slab], mount_m: f64, drop: f64) -> f64 {
    let floor_m = if drop > 0.0 {
        mount_m / drop
    } else {
        f64::INFINITY
    };
    let depth_of = |slab: &Slab| {
        let height_m = mount_m - drop * slab.enter;
        if height_m <= slab.height {
            return slab.enter;
        }
        // From above, the ray may come down on its top.
        let top_m = (mount_m - slab.height) / drop;
        if drop > 0.0 && top_m <= slab.exit {
            top_m
        } else {
            f64::INFINITY
        }
    };
    slabs.iter().map(depth_of).fold(floor_m, f64::min)
}
