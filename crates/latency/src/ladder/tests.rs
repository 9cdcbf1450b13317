use proptest::prelude::*;

use super::*;

const MILLI: Duration = Duration::from_millis(1);
/// What rungs take on an idle computer, in milliseconds; the last two cost nothing.
const COSTS_MILLIS: [f64; 6] = [20.0, 12.0, 7.0, 4.0, 0.0, 0.0];
/// Further apart, for noise.
const APART_MILLIS: [f64; 6] = [20.0, 7.0, 2.5, 1.0, 0.0, 0.0];

fn ladder() -> LadderController {
    let names = ["full", "samples", "shorter", "plans", "last-plan", "stop"];
    let spec = |(idx, name): (usize, &str)| RungSpec {
        name: Stage::new(name).unwrap(),
        skill: 1.0 - 0.2 * idx as f64,
        effort: if COSTS_MILLIS[idx] > 0.0 {
            Effort::Measured
        } else {
            Effort::Free
        },
    };
    let rungs = names.into_iter().enumerate().map(spec).collect();
    LadderController::new(rungs, Patience::default())
}

/// One tick under a load; whether what was picked took longer than was allowed.
fn tick(ladder: &mut LadderController, load: f64, allowed: Duration) -> bool {
    let rung = ladder.pick(Some(allowed));
    let cost = MILLI.mul_f64(COSTS_MILLIS[rung] * load);
    ladder.observe(cost);
    cost > allowed
}

fn run(ladder: &mut LadderController, n: usize, load: f64, allowed: Duration) -> u32 {
    (0..n).map(|_| u32::from(tick(ladder, load, allowed))).sum()
}

#[test]
fn a_load_step_costs_two_misses_a_rung_and_is_climbed_back_within_ten_ticks() {
    let (mut ladder, allowed) = (ladder(), 30 * MILLI);
    assert_eq!(run(&mut ladder, 100, 1.0, allowed), 0);
    assert_eq!(ladder.rung(), 0);
    // At four times the load 80, 48 and 28 ms: the third rung fits, the second was not known to.
    assert_eq!(run(&mut ladder, 100, 4.0, allowed), 3);
    assert_eq!((ladder.rung(), ladder.report().n_changes), (2, 2));
    assert_eq!(run(&mut ladder, 10, 1.0, allowed), 0);
    assert_eq!((ladder.rung(), ladder.report().n_changes), (0, 3));
    assert_eq!(run(&mut ladder, 500, 1.0, allowed), 0);
    assert_eq!(ladder.report().n_changes, 3);
    // The second time costs are known: it goes where it must at once.
    assert_eq!(run(&mut ladder, 100, 4.0, allowed), 2);
    assert_eq!((ladder.rung(), ladder.report().n_changes), (2, 4));
}

#[test]
fn one_slow_plan_moves_nothing() {
    let (mut ladder, allowed) = (ladder(), 30 * MILLI);
    for _ in 0..50 {
        run(&mut ladder, 20, 1.0, allowed);
        run(&mut ladder, 1, 5.0, allowed);
    }
    assert_eq!((ladder.rung(), ladder.report().n_changes), (0, 0));
}

#[test]
fn where_nothing_fits_it_tries_less_and_less_often() {
    let (mut ladder, allowed) = (ladder(), 3 * MILLI);
    run(&mut ladder, 2_000, 1.0, allowed);
    let changes = ladder.report().n_changes;
    run(&mut ladder, 2_000, 1.0, allowed);
    // There and back every 96 ticks, and nothing in between.
    let more = ladder.report().n_changes - changes;
    assert!((20..=2 * 2_000 / 96 + 2).contains(&more), "{more}");
    // And when there is time again, it finds out.
    run(&mut ladder, 250, 0.1, allowed);
    assert_eq!(ladder.rung(), 0);
}

#[test]
fn a_miss_goes_down_one_rung_and_patience_comes_back() {
    let mut ladder = ladder();
    run(&mut ladder, 10, 1.0, 100 * MILLI);
    ladder.miss();
    assert_eq!(ladder.pick(Some(100 * MILLI)), 1);
    run(&mut ladder, 20, 1.0, 100 * MILLI);
    assert_eq!(ladder.rung(), 0);
    // Without a limit too, and each climb that does not last waits longer.
    let mut waits = Vec::new();
    for _ in 0..4 {
        ladder.miss();
        assert_eq!(ladder.pick(None), 1);
        let mut n_ticks = 0;
        while ladder.rung() > 0 {
            ladder.pick(None);
            n_ticks += 1;
        }
        waits.push(n_ticks);
    }
    assert_eq!(waits, [3, 6, 12, 24]);
}

#[test]
fn a_clock_that_stands_still_stays_on_the_full_rung() {
    let mut ladder = ladder();
    for _ in 0..100 {
        assert_eq!(ladder.pick(Some(Duration::from_nanos(1))), 0);
        ladder.observe(Duration::ZERO);
    }
}

#[test]
fn without_time_at_all_it_is_free_at_once() {
    let mut ladder = ladder();
    run(&mut ladder, 1, 1.0, 100 * MILLI);
    for expected in [1, 2, 3, 4] {
        assert_eq!(ladder.pick(Some(Duration::ZERO)), expected);
        ladder.observe(MILLI);
    }
    assert_eq!(ladder.pick(Some(Duration::ZERO)), 4);
}

#[test]
fn the_report_says_what_was_lost() {
    let (mut ladder, allowed) = (ladder(), 30 * MILLI);
    run(&mut ladder, 100, 1.0, allowed);
    run(&mut ladder, 100, 4.0, allowed);
    let report = ladder.report();
    let uses: Vec<u64> = report.rungs.iter().map(|rung| rung.n).collect();
    assert_eq!(uses, [102, 1, 97, 0, 0, 0]);
    let lost = (0.2 + 97.0 * 0.4) / 200.0;
    assert!((report.skill_lost() - lost).abs() < 1e-12);
    assert_eq!(report.rungs[0].cost_nanos_max, 80_000_000);
    assert_eq!(report.rungs[2].cost_nanos, 28_000_000);
    let nothing = LadderController::new(Vec::new(), Patience::default());
    assert!(nothing.report().skill_lost().abs() < 1e-12);
}

/// From 0.92 to 1.08, by the bits of a product (splitmix's last steps).
fn noise(seed: u64) -> f64 {
    let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11;
    0.92 + 0.16 * (bits as f64 / (1u64 << 53) as f64)
}

/// A ladder whose rungs are far apart, so that noise leaves no doubt which one fits, and its
/// noise.
struct Noisy {
    ladder: LadderController,
    allowed: Duration,
    seed: u64,
}

impl Noisy {
    /// Ticks under a load; how many rungs were changed to.
    fn changes(&mut self, n: usize, load: f64) -> u64 {
        let before = self.ladder.report().n_changes;
        for _ in 0..n {
            self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let rung = self.ladder.pick(Some(self.allowed));
            let millis = APART_MILLIS[rung] * load * noise(self.seed);
            self.ladder.observe(MILLI.mul_f64(millis));
        }
        self.ladder.report().n_changes - before
    }
}

proptest! {
    /// Load 1x, 4x (or 10x), 1x, with noise: each step is followed, and then nothing moves.
    #[test]
    fn a_noisy_load_step_does_not_oscillate(
        seed in any::<u64>(),
        allowed_millis in 40.5..60.0f64,
        load in prop_oneof![Just(4.0), Just(10.0)],
    ) {
        let allowed = MILLI.mul_f64(allowed_millis);
        let mut noisy = Noisy { ladder: ladder(), allowed, seed };
        prop_assert_eq!(noisy.changes(300, 1.0), 0);
        let fitting = if load < 5.0 { 1 } else { 2 };
        prop_assert_eq!(noisy.changes(6, load), fitting as u64);
        prop_assert_eq!(noisy.ladder.rung(), fitting);
        prop_assert_eq!(noisy.changes(300, load), 0);
        prop_assert_eq!((noisy.changes(10, 1.0), noisy.ladder.rung()), (1, 0));
        prop_assert_eq!(noisy.changes(300, 1.0), 0);
    }

    /// Also where a rung's cost is just at what is allowed, changes are few: each climb that does
    /// not last makes the next rarer.
    #[test]
    fn at_the_very_limit_changes_are_few(
        seed in any::<u64>(),
        allowed_millis in 0.0..90.0f64,
        load in 1.0..4.0f64,
    ) {
        let allowed = MILLI.mul_f64(allowed_millis);
        let mut noisy = Noisy { ladder: ladder(), allowed, seed };
        noisy.changes(500, load);
        let changes = noisy.changes(500, load);
        prop_assert!(changes <= 25, "{changes}");
    }

    /// Whatever comes, the picked rung is one, and climbs are as rare as patience wants.
    #[test]
    fn any_trace_is_climbed_no_faster_than_patience_allows(
        trace in prop::collection::vec((0.0..20.0f64, 0u64..100), 1..400),
    ) {
        let mut ladder = ladder();
        let (mut before, mut climbs) = (0, 0);
        for (load, allowed_millis) in &trace {
            if *load > 18.0 {
                ladder.miss();
            }
            tick(&mut ladder, *load, Duration::from_millis(*allowed_millis));
            let rung = ladder.rung();
            prop_assert!(rung < COSTS_MILLIS.len());
            climbs += usize::from(rung < before);
            before = rung;
        }
        prop_assert!(3 * climbs <= trace.len(), "{climbs} climbs in {}", trace.len());
    }
}
