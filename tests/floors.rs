//! The floor table, and `cargo metadata` judged by it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::{Finding, repository_root};

/// One room of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Folder in `crates/`.
    pub name: &'static str,
    /// A room stands on lower floors, and on its own only where `stands_on` says so.
    pub floor: u8,
    /// Rooms it may use, and with each of them whatever that one stands on.
    pub stands_on: &'static [&'static str],
}

const fn room(name: &'static str, floor: u8, stands_on: &'static [&'static str]) -> Room {
    Room {
        name,
        floor,
        stands_on,
    }
}

/// The house. A new row is a decision: `ARCHITECTURE.md`, section "Decisions".
pub const HOUSE: [Room; 17] = [
    room("spacetime", 0, &[]),
    room("matrix-tiles", 0, &[]),
    room("oni", 1, &["spacetime"]),
    room("transport", 2, &["oni"]),
    room("latency", 2, &["spacetime"]),
    room("world-model", 2, &["spacetime"]),
    room("world-model-trained", 2, &["world-model"]),
    room("planning", 2, &["world-model", "latency"]),
    room("recording", 2, &["oni", "transport"]),
    room("datasets", 3, &["world-model", "oni"]),
    room("transport-zenoh", 3, &["transport"]),
    room("world-model-burn", 3, &["world-model-trained"]),
    room(
        "world-model-onboard",
        3,
        &["world-model-trained", "matrix-tiles"],
    ),
    room("simulation", 3, &["transport"]),
    room("viewer", 3, &["transport", "world-model"]),
    room(
        "runtime",
        4,
        &[
            "transport",
            "latency",
            "world-model",
            "planning",
            "recording",
        ],
    ),
    room(
        "cli",
        5,
        &[
            "runtime",
            "datasets",
            "transport-zenoh",
            "world-model-burn",
            "world-model-onboard",
            "simulation",
            "viewer",
        ],
    ),
];

/// Vendors that live in one room. `zenoh` also stands for `zenoh-ext` and `zenoh_x`.
pub const VENDORS: [(&str, &str); 16] = [
    ("zenoh", "transport-zenoh"),
    ("burn", "world-model-burn"),
    ("rten", "world-model-onboard"),
    ("rapier3d", "simulation"),
    ("rerun", "viewer"),
    ("re_", "viewer"),
    ("tokio", "runtime"),
    ("nix", "runtime"),
    ("thread-priority", "runtime"),
    ("hdrhistogram", "latency"),
    ("prost", "oni"),
    ("zip", "datasets"),
    ("flate2", "datasets"),
    ("clap", "cli"),
    ("indicatif", "cli"),
    ("tracing-subscriber", "cli"),
];

/// Features that need hardware or a network to build.
pub const OPT_IN_FEATURES: [&str; 4] = ["vulkan", "cuda", "wgpu", "rocm"];

const WHY_DOWN: &str = "a room may only use what it stands on, or no room can be changed alone";
const WHY_NEW: &str = "a new crate is a decision: give it a row in tests/floors.rs";
const WHY_VENDOR: &str = "one vendor, one room: replacing it must not touch the others";
const WHY_OPT_IN: &str = "the default build needs no GPU, and features unify over the whole build";

/// One of our packages, as cargo sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// Package name, such as `sedge-oni`.
    pub name: String,
    /// Normal and build dependencies.
    pub dependencies: Vec<Dependency>,
    /// Features and what they switch on.
    pub features: BTreeMap<String, Vec<String>>,
}

/// A dependency of a package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependency {
    /// Package name, not what it is renamed to.
    pub name: String,
    /// Features asked for.
    pub features: Vec<String>,
}

impl Package {
    /// The room it is, such as `oni`; the tests' package is none.
    pub fn room(&self) -> &str {
        room_of(&self.name).unwrap_or(&self.name)
    }
}

/// Our packages from `cargo metadata`, which needs no network for this.
///
/// # Panics
/// When cargo does not answer.
pub fn read_packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(repository_root())
        .output()
        .expect("cargo runs these tests, so it can be run");
    assert!(
        output.status.success(),
        "cargo: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    packages_of(&serde_json::from_slice(&output.stdout).expect("cargo writes JSON"))
}

/// Packages from the JSON of `cargo metadata`; tests may use anything, so the package of the
/// cross-crate tests and `[dev-dependencies]` are left out.
pub fn packages_of(metadata: &Value) -> Vec<Package> {
    let packages = items(&metadata["packages"]).iter().map(|package| Package {
        name: text(&package["name"]),
        dependencies: items(&package["dependencies"])
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .map(|dependency| Dependency {
                name: text(&dependency["name"]),
                features: items(&dependency["features"]).iter().map(text).collect(),
            })
            .collect(),
        features: package["features"]
            .as_object()
            .map_or_else(BTreeMap::new, |features| {
                let switched = |value: &Value| items(value).iter().map(text).collect();
                features
                    .iter()
                    .map(|(name, value)| (name.clone(), switched(value)))
                    .collect()
            }),
    });
    packages
        .filter(|package| package.name != "sedge-tests")
        .collect()
}

/// Rows of a table that contradict each other: unknown rooms, arrows up, and arrows along a floor
/// that come back.
pub fn table_errors(house: &[Room]) -> Vec<String> {
    let mut errors = Vec::new();
    for room in house {
        for below in room.stands_on {
            match house.iter().find(|other| other.name == *below) {
                None => errors.push(format!("{} -> {below}: no such room", room.name)),
                Some(other) if other.floor > room.floor => {
                    errors.push(format!("{} -> {below}: an arrow up", room.name));
                }
                Some(other) if may_use(house, other.name).contains(room.name) => {
                    errors.push(format!(
                        "{} -> {below} -> {}: a circle",
                        room.name, room.name
                    ));
                }
                Some(_) => {}
            }
        }
    }
    errors
}

/// Dependencies among our packages that the table does not allow, and packages without a row.
pub fn floor_findings(house: &[Room], packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let path = manifest_path(package);
        if !house.iter().any(|room| room.name == package.room()) {
            let what = format!("{} is in no row of the floor table", package.name);
            findings.push(Finding::about(&path, what, WHY_NEW));
            continue;
        }
        let allowed = may_use(house, package.room());
        for dependency in &package.dependencies {
            let Some(room) = room_of(&dependency.name) else {
                continue;
            };
            if !allowed.contains(room) {
                let edge = format!("{} -> {}", package.name, dependency.name);
                let names: Vec<&str> = allowed.iter().copied().collect();
                let what = format!("{edge}, expected only rooms of [{}]", names.join(", "));
                findings.push(Finding::about(&path, what, WHY_DOWN));
            }
        }
    }
    findings
}

/// Vendors named outside their room.
pub fn vendor_findings(vendors: &[(&str, &str)], packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        for dependency in &package.dependencies {
            let home = vendors
                .iter()
                .find(|(vendor, _)| is_of_vendor(&dependency.name, vendor));
            if let Some((_, home)) = home.filter(|(_, home)| *home != package.room()) {
                let edge = format!("{} -> {}", package.name, dependency.name);
                let what = format!("{edge}, expected only in crates/{home}");
                findings.push(Finding::about(&manifest_path(package), what, WHY_VENDOR));
            }
        }
    }
    findings
}

/// Features of [`OPT_IN_FEATURES`] that are on without being asked for.
pub fn opt_in_findings(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let by_default = switched_on(package, "default");
        let defaults = by_default
            .iter()
            .map(|feature| ("default", feature.as_str()));
        let asked = package.dependencies.iter().flat_map(|dependency| {
            dependency
                .features
                .iter()
                .map(|feature| (dependency.name.as_str(), feature.as_str()))
        });
        for (by, feature) in defaults.chain(asked) {
            let plain = feature.rsplit('/').next().unwrap_or(feature);
            if OPT_IN_FEATURES.contains(&plain) {
                let what = format!("{} -> {by} -> {feature} is on by default", package.name);
                findings.push(Finding::about(&manifest_path(package), what, WHY_OPT_IN));
            }
        }
    }
    findings
}

/// Everything that a feature switches on, itself left out.
fn switched_on(package: &Package, feature: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![feature.to_owned()];
    while let Some(next) = open.pop() {
        for inner in package.features.get(&next).into_iter().flatten() {
            if reached.insert(inner.clone()) {
                open.push(inner.clone());
            }
        }
    }
    reached
}

/// The rooms that a room may use: those it stands on, and what they stand on.
fn may_use(house: &[Room], name: &str) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![name];
    while let Some(next) = open.pop() {
        let row = house.iter().find(|room| room.name == next);
        for below in row.map_or(&[][..], |room| room.stands_on) {
            if reached.insert(*below) {
                open.push(below);
            }
        }
    }
    reached
}

fn is_of_vendor(dependency: &str, vendor: &str) -> bool {
    let rest = dependency.strip_prefix(vendor);
    rest.is_some_and(|rest| {
        rest.is_empty() || vendor.ends_with('_') || rest.starts_with(['-', '_'])
    })
}

fn room_of(package: &str) -> Option<&str> {
    if package == "sedge" {
        Some("cli")
    } else {
        package.strip_prefix("sedge-")
    }
}

fn manifest_path(package: &Package) -> String {
    format!("crates/{}/Cargo.toml", package.room())
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
