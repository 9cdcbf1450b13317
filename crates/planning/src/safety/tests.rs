use proptest::prelude::*;
use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{LidarScan, ScanGeometry};

use super::*;

const NOW: Stamp = Stamp::from_nanos(10_000_000_000);

fn ring(ranges_m: Vec<f32>) -> LidarScan {
    let n_beams = ranges_m.len();
    let geometry = ScanGeometry {
        first_angle_rad: -std::f64::consts::PI,
        step_rad: std::f64::consts::TAU / n_beams as f64,
        n_beams,
    };
    LidarScan {
        geometry,
        ranges_m: ranges_m.into(),
    }
}

fn forward(vx_mps: f64) -> Twist2 {
    Twist2 {
        vx_mps,
        ..Twist2::default()
    }
}

fn held(twist: Twist2) -> [Action; 1] {
    [Action {
        duration: Duration::from_millis(300),
        twist,
    }]
}

fn evidence(scan: &LidarScan, twist: Twist2) -> Evidence<'_> {
    Evidence {
        now: NOW,
        scan: Some(TimedScan { stamp: NOW, scan }),
        base_now_from_scanner: Pose2::IDENTITY,
        odometry: Some(TimedTwist { stamp: NOW, twist }),
        plan_stamp: Some(NOW),
        stop: StopOrder::None,
    }
}

fn filter() -> SafetyFilter {
    SafetyFilter::new(SafetyConfig::default()).unwrap()
}

/// A wall across the way, at a distance, seen by a ring of beams.
fn wall_ahead(distance_m: f64) -> LidarScan {
    let range = |beam: usize| {
        let angle = -std::f64::consts::PI + beam as f64 * std::f64::consts::TAU / 360.0;
        if angle.cos() > 0.01 {
            (distance_m / angle.cos()).min(30.0) as f32
        } else {
            30.0
        }
    };
    ring((0..360).map(range).collect())
}

#[test]
fn a_free_way_passes_untouched() {
    let scan = wall_ahead(5.0);
    let mut filter = filter();
    let safe = filter.check(&held(forward(0.8)), &evidence(&scan, forward(0.8)));
    assert_eq!(safe.verdict, Verdict::Passed);
    assert_eq!(safe.actions.actions, held(forward(0.8)));
    assert_eq!(filter.counts().passed, 1);
}

#[test]
fn a_wall_slows_and_then_stops() {
    let mut filter = filter();
    let mut verdict = |distance_m: f64, vx_mps: f64, now_mps: f64| {
        let scan = wall_ahead(distance_m);
        let safe = filter.check(&held(forward(vx_mps)), &evidence(&scan, forward(now_mps)));
        (safe.verdict, safe.actions.actions[0].twist.vx_mps)
    };
    assert_eq!(verdict(1.4, 0.8, 0.4), (Verdict::Passed, 0.8));
    let (slowed, vx_mps) = verdict(0.55, 0.8, 0.4);
    assert!(
        matches!(slowed, Verdict::Slowed { .. }) && vx_mps < 0.5,
        "{slowed:?}"
    );
    assert_eq!(verdict(0.35, 0.8, 0.4), (Verdict::Stopped, 0.0));
    assert_eq!(
        verdict(0.28, -0.2, 0.0).0,
        Verdict::Passed,
        "away from the wall"
    );
    assert_eq!(filter.counts().stopped(SafetyReason::Obstructed), 1);
}

#[test]
fn turning_on_the_spot_is_free_even_close_to_a_wall() {
    let scan = wall_ahead(0.27);
    let twist = Twist2 {
        yaw_rate_radps: 1.0,
        ..Twist2::default()
    };
    let safe = filter().check(&held(twist), &evidence(&scan, Twist2::default()));
    assert_eq!(safe.verdict, Verdict::Passed);
}

fn stops_for(filter: &mut SafetyFilter, reason: SafetyReason, evidence: &Evidence<'_>) {
    let safe = filter.check(&held(forward(0.2)), evidence);
    let got = (safe.verdict, safe.reason);
    assert_eq!(got, (Verdict::Stopped, Some(reason)));
    assert_eq!(safe.actions.actions, held(Twist2::default()));
}

#[test]
fn missing_and_late_evidence_stops_and_is_counted() {
    let scan = wall_ahead(5.0);
    let old = NOW - Duration::from_secs(1);
    let ahead = NOW + Duration::from_secs(1);
    let mut filter = filter();
    let mut stops = |reason, change: &dyn Fn(&mut Evidence<'_>)| {
        let mut evidence = evidence(&scan, forward(0.2));
        change(&mut evidence);
        stops_for(&mut filter, reason, &evidence);
    };
    let timed = |stamp, twist| Some(TimedTwist { stamp, twist });
    stops(SafetyReason::StopOrdered, &|it| {
        it.stop = StopOrder::Hold;
    });
    stops(SafetyReason::StopOrdered, &|it| {
        it.stop = StopOrder::Emergency;
    });
    stops(SafetyReason::NoScan, &|it| {
        it.scan = None;
    });
    stops(SafetyReason::StaleScan, &|it| {
        if let Some(scan) = &mut it.scan {
            scan.stamp = old;
        }
    });
    stops(SafetyReason::NoOdometry, &|it| {
        it.odometry = None;
    });
    stops(SafetyReason::StaleOdometry, &|it| {
        it.odometry = timed(old, forward(0.2));
    });
    stops(SafetyReason::BadOdometry, &|it| {
        it.odometry = timed(NOW, forward(f64::NAN));
    });
    stops(SafetyReason::NoPlan, &|it| {
        it.plan_stamp = None;
    });
    stops(SafetyReason::StalePlan, &|it| {
        it.plan_stamp = Some(old);
    });
    stops(SafetyReason::FromTheFuture, &|it| {
        it.plan_stamp = Some(ahead);
    });
    stops(SafetyReason::BadScan, &|it| {
        it.base_now_from_scanner.x_m = f64::NAN;
    });
    let n_stopped: u64 = filter.counts().rows().map(|(_, n)| n).sum();
    assert_eq!(n_stopped, 11);
    assert_eq!(filter.counts().stopped(SafetyReason::StopOrdered), 2);
    assert_eq!((filter.counts().passed, filter.counts().slowed), (0, 0));
}

#[test]
fn scans_that_say_nothing_and_bad_commands_stop() {
    let mut filter = filter();
    let empty = ring(vec![30.0; 360]);
    let mut cut = wall_ahead(5.0);
    cut.geometry.n_beams = 7;
    for scan in [&empty, &cut] {
        let evidence = evidence(scan, forward(0.2));
        stops_for(&mut filter, SafetyReason::BadScan, &evidence);
    }
    let scan = wall_ahead(5.0);
    let endless = Action {
        duration: Duration::MAX,
        twist: forward(0.1),
    };
    for command in [held(forward(f64::NAN)), [endless]] {
        let safe = filter.check(&command, &evidence(&scan, forward(0.2)));
        assert_eq!(safe.reason, Some(SafetyReason::BadCommand));
        assert_eq!(safe.actions.actions[0].twist, Twist2::default());
    }
}

#[test]
fn where_the_scanner_does_not_look_it_does_not_drive() {
    let geometry = sedge_world_model::conformance::half_circle(181);
    let scan = LidarScan {
        geometry,
        ranges_m: vec![5.0; 181].into(),
    };
    let still = evidence(&scan, Twist2::default());
    let safe = filter().check(&held(forward(-0.3)), &still);
    assert_eq!(safe.reason, Some(SafetyReason::Blind));
    assert_eq!(
        filter().check(&held(forward(0.3)), &still).verdict,
        Verdict::Passed
    );
}

#[test]
fn every_reason_has_its_own_name_and_place() {
    for (idx, reason) in SafetyReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, idx);
        let others = SafetyReason::ALL.into_iter().filter(|it| *it != reason);
        assert!(others.into_iter().all(|it| it.name() != reason.name()));
    }
}

proptest! {
    /// Straight ahead, the way to a standstill is known in closed form: reaction, the command at
    /// the speed it comes to, and braking. It must fit before the nearest point of the corridor.
    #[test]
    fn no_command_passes_whose_stopping_distance_exceeds_the_clearance(
        speed in 0.0..1.0f64,
        command in 0.0..1.0f64,
        ranges in proptest::collection::vec(0.35..4.0f32, 90),
    ) {
        let scan = ring(ranges);
        let config = SafetyConfig::default();
        let safe = filter().check(&held(forward(command)), &evidence(&scan, forward(speed)));
        if safe.verdict != Verdict::Stopped {
            let sent = safe.actions.actions[0].twist.vx_mps;
            let braking = config.limits.acceleration_mps2_max;
            // At least: the slower of both for as long as the command lasts.
            let reached = if sent > speed { sent.min(speed + 0.3 * braking) } else { sent };
            let stopping_m = config.reaction_secs * speed
                + 0.3 * speed.min(reached)
                + reached * reached / (2.0 * braking);
            let half = config.radius_m;
            let clearance_m = (0..scan.ranges_m.len())
                .map(|beam| {
                    let (sin, cos) = scan.geometry.angle_rad(beam).sin_cos();
                    let range = f64::from(scan.ranges_m[beam]);
                    (range * cos, range * sin)
                })
                .filter(|(x, y)| *x > 0.0 && y.abs() < half)
                .map(|(x, y)| x - (half * half - y * y).sqrt())
                .fold(f64::INFINITY, f64::min);
            prop_assert!(stopping_m <= clearance_m, "{stopping_m} > {clearance_m}");
        }
    }

    /// Whatever comes in, what goes out is finite, no faster than asked, and of the same length.
    #[test]
    fn commands_only_ever_get_slower(
        twist in proptest::array::uniform3(-2.0..2.0f64),
        now in proptest::array::uniform3(-1.0..1.0f64),
        ranges in proptest::collection::vec(0.0..25.0f32, 60),
    ) {
        let of = |it: [f64; 3]| Twist2 { vx_mps: it[0], vy_mps: it[1], yaw_rate_radps: it[2] };
        let (command, current) = (of(twist), of(now));
        let scan = ring(ranges);
        let safe = filter().check(&held(command), &evidence(&scan, current));
        let got = safe.actions.actions[0];
        prop_assert_eq!(got.duration, Duration::from_millis(300));
        prop_assert!(got.twist.vx_mps.abs() <= command.vx_mps.abs());
        prop_assert!(got.twist.vy_mps.abs() <= command.vy_mps.abs());
        prop_assert!(got.twist.yaw_rate_radps.abs() <= command.yaw_rate_radps.abs());
        prop_assert_eq!(safe.verdict == Verdict::Passed, safe.reason.is_none());
    }
}
