use std::sync::Arc;

use sedge_spacetime::Pose2;
use sedge_world_model::{LidarScan, ScanGeometry};

use super::*;

const WAIT: Duration = Duration::from_millis(20);

fn millis(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

fn event(stamp: Stamp, observation: Observation, arrived: Stamp) -> ArrivedEvent {
    ArrivedEvent {
        event: SensorEvent { stamp, observation },
        arrived,
        timed: arrived,
        put: None,
        decode: Duration::ZERO,
        upstream: Vec::new().into(),
        trace: None,
        clock: "log".into(),
        stamp_error: Duration::ZERO,
    }
}

fn odometry(stamp_millis: i64) -> ArrivedEvent {
    event(
        millis(stamp_millis),
        Observation::Odometry(Pose2::IDENTITY),
        Stamp::ZERO,
    )
}

fn scan(stamp_millis: i64, arrived_millis: i64) -> ArrivedEvent {
    let geometry = ScanGeometry {
        first_angle_rad: 0.0,
        step_rad: 0.1,
        n_beams: 1,
    };
    let scan = LidarScan {
        geometry,
        ranges_m: Arc::from([1.0_f32]),
    };
    event(
        millis(stamp_millis),
        Observation::Lidar(scan),
        millis(arrived_millis),
    )
}

/// What is released at `now`: odometry as positive, scans as negative milliseconds.
fn released(intake: &mut Intake, now_millis: i64) -> Vec<i64> {
    let mut order = Vec::new();
    while let Some(Released { arrived, .. }) = intake.release(millis(now_millis)) {
        let stamp = arrived.event.stamp.nanos() / 1_000_000;
        let is_scan = matches!(arrived.event.observation, Observation::Lidar(_));
        order.push(if is_scan { -stamp } else { stamp });
    }
    order
}

#[test]
fn order_of_release_follows_stamps_whatever_the_order_of_arrival() {
    let mut intake = Intake::new(0.0, WAIT).unwrap();
    for arrived in [
        odometry(300),
        scan(200, 0),
        odometry(200),
        odometry(100),
        scan(100, 0),
    ] {
        intake.push(arrived).unwrap();
    }
    assert_eq!(released(&mut intake, 0), [100, -100, 200, -200, 300]);
    assert!(intake.is_empty());
}

#[test]
fn a_scan_waits_for_the_odometry_that_places_it_and_no_longer_than_allowed() {
    let mut intake = Intake::new(0.15, WAIT).unwrap();
    intake.push(odometry(840)).unwrap();
    intake.push(scan(1_000, 5)).unwrap();
    assert_eq!(released(&mut intake, 24), [840]);
    assert_eq!(intake.next_release(), Some(millis(25)));
    intake.push(odometry(850)).unwrap();
    assert_eq!(released(&mut intake, 24), [850, -1_000]);

    intake.push(scan(1_200, 30)).unwrap();
    assert!(released(&mut intake, 49).is_empty());
    let late = intake.release(millis(50)).unwrap();
    assert!(late.waited_out && late.arrived.event.stamp == millis(1_200));
}

/// Odometry of a robot that drives at 1 m/s is heard, and put.
fn heard(intake: &mut Intake, stamp_millis: i64) {
    let odometry_from_base = Pose2::IDENTITY;
    let twist = sedge_spacetime::Twist2 {
        vx_mps: 1.0,
        ..Default::default()
    };
    let said = sedge_oni::Odometry {
        odometry_from_base,
        twist,
    };
    intake.reckoning().moved(millis(stamp_millis), &said);
    intake.push(odometry(stamp_millis)).unwrap();
}

#[test]
fn a_scan_between_two_odometry_messages_is_placed_at_once() {
    let mut intake = Intake::new(0.0, WAIT).unwrap().with_reach(WAIT);
    heard(&mut intake, 40);
    intake.push(scan(50, 50)).unwrap();
    assert_eq!(intake.release(millis(50)).unwrap().reckoned, None);
    let scan = intake.release(millis(50)).unwrap();
    let there = scan.reckoned.unwrap();
    let Observation::DeadReckoning(pose) = there.observation else {
        panic!("expected dead reckoning, got {there:?}");
    };
    assert!((pose.x_m - 0.01).abs() < 1e-12 && !scan.waited_out);
    assert_eq!(there.stamp, millis(50));
    // What comes late is older than what was reckoned, and is taken in all the same.
    heard(&mut intake, 45);
    heard(&mut intake, 60);
    assert_eq!(released(&mut intake, 60), [45, 60]);
}

#[test]
fn a_scan_that_odometry_covers_needs_no_reckoning() {
    let mut intake = Intake::new(0.0, WAIT).unwrap().with_reach(WAIT);
    intake.push(scan(50, 50)).unwrap();
    heard(&mut intake, 40);
    heard(&mut intake, 60);
    let all: Vec<_> = std::iter::from_fn(|| intake.release(millis(60))).collect();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|it| it.reckoned.is_none()));
}

#[test]
fn without_a_velocity_or_with_an_old_one_a_scan_waits() {
    let check = |heard_millis: Option<i64>, reach: Duration| {
        let mut intake = Intake::new(0.0, WAIT).unwrap().with_reach(reach);
        if let Some(stamp_millis) = heard_millis {
            heard(&mut intake, stamp_millis);
            assert_eq!(released(&mut intake, 50), [stamp_millis]);
        }
        intake.push(scan(50, 50)).unwrap();
        assert!(released(&mut intake, 69).is_empty());
        assert_eq!(intake.next_release(), Some(millis(70)));
        let late = intake.release(millis(70)).unwrap();
        assert!(late.waited_out && late.reckoned.is_none());
    };
    check(None, WAIT);
    check(Some(29), WAIT);
    check(Some(40), Duration::ZERO);
}

#[test]
fn a_scanner_ahead_of_its_stamp_gets_the_later_odometry_first() {
    let mut intake = Intake::new(-0.05, WAIT).unwrap();
    for arrived in [odometry(100), scan(100, 0), odometry(140)] {
        intake.push(arrived).unwrap();
    }
    assert_eq!(released(&mut intake, 0), [100, 140]);
    intake.push(odometry(150)).unwrap();
    assert_eq!(released(&mut intake, 0), [150, -100]);
}

#[test]
fn what_comes_late_or_twice_is_refused() {
    let mut intake = Intake::new(0.0, WAIT).unwrap();
    intake.push(odometry(100)).unwrap();
    assert_eq!(intake.push(odometry(100)), Err(NotTaken::Late));
    assert_eq!(released(&mut intake, 0), [100]);
    assert_eq!(intake.push(odometry(90)), Err(NotTaken::Late));
    intake.push(scan(90, 0)).unwrap();
    assert_eq!(released(&mut intake, 0), [-90]);
    assert_eq!(intake.push(scan(90, 0)), Err(NotTaken::Late));
}

#[test]
fn a_flood_is_refused_and_memory_stays_bounded() {
    let mut intake = Intake::new(0.0, WAIT).unwrap();
    for idx in 0..WAITING_MAX as i64 {
        intake.push(scan(idx, 0)).unwrap();
    }
    assert_eq!(intake.push(scan(1 << 40, 0)), Err(NotTaken::Full));
    assert_eq!(intake.scans.waiting.len(), WAITING_MAX);
}

#[test]
fn a_latency_that_is_no_time_is_refused() {
    assert!(Intake::new(f64::NAN, WAIT).is_err());
}
