//! A model among walkers and neighbours: trained with them, used with and without them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use sedge_world_model::{
    ActionSequence, Episode, MotionModel, MotionNoise, Observation, RegisteredScans, SensorEvent,
    WorldModel, conformance,
};
use sedge_world_model_burn::{DeviceKind, LoadError, Trainer, TrainingData};
use sedge_world_model_trained::{HorizonRange, MODEL_FILE, Preset, TrainConfig, TrainedModel};

const N_BEAMS: usize = 90;

fn crowd() -> Episode {
    conformance::crowded_drive(conformance::full_circle(N_BEAMS), 14.0, (4, 6))
}

fn recipe() -> TrainConfig {
    let mut config = Preset::Tiny.train(4);
    (
        config.network.deter,
        config.network.hidden,
        config.network.trunk_channels,
    ) = (16, 16, 8);
    (config.updates, config.warmup_updates) = (12, 2);
    (config.stretches, config.stretch_scans, config.branches) = (2, 8, 2);
    config.horizons = HorizonRange::Secs { min: 0.4, max: 1.1 };
    config
}

fn trained(episode: &Episode, dir: &Path) {
    let motion_model = MotionModel::default();
    let scans = RegisteredScans::new(episode, &motion_model).unwrap();
    let data = TrainingData {
        episode,
        motion_model,
        motion_noise: MotionNoise::ASSUMED,
        scans: &scans,
    };
    let mut trainer = Trainer::new(&data, recipe(), DeviceKind::Flex, &mut |_, _| ()).unwrap();
    for _ in 0..6 {
        assert!(trainer.update().unwrap().loss.is_finite());
    }
    trainer.save(dir).unwrap();
}

fn lived(dir: &Path, events: &[SensorEvent]) -> TrainedModel {
    let mut model = sedge_world_model_burn::load(dir, DeviceKind::Flex).unwrap();
    for event in events {
        model.observe(event).unwrap();
    }
    model
}

#[test]
fn company_reaches_the_latent_and_a_model_without_it_goes_on() {
    let (episode, dir) = (crowd(), tempfile::tempdir().unwrap());
    trained(&episode, dir.path());
    let events = episode.events();
    let own = |event: &&SensorEvent| {
        matches!(
            event.observation,
            Observation::Lidar(_) | Observation::Odometry(_)
        )
    };
    let alone: Vec<SensorEvent> = events.iter().filter(own).cloned().collect();
    let mut with = lived(dir.path(), &events);
    let mut without = lived(dir.path(), &alone);
    assert!(!with.movers().is_empty() && with.neighbours().len() == 1);
    assert!(without.neighbours().is_empty());
    assert_ne!(
        with.belief().unwrap().latent,
        without.belief().unwrap().latent
    );
    for model in [&mut with, &mut without] {
        let futures = model
            .imagine(&[ActionSequence::default()], &[Duration::from_secs(1)])
            .unwrap();
        let scan = &futures[0].predictions[0].scan;
        assert!(
            scan.mean_m
                .iter()
                .all(|range| (0.05..=20.0).contains(range))
        );
        assert!(
            scan.low_m
                .iter()
                .zip(&scan.high_m)
                .all(|(low, high)| low <= high)
        );
    }
    let make = || -> Box<dyn WorldModel> {
        Box::new(sedge_world_model_burn::load(dir.path(), DeviceKind::Flex).unwrap())
    };
    conformance::check_scanner(&|_| make(), episode.geometry);
}

#[test]
fn weights_of_the_structure_before_movers_are_refused_loudly() {
    let (episode, dir) = (crowd(), tempfile::tempdir().unwrap());
    trained(&episode, dir.path());
    let path = dir.path().join(MODEL_FILE);
    let text = b"\\\"version\\\":2,";
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(text.len()).position(|it| it == text).unwrap();
    bytes[at + text.len() - 2] = b'1';
    std::fs::write(&path, bytes).unwrap();
    match sedge_world_model_burn::load(dir.path(), DeviceKind::Flex) {
        Err(LoadError::Checkpoint(error)) => {
            let text = error.to_string();
            assert!(
                text.contains("checkpoint version 2") && text.contains("got 1"),
                "{text}"
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a checkpoint of version 1 was loaded"),
    }
}
