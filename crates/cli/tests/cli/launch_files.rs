//! Launch files: what is refused, and how that is said.

use std::path::{Path, PathBuf};

use sedge::commands::agent::AgentSettings;
use sedge::commands::demo::DemoSettings;
use sedge::commands::play::PlaySettings;
use sedge::{SwarmSettings, read_launch_file};
use serde::de::DeserializeOwned;

fn refusal<Launch: DeserializeOwned>(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let error = read_launch_file::<Launch>(&path)
        .err()
        .expect("it must be refused")
        .to_string();
    let folder = folder.path().join("").display().to_string();
    error.replace(&folder, "")
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_known_ones() {
    assert_eq!(
        refusal::<DemoSettings>("seed = 1\nqick = true\n"),
        "a.toml:2:1: unknown field `qick`, expected one of `log`, `seed`, `out`, `rerun`, `quick`"
    );
}

#[test]
fn a_value_of_another_type_is_refused_with_both() {
    assert_eq!(
        refusal::<DemoSettings>("quick = \"yes\""),
        "a.toml:1:9: invalid type: string \"yes\", expected a boolean"
    );
    assert_eq!(
        refusal::<AgentSettings>("# a comment\n\nrobot = 7\n"),
        "a.toml:3:9: invalid type: integer `7`, expected a string"
    );
}

#[test]
fn a_bad_value_is_refused_with_what_was_expected() {
    let check = |got: String, place: &str, expected: &str, came: &str| {
        for part in [place, expected, came] {
            assert!(got.contains(part), "expected {part:?} in {got:?}");
        }
    };
    let agent = refusal::<AgentSettings>;
    check(
        agent("robot = 'a/b'"),
        "a.toml:1:9: ",
        "expected an agent name",
        "\"a/b\"",
    );
    check(agent("model = 'x'"), "a.toml:1:9: ", "`geometric`", "`x`");
    check(
        agent("[clock]\nname = 'fleet'\nerror_micros_max = 1000001"),
        "a.toml:3:20: ",
        "expected at most 1000000 microseconds",
        "1000001",
    );
    check(
        agent("\nlisten = ['tcp/a']"),
        "a.toml:2:10: ",
        "tcp/127.0.0.1:7447",
        "\"tcp/a\"",
    );
    check(
        agent("rerun = 'file'"),
        "a.toml:1:9: ",
        "a path after `file`",
        "nothing",
    );
    check(
        agent("horizons_secs = [0.5, 0]"),
        "a.toml:1:",
        "expected",
        "0",
    );
    check(
        agent("device = 'gpu'"),
        "a.toml:1:10: ",
        "`flex`, `vulkan`, `cuda`",
        "`gpu`",
    );
    let play = refusal::<PlaySettings>;
    check(
        play("speed = 'fast'"),
        "a.toml:1:9: ",
        "a number above 0 or max",
        "\"fast\"",
    );
    check(play("from = 1.0"), "a.toml:1:8: ", "from 0 to below 1", "1");
    check(play("wait = -1"), "a.toml:1:8: ", "u32", "-1");
}

#[test]
fn budgets_that_do_not_fit_are_refused_with_the_arithmetic_and_a_place() {
    let budget = |stage: &str, micros: u32| {
        format!("[[budgets]]\nstage = '{stage}'\nspan_micros_max = {micros}\non_miss = 'warn'\n")
    };
    let all = [
        ("sensor-to-command", 10_000),
        ("plan", 6_000),
        ("fuse", 5_000),
    ];
    let text: String = all
        .iter()
        .map(|(stage, micros)| budget(stage, *micros))
        .collect();
    let got = refusal::<AgentSettings>(&format!("robot = 'a'\n{text}"));
    let says = "fuse 5 ms + plan 6 ms = 11 ms cannot fit sensor-to-command 10 ms";
    assert!(got.starts_with("a.toml:2:") && got.ends_with(says), "{got}");
    let got = refusal::<AgentSettings>(&budget("plam", 1));
    assert!(got.contains("got plam"), "{got}");
    let got = refusal::<AgentSettings>(&budget("plan", 1).replace("warn", "shout"));
    assert!(
        got.starts_with("a.toml:4:11: ") && got.contains("`shout`"),
        "{got}"
    );
}

#[test]
fn a_swarm_is_refused_with_its_place() {
    let swarm = refusal::<SwarmSettings>;
    let check = |text: &str, place: &str, says: &str| {
        let got = swarm(text);
        assert!(got.starts_with(place) && got.contains(says), "{got}");
    };
    check("seed = 1\nseeed = 2\n", "a.toml:2:1: ", "`seeed`");
    check("seeds = '9..3'", "a.toml:1:9: ", "A below B");
    check("driver = 'me'", "a.toml:1:10: ", "`orca`");
    check(
        "[driving.planner]\nsamples = 3\n",
        "a.toml:2:1: ",
        "`samples`",
    );
    check(
        "[driving]\ncommand_period_secs = 'x'\n",
        "a.toml:2:",
        "expected f64",
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_place() {
    let got = refusal::<PlaySettings>("wait = 1\nspeed = \n");
    assert!(got.starts_with("a.toml:2:9: "), "{got}");
}

#[test]
fn a_missing_file_is_named() {
    let error = read_launch_file::<PlaySettings>(Path::new("no/such.toml"))
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("cannot read the launch file no/such.toml"),
        "{error}"
    );
}

#[test]
fn every_launch_file_that_we_ship_is_understood() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../launch");
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        n_files += 1;
        match path.file_stem().and_then(|stem| stem.to_str()).unwrap() {
            "agent" | "driver" => drop(read_launch_file::<AgentSettings>(&path).unwrap()),
            "play" => drop(read_launch_file::<PlaySettings>(&path).unwrap()),
            "demo" => drop(read_launch_file::<DemoSettings>(&path).unwrap()),
            "swarm" | "load_step" => drop(read_launch_file::<SwarmSettings>(&path).unwrap()),
            other => panic!("no command reads launch/{other}.toml"),
        }
    }
    assert!(n_files >= 5, "{n_files}");
}
