//! Who looks at where an agent's time goes: a player and an agent as processes, and the commands
//! that watch them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;

use sedge_runtime::AgentReport;
use serde_json::Value;

use crate::running::{PATIENCE, Running, found, look, sedge};
use crate::write_corridor_log;

/// Until whoever speaks has been heard, also on a busy machine.
const LONG: &str = "5s";
/// Seconds of the log: longer than any test listens.
const SECS: u64 = 240;

/// A played log and an agent that predicts; dropping it ends both.
struct Fleet {
    locator: String,
    agent: Running,
    _player: Running,
    _folder: tempfile::TempDir,
}

impl Fleet {
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = write_corridor_log(folder.path(), SECS);
        let log = log.to_str().unwrap();
        let player = Running::start(&["play", log, "--listen", "tcp/127.0.0.1:0", "--wait", "60"]);
        let locator = player.locator();
        let arguments = ["agent", "--model", "geometric", "--connect", &locator];
        Self {
            agent: Running::start(&[&arguments[..], more].concat()),
            locator,
            _player: player,
            _folder: folder,
        }
    }

    fn look(&self, arguments: &[&str]) -> Output {
        look(&self.locator, arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        found(&self.locator, arguments)
    }
}

/// A short log, played as fast as it is taken.
fn fast_player(folder: &Path) -> Running {
    let log = write_corridor_log(folder, 20);
    let log = log.to_str().unwrap();
    Running::start(&["play", log, "--listen", "tcp/127.0.0.1:0", "--speed", "max"])
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn item<'a>(items: &'a Value, name: &str, value: &str) -> &'a Value {
    let mut found = items.as_array().unwrap().iter();
    let found = found.find(|item| item[name] == value);
    found.unwrap_or_else(|| panic!("expected {name} {value} in {items}"))
}

#[test]
fn top_shows_what_each_stage_of_an_agent_takes() {
    let fleet = Fleet::start(&[]);
    let top = fleet.json(&["top", "--for", LONG]);
    let agent = item(&top["agents"], "agent", "crane");
    let stage = item(&agent["stages"], "stage", "sensor-to-prediction");
    assert_eq!(stage["budget_nanos"], 10_000_000, "{stage}");
    let nanos = ["p50_nanos", "p99_nanos", "p999_nanos", "max_nanos"]
        .map(|name| stage[name].as_u64().unwrap());
    assert!(nanos[0] > 0 && nanos.is_sorted(), "{stage}");
    assert!(stage["n"].as_u64().unwrap() > 0, "{stage}");
    let fuse = item(&agent["stages"], "stage", "fuse");
    assert!(fuse["budget_nanos"].is_null(), "{fuse}");
    assert!(agent["received"].as_u64().unwrap() > 0, "{agent}");

    let once = text(&fleet.look(&["top", "--for", LONG]));
    assert!(once.starts_with("agent"), "{once}");
    let row = once
        .lines()
        .find(|line| line.contains("sensor-to-prediction"));
    let cells: Vec<&str> = row.unwrap().split_whitespace().collect();
    assert_eq!(
        cells[..3],
        ["sedge/crane", "sensor-to-prediction", "10.000"],
        "{once}"
    );
}

#[test]
fn top_says_where_nobody_spoke() {
    let fleet = Fleet::start(&[]);
    let pattern = "oni/nobody/**";
    let output = fleet.look(&["top", pattern, "--for", "200ms"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for words in [pattern, "once a second", "`sedge list`"] {
        assert!(stderr.contains(words), "expected {words:?} in {stderr}");
    }
}

/// What Prometheus would do.
fn scrape(address: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_agent_can_be_scraped() {
    let fleet = Fleet::start(&["--metrics", "0", "--listen", "tcp/127.0.0.1:0"]);
    let address = fleet
        .agent
        .said_after("metrics at http://")
        .replace("/metrics", "");
    crate::running::wait_for_predictions(&fleet.agent.locator(), 20);
    // The figures are put down once a second: until then only scrapes are counted.
    let page = std::iter::repeat_with(|| scrape(&address))
        .find(|page| {
            std::thread::yield_now();
            page.contains("stage=\"sensor-to-prediction\"")
        })
        .unwrap();
    let whose = r#"fleet="sedge",agent="crane",stream="main""#;
    let budget =
        format!(r#"sedge_stage_budget_seconds{{{whose},stage="sensor-to-prediction"}} 0.01"#);
    assert!(page.contains(&budget), "{page}");
    let count = format!(r#"sedge_stage_seconds_count{{{whose},stage="fuse"}} "#);
    assert!(page.contains(&count), "{page}");
    assert!(page.contains(r#"model="geometry "#), "{page}");
}

#[test]
fn a_metrics_place_that_is_none_or_in_use_is_refused() {
    let error = |place: &str| {
        let output = sedge(&["agent", "--model", "geometric", "--metrics", place]);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, stderr) = error("robot:80");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("expected IP:PORT"), "{stderr}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap().to_string();
    let (code, stderr) = error(&place);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains(&format!("cannot serve metrics at {place}")),
        "{stderr}"
    );
}

#[test]
fn an_agent_says_what_became_of_what_its_loop_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let player = fast_player(folder.path());
    let launch = folder.path().join("agent.toml");
    let written = format!(
        "model = 'geometric'\nconnect = [{:?}]\n[threads]\ncores = [4000]\npriority = 'fifo 3'\n",
        player.locator()
    );
    std::fs::write(&launch, written).unwrap();
    let launch = launch.to_str().unwrap();
    let agent = Running::start(&["agent", launch, "--until-end", "--json"]);
    let (status, text) = agent.output();
    assert!(status.success(), "{status}");
    let report: AgentReport = serde_json::from_str(&text).unwrap();
    let lines: Vec<String> = report.threads.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    // No machine has that core; whether the priority is granted is the machine's to say.
    assert!(lines[0].starts_with("cores 4000: not "), "{lines:?}");
    assert!(lines[1].starts_with("priority fifo 3: "), "{lines:?}");
    assert!(
        report.predictions.iter().any(|row| row.n > 0),
        "it ran all the same"
    );
}

/// What `sedge doctor latency` found, after checking that the exit code is that of its verdict.
fn doctor_latency(arguments: &[&str]) -> Value {
    let output = sedge(&[&["doctor", "latency", "--json"], arguments].concat());
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = match diagnosis["verdict"].as_str().unwrap() {
        "OK" => 0,
        "WARN" => 1,
        _ => 2,
    };
    assert_eq!(output.status.code(), Some(code), "{diagnosis}");
    diagnosis
}

#[test]
fn doctor_measures_wake_ups_and_looks_at_what_disturbs_them() {
    let diagnosis = doctor_latency(&["--n", "200", "--period", "200us"]);
    for name in ["plain", "real_time"] {
        let sleeper = &diagnosis["measured"][name];
        assert_eq!(sleeper["n"], 200, "{sleeper}");
        let late = sleeper["p50_nanos"].as_u64().unwrap();
        assert!(
            late > 0 && late <= sleeper["max_nanos"].as_u64().unwrap(),
            "{sleeper}"
        );
    }
    let subjects = [
        "wake-ups",
        "real time",
        "stolen time",
        "neighbours",
        "frequency",
        "kernel",
        "real-time limit",
        "locked memory",
    ];
    for subject in subjects {
        let check = item(&diagnosis["checks"], "subject", subject);
        assert_eq!(
            check["advice"].is_null(),
            check["verdict"] == "OK",
            "{check}"
        );
    }
    let granted = diagnosis["measured"]["asked"]["granted"] == "yes";
    let checks = diagnosis["checks"].as_array().unwrap();
    let has_more = checks
        .iter()
        .any(|check| check["subject"] == "real-time wake-ups");
    assert_eq!(has_more, granted, "{diagnosis}");

    let output = sedge(&["doctor", "latency", "--n", "10", "--period", "1ms"]);
    let text = text(&output);
    assert!(text.contains("wake-ups: late by "), "{text}");
    assert!(text.contains("--n 10000 says more"), "{text}");
    let output = sedge(&["doctor", "latency", "--period", "1us"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("expected --period from 100µs to 1s, got 1µs"),
        "{stderr}"
    );
}

/// A report with probes as few as can be, kept in this history.
fn report(history: &Path, arguments: &[&str]) -> Output {
    let always = [
        "latency",
        "report",
        "--probes",
        "10",
        "--history",
        history.to_str().unwrap(),
    ];
    sedge(&[&always[..], arguments].concat())
}

#[test]
fn a_report_has_real_traffic_and_probes_and_what_changed() {
    let fleet = Fleet::start(&["--listen", "tcp/127.0.0.1:0"]);
    crate::running::wait_for_predictions(&fleet.agent.locator(), 5);
    let folder = tempfile::tempdir().unwrap();
    let (history, html) = (
        folder.path().join("a/runs.jsonl"),
        folder.path().join("a.html"),
    );
    let arguments = ["--for", LONG, "--connect", &fleet.locator, "--json"];
    let first = report(&history, &arguments);
    let first: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert!(first["before"].is_null(), "{first}");
    let chain = item(&first["run"]["real"], "what", "sensor-to-prediction");
    assert_eq!(chain["whose"], "sedge/crane");
    assert_eq!(chain["budget_nanos"], 10_000_000);
    let probes = &first["run"]["probes"];
    for what in ["there and back, 64 B", "there and back, 65536 B", "wake-up"] {
        assert_eq!(item(probes, "what", what)["n"], 10, "{probes}");
    }
    // Both programs answer for the robot: one name, asked once.
    let question = item(probes, "what", "question and answer");
    assert_eq!(
        (&question["whose"], &question["n"]),
        (&"sedge/crane".into(), &2.into())
    );

    let into_page = ["--html", html.to_str().unwrap()];
    let arguments = ["--for", LONG, "--connect", &fleet.locator];
    let second = report(&history, &[&arguments[..], &into_page].concat());
    let said = text(&second);
    assert!(
        said.contains("real traffic, since each agent started"),
        "{said}"
    );
    assert!(said.contains("the change from the last run"), "{said}");
    let row = said
        .lines()
        .find(|line| line.contains("sensor-to-prediction"));
    assert!(row.unwrap().ends_with(" %"), "{said}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(
        page.contains("<td>sensor-to-prediction</td>") && page.contains("<svg"),
        "{page}"
    );
    assert_eq!(
        std::fs::read_to_string(&history).unwrap().lines().count(),
        2
    );
}

#[test]
fn a_report_of_reports_needs_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let player = fast_player(folder.path());
    let written = folder.path().join("crane.json");
    let agent = Running::start(&[
        "agent",
        "--model",
        "geometric",
        "--connect",
        &player.locator(),
        "--until-end",
        "--report",
        written.to_str().unwrap(),
    ]);
    assert!(agent.output().0.success());
    let history = folder.path().join("runs.jsonl");
    let of_reports = [
        "--from",
        written.to_str().unwrap(),
        "--probes",
        "0",
        "--json",
    ];
    let arguments = [
        &["latency", "report", "--history", history.to_str().unwrap()],
        &of_reports[..],
    ];
    let output = sedge(&arguments.concat());
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let fuse = item(&printed["run"]["real"], "what", "fuse");
    assert_eq!(fuse["whose"], "crane");
    assert!(fuse["n"].as_u64().unwrap() > 0, "{fuse}");
    assert_eq!(printed["run"]["probes"], serde_json::json!([]));
}

#[test]
fn a_history_that_is_something_else_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "my notes\n").unwrap();
    let output = report(&notes, &["--machine"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for words in ["notes.txt is no history", "--history", "line 1"] {
        assert!(stderr.contains(words), "expected {words:?} in {stderr}");
    }
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "my notes\n");
    let runs = folder.path().join("runs.jsonl");
    let output = report(&runs, &["--from", notes.to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("expected a report that `sedge agent --report` wrote"),
        "{stderr}"
    );
    let output = sedge(&["latency", "report", "--machine", "--probes", "0"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("expected something to measure"), "{stderr}");
    let first = report(&runs, &["--machine"]);
    assert!(
        text(&first).contains("the first run of this machine"),
        "{first:?}"
    );
}
