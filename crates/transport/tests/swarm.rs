//! Swarms on networks that misbehave: a thousand of them, each a function of its seed.
//!
//! `SEDGE_SEED=123 cargo test -p sedge-transport --test swarm` runs the one of seed 123;
//! `SEDGE_SEEDS=100000` runs more than the first thousand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "swarm/checks.rs"]
mod checks;
#[path = "swarm/scenario.rs"]
mod scenario;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use scenario::{Report, Swarm};

const N_SEEDS: u64 = 1_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a seed is a whole number"))
}

/// Runs one swarm to its end and checks everything.
fn run(seed: u64) -> Report {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut swarm = Swarm::new(seed);
        swarm.misbehave();
        swarm.heal();
        checks::check(&swarm);
        swarm.report()
    }));
    outcome.unwrap_or_else(|panic| {
        eprintln!(
            "seed {seed} failed; again with\n    \
             SEDGE_SEED={seed} cargo test -p sedge-transport --test swarm"
        );
        resume_unwind(panic)
    })
}

#[test]
fn every_swarm_keeps_the_promises() {
    let seeds = match number("SEDGE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEDGE_SEEDS").unwrap_or(N_SEEDS),
    };
    let mut sum = Report::default();
    for seed in seeds.clone() {
        let report = run(seed);
        if seed % 50 == 0 {
            assert_eq!(run(seed), report, "seed {seed} is not the same twice");
        }
        sum.add(report);
    }
    eprintln!("{} swarms: {sum:?}", seeds.end - seeds.start);
    // Whether the swarms were any trouble at all.
    if seeds.end - seeds.start >= N_SEEDS {
        assert!(sum.is_everything_there(), "{sum:?}");
    }
}
