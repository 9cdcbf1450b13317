use std::time::Duration;

use sedge_oni::{AlignedBytes, EncodedMessage};

use super::test_messages::{KEY, at_millis, encoded, lidar, received};
use super::*;

#[test]
fn rates_sizes_ages_and_losses_are_those_of_what_came() {
    let mut bus = Bus::new(at_millis(0));
    for (sequence, millis) in [(3, 0), (4, 100), (6, 300), (6, 310), (7, 400)] {
        bus.observe(&received(KEY, lidar(sequence), millis));
    }
    let views = bus.streams(at_millis(1_000));
    let [view] = &views[..] else {
        panic!("expected one stream, got {views:?}");
    };
    assert_eq!(
        (view.agent.as_str(), view.class.as_str(), view.messages),
        ("crane3", "state", 5)
    );
    assert_eq!(view.publishers, ["crane3"]);
    assert_eq!(view.agreement, Agreement::Same);
    assert!((view.rhythm.unwrap().mean_hz - 10.0).abs() < 1e-9);
    assert!((view.age_secs.unwrap() - 0.6).abs() < 1e-9);
    assert!((view.bytes_per_sec - view.bytes as f64).abs() < 1e-9);
    let StreamLoss {
        received,
        lost,
        duplicated,
        ..
    } = view.loss;
    assert_eq!((received, lost, duplicated), (4, 1, 1));
    let total = bus.total(at_millis(1_000));
    assert_eq!((total.streams, total.messages), (1, 5));
}

#[test]
fn what_is_no_message_is_counted_and_not_skipped() {
    let mut bus = Bus::new(at_millis(0));
    let nonsense = EncodedMessage::new([0xff; 5], AlignedBytes::copy_of(&[1, 2, 3]));
    bus.observe(&received(KEY, nonsense, 0));
    bus.observe(&received(KEY, lidar(0), 10));
    let view = &bus.streams(at_millis(20))[0];
    assert_eq!((view.messages, view.malformed), (2, 1));
    let error = view.last_error.as_deref().unwrap();
    assert!(error.contains("expected an ONI header"), "{error}");
    assert_eq!(bus.total(at_millis(20)).malformed, 1);
}

#[test]
fn a_stream_of_another_schema_says_why_it_is_refused() {
    let other = encoded(|header| header.schema.hash = [7; 16]);
    let mut bus = Bus::new(at_millis(0));
    bus.observe(&received(KEY, other, 0));
    let view = &bus.streams(at_millis(0))[0];
    let Agreement::Refused(why) = &view.agreement else {
        panic!("expected a refusal, got {:?}", view.agreement);
    };
    assert!(why.contains(&"07".repeat(16)), "{why}");

    let unheard_of = encoded(|header| header.schema.name = "sensor.nose".into());
    bus.observe(&received(KEY, unheard_of, 1));
    assert_eq!(bus.streams(at_millis(1))[0].agreement, Agreement::Unknown);
}

#[test]
fn streams_beyond_the_limit_are_counted_only() {
    let mut bus = Bus::new(at_millis(0));
    for stream in 0..STREAMS_MAX + 3 {
        let key = format!("oni/flock/crane3/sensor.lidar/s{stream}");
        bus.observe(&received(&key, lidar(0), 0));
    }
    let total = bus.total(at_millis(0));
    assert_eq!((total.streams, total.untracked), (STREAMS_MAX, 3));
    assert_eq!(total.messages, STREAMS_MAX as u64 + 3);
    assert_eq!(bus.streams(at_millis(0)).len(), STREAMS_MAX);
}

#[test]
fn a_stream_that_two_senders_share_adds_up_both() {
    let mut bus = Bus::new(at_millis(0));
    let by = |name: &str, sequence| {
        encoded(|header| {
            header.envelope.source.agent = sedge_spacetime::AgentName::new(name).unwrap();
            header.envelope.source.sequence = sequence;
        })
    };
    for (name, sequence) in [("crane3", 0), ("heron", 0), ("crane3", 2), ("heron", 1)] {
        bus.observe(&received(KEY, by(name, sequence), 0));
    }
    let view = &bus.streams(at_millis(0))[0];
    assert_eq!(view.publishers, ["crane3", "heron"]);
    assert_eq!((view.loss.received, view.loss.lost), (4, 1));
}

#[test]
fn before_any_time_has_passed_there_is_no_rate() {
    let mut bus = Bus::new(at_millis(5));
    bus.observe(&received(KEY, lidar(0), 5));
    let view = &bus.streams(at_millis(5))[0];
    assert_eq!((view.rhythm, view.recently), (None, None));
    assert!(view.bytes_per_sec.abs() < f64::EPSILON);
    assert_eq!(view.age_secs, Some(Duration::ZERO.as_secs_f64()));
}
