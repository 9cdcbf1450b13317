//! The demo, from its first line to its last.

use std::path::Path;

use sedge_runtime::AgentReport;
use serde_json::Value;

use crate::running::Running;

#[test]
fn the_quick_demo_drives_a_swarm_with_the_shipped_weights() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let demo = Running::start(&["demo", "--quick", "--out", out.to_str().unwrap()]);
    let (status, page) = demo.output();
    assert!(status.success(), "{status}: {page}");
    for part in [
        "8 robots cross a hallway in which 12 people walk",
        "of 8 arrived",
        "contacts: ",
        "sedge least_error",
        "persistence",
        "geometry still+movers",
        "sensor-to-command",
        "recording: ",
        "picture: ",
    ] {
        assert!(page.contains(part), "expected {part:?} in {page}");
    }
    let report = std::fs::read_to_string(out.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let members = report["swarm"]["members"].as_array().unwrap();
    assert_eq!(members.len(), 8);
    for member in members {
        assert_eq!(member["failure"], Value::Null);
        let n_commands = member["report"]["driving"]["n_commands"].as_u64().unwrap();
        assert!(n_commands > 10, "{member}");
    }
    assert!(std::fs::metadata(out.join("demo.rrd")).unwrap().len() > 10_000);
}

#[test]
fn the_quick_demo_with_a_log_trains_plays_grades_and_leaves_nobody_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let demo = Running::start(&[
        "demo",
        "--log",
        "synthetic",
        "--quick",
        "--seed",
        "5",
        "--out",
        out.to_str().unwrap(),
    ]);
    let (status, page) = demo.output();
    assert!(status.success(), "{status}: {page}");
    for part in [
        "This log was made up",
        "updates of the tiny preset",
        "sedge least_error",
        "persistence",
        "geometry map1-med3",
        "sensor-to-prediction",
        "recording: ",
        "picture: ",
    ] {
        assert!(page.contains(part), "expected {part:?} in {page}");
    }
    let report = std::fs::read_to_string(out.join("report.json")).unwrap();
    let report: AgentReport = serde_json::from_str(&report).unwrap();
    for horizon_secs in [0.5, 1.0, 2.0] {
        let graded = report.predictions.iter().any(|row| {
            row.method == "sedge mean"
                && (row.horizon_secs - horizon_secs).abs() < 1e-9
                && row.n > 0
        });
        assert!(graded, "{horizon_secs}: {report}");
    }
    assert!(std::fs::metadata(out.join("demo.rrd")).unwrap().len() > 10_000);
    assert!(out.join("model").join("model.safetensors").is_file());
    assert_eq!(processes_about(&out), Vec::<String>::new());
}

/// Command lines of live processes that name a folder, where the system lists them.
fn processes_about(folder: &Path) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let folder = folder.to_str().unwrap();
    let command_line = |entry: std::io::Result<std::fs::DirEntry>| {
        let bytes = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
    };
    processes
        .filter_map(command_line)
        .filter(|line| line.contains(folder))
        .collect()
}
