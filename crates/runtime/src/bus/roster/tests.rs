use std::time::Duration;

use sedge_oni::{
    AlignedBytes, Capture, Direction, DropCount, EncodedMessage, Envelope, Health, HealthState,
    Key, KeyPattern, Lidar, Manifest, SchemaId, Sequence, Stream, TypedMessage as _,
};
use sedge_spacetime::{AgentName, Stamp};

use crate::bus::test_messages::{KEY, at_millis, lidar, received};
use crate::bus::{Agreement, Bus};

fn envelope(agent: &str, epoch: u64) -> Envelope {
    let source = Sequence::new(AgentName::new(agent).unwrap(), epoch).next_source();
    Envelope::new(source, Capture::exact(Stamp::from_nanos(5), "robot"))
}

fn stream(key: &str, direction: Direction, schema: SchemaId) -> Stream {
    Stream {
        key: KeyPattern::parse(key).unwrap(),
        direction,
        schema,
        qos_class: "state".into(),
        rate_hz: 10.0,
    }
}

fn manifest(agent: &str, epoch: u64, streams: Vec<Stream>) -> EncodedMessage {
    let manifest = Manifest {
        software: "a program 1.0".into(),
        streams,
    };
    let message = manifest.to_message(envelope(agent, epoch)).unwrap();
    message.encode().unwrap()
}

fn health(agent: &str, drops: Vec<DropCount>) -> EncodedMessage {
    let health = Health {
        state: HealthState::Degraded,
        detail: "refuses a stream".into(),
        uptime: Duration::from_secs(9),
        keys: Vec::new(),
        drops,
        drops_unlisted: 0,
    };
    let message = health.to_message(envelope(agent, 1)).unwrap();
    message.encode().unwrap()
}

fn known() -> SchemaId {
    Lidar::schema().id.clone()
}

#[test]
fn a_stream_that_is_only_announced_is_listed_without_messages() {
    let mut bus = Bus::new(at_millis(0));
    let streams = vec![stream(KEY, Direction::Publish, known())];
    let key = "oni/flock/crane3/agent.manifest/driver";
    bus.meet(&received(key, manifest("crane3", 1, streams), 0));
    let views = bus.streams(at_millis(10));
    assert_eq!(views.len(), 1, "{views:?}");
    let view = &views[0];
    assert_eq!((view.key.as_str(), view.messages), (KEY, 0));
    assert_eq!(view.declared_by, ["crane3/driver"]);
    assert_eq!(view.agreement, Agreement::Same);
    assert_eq!(view.publishers, ["crane3"]);
    assert_eq!(bus.total(at_millis(10)).messages, 0);
}

#[test]
fn whoever_reads_a_stream_and_whoever_refuses_it_is_named() {
    let mut bus = Bus::new(at_millis(0));
    bus.observe(&received(KEY, lidar(0), 0));
    let other = SchemaId {
        hash: [7; 16],
        ..known()
    };
    let reads = |schema| vec![stream("oni/flock/**", Direction::Subscribe, schema)];
    let of = |agent: &str| format!("oni/flock/{agent}/agent.manifest/main");
    bus.observe(&received(
        &of("heron"),
        manifest("heron", 1, reads(known())),
        1,
    ));
    bus.observe(&received(&of("owl"), manifest("owl", 1, reads(other)), 1));
    let drop = DropCount {
        key: Key::parse(KEY).unwrap(),
        place: "reader".into(),
        reason: "refused".into(),
        count: 3,
    };
    let key = "oni/flock/robin/telemetry.health/main";
    bus.observe(&received(key, health("robin", vec![drop]), 2));
    let views = bus.streams(at_millis(10));
    let view = views.iter().find(|view| view.key == KEY).unwrap();
    assert_eq!(view.subscribers, ["heron/main", "owl/main"]);
    assert_eq!(view.refused_by, ["owl/main", "robin/main"]);
    let programs = bus.programs(at_millis(1_002));
    let robin = programs.iter().find(|view| view.agent == "robin").unwrap();
    assert_eq!((robin.state, robin.drops[0].count), (Some("degraded"), 3));
    assert_eq!(robin.health_age_secs, Some(1.0));
    assert_eq!(robin.software, None);
}

#[test]
fn an_earlier_starts_manifest_does_not_replace_a_later_ones() {
    let key = "oni/flock/crane3/agent.manifest/main";
    let one = vec![stream(KEY, Direction::Publish, known())];
    let mut bus = Bus::new(at_millis(0));
    bus.meet(&received(key, manifest("crane3", 7, Vec::new()), 0));
    bus.meet(&received(key, manifest("crane3", 6, one.clone()), 1));
    let programs = bus.programs(at_millis(2));
    assert_eq!((programs.len(), programs[0].publishes), (1, 0));
    bus.meet(&received(key, manifest("crane3", 8, one), 3));
    assert_eq!(bus.programs(at_millis(4))[0].publishes, 1);
}

#[test]
fn what_is_no_manifest_introduces_nobody() {
    let mut bus = Bus::new(at_millis(0));
    let key = "oni/flock/crane3/agent.manifest/main";
    bus.observe(&received(key, lidar(0), 0));
    bus.meet(&received(
        key,
        EncodedMessage::new([1], AlignedBytes::default()),
        0,
    ));
    assert_eq!(bus.programs(at_millis(1)), []);
    assert_eq!(bus.streams(at_millis(1)).len(), 1);
}
