//! What a robot knows of the others: where they are, and where they say they will go.

use rerun::{LineStrips3D, Radius};
use sedge_spacetime::Pose2;

use super::height;
use super::movers::circle;
use super::scene::is_near;
use crate::color;
use crate::scan::at_height;

/// Neighbours of one robot that are drawn.
pub(super) const NEIGHBOURS_MAX: usize = 64;
/// Points of an intention that are drawn.
const INTENTION_MAX: usize = 32;

/// Another robot, as one robot knows it.
///
/// # Units and frames
/// Metres in the frame of the robot that knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeenNeighbour<'a> {
    /// Where it is.
    pub position_m: [f64; 2],
    /// Standard deviation of that, in metres.
    pub sigma_m: f64,
    /// Where it says it will go, point by point from now on; empty when it has not said.
    pub intention_m: &'a [[f64; 2]],
}

/// The same in the world, in metres.
#[derive(Debug, Clone)]
pub(super) struct WorldNeighbour {
    at: [f64; 2],
    sigma: f64,
    intention: Vec<[f32; 3]>,
}

impl WorldNeighbour {
    /// `None` for what is nowhere.
    pub(super) fn new(world_from_base: Pose2, seen: &SeenNeighbour<'_>) -> Option<Self> {
        let is_sure = seen.sigma_m.is_finite() && seen.sigma_m >= 0.0;
        if !is_sure || !is_near(seen.position_m) {
            return None;
        }
        let every = seen.intention_m.len().div_ceil(INTENTION_MAX).max(1);
        let points = seen.intention_m.iter().step_by(every);
        let path = std::iter::once(&seen.position_m).chain(points.filter(|p| is_near(**p)));
        let intention = path
            .map(|point| at_height(world_from_base.transform(*point), height::BELIEF))
            .collect();
        Some(Self {
            at: world_from_base.transform(seen.position_m),
            sigma: seen.sigma_m,
            intention,
        })
    }
}

/// Circles that hold each with 95 % probability.
pub(super) fn circles(neighbours: &[WorldNeighbour]) -> LineStrips3D {
    let strips = neighbours
        .iter()
        .map(|known| circle(known.at, 2.45 * known.sigma));
    LineStrips3D::new(strips)
        .with_colors([color::NEIGHBOUR])
        .with_radii([Radius::new_ui_points(1.0)])
}

/// The paths they have said they will take.
pub(super) fn intentions(neighbours: &[WorldNeighbour]) -> LineStrips3D {
    let said = neighbours.iter().filter(|known| known.intention.len() > 1);
    LineStrips3D::new(said.map(|known| known.intention.clone()))
        .with_colors([color::NEIGHBOUR])
        .with_radii([Radius::new_ui_points(1.6)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_that_is_nowhere_is_none_and_paths_are_thinned() {
        let path: Vec<[f64; 2]> = (0..500).map(|i| [f64::from(i), 0.0]).collect();
        let seen = SeenNeighbour {
            position_m: [1.0, 0.0],
            sigma_m: 0.2,
            intention_m: &path,
        };
        let known = WorldNeighbour::new(Pose2::IDENTITY, &seen).unwrap();
        assert!(known.intention.len() <= INTENTION_MAX + 1);
        let nowhere = SeenNeighbour {
            position_m: [0.0, f64::INFINITY],
            ..seen
        };
        assert!(WorldNeighbour::new(Pose2::IDENTITY, &nowhere).is_none());
    }
}
