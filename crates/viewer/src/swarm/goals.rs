//! Where robots are to go.

use rerun::{LineStrips3D, Radius};

use super::height;
use super::scene::{SceneRobot, is_near};
use crate::color;
use crate::scan::at_height;

/// Corners of a ring.
const N_CORNERS: u32 = 32;

/// A ring at each robot's last goal, as large as the robot.
pub(super) fn rings(robots: &[SceneRobot]) -> LineStrips3D {
    let goals = robots.iter().filter_map(|robot| {
        let goal = robot.goals_m.last().copied()?;
        is_near(goal).then_some((goal, robot.radius_m))
    });
    let rings = goals.flat_map(|(goal, radius_m)| {
        [1.1, 0.35].map(|share| {
            let corner = |corner: u32| {
                let angle = std::f64::consts::TAU * f64::from(corner) / f64::from(N_CORNERS);
                let (sin, cos) = angle.sin_cos();
                let radius_m = share * radius_m;
                let point = [goal[0] + radius_m * cos, goal[1] + radius_m * sin];
                at_height(point, height::GOAL)
            };
            (0..=N_CORNERS).map(corner).collect::<Vec<_>>()
        })
    });
    LineStrips3D::new(rings)
        .with_colors([color::GOAL])
        .with_radii([Radius::new_ui_points(1.2)])
}
