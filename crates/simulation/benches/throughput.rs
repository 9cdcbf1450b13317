//! What steps and rays take on one core: `cargo bench -p sedge-simulation`.
//!
//! Robots of 0.2 m radius drive about by held random commands, one for each 4 m² of a square room
//! that has 56 boxes in it besides its four walls; they bump into each other and into the boxes.
//! Every row is the best of several runs after a warm-up, in this process, on this thread, in the
//! processor's time where the kernel tells it (Linux) and else by the clock: other work on the
//! machine makes runs slower, never faster. `cargo bench -p sedge-simulation -- rays` runs the
//! parts whose name contains the word; `... -- like-for-like 64` prints one measurement of each
//! kind for `notebooks/peers`, which sets it beside other simulators.

use std::fs;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sedge_simulation::{STEP_SECS, Scenario, Simulation};
use sedge_spacetime::Twist2;

const N_RUNS: usize = 5;
const BEAMS: usize = 360;
/// Steps for which a robot holds a command.
const HOLD_STEPS: u64 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sensing {
    Nothing,
    LidarAt10Hz,
    LidarEachStep,
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |part: &str| {
        let words: Vec<&String> = wanted.iter().filter(|it| !it.starts_with('-')).collect();
        words.is_empty() || words.iter().any(|word| part.contains(word.as_str()))
    };
    if wanted.iter().any(|it| it == "like-for-like") {
        let n_robots = wanted.iter().find_map(|it| it.parse().ok());
        like_for_like(n_robots.unwrap_or(64));
        return;
    }
    if is_wanted("steps") {
        steps();
    }
    if is_wanted("rays") {
        rays();
    }
    if is_wanted("realtime") {
        real_time();
    }
    if is_wanted("snapshot") {
        snapshots();
    }
}

/// One line for a script: microseconds of a step without sensors, and of one with a scan by each
/// robot, in runs long enough for the kernel's accounting.
fn like_for_like(n_robots: usize) {
    let micros = |sensing, n_steps: usize| {
        let mut simulation = driven(&scenario(n_robots, sensing), 100);
        let begin = now();
        drive(&mut simulation, n_steps);
        now().saturating_sub(begin).as_secs_f64() * 1e6 / n_steps as f64
    };
    let bare = micros(Sensing::Nothing, (200_000 / n_robots).clamp(200, 40_000));
    let scanning = micros(Sensing::LidarEachStep, (8_000 / n_robots).clamp(10, 4_000));
    println!("like-for-like robots={n_robots} step_micros={bare} scanning_micros={scanning}");
}

fn steps() {
    println!("robot-steps without sensors, one core");
    println!(
        "{:>8} {:>14} {:>18}",
        "robots", "us a step", "robot-steps/s"
    );
    for n_robots in [1, 16, 64, 256, 1_024] {
        let n_steps = (200_000 / n_robots).clamp(100, 20_000);
        let secs = best(&scenario(n_robots, Sensing::Nothing), n_steps);
        let rate = n_robots as f64 / secs;
        println!("{n_robots:>8} {:>14.2} {rate:>18.0}", secs * 1e6);
    }
}

fn rays() {
    println!("\nrays of {BEAMS}-beam scans with noise, hashed with the rest, one core");
    println!(
        "{:>8} {:>14} {:>18} {:>18}",
        "robots", "ns a ray", "rays/s", "noise-free rays/s"
    );
    for n_robots in [1, 16, 64, 256] {
        let n_steps = (6_000 / n_robots).clamp(50, 2_000);
        let with = best(&scenario(n_robots, Sensing::LidarEachStep), n_steps);
        let without = best(&scenario(n_robots, Sensing::Nothing), n_steps);
        let a_ray = (with - without) / (n_robots * BEAMS) as f64;
        let simulation = driven(&scenario(n_robots, Sensing::LidarEachStep), 100);
        let scans = fastest(|| {
            (0..n_robots).for_each(|idx| drop(black_box(simulation.true_scan(idx))));
        });
        let noise_free = (n_robots * BEAMS) as f64 / scans.as_secs_f64();
        println!(
            "{n_robots:>8} {:>14.1} {:>18.0} {noise_free:>18.0}",
            a_ray * 1e9,
            a_ray.recip()
        );
    }
}

fn real_time() {
    println!("\nrobots with a {BEAMS}-beam lidar at 10 Hz, one core");
    println!("{:>8} {:>22}", "robots", "simulated s a second");
    for n_robots in [64, 128, 256, 512, 1_024, 2_048] {
        let n_steps = (50_000 / n_robots).clamp(50, 500);
        let secs = best(&scenario(n_robots, Sensing::LidarAt10Hz), n_steps);
        println!("{n_robots:>8} {:>22.2}", STEP_SECS / secs);
    }
}

fn snapshots() {
    println!("\nsnapshots");
    println!(
        "{:>8} {:>10} {:>12} {:>12} {:>12}",
        "robots", "bytes", "take us", "restore us", "fork us"
    );
    for n_robots in [8, 64, 1_024] {
        let mut simulation = driven(&scenario(n_robots, Sensing::LidarAt10Hz), 100);
        let bytes = simulation.snapshot();
        let take = fastest(|| drop(black_box(simulation.snapshot())));
        let fork = fastest(|| drop(black_box(simulation.fork())));
        let restore = fastest(|| simulation.restore(&bytes).expect("just taken"));
        let micros = |it: Duration| it.as_secs_f64() * 1e6;
        println!(
            "{n_robots:>8} {:>10} {:>12.1} {:>12.1} {:>12.1}",
            bytes.len(),
            micros(take),
            micros(restore),
            micros(fork)
        );
    }
}

/// Seconds of one step.
fn best(scenario: &Scenario, n_steps: usize) -> f64 {
    let mut simulation = driven(scenario, 100);
    let run = fastest(|| drive(&mut simulation, n_steps));
    run.as_secs_f64() / n_steps as f64
}

fn driven(scenario: &Scenario, n_steps: usize) -> Simulation {
    let mut simulation = Simulation::new(scenario, 1).expect("there is room");
    drive(&mut simulation, n_steps);
    simulation
}

fn drive(simulation: &mut Simulation, n_steps: usize) {
    let mut targets = vec![Twist2::default(); simulation.robots().len()];
    for _ in 0..n_steps {
        if simulation.n_steps().is_multiple_of(HOLD_STEPS) {
            let turn = simulation.n_steps() / HOLD_STEPS;
            for (robot_idx, target) in targets.iter_mut().enumerate() {
                let draw = scattered(turn.wrapping_mul(7_919) + robot_idx as u64);
                target.vx_mps = 0.3 + 0.7 * draw;
                target.yaw_rate_radps = 3.0 * (scattered((draw * 1e9) as u64) - 0.5);
            }
        }
        simulation.step(&targets);
    }
    black_box(simulation.hash());
}

/// A number from 0 to 1 that depends on another without a pattern to see (splitmix64).
fn scattered(seed: u64) -> f64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let timed = |_| {
        let begin = now();
        run();
        now().saturating_sub(begin)
    };
    (0..N_RUNS).map(timed).min().unwrap_or_default()
}

/// Time since any fixed point: what this thread had of a processor, or the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn now() -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let by_clock = BEGIN.get_or_init(Instant::now).elapsed();
    let had_nanos = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let had_nanos = had_nanos.and_then(|it| it.split(' ').next()?.parse().ok());
    had_nanos.map_or(by_clock, Duration::from_nanos)
}

fn scenario(n_robots: usize, sensing: Sensing) -> Scenario {
    let half_m = ((4 * n_robots) as f64).sqrt().max(12.0) / 2.0;
    let long_m = 2.0 * half_m + 0.4;
    let lidar = match sensing {
        Sensing::Nothing => String::new(),
        Sensing::LidarAt10Hz => format!("lidar = {{ n_beams = {BEAMS} }}"),
        Sensing::LidarEachStep => format!("lidar = {{ n_beams = {BEAMS}, rate_hz = 100.0 }}"),
    };
    let mut text = format!(
        r#"
        name = "bench"
        duration_secs = 80000.0
        [kinds.crane]
        height_m = 0.4
        mass_kg = 15.0
        body.cylinder.radius_m = 0.2
        drive.differential.max_speed_mps = 1.0
        {lidar}
        [[groups]]
        kind = "crane"
        count = {n_robots}
        spawn = {{ min_m = [{0}, {0}], max_m = [{half_m}, {half_m}] }}
        "#,
        -half_m
    );
    let mut wall = |[x, y]: [f64; 2], [sx, sy]: [f64; 2], yaw_rad: f64| {
        let wall = format!("center_m = [{x}, {y}]\nsize_m = [{sx}, {sy}]\nyaw_rad = {yaw_rad}\n");
        text.push_str("[[walls]]\n");
        text.push_str(&wall);
    };
    for side_m in [-half_m - 0.1, half_m + 0.1] {
        wall([side_m, 0.0], [0.2, long_m], 0.0);
        wall([0.0, side_m], [long_m, 0.2], 0.0);
    }
    for box_idx in 0..56_u64 {
        let place = |of: u64| (2.0 * scattered(3 * box_idx + of) - 1.0) * (half_m - 0.5);
        let yaw_rad = 3.0 * scattered(3 * box_idx + 2);
        wall([place(0), place(1)], [0.6, 0.3], yaw_rad);
    }
    Scenario::parse(&text, "bench").expect("the scenario is written here")
}
