use std::sync::Arc;

use sedge_spacetime::ManualClock;

use super::*;
use crate::test_drive::{Bench, Bound, PERIOD_MILLIS, Robot, WallModel, millis, name};
use crate::{
    AgentConfig, AgentNode, OnEnd, RunEnd, Shutdown, SystemClock, Wiring, new_epoch, run_node,
    spawn_named,
};

type Recording = std::vec::IntoIter<PlayItem>;

const CREDIT: Pace = Pace::Credit {
    in_flight_max: 2,
    answer_wait_max: Duration::from_millis(400),
};

fn player(config: PlayerConfig, scans: i64) -> Player<Recording> {
    let robot = Robot::new(3);
    let keys = robot.keys.clone();
    let items = robot.drive(0, scans).into_iter();
    Player::new(config, (&name("flock"), &name("crane3")), keys, items).unwrap()
}

fn bound_player(bench: &Bench, config: PlayerConfig, scans: i64) -> Bound<Player<Recording>> {
    let player = player(config, scans);
    let (subscriptions, publications) = (player.subscriptions(), player.publications());
    bench.bind(player, &subscriptions, &publications)
}

fn bound_agent(bench: &Bench) -> Bound<AgentNode> {
    let mut config = AgentConfig::new(name("flock"), name("crane3"), 7);
    config.on_end = OnEnd::Finish;
    let clock = Arc::clone(&bench.clock);
    let agent = AgentNode::new(config, clock, WallModel::factory("wall", 0.0), Vec::new()).unwrap();
    let (subscriptions, publications) = (agent.subscriptions(), agent.publications());
    bench.bind(agent, &subscriptions, &publications)
}

fn n_scans(player: &Bound<Player<Recording>>) -> u64 {
    player.node.report().scans
}

fn at(clock: &ManualClock, time_millis: i64) -> &ManualClock {
    clock.advance_to(millis(time_millis));
    clock
}

#[test]
fn in_sensor_time_each_message_goes_out_when_it_is_due() {
    for (speed, period) in [(1.0, PERIOD_MILLIS), (2.0, PERIOD_MILLIS / 2)] {
        let bench = Bench::new();
        let _agent = bound_agent(&bench);
        let mut player = bound_player(&bench, PlayerConfig::new(Pace::SensorTime { speed }), 4);
        player.settle(&bench.clock);
        assert_eq!(n_scans(&player), 1);
        for idx in 1..4 {
            player.settle(at(&bench.clock, idx * period - 1));
            assert_eq!(
                n_scans(&player),
                idx as u64,
                "just before, at speed {speed}"
            );
            player.settle(at(&bench.clock, idx * period));
            assert_eq!(n_scans(&player), 1 + idx as u64);
        }
        let report = player.node.report();
        assert_eq!(
            (report.state, player.next),
            (PlayState::Played, NextTick::Finished)
        );
        assert_eq!(
            (report.put, report.shed, report.refused, report.scans),
            (12, 0, 0, 4)
        );
        assert_eq!(report.late_max, Duration::ZERO);
    }
}

/// A whole run over the network, each node called when it asked to be: what the agent published,
/// and what it reports.
fn run(pace: Pace) -> (Vec<Outgoing>, crate::AgentReport) {
    let bench = Bench::new();
    let mut agent = bound_agent(&bench);
    let mut player = bound_player(&bench, PlayerConfig::new(pace), 20);
    loop {
        player.settle(&bench.clock);
        agent.settle(&bench.clock);
        let times = [player.next, agent.next].map(|next| match next {
            NextTick::At(then) => Some(then),
            NextTick::OnMessage | NextTick::Finished => None,
        });
        if agent.next == NextTick::Finished {
            return (agent.sent, agent.node.report());
        }
        bench
            .clock
            .advance_to(times.into_iter().flatten().min().unwrap());
    }
}

#[test]
fn two_runs_over_the_network_publish_the_same_bytes() {
    for pace in [
        CREDIT,
        Pace::SensorTime { speed: 1.0 },
        Pace::SensorTime { speed: 20.0 },
    ] {
        let (sent, report) = run(pace);
        assert!(sent.len() >= 41, "{}", sent.len());
        assert_eq!((sent, report), run(pace));
    }
}

#[test]
fn predictions_are_the_same_at_every_pace() {
    let predictions = |pace| {
        let is_prediction = |sent: &Outgoing| sent.key.message_type() == "model.prediction";
        let (sent, _) = run(pace);
        let sent = sent.into_iter().filter(is_prediction);
        sent.map(|sent| sent.message.payload().to_vec())
            .collect::<Vec<_>>()
    };
    let live = predictions(Pace::SensorTime { speed: 1.0 });
    assert_eq!(live.len(), 20);
    assert_eq!(live, predictions(Pace::SensorTime { speed: 20.0 }));
    assert_eq!(live, predictions(CREDIT));
}

#[test]
fn a_listener_is_waited_for_but_not_for_ever() {
    let bench = Bench::new();
    let mut config = PlayerConfig::new(CREDIT);
    let mut refusing = bound_player(&bench, config.clone(), 2);
    config.without_listener = WithoutListener::Play;
    let mut playing = bound_player(&bench, config, 2);
    for player in [&mut refusing, &mut playing] {
        player.settle(&bench.clock);
        assert_eq!(player.next, NextTick::At(millis(1_000)), "its next health");
    }
    at(&bench.clock, 9_999);
    for player in [&mut refusing, &mut playing] {
        player.settle(&bench.clock);
        assert_eq!(player.next, NextTick::At(millis(10_000)));
    }
    at(&bench.clock, 10_000);
    refusing.settle(&bench.clock);
    playing.settle(&bench.clock);
    assert_eq!((refusing.next, n_scans(&refusing)), (NextTick::Finished, 0));
    assert_eq!(refusing.node.report().state, PlayState::Refused);
    assert_eq!(n_scans(&playing), 2);
}

#[test]
fn by_credit_scans_wait_for_their_answers() {
    let bench = Bench::new();
    let mut agent = bound_agent(&bench);
    let mut player = bound_player(&bench, PlayerConfig::new(CREDIT), 6);
    player.settle(&bench.clock);
    assert_eq!(n_scans(&player), 2);
    for _ in 0..4 {
        agent.settle(&bench.clock);
        player.settle(&bench.clock);
    }
    let report = player.node.report();
    assert_eq!(
        (report.scans, report.answered, report.unanswered),
        (6, 6, 0)
    );
    assert_eq!(report.state, PlayState::Played);
    agent.settle(&bench.clock);
    at(&bench.clock, 200);
    agent.settle(&bench.clock);
    assert_eq!(
        agent.next,
        NextTick::Finished,
        "the end of the stream was understood"
    );
    let streams = agent.node.report().streams;
    assert_eq!(
        streams.iter().map(|row| row.received).collect::<Vec<_>>(),
        [6, 7, 6]
    );
    assert_eq!(
        streams
            .iter()
            .map(|row| row.lost + row.duplicated)
            .sum::<u64>(),
        0
    );
}

#[test]
fn by_credit_a_listener_that_died_costs_the_wait_and_no_more() {
    let bench = Bench::new();
    let agent = bound_agent(&bench);
    let mut player = bound_player(&bench, PlayerConfig::new(CREDIT), 5);
    player.settle(&bench.clock);
    drop(agent);
    while let NextTick::At(then) = player.next {
        bench.clock.advance_to(then);
        player.settle(&bench.clock);
    }
    let report = player.node.report();
    assert_eq!(
        (report.scans, report.unanswered, report.answered),
        (5, 5, 0)
    );
    let waits_over = millis(3 * 400);
    assert_eq!(
        sedge_spacetime::Clock::now(bench.clock.as_ref()),
        waits_over
    );
    assert_eq!(report.state, PlayState::Played);
}

#[test]
fn a_pace_at_which_nothing_goes_out_is_refused() {
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let (fleet, robot) = (name("flock"), name("crane3"));
        let config = PlayerConfig::new(Pace::SensorTime { speed });
        let refused = Player::new(config, (&fleet, &robot), Vec::new(), std::iter::empty());
        assert!(
            matches!(refused.err(), Some(PlayerError::Speed { .. })),
            "{speed}"
        );
    }
}

/// The driver on real threads: who plays and who listens wake each other, and both end.
#[test]
fn a_driven_player_and_a_driven_agent_end_by_themselves() {
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let network = sedge_transport::InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let shutdown = Shutdown::new();
    let listening = {
        let (network, clock, shutdown) = (network.clone(), Arc::clone(&clock), shutdown.clone());
        let epoch = new_epoch(clock.as_ref());
        let run = move || {
            let mut config = AgentConfig::new(name("flock"), name("crane3"), epoch);
            config.on_end = OnEnd::Finish;
            let model = WallModel::factory("wall", 0.0);
            let mut agent =
                AgentNode::new(config, Arc::clone(&clock) as Arc<_>, model, Vec::new()).unwrap();
            let mut wiring =
                Wiring::connect(&network, &agent.subscriptions(), &agent.publications()).unwrap();
            let run = run_node(&mut agent, &mut wiring, clock.as_ref(), &shutdown);
            (run, agent.report())
        };
        spawn_named("agent", run).unwrap()
    };
    let mut config = PlayerConfig::new(Pace::Credit {
        in_flight_max: 2,
        answer_wait_max: Duration::from_mins(1),
    });
    config.listener_wait_max = Duration::from_mins(1);
    let mut player = player(config, 50);
    let mut wiring =
        Wiring::connect(&network, &player.subscriptions(), &player.publications()).unwrap();
    let played = run_node(&mut player, &mut wiring, clock.as_ref(), &shutdown);
    let (ran, report) = listening.join().unwrap();
    assert_eq!((played.end, ran.end), (RunEnd::Finished, RunEnd::Finished));
    assert_eq!((played.shed, played.dropped, ran.dropped), (0, 0, 0));
    assert!(
        played.sent >= 154,
        "the items, the end, the manifest, the first and the last health: {played:?}"
    );
    let report_of_player = player.report();
    assert_eq!((report_of_player.put, report_of_player.answered), (150, 50));
    assert_eq!(report.contacts, [], "everybody has the same schemas");
    assert_eq!(report.counters["scans"], 50);
    assert!(ran.sent >= 101);
}

#[test]
fn a_request_for_the_end_stops_a_node_that_waits() {
    let clock: Arc<SystemClock> = Arc::new(SystemClock::new());
    let network = sedge_transport::InProcessNetwork::new(Arc::clone(&clock) as Arc<_>);
    let shutdown = Shutdown::new();
    shutdown.request();
    let mut player = player(PlayerConfig::new(CREDIT), 5);
    let mut wiring =
        Wiring::connect(&network, &player.subscriptions(), &player.publications()).unwrap();
    let run = run_node(&mut player, &mut wiring, clock.as_ref(), &shutdown);
    assert_eq!((run.end, run.sent), (RunEnd::Shutdown, 0));
}
