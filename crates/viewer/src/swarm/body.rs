//! Robots' bodies, coloured by what they are doing.

use rerun::components::FillMode;
use rerun::{Cylinders3D, LineStrips3D, Points3D, Radius};

use super::height;
use super::mode::RobotState;
use crate::color;
use crate::scan::at_height;

/// A body to draw: where and how large, in metres.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) state: &'a RobotState,
    pub(super) radius_m: f64,
}

/// Robots beyond this many are not named: names would hide them.
const NAMED_MAX: usize = 16;

/// Bodies as upright cylinders.
pub(super) fn bodies(bodies: &[Body<'_>]) -> Cylinders3D {
    let centers = bodies.iter().map(|body| {
        let pose = body.state.world_from_base;
        at_height([pose.x_m, pose.y_m], 0.5 * height::BODY)
    });
    Cylinders3D::from_lengths_and_radii(
        bodies.iter().map(|_| height::BODY),
        bodies.iter().map(|body| body.radius_m as f32),
    )
    .with_centers(centers)
    .with_colors(bodies.iter().map(|body| body.state.mode.color()))
    .with_fill_mode(FillMode::Solid)
}

/// A line on top of each body, from its centre forward.
pub(super) fn headings(bodies: &[Body<'_>]) -> LineStrips3D {
    let strips = bodies.iter().map(|body| {
        [-0.1, 1.05].map(|ahead| {
            let point = [ahead * body.radius_m, 0.0];
            let point = body.state.world_from_base.transform(point);
            at_height(point, height::BODY + 0.02)
        })
    });
    LineStrips3D::new(strips)
        .with_colors([color::BACKGROUND])
        .with_radii([Radius::new_ui_points(2.2)])
}

/// Names beside the bodies, where they can be read.
pub(super) fn names(bodies: &[Body<'_>]) -> Points3D {
    let places = bodies.iter().map(|body| {
        let pose = body.state.world_from_base;
        at_height([pose.x_m, pose.y_m + body.radius_m + 0.25], height::BODY)
    });
    Points3D::new(places)
        .with_labels(bodies.iter().map(|body| body.state.name.as_str()))
        .with_show_labels(bodies.len() <= NAMED_MAX)
        .with_colors([color::SENSED])
        .with_radii([Radius::new_ui_points(0.0)])
}
