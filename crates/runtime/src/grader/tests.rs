#![expect(clippy::float_cmp, reason = "numbers that are exact in binary")]

use std::sync::Arc;

use sedge_world_model::ScanGeometry;

use super::*;
use crate::NoObserver;

const HORIZON: Duration = Duration::from_millis(500);

fn millis(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

fn scan(ranges_m: &[f32]) -> LidarScan {
    let geometry = ScanGeometry {
        first_angle_rad: 0.0,
        step_rad: 0.1,
        n_beams: ranges_m.len(),
    };
    LidarScan {
        geometry,
        ranges_m: Arc::from(ranges_m),
    }
}

fn grader(waiting_max: usize) -> Grader {
    let method = |name: &str, role| Method {
        name: name.into(),
        role,
    };
    let methods = vec![
        method("model mean", MethodRole::Model),
        method("model least_error", MethodRole::Model),
        method("model mode", MethodRole::Model),
        method("persistence", MethodRole::Persistence),
    ];
    Grader::new(&[HORIZON], methods, waiting_max)
}

fn expectation(started_millis: i64, model_m: f32, persistence_m: f32) -> Expectation {
    let mut model = PredictedScan::certain([model_m, model_m]);
    model.mode_m = Reused::filled(model_m + 0.5, 2);
    model.low_m = Reused::filled(model_m - 0.2, 2);
    model.high_m = Reused::filled(model_m + 0.2, 2);
    Expectation {
        started: millis(started_millis),
        horizon_idx: 0,
        model,
        others: vec![Some(Reused::filled(persistence_m, 2))].into(),
    }
}

fn mae(grader: &Grader) -> Vec<(String, f64)> {
    let row = |(_, method, pooled): (Duration, &Method, Pooled)| {
        (method.name.clone(), (pooled.mae_m * 1e6).round() / 1e6)
    };
    grader.rows().map(row).collect()
}

#[test]
fn errors_are_those_against_the_nearest_scan_on_its_valid_beams() {
    let mut grader = grader(10);
    grader.expect(expectation(0, 2.0, 3.0));
    for (stamp, range) in [(230, 9.0), (460, 2.25), (690, 9.0)] {
        grader.arrived(millis(stamp), &scan(&[range, 81.91]), &mut NoObserver);
    }
    let expected = [
        ("model mean", 0.25),
        ("model least_error", 0.25),
        ("model mode", 0.25),
        ("persistence", 0.75),
    ];
    assert_eq!(
        mae(&grader),
        expected.map(|(name, mae)| (name.to_owned(), mae))
    );
    let (_, _, mean) = grader.rows().next().unwrap();
    assert_eq!(
        (mean.n_starts, mean.n_beams, mean.coverage),
        (1, 1, Some(0.0))
    );
    assert_eq!(grader.n_waiting(), 0);
}

#[test]
fn a_later_scan_is_the_nearest_when_it_is_and_the_earlier_one_on_a_tie() {
    for (before, after, expected) in [(400, 590, 1.0), (400, 600, 0.0), (410, 600, 0.0)] {
        let mut grader = grader(10);
        grader.expect(expectation(0, 2.0, 2.0));
        grader.arrived(millis(before), &scan(&[2.0, 2.0]), &mut NoObserver);
        grader.arrived(millis(after), &scan(&[3.0, 3.0]), &mut NoObserver);
        assert_eq!(mae(&grader)[0].1, expected, "{before} {after}");
    }
}

#[test]
fn without_a_near_scan_or_with_other_beams_nothing_is_graded_but_counted() {
    let mut grader = grader(10);
    grader.expect(expectation(0, 2.0, 2.0));
    grader.arrived(millis(751), &scan(&[2.0, 2.0]), &mut NoObserver);
    grader.expect(expectation(751, 2.0, 2.0));
    grader.arrived(millis(1_251), &scan(&[2.0]), &mut NoObserver);
    grader.expect(expectation(1_251, 2.0, 2.0));
    grader.forget_waiting();
    assert_eq!(
        (mae(&grader), grader.ungraded()),
        (
            vec![],
            Ungraded {
                no_scan: 1,
                other_scanner: 1,
                forgotten: 0,
                restarted: 1
            }
        )
    );
}

#[test]
fn what_waits_is_bounded_and_the_oldest_goes_first() {
    let mut grader = grader(3);
    for started in 0..100 {
        grader.expect(expectation(started, 2.0 + started as f32, 2.0));
    }
    assert_eq!((grader.n_waiting(), grader.ungraded().forgotten), (3, 97));
    grader.arrived(millis(599), &scan(&[2.0, 2.0]), &mut NoObserver);
    assert_eq!(mae(&grader)[0].1, 18.0, "clipped to 20 m");
}
