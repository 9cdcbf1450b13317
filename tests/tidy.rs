//! House rules: each is run over the repository and over a bad example that it must find.

use sedge_tests::{Finding, SourceFile, SourceTree, assert_none, rules};

type FileRule = fn(&SourceFile) -> Vec<Finding>;
type TreeRule = fn(&SourceTree) -> Vec<Finding>;

fn check_files(rule: FileRule) {
    let tree = SourceTree::read();
    assert_none(tree.files.iter().flat_map(rule).collect());
}

fn check_tree(rule: TreeRule) {
    assert_none(rule(&SourceTree::read()));
}

/// The rule finds exactly these lines of the example, and each finding says where and why.
fn catches(rule: FileRule, path: &str, text: &str, lines: &[usize]) {
    let findings = rule(&SourceFile::new(path, text));
    let found: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
    assert_eq!(found, lines, "in {path}:\n{text}\n{findings:?}");
    for finding in findings {
        let text = finding.to_string();
        assert!(
            text.starts_with(path) && text.contains("because "),
            "{text}"
        );
    }
}

/// The rule finds exactly these paths in a tree of these files.
fn catches_in_tree(rule: TreeRule, files: &[(&str, &str)], paths: &[&str]) {
    let findings = rule(&SourceTree::of(files));
    let found: Vec<&str> = findings
        .iter()
        .map(|finding| finding.path.as_str())
        .collect();
    assert_eq!(found, paths, "{findings:?}");
}

#[test]
fn files_are_short() {
    check_files(rules::file_lengths);
    let fits = "//\n".repeat(rules::N_LINES_MAX);
    catches(rules::file_lengths, "crates/x/src/a.rs", &fits, &[]);
    catches(
        rules::file_lengths,
        "crates/x/src/a.rs",
        &format!("{fits}//\n"),
        &[0],
    );
    catches(
        rules::file_lengths,
        "crates/x/src/tests.rs",
        &format!("{fits}//\n"),
        &[0],
    );
    let with_tests = format!("{fits}#[cfg(test)]\nmod tests {{\n}}\n");
    catches(rules::file_lengths, "crates/x/src/a.rs", &with_tests, &[]);
    catches(
        rules::file_lengths,
        "notes.txt",
        &format!("{fits}//\n"),
        &[],
    );
}

#[test]
fn lines_are_narrow() {
    check_files(rules::line_widths);
    let wide = format!("{}\n{}\n", "é".repeat(100), "é".repeat(101));
    catches(rules::line_widths, "crates/x/src/a.rs", &wide, &[2]);
    catches(rules::line_widths, ".ci/run", &wide, &[2]);
    let address = format!("// https://example.org/{}\n", "a".repeat(100));
    catches(rules::line_widths, "crates/x/src/a.rs", &address, &[]);
}

#[test]
fn names_say_something() {
    check_files(rules::banned_names);
    let named = "crates/x/src/a.rs";
    catches(rules::banned_names, "crates/x/src/utils.rs", "", &[0]);
    catches(
        rules::banned_names,
        "crates/geometry-helpers/src/lib.rs",
        "",
        &[0],
    );
    catches(rules::banned_names, "crates/x/src/base.rs", "", &[0]);
    catches(rules::banned_names, "crates/x/src/base_frame.rs", "", &[]);
    catches(
        rules::banned_names,
        named,
        "let world_from_base = 1; // a manager\n",
        &[],
    );
    catches(
        rules::banned_names,
        named,
        "mod a;\npub(crate) mod common {\n",
        &[2],
    );
    catches(
        rules::banned_names,
        named,
        "pub struct PeerManager<T> {\nenum Handler {\n",
        &[1, 2],
    );
}

#[test]
fn no_file_is_called_mod() {
    check_files(rules::mod_files);
    catches(rules::mod_files, "crates/x/src/a/mod.rs", "", &[0]);
    catches(rules::mod_files, "crates/x/src/model.rs", "", &[]);
}

#[test]
fn reminders_are_signed() {
    check_files(rules::anonymous_reminders);
    let text = concat!(
        "// TO",
        "DO: later\n// TO",
        "DO(ada): later\n// FIX",
        "ME(): x\nTO",
        "DOS"
    );
    catches(
        rules::anonymous_reminders,
        "crates/x/src/a.rs",
        text,
        &[1, 3],
    );
}

#[test]
fn nothing_names_one_machine() {
    check_files(rules::machine_paths);
    let text = concat!(
        "cp /wo",
        "rk/a b\nnetwo",
        "rk/a\n/ho",
        "me/ada/a\nhttps://a.org/ho",
        "me/"
    );
    catches(rules::machine_paths, "README.md", text, &[1, 3]);
    catches(rules::machine_paths, "crates/x/src/tests.rs", text, &[1]);
}

#[test]
fn only_tests_look_for_data_outside() {
    check_files(rules::outside_data);
    let text = concat!("const A: &str = \"../sha", "red/data\";\n");
    catches(rules::outside_data, "crates/x/src/a.rs", text, &[1]);
    catches(rules::outside_data, "README.md", text, &[1]);
    catches(rules::outside_data, "crates/x/src/a/tests.rs", text, &[]);
    catches(
        rules::outside_data,
        "crates/x/src/a.rs",
        &format!("#[cfg(test)]\n{text}"),
        &[],
    );
}

#[test]
fn no_test_is_switched_off() {
    check_files(rules::ignored_tests);
    let text = concat!(
        "#[test]\n#[ig",
        "nore]\nfn a() {}\n#[ig",
        "nore = \"slow\"]\n"
    );
    catches(rules::ignored_tests, "crates/x/src/a.rs", text, &[2, 4]);
}

#[test]
fn no_test_sleeps() {
    check_files(rules::sleeping_tests);
    let text = concat!(
        "std::thread::",
        "sleep(x);\n#[cfg(test)]\nfn a() {\n  thread::",
        "sleep;\n}"
    );
    catches(rules::sleeping_tests, "crates/x/src/a.rs", text, &[4]);
    catches(rules::sleeping_tests, "crates/x/tests/a.rs", text, &[1, 4]);
}

#[test]
fn no_data_is_in_git() {
    check_files(rules::foreign_data);
    catches(rules::foreign_data, "launch/killian.log.gz", "", &[0]);
    catches(rules::foreign_data, "sims/a/map.G2O", "", &[0]);
    catches(rules::foreign_data, "sims/a/map.toml", "", &[]);
    catches(rules::foreign_data, "sims/a/model.safetensors", "", &[0]);
    catches(rules::foreign_data, "weights/a/model.safetensors", "", &[]);
}

#[test]
fn files_are_small() {
    check_files(rules::large_files);
    let fits = " ".repeat(rules::N_BYTES_MAX);
    catches(rules::large_files, "sims/a/picture.png", &fits, &[]);
    catches(
        rules::large_files,
        "sims/a/picture.png",
        &format!("{fits} "),
        &[0],
    );
}

#[test]
fn launch_and_scenario_files_parse() {
    check_files(rules::toml_parses);
    catches(
        rules::toml_parses,
        "launch/a.toml",
        "a = 1\nb = = 2\n",
        &[2],
    );
    catches(
        rules::toml_parses,
        "sims/b/scenario.toml",
        "a = 1\na = 2\n",
        &[2],
    );
}

#[test]
fn schemas_parse() {
    check_files(rules::json_parses);
    catches(
        rules::json_parses,
        "schemas/oni/v1/a.json",
        "{\n\"a\": 1,\n}",
        &[3],
    );
    catches(rules::json_parses, "schemas/oni/v1/a.json", "{}", &[]);
}

#[test]
fn every_folder_is_explained() {
    check_tree(rules::explained_folders);
    let files = [
        ("launch/a.toml", ""),
        ("schemas/oni/README.md", ""),
        ("schemas/oni/v1/a.json", ""),
        ("sims/README.md", ""),
        ("sims/corridor/scenario.toml", ""),
        (".ci/run", ""),
    ];
    catches_in_tree(
        rules::explained_folders,
        &files,
        &["launch", "sims/corridor"],
    );
}

#[test]
fn every_crate_is_explained() {
    check_tree(rules::explained_crates);
    let files = [
        ("crates/README.md", "- `a`: good\n- `b`: no promise\n"),
        (
            "crates/a/src/lib.rs",
            "//! What it is.\n//!\n//! It never reads a clock.\n",
        ),
        (
            "crates/b/src/lib.rs",
            "//! What it is.\n//! And more.\n//! And more.\n",
        ),
        ("crates/c/src/main.rs", "fn main() {}\n"),
    ];
    let expected = [
        "crates/b/src/lib.rs",
        "crates/c/src/lib.rs",
        "crates/README.md",
    ];
    catches_in_tree(rules::explained_crates, &files, &expected);
}

#[test]
fn code_map_is_the_code() {
    check_tree(rules::code_map);
    let page = "## Code map\n### crates/a\nInvariant: none\n### crates/gone\n## Invariant: x\n";
    let files = [
        ("ARCHITECTURE.md", page),
        ("crates/a/src/lib.rs", ""),
        ("crates/unmapped/src/lib.rs", ""),
    ];
    // Unmapped, gone, and gone without an invariant.
    catches_in_tree(rules::code_map, &files, &["ARCHITECTURE.md"; 3]);
    catches_in_tree(rules::code_map, &[], &["ARCHITECTURE.md"]);
    catches_in_tree(
        rules::code_map,
        &[("ARCHITECTURE.md", &"\n".repeat(201))],
        &["ARCHITECTURE.md"],
    );
}

#[test]
fn every_crate_keeps_the_house_lints() {
    check_tree(rules::crate_manifests);
    let good =
        "[package]\nname = \"sedge-a\"\nlicense.workspace = true\n[lints]\nworkspace = true\n";
    let tests = good.replace("sedge-a", "sedge-tests");
    let files = [
        ("crates/a/Cargo.toml", good),
        (
            "crates/b/Cargo.toml",
            "[package]\nname = \"b\"\nlicense.workspace = true\n",
        ),
        ("crates/c/src/lib.rs", ""),
        ("tests/Cargo.toml", tests.as_str()),
    ];
    // Name and lints of b; the manifest of c.
    let expected = [
        "crates/b/Cargo.toml",
        "crates/b/Cargo.toml",
        "crates/c/Cargo.toml",
    ];
    catches_in_tree(rules::crate_manifests, &files, &expected);
}

#[test]
fn a_room_that_needs_unsafe_has_it_in_one_file() {
    check_tree(rules::unsafe_code);
    let files = [
        ("crates/matrix-tiles/src/amx.rs", "#![expect(unsafe_code)]"),
        ("crates/matrix-tiles/src/lib.rs", "#![allow(unsafe_code)]"),
    ];
    let expected = ["crates/matrix-tiles/src/lib.rs"];
    catches_in_tree(rules::unsafe_code, &files, &expected);
    let mut tree = SourceTree::read();
    for file in &mut tree.files {
        if file.path == "crates/matrix-tiles/Cargo.toml" {
            file.text = file.text.replace("too_many_lines = \"warn\"\n", "");
        }
    }
    let broken: Vec<String> = rules::crate_manifests(&tree)
        .into_iter()
        .map(|finding| finding.path)
        .collect();
    assert_eq!(broken, ["crates/matrix-tiles/Cargo.toml"]);
}

#[test]
fn clippy_and_rustfmt_know_the_house_rules() {
    check_tree(rules::lint_thresholds);
    let mut tree = SourceTree::read();
    for file in &mut tree.files {
        file.text = file
            .text
            .replace("lines-threshold = 70", "lines-threshold = 71");
        file.text = file.text.replace("unsafe_code = \"forbid\"", "");
    }
    let broken: Vec<String> = rules::lint_thresholds(&tree)
        .into_iter()
        .map(|finding| finding.path)
        .collect();
    assert_eq!(broken, ["clippy.toml", "Cargo.toml"]);
}

#[test]
fn licences_are_there() {
    check_tree(rules::licences);
    catches_in_tree(
        rules::licences,
        &[("LICENSE-MIT", "MIT License")],
        &["LICENSE-APACHE"],
    );
}
