use std::sync::Arc;
use std::time::Duration;

use sedge_latency::Stage;
use sedge_spacetime::{ManualClock, Stamp};

use crate::test_drive::{Bench, Bound, Robot, WallModel, goal, millis, name};
use crate::{AgentConfig, AgentNode, DrivingConfig, Imagining, PlayItem};

fn agent(bench: &Bench, driving: Option<DrivingConfig>) -> Bound<AgentNode> {
    let mut config = AgentConfig::new(name("flock"), name("crane3"), 7);
    config.clock_domain = Some("log".into());
    let (clock, model) = (Arc::clone(&bench.clock), WallModel::factory("wall", 0.0));
    let mut node = AgentNode::new(config, clock, model, Vec::new()).unwrap();
    if let Some(driving) = driving {
        node = node.with_driving(driving, 1).unwrap();
    }
    let (subscriptions, publications) = (node.subscriptions(), node.publications());
    bench.bind(node, &subscriptions, &publications)
}

fn counters<const N: usize>(agent: &Bound<AgentNode>, names: [&str; N]) -> [u64; N] {
    let all = agent.node.report().counters;
    names.map(|name| all.get(name).copied().unwrap_or_default())
}

/// What comes at its own stamp; how many scans are answered by now, how many by dead reckoning, and
/// how many messages of odometry were taken in.
fn after(agent: &mut Bound<AgentNode>, clock: &ManualClock, item: PlayItem) -> [u64; 3] {
    clock.advance_to(Stamp::ZERO + item.due);
    agent.feed(clock, &[item]);
    counters(agent, ["scans", "scans-dead-reckoned", "odometry"])
}

#[test]
fn who_drives_answers_a_scan_between_two_odometry_messages_at_once() {
    let check = |driving: Option<DrivingConfig>, answered: [u64; 2]| {
        let (bench, mut robot) = (Bench::new(), Robot::new(1));
        let mut agent = agent(&bench, driving);
        after(&mut agent, &bench.clock, robot.odometry(millis(240)));
        let [n_scans, n_reckoned, _] = after(&mut agent, &bench.clock, robot.scan(millis(250)));
        assert_eq!([n_scans, n_reckoned], answered);
        let all = after(&mut agent, &bench.clock, robot.odometry(millis(260)));
        assert_eq!(all, [1, answered[1], 2]);
    };
    check(Some(DrivingConfig::default()), [1, 1]);
    check(None, [0, 0]);
    let never = DrivingConfig {
        dead_reckoning_secs_max: 0.0,
        ..DrivingConfig::default()
    };
    check(Some(never), [0, 0]);
}

#[test]
fn where_odometry_has_lagged_a_scan_waits_for_it() {
    let (bench, mut robot) = (Bench::new(), Robot::new(1));
    let mut agent = agent(&bench, Some(DrivingConfig::default()));
    // No velocity is known yet.
    let first = after(&mut agent, &bench.clock, robot.scan(millis(0)));
    assert_eq!(first, [0, 0, 0]);
    after(&mut agent, &bench.clock, robot.odometry(millis(0)));
    after(&mut agent, &bench.clock, robot.odometry(millis(220)));
    let lagged = after(&mut agent, &bench.clock, robot.scan(millis(250)));
    assert_eq!(lagged, [1, 0, 2]);
    let came = after(&mut agent, &bench.clock, robot.odometry(millis(251)));
    assert_eq!(came, [2, 0, 3]);
}

#[test]
fn where_commands_come_between_scans_each_scan_has_its_own() {
    let check = |imagining: Imagining, n_answered: u64| {
        let (bench, mut robot) = (Bench::new(), Robot::new(1));
        let driving = DrivingConfig {
            imagining,
            ..DrivingConfig::default()
        };
        let mut agent = agent(&bench, Some(driving));
        agent.feed_encoded(&bench.clock, &[goal()]);
        for at in [0, 120, 240, 360].map(millis) {
            after(&mut agent, &bench.clock, robot.odometry(at));
            after(&mut agent, &bench.clock, robot.scan(at));
            // It commands by time, and the next scan comes 20 ms later.
            bench.clock.advance_to(at + Duration::from_millis(100));
            agent.feed(&bench.clock, &[]);
        }
        let report = agent.node.report();
        let row = report.latency.row(&Stage::SENSOR_TO_COMMAND);
        assert_eq!(row.map(|row| row.n), Some(n_answered));
    };
    check(Imagining::First, 1);
    check(Imagining::Afterwards, 4);
}
