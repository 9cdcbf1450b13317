//! The same run, again and again.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::float_cmp,
    reason = "these numbers are the same bits, or drawn apart"
)]

use std::path::Path;

use sedge_simulation::scripted::{Scripted, orca::Orca};
use sedge_simulation::{Scenario, Simulation, SnapshotError};
use sedge_spacetime::Twist2;

fn hallway() -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sims/hallway/scenario.toml");
    let mut scenario = Scenario::read(&file).unwrap();
    // Every sensor takes part.
    let crane = scenario.kinds.get_mut("crane").unwrap();
    let depth = "[depth]\nn_columns = 16\nn_rows = 12";
    let depth: std::collections::BTreeMap<String, _> = toml::from_str(depth).unwrap();
    crane.depth = depth.into_values().next();
    scenario
}

fn run(simulation: &mut Simulation, n_steps: u64) -> [u8; 32] {
    let mut driver = Scripted::Orca(Orca::default());
    let mut targets = Vec::new();
    for _ in 0..n_steps {
        driver.targets(simulation, &mut targets);
        simulation.step(&targets);
    }
    simulation.hash()
}

#[test]
fn a_seed_is_a_run_bit_by_bit() {
    let scenario = hallway();
    let hash = |seed| run(&mut Simulation::new(&scenario, seed).unwrap(), 400);
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn worlds_on_other_threads_are_the_same() {
    let scenario = hallway();
    let hash = |seed| run(&mut Simulation::new(&scenario, seed).unwrap(), 100);
    let here: Vec<_> = (0..4).map(hash).collect();
    let there: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|seed| scope.spawn(move || hash(seed))).collect();
        workers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(here, there);
}

#[test]
fn a_restored_run_ends_as_the_uninterrupted_one() {
    let scenario = hallway();
    let mut simulation = Simulation::new(&scenario, 3).unwrap();
    for middle in [1, 97, 250] {
        run(&mut simulation, middle);
        let snapshot = simulation.snapshot();
        let mut fork = simulation.fork();
        let uninterrupted = run(&mut simulation, 150);
        let metrics = simulation.metrics();
        assert_eq!(run(&mut fork, 150), uninterrupted, "fork after {middle}");

        let mut fresh = Simulation::new(&scenario, 3).unwrap();
        run(&mut fresh, 40);
        fresh.restore(&snapshot).unwrap();
        assert_eq!(fresh.snapshot(), snapshot, "restored after {middle}");
        assert_eq!(
            run(&mut fresh, 150),
            uninterrupted,
            "restored after {middle}"
        );
        assert_eq!(fresh.metrics(), metrics);
        assert_eq!(fresh.snapshot(), simulation.snapshot());
    }
}

#[test]
fn a_fork_does_not_touch_its_origin() {
    let scenario = hallway();
    let mut origin = Simulation::new(&scenario, 3).unwrap();
    run(&mut origin, 50);
    let before = origin.snapshot();
    let mut fork = origin.fork();
    let stop = [Twist2::default(); 8];
    fork.step(&stop);
    assert_ne!(fork.hash(), origin.hash());
    assert_eq!(origin.snapshot(), before);
}

#[test]
fn foreign_and_damaged_snapshots_are_refused() {
    let scenario = hallway();
    let mut simulation = Simulation::new(&scenario, 3).unwrap();
    run(&mut simulation, 10);
    let hash = simulation.hash();
    let other = Simulation::new(&scenario, 4).unwrap().snapshot();
    assert_eq!(simulation.restore(&other), Err(SnapshotError::OtherRun));
    let good = simulation.snapshot();
    let mut changed = good.clone();
    changed[100] ^= 1;
    for bad in [&[][..], &good[..20], &good[..good.len() - 1], &changed] {
        assert_eq!(
            simulation.restore(bad),
            Err(SnapshotError::Damaged(bad.len()))
        );
    }
    assert_eq!(simulation.hash(), hash);
}

#[test]
fn what_was_drawn_can_be_written_and_tells_runs_apart() {
    let scenario = hallway();
    let header = |seed| Simulation::new(&scenario, seed).unwrap().header().clone();
    assert_eq!(header(1), header(1));
    let (one, two) = (header(1), header(2));
    assert_ne!(one.floor_friction, two.floor_friction);
    for (one, two) in one.robots.iter().zip(&two.robots) {
        assert_ne!(one.mass_kg, two.mass_kg);
        assert_ne!(one.motor_gain, two.motor_gain);
        assert_ne!(one.noise_factor, two.noise_factor);
        assert_ne!(one.start, two.start);
    }
    for (one, two) in one.walkers.iter().zip(&two.walkers) {
        assert_ne!(one.speed_mps, two.speed_mps);
    }
    let written = toml::to_string(&one).unwrap();
    assert_eq!(
        toml::from_str::<sedge_simulation::RunHeader>(&written).unwrap(),
        one
    );
}
