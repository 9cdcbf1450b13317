//! The commands that only look, as processes, at a fleet of which this process plays one robot.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sedge_oni::{
    AlignedBytes, Capture, Direction, EncodedMessage, Envelope, Key, KeyPattern, LedgerEntry,
    Lidar, Manifest, SchemaDocument, SchemaId, Sequence, Stream, TypedMessage as _,
    schema_documents,
};
use sedge_runtime::{SystemClock, schema_key, schema_message};
use sedge_spacetime::{AgentName, Clock as _};
use sedge_transport::{Network, PutOutcome, Qos, QosClass, Signal, no_wake};
use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};
use serde_json::Value;

use crate::running::{Running, found, look, sedge};
use crate::write_corridor_log;

const SCAN: &str = "oni/flock/crane3/sensor.lidar/front";
const BROKEN: &str = "oni/flock/crane3/sensor.imu/main";
const MANIFEST: &str = "oni/flock/crane3/agent.manifest/driver";
/// Until whoever speaks has been heard, also on a busy machine.
const LONG: &str = "5s";
/// How far the robot's clock is ahead of ours.
const AHEAD: Duration = Duration::from_millis(50);
/// Between two scans.
const PERIOD: Duration = Duration::from_millis(10);

/// A robot that puts a scan and something that is no message, again and again, and says once what
/// it is; dropping it ends it.
struct Robot {
    locator: String,
    stop: Signal,
    thread: Option<JoinHandle<()>>,
}

impl Robot {
    fn start() -> Self {
        let config = ZenohConfig {
            listen: vec!["tcp/127.0.0.1:0".into()],
            ..ZenohConfig::default()
        };
        let network = ZenohNetwork::open(&config, Arc::new(SystemClock::new())).unwrap();
        let locator = network.locators()[0].clone();
        let stop = Signal::new();
        let asked = stop.clone();
        let thread = std::thread::spawn(move || speak(&network, &asked));
        Self {
            locator,
            stop,
            thread: Some(thread),
        }
    }

    fn look(&self, arguments: &[&str]) -> Output {
        look(&self.locator, arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        found(&self.locator, arguments)
    }
}

impl Drop for Robot {
    fn drop(&mut self) {
        self.stop.wake()();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn speak(network: &dyn Network, stop: &Signal) {
    let publisher = |key: &str, class| {
        let key = Key::parse(key).unwrap();
        network.publisher(&key, Qos::of(class), no_wake()).unwrap()
    };
    let mut scans = publisher(SCAN, QosClass::State);
    let mut nonsense = publisher(BROKEN, QosClass::State);
    let mut manifests = publisher(MANIFEST, QosClass::Parameter);
    let scan_key = Key::parse(SCAN).unwrap();
    let _served = network.serve(&schema_key(&scan_key), schema()).unwrap();
    let broken = EncodedMessage::new([0xff; 4], AlignedBytes::copy_of(&[1, 2, 3]));
    let mut sequence = sequence();
    assert_eq!(manifests.put(&manifest()), PutOutcome::Sent);
    while !stop.wait(PERIOD) {
        let clock = SystemClock::new();
        let capture = Capture::exact(clock.now(), SystemClock::domain().unwrap());
        let scan = Lidar {
            first_angle_rad: -1.5,
            step_rad: 0.25,
            ranges_m: vec![2.0, 2.5, 3.0].into(),
        };
        let mut envelope = Envelope::new(sequence.next_source(), capture);
        let put = (clock.now() + AHEAD).nanos().unsigned_abs();
        envelope
            .ledger
            .extend(LedgerEntry::new("put@elsewhere", put));
        let scan = scan.to_message(envelope).unwrap().encode().unwrap();
        let outcomes = [scans.put(&scan), nonsense.put(&broken)];
        assert!(!outcomes.contains(&PutOutcome::Closed), "{outcomes:?}");
    }
}

fn sequence() -> Sequence {
    Sequence::new(AgentName::new("crane3").unwrap(), 7)
}

/// The schema of scans, as whoever asks gets it.
fn schema() -> EncodedMessage {
    let documents = schema_documents();
    let is_of_scans = |document: &&SchemaDocument| document.schema() == Lidar::schema();
    let document = documents.iter().find(is_of_scans).unwrap();
    let capture = Capture::exact(SystemClock::new().now(), "test");
    schema_message(document, sequence().next_source(), capture).unwrap()
}

/// Says that it sends scans, and that it reads heron's with a schema of its own.
fn manifest() -> EncodedMessage {
    let schema = Lidar::schema().id.clone();
    let stream = |key: &str, direction, schema| Stream {
        key: KeyPattern::parse(key).unwrap(),
        direction,
        schema,
        qos_class: "state".into(),
        rate_hz: 100.0,
    };
    let other = SchemaId {
        hash: [7; 16],
        ..schema.clone()
    };
    let manifest = Manifest {
        software: "a driver 1.2".into(),
        streams: vec![
            stream(SCAN, Direction::Publish, schema),
            stream("oni/flock/*/sensor.lidar/**", Direction::Subscribe, other),
        ],
    };
    let capture = Capture::exact(SystemClock::new().now(), "test");
    let envelope = Envelope::new(sequence().next_source(), capture);
    manifest.to_message(envelope).unwrap().encode().unwrap()
}

fn stream<'a>(figures: &'a Value, key: &str) -> &'a Value {
    let streams = figures["streams"].as_array().unwrap();
    let found = streams.iter().find(|stream| stream["key"] == key);
    found.unwrap_or_else(|| panic!("expected {key} in {figures}"))
}

#[test]
fn list_shows_streams_and_who_is_there() {
    let robot = Robot::start();
    let figures = robot.json(&["list", "--for", LONG]);
    let scan = stream(&figures, SCAN);
    assert_eq!(scan["schema"]["name"], "sensor.lidar");
    assert_eq!(scan["agreement"], "same");
    assert_eq!(scan["publishers"][0], "crane3");
    assert_eq!(scan["class"], "state");
    assert!(scan["rhythm"]["mean_hz"].as_f64().unwrap() > 1.0, "{scan}");
    assert!(scan["age_secs"].as_f64().is_some(), "{scan}");
    let broken = stream(&figures, BROKEN);
    assert!(broken["malformed"].as_u64().unwrap() > 0, "{broken}");
    // The manifest was put before anybody listened.
    assert_eq!(figures["programs"][0]["software"], "a driver 1.2");
    assert_eq!(scan["subscribers"][0], "crane3/driver");
    assert_eq!(scan["refused_by"][0], "crane3/driver");
    assert_eq!(scan["declared_by"][0], "crane3/driver");

    let output = robot.look(&["list", "oni/*/*/sensor.lidar/**", "--for", LONG]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("a driver 1.2") && text.contains(SCAN),
        "{text}"
    );
    assert!(text.contains("refused by crane3/driver"), "{text}");
    assert!(!text.contains(BROKEN), "{text}");
}

#[test]
fn echo_shows_messages_and_what_is_none() {
    let robot = Robot::start();
    let output = robot.look(&["echo", "oni/*/*/sensor.lidar/**", "--n", "2"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.matches("ranges_m: f32 [3] 2 2.5 3").count(),
        2,
        "{text}"
    );

    let output = robot.look(&["echo", "oni/*/*/sensor.imu/**", "--n", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("malformed: expected an ONI header"), "{text}");
    assert!(text.contains("header       0  ffffffff"), "{text}");

    let output = robot.look(&["echo", SCAN, "--n", "2", "--json"]);
    let lines: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    let sequence = |line: &Value| line["message"]["header"]["sequence"].as_u64().unwrap();
    assert_eq!(lines.len(), 2);
    assert!(sequence(&lines[1]) > sequence(&lines[0]), "{lines:?}");
    let data = &lines[0]["message"]["tensors"]["ranges_m"]["data"];
    assert_eq!(*data, serde_json::json!([2.0, 2.5, 3.0]));

    let output = robot.look(&["echo", SCAN, "--n", "1", "--raw"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("payload      0  "), "{text}");
}

#[test]
fn hz_and_bw_measure_what_comes() {
    let robot = Robot::start();
    let figures = robot.json(&["hz", SCAN, "--n", "20"]);
    let scan = stream(&figures, SCAN);
    assert_eq!(scan["messages"], 20);
    assert_eq!(scan["loss"]["received"], 20);
    let gap = |name: &str| scan["rhythm"][name].as_f64().unwrap();
    assert!(gap("gap_min_secs") <= gap("gap_max_secs"), "{scan}");

    let figures = robot.json(&["bw", "--n", "20"]);
    let sum: u64 = figures["streams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["bytes"].as_u64().unwrap())
        .sum();
    assert!(sum > 0, "{figures}");
    assert_eq!(figures["total"]["bytes"], sum);

    let text = |command: &str| {
        let output = robot.look(&[command, "--n", "20"]);
        String::from_utf8(output.stdout).unwrap()
    };
    let (hz, bw) = (text("hz"), text("bw"));
    assert!(hz.starts_with("key") && hz.contains("recent Hz"), "{hz}");
    assert!(bw.lines().last().unwrap().starts_with("all"), "{bw}");
}

#[test]
fn without_an_end_figures_come_as_lines() {
    let robot = Robot::start();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sedge"))
        .args(["hz", "--json", "--connect", &robot.locator])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let figures: Vec<Value> = lines
        .take(2)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let secs = |idx: usize| figures[idx]["listened_secs"].as_f64().unwrap();
    assert!(secs(1) > secs(0), "{figures:?}");
}

#[test]
fn graph_draws_both_sides_of_a_stream() {
    let robot = Robot::start();
    let graph = robot.json(&["graph", "--for", LONG]);
    assert_eq!(
        graph["agents"],
        serde_json::json!(["crane3", "crane3/driver"])
    );
    let scan = stream(&graph, SCAN);
    assert_eq!(scan["subscribers"], serde_json::json!(["crane3/driver"]));

    let output = robot.look(&["graph", "--mermaid", "--for", LONG]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("graph LR\n  a0[\"crane3\"]\n"), "{text}");
    assert!(
        text.contains("  a1 --> s") && text.contains(" --> a1\n"),
        "{text}"
    );
    let output = robot.look(&["graph", "--for", LONG]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("crane3\n"), "{text}");
    assert!(text.contains(&format!("  {SCAN}  state")), "{text}");
}

/// The diagnosis, after checking that the exit code is that of its verdict.
fn diagnosis(output: &Output) -> Value {
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = match diagnosis["verdict"].as_str().unwrap() {
        "OK" => 0,
        "WARN" => 1,
        _ => 2,
    };
    assert_eq!(output.status.code(), Some(code), "{diagnosis}");
    diagnosis
}

fn check<'a>(diagnosis: &'a Value, subject: &str) -> &'a Value {
    let checks = diagnosis["checks"].as_array().unwrap();
    let is_it = |check: &&Value| check["subject"].as_str().unwrap().starts_with(subject);
    let found = checks.iter().find(is_it);
    found.unwrap_or_else(|| panic!("expected {subject} in {diagnosis}"))
}

fn verdict<'a>(diagnosis: &'a Value, subject: &str) -> &'a Value {
    &check(diagnosis, subject)["verdict"]
}

/// The numbers of a text, each before a space or at the end.
fn numbers(text: &str) -> Vec<f64> {
    let words = text.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn doctor_says_what_is_well_and_what_is_not() {
    let alone = diagnosis(&sedge(&["doctor", "--machine", "--json"]));
    for subject in ["shared memory", "locked memory", "real time", "viewer"] {
        assert!(verdict(&alone, subject).is_string(), "{alone}");
    }
    assert_eq!(verdict(&alone, "devices"), "OK");

    let robot = Robot::start();
    let here = diagnosis(&robot.look(&["doctor", "--json", "--for", LONG]));
    for subject in ["end point", "peers", "traffic"] {
        assert_eq!(verdict(&here, subject), "OK", "{subject}: {here}");
    }
    assert_eq!(verdict(&here, "schemas served"), "OK", "{here}");
    // Whatever the machine is busy with, a message does not come before it was put.
    let clock = check(&here, "clock of crane3");
    let found = numbers(clock["found"].as_str().unwrap());
    let [offset_millis, error_millis, ..] = found[..] else {
        panic!("expected an offset and its error, got {clock}");
    };
    let ahead_millis = AHEAD.as_secs_f64() * 1e3;
    assert!(
        offset_millis - error_millis <= ahead_millis + 0.01,
        "{clock}"
    );
    assert_eq!(verdict(&here, &format!("messages of {BROKEN}")), "FAIL");

    let nowhere = closed_port();
    let output = sedge(&["doctor", "--connect", &nowhere]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains(&format!("FAIL  end point {nowhere}: refused")),
        "{text}"
    );
    assert!(text.contains("-> start `sedge router`"), "{text}");
}

/// An end point at which nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp/{}", listener.local_addr().unwrap())
}

#[test]
fn errors_of_a_new_user_say_what_to_do() {
    let check = |arguments: &[&str], code: i32, says: &[&str]| {
        let output = sedge(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        for words in says {
            assert!(stderr.contains(words), "expected {words:?} in {stderr}");
        }
    };
    let nowhere = closed_port();
    for command in ["list", "echo", "hz", "bw", "graph"] {
        let says = [&nowhere, "nobody listens at that port", "sedge doctor"];
        check(&[command, "--connect", &nowhere], 1, &says);
    }
    check(
        &["echo", "sensor.lidar"],
        2,
        &["did you mean oni/*/*/sensor.lidar/**"],
    );
    check(&["hz", "oni/a*/**"], 2, &["between the slashes"]);
    check(&["list", "--for", "soon"], 2, &["such as 20ms or 1.5s"]);
    check(&["list", "--connect", "robot"], 2, &["tcp/127.0.0.1:7447"]);
    check(&["echo", "--n", "0"], 2, &["--n"]);
    let robot = Robot::start();
    for command in ["echo", "hz", "bw"] {
        let pattern = "oni/nobody/**";
        let arguments = [
            command,
            pattern,
            "--for",
            "200ms",
            "--connect",
            &robot.locator,
        ];
        check(
            &arguments,
            1,
            &[pattern, "`sedge list` shows what there is"],
        );
    }
}

#[test]
fn a_launch_file_says_whom_to_listen_to() {
    let robot = Robot::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("look.toml");
    std::fs::write(&path, format!("connect = [{:?}]", robot.locator)).unwrap();
    let output = sedge(&["echo", SCAN, "--n", "1", "--launch", path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(SCAN), "{text}");
    std::fs::write(&path, "conect = []").unwrap();
    let output = sedge(&["list", "--launch", path.to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("look.toml:1:1"), "{stderr}");
}

#[test]
fn a_player_and_whoever_listens_to_it_are_both_seen() {
    let folder = tempfile::tempdir().unwrap();
    let log = write_corridor_log(folder.path(), 120);
    let log = log.to_str().unwrap();
    let player = Running::start(&["play", log, "--listen", "tcp/127.0.0.1:0", "--wait", "60"]);
    let locator = player.locator();
    let agent = Running::start(&["agent", "--model", "geometric", "--connect", &locator]);
    // The agent listens nowhere: it finds us through the player and dials us.
    let arguments = ["echo", "oni/*/*/model.belief/**", "--n", "2", "--json"];
    let output = sedge(&[&arguments[..], &["--connect", &locator]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["key"], "oni/sedge/crane/model.belief/main");
        assert!(line["error"].is_null(), "{line}");
    }
    let output = sedge(&["list", "--json", "--for", LONG, "--connect", &locator]);
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    for message_type in ["sensor.lidar", "sensor.odometry", "model.prediction"] {
        let streams = figures["streams"].as_array().unwrap();
        let is_it = |stream: &&Value| stream["message_type"] == message_type;
        let found = streams.iter().find(is_it);
        let found = found.unwrap_or_else(|| panic!("expected {message_type} in {figures}"));
        assert_eq!(found["agreement"], "same", "{found}");
    }
    agent.kill();
    player.kill();
}
