//! Schemas over a real network: a robot whose scans are not what an agent knows, and the commands
//! that say so.

use std::sync::Arc;

use sedge_oni::{
    Capture, Envelope, Key, LedgerEntry, Lidar, MessageBuilder, SchemaDocument, Sequence,
    TypedMessage as _, schema_documents,
};
use sedge_runtime::{AgentReport, ContactVerdict, SystemClock, schema_key, schema_message};
use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::{Network as _, PutOutcome, Qos, QosClass, Served, Signal};
use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};
use serde_json::{Value, json};

use crate::running::{PATIENCE, Running, sedge};

const SCAN: &str = "oni/flock/crane3/sensor.lidar/front";
const N_SCANS: u64 = 5;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The built-in schema of scans, changed.
fn lidar(edit: impl FnOnce(&mut Value)) -> SchemaDocument {
    let documents = schema_documents();
    let mut documents = documents.iter();
    let ours = documents.find(|document| document.schema().id.name == Lidar::NAME);
    let mut json = serde_json::from_str(ours.unwrap().canonical()).unwrap();
    edit(&mut json);
    SchemaDocument::of_file(&json.to_string()).unwrap()
}

/// Scans in feet.
fn in_feet() -> SchemaDocument {
    lidar(|json| {
        json["x-version"]["minor"] = json!(1);
        json["properties"]["tensors"]["properties"]["ranges_m"]["x-unit"] = json!("ft");
    })
}

fn with_another_tensor() -> SchemaDocument {
    lidar(|json| {
        json["x-version"]["minor"] = json!(1);
        let tensors = &mut json["properties"]["tensors"];
        tensors["properties"]["echoes"] = tensors["properties"]["ranges_m"].clone();
    })
}

/// A robot that answers for a schema of scans.
struct Robot {
    document: SchemaDocument,
    network: ZenohNetwork,
    _served: Box<dyn Served>,
}

impl Robot {
    fn new(document: SchemaDocument) -> Self {
        let config = ZenohConfig {
            listen: vec!["tcp/127.0.0.1:0".into()],
            ..ZenohConfig::default()
        };
        let network = ZenohNetwork::open(&config, Arc::new(SystemClock::new())).unwrap();
        let source = sequence().next_source();
        let answer = schema_message(&document, source, capture()).unwrap();
        let key = schema_key(&Key::parse(SCAN).unwrap());
        Self {
            _served: network.serve(&key, answer).unwrap(),
            document,
            network,
        }
    }

    fn locator(&self) -> String {
        self.network.locators()[0].clone()
    }

    /// Puts scans that bear the robot's schema as soon as somebody listens, and says that they have
    /// ended.
    fn drive(&self) {
        let signal = Signal::new();
        let key = Key::parse(SCAN).unwrap();
        let qos = Qos::of(QosClass::State);
        let mut publisher = self.network.publisher(&key, qos, signal.wake()).unwrap();
        while !publisher.has_subscribers() {
            assert!(signal.wait(PATIENCE), "expected a listener");
        }
        let mut sequence = sequence();
        for n in 0..=N_SCANS {
            let at = Capture::exact(Stamp::from_nanos(100_000_000 * n as i64), "log");
            let mut envelope = Envelope::new(sequence.next_source(), at);
            if n == N_SCANS {
                envelope.ledger.extend(LedgerEntry::new("end-of-stream", 0));
            }
            let message = MessageBuilder::new(self.document.schema().id.clone(), envelope)
                .tensor("first_angle_rad", &[1], &[-1.5_f64])
                .and_then(|builder| builder.tensor("step_rad", &[1], &[0.25_f64]))
                .and_then(|builder| builder.tensor("ranges_m", &[3], &[2.0_f32, 2.5, 3.0]))
                .unwrap()
                .build();
            assert_eq!(publisher.put(&message.encode().unwrap()), PutOutcome::Sent);
        }
    }
}

fn sequence() -> Sequence {
    Sequence::new(AgentName::new("crane3").unwrap(), 7)
}

fn capture() -> Capture {
    Capture::exact(Stamp::from_nanos(1), "log")
}

/// What an agent in another process reports of a robot's scans.
fn report_of(robot: &Robot) -> AgentReport {
    let locator = robot.locator();
    let agent = Running::start(&[
        "agent",
        "--model",
        "geometric",
        "--fleet",
        "flock",
        "--robot",
        "crane3",
        "--connect",
        &locator,
        "--until-end",
        "--json",
    ]);
    robot.drive();
    let (status, said) = agent.output();
    assert!(status.success(), "{status}");
    serde_json::from_str(&said).unwrap()
}

#[test]
fn an_agent_refuses_a_robot_of_another_schema_and_says_what_differs() {
    let robot = Robot::new(in_feet());
    let report = report_of(&robot);
    let (ours, theirs) = (
        lidar(|_| {}).schema().id.to_string(),
        in_feet().schema().id.clone(),
    );
    let expected = format!(
        "oni/flock/crane3/sensor.lidar/front (epoch 7): expected schema {ours}, got {theirs}: \
         tensor \"ranges_m\": expected unit m, got ft"
    );
    assert_eq!(report.contacts[0].to_string(), expected);
    assert_eq!(
        report.contacts[0].refused,
        N_SCANS + 1,
        "the end bears it too"
    );
    let refused = report.drops.iter().find(|row| row.reason == "refused");
    let refused = refused.map(|row| (row.key.as_str(), row.place.as_str(), row.count));
    assert_eq!(refused, Some((SCAN, "reader", N_SCANS)));
    assert!(report.to_string().contains(&expected), "{report}");
}

#[test]
fn an_agent_reads_a_robot_whose_schema_only_has_more() {
    let robot = Robot::new(with_another_tensor());
    let report = report_of(&robot);
    assert_eq!(report.contacts[0].verdict, ContactVerdict::Accepted);
    assert_eq!((report.contacts[0].refused, report.drops), (0, vec![]));
}

#[test]
fn an_agents_schemas_are_listed_shown_and_compared() {
    let robot = Robot::new(in_feet());
    let locator = robot.locator();
    let listed = sedge(&["schema", "list", "--connect", &locator, "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let agents = listed["agents"].as_array().unwrap();
    assert_eq!(agents.len(), 1, "{agents:?}");
    assert_eq!(agents[0]["agent"], "flock/crane3");
    assert_eq!(agents[0]["schema"]["version"], "1.1");
    let refused = agents[0]["refused"].as_str().unwrap();
    assert!(refused.contains("expected unit m, got ft"), "{refused}");
    assert_eq!(
        listed["built_in"].as_array().unwrap().len(),
        schema_documents().len()
    );

    let shown = [
        "schema",
        "show",
        "crane3/sensor.lidar",
        "--connect",
        &locator,
    ];
    let document = sedge(&[&shown[..], &["--json"]].concat());
    let document = SchemaDocument::of_file(&text(&document.stdout)).unwrap();
    assert_eq!(document, in_feet());
    let shown = text(&sedge(&shown).stdout);
    assert!(
        shown.contains("sensor.lidar 1.1 (") && shown.contains("ft"),
        "{shown}"
    );

    let theirs = "flock/crane3/sensor.lidar";
    let output = sedge(&[
        "schema",
        "diff",
        "sensor.lidar",
        theirs,
        "--connect",
        &locator,
    ]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let difference = "breaks: tensor \"ranges_m\": expected unit m, got ft\n";
    assert!(said.contains(difference), "{said}");
    assert!(
        said.contains("a reader of A refuses B: expected schema sensor.lidar 1.0"),
        "{said}"
    );
}

#[test]
fn an_agent_answers_for_what_it_publishes() {
    let agent = Running::start(&[
        "agent",
        "--model",
        "geometric",
        "--listen",
        "tcp/127.0.0.1:0",
        "--json",
    ]);
    let locator = agent.locator();
    let listed = sedge(&["schema", "list", "--connect", &locator, "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let agents = listed["agents"].as_array().unwrap().iter();
    let types: Vec<&str> = agents
        .inspect(|view| assert_eq!(view["refused"], Value::Null))
        .map(|view| view["message_type"].as_str().unwrap())
        .collect();
    let expected = [
        "agent.manifest",
        "model.belief",
        "model.prediction",
        "telemetry.health",
        "telemetry.latency",
    ];
    assert_eq!(types, expected);
}

#[test]
fn files_are_checked_and_compared_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ours = write("ours.json", lidar(|_| {}).canonical().as_bytes());
    let more = write("more.json", with_another_tensor().canonical().as_bytes());
    let broken = write("broken.json", b"{\"title\": \"sensor.lidar\"}");
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let output = sedge(&[&["schema"], arguments].concat());
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    check(&["check", &ours], 0, "valid, sensor.lidar 1.0 (");
    check(&["check", &broken], 1, "expected a member, got none");
    check(&["check", "no-such-file"], 1, "cannot read no-such-file");
    check(&["diff", "sensor.lidar", &ours], 0, "a reader of A reads B");
    check(
        &["diff", &ours, &more],
        0,
        "tensor \"echoes\": expected none, got f32 [beam]",
    );
    check(&["show", "sensor.sonar"], 2, "got \"sensor.sonar\"");
    check(&["show", "sensor.lidar"], 0, "ranges_m");

    let envelope = Envelope::new(sequence().next_source(), capture());
    let scan = Lidar {
        first_angle_rad: 0.0,
        step_rad: 0.1,
        ranges_m: vec![2.0].into(),
    };
    let frame = scan
        .to_message(envelope)
        .unwrap()
        .encode()
        .unwrap()
        .to_frame();
    let good = write("good.oni", &[frame.as_slice(), &frame].concat());
    let torn = write("torn.oni", &[frame.as_slice(), &frame[..40]].concat());
    check(
        &["check", &good],
        0,
        "crane3, epoch 7, number 0: valid, sensor.lidar 1.0 (",
    );
    check(
        &["check", &torn, "--json"],
        1,
        "\"code\": \"truncated-frame\"",
    );
}
