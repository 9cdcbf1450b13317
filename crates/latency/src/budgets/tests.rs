use super::*;
use crate::MissPolicy;

fn stage(name: &str) -> Stage {
    Stage::new(name).unwrap()
}

fn budget(name: &str, span_micros_max: u64) -> Budget {
    Budget::new(stage(name), span_micros_max, MissPolicy::Warn)
}

fn own(name: &str, stages: &[&str], span_micros_max: u64) -> Budget {
    Budget {
        stages: stages.iter().map(|name| stage(name)).collect(),
        ..budget(name, span_micros_max)
    }
}

fn refusal(budgets: Vec<Budget>) -> String {
    Budgets::new(budgets).unwrap_err().to_string()
}

#[test]
fn what_was_given_to_parts_must_fit_with_the_arithmetic_in_the_error() {
    let budgets = vec![
        budget("sensor-to-command", 10_000),
        budget("plan", 6_000),
        budget("fuse", 5_000),
        budget("predict", 90_000),
    ];
    assert_eq!(
        refusal(budgets),
        "fuse 5 ms + plan 6 ms = 11 ms cannot fit sensor-to-command 10 ms"
    );
    let alone = vec![
        own("think", &["fuse", "plan"], 2_500),
        budget("plan", 3_000),
    ];
    assert_eq!(refusal(alone), "plan 3 ms cannot fit think 2.5 ms");
    let fits = vec![budget("sensor-to-command", 11_000), budget("plan", 11_000)];
    assert!(Budgets::new(fits).is_ok());
}

#[test]
fn a_chain_within_a_chain_must_fit_too() {
    let budgets = vec![
        budget("sensor-to-command", 15_000),
        budget("wire", 6_000),
        budget("put-to-command", 20_000),
    ];
    assert_eq!(
        refusal(budgets),
        "sensor-to-command 15 ms + wire 6 ms = 21 ms cannot fit put-to-command 20 ms"
    );
}

#[test]
fn names_that_nobody_measures_are_refused_with_those_that_are() {
    let text = refusal(vec![budget("plam", 1)]);
    assert!(text.starts_with("expected one of wire, decode"), "{text}");
    assert!(text.ends_with("end-to-end, got plam"), "{text}");
    let text = refusal(vec![own("think", &["fuse", "sensor-to-command"], 1)]);
    assert!(
        text.ends_with("look-ahead, got sensor-to-command"),
        "{text}"
    );
    let text = refusal(vec![own("plan", &["fuse"], 1)]);
    assert_eq!(
        text,
        "expected a chain with a name of its own, got plan, which is known already"
    );
}

#[test]
fn zeros_and_repetitions_are_refused() {
    let zero = |key: &str, budget| {
        let expected = format!("expected {key} of at least 1 for fuse, got 0");
        assert_eq!(refusal(vec![budget]), expected);
    };
    zero("span_micros_max", budget("fuse", 0));
    let stop_after = Some(0);
    zero(
        "stop_after",
        Budget {
            stop_after,
            ..budget("fuse", 1)
        },
    );
    let recover_after = 0;
    zero(
        "recover_after",
        Budget {
            recover_after,
            ..budget("fuse", 1)
        },
    );
    let text = refusal(vec![budget("fuse", 1), budget("fuse", 2)]);
    assert_eq!(text, "expected one budget for fuse, got two");
}

#[test]
fn json_is_a_list_of_budgets_and_is_checked() {
    let text = concat!(
        r#"[{"stage":"think","stages":["fuse","plan"],"#,
        r#""span_micros_max":9,"on_miss":"skip","stop_after":3}]"#
    );
    let budgets: Budgets = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&budgets).unwrap(), text);
    let chain = &budgets.own_chains()[0];
    assert_eq!((chain.name.as_str(), chain.stages.len()), ("think", 2));
    let huge = u64::MAX.to_string();
    let text = text.replace(":9", ":0");
    assert!(serde_json::from_str::<Budgets>(&text).is_err());
    let two = format!(
        r#"[{{"stage":"fuse","span_micros_max":{huge},"on_miss":"warn"}},
            {{"stage":"plan","span_micros_max":{huge},"on_miss":"warn"}},
            {{"stage":"sensor-to-command","span_micros_max":1,"on_miss":"warn"}}]"#
    );
    let error = serde_json::from_str::<Budgets>(&two).unwrap_err();
    assert!(error.to_string().contains("cannot fit"), "{error}");
    assert_eq!(Budgets::default().iter().count(), 1);
}
