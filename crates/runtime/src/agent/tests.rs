#![expect(clippy::float_cmp, reason = "numbers that are exact in binary")]

use std::sync::Mutex;
use std::time::Duration;

use sedge_latency::Stage;
use sedge_oni::{BeliefReport, EncodedMessage, Forecast, LatencyReport, TypedMessage as _};
use sedge_spacetime::ManualClock;
use sedge_transport::{Network as _, NextTick};

use super::*;
use crate::test_drive::{Bench, Bound, PERIOD_MILLIS, Robot, WallModel, flipped, millis, name};
use crate::{MadePrediction, OnEnd, PlayItem};

fn config() -> AgentConfig {
    let mut config = AgentConfig::new(name("flock"), name("crane3"), 7);
    config.model_hash = [9; 32];
    config
}

fn agent_with(bench: &Bench, config: AgentConfig, model: ModelFactory) -> Bound<AgentNode> {
    let clock = Arc::clone(&bench.clock);
    let baselines = vec![WallModel::factory("biased", 0.5)];
    let agent = AgentNode::new(config, clock, model, baselines).unwrap();
    let (subscriptions, publications) = (agent.subscriptions(), agent.publications());
    bench.bind(agent, &subscriptions, &publications)
}

fn agent(bench: &Bench) -> Bound<AgentNode> {
    agent_with(bench, config(), WallModel::factory("wall", 0.125))
}

/// Feeds each item at the time at which it is due, `start` later.
fn play(agent: &mut Bound<AgentNode>, clock: &ManualClock, items: &[PlayItem]) {
    for item in items {
        clock.advance_to(Stamp::ZERO + item.due);
        agent.feed(clock, std::slice::from_ref(item));
    }
}

fn counter(agent: &Bound<AgentNode>, name: &str) -> u64 {
    agent
        .node
        .report()
        .counters
        .get(name)
        .copied()
        .unwrap_or_default()
}

fn counters(agent: &Bound<AgentNode>, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| counter(agent, name)).collect()
}

#[test]
fn who_drives_and_lags_answers_only_the_newest_scan() {
    let check = |is_driving: bool, expected: [u64; 3]| {
        let bench = Bench::new();
        let mut agent = agent(&bench);
        if is_driving {
            let driving = crate::DrivingConfig::default();
            agent.node = agent.node.with_driving(driving, 1).unwrap();
        }
        let items = Robot::new(1).drive(0, 4);
        bench.clock.advance_to(Stamp::ZERO + items[11].due);
        agent.feed(&bench.clock, &items);
        let n_predictions = agent.sent_of("model.prediction").len() as u64;
        let [n_scans, n_overtaken] = ["scans", "scans-overtaken"].map(|it| counter(&agent, it));
        assert_eq!([n_scans, n_overtaken, n_predictions], expected);
    };
    check(false, [4, 0, 4]);
    check(true, [4, 3, 1]);
}

#[test]
fn predictions_are_graded_when_their_future_arrives() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    play(&mut agent, &bench.clock, &Robot::new(1).drive(0, 17));
    let report = agent.node.report();
    let row = |method: &str, horizon_secs: f64| {
        let mut rows = report.predictions.iter();
        rows.find(|row| row.method == method && row.horizon_secs == horizon_secs)
            .unwrap()
    };
    for (horizon_secs, n, moved_m) in [(0.5, 15, 0.25), (1.0, 13, 0.5), (2.0, 9, 1.0)] {
        for read_out in ["mean", "least_error", "mode"] {
            let wall = row(&format!("wall {read_out}"), horizon_secs);
            assert_eq!(
                (wall.n, wall.n_beams),
                (n, n),
                "only the beam that returns counts"
            );
            assert!((wall.mae_m - 0.125).abs() < 1e-5 && (wall.rmse_m - 0.125).abs() < 1e-5);
            assert_eq!((wall.within_10cm, wall.within_20cm), (0.0, 1.0));
            assert_eq!(wall.coverage_90, Some(0.0));
        }
        let persistence = row("persistence", horizon_secs);
        assert!(
            (persistence.mae_m - moved_m).abs() < 1e-5,
            "{persistence:?}"
        );
        assert_eq!((persistence.n, persistence.coverage_90), (n, None));
        assert!((row("biased", horizon_secs).mae_m - 0.5).abs() < 1e-5);
    }
    assert_eq!(
        counters(&agent, &["scans", "predictions-commanded"]),
        [17, 17]
    );
    assert_eq!(counter(&agent, "ungraded-waiting"), 2 + 4 + 8);
    let text = report.to_string();
    assert!(
        text.contains("wall least_error") && text.contains("sensor-to-prediction"),
        "{text}"
    );
}

#[test]
fn messages_say_whose_they_are_and_what_they_hold() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    play(&mut agent, &bench.clock, &Robot::new(1).drive(0, 3));
    let predictions = agent.sent_of("model.prediction");
    let message = predictions[2].decode().unwrap();
    let envelope = message.envelope();
    assert_eq!((envelope.source.epoch, envelope.source.sequence), (7, 2));
    assert_eq!(envelope.capture.stamp, millis(2 * PERIOD_MILLIS));
    assert_eq!(
        (envelope.capture.clock.as_str(), envelope.model_hash),
        ("log", Some([9; 32]))
    );
    assert!(envelope.trace.is_some());
    let stages: Vec<&str> = envelope
        .ledger
        .iter()
        .map(|entry| entry.stage.as_str())
        .collect();
    assert_eq!(stages, ["decode", "wait", "fuse", "predict"]);
    let forecast = Forecast::from_message(&message).unwrap();
    assert_eq!(forecast.horizons.len(), 3);
    assert!((forecast.horizons[2].mean_m[0] - (12.0 - 0.25 - 1.0 + 0.125)).abs() < 1e-5);

    let beliefs = agent.sent_of("model.belief");
    let message = beliefs[2].decode().unwrap();
    let belief = BeliefReport::from_message(&message).unwrap();
    assert_eq!(belief.latent.as_ref(), [11.75, 3.0]);
}

#[test]
fn two_runs_publish_the_same_bytes() {
    let run = || {
        let bench = Bench::new();
        let thinks = Some((Arc::clone(&bench.clock), Duration::from_millis(3)));
        let mut agent = agent_with(&bench, config(), WallModel::thinking("wall", 0.125, thinks));
        play(&mut agent, &bench.clock, &Robot::new(1).drive(0, 20));
        (agent.sent, agent.node.report())
    };
    let (first, second) = (run(), run());
    assert!(first.0.len() > 40);
    assert_eq!(first, second);
}

#[test]
fn stages_are_timed_on_the_clock_that_is_passed_in() {
    let bench = Bench::new();
    let mut config = config();
    config.clock_domain = Some("here".into());
    let thinks = Some((Arc::clone(&bench.clock), Duration::from_millis(3)));
    let mut agent = agent_with(&bench, config, WallModel::thinking("wall", 0.0, thinks));
    let mut items = Robot::new(1).drive(4, 5);
    bench.clock.advance_to(millis(998));
    crate::put_time::note_put(items[2].message.envelope_mut(), "here", millis(998));
    bench.clock.advance_to(millis(1_000));
    agent.feed(&bench.clock, &items);
    let report = agent.node.report();
    let max_millis = |stage: &str| {
        let stage = Stage::new(stage).unwrap();
        report
            .latency
            .row(&stage)
            .map(|row| row.max_nanos as f64 / 1e6)
    };
    assert_eq!(max_millis("wire"), Some(2.0));
    assert_eq!(max_millis("predict"), Some(3.0));
    assert_eq!(max_millis("sensor-to-prediction"), Some(3.0));
    assert_eq!(max_millis("put-to-prediction"), Some(5.0));
    assert_eq!(report.budgets[0].n, 1);
}

#[test]
fn lost_and_duplicated_messages_are_counted_exactly() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    let items = Robot::new(1).drive(0, 20);
    let mut came = Vec::new();
    for (idx, item) in items.into_iter().enumerate() {
        match idx {
            // One odometry sample, one command and one scan never come.
            9 | 16 | 23 => {}
            // Two scans and a sample come twice.
            5 | 8 | 12 => came.extend([item.clone(), item]),
            _ => came.push(item),
        }
    }
    play(&mut agent, &bench.clock, &came);
    let report = agent.node.report();
    let counts = |message_type: &str| {
        let mut rows = report.streams.iter();
        let row = rows.find(|row| row.key.contains(message_type)).unwrap();
        [row.received, row.lost, row.duplicated, row.reordered]
    };
    assert_eq!(counts("sensor.odometry"), [19, 1, 1, 0]);
    assert_eq!(counts("actuator.cmd"), [19, 1, 0, 0]);
    assert_eq!(counts("sensor.lidar"), [19, 1, 2, 0]);
    assert_eq!(
        counters(&agent, &["refused-duplicate", "scans", "odometry"]),
        [3, 19, 19]
    );
}

#[test]
fn late_events_are_refused_and_counted() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    let mut items = Robot::new(1).drive(0, 10);
    let (late_scan, late_odometry) = (items.remove(8), items.remove(6));
    play(&mut agent, &bench.clock, &items);
    agent.feed(&bench.clock, &[late_scan, late_odometry]);
    assert_eq!(
        counters(&agent, &["refused-late-scan", "refused-late-odometry"]),
        [1, 1]
    );
    assert_eq!(
        counters(&agent, &["scans", "odometry", "rewinds"]),
        [9, 9, 0]
    );
    assert_eq!(
        agent
            .node
            .report()
            .streams
            .iter()
            .map(|row| row.lost)
            .sum::<u64>(),
        0
    );
}

#[test]
fn a_scan_waits_for_its_odometry_and_is_answered_late_without_it() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    let mut robot = Robot::new(1);
    let start = [robot.odometry(Stamp::ZERO), robot.scan(millis(100))];
    agent.feed(&bench.clock, &start);
    assert_eq!(agent.sent_of("model.prediction").len(), 0);
    assert_eq!(agent.next, NextTick::At(millis(20)));
    bench.clock.advance_to(millis(20));
    agent.feed(&bench.clock, &[]);
    assert_eq!(agent.sent_of("model.prediction").len(), 1);
    assert_eq!(
        counters(&agent, &["scans-waited-out", "predictions-assumed"]),
        [1, 1]
    );
    agent.feed(
        &bench.clock,
        &[robot.scan(millis(200)), robot.odometry(millis(200))],
    );
    assert_eq!(agent.sent_of("model.prediction").len(), 2);
    assert_eq!(counter(&agent, "scans-waited-out"), 1);
}

#[test]
fn corrupt_messages_are_counted_and_survived() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    let mut robot = Robot::new(1);
    agent.feed(
        &bench.clock,
        &[robot.odometry(millis(0)), robot.scan(millis(0))],
    );
    let scan = robot.scan(millis(100));
    let whole = scan.message.encode().unwrap();
    let n_bits = 8 * (whole.header().len() + whole.payload().len());
    let mut messages: Vec<(Key, EncodedMessage)> = (0..n_bits)
        .map(|bit| (scan.key.clone(), flipped(&whole, bit)))
        .collect();
    let truncated = EncodedMessage::new(&whole.header()[..9], sedge_oni::AlignedBytes::default());
    messages.push((scan.key.clone(), truncated));
    // A scan under the key of odometry.
    messages.push((robot.keys[0].clone(), whole));
    for message in &messages {
        agent.feed_encoded(&bench.clock, std::slice::from_ref(message));
    }
    let refused = ["refused-undecodable", "refused-schema", "refused-content"];
    assert!(
        counters(&agent, &refused).iter().all(|n| *n > 0),
        "{:?}",
        agent.node.report()
    );
}

#[test]
fn a_player_that_dies_and_restarts_begins_the_belief_anew() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    play(&mut agent, &bench.clock, &Robot::new(1).drive(0, 10));
    let silence = Duration::from_secs(9);
    bench.clock.advance_to(millis(10 * PERIOD_MILLIS) + silence);
    // One scan of the old run is still on its way when the new run begins.
    let straggler = Robot::new(1).drive(9, 11).pop().unwrap();
    let mut again = Robot::new(2).drive(0, 10);
    again.insert(1, straggler);
    for item in &again {
        agent.feed(&bench.clock, std::slice::from_ref(item));
    }
    let names = [
        "restarts",
        "gaps",
        "refused-old-epoch",
        "scans",
        "ungraded-restarted",
    ];
    assert_eq!(counters(&agent, &names), [1, 1, 1, 20, 2 + 4 + 8]);
    let beliefs = agent.sent_of("model.belief");
    let last = beliefs.last().unwrap().decode().unwrap();
    let n_odometry = BeliefReport::from_message(&last).unwrap().latent[1];
    assert_eq!(
        n_odometry, 10.0,
        "nothing of the first run is in the belief"
    );
    let restarts: Vec<u64> = agent
        .node
        .report()
        .streams
        .iter()
        .map(|row| row.restarts)
        .collect();
    assert_eq!(restarts, [1, 1, 1]);
}

#[test]
fn stamps_that_run_back_begin_the_belief_anew() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    let mut robot = Robot::new(1);
    for at in [5_000, 5_250, 0, 250] {
        let items = [robot.odometry(millis(at)), robot.scan(millis(at))];
        agent.feed(&bench.clock, &items);
    }
    assert_eq!(
        counters(&agent, &["rewinds", "scans", "refused-late-scan"]),
        [1, 4, 0]
    );
}

#[test]
fn without_a_model_after_a_restart_nothing_is_believed_and_it_says_so() {
    let bench = Bench::new();
    let made = Mutex::new(0);
    let inner = WallModel::factory("wall", 0.0);
    let model: ModelFactory = Box::new(move || {
        let mut made = made.lock().unwrap();
        *made += 1;
        if *made == 2 {
            Err("no weights".into())
        } else {
            inner()
        }
    });
    let mut agent = agent_with(&bench, config(), model);
    for epoch in [1, 2, 3] {
        agent.feed(&bench.clock, &Robot::new(epoch).drive(0, 2));
    }
    let names = [
        "restarts",
        "restarts-failed",
        "refused-without-model",
        "scans",
    ];
    assert_eq!(counters(&agent, &names), [2, 1, 4, 4]);
}

#[test]
fn predictions_that_wait_for_their_future_are_bounded() {
    let bench = Bench::new();
    let mut config = config();
    config.pending_max = 10;
    let mut agent = agent_with(&bench, config, WallModel::factory("wall", 0.0));
    play(&mut agent, &bench.clock, &Robot::new(1).drive(0, 30));
    assert!(agent.node.grader.n_waiting() <= 10);
    assert!(counter(&agent, "ungraded-forgotten") > 0);
}

/// Counts, at each prediction it is shown, that the message was already out.
struct Watcher(Arc<Mutex<Vec<Stamp>>>);

impl AgentObserver for Watcher {
    fn on_prediction(&mut self, made: &MadePrediction<'_>) {
        self.0.lock().unwrap().push(made.stamp);
    }
}

#[test]
fn an_observer_sees_a_prediction_only_after_it_went_out() {
    let bench = Bench::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let node = AgentNode::new(
        config(),
        Arc::clone(&bench.clock) as Arc<_>,
        WallModel::factory("wall", 0.0),
        Vec::new(),
    );
    let node = node
        .unwrap()
        .with_observer(Box::new(Watcher(Arc::clone(&seen))));
    let (subscriptions, publications) = (node.subscriptions(), node.publications());
    let mut agent = bench.bind(node, &subscriptions, &publications);
    let robot = Robot::new(1);
    let qos = Qos::of(sedge_transport::QosClass::State);
    for item in robot.drive(0, 1) {
        let mut publisher = bench
            .network
            .publisher(&item.key, qos, sedge_transport::no_wake())
            .unwrap();
        assert_eq!(
            publisher.put(&item.message.encode().unwrap()),
            PutOutcome::Sent
        );
    }
    assert_eq!(agent.step(&bench.clock), NextTick::At(Stamp::ZERO));
    assert_eq!(
        (
            agent.sent_of("model.prediction").len(),
            seen.lock().unwrap().len()
        ),
        (1, 0)
    );
    agent.step(&bench.clock);
    assert_eq!(seen.lock().unwrap().len(), 3, "one for each horizon");
}

#[test]
fn telemetry_goes_out_at_once_and_every_period() {
    let bench = Bench::new();
    let mut agent = agent(&bench);
    agent.feed(&bench.clock, &[]);
    assert_eq!(agent.next, NextTick::At(millis(1_000)));
    play(&mut agent, &bench.clock, &Robot::new(1).drive(0, 9));
    let telemetry = agent.sent_of("telemetry.latency");
    assert_eq!(telemetry.len(), 3);
    let message = telemetry[2].decode().unwrap();
    let report = LatencyReport::from_message(&message).unwrap();
    assert_eq!(
        (report.received, report.lost, report.duplicated),
        (25, 0, 0)
    );
    let mut stages = report.stages.iter();
    let chain = stages.find(|stage| stage.stage == "sensor-to-prediction");
    assert_eq!(chain.unwrap().budget_nanos, 10_000_000, "the default");
}

#[test]
fn it_finishes_when_it_has_been_quiet_for_as_long_as_it_was_told() {
    let bench = Bench::new();
    let mut config = config();
    (config.quiet_max, config.on_end) = (Some(Duration::from_millis(700)), OnEnd::Wait);
    let mut agent = agent_with(&bench, config, WallModel::factory("wall", 0.0));
    agent.feed(&bench.clock, &Robot::new(1).drive(0, 1));
    assert_eq!(agent.next, NextTick::At(millis(700)));
    bench.clock.advance_to(millis(700));
    agent.feed(&bench.clock, &[]);
    assert_eq!(agent.next, NextTick::Finished);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let refused = |change: fn(&mut AgentConfig)| {
        let mut config = config();
        change(&mut config);
        let clock = Arc::new(ManualClock::default());
        let model = WallModel::factory("wall", 0.0);
        AgentNode::new(config, clock, model, Vec::new())
            .err()
            .map(|error| error.to_string())
    };
    let text = refused(|config| config.horizons.clear()).unwrap();
    assert!(text.contains("horizons that rise"), "{text}");
    assert!(refused(|config| config.horizons.reverse()).is_some());
    assert!(refused(|config| config.scanner_latency_secs = f64::NAN).is_some());
    assert!(refused(|config| config.stream = "a/b".into()).is_some());
    assert!(refused(|_| {}).is_none());
}
