use sedge_latency::{Budget, BudgetMonitor, Budgets, Stage, StageLedger};

use super::page::utc;
use super::*;

fn row(whose: &str, what: &str, p50_nanos: u64) -> SpanRow {
    SpanRow {
        whose: whose.into(),
        what: what.into(),
        n: 1_000,
        p50_nanos,
        p99_nanos: 2 * p50_nanos,
        p999_nanos: 3 * p50_nanos,
        max_nanos: 9 * p50_nanos,
        budget_nanos: None,
        missed: 0,
    }
}

fn run(machine: &str, p50_nanos: u64) -> LatencyRun {
    let budgeted = SpanRow {
        budget_nanos: Some(10_000_000),
        missed: 7,
        ..row("sedge/crane", "sensor-to-prediction", 4_000_000)
    };
    LatencyRun {
        stamp_nanos: 1_700_000_000_000_000_000,
        machine: machine.into(),
        source: "10 s of <telemetry>".into(),
        real: vec![row("sedge/crane", "fuse", p50_nanos), budgeted],
        probes: vec![row("loopback", "there and back, 64 values", 90_000)],
        rungs: vec![RungRow {
            whose: "sedge/crane".into(),
            rung: "few".into(),
            plans: 40,
            cost_nanos: 5_000_000,
            skill: Some(0.75),
            is_measured: true,
        }],
    }
}

#[test]
fn changes_are_shares_of_the_run_before_of_the_same_row() {
    let (now, before) = (run("m", 300_000), run("m", 200_000));
    let change = now.real[0].change(&before.real).unwrap();
    assert!(
        (change.p50 - 0.5).abs() < 1e-12 && (change.p99 - 0.5).abs() < 1e-12,
        "{change:?}"
    );
    assert_eq!(row("heron", "fuse", 5).change(&before.real), None);
    assert_eq!(now.real[0].change(&[row("sedge/crane", "fuse", 0)]), None);
}

#[test]
fn history_is_kept_by_machine_and_bounded() {
    let mut history = LatencyHistory::parse("").unwrap();
    assert_eq!(history.last_of("m"), None);
    for p50_nanos in 1..=RUNS_MAX as u64 + 5 {
        history.push(run("m", p50_nanos));
    }
    history.push(run("another", 1));
    let text = history.text().unwrap();
    assert_eq!(text.lines().count(), RUNS_MAX);
    let read = LatencyHistory::parse(&text).unwrap();
    assert_eq!(read, history);
    let last = read.last_of("m").unwrap();
    assert_eq!(last.real[0].p50_nanos, RUNS_MAX as u64 + 5);
    assert_eq!(read.runs_of("another").count(), 1);
}

#[test]
fn a_file_that_is_something_else_is_refused_at_its_line() {
    let mut history = LatencyHistory::default();
    history.push(run("m", 1));
    let text = history.text().unwrap() + "# a note\n";
    let error = LatencyHistory::parse(&text).unwrap_err().to_string();
    assert!(error.starts_with("line 2: expected a run"), "{error}");
}

#[test]
fn the_rows_of_a_report_have_their_budgets() {
    let mut ledger = StageLedger::default();
    let mut monitor =
        BudgetMonitor::new(&Budgets::new(vec![Budget::sensor_to_prediction()]).unwrap());
    for millis in [5, 15] {
        let span = std::time::Duration::from_millis(millis);
        for stage in [Stage::FUSE, Stage::SENSOR_TO_PREDICTION] {
            ledger.record(&stage, span).unwrap();
            monitor.observe(&stage, span);
        }
    }
    let report = AgentReport {
        agent: "crane".into(),
        epoch: 1,
        model: "geometric".into(),
        model_hash: String::new(),
        predictions: Vec::new(),
        latency: ledger.report(),
        budgets: monitor.rows(),
        streams: Vec::new(),
        contacts: Vec::new(),
        drops: Vec::new(),
        counters: std::collections::BTreeMap::new(),
        driving: None,
        threads: Vec::new(),
    };
    let rows = rows_of_report(&report);
    let [fuse, chain] = &rows[..] else {
        panic!("expected two rows, got {rows:?}");
    };
    assert_eq!(
        (fuse.what.as_str(), fuse.n, fuse.budget_nanos),
        ("fuse", 2, None)
    );
    assert_eq!((chain.budget_nanos, chain.missed), (Some(10_000_000), 1));
    assert_eq!(chain.max_nanos, 15_000_000);
}

#[test]
fn a_page_is_whole_markup_with_every_row_and_nothing_to_fetch() {
    let mut history = LatencyHistory::default();
    history.push(run("2 x CPU & more", 200_000));
    let now = run("2 x CPU & more", 300_000);
    let page = page(&now, &history);
    for words in [
        "2 x CPU &amp; more",
        "10 s of &lt;telemetry&gt;",
        "compared with the run of 2023-11-14 22:13:20 UTC",
        "<td>sedge/crane</td><td>fuse</td>",
        "<td>+50.0 %</td>",
        "<title>budget 10.0 ms</title>",
        "<span class=\"missed\">7</span>",
        "p99 of 2 runs",
        "there and back, 64 values",
        "<td>few</td><td>40</td><td>5.00 ms</td><td>0.75 (measured)</td>",
        "Skill lost over all plans: sedge/crane: 25.0 %",
    ] {
        assert!(page.contains(words), "expected {words:?} in {page}");
    }
    for fetched in ["<script", "http:", "https:", "@import", "url("] {
        assert!(!page.contains(fetched), "{fetched} in {page}");
    }
    for element in [
        "svg", "g", "table", "tr", "td", "p", "h2", "text", "title", "body", "html",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        let closed = page.matches(&format!("</{element}>")).count();
        let self_closed = 0;
        assert_eq!(opened, closed + self_closed, "{element}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
}

#[test]
fn a_run_without_figures_is_a_page_too() {
    let empty = LatencyRun {
        real: Vec::new(),
        probes: vec![row("loopback", "nothing came", 0)],
        ..run("m", 1)
    };
    let page = page(&empty, &LatencyHistory::default());
    assert!(
        page.contains("Nothing was measured.") && page.contains("the first run"),
        "{page}"
    );
    assert!(!page.contains("NaN"), "{page}");
}

#[test]
fn stamps_are_written_as_people_write_them() {
    let check = |secs: i64, expected: &str| assert_eq!(utc(secs * 1_000_000_000), expected);
    check(0, "1970-01-01 00:00:00 UTC");
    check(951_782_399, "2000-02-28 23:59:59 UTC");
    check(951_868_800, "2000-03-01 00:00:00 UTC");
    check(1_709_164_800, "2024-02-29 00:00:00 UTC");
    check(4_107_542_400, "2100-03-01 00:00:00 UTC");
    check(-1, "1969-12-31 23:59:59 UTC");
}

#[test]
fn durations_are_said_in_the_unit_that_reads_best() {
    let texts = [0, 7, 1_500, 45_600, 345_678, 2_345_678, 61_000_000_000].map(|nanos| {
        let text = Readable(nanos);
        text.to_string()
    });
    let expected = [
        "0 ns", "7 ns", "1.50 µs", "45.6 µs", "346 µs", "2.35 ms", "61.0 s",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn machines_are_named_by_what_they_say() {
    let cpu = "processor\t: 0\nmodel name\t: A Chip\nprocessor\t: 1\nmodel name\t: A Chip\n";
    assert_eq!(
        machine_of(cpu, "Linux version 6.1.0 (a@b)"),
        "2 x A Chip, Linux 6.1.0"
    );
    let unknown = machine_of("", "");
    assert!(unknown.contains(std::env::consts::ARCH), "{unknown}");
}
