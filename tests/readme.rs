//! Every command of the README is one that a test or `.ci/run` runs.

use sedge_tests::readme_commands::commands_in;
use sedge_tests::{Finding, SourceFile, SourceTree, assert_none};

const WHY: &str = "a README's commands are the first thing a person tries: each must be run here";

/// Commands the README may show, the file that runs them, and the words by which it does.
/// A new command in the README is a new row here, and a line in `.ci/run` or a test that runs it.
const EXERCISED: &[(&str, &str, &str)] = &[
    (
        "cargo run --release -- demo",
        ".ci/run",
        "cargo run --release --locked -- demo",
    ),
    (
        "cargo test --workspace",
        ".ci/run",
        "cargo test --workspace --locked",
    ),
    (".ci/run", ".ci/run", "step \"format\""),
    ("sedge list", BUS_TESTS, "robot.json(&[\"list\""),
    (
        "sedge echo 'oni/*/*/model.belief/**'",
        BUS_TESTS,
        "\"echo\", \"oni/*/*/model.belief/**\"",
    ),
    ("sedge hz", BUS_TESTS, "\"hz\", \"--json\""),
    ("sedge bw", BUS_TESTS, "robot.json(&[\"bw\""),
    (
        "sedge graph --mermaid",
        BUS_TESTS,
        "robot.look(&[\"graph\", \"--mermaid\"",
    ),
    ("sedge doctor", BUS_TESTS, "robot.look(&[\"doctor\""),
    ("sedge top", LATENCY_TESTS, "fleet.json(&[\"top\""),
    (
        "sedge latency report --html latency.html",
        LATENCY_TESTS,
        "[\"--html\", html.to_str()",
    ),
    (
        "sedge latency step launch/load_step.toml",
        LADDER_TESTS,
        "[\"latency\", \"step\", launch",
    ),
    (
        "sedge doctor latency",
        LATENCY_TESTS,
        "&[\"doctor\", \"latency\", \"--json\"]",
    ),
    ("sedge bench --list", BENCH_TESTS, "bench(&[\"--list\"])"),
];

/// The commands that look at a bus are tried against a robot that the test plays.
const BUS_TESTS: &str = "crates/cli/tests/cli/bus.rs";
/// Those that load a planner, with robots that have a ladder.
const LADDER_TESTS: &str = "crates/cli/tests/cli/ladder.rs";
/// Those that look at where the time goes, against a player and an agent.
const LATENCY_TESTS: &str = "crates/cli/tests/cli/latency.rs";
/// Those that race.
const BENCH_TESTS: &str = "crates/cli/tests/cli/bench.rs";

/// Commands of the README that no row knows.
fn unknown_commands(page: &SourceFile, exercised: &[(&str, &str, &str)]) -> Vec<Finding> {
    let unknown = commands_in(page)
        .into_iter()
        .filter(|(_, command)| !exercised.iter().any(|(known, _, _)| known == command));
    unknown
        .map(|(line, command)| Finding::at(&page.path, line, format!("`{command}`"), WHY))
        .collect()
}

/// Rows whose file does not contain the words that run the command.
fn idle_rows(tree: &SourceTree, exercised: &[(&str, &str, &str)]) -> Vec<Finding> {
    let idle = exercised
        .iter()
        .filter(|(_, path, words)| !tree.file(path).is_some_and(|file| runs(file, words)));
    idle.map(|(command, path, words)| {
        Finding::about(
            path,
            format!("expected `{words}`, which runs `{command}`"),
            WHY,
        )
    })
    .collect()
}

/// Whether a file has the words outside a comment.
fn runs(file: &SourceFile, words: &str) -> bool {
    let is_comment = |line: &str| line.trim_start().starts_with(['#', '/']);
    file.text
        .lines()
        .any(|line| line.contains(words) && !is_comment(line))
}

#[test]
fn every_command_is_run_somewhere() {
    let tree = SourceTree::read();
    let page = tree
        .file("README.md")
        .expect("the README is the front door");
    assert!(!commands_in(page).is_empty(), "the README shows no command");
    let mut findings = unknown_commands(page, EXERCISED);
    findings.extend(idle_rows(&tree, EXERCISED));
    assert_none(findings);
}

#[test]
fn commands_are_read_from_shell_fences_only() {
    let text = "\
```sh
# a comment
cargo  test --workspace  # another
sedge play LOG \\
  --speed 2
```
```toml
cargo = 1
```
```console
$ sedge devices
flex
```
cargo outside
";
    let expected = [
        (3, "cargo test --workspace".to_owned()),
        (4, "sedge play LOG --speed 2".to_owned()),
        (11, "sedge devices".to_owned()),
    ];
    assert_eq!(commands_in(&SourceFile::new("README.md", text)), expected);
}

#[test]
fn command_that_nothing_runs_is_found() {
    let page = SourceFile::new("README.md", "```sh\nsedge dance\ncargo test\n```\n");
    let exercised = [("cargo test", ".ci/run", "cargo test --locked")];
    let findings = unknown_commands(&page, &exercised);
    assert_eq!((findings.len(), findings[0].line), (1, 2));
    let commented = SourceTree::of(&[(".ci/run", "# cargo test --locked\n")]);
    assert_eq!(idle_rows(&commented, &exercised).len(), 1);
    let run = SourceTree::of(&[(".ci/run", "step cargo test --locked\n")]);
    assert_eq!(idle_rows(&run, &exercised), []);
}
