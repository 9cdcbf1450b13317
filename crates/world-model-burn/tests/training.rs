//! The whole life of a model on a small drive: trained, stopped, resumed, damaged, used.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{
    Episode, EpisodeScan, LidarScan, MotionModel, MotionNoise, OdometrySample, RegisteredScans,
    ScanGeometry, SensorEvent, WorldModel, conformance,
};
use sedge_world_model_burn::{
    DeviceKind, GatheredDrives, LoadError, TrainError, Trainer, TrainingData, UpdateReport,
};
use sedge_world_model_trained::{
    HorizonRange, MODEL_FILE, Preset, TRAINER_FILE, TrainConfig, read_story,
};

const N_BEAMS: usize = 60;
const SCAN_PERIOD_SECS: f64 = 0.25;

/// Range to the walls of a 12 m x 6 m room centred on the origin.
fn room_range(pose: Pose2, angle_rad: f64) -> f64 {
    let (sin, cos) = (pose.yaw_rad + angle_rad).sin_cos();
    let along = |position: f64, half: f64, direction: f64| {
        if direction.abs() < 1e-9 {
            f64::INFINITY
        } else {
            (half * direction.signum() - position) / direction
        }
    };
    along(pose.x_m, 6.0, cos).min(along(pose.y_m, 3.0, sin))
}

/// Driving a slow circle in the room.
fn drive(n_scans: usize) -> Episode {
    let geometry = ScanGeometry {
        first_angle_rad: -std::f64::consts::FRAC_PI_2,
        step_rad: std::f64::consts::PI / N_BEAMS as f64,
        n_beams: N_BEAMS,
    };
    let pose_at = |secs: f64| {
        let turn = 0.3 * secs;
        Pose2::new(
            1.5 * turn.cos(),
            1.5 * turn.sin(),
            turn + std::f64::consts::FRAC_PI_2,
        )
    };
    let stamp = |secs: f64| Stamp::from_secs(secs).unwrap();
    let scan = |k: usize| {
        let secs = k as f64 * SCAN_PERIOD_SECS;
        let pose = pose_at(secs);
        let ranges: Vec<f32> = (0..N_BEAMS)
            .map(|b| room_range(pose, geometry.angle_rad(b)) as f32)
            .collect();
        let scan = LidarScan {
            geometry,
            ranges_m: Arc::from(ranges),
        };
        EpisodeScan {
            stamp: stamp(secs),
            scan,
            reference: Some(pose),
            moving: None,
        }
    };
    let n_odometry = (n_scans as f64 * SCAN_PERIOD_SECS / 0.05) as usize;
    let sample = |k: usize| {
        let secs = k as f64 * 0.05;
        OdometrySample {
            stamp: stamp(secs),
            odometry_from_base: pose_at(secs),
        }
    };
    Episode {
        name: "room".to_owned(),
        source_hash: format!("room of {n_scans}"),
        geometry,
        scans: (0..n_scans).map(scan).collect(),
        odometry: (0..n_odometry).map(sample).collect(),
        others: Vec::new(),
    }
}

fn recipe(seed: u64) -> TrainConfig {
    let mut config = Preset::Tiny.train(seed);
    (
        config.network.deter,
        config.network.hidden,
        config.network.trunk_channels,
    ) = (16, 16, 8);
    (config.updates, config.warmup_updates) = (8, 2);
    (config.stretches, config.stretch_scans, config.branches) = (2, 8, 2);
    config.horizons = HorizonRange::Secs { min: 0.4, max: 1.1 };
    config
}

struct Drive {
    episode: Episode,
    scans: RegisteredScans,
}

impl Drive {
    fn new() -> Self {
        let episode = drive(80);
        let scans = RegisteredScans::new(&episode, &MotionModel::default()).unwrap();
        Self { episode, scans }
    }

    fn data(&self) -> TrainingData<'_> {
        let (motion_model, motion_noise) = (MotionModel::default(), MotionNoise::ASSUMED);
        TrainingData {
            episode: &self.episode,
            motion_model,
            motion_noise,
            scans: &self.scans,
        }
    }

    fn trainer(&self, config: TrainConfig) -> Result<Trainer, TrainError> {
        Trainer::new(&self.data(), config, DeviceKind::Flex, &mut |_, _| ())
    }

    fn resumed(&self, dir: &Path) -> Result<Trainer, TrainError> {
        Trainer::resume(dir, &self.data(), DeviceKind::Flex, &mut |_, _| ())
    }
}

fn updates(trainer: &mut Trainer, n: usize) -> Vec<UpdateReport> {
    (0..n).map(|_| trainer.update().unwrap()).collect()
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let (drive, whole, parts) = (
        Drive::new(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let mut trainer = drive.trainer(recipe(7)).unwrap();
    let expected = updates(&mut trainer, 6);
    let expected_hash = trainer.save(whole.path()).unwrap();

    let mut first = drive.trainer(recipe(7)).unwrap();
    let mut reports = updates(&mut first, 3);
    first.save(parts.path()).unwrap();
    drop(first);
    let mut second = drive.resumed(parts.path()).unwrap();
    reports.extend(updates(&mut second, 3));
    assert_eq!(reports, expected);
    assert_eq!(second.save(parts.path()).unwrap(), expected_hash);
    for file in [MODEL_FILE, TRAINER_FILE] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(whole.path()) == read(parts.path()), "{file} differs");
    }
}

#[test]
fn another_seed_is_another_model_and_training_lowers_the_loss() {
    let drive = Drive::new();
    let mut config = recipe(1);
    config.updates = 60;
    let mut trainer = drive.trainer(config.clone()).unwrap();
    let reports = updates(&mut trainer, 60);
    let mean =
        |part: &[UpdateReport]| part.iter().map(|r| r.parts.range).sum::<f32>() / part.len() as f32;
    assert!(
        mean(&reports[50..]) < mean(&reports[..10]) - 0.2,
        "{reports:?}"
    );
    let mut other = drive.trainer(TrainConfig { seed: 2, ..config }).unwrap();
    assert_ne!(
        other.update().unwrap().loss.to_bits(),
        reports[0].loss.to_bits()
    );
}

#[test]
fn the_ablation_without_the_latent_trains_too() {
    let drive = Drive::new();
    let mut config = recipe(1);
    config.network.latent = false;
    let report = updates(&mut drive.trainer(config).unwrap(), 2)[1];
    assert!(report.loss.is_finite());
    assert!(
        report.parts.divergence.abs() < f32::EPSILON && report.parts.coarse.abs() < f32::EPSILON
    );
}

#[test]
fn a_trained_model_passes_the_conformance_suite_and_predicts_the_room() {
    let (drive, dir) = (Drive::new(), tempfile::tempdir().unwrap());
    let mut trainer = drive
        .trainer(TrainConfig {
            updates: 60,
            ..recipe(3)
        })
        .unwrap();
    updates(&mut trainer, 60);
    let hash = trainer.save(dir.path()).unwrap();
    let story = read_story(dir.path()).unwrap();
    assert_eq!((story.model_hash, story.updates), (hash, 60));
    let load = || -> Box<dyn WorldModel> {
        Box::new(sedge_world_model_burn::load(dir.path(), DeviceKind::Flex).unwrap())
    };
    let events: Vec<SensorEvent> = drive.episode.events();
    conformance::check_scanner(&|_| load(), drive.episode.geometry);

    let mut model = load();
    let until = Stamp::from_secs(15.0).unwrap();
    for event in events.iter().filter(|event| event.stamp <= until) {
        model.observe(event).unwrap();
    }
    let plan = drive.episode.actions_after(until, Duration::from_secs(1));
    let futures = model.imagine(&[plan], &[Duration::from_secs(1)]).unwrap();
    let came = &drive.episode.scans[64].scan;
    let predicted = &futures[0].predictions[0].scan;
    let error: f32 = predicted
        .mode_m
        .iter()
        .zip(came.ranges_m.iter())
        .map(|(a, b)| (a - b).abs())
        .sum();
    assert!(error / N_BEAMS as f32 <= 0.3, "{error}");
}

#[test]
fn damaged_checkpoints_are_refused_and_never_panic() {
    let (drive, dir) = (Drive::new(), tempfile::tempdir().unwrap());
    let trainer = drive.trainer(recipe(3)).unwrap();
    trainer.save(dir.path()).unwrap();
    let path = dir.path().join(MODEL_FILE);
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        match sedge_world_model_burn::load(dir.path(), DeviceKind::Flex) {
            Ok(_) => panic!("a damaged checkpoint was loaded"),
            Err(LoadError::Checkpoint(error)) => error.to_string(),
            Err(other) => panic!("{other}"),
        }
    };
    for keep in [0, 7, 8, 100, good.len() / 2, good.len() - 1] {
        refused(&good[..keep]);
    }
    let mut absurd = good.clone();
    absurd[..8].copy_from_slice(&(1_u64 << 63).to_le_bytes());
    refused(&absurd);
    let mut flipped = good.clone();
    let last = flipped.len() - 3;
    flipped[last] ^= 0x40;
    assert!(refused(&flipped).contains("hash"));
}

#[test]
fn a_run_is_not_resumed_on_another_log() {
    let (drive, dir) = (Drive::new(), tempfile::tempdir().unwrap());
    drive.trainer(recipe(3)).unwrap().save(dir.path()).unwrap();
    let mut other = Drive::new();
    other.episode.source_hash = "another".to_owned();
    assert!(matches!(
        other.resumed(dir.path()),
        Err(TrainError::OtherLog { .. })
    ));
}

#[test]
fn recipes_that_make_no_sense_and_logs_too_short_are_refused() {
    let drive = Drive::new();
    let mut config = recipe(1);
    config.shards = 0;
    assert!(matches!(
        drive.trainer(config),
        Err(TrainError::BadConfig { .. })
    ));
    let mut config = recipe(1);
    config.stretch_scans = 500;
    assert!(matches!(
        drive.trainer(config),
        Err(TrainError::TrainingSet(_))
    ));
}

fn gathered(drives: &[Drive], config: &TrainConfig) -> GatheredDrives {
    let mut gathered = GatheredDrives::new(("rooms", "hash of rooms"), drives.len());
    for drive in drives {
        gathered.add(&drive.data(), config).unwrap();
    }
    gathered
}

#[test]
fn several_drives_are_one_data_set() {
    let drives = [Drive::new(), Drive::new()];
    let config = recipe(5);
    let one = gathered(&drives[..1], &config);
    let both = gathered(&drives, &config);
    assert!(both.n_pairs() > one.n_pairs() && both.n_too_short() == 0);
    let mut trainer = Trainer::of_drives(both, config.clone(), DeviceKind::Flex).unwrap();
    let folder = tempfile::tempdir().unwrap();
    trainer.update().unwrap();
    trainer.save(folder.path()).unwrap();
    let expected = trainer.update().unwrap();
    assert!(expected.loss.is_finite());
    let story = read_story(folder.path()).unwrap();
    assert_eq!(
        (story.dataset.as_str(), story.dataset_hash.as_str()),
        ("rooms", "hash of rooms")
    );

    let again = gathered(&drives, &config);
    let mut resumed = Trainer::resume_drives(folder.path(), again, DeviceKind::Flex).unwrap();
    assert_eq!(resumed.update().unwrap(), expected);
}

#[test]
fn drives_that_are_too_short_are_left_out_and_none_at_all_is_refused() {
    let config = recipe(5);
    let mut short = Drive::new();
    short.episode = drive(4);
    short.scans = RegisteredScans::new(&short.episode, &MotionModel::default()).unwrap();
    let mixed = [short, Drive::new()];
    let both = gathered(&mixed, &config);
    assert_eq!(both.n_too_short(), 1);
    assert!(both.n_pairs() > 0);
    let none = gathered(&mixed[..1], &config);
    let refused = Trainer::of_drives(none, config, DeviceKind::Flex)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("got 4 scans"), "{refused}");
}
