//! The floor table, one vendor in one room, and nothing that needs a GPU by default.

use sedge_tests::floors::{
    HOUSE, Package, Room, VENDORS, floor_findings, opt_in_findings, packages_of, read_packages,
    table_errors, vendor_findings,
};
use sedge_tests::lock_graph::LockGraph;
use sedge_tests::{Finding, assert_none, repository_root};
use serde_json::{Value, json};

/// Heavy vendors that floors 0 to 2 must not reach, not even through somebody else.
const HEAVY: [&str; 7] = [
    "zenoh", "burn", "rerun", "rapier3d", "tokio", "clap", "wgpu",
];

fn package(name: &str, dependencies: &[&str]) -> Package {
    let dependencies: Vec<Value> = dependencies
        .iter()
        .map(|name| json!({"name": name, "kind": null}))
        .collect();
    of_json(&json!({"name": name, "dependencies": dependencies}))
}

fn of_json(package: &Value) -> Package {
    packages_of(&json!({"packages": [package]})).remove(0)
}

fn texts(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| finding.what.clone())
        .collect()
}

#[test]
fn packages_of_this_workspace_are_read() {
    let names: Vec<String> = read_packages()
        .into_iter()
        .map(|package| package.name)
        .collect();
    for expected in ["sedge", "sedge-spacetime", "sedge-world-model-burn"] {
        assert!(
            names.iter().any(|name| name == expected),
            "no {expected} in {names:?}"
        );
    }
}

#[test]
fn floor_table_only_points_down() {
    assert_eq!(table_errors(&HOUSE), Vec::<String>::new());
    let bad = [
        Room {
            name: "a",
            floor: 0,
            stands_on: &["b", "gone"],
        },
        Room {
            name: "b",
            floor: 1,
            stands_on: &["c"],
        },
        Room {
            name: "c",
            floor: 1,
            stands_on: &["b"],
        },
    ];
    let expected = [
        "a -> b: an arrow up",
        "a -> gone: no such room",
        "b -> c -> b: a circle",
        "c -> b -> c: a circle",
    ];
    assert_eq!(table_errors(&bad), expected);
}

#[test]
fn crates_use_only_what_they_stand_on() {
    assert_none(floor_findings(&HOUSE, &read_packages()));
}

#[test]
fn arrow_up_is_found() {
    let findings = floor_findings(
        &HOUSE,
        &[package("sedge-oni", &["sedge-transport", "serde"])],
    );
    assert_eq!(
        texts(&findings),
        ["sedge-oni -> sedge-transport, expected only rooms of [spacetime]"]
    );
    assert_eq!(findings[0].path, "crates/oni/Cargo.toml");
}

#[test]
fn arrow_along_a_floor_is_found_unless_the_table_has_it() {
    let along = package("sedge-latency", &["sedge-world-model"]);
    assert_eq!(floor_findings(&HOUSE, &[along]).len(), 1);
    let allowed = package("sedge-planning", &["sedge-world-model", "sedge-spacetime"]);
    assert_eq!(floor_findings(&HOUSE, &[allowed]), []);
}

#[test]
fn arrow_to_an_adapter_is_found_everywhere_but_in_the_roof() {
    let packages = [
        package("sedge-runtime", &["sedge-viewer"]),
        package("sedge", &["sedge-viewer"]),
    ];
    let findings = floor_findings(&HOUSE, &packages);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0]
            .what
            .starts_with("sedge-runtime -> sedge-viewer"),
        "{}",
        findings[0]
    );
}

#[test]
fn crate_without_a_row_is_found() {
    let findings = floor_findings(&HOUSE, &[package("sedge-blockchain", &[])]);
    assert_eq!(
        texts(&findings),
        ["sedge-blockchain is in no row of the floor table"]
    );
}

#[test]
fn build_dependencies_count_and_those_of_tests_do_not() {
    let dependencies = json!([
        {"name": "sedge-transport", "kind": "dev"},
        {"name": "sedge-viewer", "kind": "build"},
    ]);
    let package = of_json(&json!({"name": "sedge-oni", "dependencies": dependencies}));
    let findings = floor_findings(&HOUSE, &[package]);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].what.starts_with("sedge-oni -> sedge-viewer"),
        "{}",
        findings[0]
    );
}

#[test]
fn vendors_live_in_one_room() {
    assert_none(vendor_findings(&VENDORS, &read_packages()));
}

#[test]
fn vendor_in_another_room_is_found() {
    let packages = [
        package("sedge-runtime", &["zenoh-ext", "zenohish", "tokio"]),
        package("sedge-oni", &["prost", "re_types", "regex"]),
        package("sedge-transport-zenoh", &["zenoh"]),
    ];
    let expected = [
        "sedge-runtime -> zenoh-ext, expected only in crates/transport-zenoh",
        "sedge-oni -> re_types, expected only in crates/viewer",
    ];
    assert_eq!(texts(&vendor_findings(&VENDORS, &packages)), expected);
}

#[test]
fn gpu_features_are_off_by_default() {
    assert_none(opt_in_findings(&read_packages()));
}

#[test]
fn gpu_feature_that_is_on_is_found() {
    let packages = packages_of(&json!({"packages": [
        {"name": "sedge", "features": {"default": ["fast"], "fast": ["sedge-a/vulkan"]}},
        {"name": "sedge-a", "features": {"default": [], "cuda": ["burn/cuda"]}},
        {"name": "sedge-b", "dependencies": [{"name": "burn", "features": ["std", "cuda"]}]},
    ]}));
    let expected = [
        "sedge -> default -> sedge-a/vulkan is on by default",
        "sedge-b -> burn -> cuda is on by default",
    ];
    assert_eq!(texts(&opt_in_findings(&packages)), expected);
}

#[test]
fn binary_forwards_the_gpu_features() {
    let packages = read_packages();
    let binary = packages
        .iter()
        .find(|package| package.name == "sedge")
        .expect("it is here");
    for feature in ["vulkan", "cuda"] {
        let forwarded = binary.features.get(feature).cloned().unwrap_or_default();
        assert_eq!(forwarded, [format!("sedge-world-model-burn/{feature}")]);
    }
}

fn heavy_paths(house: &[Room], graph: &LockGraph) -> Vec<String> {
    let light = house.iter().filter(|room| room.floor <= 2);
    let is_heavy = |package: &str| HEAVY.contains(&package);
    let paths = light.filter_map(|room| graph.path_to(&format!("sedge-{}", room.name), is_heavy));
    paths.map(|path| path.join(" -> ")).collect()
}

#[test]
fn lower_floors_reach_no_heavy_vendor() {
    let text = std::fs::read_to_string(repository_root().join("Cargo.lock")).expect("it is here");
    let graph = LockGraph::parse(&text).expect("cargo writes TOML");
    assert!(graph.has("sedge-spacetime") && graph.has("zenoh"));
    assert_eq!(heavy_paths(&HOUSE, &graph), Vec::<String>::new());
}

#[test]
fn heavy_vendor_behind_another_crate_is_found_with_its_path() {
    let lock = r#"
        [[package]]
        name = "sedge-oni"
        dependencies = ["codec 1.0.0", "sedge-oni"]
        [[package]]
        name = "codec"
        dependencies = ["sedge-oni", "stream"]
        [[package]]
        name = "stream"
        dependencies = ["tokio 1.0.0 (registry)"]
        [[package]]
        name = "tokio"
    "#;
    let graph = LockGraph::parse(lock).expect("it is TOML");
    assert_eq!(
        heavy_paths(&HOUSE, &graph),
        ["sedge-oni -> codec -> stream -> tokio"]
    );
}
