//! Simulated robots: collected, learnt from, graded on, and driven in lockstep, as processes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::running::sedge;

/// Two robots that change places while somebody walks between them, a few seconds long.
pub(crate) const YARD: &str = r#"
name = "yard"
duration_secs = 4.0

[kinds.crane]
mass_kg = 12.0
height_m = 0.4
body.cylinder.radius_m = 0.2
drive.differential.max_speed_mps = 1.0
lidar = { n_beams = 36 }
odometry = {}
imu = {}
range_bearing = {}

[[walls]]
center_m = [0.0, 3.0]
size_m = [8.0, 0.2]
[[walls]]
center_m = [0.0, -3.0]
size_m = [8.0, 0.2]

[[robots]]
kind = "crane"
start = [-2.0, 0.5, 0.0]
route = [[2.0, 0.5, 0.0]]
[[robots]]
kind = "crane"
start = [2.0, -0.5, 3.14159]
route = [[-2.0, -0.5, 3.14159]]
[[walkers]]
start = [0.0, 2.0]
route = [[0.0, -2.0]]
"#;

pub(crate) fn json(arguments: &[&str]) -> Value {
    let output = sedge(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn refusal(arguments: &[&str], code: i32) -> String {
    let output = sedge(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    stderr
}

/// Writes a scenario into a folder, as a file of the name that marks one.
pub(crate) fn write_scenario(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("scenario.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn collect(scenario: &Path, out: &Path, n_episodes: &str, threads: &str) -> Value {
    json(&[
        "collect",
        scenario.to_str().unwrap(),
        "--episodes",
        n_episodes,
        "--seed",
        "5",
        "--out",
        out.to_str().unwrap(),
        "--threads",
        threads,
        "--json",
    ])
}

#[test]
fn the_same_seeds_give_the_same_collection_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = write_scenario(folder.path(), YARD);
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let whole = collect(&scenario, &one, "5", "1");
    assert_eq!(whole["n_new"], 5);
    assert!(whole["dataset_hash"].is_string());
    // In two parts, on two threads; what is already there is kept.
    assert_eq!(collect(&scenario, &two, "2", "2")["n_new"], 2);
    let parts = collect(&scenario, &two, "5", "2");
    assert_eq!(
        (&parts["n_new"], &parts["dataset_hash"]),
        (&3.into(), &whole["dataset_hash"])
    );
    for file in [
        "000005.oni",
        "000009.oni",
        "000007.json",
        "collection.toml",
        "scenario.toml",
    ] {
        let read = |out: &Path| std::fs::read(out.join(file)).unwrap();
        assert!(read(&one) == read(&two), "{file} differs");
    }
    let said = json(&["inspect", one.to_str().unwrap(), "--json"]);
    let part = &said["parts"][0];
    assert_eq!(
        (&part["n_train"], &part["n_validation"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        (&part["n_test"], &said["dataset_hash"]),
        (&2.into(), &whole["dataset_hash"])
    );

    // Another driver is another collection.
    let (scenario, one) = (scenario.to_str().unwrap(), one.to_str().unwrap());
    let other = [
        "collect",
        scenario,
        "--episodes",
        "5",
        "--seed",
        "5",
        "--out",
        one,
        "--driver",
        "social-force",
    ];
    let said = refusal(&other, 2);
    assert!(said.contains("expected the collection that"), "{said}");
}

#[test]
fn a_run_is_inspected_and_a_broken_one_gives_what_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = write_scenario(folder.path(), YARD);
    let out = folder.path().join("data");
    collect(&scenario, &out, "1", "1");
    let file = out.join("000005.oni");
    let whole = json(&["inspect", file.to_str().unwrap(), "--json"]);
    let robots = whole["robots"].as_array().unwrap();
    assert_eq!(robots.len(), 2);
    assert_eq!(whole["walkers"], serde_json::json!(["walker1"]));
    for robot in robots {
        let number = |key: &str| robot[key].as_u64().unwrap();
        assert!((35..=41).contains(&number("n_scans")), "{robot}");
        assert!(number("n_imu") > 0 && number("n_heard") > 0, "{robot}");
        assert!(robot["moving_share"].as_f64().unwrap() > 0.0, "{robot}");
    }
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 3]).unwrap();
    let broken = json(&["inspect", file.to_str().unwrap(), "--json"]);
    let n_scans = broken["robots"][0]["n_scans"].as_u64().unwrap();
    assert!((1..35).contains(&n_scans), "{n_scans}");
    let defect = broken["defect"].as_str().unwrap();
    assert!(defect.contains("000005.oni, at byte "), "{defect}");
}

#[test]
fn collected_runs_are_learnt_from_and_graded_on() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever is graded has looked around for 20 s.
    let there_and_back = "[2.0, 0.5, 0.0], [-2.0, 0.5, 0.0],".repeat(5);
    let long = YARD
        .replace("duration_secs = 4.0", "duration_secs = 32.0")
        .replace("[[2.0, 0.5, 0.0]]", &format!("[{there_and_back}]"));
    let scenario = write_scenario(folder.path(), &long);
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    collect(&scenario, &data, "5", "2");
    let (data, run) = (data.to_str().unwrap(), run.to_str().unwrap());
    let train = [
        "train",
        "--log",
        data,
        "--preset",
        "tiny",
        "--seed",
        "1",
        "--out",
        run,
        "--updates",
        "2",
        "--json",
    ];
    let trained = json(&train);
    assert_eq!(
        (&trained["updates"], &trained["status"]),
        (&2.into(), &"done".into())
    );
    let eval = [
        "eval",
        "--log",
        data,
        "--run",
        run,
        "--horizons",
        "0.5",
        "--drives",
        "2",
        "--json",
    ];
    let rows = json(&eval);
    let has = |method: &str| {
        let rows = rows.as_array().unwrap().iter();
        let mut of_method = rows.filter(|row| row["method"].as_str() == Some(method));
        of_method
            .next()
            .is_some_and(|row| row["n_beams"].as_u64() > Some(0))
    };
    for method in [
        "persist",
        "persist, on movers",
        "persist, on static",
        "sedge mean",
    ] {
        assert!(has(method), "expected a row of {method}: {rows:#}");
    }
}

pub(crate) fn write_launch(folder: &Path, scenario: &Path, more: &str) -> PathBuf {
    let path = folder.join("swarm.toml");
    let scenario = scenario.to_str().unwrap();
    let text =
        format!("scenario = {scenario:?}\nseed = 3\n{more}\n[driving.planner]\nn_samples = 32\n");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_same_seed_gives_the_same_swarm_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = write_scenario(folder.path(), YARD);
    let launch = write_launch(folder.path(), &scenario, "model = 'constant-velocity'");
    let launch = launch.to_str().unwrap();
    let out = folder.path().join("out");
    let first = json(&[
        "swarm",
        launch,
        "--threads",
        "1",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]);
    let second = json(&["swarm", launch, "--threads", "2", "--json"]);
    let hash = |report: &Value| report["runs"][0]["hash"].as_str().unwrap().to_owned();
    assert_eq!(hash(&first), hash(&second));
    assert_eq!(hash(&first).len(), 64);
    assert_eq!(first["runs"][0]["failures"], serde_json::json!([]));
    let members = first["swarm"]["members"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    for member in members {
        let commands = member["report"]["driving"]["n_commands"].as_u64().unwrap();
        assert!(commands > 10, "{member:#}");
    }
    let other = json(&["swarm", launch, "--seed", "4", "--json"]);
    assert_ne!(hash(&first), hash(&other));
    for file in ["report.json", "run.json"] {
        let text = std::fs::read(out.join(file)).unwrap();
        assert!(serde_json::from_slice::<Value>(&text).is_ok(), "{file}");
    }
}

/// The verdict on robots that go to and fro as processes, while agents are killed and sensors fall
/// silent, and the exit code. What is promised in milliseconds, a busy machine may break.
fn chaos(folder: &Path, driving: &str) -> (Value, Option<i32>) {
    let more = "model = 'constant-velocity'\nprocesses = true\nchaos = 3\nsecs = 14";
    let scenario = write_scenario(folder, YARD);
    let launch = write_launch(folder, &scenario, more);
    let text = std::fs::read_to_string(&launch).unwrap() + driving;
    std::fs::write(&launch, text).unwrap();
    let (launch, out) = (launch.to_str().unwrap(), folder.join("out"));
    let output = sedge(&["swarm", launch, "--out", out.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("counters equal the truth"), "{text}{stderr}");
    let report = std::fs::read(out.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    println!("{text}");
    (report, output.status.code())
}

fn promise<'r>(report: &'r Value, name: &str) -> &'r Value {
    let promises = report["verdict"]["promises"].as_array().unwrap();
    let mut named = promises.iter().filter(|it| it["name"] == name);
    named.next().unwrap_or_else(|| panic!("{promises:#?}"))
}

#[test]
fn processes_that_are_killed_come_back_and_what_they_promise_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (report, code) = chaos(folder.path(), "");
    let promises = report["verdict"]["promises"].as_array().unwrap();
    let is_broken = promises.iter().any(|it| it["n_broken"] != 0);
    assert_eq!(code, Some(i32::from(is_broken)), "{promises:#?}");
    for name in [
        "no command is executed after its deadline",
        "a base without commands stops itself",
        "who is killed comes back and drives",
        "counters equal the truth",
    ] {
        let promise = promise(&report, name);
        assert_eq!(promise["n_broken"], 0, "{promise:#}");
        assert!(promise["n_tried"].as_u64() > Some(0), "{promise:#}");
    }
    let count = |key: &str| report[key].as_u64().unwrap();
    assert!(count("n_kills") >= 1, "{report:#}");
    assert_eq!(count("n_starts"), 2 + count("n_kills"));
    assert_eq!(count("n_died"), 0);
    assert!(
        report["agents"]
            .as_array()
            .unwrap()
            .iter()
            .all(Value::is_object)
    );
}

#[test]
fn agents_that_need_no_evidence_break_their_promise() {
    let folder = tempfile::tempdir().unwrap();
    let careless = "[driving.safety]\nscan_age_secs_max = 9.0\nodometry_age_secs_max = 9.0\n\
                    plan_age_secs_max = 9.0\n";
    let (report, code) = chaos(folder.path(), careless);
    let stops = promise(&report, "an agent without evidence stops its robot");
    assert!(stops["n_broken"].as_u64() > Some(0), "{stops:#}");
    assert_eq!(code, Some(1));
}

#[test]
fn many_seeds_make_a_table_with_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = write_scenario(
        folder.path(),
        &YARD.replace("duration_secs = 4.0", "duration_secs = 12.0"),
    );
    let scenario = scenario.to_str().unwrap();
    let run = [
        "swarm",
        scenario,
        "--driver",
        "orca",
        "--seeds",
        "0..4",
        "--threads",
        "2",
    ];
    let report = json(&[&run[..], &["--json"]].concat());
    let seeds: Vec<u64> = report["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["seed"].as_u64().unwrap())
        .collect();
    assert_eq!(seeds, [0, 1, 2, 3]);
    let success = &report["summary"]["success"];
    assert!(success["low"].as_f64().unwrap() < success["high"].as_f64().unwrap());
    let text = String::from_utf8(sedge(&run).stdout).unwrap();
    for part in ["yard by orca", "success", "time to goal", "robots stuck"] {
        assert!(text.contains(part), "expected {part:?} in {text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_file_line_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_scenario(
        folder.path(),
        &YARD.replace("mass_kg = 12.0", "mass_kg = -12.0"),
    );
    let swarm = [
        "swarm",
        path.to_str().unwrap(),
        "--driver",
        "orca",
        "--seed",
        "1",
    ];
    let said = refusal(&swarm, 2);
    assert!(
        said.contains("scenario.toml:6: kinds.crane.mass_kg: expected"),
        "{said}"
    );
    let path = write_scenario(folder.path(), &YARD.replace("duration_secs", "duration"));
    let out = folder.path().join("data");
    let collect = [
        "collect",
        path.to_str().unwrap(),
        "--episodes",
        "1",
        "--seed",
        "1",
        "--out",
        out.to_str().unwrap(),
    ];
    let said = refusal(&collect, 2);
    assert!(
        said.contains("scenario.toml:3: ") && said.contains("`duration`"),
        "{said}"
    );
    assert!(!out.exists());

    let path = write_scenario(folder.path(), YARD);
    let path = path.to_str().unwrap();
    let check = |arguments: &[&str], says: &str| {
        let said = refusal(arguments, 2);
        assert!(
            said.contains(says),
            "{arguments:?}: expected {says:?} in {said}"
        );
    };
    check(&["swarm", path, "--driver", "orca"], "--seed");
    check(&["swarm", path, "--seed", "1"], "--driver orca");
    check(&["swarm", path, "--seeds", "3..3"], "A below B");
    for alone in ["--chaos", "--secs"] {
        let alone = ["swarm", path, "--driver", "orca", "--seed", "1", alone, "9"];
        check(&alone, "expected --processes");
    }
    check(
        &["swarm", path, "--driver", "orca", "--model", "geometric"],
        "cannot be used with",
    );
    let blind = write_scenario(folder.path(), &YARD.replace("lidar = { n_beams = 36 }", ""));
    let blind = blind.to_str().unwrap();
    check(
        &["swarm", blind, "--model", "geometric", "--seed", "1"],
        "expected robots with a lidar",
    );
}
