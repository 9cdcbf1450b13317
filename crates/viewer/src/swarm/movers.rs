//! What a robot sees moving, where it goes and how sure the robot is.

use rerun::{Arrows3D, LineStrips3D, Radius};
use sedge_spacetime::Pose2;

use super::height;
use super::scene::is_near;
use crate::color;
use crate::scan::at_height;

/// Movers of one robot that are drawn.
pub(super) const MOVERS_MAX: usize = 64;
/// Where a mover is expected after so many seconds: the tip of its arrow.
const ARROW_SECS: f64 = 1.0;
/// Corners of a circle.
const N_CORNERS: u32 = 24;

/// Something that moves, as one robot sees it.
///
/// # Units and frames
/// Metres and seconds in the frame of its scanner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeenMover {
    /// Its centre.
    pub position_m: [f64; 2],
    /// Its velocity, in metres per second.
    pub velocity_mps: [f64; 2],
    /// Standard deviation of where it is, in metres.
    pub sigma_m: f64,
    /// Its radius, in metres.
    pub radius_m: f64,
}

/// The same in the world, in metres.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorldMover {
    at: [f64; 2],
    ahead: [f64; 2],
    sigma: f64,
    radius: f64,
}

impl WorldMover {
    /// `None` for what is nowhere.
    pub(super) fn new(world_from_scanner: Pose2, seen: &SeenMover) -> Option<Self> {
        let numbers = [seen.sigma_m, seen.radius_m];
        let sized = numbers.iter().all(|x| x.is_finite() && *x >= 0.0);
        if !sized || !is_near(seen.position_m) || !is_near(seen.velocity_mps) {
            return None;
        }
        let tip = [0, 1].map(|axis| seen.position_m[axis] + ARROW_SECS * seen.velocity_mps[axis]);
        Some(Self {
            at: world_from_scanner.transform(seen.position_m),
            ahead: world_from_scanner.transform(tip),
            sigma: seen.sigma_m,
            radius: seen.radius_m,
        })
    }
}

/// Where they are expected in a second.
pub(super) fn arrows(movers: &[WorldMover]) -> Arrows3D {
    let vectors = movers.iter().map(|mover| {
        let along = [0, 1].map(|axis| mover.ahead[axis] - mover.at[axis]);
        at_height(along, 0.0)
    });
    let origins = movers
        .iter()
        .map(|mover| at_height(mover.at, height::BELIEF));
    Arrows3D::from_vectors(vectors)
        .with_origins(origins)
        .with_colors([color::MOVING])
        .with_radii([Radius::new_ui_points(1.6)])
}

/// Their outlines, and around each the circle that holds its centre with 95 % probability.
pub(super) fn circles(movers: &[WorldMover]) -> LineStrips3D {
    let strips = movers.iter().flat_map(|mover| {
        let sigmas_95 = 2.45 * mover.sigma;
        [mover.radius, mover.radius + sigmas_95].map(|r| circle(mover.at, r))
    });
    let faint = color::mix(color::BACKGROUND, color::MOVING, 0.5);
    let colors = movers.iter().flat_map(|_| [color::MOVING, faint]);
    LineStrips3D::new(strips)
        .with_colors(colors)
        .with_radii([Radius::new_ui_points(1.0)])
}

/// A closed circle over the floor.
pub(super) fn circle(center_m: [f64; 2], radius_m: f64) -> Vec<[f32; 3]> {
    let corner = |corner: u32| {
        let angle = std::f64::consts::TAU * f64::from(corner) / f64::from(N_CORNERS);
        let (sin, cos) = angle.sin_cos();
        let point = [center_m[0] + radius_m * cos, center_m[1] + radius_m * sin];
        at_height(point, height::BELIEF)
    };
    (0..=N_CORNERS).map(corner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mover_that_is_nowhere_is_none() {
        let seen = SeenMover {
            position_m: [1.0, 2.0],
            velocity_mps: [0.5, 0.0],
            sigma_m: 0.1,
            radius_m: 0.3,
        };
        let turned = Pose2::new(0.0, 0.0, std::f64::consts::FRAC_PI_2);
        let mover = WorldMover::new(turned, &seen).unwrap();
        assert!((mover.ahead[0] + 2.0).abs() < 1e-9 && (mover.ahead[1] - 1.5).abs() < 1e-9);
        for nowhere in [
            SeenMover {
                position_m: [f64::NAN, 0.0],
                ..seen
            },
            SeenMover {
                velocity_mps: [f64::INFINITY, 0.0],
                ..seen
            },
            SeenMover {
                sigma_m: -1.0,
                ..seen
            },
        ] {
            assert!(WorldMover::new(turned, &nowhere).is_none(), "{nowhere:?}");
        }
    }
}
