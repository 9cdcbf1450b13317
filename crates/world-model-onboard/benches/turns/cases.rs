//! What is timed, by the names that the other side knows.

use std::time::Instant;

use sedge_world_model_onboard::OnboardEngine;
use sedge_world_model_onboard::workload::{Work, Workload};

/// Steps of a plan.
pub(crate) const N_STEPS: usize = 15;
const N_SAMPLES: usize = 256;
const N_ITERATIONS: usize = 3;

/// `filter`, `imagine-64` or `plan`.
pub(crate) fn named(name: &str) -> Work {
    match (name, name.strip_prefix("imagine-")) {
        ("filter", _) => Work::Filter,
        ("plan", _) => Work::Plan {
            n_samples: N_SAMPLES,
            n_steps: N_STEPS,
            n_iterations: N_ITERATIONS,
        },
        (_, Some(n)) => Work::Imagine {
            n_plans: n.parse().expect("a number of plans"),
            n_steps: N_STEPS,
        },
        _ => panic!("expected filter, imagine-N or plan, got {name}"),
    }
}

/// Microseconds of so many calls.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
pub(crate) fn measured(work: Work, engine: &mut OnboardEngine, n_calls: usize) -> Vec<f64> {
    let mut load = Workload::new(work);
    // What is taken up again after the other side's turn is not the engine's time.
    for _ in 0..3 {
        load.call(engine);
    }
    (0..n_calls)
        .map(|_| {
            let begin = Instant::now();
            load.call(engine);
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect()
}
