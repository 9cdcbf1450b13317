//! A robot: its outline, how sure it is of where it is, and the way it came.

use rerun::{LineStrips3D, Points3D, Radius};
use sedge_spacetime::{Covariance2, Pose2, Stamp};

use crate::blueprint::WORLD_CAMERA_HEIGHT_M;
use crate::color::{self, Rgb};
use crate::drawing::PosedRobot;
use crate::scan::at_height;

/// Drawn above everything, in metres.
const ROBOT_HEIGHT_M: f32 = 0.10;
/// Drawn below everything, in metres.
const TRAJECTORY_HEIGHT_M: f32 = 0.005;
/// Half the width of what the camera follows, in metres: found by comparing pictures.
const FOLLOWED_HALF_M: f32 = 0.236 * WORLD_CAMERA_HEIGHT_M;
/// An arrow head that points forward, in the robot's frame, in metres.
const OUTLINE_M: [[f64; 2]; 5] = [
    [0.32, 0.0],
    [-0.22, 0.2],
    [-0.12, 0.0],
    [-0.22, -0.2],
    [0.32, 0.0],
];
/// Standard deviations that hold 95 % of a planar Gaussian: `sqrt(-2 ln 0.05)`.
const SIGMAS_95: f64 = 2.447_746_830_680_816;
/// Corners of the ellipse.
const N_CORNERS: u32 = 32;
/// A new piece of trajectory is drawn after this much movement, in metres.
const PIECE_M: f64 = 0.05;

/// An outline somewhere, in some colour, with a name.
pub(crate) fn ghost(frame_from_base: Pose2, hue: Rgb, name: &str) -> LineStrips3D {
    let corner = |point: [f64; 2]| at_height(frame_from_base.transform(point), ROBOT_HEIGHT_M);
    LineStrips3D::new([OUTLINE_M.map(corner)])
        .with_colors([hue])
        .with_radii([Radius::new_ui_points(0.9)])
        .with_labels([name])
}

/// The scanner's place in views of its own frame.
pub(crate) fn origin() -> LineStrips3D {
    let hue = color::mix(color::BACKGROUND, color::ROBOT, 0.8);
    ghost(Pose2::IDENTITY, hue, "").with_show_labels(false)
}

/// The robot's outline.
pub(crate) fn outline(robot: &PosedRobot, name: &str) -> LineStrips3D {
    let corner =
        |point: [f64; 2]| at_height(robot.world_from_base.transform(point), ROBOT_HEIGHT_M);
    LineStrips3D::new([OUTLINE_M.map(corner)])
        .with_colors([color::ROBOT])
        .with_radii([Radius::new_ui_points(1.8)])
        .with_labels([name])
}

/// The ellipse that holds the robot with 95 % probability.
pub(crate) fn ellipse(robot: &PosedRobot) -> LineStrips3D {
    let corners = ellipse_corners(&robot.covariance)
        .map(|corner| at_height(robot.world_from_base.transform(corner), ROBOT_HEIGHT_M));
    LineStrips3D::new([corners.collect::<Vec<_>>()])
        .with_colors([color::ROBOT])
        .with_radii([Radius::new_ui_points(0.8)])
}

/// Corners of the ellipse in the robot's frame: a circle pushed through the Cholesky factor of the
/// planar part.
pub(crate) fn ellipse_corners(covariance: &Covariance2) -> impl Iterator<Item = [f64; 2]> {
    let matrix = covariance.matrix();
    let (xx, xy, yy) = (matrix[(0, 0)], matrix[(0, 1)], matrix[(1, 1)]);
    let l11 = xx.max(0.0).sqrt();
    let l21 = if l11 > 0.0 { xy / l11 } else { 0.0 };
    let l22 = (yy - l21 * l21).max(0.0).sqrt();
    (0..=N_CORNERS).map(move |corner| {
        let (sin, cos) =
            (std::f64::consts::TAU * f64::from(corner) / f64::from(N_CORNERS)).sin_cos();
        [SIGMAS_95 * l11 * cos, SIGMAS_95 * (l21 * cos + l22 * sin)]
    })
}

/// Invisible points around the robot, which the camera follows.
///
/// When a viewer starts to follow something it steps back until all of that fits the view, or stays
/// at the height it was given, depending on which of its parts is loaded first. This extent makes
/// both come out alike.
pub(crate) fn followed(robot: &PosedRobot) -> Points3D {
    around(robot.world_from_base)
}

/// The same around a pose.
pub(crate) fn around(world_from_base: Pose2) -> Points3D {
    let at = at_height([world_from_base.x_m, world_from_base.y_m], 0.0);
    let corner = |half: f32| [at[0] + half, at[1] + half, 0.0];
    Points3D::new([corner(-FOLLOWED_HALF_M), corner(FOLLOWED_HALF_M)])
        .with_radii([Radius::new_ui_points(0.0)])
}

/// The newest end of a trajectory.
///
/// Only the new piece is logged each time, and the screen shows all pieces up to the time cursor:
/// a run of n poses costs n pieces, not n lines of up to n points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trail {
    stamp: Stamp,
    end: Pose2,
}

impl Trail {
    /// A trail that begins here.
    pub(crate) fn new(stamp: Stamp, begin: Pose2) -> Self {
        Self { stamp, end: begin }
    }

    /// The piece from the last end to here, when it is long enough to see. Time that runs
    /// backwards begins a new trail.
    pub(crate) fn extend(&mut self, stamp: Stamp, to: Pose2) -> Option<LineStrips3D> {
        if stamp < self.stamp {
            *self = Self::new(stamp, to);
            return None;
        }
        self.stamp = stamp;
        if self.end.between(to).distance_m() < PIECE_M {
            return None;
        }
        let piece = [self.end, to].map(|pose| at_height([pose.x_m, pose.y_m], TRAJECTORY_HEIGHT_M));
        self.end = to;
        Some(
            LineStrips3D::new([piece])
                .with_colors([color::TRAJECTORY])
                .with_radii([Radius::new_ui_points(1.5)]),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ellipse_of_independent_directions_has_their_half_axes() {
        let corners: Vec<_> = ellipse_corners(&Covariance2::from_sigmas([0.1, 0.3, 0.0])).collect();
        let reach = |axis: usize| corners.iter().map(|c| c[axis].abs()).fold(0.0, f64::max);
        assert!((reach(0) - 0.1 * SIGMAS_95).abs() < 1e-9);
        assert!((reach(1) - 0.3 * SIGMAS_95).abs() < 1e-9);
        assert!((SIGMAS_95 - (-2.0 * 0.05_f64.ln()).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn complete_certainty_is_a_point() {
        assert!(ellipse_corners(&Covariance2::zero()).all(|corner| corner == [0.0, 0.0]));
    }

    #[test]
    fn a_trail_grows_by_pieces_and_starts_anew_when_time_runs_backwards() {
        let at = |secs: i64| Stamp::from_nanos(secs * 1_000_000_000);
        let x = |x_m| Pose2::new(x_m, 0.0, 0.0);
        let mut trail = Trail::new(at(0), x(0.0));
        assert!(trail.extend(at(1), x(0.04)).is_none(), "too short to see");
        assert!(trail.extend(at(2), x(0.08)).is_some(), "short moves add up");
        assert!(trail.extend(at(1), x(9.0)).is_none(), "time ran backwards");
        assert!(trail.extend(at(2), x(9.1)).is_some());
    }
}
