//! A predicted scan as points, the surer the brighter, with its doubt as radial strips.

use rerun::{LineStrips3D, Points3D, Radius};
use sedge_spacetime::Pose2;
use sedge_world_model::{PredictedScan, ScanGeometry};

use crate::color::{self, Rgb};
use crate::drawing::PosedPrediction;
use crate::scan;

/// Drawn above what was sensed, in metres.
const POINTS_HEIGHT_M: f32 = 0.06;
/// Drawn below what was sensed, in metres.
const DOUBT_HEIGHT_M: f32 = 0.01;
/// A beam whose 5 % to 95 % span is this wide is half sure, in metres.
const HALF_SURE_SPAN_M: f32 = 0.5;
/// What hardly returns is not drawn at all: the mode of a beam that will see nothing is no wall.
const HIT_PROBABILITY_MIN: f32 = 0.3;
/// Spans narrower than this are hidden by the points, in metres.
const SPAN_DRAWN_MIN_M: f32 = 0.04;
/// Strips a prediction may have; more would be a solid area.
const STRIPS_MAX: usize = 120;

/// One beam worth drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Beam {
    pub(crate) idx: usize,
    pub(crate) mode_m: f32,
    low_m: f32,
    high_m: f32,
    hit_probability: f32,
}

impl Beam {
    /// From 0, no idea, to 1, no doubt.
    fn certainty(self) -> f32 {
        let span_m = (self.high_m - self.low_m).max(0.0);
        self.hit_probability / (1.0 + span_m / HALF_SURE_SPAN_M)
    }
}

/// The beams that are expected to return, of a prediction that may be malformed.
pub(crate) fn beams(scan: &PredictedScan) -> impl Iterator<Item = Beam> {
    let spans = scan.low_m.iter().zip(&scan.high_m);
    let beams = scan
        .mode_m
        .iter()
        .zip(spans)
        .zip(&scan.hit_probability)
        .enumerate();
    let beams = beams.map(|(idx, ((mode_m, (low_m, high_m)), hit_probability))| Beam {
        idx,
        mode_m: *mode_m,
        low_m: *low_m,
        high_m: *high_m,
        hit_probability: *hit_probability,
    });
    beams.filter(|beam| {
        let finite = beam.mode_m.is_finite() && beam.low_m.is_finite() && beam.high_m.is_finite();
        finite && beam.hit_probability >= HIT_PROBABILITY_MIN
    })
}

/// The most probable ranges, in the world.
pub(crate) fn points(posed: &PosedPrediction) -> Points3D {
    let hue = color::of_horizon(posed.horizon);
    let (positions, colors) =
        colored_points(posed.world_from_scanner, &posed.scan, &posed.geometry, hue);
    Points3D::new(positions)
        .with_colors(colors)
        .with_radii([Radius::new_ui_points(1.7)])
}

/// Points of the most probable ranges in some frame, dimmed by doubt.
pub(crate) fn colored_points(
    frame_from_scanner: Pose2,
    scan: &PredictedScan,
    geometry: &ScanGeometry,
    hue: Rgb,
) -> (Vec<[f32; 3]>, Vec<Rgb>) {
    beams(scan)
        .map(|beam| {
            let end = scan::end(frame_from_scanner, geometry, beam.idx, beam.mode_m);
            let dimmed = color::mix(color::BACKGROUND, hue, 0.2 + 0.8 * beam.certainty());
            (scan::at_height(end, POINTS_HEIGHT_M), dimmed)
        })
        .unzip()
}

/// The 5 % to 95 % span of every beam that is in doubt, as a strip along the beam, in the world.
pub(crate) fn uncertainty(posed: &PosedPrediction) -> LineStrips3D {
    let every = posed.scan.mode_m.len().div_ceil(STRIPS_MAX).max(1);
    let drawn = beams(&posed.scan)
        .filter(|beam| beam.idx % every == 0 && beam.high_m - beam.low_m > SPAN_DRAWN_MIN_M);
    let strips = drawn.map(|beam| {
        [beam.low_m, beam.high_m].map(|range_m| {
            let end = scan::end(posed.world_from_scanner, &posed.geometry, beam.idx, range_m);
            scan::at_height(end, DOUBT_HEIGHT_M)
        })
    });
    let faint = color::mix(color::BACKGROUND, color::of_horizon(posed.horizon), 0.4);
    LineStrips3D::new(strips)
        .with_colors([faint])
        .with_radii([Radius::new_ui_points(0.7)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beams_that_hardly_return_and_numbers_that_are_none_are_left_out() {
        let mut scan = PredictedScan::certain([1.0, 2.0, 3.0, 4.0]);
        scan.hit_probability[1] = 0.1;
        scan.mode_m[2] = f32::NAN;
        assert_eq!(
            beams(&scan).map(|beam| beam.idx).collect::<Vec<_>>(),
            [0, 3]
        );
    }

    #[test]
    fn a_malformed_prediction_draws_what_it_has() {
        let mut scan = PredictedScan::certain([1.0, 2.0, 3.0]);
        scan.high_m.truncate(1);
        assert_eq!(beams(&scan).count(), 1);
        scan.hit_probability.clear();
        assert_eq!(beams(&scan).count(), 0);
    }

    #[test]
    fn doubt_dims() {
        let beam = |low_m, high_m, hit_probability| Beam {
            idx: 0,
            mode_m: 2.0,
            low_m,
            high_m,
            hit_probability,
        };
        let sure = beam(2.0, 2.0, 1.0).certainty();
        assert!((sure - 1.0).abs() < 1e-6);
        assert!(beam(1.0, 3.0, 1.0).certainty() < 0.5 * sure);
        assert!(beam(2.0, 2.0, 0.5).certainty() < sure);
    }
}
