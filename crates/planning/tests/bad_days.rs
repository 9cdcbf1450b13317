//! No time, no model, no sense: what a planner does on bad days.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "toy_world/toy_world.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod toy_world;

use std::time::Duration;

use sedge_planning::{
    FallbackReason, Goal, Method, MovingDisc, Plan, PlanError, PlanRequest, PlannerConfig, StandIn,
};
use sedge_spacetime::{Pose2, Twist2};
use sedge_world_model::{
    Action, ActionSequence, Belief, Futures, ImagineError, ObserveError, Reused, SensorEvent,
    WorldModel,
};
use toy_world::ToyWorld;

fn is_valid(plan: &Plan, config: &PlannerConfig, from: Twist2) {
    assert_eq!(plan.actions.actions.len(), config.n_steps);
    assert_eq!(plan.poses.len(), config.n_steps + 1);
    let (low, high) = config.limits.range();
    let change_max = config.limits.change_max(config.step_secs).vx_mps + 1e-6;
    let mut before = from;
    for action in &plan.actions.actions {
        let twist = action.twist;
        assert!(twist.is_finite());
        assert!((twist.vx_mps - before.vx_mps).abs() <= change_max);
        assert!((low.vx_mps - 1e-6..=high.vx_mps + 1e-6).contains(&twist.vx_mps));
        before = twist;
    }
    assert!(plan.poses.iter().all(|pose| pose.is_finite()));
}

fn moving_world() -> ToyWorld {
    let mut world = ToyWorld::new(60);
    world.twist.vx_mps = 0.6;
    world
}

fn reason(plan: &Plan) -> (FallbackReason, StandIn) {
    let fallback = plan.fallback.clone().unwrap();
    (fallback.reason, fallback.stand_in)
}

#[test]
fn a_planner_goes_on_with_another_ones_plan() {
    for method in [Method::Mppi, Method::Cem] {
        let config = PlannerConfig {
            method,
            ..PlannerConfig::default()
        };
        let shorter = PlannerConfig {
            n_steps: 12,
            n_samples: 64,
            ..config
        };
        let mut world = moving_world();
        let goal = Goal::place(5.0, 0.0);
        let request = world.request(goal, &[]);
        let mut full = config.build(1).unwrap();
        let good = full
            .plan(&mut world.clone(), &request, &mut || true)
            .unwrap();
        world.drive(&good);
        let mut cheap = shorter.build(1).unwrap();
        cheap.resume(good.start, &good.actions.actions);
        let request = world.request(goal, &[]);
        let next = cheap.plan(&mut world.clone(), &request, &mut || false);
        let next = next.unwrap();
        is_valid(&next, &shorter, world.twist);
        assert_eq!(reason(&next).1, StandIn::ShiftedPlan);
        // The limits round once more.
        let pairs = next.actions.actions.iter().zip(&good.actions.actions[1..]);
        for (next, good) in pairs.take(5) {
            assert!((next.twist.vx_mps - good.twist.vx_mps).abs() < 1e-5);
            assert!((next.twist.yaw_rate_radps - good.twist.yaw_rate_radps).abs() < 1e-5);
        }
    }
}

#[test]
fn without_time_it_brakes_or_goes_on_with_the_plan_before() {
    for method in [Method::Mppi, Method::Cem] {
        let config = PlannerConfig {
            method,
            ..PlannerConfig::default()
        };
        let mut world = moving_world();
        let goal = Goal::place(5.0, 0.0);
        let mut planner = config.build(1).unwrap();
        let plan = |planner: &mut dyn sedge_planning::Planner, world: &ToyWorld, time: bool| {
            let request = world.request(goal, &[]);
            let plan = planner
                .plan(&mut world.clone(), &request, &mut || time)
                .unwrap();
            is_valid(&plan, &config, world.twist);
            plan
        };
        let none = plan(planner.as_mut(), &world, false);
        assert_eq!(
            reason(&none),
            (FallbackReason::NoTimeToImagine, StandIn::Stop)
        );
        assert!(none.actions.actions[19].twist.vx_mps.abs() < 1e-6);
        planner.forget();
        let good = plan(planner.as_mut(), &world, true);
        assert!(good.fallback.is_none() && good.n_iterations == 3 && good.n_samples == 768);
        world.drive(&good);
        let next = plan(planner.as_mut(), &world, false);
        assert_eq!(
            reason(&next),
            (FallbackReason::NoTimeToImagine, StandIn::ShiftedPlan)
        );
        assert_eq!(next.actions.actions[..5], good.actions.actions[1..6]);
        // Without time for good, the plan is used up and the robot stands.
        for _ in 0..30 {
            let next = plan(planner.as_mut(), &world, false);
            world.drive(&next);
        }
        assert!(world.twist.vx_mps.abs() < 1e-6, "{:?}", world.twist);
    }
}

#[test]
fn time_for_imagining_alone_gives_the_best_known_plan() {
    let mut asked = 0;
    let mut once = || {
        asked += 1;
        asked == 1
    };
    let mut world = moving_world();
    let request = world.request(Goal::place(5.0, 0.0), &[]);
    let config = PlannerConfig::default();
    let plan = config
        .build(1)
        .unwrap()
        .plan(&mut world, &request, &mut once)
        .unwrap();
    assert_eq!(
        reason(&plan),
        (FallbackReason::NoTimeToSearch, StandIn::BestKnown)
    );
    assert_eq!(plan.clearance_m.len(), config.n_steps);
    assert!(plan.terms.goal > 0.0 && plan.poses[20].x_m > 1.0);
}

/// A model that refuses, or answers something else.
struct Stubborn(Result<Reused<Futures>, ImagineError>);

impl WorldModel for Stubborn {
    fn name(&self) -> &'static str {
        "stubborn"
    }
    fn observe(&mut self, _: &SensorEvent) -> Result<(), ObserveError> {
        Ok(())
    }
    fn belief(&self) -> Option<Belief> {
        None
    }
    fn imagine(
        &mut self,
        _: &[ActionSequence],
        _: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        self.0.clone()
    }
}

#[test]
fn a_model_without_an_answer_gives_a_stop_and_says_so() {
    let world = moving_world();
    let request = world.request(Goal::place(5.0, 0.0), &[]);
    let config = PlannerConfig::default();
    let refused = ImagineError::NoBelief;
    let empty = Reused::from(vec![Futures {
        predictions: Reused::new(),
    }]);
    let cases = [
        (
            Stubborn(Err(refused.clone())),
            FallbackReason::ModelRefused(refused),
        ),
        (Stubborn(Ok(Reused::new())), FallbackReason::OtherPrediction),
        (Stubborn(Ok(empty)), FallbackReason::OtherPrediction),
    ];
    for (mut model, expected) in cases {
        let plan = config
            .build(1)
            .unwrap()
            .plan(&mut model, &request, &mut || true)
            .unwrap();
        is_valid(&plan, &config, world.twist);
        assert_eq!(reason(&plan), (expected, StandIn::Stop));
    }
}

#[test]
fn an_old_scan_is_no_ground_for_a_plan() {
    let mut world = moving_world();
    let mut request = world.request(Goal::place(5.0, 0.0), &[]);
    request.now = request.now + Duration::from_secs(1);
    let config = PlannerConfig::default();
    let plan = config
        .build(1)
        .unwrap()
        .plan(&mut world, &request, &mut || true)
        .unwrap();
    let (reason, stand_in) = reason(&plan);
    assert!(matches!(reason, FallbackReason::StaleScan { .. }) && stand_in == StandIn::Stop);
}

fn refused(request: &PlanRequest<'_>, says: &str) {
    let mut planner = PlannerConfig::default().build(1).unwrap();
    let error = planner
        .plan(&mut moving_world(), request, &mut || true)
        .unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn hostile_requests_are_errors() {
    let world = moving_world();
    let good = world.request(Goal::place(5.0, 0.0), &[]);
    let goal = Goal::place(f64::NAN, 0.0);
    refused(&PlanRequest { goal, ..good }, "goal");
    let goal = Goal::place(1e300, 0.0);
    refused(&PlanRequest { goal, ..good }, "goal");
    let twist = Twist2 {
        yaw_rate_radps: f64::INFINITY,
        ..Twist2::default()
    };
    refused(&PlanRequest { twist, ..good }, "twist");
    let base_from_scanner = Pose2::new(0.0, f64::NAN, 0.0);
    refused(
        &PlanRequest {
            base_from_scanner,
            ..good
        },
        "base_from_scanner",
    );
    let mut geometry = good.geometry;
    geometry.n_beams = 0;
    refused(&PlanRequest { geometry, ..good }, "geometry");
    let long = Action {
        duration: Duration::MAX,
        twist: Twist2::default(),
    };
    let in_flight = &[long][..];
    refused(&PlanRequest { in_flight, ..good }, "in flight");
}

#[test]
fn hostile_discs_are_errors() {
    let world = moving_world();
    let good = MovingDisc::constant_velocity(0.3, [1.0, 0.0], [0.0, 0.0], 0.1, Duration::ZERO);
    let bad = |change: fn(&mut MovingDisc)| {
        let mut disc = good.clone();
        change(&mut disc);
        let discs = [good.clone(), disc];
        let request = world.request(Goal::place(5.0, 0.0), &discs);
        let mut planner = PlannerConfig::default().build(1).unwrap();
        let error = planner
            .plan(&mut moving_world(), &request, &mut || true)
            .unwrap_err();
        assert!(
            matches!(error, PlanError::BadDisc { disc_idx: 1, .. }),
            "{error}"
        );
    };
    bad(|disc| disc.radius_m = -1.0);
    bad(|disc| disc.waypoints.clear());
    bad(|disc| disc.waypoints.reverse());
    bad(|disc| disc.waypoints[1].position_m[0] = f64::NAN);
    bad(|disc| disc.waypoints[0].sigma_m = f64::INFINITY);
}
