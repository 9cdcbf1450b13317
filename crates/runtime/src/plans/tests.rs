#![expect(clippy::float_cmp, reason = "numbers that are exact in binary")]

use sedge_oni::CommandStep;

use super::*;

fn millis(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

fn ahead(vx_mps: f64) -> Twist2 {
    Twist2 {
        vx_mps,
        ..Twist2::default()
    }
}

fn command(steps: &[(u64, f64)]) -> Command {
    let step = |(millis, vx): &(u64, f64)| CommandStep {
        duration: Duration::from_millis(*millis),
        twist: ahead(*vx),
    };
    Command {
        steps: steps.iter().map(step).collect(),
    }
}

/// Straight ahead at 2 m/s, sampled every 100 ms up to and with 1 s.
fn driving() -> Plans {
    let mut plans = Plans::new(Duration::from_millis(150), Duration::from_secs(2));
    for idx in 0..=10 {
        plans.moved(millis(100 * idx), Pose2::new(0.2 * idx as f64, 0.0, 0.0));
    }
    plans
}

fn steps(actions: &ActionSequence) -> Vec<(u128, f64)> {
    let step = |action: &Action| {
        (
            action.duration.as_millis(),
            (action.twist.vx_mps * 1e6).round() / 1e6,
        )
    };
    actions.actions.iter().map(step).collect()
}

#[test]
fn without_a_plan_the_last_speed_is_held() {
    let (actions, source) = driving().actions(millis(1_000));
    assert_eq!(
        (steps(&actions), source),
        (vec![(3_000, 2.0)], PlanSource::Assumed)
    );
}

#[test]
fn without_odometry_the_robot_is_taken_to_stand() {
    let plans = Plans::new(Duration::ZERO, Duration::from_secs(2));
    assert_eq!(steps(&plans.actions(Stamp::ZERO).0), [(3_000, 0.0)]);
}

#[test]
fn what_is_over_of_a_plan_is_left_out() {
    let mut plans = driving();
    plans.command(millis(900), &command(&[(50, 9.0), (100, 1.0), (500, 0.5)]));
    let (actions, source) = plans.actions(millis(950));
    assert_eq!(
        (steps(&actions), source),
        (vec![(50, 1.0), (500, 0.5)], PlanSource::Commanded)
    );
}

#[test]
fn until_a_plan_begins_the_last_speed_is_held() {
    let mut plans = driving();
    plans.command(millis(1_050), &command(&[(500, 0.5)]));
    assert_eq!(
        steps(&plans.actions(millis(1_100)).0),
        [(50, 2.0), (500, 0.5)]
    );
}

#[test]
fn a_stale_plan_and_one_of_the_future_are_not_used() {
    let mut plans = driving();
    plans.command(millis(849), &command(&[(5_000, 0.5)]));
    plans.command(millis(1_001), &command(&[(5_000, 0.7)]));
    assert_eq!(plans.actions(millis(1_000)).1, PlanSource::Assumed);
    plans.command(millis(850), &command(&[(5_000, 0.6)]));
    assert_eq!(steps(&plans.actions(millis(1_000)).0), [(4_850, 0.6)]);
}

#[test]
fn a_plan_is_as_old_as_the_odometry_has_gone_on_since() {
    let mut plans = driving();
    plans.command(millis(1_000), &command(&[(5_000, 0.5)]));
    let (actions, source) = plans.actions(millis(1_900));
    assert_eq!(
        (steps(&actions), source),
        (vec![(5_000, 0.5)], PlanSource::Commanded)
    );
}

#[test]
fn a_flood_of_plans_keeps_the_newest() {
    let mut plans = driving();
    for idx in 0..1_000 {
        plans.command(millis(idx), &command(&[(9_000, idx as f64)]));
    }
    assert_eq!(plans.commanded.len(), PLANS_MAX);
    assert_eq!(steps(&plans.actions(millis(1_000)).0)[0].1, 999.0);
}

#[test]
fn a_chosen_plan_begins_when_it_was_chosen_and_the_last_speed_leads_up_to_it() {
    let chosen = ActionSequence {
        actions: vec![Action {
            duration: Duration::from_millis(400),
            twist: ahead(1.0),
        }]
        .into(),
    };
    let until = |now| steps(&driving().chosen(millis(now), &chosen));
    assert_eq!(until(1_030), [(30, 2.0), (400, 1.0)]);
    assert_eq!(until(1_000), [(400, 1.0)]);
    assert_eq!(until(900), [(300, 1.0)], "the newest odometry is of later");
}
