//! What planning takes: `cargo bench -p sedge-planning`, which writes `RESULTS.md`.
//!
//! Every call is timed by itself; what reading the clock takes is taken off. The world is a toy
//! whose scans cost next to nothing, so that these are the planner's own times: a model's
//! imagination comes on top, once a plan.

#[path = "../tests/toy_world/toy_world.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod toy_world;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use sedge_planning::{
    ClearanceField, Evidence, FieldConfig, Goal, Method, PlannerConfig, SafetyConfig, SafetyFilter,
    StopOrder, TimedScan, TimedTwist, UnknownSpace,
};
use sedge_spacetime::Pose2;
use sedge_world_model::{
    Action, ActionSequence, Belief, Futures, ImagineError, LidarScan, ObserveError, PredictedScan,
    Reused, SensorEvent, WorldModel,
};
use toy_world::{Body, ToyWorld};

const N_CALLS: usize = 10_000;
const N_WARM_UP_CALLS: usize = 200;
const N_BEAMS: usize = 360;

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// What two readings of the clock take by themselves, in the best of many cases.
fn clock_cost() -> Duration {
    let cost = |_| {
        let begin = now();
        now() - begin
    };
    (0..N_CALLS).map(cost).min().unwrap_or_default()
}

/// Times each call; one row of the table.
fn measure<T>(table: &mut String, name: &str, mut call: impl FnMut() -> T) {
    let clock_cost = clock_cost();
    for _ in 0..N_WARM_UP_CALLS {
        black_box(call());
    }
    let mut times: Vec<Duration> = Vec::with_capacity(N_CALLS);
    for _ in 0..N_CALLS {
        let begin = now();
        let result = call();
        times.push((now() - begin).saturating_sub(clock_cost));
        black_box(&result);
    }
    times.sort_unstable();
    let micros = |quantile: f64| {
        let time = times[((N_CALLS - 1) as f64 * quantile) as usize];
        time.as_secs_f64() * 1e6
    };
    let row = format!(
        "| {name} | {:.0} | {:.0} | {:.0} | {:.0} |",
        micros(0.5),
        micros(0.99),
        micros(0.999),
        micros(1.0)
    );
    println!("{row}");
    writeln!(table, "{row}").expect("a string takes everything");
}

/// A corridor with a doorway, and people in it.
fn scene() -> ToyWorld {
    let mut world = ToyWorld::new(N_BEAMS);
    world.walls = vec![
        [[-3.0, -1.5], [9.0, -1.5]],
        [[-3.0, 1.5], [9.0, 1.5]],
        [[2.5, -1.5], [2.5, -0.2]],
        [[2.5, 1.0], [2.5, 1.5]],
    ];
    let body = |x: f64, y: f64, vx: f64| Body {
        position_m: [x, y],
        velocity_mps: [vx, 0.1],
        radius_m: 0.3,
    };
    let places = [
        (1.5, -0.9, 0.5),
        (3.5, 0.3, -0.8),
        (-1.0, 0.8, 0.9),
        (5.0, -0.6, -0.7),
    ];
    world.bodies = places.map(|(x, y, vx)| body(x, y, vx)).to_vec();
    world.twist.vx_mps = 0.5;
    world
}

/// A model that asks the toy world once, and from then on answers from memory, at once.
struct Remembering {
    world: ToyWorld,
    answer: Reused<Futures>,
}

impl WorldModel for Remembering {
    fn name(&self) -> &'static str {
        "remembering"
    }
    fn observe(&mut self, _: &SensorEvent) -> Result<(), ObserveError> {
        Ok(())
    }
    fn belief(&self) -> Option<Belief> {
        None
    }
    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        if self.answer.is_empty() {
            self.answer = self.world.imagine(plans, horizons)?;
        }
        Ok(self.answer.clone())
    }
}

fn plans(table: &mut String, name: &str, config: &PlannerConfig, n_iterations: usize) {
    let world = scene();
    let discs = world.discs();
    let request = world.request(Goal::place(6.0, 0.0), &discs);
    let mut model = Remembering {
        world,
        answer: Reused::new(),
    };
    let mut planner = config.build(1).expect("a sound configuration");
    let first = planner.plan(&mut model, &request, &mut || true);
    assert!(first.is_ok_and(|it| it.fallback.is_none()), "a plan");
    measure(table, name, || {
        // Once for imagining, and once for each iteration.
        let mut n_asked = 0;
        let mut has_time = || {
            n_asked += 1;
            n_asked <= n_iterations + 1
        };
        planner.plan(&mut model, &request, &mut has_time)
    });
}

fn fields(table: &mut String) {
    let world = scene();
    let ranges = PredictedScan::certain((0..N_BEAMS).map(|beam| 2.0 + (beam % 60) as f32 / 30.0));
    let unknowns = [
        ("unknown space free", UnknownSpace::Free),
        (
            "unknown space found",
            UnknownSpace::AtMost { clearance_m: 0.5 },
        ),
    ];
    for (what, unknown) in unknowns {
        let config = FieldConfig {
            unknown,
            ..FieldConfig::default()
        };
        let mut field = ClearanceField::new(config).expect("a sound configuration");
        let name = format!("one field of 80 x 80 cells, 3 scans of {N_BEAMS} beams, {what}");
        measure(table, &name, || {
            field.clear();
            for plan in 0..3 {
                let there = Pose2::new(0.3 * f64::from(plan), 0.1, 0.2);
                field.add_scan(&ranges, &world.geometry, there);
            }
            field.finish(0.25);
            field.distance_m(1.0, 0.3)
        });
    }
}

fn safety(table: &mut String) {
    let world = scene();
    let ranges_m = (0..N_BEAMS)
        .map(|beam| 0.9 + (beam % 60) as f32 / 30.0)
        .collect();
    let scan = LidarScan {
        geometry: world.geometry,
        ranges_m,
    };
    let stamp = world.now;
    let evidence = Evidence {
        now: stamp,
        scan: Some(TimedScan { stamp, scan: &scan }),
        base_now_from_scanner: Pose2::IDENTITY,
        odometry: Some(TimedTwist {
            stamp,
            twist: world.twist,
        }),
        plan_stamp: Some(stamp),
        stop: StopOrder::None,
    };
    let mut twist = world.twist;
    twist.vx_mps = 1.0;
    let command = [Action {
        duration: Duration::from_millis(300),
        twist,
    }];
    let mut filter = SafetyFilter::new(SafetyConfig::default()).expect("a sound configuration");
    measure(
        table,
        "safety filter, a command that must be slowed",
        || filter.check(&command, &evidence),
    );
}

fn main() {
    let mut table = String::new();
    println!("| what | p50 | p99 | p99.9 | max |\n|---|---|---|---|---|");
    fields(&mut table);
    for (name, method) in [("MPPI", Method::Mppi), ("CEM", Method::Cem)] {
        let config = PlannerConfig {
            method,
            n_steps: 15,
            ..PlannerConfig::default()
        };
        let whole = format!("{name}, 256 samples x 15 steps x 3 iterations, whole plan");
        plans(&mut table, &whole, &config, 3);
    }
    let config = PlannerConfig {
        n_steps: 15,
        ..PlannerConfig::default()
    };
    plans(
        &mut table,
        "the same plan of 15 steps without iterations (fields alone)",
        &config,
        0,
    );
    safety(&mut table);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let cpu = cpu.map_or("an unknown processor", |it| {
        it.trim_start_matches(['\t', ' ', ':'])
    });
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let page = include_str!("results_page.md")
        .replace("{cpu}", cpu)
        .replace("{load}", &load.join(", "))
        .replace("{table}", table.trim_end());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md");
    std::fs::write(path, page).expect("the crate's own folder can be written");
}
