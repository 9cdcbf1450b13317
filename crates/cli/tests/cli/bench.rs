//! `sedge bench`: what is refused, what is listed, and that each kind of case measures what it
//! promises. Nothing here says how fast anything is.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sedge"))
        .arg("bench")
        .args(arguments)
        .current_dir(REPOSITORY)
        .output()
        .unwrap()
}

fn written(folder: &Path, text: &str) -> String {
    let path = folder.join("case.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The one case of a file, as `--json` prints it.
fn measured(text: &str, more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), text);
    let output = bench(&[&[path.as_str(), "--json"], more].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}: {stderr}");
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["surroundings"]["machine"].is_string(), "{report}");
    assert_eq!(report["cases"].as_array().unwrap().len(), 1);
    report["cases"][0].take()
}

/// Rows as what, who, whether ours, and how many turns were timed or lost.
fn rows(case: &Value) -> Vec<(String, String, bool, u64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |row: &Value| {
        let turns = row["n"].as_u64().unwrap() + row["n_lost"].as_u64().unwrap();
        let is_ours = row["side"] == "ours";
        (text(&row["what"]), text(&row["who"]), is_ours, turns)
    };
    case["rows"].as_array().unwrap().iter().map(row).collect()
}

fn row(what: &str, who: &str, turns: u64) -> (String, String, bool, u64) {
    (
        what.to_owned(),
        who.to_owned(),
        who.starts_with("ONI"),
        turns,
    )
}

fn refusal(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), text);
    let output = bench(&[&path]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let folder = folder.path().join("").display().to_string();
    String::from_utf8(output.stderr)
        .unwrap()
        .replace(&folder, "")
}

#[test]
fn a_bad_case_is_refused_with_its_place() {
    let check = |text: &str, place: &str, says: &str| {
        let got = refusal(text);
        for part in [place, says] {
            assert!(got.contains(part), "{text}: expected {part:?} in {got}");
        }
    };
    check("title = 'a'", "case.toml:1:1: ", "missing field `kind`");
    check("kind = 'pong'", "case.toml:1:8: ", "`ping-pong`");
    let filter = "kind = 'filter'\ntitle = 'a'\nn = 1\nn_in_block = 1\n";
    check(
        &format!("{filter}engines = []\nstep = 3\n"),
        "case.toml:6:1: ",
        "`step`",
    );
    check(
        &format!("{filter}engines = [{{ precision = 'f16', threads = 1 }}]\n"),
        "case.toml:5:26: ",
        "`int8`",
    );
    let ping = "kind = 'ping-pong'\ntitle = 'a'\nlink = 'tcp'\npaces = ['back-to-back']\n";
    check(
        &format!("{ping}payload_bytes = [64]\nn = 0\n"),
        "case.toml:6:5: ",
        "from 1 to 10000000, got 0",
    );
    check(
        &format!("{ping}payload_bytes = [64]\nn = 1\npeers = ['ros']\n"),
        "case.toml:7:10: ",
        "`raw-zenoh`",
    );
}

#[test]
fn an_unknown_case_is_refused_with_the_known_ones() {
    let output = bench(&["pong"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for part in ["got \"pong\"", "ping-pong", "caterpillar"] {
        assert!(stderr.contains(part), "expected {part:?} in {stderr}");
    }
}

#[test]
fn every_case_of_the_repository_is_listed() {
    let listed = bench(&["--list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let listed = listed.as_array().unwrap().iter();
    let mut listed: Vec<&str> = listed.map(|it| it["name"].as_str().unwrap()).collect();
    listed.sort_unstable();
    let folder = Path::new(REPOSITORY).join("launch/bench");
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    let cases = paths.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let name = |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut there: Vec<String> = cases.map(name).collect();
    there.sort_unstable();
    assert_eq!(listed, there);
    let text = bench(&["--list"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert_eq!(text.lines().count(), listed.len() + 1, "{text}");
}

#[test]
fn engines_do_what_is_asked_and_absent_peers_are_named() {
    let engines = "engines = [{ precision = 'f32', threads = 1 }, \
                   { precision = 'int8', threads = 2 }]\npeers = ['torch', 'torch-compiled']\n";
    let head = "title = 'a'\nn = 4\nn_in_block = 3\n";
    let works = [
        "kind = 'filter'\n",
        "kind = 'imagine'\nn_plans = 4\nn_steps = 2\n",
        "kind = 'plan'\nn_samples = 8\nn_steps = 2\nn_iterations = 2\n",
    ];
    for work in works {
        let case = measured(&format!("{work}{head}{engines}"), &[]);
        let expected = ["onboard f32, threads: 1", "onboard int8, threads: 2"];
        let expected = expected.map(|who| ("a call".to_owned(), who.to_owned(), true, 4));
        assert_eq!(rows(&case), expected);
        let notes = case["notes"].to_string();
        assert!(notes.contains("PyTorch was not asked for"), "{notes}");
    }
}

#[test]
fn a_python_without_peers_is_named() {
    let text = "kind = 'filter'\ntitle = 'a'\nn = 1\nn_in_block = 1\n\
                engines = [{ precision = 'f32', threads = 1 }]\npeers = ['torch']\n";
    let case = measured(text, &["--peers", "no/such/python"]);
    let notes = case["notes"].to_string();
    assert!(notes.contains("not installed for "), "{notes}");
}

#[test]
fn messages_go_there_and_back_beside_raw_zenoh() {
    let text = "kind = 'ping-pong'\ntitle = 'a'\nlink = 'tcp'\npayload_bytes = [64, 65536]\n\
                paces = ['back-to-back', { hz = 1 }]\nn = 2\npeers = ['raw-zenoh', 'dora']\n";
    let case = measured(text, &[]);
    let mut expected = Vec::new();
    for bytes in ["64 B", "64 KiB"] {
        for pace in ["back to back", "1 Hz"] {
            let what = format!("{bytes}, {pace}");
            expected.push(row(&what, "ONI over Zenoh", 2));
            expected.push(row(&what, "raw Zenoh", 2));
        }
    }
    assert_eq!(rows(&case), expected);
    let notes = case["notes"].to_string();
    assert!(notes.contains("dora was not asked for"), "{notes}");
}

#[test]
fn floods_are_counted_to_their_last_message() {
    let text = "kind = 'throughput'\ntitle = 'a'\nlink = 'tcp'\nn_rounds = 2\n\
                floods = [{ payload_bytes = 64, n_per_round = 500 }]\npeers = ['raw-zenoh']\n";
    let case = measured(text, &[]);
    let what = "64 B, 500 messages a round";
    assert_eq!(
        rows(&case),
        [row(what, "ONI over Zenoh", 2), row(what, "raw Zenoh", 2)]
    );
    assert_eq!(case["rows"][0]["n_messages"], 500);
    let lost = case["rows"].as_array().unwrap().iter();
    assert!(lost.map(|row| &row["n_lost"]).all(|n| n == 0), "{case}");
}

#[test]
fn a_message_passes_the_caterpillar_and_all_its_sinks() {
    for layout in ["processes", "threads"] {
        let text = format!(
            "kind = 'caterpillar'\ntitle = 'a'\nlayout = '{layout}'\npayload_bytes = 64\n\
             paces = ['back-to-back']\nn = 3\npeers = ['raw-zenoh']\n"
        );
        let case = measured(&text, &[]);
        let what = "64 B, back to back";
        assert_eq!(
            rows(&case),
            [row(what, "ONI over Zenoh", 3), row(what, "raw Zenoh", 3)]
        );
        let notes = case["notes"].to_string();
        assert!(notes.contains("7 other sinks heard"), "{layout}: {notes}");
        assert!(!notes.contains("heard 0 "), "{layout}: {notes}");
    }
}

#[test]
fn the_whole_loop_says_what_each_stage_took() {
    let folder = tempfile::tempdir().unwrap();
    let launch = folder.path().join("launch.toml");
    std::fs::write(
        &launch,
        "scenario = 'sims/doorway/scenario.toml'\nmodel = 'constant-velocity'\nseed = 1\n",
    )
    .unwrap();
    let launch = launch.display();
    let text =
        format!("kind = 'sensor-to-command'\ntitle = 'a'\nlaunch = '{launch}'\nsecs = 3.0\n");
    let case = measured(&text, &[]);
    let stages: Vec<String> = rows(&case).into_iter().map(|(what, ..)| what).collect();
    for stage in ["fuse", "plan", "sensor-to-command"] {
        assert!(stages.iter().any(|it| it == stage), "{stage} in {stages:?}");
    }
    let notes = case["notes"].to_string();
    assert!(notes.to_lowercase().contains("promise"), "{notes}");
}

#[test]
fn a_quick_look_says_that_it_is_one_and_a_page_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let text = "kind = 'filter'\ntitle = 'A filter'\nn = 1000\nn_in_block = 100\n\
                engines = [{ precision = 'f32', threads = 1 }]\n";
    let path = written(folder.path(), text);
    let output = bench(&[&path, "--quick", "--out", page.to_str().unwrap()]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("case: A filter"), "{shown}");
    let page = std::fs::read_to_string(page).unwrap();
    for words in ["## case", "--quick", "| what | who | n |", "Load averages"] {
        assert!(page.contains(words), "expected {words:?} in {page}");
    }
    assert!(page.contains("| 10 |"), "{page}");
}
