//! Those who walk.

use rerun::Capsules3D;
use rerun::components::FillMode;
use sedge_spacetime::Pose2;

use super::scene::SceneWalker;
use crate::color;

/// How tall they are drawn, in metres: as tall as people, they would hide what is behind them.
const TALL_M: f32 = 0.9;
/// The radius of one who joined without being announced, in metres.
const USUAL_RADIUS_M: f64 = 0.3;

/// Walkers as upright capsules.
pub(super) fn capsules(walkers: &[Option<Pose2>], scene: &[SceneWalker]) -> Capsules3D {
    let radius_m = |idx: usize| {
        let radius_m = scene.get(idx).map_or(USUAL_RADIUS_M, |w| w.radius_m);
        radius_m.clamp(0.05, 2.0) as f32
    };
    let there = walkers.iter().enumerate();
    let there: Vec<_> = there
        .filter_map(|(idx, pose)| Some((radius_m(idx), (*pose)?)))
        .collect();
    let length_m = |radius_m: f32| (TALL_M - 2.0 * radius_m).max(0.1);
    Capsules3D::from_lengths_and_radii(
        there.iter().map(|(radius_m, _)| length_m(*radius_m)),
        there.iter().map(|(radius_m, _)| *radius_m),
    )
    .with_translations(
        there
            .iter()
            .map(|(radius_m, pose)| [pose.x_m as f32, pose.y_m as f32, *radius_m]),
    )
    .with_colors([color::WALKER])
    .with_fill_mode(FillMode::Solid)
}
