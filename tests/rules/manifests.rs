//! Manifests, lints and licences.

use toml::{Table, Value};

use crate::{Finding, SourceFile, SourceTree};

/// Rooms that need `unsafe`, and the one file of each that may have it.
const UNSAFE: [(&str, &str); 1] = [("matrix-tiles", "crates/matrix-tiles/src/amx.rs")];

const WHY_SAFE: &str = "memory is trusted to one file, which somebody read line by line";
const WHY_LINTED: &str = "a crate outside the workspace's lints has no house rules";
const WHY_CALLED: &str = "a folder tells the name of its package";
const WHY_LICENSED: &str = "without a licence nobody may use it";
const WHY_THRESHOLDS: &str = "these are the house rules that clippy executes";

/// Crates without the workspace's lints, version, licence, or with another name than `sedge-ROOM`.
pub fn crate_manifests(tree: &SourceTree) -> Vec<Finding> {
    let rooms = tree.folders_in("crates");
    let crates = rooms
        .into_iter()
        .map(|room| (format!("crates/{room}"), package_name(room)));
    crates
        .chain([("tests".to_owned(), "sedge-tests".to_owned())])
        .flat_map(|(folder, package)| {
            let path = format!("{folder}/Cargo.toml");
            match tree.file(&path) {
                Some(file) => manifest_findings(file, &package, &lints_of(tree, &package)),
                None => vec![Finding::about(&path, "there is no such file", WHY_LINTED)],
            }
        })
        .collect()
}

/// Lint thresholds and levels of the workspace that are not the house's.
pub fn lint_thresholds(tree: &SourceTree) -> Vec<Finding> {
    let expected = [
        (
            "clippy.toml",
            "too-many-lines-threshold",
            Value::Integer(70),
        ),
        (
            "clippy.toml",
            "too-many-arguments-threshold",
            Value::Integer(5),
        ),
        ("clippy.toml", "max-fn-params-bools", Value::Integer(0)),
        ("rustfmt.toml", "max_width", Value::Integer(100)),
        (
            "Cargo.toml",
            "workspace.lints.rust.unsafe_code",
            Value::String("forbid".into()),
        ),
        (
            "Cargo.toml",
            "workspace.lints.rust.missing_docs",
            Value::String("warn".into()),
        ),
        (
            "Cargo.toml",
            "workspace.lints.clippy.too_many_lines",
            Value::String("warn".into()),
        ),
        (
            "Cargo.toml",
            "workspace.lints.clippy.unwrap_used",
            Value::String("warn".into()),
        ),
    ];
    let wrong = expected.into_iter().filter_map(|(path, key, expected)| {
        let table = tree.file(path).map(table_of).unwrap_or_default();
        let actual = value_at(&table, key).cloned();
        if actual.as_ref() == Some(&expected) {
            return None;
        }
        let what = format!("expected {key} = {expected}, got {actual:?}");
        Some(Finding::about(path, what, WHY_THRESHOLDS))
    });
    wrong.collect()
}

/// Licence files that are absent or empty.
pub fn licences(tree: &SourceTree) -> Vec<Finding> {
    let licences = [
        ("LICENSE-MIT", "MIT License"),
        ("LICENSE-APACHE", "Apache License"),
    ];
    let absent = licences.into_iter().filter(|(path, title)| {
        !tree
            .file(path)
            .is_some_and(|file| file.text.contains(title))
    });
    absent
        .map(|(path, title)| Finding::about(path, format!("expected the {title}"), WHY_LICENSED))
        .collect()
}

/// Code that lints let be unsafe, elsewhere than where it may be.
pub fn unsafe_code(tree: &SourceTree) -> Vec<Finding> {
    let files = tree.files.iter();
    let rust = files.filter(|file| file.has_extension("rs") && file.path.starts_with("crates/"));
    let elsewhere = rust.filter(|file| !UNSAFE.iter().any(|(_, path)| *path == file.path));
    elsewhere
        .flat_map(|file| {
            let lines = file.numbered_lines();
            let allowing = lines.filter(|(_, line)| line.contains("unsafe_code"));
            allowing.map(|(line, _)| {
                Finding::at(&file.path, line, "`unsafe_code` is let through", WHY_SAFE)
            })
        })
        .collect()
}

/// What a package says of lints: that they are the workspace's, or the same but for `unsafe`.
fn lints_of(tree: &SourceTree, package: &str) -> Value {
    let room = package.strip_prefix("sedge-").unwrap_or(package);
    let mut lints = Table::new();
    if UNSAFE.iter().any(|(name, _)| *name == room) {
        let workspace = tree.file("Cargo.toml").map(table_of).unwrap_or_default();
        if let Some(Value::Table(all)) = value_at(&workspace, "workspace.lints") {
            lints.clone_from(all);
        }
        if let Some(Value::Table(rust)) = lints.get_mut("rust") {
            rust.insert("unsafe_code".into(), Value::String("deny".into()));
        }
    } else {
        lints.insert("workspace".into(), Value::Boolean(true));
    }
    Value::Table(lints)
}

/// The package of a folder in `crates/`: the binary carries the project's own name.
fn package_name(room: &str) -> String {
    if room == "cli" {
        "sedge".to_owned()
    } else {
        format!("sedge-{room}")
    }
}

fn manifest_findings(file: &SourceFile, package: &str, lints: &Value) -> Vec<Finding> {
    let table = table_of(file);
    let expected = [
        (
            "package.name",
            Value::String(package.to_owned()),
            WHY_CALLED,
        ),
        ("lints", lints.clone(), WHY_LINTED),
        (
            "package.license.workspace",
            Value::Boolean(true),
            WHY_LICENSED,
        ),
    ];
    let wrong = expected
        .into_iter()
        .filter(|(key, value, _)| value_at(&table, key) != Some(value));
    wrong
        .map(|(key, value, why)| {
            Finding::about(&file.path, format!("expected {key} = {value}"), why)
        })
        .collect()
}

fn table_of(file: &SourceFile) -> Table {
    toml::from_str(&file.text).unwrap_or_default()
}

fn value_at<'a>(table: &'a Table, dotted_key: &str) -> Option<&'a Value> {
    let mut keys = dotted_key.split('.');
    let first = table.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))
}
