use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{
    Direction, Health, Key, Lidar, Manifest, SchemaDocument, TypedMessage as _, schemas,
};
use sedge_transport::{Network as _, NextTick};
use serde_json::{Value, json};

use super::*;
use crate::registry::schema_key;
use crate::registry::test_schemas::{answer, bearing, edited, minor, set, with_another};
use crate::test_drive::{Bench, Bound, PERIOD_MILLIS, Robot, WallModel, millis, name};
use crate::{
    AgentConfig, Driven as _, OnEnd, Pace, PlayItem, Player, PlayerConfig, RunEnd, Shutdown,
    SystemClock, Wiring, run_node, spawn_named,
};

fn config() -> AgentConfig {
    AgentConfig::new(name("flock"), name("crane3"), 7)
}

fn agent_with(bench: &Bench, config: AgentConfig) -> Bound<AgentNode> {
    let model = WallModel::factory("wall", 0.125);
    let agent = AgentNode::new(
        config,
        Arc::clone(&bench.clock) as Arc<_>,
        model,
        Vec::new(),
    );
    let agent = agent.unwrap();
    let (subscriptions, publications) = (agent.subscriptions(), agent.publications());
    bench.bind(agent, &subscriptions, &publications)
}

fn lidar(edit: impl FnOnce(&mut Value)) -> SchemaDocument {
    edited(Lidar::NAME, edit)
}

/// A drive whose scans bear a schema.
fn drive(document: &SchemaDocument, to: i64) -> Vec<PlayItem> {
    let mut items = Robot::new(1).drive(0, to);
    let is_scan = |item: &&mut PlayItem| item.key.message_type() == Lidar::NAME;
    for item in items.iter_mut().filter(is_scan) {
        item.message = bearing(&item.message, document);
    }
    items
}

fn health(agent: &Bound<AgentNode>) -> Vec<(HealthState, String)> {
    let read = |message: &&sedge_oni::EncodedMessage| {
        let message = message.decode().unwrap();
        let health = Health::from_message(&message).unwrap();
        (health.state, health.detail.into_owned())
    };
    agent.sent_of(Health::NAME).iter().map(read).collect()
}

/// A robot whose scans bear a schema, which it answers for, and an agent with ours.
fn meeting(document: &SchemaDocument) -> Bound<AgentNode> {
    let bench = Bench::new();
    let mut agent = agent_with(&bench, config());
    let key = schema_key(&Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap());
    let _served = bench.network.serve(&key, answer(document)).unwrap();
    for (n, item) in drive(document, 9).iter().enumerate() {
        bench.clock.advance_to(Stamp::ZERO + item.due);
        agent.feed(&bench.clock, std::slice::from_ref(item));
        // The answer comes one scan late.
        if n > 5 {
            bench.ask(&mut agent);
        }
    }
    agent.feed(&bench.clock, &[]);
    agent
}

#[test]
fn a_robot_of_the_next_minor_version_is_read_from_its_first_scan_on() {
    let ours = meeting(&lidar(|_| {}));
    let theirs = meeting(&lidar(|json| with_another(json, "ranges_m")));
    let predictions = |agent: &Bound<AgentNode>| -> Vec<Vec<u8>> {
        let sent = agent.sent_of("model.prediction").into_iter();
        sent.map(|message| message.payload().to_vec()).collect()
    };
    assert_eq!(predictions(&theirs).len(), 9);
    assert_eq!(predictions(&theirs), predictions(&ours));
    let report = theirs.node.report();
    let row = &report.contacts[0];
    assert_eq!(
        (row.verdict, row.read, row.refused),
        (ContactVerdict::Accepted, 9, 0)
    );
    assert_eq!(
        (ours.node.report().contacts, report.drops),
        (vec![], vec![])
    );
    assert_eq!(health(&theirs).last().unwrap().0, HealthState::Running);
}

#[test]
fn a_robot_of_another_schema_is_refused_and_health_says_so() {
    let ours = lidar(|_| {}).schema().id.to_string();
    let check = |theirs: &SchemaDocument, why: &str, difference: &str| {
        let agent = meeting(theirs);
        let report = agent.node.report();
        let expected = format!(
            "oni/flock/crane3/sensor.lidar/front (epoch 1): {why}expected schema {ours}, got {}: \
             {difference}",
            theirs.schema().id
        );
        assert_eq!(report.contacts[0].to_string(), expected);
        assert_eq!(
            (
                report.contacts[0].refused,
                report.counters["refused-schema"]
            ),
            (9, 9)
        );
        assert_eq!(report.counters["streams-refused"], 1);
        assert_eq!(report.counters.get("scans"), None);
        let drop = &report.drops[0];
        let place_and_reason = (drop.place.as_str(), drop.reason.as_str(), drop.count);
        assert_eq!(place_and_reason, ("reader", "refused", 9));
        let received: Vec<u64> = report.streams.iter().map(|row| row.received).collect();
        assert_eq!(
            received,
            [9, 9, 9],
            "what is refused was received all the same"
        );
        let (state, detail) = health(&agent).pop().unwrap();
        assert_eq!(
            (state, detail),
            (HealthState::Degraded, format!("refuses {expected}"))
        );
        assert!(report.to_string().contains(&expected), "{report}");
    };
    check(
        &lidar(|json| {
            minor(json, 1);
            set(json, "ranges_m", "/properties/dtype/const", json!("f64"));
        }),
        "",
        "tensor \"ranges_m\": expected dtype f32, got f64",
    );
    check(
        &lidar(|json| set(json, "ranges_m", "/x-unit", json!("mm"))),
        "one version with two contents: ",
        "tensor \"ranges_m\": expected unit m, got mm",
    );
}

#[test]
fn a_schema_that_nobody_answers_for_is_refused_in_time() {
    let bench = Bench::new();
    let mut agent = agent_with(&bench, config());
    let document = lidar(|json| minor(json, 1));
    agent.feed(&bench.clock, &drive(&document, 1));
    assert_eq!(bench.ask(&mut agent), 0);
    bench.clock.advance_to(millis(1_999));
    agent.feed(&bench.clock, &[]);
    assert_eq!(
        agent.next,
        NextTick::At(millis(2_000)),
        "it looks up by itself"
    );
    bench.clock.advance_to(millis(2_000));
    agent.feed(&bench.clock, &[]);
    let report = agent.node.report();
    let row = &report.contacts[0];
    assert_eq!((row.verdict, row.refused), (ContactVerdict::Unknown, 1));
    assert!(
        row.reason.ends_with("no answer within 2 s"),
        "{}",
        row.reason
    );
}

#[test]
fn an_agent_says_what_it_is_once_and_how_it_is_every_second() {
    let bench = Bench::new();
    let mut config = config();
    config.clock_domain = Some("here".into());
    let mut agent = agent_with(&bench, config);
    agent.feed(&bench.clock, &[]);
    for item in Robot::new(1).drive(0, 9) {
        bench.clock.advance_to(Stamp::ZERO + item.due);
        agent.feed(&bench.clock, &[item]);
    }
    let manifests = agent.sent_of(Manifest::NAME);
    assert_eq!(manifests.len(), 1);
    let message = manifests[0].decode().unwrap();
    assert_eq!(message.envelope().capture.clock, "here");
    let manifest = Manifest::from_message(&message).unwrap();
    let streams: Vec<(Direction, &str, &str)> = manifest
        .streams
        .iter()
        .map(|stream| {
            (
                stream.direction,
                stream.key.as_str(),
                stream.qos_class.as_str(),
            )
        })
        .collect();
    let (publish, subscribe) = (Direction::Publish, Direction::Subscribe);
    let expected = [
        (publish, "oni/flock/crane3/model.prediction/main", "belief"),
        (publish, "oni/flock/crane3/model.belief/main", "belief"),
        (publish, "oni/flock/crane3/telemetry.latency/main", "log"),
        (publish, "oni/flock/crane3/agent.manifest/main", "parameter"),
        (publish, "oni/flock/crane3/telemetry.health/main", "log"),
        (subscribe, "oni/flock/crane3/sensor.lidar/**", "state"),
        (subscribe, "oni/flock/crane3/sensor.odometry/**", "state"),
        (subscribe, "oni/flock/crane3/actuator.cmd/**", "command"),
    ];
    assert_eq!(streams, expected);
    let is_known = |stream: &sedge_oni::Stream| schemas().iter().any(|it| it.id == stream.schema);
    assert!(manifest.streams.iter().all(is_known));
    let states: Vec<HealthState> = health(&agent).iter().map(|(state, _)| *state).collect();
    let (starting, running) = (HealthState::Starting, HealthState::Running);
    assert_eq!(states, [starting, running, running]);
    let services = agent.node.services(Stamp::ZERO).unwrap();
    let served: Vec<&str> = services.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(served.len(), 5);
    assert!(served.contains(&"oni/flock/crane3/agent.schema/model.prediction"));
}

#[test]
fn a_message_past_its_lifespan_is_not_used_on_the_same_clock_only() {
    for (clock, expected) in [("log", Some(2)), ("another", None)] {
        let bench = Bench::new();
        let mut config = config();
        config.clock_domain = Some(clock.into());
        let mut agent = agent_with(&bench, config);
        let mut items = Robot::new(1).drive(0, 3);
        for item in &mut items {
            item.message.envelope_mut().lifespan = Some(Duration::from_millis(300));
        }
        // Odometry and scan of the second period are 301 ms old when they come.
        bench.clock.advance_to(millis(PERIOD_MILLIS + 301));
        agent.feed(
            &bench.clock,
            &[items[3].clone(), items[5].clone(), items[6].clone()],
        );
        let report = agent.node.report();
        assert_eq!(report.counters.get("refused-too-old").copied(), expected);
        let drops: Vec<(&str, &str, u64)> = report
            .drops
            .iter()
            .map(|row| (row.place.as_str(), row.reason.as_str(), row.count))
            .collect();
        let each = [("reader", "expired", 1), ("reader", "expired", 1)];
        assert_eq!(drops, each[..expected.map_or(0, |_| 2)]);
    }
}

#[test]
fn what_the_network_dropped_is_reported_beside_what_the_agent_refused() {
    use sedge_transport::{DropPlace, DropReason};
    let bench = Bench::new();
    let mut agent = agent_with(&bench, config());
    let key = Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap();
    let mut dropped = DropLedger::new();
    dropped.add(&key, DropPlace::Queue, DropReason::Full, 3);
    agent.node.on_drops(dropped);
    let nonsense = sedge_oni::EncodedMessage::new([0xff; 4], sedge_oni::AlignedBytes::default());
    agent.feed_encoded(&bench.clock, &[(key.clone(), nonsense)]);
    let message = agent.sent_of(Health::NAME)[0].decode().unwrap();
    let health = Health::from_message(&message).unwrap();
    let said: Vec<(&str, &str, u64)> = health
        .drops
        .iter()
        .map(|row| (row.place.as_str(), row.reason.as_str(), row.count))
        .collect();
    assert_eq!(said, [("queue", "full", 3), ("reader", "malformed", 1)]);
    let report = agent.node.report().to_string();
    assert!(
        report.contains("sensor.lidar/front: 3 dropped at the queue, full"),
        "{report}"
    );
}

/// Two real programs on one network: one plays scans of another schema and answers for it, the
/// other asks it, while neither waits for the other.
fn driven_meeting(document: &SchemaDocument) -> (RunEnd, crate::AgentReport) {
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let network = sedge_transport::InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let shutdown = Shutdown::new();
    let listening = {
        let (network, clock, shutdown) = (network.clone(), Arc::clone(&clock), shutdown.clone());
        let run = move || {
            let mut config = config();
            config.on_end = OnEnd::Finish;
            let model = WallModel::factory("wall", 0.0);
            let node_clock = Arc::clone(&clock) as Arc<_>;
            let mut agent = AgentNode::new(config, node_clock, model, Vec::new()).unwrap();
            let (subscriptions, publications) = (agent.subscriptions(), agent.publications());
            let wiring = Wiring::connect(&network, &subscriptions, &publications).unwrap();
            let services = agent.services(Stamp::ZERO).unwrap();
            let mut wiring = wiring.serving(services).unwrap();
            let run = run_node(&mut agent, &mut wiring, clock.as_ref(), &shutdown);
            (run.end, agent.report())
        };
        spawn_named("agent", run).unwrap()
    };
    let config = PlayerConfig::new(Pace::SensorTime { speed: 50.0 });
    let items = drive(document, 20);
    let keys = Robot::new(1).keys;
    let names = (&name("flock"), &name("crane3"));
    let mut player = Player::new(config, names, keys.clone(), items.into_iter()).unwrap();
    let (subscriptions, publications) = (player.subscriptions(), player.publications());
    let wiring = Wiring::connect(&network, &subscriptions, &publications).unwrap();
    let services = [(schema_key(&keys[2]), answer(document))];
    let mut wiring = wiring.serving(services).unwrap();
    run_node(&mut player, &mut wiring, clock.as_ref(), &shutdown);
    // Who played stays to be asked until the other is done.
    listening.join().unwrap()
}

#[test]
fn a_driven_agent_asks_the_network_and_reads_or_refuses() {
    let (end, report) = driven_meeting(&lidar(|json| with_another(json, "ranges_m")));
    assert_eq!((end, report.counters["scans"]), (RunEnd::Finished, 20));
    assert_eq!(report.contacts[0].verdict, ContactVerdict::Accepted);

    let broken = lidar(|json| {
        minor(json, 1);
        set(json, "ranges_m", "/x-unit", json!("ft"));
    });
    let (end, report) = driven_meeting(&broken);
    assert_eq!(
        (end, report.counters.get("scans")),
        (RunEnd::Finished, None)
    );
    assert_eq!(report.counters["refused-schema"], 20);
    let reason = &report.contacts[0].reason;
    assert!(
        reason.ends_with("tensor \"ranges_m\": expected unit m, got ft"),
        "{reason}"
    );
}
