//! The contract of [`WorldModel`] as a test suite: every implementation runs it.
//!
//! ```
//! use sedge_world_model::{GeometricModel, MotionModel, MotionNoise, conformance};
//!
//! conformance::check(&|geometry| {
//!     Box::new(GeometricModel::new(geometry, MotionModel::default(), MotionNoise::ASSUMED))
//! });
//! ```

use std::f64::consts::PI;
use std::time::Duration;

use sedge_spacetime::{Covariance2, Pose2, Stamp, Twist2};

use crate::crowd::Crowd;
use crate::room::Room;
pub use crate::room::half_circle;
use crate::{
    Action, ActionSequence, Episode, Futures, ImagineError, LidarScan, Observation, ObserveError,
    PREDICTION_MIN_M, Precision, Prediction, RANGE_MAX_M, RangeReadout, Reused, ScanGeometry,
    SensorEvent, WorldModel,
};

/// Makes a model of a scanner that has seen nothing yet; the same one each time.
pub type MakeModel<'a> = &'a dyn Fn(ScanGeometry) -> Box<dyn WorldModel>;

/// Beams of the scanner that the suite uses.
const N_BEAMS: usize = 61;

/// A drive on a circle in an empty room: scans five times a second, odometry twenty times, exact.
pub fn drive(geometry: ScanGeometry, secs: f64) -> Episode {
    Room {
        half_x_m: 4.0,
        half_y_m: 3.0,
    }
    .drive(geometry, secs)
}

/// A drive in a hall among walkers, the same for the same seed: ten noisy scans a second with the
/// truth of which beams hit somebody, odometry that slips, a gyroscope with a bias, and a neighbour
/// (`crane2`, the first walker) that sees this robot, is seen, and says where it goes.
pub fn crowded_drive(
    geometry: ScanGeometry,
    secs: f64,
    (n_walkers, seed): (usize, u64),
) -> Episode {
    Crowd::new(n_walkers, seed).drive(geometry, secs)
}

/// All around, this many beams.
pub fn full_circle(n_beams: usize) -> ScanGeometry {
    ScanGeometry {
        first_angle_rad: -PI,
        step_rad: 2.0 * PI / n_beams.max(1) as f64,
        n_beams,
    }
}

/// Checks the whole contract with a forward half circle of 61 beams.
///
/// # Panics
/// When the model breaks the contract, saying how.
pub fn check(make: MakeModel<'_>) {
    check_scanner(make, half_circle(N_BEAMS));
}

/// Checks the whole contract with the scanner that a model is made for.
///
/// # Panics
/// When the model breaks the contract, saying how.
pub fn check_scanner(make: MakeModel<'_>, geometry: ScanGeometry) {
    believes_nothing_at_first(make(geometry).as_mut());
    believes_the_newest_event(make(geometry).as_mut(), geometry);
    predicts_each_plan_and_horizon(make(geometry).as_mut(), geometry);
    tells_one_read_out_as_it_tells_all(make(geometry).as_mut(), geometry);
    imagining_leaves_no_trace(make, geometry);
    imagining_in_other_numbers_leaves_no_trace(make(geometry).as_mut(), geometry);
    refused_events_leave_no_trace(make, geometry);
    dead_reckoning_is_gone_with_the_next_odometry(make, geometry);
    bad_plans_are_refused(make(geometry).as_mut(), geometry);
}

/// Two plans: straight on, and standing still.
fn plans() -> Vec<ActionSequence> {
    let action = |vx_mps, yaw_rate_radps| Action {
        duration: Duration::from_millis(400),
        twist: Twist2 {
            vx_mps,
            vy_mps: 0.0,
            yaw_rate_radps,
        },
    };
    vec![
        ActionSequence {
            actions: vec![action(0.4, 0.3), action(0.5, -0.2)].into(),
        },
        ActionSequence::default(),
    ]
}

fn horizons() -> [Duration; 2] {
    [Duration::from_millis(500), Duration::from_secs(2)]
}

fn live_through(model: &mut dyn WorldModel, events: &[SensorEvent]) {
    for event in events {
        let taken = model.observe(event);
        assert!(
            taken.is_ok(),
            "a good event at {} was refused: {taken:?}",
            event.stamp
        );
    }
}

fn imagine(model: &mut dyn WorldModel) -> Reused<Futures> {
    model
        .imagine(&plans(), &horizons())
        .expect("a model that has seen a drive can imagine")
}

fn imagining_in_other_numbers_leaves_no_trace(model: &mut dyn WorldModel, geometry: ScanGeometry) {
    live_through(model, &drive(geometry, 2.0).events());
    let (belief, before) = (model.belief(), imagine(model));
    for precision in [Precision::F32, Precision::Int8] {
        let was = model.imagine_in(precision);
        assert_eq!(model.belief(), belief, "{precision}: the belief stays");
        let Ok(was) = was else {
            assert_eq!(imagine(model), before, "{precision} was refused");
            continue;
        };
        let changed = imagine(model);
        assert_eq!(imagine(model), changed, "{precision}");
        assert_eq!(
            model.imagine_in(was),
            Ok(precision),
            "back from {precision}"
        );
        assert_eq!(imagine(model), before, "back from {precision}");
    }
}

fn tells_one_read_out_as_it_tells_all(model: &mut dyn WorldModel, geometry: ScanGeometry) {
    live_through(model, &drive(geometry, 2.0).events());
    let all = imagine(model);
    for read_out in [
        RangeReadout::Low,
        RangeReadout::Cautious,
        RangeReadout::Median,
        RangeReadout::Mode,
        RangeReadout::Mean,
    ] {
        let one = model.imagine_ranges(&plans(), &horizons(), read_out);
        let one = one.expect("it could imagine all of them");
        let predictions = |futures: &[Futures]| {
            let predictions = futures.iter().flat_map(|it| &it.predictions);
            let told = predictions.map(|it| {
                let scan = &it.scan;
                let ranges_m = scan.ranges_m(read_out).to_vec();
                (
                    it.horizon,
                    it.motion,
                    it.covariance,
                    ranges_m,
                    scan.hit_probability.clone(),
                )
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(predictions(&one), predictions(&all), "{read_out:?} alone");
    }
}

fn believes_nothing_at_first(model: &mut dyn WorldModel) {
    assert!(!model.name().is_empty(), "expected a name for tables");
    assert!(
        model.belief().is_none(),
        "expected no belief before the first scan"
    );
    let imagined = model.imagine(&plans(), &horizons());
    assert_eq!(
        imagined,
        Err(ImagineError::NoBelief),
        "imagining before the first scan"
    );
}

fn believes_the_newest_event(model: &mut dyn WorldModel, geometry: ScanGeometry) {
    let events = drive(geometry, 2.0).events();
    live_through(model, &events);
    let belief = model
        .belief()
        .expect("a model that has seen a drive has a belief");
    assert_eq!(
        Some(belief.stamp),
        events.last().map(|event| event.stamp),
        "belief's stamp"
    );
    assert!(
        belief.pose.is_finite(),
        "expected a finite pose, got {:?}",
        belief.pose
    );
    let covariance = Covariance2::new(*belief.covariance.matrix());
    assert!(covariance.is_ok(), "belief's covariance: {covariance:?}");
    assert!(
        belief.latent.iter().all(|value| value.is_finite()),
        "expected a finite latent"
    );
}

fn predicts_each_plan_and_horizon(model: &mut dyn WorldModel, geometry: ScanGeometry) {
    live_through(model, &drive(geometry, 2.0).events());
    let futures = imagine(model);
    assert_eq!(futures.len(), plans().len(), "one futures per plan");
    for future in &futures {
        let got: Vec<Duration> = future.predictions.iter().map(|it| it.horizon).collect();
        assert_eq!(got, horizons(), "one prediction per horizon, in order");
        for prediction in &future.predictions {
            is_sound(prediction, geometry);
        }
    }
    let no_plans = model
        .imagine(&[], &horizons())
        .expect("no plan is no reason to fail");
    assert!(no_plans.is_empty(), "expected no futures for no plans");
    let no_horizons = model
        .imagine(&plans(), &[])
        .expect("no horizon is no reason to fail");
    assert!(
        no_horizons.iter().all(|it| it.predictions.is_empty()),
        "predictions for no horizon"
    );
}

fn is_sound(prediction: &Prediction, geometry: ScanGeometry) {
    let scan = &prediction.scan;
    let read_outs = [
        ("mean", &scan.mean_m),
        ("least error", &scan.least_error_m),
        ("mode", &scan.mode_m),
        ("cautious", &scan.cautious_m),
        ("low", &scan.low_m),
        ("high", &scan.high_m),
    ];
    for (name, ranges) in read_outs {
        assert_eq!(ranges.len(), geometry.n_beams, "beams of the {name}");
        let in_range = |range: &f32| (PREDICTION_MIN_M..=RANGE_MAX_M).contains(range);
        assert!(
            ranges.iter().all(in_range),
            "expected the {name} within [0.05, 20]: {ranges:?}"
        );
    }
    let quantiles = [
        &scan.low_m,
        &scan.cautious_m,
        &scan.least_error_m,
        &scan.high_m,
    ];
    let are_ordered = |[low, high]: &[&Reused<f32>; 2]| low.iter().zip(*high).all(|(a, b)| a <= b);
    assert!(
        quantiles.array_windows().all(are_ordered),
        "expected low quantiles below high ones"
    );
    assert_eq!(
        scan.hit_probability.len(),
        geometry.n_beams,
        "beams of the hit probability"
    );
    let is_share = |probability: &f32| (0.0..=1.0).contains(probability);
    assert!(
        scan.hit_probability.iter().all(is_share),
        "hit probabilities within [0, 1]"
    );
    assert!(prediction.motion.is_finite(), "expected a finite motion");
    let covariance = Covariance2::new(*prediction.covariance.matrix());
    assert!(
        covariance.is_ok(),
        "prediction's covariance: {covariance:?}"
    );
}

fn imagining_leaves_no_trace(make: MakeModel<'_>, geometry: ScanGeometry) {
    let events = drive(geometry, 3.0).events();
    let (first, rest) = events.split_at(events.len() / 2);
    let (mut dreamer, mut sober) = (make(geometry), make(geometry));
    live_through(dreamer.as_mut(), first);
    live_through(sober.as_mut(), first);
    let once = imagine(dreamer.as_mut());
    assert_eq!(imagine(dreamer.as_mut()), once, "imagining twice");
    assert_eq!(imagine(sober.as_mut()), once, "two models of one life");
    for event in rest {
        live_through(dreamer.as_mut(), std::slice::from_ref(event));
        live_through(sober.as_mut(), std::slice::from_ref(event));
        imagine(dreamer.as_mut());
    }
    assert_eq!(
        dreamer.belief(),
        sober.belief(),
        "belief after imagining in between"
    );
    assert_eq!(
        imagine(dreamer.as_mut()),
        imagine(sober.as_mut()),
        "futures after imagining in between"
    );
}

/// Events that must be refused after a drive, and why.
fn bad_events(episode: &Episode) -> Vec<(&'static str, SensorEvent)> {
    let newest = episode
        .events()
        .last()
        .map_or(Stamp::ZERO, |event| event.stamp);
    let later = newest + Duration::from_millis(100);
    let scan = &episode.scans[0];
    let lidar = |stamp, scan| SensorEvent {
        stamp,
        observation: Observation::Lidar(scan),
    };
    let mut spoiled = scan.scan.ranges_m.to_vec();
    spoiled[0] = f32::NAN;
    let spoiled = LidarScan {
        ranges_m: spoiled.into(),
        ..scan.scan.clone()
    };
    let mut narrower = episode.geometry;
    narrower.step_rad *= 0.5;
    let other = LidarScan {
        geometry: narrower,
        ..scan.scan.clone()
    };
    let shorter = LidarScan {
        ranges_m: scan.scan.ranges_m[1..].into(),
        ..scan.scan.clone()
    };
    let mut pose = episode.odometry[0].odometry_from_base;
    let late = Observation::Odometry(pose);
    pose.x_m = f64::INFINITY;
    let endless = Observation::Odometry(pose);
    vec![
        ("a late scan", lidar(scan.stamp, scan.scan.clone())),
        ("a scan with NaN", lidar(later, spoiled)),
        ("a scan of another scanner", lidar(later, other)),
        ("a scan that lacks a beam", lidar(later, shorter)),
        (
            "late odometry",
            SensorEvent {
                stamp: scan.stamp,
                observation: late,
            },
        ),
        (
            "infinite odometry",
            SensorEvent {
                stamp: later,
                observation: endless,
            },
        ),
    ]
}

fn refused_events_leave_no_trace(make: MakeModel<'_>, geometry: ScanGeometry) {
    let episode = drive(geometry, 3.0);
    let events = episode.events();
    let (first, rest) = events.split_at(events.len() / 2);
    let (mut tried, mut spared) = (make(geometry), make(geometry));
    live_through(tried.as_mut(), first);
    live_through(spared.as_mut(), first);
    for (what, event) in bad_events(&episode) {
        let refused = tried.observe(&event).expect_err(what);
        let is_late = matches!(refused, ObserveError::Late { .. });
        assert_eq!(
            is_late,
            what.starts_with("a late") || what.starts_with("late"),
            "{what}"
        );
        assert_eq!(tried.belief(), spared.belief(), "belief after {what}");
        assert_eq!(
            imagine(tried.as_mut()),
            imagine(spared.as_mut()),
            "futures after {what}"
        );
    }
    live_through(tried.as_mut(), rest);
    live_through(spared.as_mut(), rest);
    assert_eq!(
        imagine(tried.as_mut()),
        imagine(spared.as_mut()),
        "later, after bad events"
    );
}

fn dead_reckoning_is_gone_with_the_next_odometry(make: MakeModel<'_>, geometry: ScanGeometry) {
    let events = drive(geometry, 3.0).events();
    let (first, rest) = events.split_at(events.len() / 2);
    let is_odometry = |event: &&SensorEvent| matches!(event.observation, Observation::Odometry(_));
    let newest = first
        .iter()
        .rfind(is_odometry)
        .expect("the drive has odometry");
    let (mut misled, mut sober) = (make(geometry), make(geometry));
    live_through(misled.as_mut(), first);
    live_through(sober.as_mut(), first);
    let far_off = SensorEvent {
        stamp: newest.stamp + Duration::from_millis(1),
        observation: Observation::DeadReckoning(Pose2::new(5.0, -5.0, 1.0)),
    };
    misled
        .observe(&far_off)
        .expect("dead reckoning after odometry is taken in");
    let next = rest.iter().position(|event| is_odometry(&event));
    let (until, rest) = rest.split_at(next.expect("the drive goes on") + 1);
    let until: Vec<SensorEvent> = until.iter().filter(is_odometry).cloned().collect();
    live_through(misled.as_mut(), &until);
    live_through(sober.as_mut(), &until);
    assert_eq!(
        imagine(misled.as_mut()),
        imagine(sober.as_mut()),
        "futures once odometry was there again"
    );
    live_through(misled.as_mut(), rest);
    live_through(sober.as_mut(), rest);
    assert_eq!(misled.belief(), sober.belief(), "belief, later");
}

fn bad_plans_are_refused(model: &mut dyn WorldModel, geometry: ScanGeometry) {
    live_through(model, &drive(geometry, 2.0).events());
    let before = imagine(model);
    let twist = Twist2 {
        vx_mps: f64::NAN,
        vy_mps: 0.0,
        yaw_rate_radps: 0.0,
    };
    let duration = Duration::from_millis(100);
    let good = Action {
        duration,
        twist: Twist2::default(),
    };
    let plan = ActionSequence {
        actions: vec![good, Action { duration, twist }].into(),
    };
    let refused = model.imagine(&[plan], &horizons());
    assert!(
        matches!(refused, Err(ImagineError::BadAction { action_idx: 1, .. })),
        "expected action 1 to be refused, got {refused:?}"
    );
    assert_eq!(imagine(model), before, "futures after a refused plan");
}
