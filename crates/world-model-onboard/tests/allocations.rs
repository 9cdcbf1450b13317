//! Nothing is allocated once an engine has filtered, decoded and imagined before: what a robot's
//! control loop does must not wait for memory.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::System;
use std::path::Path;

use sedge_world_model_onboard::{EngineConfig, OnboardEngine, PlanRows, Precision};
use sedge_world_model_trained::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, IMU_INPUTS, N_OTHERS,
    OTHER_INPUTS,
};
use sedge_world_model_trained::{CompanyRow, DecoderRows, Engine as _, FutureRows, SensedStep};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const N_BEAMS: usize = 360;
const N_ROUNDS: usize = 100;
/// Of which one must be free of any.
const N_BATCHES: usize = 4;

fn plans(n: usize, n_steps: usize) -> PlanRows {
    PlanRows {
        n,
        motions: vec![[0.4, 0.0, 0.1, -2.3]; n * n_steps],
        secs: vec![0.1; n * n_steps],
        read_out: vec![0.1; 512],
    }
}

/// Allocations and their opposites in many rounds after the first.
fn allocations(config: EngineConfig) -> usize {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
    let (mut engine, _) = OnboardEngine::load(&dir, config).unwrap();
    let scan = vec![0.3; ENCODER_CHANNELS * ENCODER_BEAMS];
    let company = CompanyRow {
        imu: [1.0; IMU_INPUTS],
        others: vec![0.2; N_OTHERS * OTHER_INPUTS].into(),
        valid: [1.0; N_OTHERS],
    };
    let view = FutureRows {
        n: 1,
        n_beams: N_BEAMS,
        views: DecoderRows {
            features: vec![0.5; DECODER_CHANNELS * N_BEAMS],
            candidates_m: vec![2.0; COMPONENTS.len() * N_BEAMS],
        },
        motions: vec![[0.0; 4]],
        part_motions: vec![[0.0; 4]],
        part_secs: vec![0.25],
        read_out: None,
    };
    // Fewer plans than before take no new memory either.
    let plans = [plans(64, 2), plans(61, 1), plans(1, 2)];
    let mut round = || {
        engine.filter(&SensedStep {
            scan: &scan,
            motion: [0.4, 0.0, 0.1, -2.3],
            dt_secs: 0.1,
            company: &company,
        });
        assert!(engine.decode(&view).mixture.weight[0].is_finite());
        for plans in &plans {
            assert_eq!(engine.imagine(plans).scores().len(), plans.n);
        }
        if config.also.is_some() {
            for precision in [Precision::Int8, Precision::F32, config.precision] {
                engine.imagine_in(precision).unwrap();
                assert_eq!(engine.imagine(&plans[0]).n(), plans[0].n);
            }
        }
    };
    for _ in 0..3 {
        round();
    }
    // What a thread takes when it first waits for another comes once, whenever that is; what a
    // round takes comes in every batch of rounds.
    let mut batch = || {
        let region = Region::new(ALLOCATOR);
        for _ in 0..N_ROUNDS {
            round();
        }
        let change = region.change();
        change.allocations + change.reallocations + change.deallocations
    };
    (0..N_BATCHES).map(|_| batch()).min().unwrap_or_default()
}

fn check(config: EngineConfig) {
    assert_eq!(allocations(config), 0, "{config:?}");
    println!("a warm engine allocates nothing: {config:?} ... ok");
}

fn main() {
    // The instrument counts at all.
    let region = Region::new(ALLOCATOR);
    drop(std::hint::black_box(Vec::<u8>::with_capacity(100)));
    assert_eq!(region.change().allocations, 1);
    for precision in [Precision::F32, Precision::Int8] {
        for threads in [1, 2] {
            let also = None;
            check(EngineConfig {
                precision,
                threads,
                also,
            });
            // Each round imagines in both.
            let also = Some(Precision::Int8);
            check(EngineConfig {
                precision,
                threads,
                also,
            });
        }
    }
}
