//! Robots with budgets and a degradation ladder: in lockstep, as processes, loaded and measured.

use std::path::Path;

use serde_json::Value;

use crate::running::sedge;
use crate::swarm::{YARD, json, refusal, write_launch, write_scenario};

/// A ladder of two rungs, and budgets of a microsecond that call for this.
fn budgets(on_miss: &str) -> String {
    let budget = |stage: &str| {
        format!("[[budgets]]\nstage = '{stage}'\nspan_micros_max = 1\non_miss = '{on_miss}'\n")
    };
    let rungs = "[[driving.ladder]]\nname = 'full'\nskill = 1.0\n\
                 [[driving.ladder]]\nname = 'stop'\nskill = 0.0\naction = 'stop'\n";
    budget("fuse") + &budget("plan") + rungs
}

#[test]
fn budgets_of_a_swarm_are_counted_and_in_lockstep_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = write_scenario(folder.path(), YARD);
    let run = |more: &str| {
        let with_model = format!("model = 'constant-velocity'\n{more}");
        let launch = write_launch(folder.path(), &scenario, &with_model);
        let recording = folder.path().join("a.rrd");
        let launch = launch.to_str().unwrap().to_owned();
        let rerun = ["--rerun", "file", recording.to_str().unwrap()];
        let first = json(&[&["swarm", &launch, "--json"][..], &rerun].concat());
        (first, launch)
    };
    let (free, _) = run("");
    let (kept, launch) = run(&budgets("warn"));
    assert_eq!(free["runs"][0]["hash"], kept["runs"][0]["hash"]);
    let member = &kept["swarm"]["members"][0]["report"];
    for row in member["budgets"].as_array().unwrap() {
        assert_eq!(row["budget"]["span_micros_max"], 1, "{row}");
        assert!(row["n_missed"].as_u64() > Some(0), "{row}");
    }
    let ladder = &member["driving"]["ladder"];
    assert_eq!(
        (&ladder["rung"], &ladder["n_changes"]),
        (&0.into(), &0.into())
    );

    let launch = Path::new(&launch);
    let written = std::fs::read_to_string(launch).unwrap();
    let check = |text: &str, more: &[&str], says: &[&str]| {
        std::fs::write(launch, text).unwrap();
        let said = refusal(&[&["swarm", launch.to_str().unwrap()], more].concat(), 2);
        for words in says {
            assert!(said.contains(words), "expected {words:?} in {said}");
        }
    };
    let degrades = written.replace("'warn'", "'degrade'");
    check(&degrades, &[], &["--processes", "fuse", "degrade"]);
    let flat = degrades.split("[[driving.ladder]]").next().unwrap();
    let flat = flat.to_owned() + "[driving]\ncommand_period_secs = 0.1\n";
    check(
        &flat,
        &["--processes"],
        &["expected a ladder to go down", "fuse"],
    );
    check(&flat, &[], &["expected a ladder to go down"]);
    let sum = "[[budgets]]\nstage = 'sensor-to-command'\nspan_micros_max = 1\non_miss = 'warn'\n";
    let over = written.replacen(
        "[[driving.ladder]]",
        &(sum.to_owned() + "[[driving.ladder]]"),
        1,
    );
    check(
        &over,
        &["--processes"],
        &["fuse 0.001 ms + plan 0.001 ms", "cannot fit"],
    );
    let script = ["--driver", "orca"];
    check(
        &written,
        &script,
        &["expected agents to keep `budgets`, got the driver orca"],
    );
}

#[test]
fn processes_keep_budgets_and_go_down_their_ladder() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = write_scenario(folder.path(), YARD);
    let more = format!(
        "model = 'constant-velocity'\nprocesses = true\n{}",
        budgets("degrade")
    );
    let launch = write_launch(folder.path(), &scenario, &more);
    let (launch, out) = (launch.to_str().unwrap(), folder.path().join("out"));
    let output = sedge(&["swarm", launch, "--out", out.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = std::fs::read(out.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    // Nothing is done within a microsecond: whoever planned at all went down.
    let agents = report["agents"].as_array().unwrap();
    let went_down = |agent: &&Value| {
        agent["driving"]["ladder"]["n_changes"].as_u64() > Some(0)
            && agent["counters"]["budget-degradations"].as_u64() > Some(0)
    };
    assert!(agents.iter().any(|agent| went_down(&agent)), "{text}");
}

#[test]
fn a_load_step_is_traced_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = write_scenario(folder.path(), YARD);
    let whole = "[[budgets]]\nstage = 'sensor-to-command'\nspan_micros_max = 1\n\
                 on_miss = 'warn'\n";
    let rungs = &budgets("warn")[budgets("warn").find("[[driving").unwrap()..];
    let more = format!("model = 'constant-velocity'\n{whole}{rungs}");
    let launch = write_launch(folder.path(), &scenario, &more);
    let (svg, recording) = (folder.path().join("step.svg"), folder.path().join("a.rrd"));
    let launch = launch.to_str().unwrap();
    let arguments = [
        "latency",
        "step",
        launch,
        "--phase",
        "2s",
        "--neighbours",
        "1",
    ];
    let draws = [
        "--svg",
        svg.to_str().unwrap(),
        "--rerun",
        "file",
        recording.to_str().unwrap(),
    ];
    let report = json(&[&arguments[..], &draws, &["--json"]].concat());
    // No command comes within a microsecond: the robot stands on the last rung soon.
    let phases = report["phases"].as_array().unwrap();
    assert_eq!(phases.len(), 3);
    for phase in phases {
        let plans = phase["plans"].as_u64().unwrap();
        assert!((15..=21).contains(&plans), "{phase}");
        assert_eq!(phase["late"], plans, "{phase}");
    }
    let trace = &report["trace"];
    assert_eq!(trace["rungs"], serde_json::json!(["full", "stop"]));
    let plans = trace["plans"].as_array().unwrap();
    assert_eq!(plans[0]["rung"], 0, "{plans:?}");
    assert!(plans.iter().any(|plan| plan["rung"] == 1), "{plans:?}");
    let picture = std::fs::read_to_string(&svg).unwrap();
    assert_eq!(picture.matches("<circle").count(), plans.len());
    assert!(picture.contains(">stop</text>"), "{picture}");
    assert!(std::fs::metadata(&recording).unwrap().len() > 1_000);
    let short = ["latency", "step", launch, "--phase", "1s"];
    assert!(refusal(&short, 2).contains("expected --phase from 2s"));
}

#[test]
fn rungs_are_worth_what_they_drive() {
    let folder = tempfile::tempdir().unwrap();
    let long = YARD.replace("duration_secs = 4.0", "duration_secs = 12.0");
    let scenario = write_scenario(folder.path(), &long);
    let keeps = "[[driving.ladder]]\nname = 'keep'\nskill = 0.5\naction = 'last-plan'\n";
    let rungs = &budgets("warn")[budgets("warn").find("[[driving").unwrap()..];
    let rungs = rungs.replacen(
        "[[driving.ladder]]\nname = 'stop'",
        &format!("{keeps}[[driving.ladder]]\nname = 'stop'"),
        1,
    );
    let more = format!("model = 'constant-velocity'\n{rungs}");
    let launch = write_launch(folder.path(), &scenario, &more);
    let out = folder.path().join("skill.json");
    let skill = [
        "latency",
        "skill",
        launch.to_str().unwrap(),
        "--seeds",
        "0..2",
        "--threads",
        "2",
    ];
    let report = json(&[&skill[..], &["--out", out.to_str().unwrap(), "--json"]].concat());
    let rungs = report["rungs"].as_array().unwrap();
    let [full, keep, stop] = &rungs[..] else {
        panic!("expected three rungs, got {rungs:#?}");
    };
    assert_eq!((&full["skill"], &full["n_going"]), (&1.0.into(), &4.into()));
    assert!(full["n_arrived"].as_u64() > Some(0), "{full}");
    assert!(full["n_plans"].as_u64() > Some(50), "{full}");
    assert_eq!(keep["held"], serde_json::json!(["full", "keep", "keep"]));
    assert!(keep["n_plans"].as_u64() > Some(50), "{keep}");
    assert_eq!(
        (&stop["skill"], &stop["n_arrived"]),
        (&0.0.into(), &0.into())
    );
    let written: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(written, report);
    let many = ["--seeds", "0..2", "--robots", "3"];
    let launch = launch.to_str().unwrap();
    let said = refusal(&[&["latency", "skill", launch][..], &many].concat(), 2);
    assert!(
        said.contains("at most the scenario's 2 robots, got 3"),
        "{said}"
    );
    let flat = write_launch(folder.path(), &scenario, "model = 'constant-velocity'");
    let flat = [
        "latency",
        "skill",
        flat.to_str().unwrap(),
        "--seeds",
        "0..2",
    ];
    assert!(refusal(&flat, 2).contains("expected a `driving.ladder`"));
}

/// A ladder of which one rung imagines in eight bits, and the rungs that drive in turn.
fn narrow_rungs(held: &str) -> String {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
    let weights = weights.to_str().unwrap();
    format!(
        "run = {weights:?}\n[driving]\nladder_held = [{held}]\n\
         [[driving.ladder]]\nname = 'full'\nskill = 1.0\n\
         [[driving.ladder]]\nname = 'eight-bits'\nskill = 1.0\nprecision = 'int8'\n"
    )
}

#[test]
fn a_rung_in_eight_bits_drives_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let wide = YARD
        .replace("n_beams = 36", "")
        .replace("duration_secs = 4.0", "duration_secs = 2.0");
    let scenario = write_scenario(folder.path(), &wide);
    let run = |held: &str, more: &[&str]| {
        let launch = write_launch(folder.path(), &scenario, &narrow_rungs(held));
        let launch = launch.to_str().unwrap();
        let report = json(&[&["swarm", launch, "--json"][..], more].concat());
        let ladder = &report["swarm"]["members"][0]["report"]["driving"]["ladder"];
        (report["runs"][0]["hash"].clone(), ladder["rungs"].clone())
    };
    let turns = "'full', 'eight-bits'";
    let (hash, rungs) = run(turns, &["--threads", "1"]);
    assert!(rungs[1]["n"].as_u64() > Some(5), "{rungs}");
    assert_eq!(run(turns, &["--threads", "2"]).0, hash);
    assert_ne!(
        run("'full'", &[]).0,
        hash,
        "the rung changes what is planned"
    );
    // Where all is imagined in eight bits, the rung is the one above again.
    let narrow = ["--engine", "onboard-int8"];
    let rung = run("'eight-bits'", &narrow).0;
    assert_eq!(rung, run("'full'", &narrow).0);
    let launch = write_launch(folder.path(), &scenario, &narrow_rungs(turns));
    let launch = launch.to_str().unwrap();
    let burn = ["swarm", launch, "--engine", "burn"];
    let model = ["swarm", launch, "--model", "constant-velocity"];
    for (arguments, got) in [
        (burn, "the engine `burn`"),
        (model, "a model without weights"),
    ] {
        let said = refusal(&arguments, 2);
        for words in [
            "imagine in int8",
            "rung eight-bits",
            got,
            "leave out the rung",
        ] {
            assert!(said.contains(words), "expected {words:?} in {said}");
        }
    }
}

#[test]
fn the_ladder_of_an_agents_launch_file_is_measured_in_a_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let long = YARD.replace("duration_secs = 4.0", "duration_secs = 12.0");
    let scenario = write_scenario(folder.path(), &long);
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../launch/driver.toml");
    let out = folder.path().join("skill.json");
    let skill = ["latency", "skill", driver.to_str().unwrap(), "--scenario"];
    let rest = [
        scenario.to_str().unwrap(),
        "--seeds",
        "0..1",
        "--robots",
        "1",
    ];
    let out = ["--json", "--out", out.to_str().unwrap()];
    let report = json(&[&skill[..], &rest, &out].concat());
    assert_eq!(report["model"], "constant-velocity");
    let rungs = report["rungs"].as_array().unwrap();
    let names: Vec<&str> = rungs.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("full", "stop"));
    assert_eq!(rungs[0]["n_arrived"], 1, "{report}");
}

#[test]
fn plans_in_eight_bits_are_compared_with_those_in_f32() {
    let folder = tempfile::tempdir().unwrap();
    let wide = YARD
        .replace("n_beams = 36", "")
        .replace("duration_secs = 4.0", "duration_secs = 7.0")
        .replace("[[2.0, 0.5, 0.0]]", "[[3.0, 0.5, 0.0]]");
    let scenario = write_scenario(folder.path(), &wide);
    let data = folder.path().join("data");
    // Seeds that end in 8 are for tests.
    json(&[
        "collect",
        scenario.to_str().unwrap(),
        "--episodes",
        "1",
        "--seed",
        "8",
        "--out",
        data.to_str().unwrap(),
        "--json",
    ]);
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
    let agree = ["latency", "agree", "--drives", "1", "--json", "--log"];
    let rest = [data.to_str().unwrap(), "--run", weights.to_str().unwrap()];
    let report = json(&[&agree[..], &rest].concat());
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "{report:#}");
    for row in rows {
        assert!(row["n"].as_u64() > Some(0), "{row}");
        let number = |key: &str| row[key].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&number("within")), "{row}");
        assert!(
            number("p50") <= number("p95") && number("p95") <= number("max"),
            "{row}"
        );
    }
}
