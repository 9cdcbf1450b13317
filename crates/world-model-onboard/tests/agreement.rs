//! The onboard engine and burn agree on the same checkpoint.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use sedge_spacetime::Twist2;
use sedge_world_model::{
    Action, ActionSequence, Company, Episode, Futures, MotionModel, MotionNoise, Observation,
    PrecisionError, PredictedScan, RegisteredScans, Reused, SensorEvent, WorldModel, conformance,
};
use sedge_world_model_burn::{DeviceKind, Trainer, TrainingData};
use sedge_world_model_onboard::{EngineConfig, OnboardEngine, PlanRows, Precision};
use sedge_world_model_trained::structure::{ENCODER_BEAMS, ENCODER_CHANNELS};
use sedge_world_model_trained::{
    CheckpointError, CompanyRow, Engine as _, HorizonRange, MODEL_FILE, Preset, SensedStep,
    TrainConfig, TrainedModel,
};

/// As far as two orders of the same sums may differ.
const LATENT_ERROR: f32 = 1e-4;
/// The same, through the decoder, in metres; the free component is an exponential.
const RANGE_ERROR_M: f32 = 2e-3;

/// As far as products of eight bits may lead from `f32`, in metres: on average over beams, and for
/// any movement.
const EIGHT_BITS_ERROR_M: f64 = 1e-3;

/// A short recipe, with a latent or without.
fn recipe(network: impl Fn(&mut TrainConfig)) -> TrainConfig {
    let mut config = Preset::Tiny.train(4);
    (config.updates, config.warmup_updates) = (12, 2);
    (config.stretches, config.stretch_scans, config.branches) = (2, 8, 2);
    config.horizons = HorizonRange::Secs { min: 0.4, max: 1.1 };
    network(&mut config);
    config
}

fn trained(episode: &Episode, config: TrainConfig, dir: &Path) {
    let motion_model = MotionModel::default();
    let scans = RegisteredScans::new(episode, &motion_model).unwrap();
    let data = TrainingData {
        episode,
        motion_model,
        motion_noise: MotionNoise::ASSUMED,
        scans: &scans,
    };
    let mut trainer = Trainer::new(&data, config, DeviceKind::Flex, &mut |_, _| ()).unwrap();
    for _ in 0..6 {
        trainer.update().unwrap();
    }
    trainer.save(dir).unwrap();
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s")
}

/// Ahead in a bend, and standing still.
fn plans() -> [ActionSequence; 2] {
    let bend = Action {
        duration: Duration::from_secs(3),
        twist: Twist2 {
            vx_mps: 0.6,
            vy_mps: 0.0,
            yaw_rate_radps: 0.4,
        },
    };
    [
        ActionSequence {
            actions: vec![bend].into(),
        },
        ActionSequence::default(),
    ]
}

fn farthest<'a>(of: impl IntoIterator<Item = (&'a f32, &'a f32)>) -> f32 {
    let off = of.into_iter().map(|(a, b)| (a - b).abs());
    off.fold(0.0, f32::max)
}

fn compare_scans(onboard: &PredictedScan, burn: &PredictedScan) {
    let rows: [fn(&PredictedScan) -> &[f32]; 4] = [
        |scan| &scan.mean_m,
        |scan| &scan.least_error_m,
        |scan| &scan.low_m,
        |scan| &scan.high_m,
    ];
    for row in rows {
        assert!(farthest(row(onboard).iter().zip(row(burn))) < RANGE_ERROR_M);
    }
    let hits = onboard.hit_probability.iter().zip(&burn.hit_probability);
    assert!(farthest(hits) < LATENT_ERROR);
    // Where two places are equally probable, the last digit decides which is the most probable.
    let modes = onboard.mode_m.iter().zip(&burn.mode_m);
    let other = modes.filter(|(a, b)| (*a - *b).abs() > RANGE_ERROR_M);
    assert!(other.count() * 50 <= burn.mode_m.len());
}

/// Feeds both the same events and compares what they believe and foresee at every scan. Returns how
/// many scans there were.
fn compare(dir: &Path, events: &[SensorEvent]) -> usize {
    let mut onboard = sedge_world_model_onboard::load(dir).unwrap();
    let mut burn = sedge_world_model_burn::load(dir, DeviceKind::Flex).unwrap();
    assert_eq!(onboard.name(), burn.name());
    let horizons = [0.3, 1.0, 2.0].map(Duration::from_secs_f64);
    let mut n_scans = 0;
    for event in events {
        for model in [&mut onboard, &mut burn] {
            model.observe(event).unwrap();
        }
        if !matches!(event.observation, Observation::Lidar(_)) {
            continue;
        }
        n_scans += 1;
        let latents = [&onboard, &burn].map(|model| model.belief().unwrap().latent);
        let off = farthest(latents[0].iter().zip(&latents[1]));
        assert!(off < LATENT_ERROR, "scan {n_scans}: latents {off} apart");
        if n_scans % 10 != 0 {
            continue;
        }
        let futures =
            [&mut onboard, &mut burn].map(|model| model.imagine(&plans(), &horizons).unwrap());
        let predictions = |k: usize| futures[k].iter().flat_map(|it| &it.predictions);
        for (one, other) in predictions(0).zip(predictions(1)) {
            compare_scans(&one.scan, &other.scan);
            let apart = one.motion.between(other.motion);
            assert!(apart.distance_m() < 1e-5 && apart.yaw_rad.abs() < 1e-5);
            let covariances = one.covariance.matrix() - other.covariance.matrix();
            assert!(covariances.amax() < 1e-6);
        }
    }
    n_scans
}

#[test]
fn the_shipped_weights_say_the_same_on_both_for_fifty_steps_and_more() {
    let geometry = conformance::full_circle(360);
    let events = conformance::crowded_drive(geometry, 8.0, (4, 6)).events();
    assert!(compare(&shipped(), &events) >= 50);
}

#[test]
fn so_do_odd_sizes_and_a_scanner_of_few_beams_with_and_without_latent() {
    let episode = conformance::crowded_drive(conformance::half_circle(61), 14.0, (3, 2));
    for latent in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let config = recipe(|config| {
            let network = &mut config.network;
            (network.deter, network.hidden, network.trunk_channels) = (20, 12, 6);
            (network.groups, network.classes, network.blocks) = (3, 5, 2);
            network.latent = latent;
        });
        trained(&episode, config, dir.path());
        assert!(compare(dir.path(), &episode.events()) > 100);
    }
}

#[test]
fn it_keeps_the_contract_of_world_models() {
    let episode = conformance::crowded_drive(conformance::full_circle(90), 14.0, (4, 6));
    let dir = tempfile::tempdir().unwrap();
    trained(&episode, recipe(|_| ()), dir.path());
    let make = || -> Box<dyn WorldModel> {
        Box::new(sedge_world_model_onboard::load(dir.path()).unwrap())
    };
    conformance::check_scanner(&|_| make(), episode.geometry);
}

/// Plans whose steps all differ.
fn plan_rows(n: usize, n_steps: usize) -> PlanRows {
    let motion = |k: usize| {
        let part = |by: usize| (k * by % 101) as f32 / 101.0;
        [part(7), 0.0, part(31) - 0.5, -2.0 + part(13)]
    };
    PlanRows {
        n,
        motions: (0..n * n_steps).map(motion).collect(),
        secs: (0..n * n_steps)
            .map(|k| 0.05 + (k % 9) as f32 / 40.0)
            .collect(),
        read_out: (0..512).map(|k| (k % 17) as f32 / 17.0 - 0.5).collect(),
    }
}

#[test]
fn threads_and_company_in_a_batch_change_no_bit() {
    let scan: Vec<f32> = (0..ENCODER_CHANNELS * ENCODER_BEAMS)
        .map(|k| (k * 7919 % 1009) as f32 / 1009.0)
        .collect();
    let step = SensedStep {
        scan: &scan,
        motion: [0.4, 0.0, 0.1, -2.3],
        dt_secs: 0.1,
        company: &CompanyRow::new(&Company::default(), None),
    };
    for precision in [Precision::F32, Precision::Int8] {
        let imagined = |threads: usize, plans: &PlanRows| {
            let config = EngineConfig {
                precision,
                threads,
                ..EngineConfig::default()
            };
            let (mut engine, _) = OnboardEngine::load(&shipped(), config).unwrap();
            engine.filter(&step);
            let imagined = engine.imagine(plans);
            let scores = imagined.scores().to_vec();
            (imagined.deter().to_vec(), imagined.hot().to_vec(), scores)
        };
        let plans = plan_rows(61, 5);
        let alone = imagined(1, &plans);
        assert!(alone.0.iter().all(|it| it.is_finite()));
        assert!((alone.2[0] - alone.2[1]).abs() > 1e-3, "plans differ");
        for threads in [2, 3, 64] {
            assert_eq!(imagined(threads, &plans), alone, "{threads} threads");
        }
        // The last twenty by themselves: enough for tiles, as all of them are.
        let of = |values: &[f32]| -> Vec<f32> {
            let steps = values.chunks_exact(61);
            steps.flat_map(|step| step[41..].iter().copied()).collect()
        };
        let motions = plans.motions.chunks_exact(61);
        let last = PlanRows {
            n: 20,
            motions: motions.flat_map(|step| step[41..].to_vec()).collect(),
            secs: of(&plans.secs),
            read_out: plans.read_out.clone(),
        };
        let by_themselves = imagined(1, &last);
        assert_eq!(by_themselves.0, alone.0[41 * 256..]);
        assert_eq!(by_themselves.2, alone.2[41..]);
        // One of them, for which single precision takes vectors.
        let one = PlanRows {
            n: 1,
            motions: last.motions.iter().step_by(20).copied().collect(),
            secs: last.secs.iter().step_by(20).copied().collect(),
            read_out: plans.read_out.clone(),
        };
        let by_itself = imagined(1, &one);
        for (got, expected) in by_itself.0.iter().zip(&alone.0[41 * 256..]) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
    }
}

#[test]
fn eight_bits_keep_the_contract_of_world_models() {
    let episode = conformance::crowded_drive(conformance::full_circle(90), 14.0, (4, 6));
    let dir = tempfile::tempdir().unwrap();
    trained(&episode, recipe(|_| ()), dir.path());
    let config = EngineConfig {
        precision: Precision::Int8,
        threads: 2,
        also: None,
    };
    let make = || -> Box<dyn WorldModel> {
        Box::new(sedge_world_model_onboard::load_with(dir.path(), config).unwrap())
    };
    conformance::check_scanner(&|_| make(), episode.geometry);
}

#[test]
fn eight_bits_believe_the_same_and_foresee_nearly_the_same() {
    let events = conformance::crowded_drive(conformance::full_circle(360), 8.0, (4, 6)).events();
    let narrow = EngineConfig {
        precision: Precision::Int8,
        threads: 2,
        also: None,
    };
    let mut wide = sedge_world_model_onboard::load(&shipped()).unwrap();
    let mut narrow = sedge_world_model_onboard::load_with(&shipped(), narrow).unwrap();
    let horizons = [0.3, 1.0, 2.0].map(Duration::from_secs_f64);
    let (mut n_scans, mut n_beams, mut off_m, mut farthest_m) = (0, 0, 0.0, 0.0_f64);
    for event in &events {
        for model in [&mut wide, &mut narrow] {
            model.observe(event).unwrap();
        }
        if !matches!(event.observation, Observation::Lidar(_)) {
            continue;
        }
        n_scans += 1;
        let latents = [&wide, &narrow].map(|model| model.belief().unwrap().latent);
        assert_eq!(latents[0], latents[1]);
        if n_scans % 10 != 0 {
            continue;
        }
        let futures =
            [&mut wide, &mut narrow].map(|model| model.imagine(&plans(), &horizons).unwrap());
        let predictions = |k: usize| futures[k].iter().flat_map(|it| &it.predictions);
        for (one, other) in predictions(0).zip(predictions(1)) {
            let beams = one.scan.least_error_m.iter().zip(&other.scan.least_error_m);
            off_m += beams.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
            n_beams += one.scan.least_error_m.len();
            farthest_m = farthest_m.max(one.motion.between(other.motion).distance_m());
        }
    }
    let off_m = off_m / n_beams as f64;

    assert!(off_m < EIGHT_BITS_ERROR_M, "scans {off_m} m apart");
    assert!(
        farthest_m < EIGHT_BITS_ERROR_M,
        "movements {farthest_m} m apart"
    );
    assert!(off_m > 0.0, "nothing was rounded");
}

/// An engine that is told what to imagine in between two calls.
fn ready_for_both(precision: Precision, threads: usize) -> EngineConfig {
    EngineConfig {
        precision,
        threads,
        also: Some(Precision::Int8),
    }
}

#[test]
fn engines_that_change_their_numbers_keep_the_contract_of_world_models() {
    let episode = conformance::crowded_drive(conformance::full_circle(90), 14.0, (4, 6));
    for latent in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let config = recipe(|config| config.network.latent = latent);
        trained(&episode, config, dir.path());
        let config = ready_for_both(Precision::F32, 2);
        let load = || sedge_world_model_onboard::load_with(dir.path(), config).unwrap();
        conformance::check_scanner(&|_| Box::new(load()), episode.geometry);
        // Without a latent nothing is imagined in any numbers.
        assert_eq!(load().imagine_in(Precision::Int8).is_ok(), latent);
    }
}

/// What is foreseen at every tenth scan, after `change` was done to the model.
fn foreseen(
    config: EngineConfig,
    change: impl Fn(&mut TrainedModel, usize),
) -> Vec<Reused<Futures>> {
    let events = conformance::crowded_drive(conformance::full_circle(360), 4.0, (4, 6)).events();
    let mut model = sedge_world_model_onboard::load_with(&shipped(), config).unwrap();
    let horizons = [0.3, 1.0, 2.0].map(Duration::from_secs_f64);
    let (mut n_scans, mut futures) = (0, Vec::new());
    for event in &events {
        model.observe(event).unwrap();
        n_scans += usize::from(matches!(event.observation, Observation::Lidar(_)));
        if matches!(event.observation, Observation::Lidar(_)) && n_scans % 10 == 0 {
            change(&mut model, n_scans / 10);
            futures.push(model.imagine(&plans(), &horizons).unwrap());
        }
    }
    futures
}

#[test]
fn numbers_changed_between_calls_give_the_bits_of_an_engine_started_in_them() {
    let only = |precision| EngineConfig {
        precision,
        ..EngineConfig::default()
    };
    let wide = foreseen(only(Precision::F32), |_, _| ());
    let narrow = foreseen(only(Precision::Int8), |_, _| ());
    assert!(wide.len() >= 3 && wide[0] != narrow[0]);
    for (start, threads) in [
        (Precision::F32, 1),
        (Precision::F32, 3),
        (Precision::Int8, 2),
    ] {
        let by_turns = foreseen(ready_for_both(start, threads), |model, nth| {
            let precision = [Precision::F32, Precision::Int8][nth % 2];
            model.imagine_in(precision).unwrap();
        });
        for (idx, got) in by_turns.iter().enumerate() {
            let expected = [&wide, &narrow][(idx + 1) % 2];
            assert_eq!(*got, expected[idx], "from {start} on {threads} threads");
        }
    }
    // Batches too, in which other memory serves: as many plans as fill tiles, and fewer.
    for (n, threads) in [(61, 1), (61, 3), (7, 2)] {
        let plans = plan_rows(n, 5);
        let imagined = |engine: &mut OnboardEngine| {
            let imagined = engine.imagine(&plans);
            let scores = imagined.scores().to_vec();
            (imagined.deter().to_vec(), imagined.hot().to_vec(), scores)
        };
        let fresh = |precision| {
            let (mut engine, _) = OnboardEngine::load(&shipped(), only(precision)).unwrap();
            imagined(&mut engine)
        };
        let config = ready_for_both(Precision::F32, threads);
        let (mut engine, _) = OnboardEngine::load(&shipped(), config).unwrap();
        for precision in [Precision::Int8, Precision::F32, Precision::Int8] {
            engine.imagine_in(precision).unwrap();
            assert!(
                imagined(&mut engine) == fresh(precision),
                "{n} in {precision}"
            );
        }
    }
}

#[test]
fn numbers_that_were_not_loaded_are_refused_and_change_nothing() {
    let (mut engine, _) = OnboardEngine::load(&shipped(), EngineConfig::default()).unwrap();
    let precision = Precision::Int8;
    assert_eq!(
        engine.imagine_in(precision),
        Err(PrecisionError { precision })
    );
    // What filters is there in any case.
    assert_eq!(engine.imagine_in(Precision::F32), Ok(Precision::F32));
    let config = EngineConfig {
        precision: Precision::Int8,
        ..EngineConfig::default()
    };
    let (mut engine, _) = OnboardEngine::load(&shipped(), config).unwrap();
    assert_eq!(engine.imagine_in(Precision::F32), Ok(Precision::Int8));
    let mut burn = sedge_world_model_burn::load(&shipped(), DeviceKind::Flex).unwrap();
    assert_eq!(
        burn.imagine_in(precision),
        Err(PrecisionError { precision })
    );
}

/// What loading says of a changed model file.
fn refused(change: impl Fn(&mut Vec<u8>)) -> CheckpointError {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(shipped().join(MODEL_FILE)).unwrap();
    change(&mut bytes);
    std::fs::write(dir.path().join(MODEL_FILE), bytes).unwrap();
    let loaded: Result<TrainedModel, _> = sedge_world_model_onboard::load(dir.path());
    loaded.err().unwrap()
}

#[test]
fn damaged_weights_are_refused() {
    let flipped = refused(|bytes| *bytes.last_mut().unwrap() ^= 1);
    assert!(
        matches!(flipped, CheckpointError::OtherHash { .. }),
        "{flipped}"
    );
    let cut = refused(|bytes| bytes.truncate(bytes.len() / 2));
    assert!(matches!(cut, CheckpointError::Malformed { .. }), "{cut}");
    let absent = sedge_world_model_onboard::load(Path::new("nowhere"));
    assert!(matches!(absent.err(), Some(CheckpointError::Io { .. })));
}
