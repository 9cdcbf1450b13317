//! Our side of the race against `PyTorch`: answers one request a line, so that both sides take
//! turns in one run. `python -m peers.engines` in `notebooks/` asks.
//!
//! - `race CASE ENGINE N`: the microseconds of N calls, each timed by itself, on one line.
//! - `ceiling THREADS`: what large products reach, `f32` GFLOP/s and `int8` GOP/s.
//! - `work CASE`: multiplications and additions in the products of a call, in millions.
//! - `answers FILE`: inputs and what the engine made of them, as safetensors.

#[path = "turns/answers.rs"]
mod answers;
#[path = "turns/cases.rs"]
mod cases;
#[path = "turns/ceiling.rs"]
mod ceiling;

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use sedge_world_model_onboard::{EngineConfig, OnboardEngine, Precision};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s")
}

/// `f32-1` to `int8-2`: precision and threads.
fn engine(name: &str) -> OnboardEngine {
    let (precision, threads) = name.split_once('-').expect("PRECISION-THREADS");
    let config = EngineConfig {
        precision: match precision {
            "f32" => Precision::F32,
            "int8" => Precision::Int8,
            other => panic!("expected f32 or int8, got {other}"),
        },
        also: None,
        threads: threads.parse().expect("a number of threads"),
    };
    let (engine, _) = OnboardEngine::load(&shipped(), config).expect("shipped weights");
    engine
}

fn answer(request: &str, engines: &mut BTreeMap<String, OnboardEngine>) -> String {
    let words: Vec<&str> = request.split_whitespace().collect();
    match words[..] {
        ["race", case, name, n] => {
            let engine = engines
                .entry(name.to_owned())
                .or_insert_with(|| engine(name));
            let n = n.parse().expect("a number of calls");
            let micros = cases::measured(cases::named(case), engine, n);
            let micros: Vec<String> = micros.iter().map(|it| format!("{it:.3}")).collect();
            micros.join(" ")
        }
        ["ceiling", threads] => ceiling::reached(threads.parse().expect("a number of threads")),
        ["work", case] => format!("{:.3}", cases::named(case).mega_operations()),
        ["answers", file] => {
            answers::write(&mut engine("f32-1"), Path::new(file));
            "written".to_owned()
        }
        _ => panic!("expected race, ceiling, work or answers, got {request:?}"),
    }
}

fn main() {
    let mut engines = BTreeMap::new();
    // Without anybody who asks, as when all benchmarks are run, there is nothing to do.
    for request in std::io::stdin().lock().lines() {
        let request = request.expect("requests are text");
        println!("{}", answer(&request, &mut engines));
        std::io::stdout().flush().expect("answers are taken");
    }
}
