//! Scans as points, what moves in another colour than what stands.

use rerun::{Points3D, Radius};
use sedge_spacetime::Pose2;
use sedge_world_model::LidarScan;

use super::height;
use crate::color;
use crate::scan::{at_height, ends};

/// The points of a scan in the world, and which of them move.
#[derive(Debug, Default)]
pub(super) struct ScanPoints {
    points_m: Vec<[f32; 3]>,
    moving: Vec<bool>,
}

impl ScanPoints {
    /// Every so manyth beam, so that there are at most `points_max`.
    pub(super) fn new(
        world_from_scanner: Pose2,
        scan: &LidarScan,
        moving: Option<&[bool]>,
        points_max: usize,
    ) -> Self {
        let every = scan.ranges_m.len().div_ceil(points_max.max(1)).max(1);
        let drawn = ends(world_from_scanner, scan)
            .filter(|(beam_idx, end)| beam_idx % every == 0 && end.iter().all(|x| x.is_finite()));
        let is_moving = |beam_idx: usize| {
            moving.is_some_and(|moving| moving.get(beam_idx).copied().unwrap_or(false))
        };
        let (points_m, moving) = drawn
            .map(|(beam_idx, end)| (at_height(end, height::SCAN), is_moving(beam_idx)))
            .unzip();
        Self { points_m, moving }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points_m.is_empty()
    }
}

/// Any number of scans as one batch of points.
pub(super) fn points<'a>(scans: impl Iterator<Item = &'a ScanPoints>) -> Points3D {
    let (mut positions, mut colors) = (Vec::new(), Vec::new());
    for scan in scans {
        positions.extend_from_slice(&scan.points_m);
        colors.extend(scan.moving.iter().map(|moving| match moving {
            true => color::MOVING,
            false => color::STANDING,
        }));
    }
    Points3D::new(positions)
        .with_colors(colors)
        .with_radii([Radius::new_ui_points(2.0)])
}

#[cfg(test)]
mod tests {
    use sedge_world_model::ScanGeometry;

    use super::*;

    fn scan(ranges_m: Vec<f32>) -> LidarScan {
        LidarScan {
            geometry: ScanGeometry {
                first_angle_rad: 0.0,
                step_rad: 0.01,
                n_beams: ranges_m.len(),
            },
            ranges_m: ranges_m.into(),
        }
    }

    #[test]
    fn scans_are_thinned_to_the_points_allowed() {
        for (points_max, n_points) in [(1000, 360), (360, 360), (100, 90), (0, 1)] {
            let points = ScanPoints::new(Pose2::IDENTITY, &scan(vec![2.0; 360]), None, points_max);
            assert_eq!(points.points_m.len(), n_points, "{points_max}");
        }
    }

    #[test]
    fn beams_without_a_flag_stand_and_beams_without_an_end_are_left_out() {
        let scan = scan(vec![2.0, f32::NAN, 3.0, 100.0, 4.0]);
        let points = ScanPoints::new(Pose2::IDENTITY, &scan, Some(&[true, true]), 99);
        assert_eq!(points.moving, [true, false, false]);
        let lost = Pose2::new(f64::MAX, f64::NAN, 0.0);
        assert!(ScanPoints::new(lost, &scan, None, 99).is_empty());
    }
}
