//! A measured scan as points.

use rerun::{Points3D, Radius};
use sedge_spacetime::Pose2;
use sedge_world_model::{LidarScan, ScanGeometry};

use crate::color;
use crate::drawing::PosedScan;

/// Drawn above the grid and the trajectory, in metres.
const HEIGHT_M: f32 = 0.02;

/// The points of a scan, in the world.
pub(crate) fn points(posed: &PosedScan) -> Points3D {
    let frame = posed.world_from_scanner;
    Points3D::new(ends(frame, &posed.scan).map(|(_, end)| at_height(end, HEIGHT_M)))
        .with_colors([color::SENSED])
        .with_radii([Radius::new_ui_points(2.6)])
}

/// Where the beams that measured something end, with their indexes.
pub(crate) fn ends(
    frame_from_scanner: Pose2,
    scan: &LidarScan,
) -> impl Iterator<Item = (usize, [f64; 2])> {
    let valid = (0..scan.ranges_m.len()).filter(|beam_idx| scan.is_valid(*beam_idx));
    valid.map(move |beam_idx| {
        let range_m = scan.ranges_m[beam_idx];
        (
            beam_idx,
            end(frame_from_scanner, &scan.geometry, beam_idx, range_m),
        )
    })
}

/// Where one beam ends.
pub(crate) fn end(
    frame_from_scanner: Pose2,
    geometry: &ScanGeometry,
    beam_idx: usize,
    range_m: f32,
) -> [f64; 2] {
    let (sin, cos) = geometry.angle_rad(beam_idx).sin_cos();
    let range_m = f64::from(range_m);
    frame_from_scanner.transform([range_m * cos, range_m * sin])
}

/// A point of the plane, lifted so that what matters more lies on top.
pub(crate) fn at_height(point: [f64; 2], height_m: f32) -> [f32; 3] {
    [point[0] as f32, point[1] as f32, height_m]
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use super::*;

    #[test]
    fn beams_end_where_the_pose_puts_them_and_codes_for_no_return_are_left_out() {
        let scan = LidarScan {
            geometry: ScanGeometry {
                first_angle_rad: -FRAC_PI_2,
                step_rad: FRAC_PI_2,
                n_beams: 3,
            },
            ranges_m: [1.0, f32::NAN, 2.0, 81.9].into(),
        };
        let ends: Vec<_> = ends(Pose2::new(10.0, 0.0, FRAC_PI_2), &scan).collect();
        let expected = [(0, [11.0, 0.0]), (2, [8.0, 0.0])];
        assert_eq!(ends.len(), expected.len());
        for ((beam_idx, end), (expected_idx, expected_end)) in ends.iter().zip(expected) {
            assert_eq!(*beam_idx, expected_idx);
            assert!((end[0] - expected_end[0]).abs() < 1e-9, "{end:?}");
            assert!((end[1] - expected_end[1]).abs() < 1e-9, "{end:?}");
        }
    }
}
