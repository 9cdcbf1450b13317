//! Scenario files: those of the repository, and those that must be refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use sedge_simulation::{Scenario, Simulation};

const GOOD: &str = r#"name = "yard"
duration_secs = 30.0
[kinds.crane]
mass_kg = 12.0
height_m = 0.4
body.cylinder.radius_m = 0.2
drive.differential.max_speed_mps = 1.0
lidar = {}
[[walls]]
center_m = [5.0, 0.0]
size_m = [0.2, 4.0]
[[robots]]
kind = "crane"
start = [0.0, 0.0, 0.0]
[[robots]]
kind = "crane"
start = [2.0, 0.0, 0.0]
[[groups]]
kind = "crane"
count = 2
spawn = { min_m = [-5.0, -5.0], max_m = [-1.0, 5.0] }
[[walkers]]
start = [0.0, 3.0]
route = [[3.0, 3.0]]
"#;

fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    let error = Scenario::parse(&text, "yard.toml").unwrap_err();
    assert_eq!(error.to_string(), format!("yard.toml:{expected}"));
}

#[test]
fn wrong_files_are_refused_with_line_and_reason() {
    check(
        "\"yard\"",
        "\"a yard\"",
        "1: name: expected 1 to 64 of a-z 0-9 _, got \"a yard\"",
    );
    check(
        "30.0",
        "nan",
        "2: duration_secs: expected 0.01 to 86400, got NaN",
    );
    check(
        "30.0",
        "-inf",
        "2: duration_secs: expected 0.01 to 86400, got -inf",
    );
    check(
        "12.0",
        "-12.0",
        "4: kinds.crane.mass_kg: expected 0.1 to 10000, got -12",
    );
    check(
        "lidar = {}",
        "lidar = { range_max_m = 500.0 }",
        "8: kinds.crane.lidar.range_max_m: expected 0.1 to 30, got 500",
    );
    check(
        "lidar = {}",
        "lidar = { n_beams = 0 }",
        "8: kinds.crane.lidar.n_beams: expected 1 to 4096 beams, got 0",
    );
    check(
        "lidar = {}",
        "lidar = { rate_hz = 30.0 }",
        "8: kinds.crane.lidar.rate_hz: expected a rate that divides 100 Hz, got 30",
    );
    check(
        "lidar = {}",
        "lidar = { rate_hz = 0.0 }",
        "8: kinds.crane.lidar.rate_hz: expected a rate that divides 100 Hz, got 0",
    );
}

#[test]
fn wrong_places_counts_and_kinds_are_refused_with_line_and_reason() {
    check(
        "[2.0, 0.0, 0.0]",
        "[0.3, 0.0, 0.0]",
        "14: robots[0].start: expected a start apart from everything, got one in robots[1]",
    );
    check(
        "[2.0, 0.0, 0.0]",
        "[4.8, 0.0, 0.0]",
        "17: robots[1].start: expected a start apart from everything, got one in walls[0]",
    );
    check(
        "[0.0, 3.0]",
        "[0.0, 0.3]",
        "14: robots[0].start: expected a start apart from everything, got one in walkers[0]",
    );
    check(
        "count = 2",
        "count = 1000000000",
        "20: groups[0].count: expected at most 4096 in all, got 1000000002",
    );
    check(
        "[3.0, 3.0]",
        "[3.0, nan]",
        "24: walkers[0].route[0]: expected -1000 to 1000, got NaN",
    );
    check(
        "max_m = [-1.0, 5.0]",
        "max_m = [-6.0, 5.0]",
        "21: groups[0].spawn: expected min_m below max_m, got [-5.0, -5.0] and [-6.0, 5.0]",
    );
    check(
        "kind = \"crane\"",
        "kind = \"stork\"",
        "13: robots[0].kind: expected one of [\"crane\"], got \"stork\"",
    );
}

#[test]
fn unknown_keys_types_and_texts_that_are_no_toml_are_refused_with_their_line() {
    let check = |from: &str, to: &str, line: usize, expected: &str| {
        let text = GOOD.replacen(from, to, 1);
        let error = Scenario::parse(&text, "yard.toml").unwrap_err();
        assert_eq!(error.line, Some(line), "{error}");
        assert!(error.reason.contains(expected), "{error}");
    };
    check("height_m", "hight_m", 5, "unknown field `hight_m`");
    check(
        "lidar = {}",
        "lidar = { beams = 3 }",
        8,
        "unknown field `beams`",
    );
    check("max_speed_mps", "speed", 7, "unknown field `speed`");
    check("cylinder", "sphere", 6, "unknown variant `sphere`");
    check("12.0", "\"heavy\"", 4, "invalid type");
    check("count = 2", "count = -2", 20, "invalid value");
    check("count = 2", "count = 99999999999999999999", 20, "");
    check("[[robots]]", "[[robots]", 12, "");
}

#[test]
fn files_without_an_end_are_not_read() {
    let long = format!("{GOOD}#{}", "x".repeat(1 << 20));
    let error = Scenario::parse(&long, "yard.toml").unwrap_err();
    assert!(
        error.to_string().starts_with("yard.toml: expected at most"),
        "{error}"
    );
    let error = Scenario::read(Path::new("nowhere/scenario.toml")).unwrap_err();
    assert!(
        error.to_string().starts_with("nowhere/scenario.toml: "),
        "{error}"
    );
}

#[test]
fn a_region_that_is_too_full_is_an_error_of_the_run() {
    let text = GOOD.replace("count = 2", "count = 2000");
    let scenario = Scenario::parse(&text, "yard.toml").unwrap();
    let error = Simulation::new(&scenario, 1).err().unwrap();
    assert!(
        error
            .to_string()
            .ends_with("expected a free place to start, found none in 1000 tries"),
        "{error}"
    );
}

/// Folders of `sims/`.
fn folders() -> Vec<PathBuf> {
    let sims = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sims");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(sims)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

#[test]
fn scenarios_of_the_repository_are_named_after_their_folders_explained_and_begin() {
    let index = std::fs::read_to_string(folders()[0].join("../README.md")).unwrap();
    assert!(!folders().is_empty());
    for folder in folders() {
        let scenario =
            Scenario::read(&folder.join("scenario.toml")).unwrap_or_else(|error| panic!("{error}"));
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert_eq!(scenario.name, name);
        assert!(folder.join("README.md").is_file(), "{name} has no README");
        assert!(
            index.contains(&format!("{name}/README.md")),
            "{name} is not in sims/README.md"
        );
        for seed in 0..20 {
            let mut simulation = Simulation::new(&scenario, seed).unwrap();
            simulation.step(&[]);
            assert_eq!(simulation.robots().len(), scenario.n_robots());
            assert_eq!(simulation.walkers().len(), scenario.n_walkers());
        }
    }
}
