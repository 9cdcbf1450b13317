//! Training, resuming and grading, through the functions that the commands call.

use std::path::Path;

use sedge::commands::eval::{EvalArgs, evaluate};
use sedge::{
    OpenedLog, ProgressStyle, RunFile, RunStatus, STEPS_FILE, Start, Stop, TrainPlan, TrainSource,
    UsageError, open_log, train,
};
use sedge_datasets::Split;
use sedge_world_model::{MotionFit, fit_motion};
use sedge_world_model_burn::DeviceKind;
use sedge_world_model_trained::{MODEL_FILE, NetworkConfig, Preset, TrainConfig};

use crate::write_corridor_log;

fn recipe() -> TrainConfig {
    TrainConfig {
        network: NetworkConfig {
            deter: 16,
            hidden: 16,
            groups: 2,
            classes: 4,
            blocks: 2,
            trunk_channels: 8,
            latent: true,
        },
        updates: 4,
        stretches: 2,
        stretch_scans: 6,
        branches: 2,
        warmup_updates: 2,
        ..Preset::Tiny.train(7)
    }
}

fn plan<'a>(
    log: &'a OpenedLog,
    motion: &'a MotionFit,
    out: &'a Path,
    start: Start,
) -> TrainPlan<'a> {
    TrainPlan {
        source: TrainSource::Log { log, motion },
        config: recipe(),
        device: DeviceKind::Flex,
        out,
        start,
        stop: Stop::default(),
        progress: ProgressStyle::Silent,
    }
}

#[test]
fn a_stopped_run_goes_on_bit_for_bit_and_is_graded() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_corridor_log(folder.path(), 60);
    let log = open_log(&path).unwrap();
    let motion = fit_motion(&log.episode);

    let whole = folder.path().join("whole");
    let outcome = train(&plan(&log, &motion, &whole, Start::Fresh)).unwrap();
    assert_eq!(
        (outcome.run.status, outcome.run.updates),
        (RunStatus::Done, 4)
    );

    let parts = folder.path().join("parts");
    let mut first = plan(&log, &motion, &parts, Start::Fresh);
    first.stop.after_updates = Some(2);
    assert_eq!(train(&first).unwrap().run.status, RunStatus::Stopped);
    let outcome = train(&plan(&log, &motion, &parts, Start::Resume)).unwrap();
    assert_eq!(
        (outcome.run.status, outcome.run.updates),
        (RunStatus::Done, 4)
    );
    for file in [MODEL_FILE, STEPS_FILE] {
        let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
        assert!(read(&whole) == read(&parts), "{file} differs");
    }
    assert_eq!(
        RunFile::read(&parts).unwrap().model_hash,
        outcome.run.model_hash
    );
    check_table(&log, &path, &whole);
}

fn check_table(log: &OpenedLog, path: &Path, run: &Path) {
    let args = EvalArgs {
        log: path.to_owned(),
        run: vec![run.to_owned()],
        from: Some(0.8),
        split: Split::Test,
        drives: 1,
        horizons: vec![0.4, 1.0],
        steps: Vec::new(),
        engine: None,
        device: None,
        json: true,
        out: None,
    };
    let rows = serde_json::to_value(evaluate(&args, log).unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    let figures = ["mae_m", "rmse_m", "median_m", "within_10cm", "log_rmse"];
    for method in [
        "persist",
        "map1-med3 cal",
        "sedge mean",
        "sedge least_error",
        "sedge mode",
    ] {
        let same = |row: &&serde_json::Value| row["method"] == method;
        let rows: Vec<_> = rows.iter().filter(same).collect();
        let horizons: Vec<_> = rows
            .iter()
            .map(|row| row["horizon_secs"].as_f64())
            .collect();
        assert_eq!(horizons, [Some(0.4), Some(1.0)], "{method}");
        for row in rows {
            assert!(row["n"].as_u64().unwrap() > 0, "{row}");
            let finite = |figure: &str| row[figure].as_f64().is_some_and(f64::is_finite);
            assert!(figures.into_iter().all(finite), "{row}");
        }
    }
}

#[test]
fn a_run_is_neither_overwritten_nor_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(&write_corridor_log(folder.path(), 60)).unwrap();
    let motion = fit_motion(&log.episode);
    let out = folder.path().join("run");
    let mut first = plan(&log, &motion, &out, Start::Fresh);
    first.stop.after_updates = Some(1);
    train(&first).unwrap();

    let refusal = |plan: &TrainPlan<'_>| {
        let error = train(plan).expect_err("it must be refused");
        assert!(error.is::<UsageError>(), "{error:#}");
        error.to_string()
    };
    let again = refusal(&plan(&log, &motion, &out, Start::Fresh));
    assert!(
        again.contains("--resume") && again.contains("--force"),
        "{again}"
    );
    let mut other = plan(&log, &motion, &out, Start::Resume);
    other.config.seed += 1;
    let mixed = refusal(&other);
    assert!(
        mixed.contains("\"seed\":7") && mixed.contains("\"seed\":8"),
        "{mixed}"
    );

    let mut replaced = plan(&log, &motion, &out, Start::Replace);
    replaced.stop.after_updates = Some(1);
    assert_eq!(train(&replaced).unwrap().run.updates, 1);
}

#[test]
fn a_log_that_is_too_short_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(&write_corridor_log(folder.path(), 1)).unwrap();
    let out = folder.path().join("run");
    let error = train(&plan(&log, &fit_motion(&log.episode), &out, Start::Fresh))
        .err()
        .unwrap();
    assert!(format!("{error:#}").contains("corridor.log"), "{error:#}");
}
