//! A robot's imagined futures as a fan, the plan it chose, and how sure it is of it.

use std::time::Duration;

use rerun::{LineStrips3D, Radius};
use sedge_spacetime::{Covariance2, Pose2};

use super::{costs, height};
use crate::color;
use crate::scan::at_height;
use crate::trajectory::ellipse_corners;

/// Corners of one line; more would not be seen.
const LINE_POINTS_MAX: usize = 10;
/// Horizons whose uncertainty is drawn.
const HORIZONS_MAX: usize = 4;
/// A robot that may have fewer lines than this has one horizon, its nearest, of that uncertainty.
const CROWDED_LINES: usize = 8;
/// Poses of a chosen plan that are drawn.
const CHOSEN_MAX: usize = 24;

/// What a planner imagined and chose.
///
/// # Units and frames
/// Metres in the robot's frame at the time of the drawing.
#[derive(Debug, Clone, Copy)]
pub struct ImaginedPlan<'a> {
    /// Futures it weighed.
    pub fan: &'a [FanLine<'a>],
    /// The one it chose, pose by pose.
    pub chosen: &'a [Pose2],
    /// How sure it is of where that leads.
    pub horizons: &'a [PlanHorizon],
}

/// One imagined future.
#[derive(Debug, Clone, Copy)]
pub struct FanLine<'a> {
    /// Where it leads, in metres in the robot's frame.
    pub points_m: &'a [[f32; 2]],
    /// What it would cost; only the order within a fan is drawn.
    pub cost: f32,
}

/// Where the chosen plan is expected to lead by some time.
#[derive(Debug, Clone, Copy)]
pub struct PlanHorizon {
    /// How far ahead.
    pub after: Duration,
    /// The pose then, in the robot's frame now.
    pub base_from_then: Pose2,
    /// Its covariance, in the robot's frame then.
    pub covariance: Covariance2,
}

/// A line of a fan in the world, and its rank from 0, the best, to 1, the worst.
#[derive(Debug, Clone, PartialEq)]
struct RankedLine {
    points_m: Vec<[f32; 3]>,
    rank: f32,
}

/// A plan in the world, with no more in it than is drawn.
#[derive(Debug, Default)]
pub(super) struct WorldPlan {
    /// From the worst to the best, which so lies on top.
    fan: Vec<RankedLine>,
    chosen: Vec<[f32; 3]>,
    doubts: Vec<(Duration, Vec<[f32; 3]>)>,
    /// Lines and horizons that cannot be drawn.
    pub(super) n_skipped: u64,
}

impl WorldPlan {
    pub(super) fn new(world_from_base: Pose2, plan: &ImaginedPlan<'_>, lines_max: usize) -> Self {
        let is_drawable = |line: &&FanLine<'_>| {
            let mut numbers = line.points_m.iter().flatten();
            !line.cost.is_nan() && line.points_m.len() > 1 && numbers.all(|x| x.is_finite())
        };
        let mut lines: Vec<_> = plan.fan.iter().filter(is_drawable).collect();
        lines.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        let poses = plan.chosen.iter().filter(|pose| pose.is_finite());
        let every = plan.chosen.len().div_ceil(CHOSEN_MAX).max(1);
        let chosen: Vec<_> = poses
            .step_by(every)
            .map(|pose| {
                let point = world_from_base.transform([pose.x_m, pose.y_m]);
                at_height(point, height::PLAN)
            })
            .collect();
        let doubts: Vec<_> = plan
            .horizons
            .iter()
            .filter(|horizon| is_finite(horizon))
            .take(if lines_max < CROWDED_LINES {
                1
            } else {
                HORIZONS_MAX
            })
            .map(|horizon| (horizon.after, ellipse(world_from_base, horizon)))
            .collect();
        let n_lost = plan.fan.len() - lines.len();
        let n_nowhere = plan.chosen.iter().filter(|pose| !pose.is_finite()).count();
        let n_unsaid = plan.horizons.iter().filter(|h| !is_finite(h)).count();
        Self {
            fan: ranked(world_from_base, &lines, lines_max),
            chosen,
            doubts,
            n_skipped: (n_lost + n_nowhere + n_unsaid) as u64,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fan.is_empty() && self.chosen.is_empty() && self.doubts.is_empty()
    }
}

/// Some of the lines, evenly over their ranks and with the best among them.
fn ranked(world_from_base: Pose2, sorted: &[&FanLine<'_>], lines_max: usize) -> Vec<RankedLine> {
    let n_drawn = sorted.len().min(lines_max);
    let nth = |nth: usize| {
        let idx = nth * sorted.len() / n_drawn;
        let line = sorted[idx];
        let every = line.points_m.len().div_ceil(LINE_POINTS_MAX);
        let kept = line.points_m.iter().enumerate();
        let kept = kept.filter(|(i, _)| i % every == 0 || i + 1 == line.points_m.len());
        let points_m = kept.map(|(_, [x_m, y_m])| {
            let point = world_from_base.transform([f64::from(*x_m), f64::from(*y_m)]);
            let rank = idx as f32 / sorted.len() as f32;
            at_height(point, height::FAN + 0.02 * (1.0 - rank))
        });
        RankedLine {
            points_m: points_m.collect(),
            rank: idx as f32 / (sorted.len() - 1).max(1) as f32,
        }
    };
    (0..n_drawn).rev().map(nth).collect()
}

fn is_finite(horizon: &PlanHorizon) -> bool {
    let matrix = horizon.covariance.matrix();
    horizon.base_from_then.is_finite() && matrix.iter().all(|x| x.is_finite())
}

fn ellipse(world_from_base: Pose2, horizon: &PlanHorizon) -> Vec<[f32; 3]> {
    let world_from_then = world_from_base * horizon.base_from_then;
    ellipse_corners(&horizon.covariance)
        .step_by(2)
        .map(|corner| at_height(world_from_then.transform(corner), height::DOUBT))
        .collect()
}

/// Any number of fans as one batch of lines.
pub(super) fn fans<'a>(plans: impl Iterator<Item = &'a WorldPlan>) -> LineStrips3D {
    let (strips, colors): (Vec<_>, Vec<_>) = plans
        .flat_map(|plan| &plan.fan)
        .map(|line| (line.points_m.clone(), costs::color(line.rank)))
        .unzip();
    LineStrips3D::new(strips)
        .with_colors(colors)
        .with_radii([Radius::new_ui_points(0.6)])
}

/// Any number of chosen plans as one batch of lines.
pub(super) fn chosen<'a>(plans: impl Iterator<Item = &'a WorldPlan>) -> LineStrips3D {
    let drawn = plans.filter(|plan| plan.chosen.len() > 1);
    LineStrips3D::new(drawn.map(|plan| plan.chosen.clone()))
        .with_colors([color::CHOSEN])
        .with_radii([Radius::new_ui_points(1.6)])
}

/// The ellipses that hold the robot with 95 % probability, horizon by horizon.
pub(super) fn doubts<'a>(plans: impl Iterator<Item = &'a WorldPlan>) -> LineStrips3D {
    let (strips, colors): (Vec<_>, Vec<_>) = plans
        .flat_map(|plan| &plan.doubts)
        .map(|(after, corners)| {
            let faint = color::mix(color::BACKGROUND, color::of_horizon(*after), 0.8);
            (corners.clone(), faint)
        })
        .unzip();
    LineStrips3D::new(strips)
        .with_colors(colors)
        .with_radii([Radius::new_ui_points(0.8)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: [[f32; 2]; 3] = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.5]];

    fn plan_of(costs: &[f32], lines_max: usize) -> WorldPlan {
        let fan: Vec<_> = costs
            .iter()
            .map(|cost| FanLine {
                points_m: &LINE,
                cost: *cost,
            })
            .collect();
        let plan = ImaginedPlan {
            fan: &fan,
            chosen: &[],
            horizons: &[],
        };
        WorldPlan::new(Pose2::IDENTITY, &plan, lines_max)
    }

    fn ranks(plan: &WorldPlan) -> Vec<f32> {
        plan.fan.iter().map(|line| line.rank).collect()
    }

    #[test]
    fn the_best_is_drawn_last_and_never_thinned_away() {
        assert_eq!(ranks(&plan_of(&[3.0, 1.0, 2.0], 9)), [1.0, 0.5, 0.0]);
        for lines_max in 1..9 {
            let costs: Vec<f32> = (0..50).map(|i| (i * 37 % 50) as f32).collect();
            let plan = plan_of(&costs, lines_max);
            assert_eq!(plan.fan.len(), lines_max);
            assert_eq!(ranks(&plan).last(), Some(&0.0));
        }
    }

    #[test]
    fn what_is_no_line_is_counted() {
        let plan = plan_of(&[f32::NAN, 1.0, f32::INFINITY], 9);
        assert_eq!((plan.fan.len(), plan.n_skipped), (2, 1));
        assert!(plan_of(&[], 9).is_empty());
        assert!(plan_of(&[1.0], 0).is_empty());
    }

    #[test]
    fn long_lines_are_thinned_and_keep_their_end() {
        let points: Vec<[f32; 2]> = (0..1000).map(|i| [i as f32, 0.0]).collect();
        let fan = [FanLine {
            points_m: &points,
            cost: 1.0,
        }];
        let plan = ImaginedPlan {
            fan: &fan,
            chosen: &[],
            horizons: &[],
        };
        let plan = WorldPlan::new(Pose2::IDENTITY, &plan, 1);
        let drawn = &plan.fan[0].points_m;
        assert!(drawn.len() <= LINE_POINTS_MAX + 1);
        assert!((drawn[drawn.len() - 1][0] - 999.0).abs() < 1e-3);
    }
}
