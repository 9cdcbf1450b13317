use proptest::prelude::*;

use super::*;

fn budget(stage: Stage, span_micros_max: u64) -> Budget {
    Budget {
        stage,
        span_micros_max,
        on_miss: MissPolicy::Warn,
    }
}

#[test]
fn span_at_the_limit_keeps_to_the_budget_and_one_past_it_does_not() {
    let mut monitor = BudgetMonitor::new(vec![budget(Stage::FUSE, 5)]).unwrap();
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
    let mut monitor = BudgetMonitor::new(vec![budget(Stage::FUSE, 5)]).unwrap();
    assert_eq!(monitor.observe(&Stage::PLAN, Duration::MAX), None);
    assert_eq!(monitor.rows()[0].n, 0);
}

#[test]
fn budgets_that_cannot_be_kept_are_refused() {
    let zero = BudgetMonitor::new(vec![budget(Stage::FUSE, 0)]);
    assert_eq!(zero, Err(BudgetError::Zero { stage: Stage::FUSE }));
    let twice = BudgetMonitor::new(vec![budget(Stage::FUSE, 1), budget(Stage::FUSE, 2)]);
    assert_eq!(twice, Err(BudgetError::Twice { stage: Stage::FUSE }));
    for policy in [MissPolicy::Skip, MissPolicy::Degrade, MissPolicy::SafeStop] {
        let stage = Stage::FUSE;
        let unacted = Budget {
            on_miss: policy,
            ..budget(stage.clone(), 1)
        };
        let error = BudgetMonitor::new(vec![unacted]).unwrap_err();
        assert_eq!(error, BudgetError::NotActedOn { stage, policy });
    }
}

#[test]
fn json_form_names_policies_in_kebab_case_and_refuses_unknown_fields() {
    let text = r#"{"stage":"fuse","span_micros_max":9,"on_miss":"safe-stop"}"#;
    let parsed: Budget = serde_json::from_str(text).unwrap();
    assert_eq!(parsed.on_miss, MissPolicy::SafeStop);
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
        let mut monitor = BudgetMonitor::new(vec![budget(Stage::FUSE, 10)]).unwrap();
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
