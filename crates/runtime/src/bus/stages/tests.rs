use sedge_oni::{
    AlignedBytes, Capture, EncodedMessage, Envelope, LadderReport, RungLatency, Sequence,
};
use sedge_spacetime::AgentName;

use super::super::test_messages::{KEY, at_millis, lidar, received};
use super::*;

const LATENCY: &str = "oni/flock/crane3/telemetry.latency/main";

fn stage(name: &str, count: u64, missed: u64) -> StageLatency {
    StageLatency {
        stage: name.into(),
        count,
        p50_nanos: 700_000,
        p99_nanos: 900_000,
        p999_nanos: 950_000,
        max_nanos: 1_200_000,
        budget_nanos: 1_000_000,
        missed,
        missed_in_a_row_max: missed,
    }
}

fn said(epoch: u64, stages: Vec<StageLatency>, ladder: Option<LadderReport>) -> EncodedMessage {
    let source = Sequence::new(AgentName::new("crane3").unwrap(), epoch).next_source();
    let envelope = Envelope::new(source, Capture::exact(at_millis(0), "robot"));
    let report = LatencyReport {
        stages,
        received: 12,
        lost: 1,
        duplicated: 0,
        ladder,
    };
    report.to_message(envelope).unwrap().encode().unwrap()
}

#[test]
fn rates_and_misses_lately_are_between_the_last_two_reports() {
    let mut board = StageBoard::default();
    board.observe(&received(
        LATENCY,
        said(1, vec![stage("fuse", 10, 1)], None),
        0,
    ));
    let first = board.agents(at_millis(0)).remove(0);
    assert_eq!(
        (first.stages[0].per_sec, first.stages[0].missed_lately),
        (None, None)
    );
    let now = vec![stage("fuse", 50, 4), stage("plan", 3, 0)];
    board.observe(&received(LATENCY, said(1, now, None), 2_000));
    let [agent] = &board.agents(at_millis(2_500))[..] else {
        panic!("expected one agent");
    };
    assert_eq!(
        (agent.fleet.as_str(), agent.agent.as_str()),
        ("flock", "crane3")
    );
    assert_eq!((agent.received, agent.lost), (12, 1));
    assert!((agent.age_secs - 0.5).abs() < 1e-9, "{agent:?}");
    let [fuse, plan] = &agent.stages[..] else {
        panic!("expected two stages, got {agent:?}");
    };
    assert!((fuse.per_sec.unwrap() - 20.0).abs() < 1e-9, "{fuse:?}");
    assert_eq!((fuse.missed, fuse.missed_lately), (4, Some(3)));
    assert_eq!(fuse.budget_nanos, Some(1_000_000));
    // It was not in the report before, so nothing can be said of lately.
    assert_eq!((plan.n, plan.per_sec), (3, None));
}

#[test]
fn a_new_start_begins_anew_and_words_of_an_old_one_are_left() {
    let mut board = StageBoard::default();
    board.observe(&received(
        LATENCY,
        said(5, vec![stage("fuse", 90, 0)], None),
        0,
    ));
    board.observe(&received(
        LATENCY,
        said(6, vec![stage("fuse", 4, 0)], None),
        1_000,
    ));
    board.observe(&received(
        LATENCY,
        said(5, vec![stage("fuse", 91, 0)], None),
        1_100,
    ));
    let agent = board.agents(at_millis(1_500)).remove(0);
    let fuse = &agent.stages[0];
    assert_eq!((agent.epoch, fuse.n, fuse.per_sec), (6, 4, None));
}

#[test]
fn the_rung_in_force_is_said_by_name() {
    let rung = |name: &str| RungLatency {
        name: name.into(),
        cost_nanos: 0,
        plans: 0,
    };
    let ladder = LadderReport {
        rungs: ["full", "half", "stop"].map(rung).to_vec(),
        rung: 1,
        changes: 3,
    };
    let mut board = StageBoard::default();
    board.observe(&received(LATENCY, said(1, Vec::new(), Some(ladder)), 0));
    let expected = RungFigures {
        name: "half".into(),
        idx: 1,
        n_rungs: 3,
        changes: 3,
        uses: ["full", "half", "stop"]
            .map(|name| RungUse {
                name: name.into(),
                plans: 0,
                cost_nanos: 0,
            })
            .to_vec(),
    };
    assert_eq!(board.agents(at_millis(0))[0].rung, Some(expected));
}

#[test]
fn what_cannot_be_read_is_counted_and_other_types_are_left_alone() {
    let mut board = StageBoard::default();
    board.observe(&received(KEY, lidar(0), 0));
    assert!(board.is_empty() && board.refused() == 0);
    board.observe(&received(LATENCY, lidar(0), 0));
    let nonsense = EncodedMessage::new([0xff; 5], AlignedBytes::copy_of(&[1, 2, 3]));
    board.observe(&received(LATENCY, nonsense, 0));
    assert!(board.is_empty());
    assert_eq!(board.refused(), 2);
    let error = board.last_error().unwrap();
    assert!(
        error.starts_with(LATENCY) && error.contains("expected"),
        "{error}"
    );
}
