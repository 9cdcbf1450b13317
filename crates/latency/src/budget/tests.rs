use proptest::prelude::*;

use super::*;

fn budget(stage: Stage, span_micros_max: u64) -> Budget {
    Budget::new(stage, span_micros_max, MissPolicy::Warn)
}

fn monitor(budget: Budget) -> BudgetMonitor {
    BudgetMonitor::new(&Budgets::new(vec![budget]).unwrap())
}

#[test]
fn span_at_the_limit_keeps_to_the_budget_and_one_past_it_does_not() {
    let mut monitor = monitor(budget(Stage::FUSE, 5));
    assert_eq!(
        monitor.observe(&Stage::FUSE, Duration::from_micros(5)),
        None
    );
    let span = Duration::from_nanos(5_001);
    let miss = monitor.observe(&Stage::FUSE, span).unwrap();
    assert_eq!((miss.span, miss.n_consecutive), (span, 1));
}

#[test]
fn stage_without_a_budget_is_never_missed() {
    let mut monitor = monitor(budget(Stage::FUSE, 5));
    assert_eq!(monitor.observe(&Stage::PLAN, Duration::MAX), None);
    assert_eq!(monitor.rows()[0].n, 0);
    assert_eq!(monitor.limit(&Stage::PLAN), None);
    assert_eq!(monitor.limit(&Stage::FUSE), Some(Duration::from_micros(5)));
}

/// `x` for a miss, `.` for a kept span; whether a stop is in force after each.
fn stops(budget: Budget, spans: &str) -> String {
    let limit = budget.limit();
    let mut monitor = monitor(budget);
    let step = |span: char| {
        let span = limit + Duration::from_nanos(u64::from(span == 'x'));
        monitor.observe(&Stage::FUSE, span);
        if monitor.stopping().is_some() {
            'S'
        } else {
            '-'
        }
    };
    spans.chars().map(step).collect()
}

#[test]
fn a_safe_stop_lasts_until_the_budget_was_kept_often_enough() {
    let at_once = Budget {
        on_miss: MissPolicy::SafeStop,
        recover_after: 2,
        ..budget(Stage::FUSE, 9)
    };
    assert_eq!(stops(at_once, ".x.x..x"), "-SSSS-S");
    let ceiling = Budget {
        stop_after: Some(3),
        recover_after: 3,
        ..budget(Stage::FUSE, 9)
    };
    // Two in a row are no stop; in a stop one miss begins the waiting anew.
    assert_eq!(stops(ceiling, "xx.xxx..x...xx"), "-----SSSSSS---");
    assert_eq!(stops(budget(Stage::FUSE, 9), "xxxxxx"), "------");
}

#[test]
fn a_miss_calls_for_its_policy_until_the_ceiling() {
    let mut monitor = monitor(Budget {
        on_miss: MissPolicy::Skip,
        stop_after: Some(2),
        ..budget(Stage::FUSE, 9)
    });
    let mut called = || {
        let miss = monitor.observe(&Stage::FUSE, Duration::from_secs(1));
        miss.unwrap().calls_for()
    };
    let policies = [called(), called(), called()];
    let stop = MissPolicy::SafeStop;
    assert_eq!(policies, [MissPolicy::Skip, stop, stop]);
    assert_eq!(monitor.rows()[0].n_stops, 1);
    assert!(MissPolicy::Warn < MissPolicy::Skip && MissPolicy::Degrade < stop);
    assert_eq!(stop.name(), "safe-stop");
}

#[test]
fn json_form_names_policies_in_kebab_case_and_refuses_unknown_fields() {
    let text = r#"{"stage":"fuse","span_micros_max":9,"on_miss":"safe-stop"}"#;
    let parsed: Budget = serde_json::from_str(text).unwrap();
    assert_eq!(parsed.on_miss, MissPolicy::SafeStop);
    assert_eq!(parsed.harshest(), MissPolicy::SafeStop);
    assert_eq!(serde_json::to_string(&parsed).unwrap(), text);
    let unknown = r#"{"stage":"fuse","span_micros_max":9,"on_miss":"warn","limit":3}"#;
    let error = serde_json::from_str::<Budget>(unknown)
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `limit`"), "{error}");
}

proptest! {
    /// Against the plain definition: the longest run of `true`.
    #[test]
    fn misses_and_runs_are_counted(missed in prop::collection::vec(any::<bool>(), 0..200)) {
        let mut monitor = monitor(budget(Stage::FUSE, 10));
        for &is_missed in &missed {
            let span = Duration::from_micros(if is_missed { 11 } else { 10 });
            prop_assert_eq!(monitor.observe(&Stage::FUSE, span).is_some(), is_missed);
        }
        let row = &monitor.rows()[0];
        let longest = missed.split(|m| !m).map(<[bool]>::len).max().unwrap_or(0);
        prop_assert_eq!(row.n, missed.len() as u64);
        prop_assert_eq!(row.n_missed, missed.iter().filter(|m| **m).count() as u64);
        prop_assert_eq!(row.n_missed_in_a_row_max, longest as u64);
    }
}
