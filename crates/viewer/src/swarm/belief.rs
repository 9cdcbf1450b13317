//! Where a robot believes it is: an outline, and the ellipse that holds it.

use rerun::{LineStrips3D, Radius};

use super::height;
use crate::color;
use crate::drawing::PosedRobot;
use crate::scan::at_height;
use crate::trajectory::ellipse_corners;

/// The ellipse that holds the robot with 95 % probability, and a cross at its centre.
pub(super) fn ellipse(belief: &PosedRobot) -> LineStrips3D {
    const ARM_M: f64 = 0.12;
    let at = |point: [f64; 2]| at_height(belief.world_from_base.transform(point), height::BELIEF);
    let around: Vec<_> = ellipse_corners(&belief.covariance).map(at).collect();
    let along = vec![at([-ARM_M, 0.0]), at([2.0 * ARM_M, 0.0])];
    let across = vec![at([0.0, -ARM_M]), at([0.0, ARM_M])];
    LineStrips3D::new([around, along, across])
        .with_colors([color::SENSED])
        .with_radii([Radius::new_ui_points(1.0)])
}
