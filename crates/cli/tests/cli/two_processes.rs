//! A player and an agent as two processes: either may be killed, the other goes on.

use std::path::Path;

use sedge_latency::Stage;
use sedge_oni::{Lidar, TypedMessage as _};
use sedge_runtime::{AgentReport, PlayReport, PlayState, StreamRow};

use crate::running::{Running, wait_for_predictions};
use crate::write_corridor_log;

/// Begins every recording of Rerun.
const RECORDING_MAGIC: &[u8] = b"RRF2";
/// Seconds of the log; played four times as fast.
const SECS: u64 = 60;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn play(log: &Path, listen: &str, speed: &str) -> Running {
    let arguments = [
        "play",
        text(log),
        "--listen",
        listen,
        "--speed",
        speed,
        "--json",
    ];
    Running::start(&arguments)
}

fn agent(connect: &str, recording: &Path) -> Running {
    let target = text(recording);
    Running::start(&[
        "agent",
        "--model",
        "geometric",
        "--connect",
        connect,
        "--listen",
        "tcp/127.0.0.1:0",
        "--rerun",
        "file",
        target,
        "--until-end",
        "--json",
    ])
}

fn report(agent: Running) -> AgentReport {
    let (status, text) = agent.output();
    assert!(status.success(), "{status}");
    serde_json::from_str(&text).unwrap()
}

fn scans(report: &AgentReport) -> &StreamRow {
    let is_scans = |row: &&StreamRow| row.key.contains(Lidar::NAME);
    report.streams.iter().find(is_scans).expect("scans came")
}

fn check_recording(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    assert!(
        bytes.starts_with(RECORDING_MAGIC),
        "{:?}",
        &bytes[..bytes.len().min(4)]
    );
    assert!(bytes.len() > 10_000, "{}", bytes.len());
}

#[test]
fn everything_that_is_played_arrives_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = write_corridor_log(folder.path(), 30);
    let player = play(&log, "tcp/127.0.0.1:0", "max");
    let agent = agent(&player.locator(), &folder.path().join("a.rrd"));
    let (status, text) = player.output();
    assert!(status.success(), "{status}");
    let played: PlayReport = serde_json::from_str(&text).unwrap();
    let report = report(agent);
    let row = scans(&report);
    assert_eq!(
        (row.received, row.lost, row.duplicated),
        (played.scans, 0, 0),
        "{row:?}"
    );
    let all: u64 = report.streams.iter().map(|row| row.received).sum();
    // The message that says "the end" is one more.
    assert_eq!((all, played.shed), (played.put + 1, 0), "{report:?}");
    assert!(report.predictions.iter().any(|row| row.n > 50), "{report}");
    check_recording(&folder.path().join("a.rrd"));
}

#[test]
fn a_killed_agent_does_not_disturb_the_player_and_its_recording_opens() {
    let folder = tempfile::tempdir().unwrap();
    let log = write_corridor_log(folder.path(), SECS);
    let player = play(&log, "tcp/127.0.0.1:0", "4");
    let meeting_point = player.locator();

    let first_recording = folder.path().join("first.rrd");
    let first = agent(&meeting_point, &first_recording);
    wait_for_predictions(&first.locator(), 20);
    first.kill();
    let second = agent(&meeting_point, &folder.path().join("second.rrd"));

    let (status, text) = player.output();
    assert!(status.success(), "{status}");
    let played: PlayReport = serde_json::from_str(&text).unwrap();
    assert_eq!(played.state, PlayState::Played);
    let report = report(second);
    let row = scans(&report);
    assert!(row.received > 0 && row.missed_at_start >= 20, "{row:?}");
    assert_eq!(
        row.received + row.missed_at_start + row.lost,
        played.scans,
        "{row:?}"
    );
    assert!(report.predictions.iter().any(|row| row.n > 0), "{report}");
    check_recording(&first_recording);
}

#[test]
fn a_killed_player_does_not_disturb_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let log = write_corridor_log(folder.path(), SECS);
    let first = play(&log, "tcp/127.0.0.1:0", "4");
    let meeting_point = first.locator();
    let recording = folder.path().join("a.rrd");
    let agent = agent(&meeting_point, &recording);
    wait_for_predictions(&agent.locator(), 20);
    first.kill();

    let second = play(&log, &meeting_point, "max");
    let (status, text) = second.output();
    assert!(status.success(), "{status}");
    let played: PlayReport = serde_json::from_str(&text).unwrap();
    let report = report(agent);
    let row = scans(&report);
    assert_eq!(row.restarts, 1, "{row:?}");
    assert!(row.received >= played.scans + 20, "{row:?} {played:?}");
    assert!(
        report.counters.contains_key("ungraded-restarted"),
        "{report}"
    );
    check_recording(&recording);
}

/// Whether an agent by a clock measures how long a player's messages by another travel, and what
/// its counters say of stamps from the future.
fn measures(folder: &Path, [players, agents]: [&str; 2]) -> (bool, Option<u64>) {
    let launch = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let log = write_corridor_log(folder, 5);
    let clock = |name: &str| format!("[clock]\nname = '{name}'\nerror_micros_max = 500\n");
    let text_of_play = format!(
        "log = '{}'\nlisten = ['tcp/127.0.0.1:0']\nspeed = 'max'\n{}",
        text(&log),
        clock(players)
    );
    let player = Running::start(&["play", text(&launch("play.toml", text_of_play)), "--json"]);
    let text_of_agent = format!(
        "model = 'geometric'\nconnect = ['{}']\nlisten = ['tcp/127.0.0.1:0']\nuntil_end = true\n{}",
        player.locator(),
        clock(agents)
    );
    let agent = launch("agent.toml", text_of_agent);
    let agent = Running::start(&["agent", text(&agent), "--json"]);
    assert!(player.output().0.success());
    let report = report(agent);
    assert!(scans(&report).received > 20, "{report}");
    let wire = report.latency.row(&Stage::new("wire").unwrap());
    let ahead = report.counters.get("stamps-from-the-future").copied();
    (wire.is_some_and(|row| row.n > 20), ahead)
}

#[test]
fn clocks_of_one_name_are_compared_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(measures(folder.path(), ["fleet", "fleet"]), (true, None));
    assert_eq!(measures(folder.path(), ["fleet", "lab"]), (false, None));
}
