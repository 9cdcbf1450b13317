//! What stands.

use rerun::components::FillMode;
use rerun::{Boxes3D, RotationAxisAngle};

use super::scene::WallBox;
use crate::color;

/// Walls that are drawn.
pub(super) const WALLS_MAX: usize = 4096;
/// Walls are drawn no higher than this, so that nobody hides behind them, in metres.
const HEIGHT_MAX_M: f64 = 0.6;

/// Walls as boxes.
pub(super) fn boxes(walls: &[WallBox]) -> Boxes3D {
    let drawn: Vec<_> = walls
        .iter()
        .filter(|wall| wall.is_drawable())
        .take(WALLS_MAX)
        .collect();
    let height_m = |wall: &WallBox| wall.height_m.min(HEIGHT_MAX_M) as f32;
    let centers = drawn.iter().map(|wall| {
        let [x_m, y_m] = wall.center_m.map(|x| x as f32);
        [x_m, y_m, 0.5 * height_m(wall)]
    });
    let sizes = drawn.iter().map(|wall| {
        let [x_m, y_m] = wall.size_m.map(|x| x as f32);
        [x_m, y_m, height_m(wall)]
    });
    let turns = drawn.iter().map(|wall| {
        let yaw = rerun::Angle::from_radians(wall.yaw_rad as f32);
        RotationAxisAngle::new([0.0, 0.0, 1.0], yaw)
    });
    Boxes3D::from_centers_and_sizes(centers, sizes)
        .with_rotation_axis_angles(turns.map(Into::<rerun::components::RotationAxisAngle>::into))
        .with_colors([color::WALL])
        .with_fill_mode(FillMode::Solid)
}
