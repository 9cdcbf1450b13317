//! A prediction beside the scan that came: the future, graded before one's eyes.

use rerun::{LineStrips3D, Points3D, Radius};
use sedge_spacetime::Pose2;

use crate::color::{self, Rgb};
use crate::drawing::ArrivedScan;
use crate::{prediction, scan};

/// Drawn below both scans, in metres.
const ERROR_HEIGHT_M: f32 = 0.01;
/// Above the errors, below the prediction, in metres.
const CAME_HEIGHT_M: f32 = 0.03;
/// Errors smaller than this are hidden by the points, in metres.
const ERROR_DRAWN_MIN_M: f32 = 0.02;

/// What was predicted, in the scanner's frame.
pub(crate) fn predicted(arrived: &ArrivedScan) -> Points3D {
    let hue = color::of_horizon(arrived.horizon);
    let geometry = &arrived.came.geometry;
    let (positions, colors) =
        prediction::colored_points(Pose2::IDENTITY, &arrived.predicted, geometry, hue);
    Points3D::new(positions)
        .with_colors(colors)
        .with_radii([Radius::new_ui_points(1.3)])
}

/// What came, in the scanner's frame.
pub(crate) fn came(arrived: &ArrivedScan) -> Points3D {
    let ends = scan::ends(Pose2::IDENTITY, &arrived.came);
    Points3D::new(ends.map(|(_, end)| scan::at_height(end, CAME_HEIGHT_M)))
        .with_colors([color::SENSED])
        .with_radii([Radius::new_ui_points(2.2)])
}

/// From what was predicted to what came, along each beam that both have, coloured by length.
pub(crate) fn error(arrived: &ArrivedScan) -> LineStrips3D {
    let (strips, colors): (Vec<_>, Vec<_>) = errors(arrived)
        .into_iter()
        .filter(|(_, from_m, to_m)| (to_m - from_m).abs() > ERROR_DRAWN_MIN_M)
        .map(|(beam_idx, from_m, to_m)| {
            let strip = [from_m, to_m].map(|range_m| {
                let geometry = &arrived.came.geometry;
                let end = scan::end(Pose2::IDENTITY, geometry, beam_idx, range_m);
                scan::at_height(end, ERROR_HEIGHT_M)
            });
            (strip, error_color(from_m, to_m))
        })
        .unzip();
    LineStrips3D::new(strips)
        .with_colors(colors)
        .with_radii([Radius::new_ui_points(1.0)])
}

fn error_color(from_m: f32, to_m: f32) -> Rgb {
    color::mix(
        color::BACKGROUND,
        color::of_error((to_m - from_m).abs()),
        0.8,
    )
}

/// Beam, predicted range and real range, for the beams that have both.
fn errors(arrived: &ArrivedScan) -> Vec<(usize, f32, f32)> {
    let came = &arrived.came;
    let both = prediction::beams(&arrived.predicted)
        .filter(|beam| beam.idx < came.ranges_m.len() && came.is_valid(beam.idx));
    both.map(|beam| (beam.idx, beam.mode_m, came.ranges_m[beam.idx]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sedge_world_model::{LidarScan, PredictedScan, ScanGeometry};

    use super::*;

    #[test]
    fn errors_join_the_beams_that_both_scans_have() {
        let arrived = ArrivedScan {
            horizon: Duration::from_secs(1),
            predicted: PredictedScan::certain([1.0, 2.0, 3.0, 4.0]),
            came: LidarScan {
                geometry: ScanGeometry {
                    first_angle_rad: 0.0,
                    step_rad: 0.1,
                    n_beams: 3,
                },
                ranges_m: [1.5, 81.9, 3.0].into(),
            },
        };
        assert_eq!(errors(&arrived), [(0, 1.0, 1.5), (2, 3.0, 3.0)]);
    }
}
