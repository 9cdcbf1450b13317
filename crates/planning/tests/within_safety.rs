//! What is planned is what the safety filter lets through.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "toy_world/toy_world.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod toy_world;

use sedge_planning::{
    Evidence, Goal, PlannerConfig, SafetyConfig, SafetyFilter, SafetyReason, StopOrder, TimedScan,
    TimedTwist,
};
use sedge_spacetime::Pose2;
use sedge_world_model::{LidarScan, RangeReadout};
use toy_world::{RADIUS_M, ToyWorld};

/// How near to either side of the passage a robot in its middle is, in metres: less than the
/// filter's margin.
const BESIDE_M: f64 = 0.04;

/// A block across the way, with a passage straight through that is hardly wider than the robot.
fn narrow_passage() -> ToyWorld {
    let mut world = ToyWorld::new(360);
    let half_m = RADIUS_M + BESIDE_M;
    let (front_m, back_m, end_m) = (1.2, 2.0, 4.0);
    world.walls = vec![
        [[front_m, -end_m], [front_m, -half_m]],
        [[front_m, -half_m], [back_m, -half_m]],
        [[front_m, half_m], [front_m, end_m]],
        [[front_m, half_m], [back_m, half_m]],
    ];
    world
}

/// Fields that are fine enough to see the passage.
fn config() -> PlannerConfig {
    let mut config = PlannerConfig::default();
    config.field.cell_m = 0.05;
    config
}

/// Drives for so long behind the filter. When it arrived, and how often it was stopped.
fn drive_behind_the_filter(config: &PlannerConfig, secs_max: f64) -> (Option<f64>, u64) {
    let mut world = narrow_passage();
    let mut planner = config.build(1).unwrap();
    let mut filter = SafetyFilter::new(SafetyConfig::default()).unwrap();
    let goal = Goal::place(3.0, 0.0);
    while world.now.secs() < secs_max {
        let request = world.request(goal, &[]);
        let plan = planner.plan(&mut world.clone(), &request, &mut || true);
        let mut plan = plan.unwrap();
        let seen = world.scan(world.world_from_base, world.now.secs());
        let scan = LidarScan {
            geometry: world.geometry,
            ranges_m: seen.ranges_m(RangeReadout::Median).into(),
        };
        let stamp = world.now;
        let evidence = Evidence {
            now: stamp,
            scan: Some(TimedScan { stamp, scan: &scan }),
            base_now_from_scanner: Pose2::IDENTITY,
            odometry: Some(TimedTwist {
                stamp,
                twist: world.twist,
            }),
            plan_stamp: Some(stamp),
            stop: StopOrder::None,
        };
        // What could be executed before the next command comes, twice over.
        plan.actions = filter.check(&plan.actions.actions[..2], &evidence).actions;
        world.drive(&plan);
        if world.distance_m(goal) < 0.3 {
            let n_stopped = filter.counts().stopped(SafetyReason::Obstructed);
            return (Some(world.now.secs()), n_stopped);
        }
    }
    (None, filter.counts().stopped(SafetyReason::Obstructed))
}

#[test]
fn a_passage_that_the_filter_closes_is_not_driven_into() {
    let (reached_secs, n_stopped) = drive_behind_the_filter(&config(), 20.0);
    assert_eq!(reached_secs, None, "there is no other way");
    assert!(n_stopped <= 5, "{n_stopped}");
}

#[test]
fn who_plans_nearer_than_the_filter_allows_is_stopped_for_ever() {
    let mut config = config();
    config.field.keep_off_m = 0.0;
    let (reached_secs, n_stopped) = drive_behind_the_filter(&config, 20.0);
    assert_eq!(reached_secs, None);
    assert!(n_stopped > 100, "{n_stopped}");
}
