use proptest::prelude::*;

use super::*;
use crate::SPAN_MAX;

fn ledger_of(spans: &[(Stage, Duration)]) -> StageLedger {
    let mut ledger = StageLedger::default();
    for (stage, span) in spans {
        ledger.record(stage, *span).unwrap();
    }
    ledger
}

fn four() -> Chain {
    Chain {
        name: Stage::new("four").unwrap(),
        stages: vec![Stage::WIRE, Stage::DECODE, Stage::FUSE, Stage::PREDICT],
    }
}

fn numbered(idx: usize) -> Stage {
    Stage::new(&format!("stage-{idx}")).unwrap()
}

#[test]
fn percentiles_of_a_known_ramp_are_within_a_thousandth() {
    let ramp: Vec<_> = (1..=10_000)
        .map(|micros| (Stage::FUSE, Duration::from_micros(micros)))
        .collect();
    let report = ledger_of(&ramp).report();
    let row = report.row(&Stage::FUSE).unwrap();
    assert_eq!(
        (row.n, row.n_saturated, row.max_nanos),
        (10_000, 0, 10_000_000)
    );
    let expected = [
        (row.p50_nanos, 5e6),
        (row.p99_nanos, 9.9e6),
        (row.p999_nanos, 9.99e6),
    ];
    for (actual, expected) in expected {
        assert!(
            (actual as f64 / expected - 1.0).abs() <= 1e-3,
            "{actual} is not {expected}"
        );
    }
}

#[test]
fn spans_past_a_minute_saturate_and_are_counted() {
    let spans = [SPAN_MAX, SPAN_MAX + Duration::from_nanos(1), Duration::MAX];
    let report = ledger_of(&spans.map(|span| (Stage::WIRE, span))).report();
    let row = &report.rows[0];
    assert_eq!((row.n, row.n_saturated), (3, 2));
    assert_eq!(u128::from(row.max_nanos), SPAN_MAX.as_nanos());
}

#[test]
fn no_time_at_all_is_a_span_too() {
    let report = ledger_of(&[(Stage::WIRE, Duration::ZERO)]).report();
    assert_eq!((report.rows[0].n, report.rows[0].max_nanos), (1, 0));
}

#[test]
fn full_ledger_refuses_new_stages_and_keeps_the_old() {
    let mut ledger = StageLedger::default();
    for idx in 0..N_STAGES_MAX {
        ledger.record(&numbered(idx), Duration::ZERO).unwrap();
    }
    let error = ledger.record(&Stage::FUSE, Duration::ZERO).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected at most 64 stages, got one more: fuse"
    );
    ledger.record(&numbered(0), Duration::ZERO).unwrap();
    let before = ledger.clone();
    assert!(
        ledger
            .merge(&ledger_of(&[(Stage::FUSE, Duration::ZERO)]))
            .is_err()
    );
    assert_eq!(ledger, before);
}

#[test]
fn full_counters_refuse_new_names_also_when_merging() {
    let mut ledger = StageLedger::default();
    for idx in 0..N_COUNTERS_MAX {
        ledger.count(&numbered(idx), 1).unwrap();
    }
    assert!(ledger.count(&Stage::WIRE, 1).is_err());
    let mut other = StageLedger::default();
    other.count(&numbered(0), u64::MAX).unwrap();
    ledger.merge(&other).unwrap();
    assert_eq!(ledger.report().counters[&numbered(0)], u64::MAX);
    other.count(&Stage::WIRE, 1).unwrap();
    let before = ledger.clone();
    assert!(ledger.merge(&other).is_err());
    assert_eq!(ledger, before);
}

#[test]
fn incomplete_chain_records_nothing() {
    let mut ledger = StageLedger::default();
    let spans = [(Stage::WIRE, Duration::ZERO)];
    assert!(ledger.record_chain(&four(), &spans).is_err());
    assert_eq!(ledger, StageLedger::default());
}

#[test]
fn table_has_a_line_a_stage_and_a_line_a_counter() {
    let mut ledger = ledger_of(&[
        (Stage::FUSE, Duration::from_micros(1_500)),
        (Stage::SENSOR_TO_PREDICTION, Duration::from_secs(90)),
    ]);
    ledger.count(&Stage::new("late").unwrap(), 3).unwrap();
    let text = ledger.report().to_string();
    let expected = "\
stage                        n     p50 ms     p99 ms   p99.9 ms     max ms
fuse                         1      1.500      1.500      1.500      1.500
sensor-to-prediction         1  60000.000  60000.000  60000.000  60000.000  (1 beyond a minute)
late                         3";
    assert_eq!(text, expected);
}

#[test]
fn report_survives_json() {
    let mut ledger = ledger_of(&[(Stage::FUSE, Duration::from_micros(3))]);
    ledger.count(&Stage::new("late").unwrap(), 3).unwrap();
    let report = ledger.report();
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(
        serde_json::from_str::<LatencyReport>(&text).unwrap(),
        report
    );
}

fn any_spans() -> impl Strategy<Value = Vec<(Stage, Duration)>> {
    let stage = prop::sample::select(vec![Stage::WIRE, Stage::FUSE, Stage::PREDICT]);
    // Every order of magnitude, the saturated ones included.
    let span = (0_u32..37)
        .prop_flat_map(|bits| 0..=(1_u64 << bits))
        .prop_map(Duration::from_nanos);
    prop::collection::vec((stage, span), 0..60)
}

proptest! {
    #[test]
    fn percentiles_rise_and_end_at_the_maximum(spans in any_spans()) {
        for row in ledger_of(&spans).report().rows {
            let ladder = [row.p50_nanos, row.p99_nanos, row.p999_nanos, row.max_nanos];
            prop_assert!(ladder.is_sorted(), "{:?}", row);
            let longest = spans.iter().filter(|(s, _)| *s == row.stage).map(|(_, d)| *d).max();
            let longest = longest.unwrap().min(SPAN_MAX);
            prop_assert_eq!(u128::from(row.max_nanos), longest.as_nanos());
        }
    }

    #[test]
    fn merging_is_recording_both(left in any_spans(), right in any_spans()) {
        let mut merged = ledger_of(&left);
        merged.merge(&ledger_of(&right)).unwrap();
        let union: Vec<_> = left.into_iter().chain(right).collect();
        prop_assert_eq!(merged.report(), ledger_of(&union).report());
    }

    #[test]
    fn chain_total_is_the_sum_and_is_recorded(nanos in prop::array::uniform4(0..1_u64 << 30)) {
        let chain = four();
        let spans: Vec<_> =
            chain.stages.iter().cloned().zip(nanos.map(Duration::from_nanos)).collect();
        let mut ledger = StageLedger::default();
        let total = ledger.record_chain(&chain, &spans).unwrap();
        prop_assert_eq!(total, Duration::from_nanos(nanos.iter().sum()));
        let report = ledger.report();
        let row = report.row(&chain.name).unwrap();
        prop_assert_eq!(u128::from(row.max_nanos), total.as_nanos());
        prop_assert_eq!(report.rows.len(), 5);
    }
}
