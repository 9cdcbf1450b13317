use super::*;
use crate::Horizons;
use crate::test_scenes::{cluttered_drive, wander};

fn row<'a>(rows: &'a [MetricRow], method: &str, horizon_secs: f64) -> &'a MetricRow {
    rows.iter()
        .find(|row| row.method == method && (row.horizon_secs - horizon_secs).abs() < 1e-9)
        .unwrap_or_else(|| panic!("no row {method}"))
}

#[test]
fn every_baseline_has_a_row_at_every_horizon_in_the_tables_order() {
    let episode = wander(61, 40.0);
    let protocol = Protocol::fitting(&episode, 0.6);
    let rows = evaluate_baselines(&episode, &MotionModel::default(), &protocol).unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.method.as_str()).collect();
    let expected = [
        "persist",
        "last cv",
        "last odo, no lag",
        "last odo, lag",
        "last cal",
        "map1-latest cal",
        "map1-med3 cal",
        "map5-latest cal",
        "map5-med3 cal",
        "map20-latest cal",
        "map20-med3 cal",
        "map5-min cal",
        "map20-min cal",
        "last oracle",
        "map20-med3 oracle",
    ];
    assert_eq!(names, expected.repeat(3));
    let n_starts = protocol.starts(&episode).unwrap().len();
    assert!(
        rows.iter()
            .all(|row| row.n == n_starts && row.n_beams == n_starts * 61)
    );
    assert!(
        rows.iter()
            .all(|row| row.oracle == row.method.ends_with("oracle"))
    );
    assert!(
        rows.iter()
            .all(|row| [0.5, 1.0, 2.0].contains(&row.horizon_secs))
    );
}

#[test]
fn moving_the_scans_is_better_than_waiting_and_exact_odometry_equals_the_oracle() {
    let episode = wander(181, 60.0);
    let protocol = Protocol::fitting(&episode, 0.6);
    let rows = evaluate_baselines(&episode, &MotionModel::default(), &protocol).unwrap();
    for horizon in [0.5, 1.0, 2.0] {
        let figure = |method| row(&rows, method, horizon).mae_m;
        assert!(figure("last cal") < 0.5 * figure("last cv"));
        assert!(figure("last cal") < 0.5 * figure("persist"));
        assert!((figure("last cal") - figure("last oracle")).abs() < 1e-6);
        assert!(figure("map20-med3 cal") < 1.01 * figure("last cal"));
        assert!(row(&rows, "last cal", horizon).median_m < 1e-3);
    }
}

#[test]
fn latency_and_calibration_each_help_a_log_that_lacks_them() {
    let mut episode = wander(181, 60.0);
    for scan in &mut episode.scans {
        scan.stamp = Stamp::from_secs(scan.stamp.secs() + 0.15).unwrap();
    }
    for sample in &mut episode.odometry {
        sample.odometry_from_base.yaw_rad *= 0.9;
    }
    let protocol = Protocol::fitting(&episode, 0.6);
    let fit = crate::fit_motion(&episode);
    let rows = evaluate_baselines(&episode, &fit.model, &protocol).unwrap();
    let figure = |method| row(&rows, method, 1.0).mae_m;
    assert!(figure("last odo, lag") < 0.9 * figure("last odo, no lag"));
    assert!(figure("last cal") < 0.9 * figure("last odo, lag"));
}

#[test]
fn without_references_there_are_no_oracle_rows() {
    let mut episode = wander(31, 40.0);
    episode
        .scans
        .iter_mut()
        .for_each(|scan| scan.reference = None);
    let protocol = Protocol::fitting(&episode, 0.6);
    let rows = evaluate_baselines(&episode, &MotionModel::default(), &protocol).unwrap();
    assert_eq!(rows.len(), 3 * 13);
    assert!(rows.iter().all(|row| !row.oracle));
}

#[test]
fn candidates_with_given_poses_are_graded_like_the_baselines() {
    let episode = wander(61, 40.0);
    let protocol = Protocol::fitting(&episode, 0.6);
    let model = MotionModel::default();
    let posed = PosedScans::calibrated(&episode, &model).unwrap();
    let graded = evaluate_candidates(
        &episode,
        &protocol,
        ("registered", &[Candidate::Map5Med3]),
        &posed,
        |from, to| posed.motion(from, to),
    )
    .unwrap();
    let rows = evaluate_baselines(&episode, &model, &protocol).unwrap();
    let expected = row(&rows, "map5-med3 cal", 1.0);
    let got = row(&graded, "map5-med3 registered", 1.0);
    assert_eq!((got.mae_m, got.n), (expected.mae_m, expected.n));
}

/// Tables of the numpy reference implementation for [`cluttered_drive`] written as a CARMEN log:
/// `method | MAE | RMSE | median | within 5 | 10 | 20 cm | log-RMSE` by horizon.
const REFERENCE_ROWS: &str = include_str!("reference_rows.txt");

#[test]
fn figures_agree_with_the_reference_implementation_within_one_percent() {
    let episode = cluttered_drive(61, 80.0);
    let calibration = crate::fit_calibration(&episode, 0.1).unwrap().calibration;
    let motion = MotionModel {
        latency_secs: 0.1,
        calibration,
        ..MotionModel::default()
    };
    let protocol = Protocol {
        from: 0.6,
        horizons: Horizons::Secs(vec![0.5, 1.0, 2.0, 5.0]),
    };
    let rows = evaluate_baselines(&episode, &motion, &protocol).unwrap();
    let mut horizon_secs = 0.0;
    let mut n_checked = 0;
    for line in REFERENCE_ROWS.lines() {
        if let Some(horizon) = line.strip_prefix("horizon ") {
            horizon_secs = horizon.parse().unwrap();
            continue;
        }
        let mut cells = line.split('|').map(str::trim);
        let got = row(&rows, cells.next().unwrap(), horizon_secs);
        let figures = [
            got.mae_m,
            got.rmse_m,
            got.median_m,
            got.within_5cm,
            got.within_10cm,
            got.within_20cm,
            got.log_rmse,
        ];
        for (figure, cell) in figures.iter().zip(cells) {
            let expected: f64 = cell.parse().unwrap();
            // Printed with three decimals.
            let tolerance = 0.01 * expected + 0.0005;
            assert!(
                (figure - expected).abs() <= tolerance,
                "{line}: got {got:?}"
            );
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, 4 * 15 * 7);
}
