//! What engines take for the same network: `cargo bench -p sedge-world-model-onboard`, which writes
//! `RESULTS.md`.
//!
//! The shipped weights, one thread of the caller's, both engines in turn in one run; burn is asked
//! for its CPU backend. Every call is timed by itself and nothing is left out.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use sedge_world_model_burn::DeviceKind;
use sedge_world_model_trained::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, IMU_INPUTS, N_OTHERS,
    OTHER_INPUTS,
};
use sedge_world_model_trained::{CompanyRow, DecoderRows, Engine, FutureRows, SensedStep};

const N_BEAMS: usize = 360;
const HEAD: &str = include_str!("results_page.md");

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// Numbers from 0 to 1 that look random, the same each time.
fn numbers(n: usize) -> Vec<f32> {
    let number = |k: usize| (k * 7919 % 1009) as f32 / 1009.0;
    (0..n).map(number).collect()
}

fn futures(n: usize) -> FutureRows {
    FutureRows {
        n,
        n_beams: N_BEAMS,
        views: DecoderRows {
            features: numbers(n * DECODER_CHANNELS * N_BEAMS),
            candidates_m: numbers(n * COMPONENTS.len() * N_BEAMS)
                .into_iter()
                .map(|x| 0.5 + 8.0 * x)
                .collect(),
        },
        motions: vec![[3.0, 0.2, 0.5, 0.0]; n],
        part_motions: vec![[0.8, 0.1, 0.1, -1.4]; n],
        part_secs: vec![0.25; n],
        read_out: None,
    }
}

/// Microseconds of so many calls, sorted.
fn measured(n_calls: usize, mut call: impl FnMut()) -> Vec<f64> {
    for _ in 0..n_calls / 20 + 2 {
        call();
    }
    let mut micros: Vec<f64> = (0..n_calls)
        .map(|_| {
            let begin = now();
            call();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    micros.sort_unstable_by(f64::total_cmp);
    micros
}

/// A row of the table: the engine's times, and how many times those of burn they are.
fn row(page: &mut String, (case, engine): (&str, &str), micros: &[f64], burn: &[f64]) {
    let at = |micros: &[f64], share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| at(micros, share));
    let ratio = |share: f64| at(burn, share) / at(micros, share);
    let row = format!(
        "| {case} | {engine} | {} | {p50:.0} | {p99:.0} | {p999:.0} | {max:.0} | {:.1} | {:.1} |",
        micros.len(),
        ratio(0.5),
        ratio(0.99),
    );
    println!("{row}");
    writeln!(page, "{row}").expect("a string takes everything");
}

fn race(page: &mut String, case: &str, n_calls: usize, call: &dyn Fn(&mut dyn Engine)) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
    let mut burn = sedge_world_model_burn::load(&dir, DeviceKind::Flex).expect("shipped weights");
    let mut onboard = sedge_world_model_onboard::load(&dir).expect("shipped weights");
    let burn = measured(n_calls, || call(burn.engine()));
    let onboard = measured(n_calls, || call(onboard.engine()));
    row(page, (case, "burn, flex"), &burn, &burn);
    row(page, (case, "onboard"), &onboard, &burn);
}

fn main() {
    let mut page = HEAD.to_owned();
    let scan = numbers(ENCODER_CHANNELS * ENCODER_BEAMS);
    let company = CompanyRow {
        imu: [0.1; IMU_INPUTS],
        others: numbers(N_OTHERS * OTHER_INPUTS).into(),
        valid: [1.0; N_OTHERS],
    };
    race(&mut page, "filter a scan", 10_000, &|engine| {
        engine.filter(&SensedStep {
            scan: &scan,
            motion: [0.4, 0.0, 0.1, -2.3],
            dt_secs: 0.1,
            company: &company,
        });
    });
    for (n, n_calls) in [(1, 10_000), (9, 2_000), (64, 300)] {
        let rows = futures(n);
        let case = format!("imagine and decode {n}");
        race(&mut page, &case, n_calls, &|engine| {
            black_box(engine.foresee(&rows));
        });
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
    // Sections that others write stay.
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some(at) = before.find("\n## ") {
        page.push_str(&before[at..]);
    }
    std::fs::write(path, page).expect("the results are written");
}
