use super::*;
use crate::bus::Bus;
use crate::bus::test_messages::{KEY, at_millis, encoded, lidar, received};
use crate::registry::schema_message;
use sedge_oni::{
    AlignedBytes, Capture, EncodedMessage, Lidar, SchemaDocument, Sequence, TypedMessage as _,
    schema_documents,
};
use sedge_spacetime::{AgentName, Stamp};

fn views(messages: Vec<EncodedMessage>) -> Vec<StreamView> {
    let mut bus = Bus::new(at_millis(0));
    for message in messages {
        bus.observe(&received(KEY, message, 0));
    }
    bus.streams(at_millis(0))
}

#[test]
fn whatever_is_not_well_says_what_to_do() {
    let silent = Dialled::Silent(Duration::from_secs(1));
    let checks = [
        end_point("tcp/a:1", &Dialled::Refused),
        end_point("tcp/a:1", &silent),
        end_point("tcp/a:1", &Dialled::Error("no such host".into())),
        peers(1, &[]),
        no_session("address in use"),
        traffic(&[], Duration::from_secs(2)),
        shared_memory(None),
        shared_memory(Some(Bytes { size: 64, free: 0 })),
        locked_memory(None),
        locked_memory(Some(Some(65_536))),
        real_time(&RealTime::Denied("not permitted".into())),
        real_time(&RealTime::NotTried("no chrt".into())),
        viewer("0.36.3", None),
        viewer("0.36.3", Some("0.20.0")),
        devices(&[("flex".into(), 0)]),
    ];
    for check in &checks {
        assert!(check.verdict > Verdict::Ok, "{check:?}");
        let advice = check.advice.as_deref().unwrap_or("");
        assert!(advice.len() > 10, "{check:?}");
    }
    assert_eq!(worst(&checks), Verdict::Fail);
}

#[test]
fn a_healthy_machine_is_told_so_and_nothing_else() {
    let peer = PeerFact {
        id: "a1".into(),
        kind: "router".into(),
        links: vec!["tcp/10.0.0.1:7447".into()],
    };
    let streams = views(vec![lidar(0), lidar(1)]);
    let mut checks = vec![
        end_point("tcp/a:1", &Dialled::Accepted),
        end_point("udp/a:1", &Dialled::NotTried),
        peers(1, &[peer]),
        traffic(&streams, Duration::from_secs(2)),
        losses(&streams, 0),
        shared_memory(Some(Bytes {
            size: 1 << 30,
            free: 1 << 30,
        })),
        locked_memory(Some(None)),
        locked_memory(Some(Some(1 << 30))),
        real_time(&RealTime::Granted),
        viewer("0.36.3", Some("0.36.3")),
        devices(&[("flex".into(), 1)]),
    ];
    checks.extend(schemas(&streams));
    for check in &checks {
        assert_eq!(
            (check.verdict, &check.advice),
            (Verdict::Ok, &None),
            "{check:?}"
        );
    }
    assert_eq!(worst(&checks), Verdict::Ok);
    assert_eq!(worst(&[]), Verdict::Ok);
}

#[test]
fn streams_that_cannot_be_read_fail_by_name() {
    let other = encoded(|header| header.schema.hash = [7; 16]);
    let nonsense = EncodedMessage::new([0xff; 3], AlignedBytes::default());
    let checks = schemas(&views(vec![nonsense, other]));
    assert_eq!(checks.len(), 3, "{checks:?}");
    assert!(checks[0].found.contains("one version with two contents"));
    assert!(checks[1].found.starts_with("1 malformed, the last: "));
    assert!(checks[..2].iter().all(|check| check.subject.ends_with(KEY)));
    assert_eq!(worst(&checks), Verdict::Fail);
    let unheard_of = encoded(|header| header.schema.name = "sensor.nose".into());
    assert_eq!(worst(&schemas(&views(vec![unheard_of]))), Verdict::Warn);
}

#[test]
fn losses_of_our_own_are_not_blamed_on_the_network() {
    let streams = views(vec![lidar(0), lidar(5)]);
    let theirs = losses(&streams, 0);
    assert!(theirs.advice.unwrap().contains(KEY));
    let ours = losses(&streams, 4);
    assert!(ours.advice.unwrap().contains("too slow for 4"));
}

#[test]
fn clocks_are_judged_by_what_is_certain() {
    let view = |offset_secs, error_secs| ClockView {
        agent: "crane3".into(),
        clock: "theirs".into(),
        is_ours: false,
        declared_error_secs: None,
        stamps: 3,
        offset_secs,
        error_secs,
        ahead_secs_min: 0.1,
        round_trip_secs: None,
    };
    let verdict = |offset, error| clocks(&[view(offset, error)])[0].verdict;
    assert_eq!(verdict(Some(0.001), Some(0.002)), Verdict::Ok);
    assert_eq!(verdict(Some(-0.050), Some(0.002)), Verdict::Warn);
    assert_eq!(verdict(Some(0.020), Some(0.015)), Verdict::Warn);
    assert_eq!(verdict(None, None), Verdict::Warn);
    let check = &clocks(&[view(Some(0.0505), Some(0.0035))])[0];
    assert_eq!(
        check.found,
        "50.500 ms ahead of ours, within 3.500 ms (3 stamps)"
    );
}

#[test]
fn clocks_of_one_name_that_are_further_apart_than_they_say_are_told() {
    let view = |agent: &str, clock: &str, offset_secs| ClockView {
        agent: agent.into(),
        clock: clock.into(),
        is_ours: false,
        declared_error_secs: Some(0.000_5),
        stamps: 9,
        offset_secs: Some(offset_secs),
        error_secs: Some(0.000_2),
        ahead_secs_min: offset_secs - 0.000_2,
        round_trip_secs: Some(0.000_4),
    };
    // The doctor's own machine is on no such clock: 5 ms of that are nobody's fault.
    let kept = [
        view("crane1", "fleet", 0.005),
        view("crane2", "fleet", 0.006_3),
    ];
    assert!(clocks(&kept).iter().all(|it| it.verdict == Verdict::Ok));
    let found = &clocks(&kept)[0].found;
    assert!(found.contains("within 0.500 ms of \"fleet\""), "{found}");
    let off = [
        view("crane1", "fleet", 0.005),
        view("crane2", "fleet", 0.007),
    ];
    for check in clocks(&off) {
        assert_eq!(check.verdict, Verdict::Warn);
        assert!(
            check
                .advice
                .unwrap()
                .contains("seem 1.600 ms apart or more")
        );
    }
    let of_others = [view("crane1", "fleet", 0.005), view("crane2", "lab", 0.007)];
    assert!(
        clocks(&of_others)
            .iter()
            .all(|it| it.verdict == Verdict::Ok)
    );
}

#[test]
fn facts_are_read_from_what_programs_print() {
    let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
              tmpfs 65536 24 65512 1% /dev/shm\n";
    let space = Bytes {
        size: 65_536 << 10,
        free: 65_512 << 10,
    };
    assert_eq!(disk_space(df), Some(space));
    for none in ["", "one line", "a\nb", "a\nb c d e"] {
        assert_eq!(disk_space(none), None, "{none:?}");
    }
    let limits = "Limit  Soft Limit  Hard Limit  Units\n\
                  Max locked memory         8388608              8388608              bytes\n";
    let bound = "CapPrm:\tffff\nCapEff:\t000001ff00003fff\n";
    assert_eq!(locked_bytes_max(limits, bound), Some(Some(8_388_608)));
    assert_eq!(locked_bytes_max(limits, ""), Some(Some(8_388_608)));
    let privileged = "CapEff:\t000001ffffffffff\n";
    assert_eq!(locked_bytes_max(limits, privileged), Some(None));
    let unlimited = limits.replace("8388608", "unlimited");
    assert_eq!(locked_bytes_max(&unlimited, bound), Some(None));
    assert_eq!(locked_bytes_max("Max open files 3 3 files", bound), None);
    let said = "rerun-cli 0.36.3 (release) [rustc 1.92.0, LLVM 21] x86_64";
    assert_eq!(version_in(said), Some("0.36.3"));
    assert_eq!(version_in("no version at all."), None);
    assert_eq!(real_time_answer(""), RealTime::Granted);
    let denied = "chrt: failed to set pid 0's policy: Operation not permitted\n";
    assert!(matches!(real_time_answer(denied), RealTime::Denied(why) if !why.is_empty()));
}

#[test]
fn schemas_that_are_served_are_compared_with_ours() {
    let is_of_scans = |document: &&SchemaDocument| document.schema() == Lidar::schema();
    let documents = schema_documents();
    let ours = documents.iter().find(is_of_scans).unwrap();
    let ours = ours.canonical();
    let other = ours.replace("\"x-unit\":\"m\"", "\"x-unit\":\"mm\"");
    assert_ne!(ours, other);
    let answer = |json: &str| {
        let document = SchemaDocument::of_file(json).unwrap();
        let source = Sequence::new(AgentName::new("crane3").unwrap(), 1).next_source();
        let capture = Capture::exact(Stamp::ZERO, "robot");
        let message = schema_message(&document, source, capture).unwrap();
        received("oni/flock/crane3/agent.schema/sensor.lidar", message, 0)
    };
    let checks = served_schemas(&[answer(ours)]);
    assert_eq!((checks.len(), worst(&checks)), (1, Verdict::Ok));
    let checks = served_schemas(&[answer(&other)]);
    assert_eq!(checks.len(), 2, "{checks:?}");
    assert!(checks[0].found.contains("ranges_m"), "{checks:?}");
    assert!(checks[0].found.contains("mm"), "{checks:?}");
    assert_eq!(worst(&checks), Verdict::Fail);
    let nonsense = received(
        "oni/flock/crane3/agent.schema/sensor.lidar",
        EncodedMessage::new([1], AlignedBytes::default()),
        0,
    );
    assert_eq!(worst(&served_schemas(&[nonsense])), Verdict::Fail);
    assert_eq!(worst(&served_schemas(&[])), Verdict::Warn);
}
