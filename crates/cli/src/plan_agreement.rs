//! How far a plan that is imagined in eight bits is from the one in `f32`, belief by belief.

use std::path::Path;

use anyhow::Context as _;
use sedge_planning::{Goal, MotionLimits, Plan, PlanRequest, Planner, PlannerConfig};
use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::{Episode, Observation, OdometrySample, WorldModel as _};
use sedge_world_model_trained::TrainedModel;

use crate::engine::Engine;

/// A robot is planned for as often as it would plan: once in so many scans, as scans that follow
/// each other say nearly the same.
const SCANS_A_PLAN: usize = 5;
/// Scans that are lived through before the first plan.
const N_WARM: usize = 20;
/// The goal is where the drive goes on to, this far along.
const GOAL_AHEAD_M: f64 = 3.0;
/// How far ahead a goal is looked for; who stands that long has none.
const GOAL_SECS_MAX: f64 = 15.0;
/// The motion before a plan is taken from odometry over at least this long, in seconds.
const TWIST_SECS: f64 = 0.08;

/// How far two planners' first actions are from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    /// Of each component its share of the range that the base can do, the larger one.
    pub(crate) of_range: f64,
    /// The length of the difference as a share of the length of the first, each component counted
    /// in shares of its range; of actions that hardly move it says little.
    pub(crate) relative: f64,
}

/// The same plan three times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Compared {
    /// In `f32` and in eight bits, with the same random numbers.
    pub(crate) by_engine: Difference,
    /// Twice in `f32`, with other random numbers: what the planner's own chance does.
    pub(crate) by_seed: Difference,
}

/// Lives through a drive and plans on the way.
///
/// # Errors
/// When the weights cannot be loaded, or a request is none.
pub(crate) fn compare(
    episode: &Episode,
    run: &Path,
    config: &PlannerConfig,
) -> anyhow::Result<Vec<Compared>> {
    let mut wide = Engine::Onboard.load(run)?;
    let mut narrow = Engine::OnboardInt8.load(run)?;
    let mut planners = [config.build(1)?, config.build(1)?, config.build(2)?];
    let mut compared = Vec::new();
    let mut n_scans = 0;
    for event in episode.events() {
        // What one refuses the other does too: filtering is the same numbers.
        let taken = [&mut wide, &mut narrow].map(|model| model.observe(&event).is_ok());
        if taken != [true; 2] || !matches!(event.observation, Observation::Lidar(_)) {
            continue;
        }
        n_scans += 1;
        if n_scans < N_WARM || n_scans % SCANS_A_PLAN != 0 {
            continue;
        }
        let Some(asked) = Asked::at(episode, event.stamp) else {
            continue;
        };
        let request = asked.request(episode);
        let [first, second, third] = &mut planners;
        let plan = |planner: &mut Box<dyn Planner + Send>, model: &mut TrainedModel| {
            // Each goes on from the same plan, so that one difference is not counted twice.
            planner.forget();
            let plan = planner.plan(model, &request, &mut || true);
            plan.context("expected a request that can be planned for")
        };
        let plans = [
            plan(first, &mut wide)?,
            plan(second, &mut narrow)?,
            plan(third, &mut wide)?,
        ];
        if plans.iter().any(|plan| plan.fallback.is_some()) {
            continue;
        }
        let [one, other, chance] = plans.map(|plan| first_twist(&plan));
        compared.push(Compared {
            by_engine: difference(one, other, &config.limits),
            by_seed: difference(one, chance, &config.limits),
        });
    }
    Ok(compared)
}

fn first_twist(plan: &Plan) -> Twist2 {
    let first = plan.actions.actions.first();
    first.map_or(Twist2::default(), |action| action.twist)
}

fn difference(one: Twist2, other: Twist2, limits: &MotionLimits) -> Difference {
    let ranges = [
        limits.speed_mps_max + limits.reverse_mps_max,
        2.0 * limits.lateral_mps_max.max(f64::MIN_POSITIVE),
        2.0 * limits.yaw_rate_radps_max,
    ];
    let shares = |twist: Twist2| {
        let parts = [twist.vx_mps, twist.vy_mps, twist.yaw_rate_radps];
        [0, 1, 2].map(|axis: usize| parts[axis] / ranges[axis])
    };
    let (one, other) = (shares(one), shares(other));
    let apart = [0, 1, 2].map(|axis: usize| (one[axis] - other[axis]).abs());
    let length = |parts: [f64; 3]| parts.iter().map(|it| it * it).sum::<f64>().sqrt();
    Difference {
        of_range: apart.into_iter().fold(0.0, f64::max),
        relative: length(apart) / length(one).max(1e-9),
    }
}

/// What a planner is asked at a scan.
struct Asked {
    stamp: Stamp,
    odometry: OdometrySample,
    twist: Twist2,
    goal: Goal,
}

impl Asked {
    /// Nothing before there is odometry, and where the drive does not go on.
    fn at(episode: &Episode, stamp: Stamp) -> Option<Self> {
        let samples = &episode.odometry;
        let next = samples.partition_point(|sample| sample.stamp <= stamp);
        let odometry = *samples.get(next.checked_sub(1)?)?;
        let here = odometry.odometry_from_base;
        let before = samples[..next].iter().rev();
        let secs = |sample: &OdometrySample| odometry.stamp.secs_since(sample.stamp);
        let mut before = before.skip_while(|sample| secs(sample) < TWIST_SECS);
        let before = before.next()?;
        let motion = before.odometry_from_base.inverse() * here;
        let past_secs = secs(before);
        let mut later = samples[next..].iter();
        let goal = later.find(|sample| {
            let is_there = here.between(sample.odometry_from_base).distance_m() >= GOAL_AHEAD_M;
            is_there || sample.stamp.secs_since(stamp) > GOAL_SECS_MAX
        })?;
        let there = here.between(goal.odometry_from_base);
        (there.distance_m() >= GOAL_AHEAD_M).then_some(Self {
            stamp,
            odometry,
            twist: Twist2 {
                vx_mps: motion.x_m / past_secs,
                vy_mps: motion.y_m / past_secs,
                yaw_rate_radps: motion.yaw_rad / past_secs,
            },
            goal: Goal::place(there.x_m, there.y_m),
        })
    }

    fn request(&self, episode: &Episode) -> PlanRequest<'static> {
        PlanRequest {
            now: self.stamp,
            scan_stamp: self.stamp,
            odometry_stamp: self.odometry.stamp,
            twist: self.twist,
            in_flight: &[],
            goal: self.goal,
            geometry: episode.geometry,
            base_from_scanner: Pose2::IDENTITY,
            odometry_from_base: self.odometry.odometry_from_base,
            discs: &[],
        }
    }
}

/// The share of cases no further apart than this.
pub(crate) fn share_within(differences: &[f64], most: f64) -> f64 {
    let n = differences.iter().filter(|it| **it <= most).count();
    n as f64 / differences.len().max(1) as f64
}

/// Half of them, or another share, are no larger.
pub(crate) fn quantile(differences: &[f64], share: f64) -> f64 {
    let mut sorted = differences.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len().saturating_sub(1) as f64).ceil() as usize;
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twist(vx_mps: f64, yaw_rate_radps: f64) -> Twist2 {
        Twist2 {
            vx_mps,
            vy_mps: 0.0,
            yaw_rate_radps,
        }
    }

    #[test]
    fn differences_are_shares_of_what_the_base_can_do() {
        let limits = MotionLimits::default();
        let near = |got: f64, expected: f64| (got - expected).abs() < 1e-9;
        // 0.13 m/s of 1.3, and 0.03 rad/s of 3.
        let apart = difference(twist(0.65, 0.0), twist(0.52, 0.03), &limits);
        assert!(near(apart.of_range, 0.1), "{apart:?}");
        assert!(near(apart.relative, 0.1_f64.hypot(0.01) / 0.5), "{apart:?}");
        let same = difference(twist(0.3, 0.2), twist(0.3, 0.2), &limits);
        assert!(near(same.of_range, 0.0) && near(same.relative, 0.0));
    }

    #[test]
    fn shares_and_quantiles_are_of_what_was_measured() {
        let all = [0.0, 0.01, 0.05, 0.2];
        assert!((share_within(&all, 0.05) - 0.75).abs() < 1e-12);
        assert!(share_within(&[], 0.05).abs() < 1e-12);
        assert!((quantile(&all, 0.5) - 0.05).abs() < 1e-12);
        assert!((quantile(&all, 1.0) - 0.2).abs() < 1e-12);
    }
}
