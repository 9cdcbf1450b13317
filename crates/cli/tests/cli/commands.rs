//! What is printed, and with which exit code.

use crate::running::sedge;
use crate::write_corridor_log;

fn check(arguments: &[&str], code: i32, says: &str) {
    let output = sedge(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(
        stderr.contains(says),
        "{arguments:?}: expected {says:?} in {stderr}"
    );
}

#[test]
fn a_request_that_makes_no_sense_exits_with_2() {
    check(&["train"], 2, "--log");
    check(&["agent"], 2, "--run RUN");
    check(
        &["agent", "--model", "geometric", "--rerun", "show"],
        2,
        "got \"show\"",
    );
    check(
        &["agent", "--model", "geometric", "--rerun", "file"],
        2,
        "a path after `file`",
    );
    check(
        &["agent", "--model", "geometric", "--connect", "here"],
        2,
        "tcp/127.0.0.1:7447",
    );
    check(
        &["agent", "no/such.toml"],
        2,
        "cannot read the launch file no/such.toml",
    );
    check(
        &["play", "a.log", "--speed", "0"],
        2,
        "a number above 0 or max",
    );
    check(
        &[
            "train", "--log", "a", "--preset", "xl", "--seed", "1", "--out", "r",
        ],
        2,
        "tiny, s",
    );
}

#[test]
fn what_cannot_be_done_exits_with_1() {
    check(&["inspect", "no/such.log"], 1, "no/such.log");
    check(&["eval", "--log", "no/such.log"], 1, "no/such.log");
}

#[cfg(not(feature = "vulkan"))]
#[test]
fn an_absent_device_is_an_error_and_never_another_device() {
    let folder = tempfile::tempdir().unwrap();
    let log = write_corridor_log(folder.path(), 2);
    let out = folder.path().join("run");
    let (log, out) = (log.to_str().unwrap(), out.to_str().unwrap());
    let train = [
        "train", "--log", log, "--preset", "tiny", "--seed", "1", "--out", out,
    ];
    check(
        &[&train[..], &["--device", "vulkan"]].concat(),
        1,
        "--features vulkan",
    );
    check(
        &["eval", "--log", log, "--device", "vulkan"],
        1,
        "--features vulkan",
    );
}

#[test]
fn devices_and_logs_are_listed_as_json() {
    let output = sedge(&["devices", "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["device"])
        .collect();
    assert_eq!(names, ["flex", "vulkan", "cuda"]);
    assert_eq!(rows[0]["default"], true);

    let folder = tempfile::tempdir().unwrap();
    let log = write_corridor_log(folder.path(), 2);
    let output = sedge(&["inspect", log.to_str().unwrap(), "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["kind"], "log");
    assert_eq!(report["geometry"]["n_beams"], 60);
    assert!(report["n_scans"].as_u64().unwrap() > 5, "{report}");
}

#[test]
fn a_calibration_finds_what_was_wrong_with_the_odometry() {
    let folder = tempfile::tempdir().unwrap();
    let log = write_corridor_log(folder.path(), 300);
    let out = folder.path().join("motion.json");
    let (log, out) = (log.to_str().unwrap(), out.to_str().unwrap());
    let output = sedge(&["calibrate", log, "--json", "--out", out]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let matrix = |row: usize, column: usize| {
        report["calibration"]["matrix"][row][column]
            .as_f64()
            .unwrap()
    };
    // The corridor's odometry counts 0.97 rad per radian.
    assert!((matrix(2, 2) - 0.03).abs() < 0.015, "{report}");
    let latency_secs = report["latency"]["latency_secs"].as_f64().unwrap();
    assert!((latency_secs - 0.15).abs() < 0.05, "{report}");
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!(written, report["motion_model"]);
}

#[test]
fn every_shell_has_a_completion() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = sedge(&["completion", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("calibrate"), "{shell}");
    }
}
