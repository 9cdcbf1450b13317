//! Names that say nothing.

use crate::{Finding, SourceFile};

/// Banned wherever they are a word of a name.
const BANNED_WORDS: [&str; 9] = [
    "util", "utils", "helper", "helpers", "misc", "manager", "managers", "handler", "handlers",
];
/// Banned only as the whole name: `base_link` and `common_factor` mean something.
const BANNED_NAMES: [&str; 2] = ["common", "base"];
const DECLARATIONS: [&str; 6] = ["mod", "struct", "enum", "trait", "type", "union"];

const WHY_NAMED: &str = "such a name says nothing: name the thing inside";
const WHY_NO_MOD: &str = "an editor full of tabs called mod.rs tells nobody anything: foo.rs, foo/";

/// Files, folders, modules and types called util, helper, common, misc, base, manager, handler.
pub fn banned_names(file: &SourceFile) -> Vec<Finding> {
    let components = file
        .path
        .split('/')
        .map(|part| part.split('.').next().unwrap_or(part));
    let bad_component = components.filter(|name| is_banned(name));
    let mut findings: Vec<Finding> = bad_component
        .map(|name| Finding::about(&file.path, format!("a file or folder `{name}`"), WHY_NAMED))
        .collect();
    if file.has_extension("rs") {
        let declared = file
            .numbered_lines()
            .filter_map(|(number, line)| declared_name(line).map(|name| (number, name)));
        findings.extend(
            declared
                .filter(|(_, name)| is_banned(name))
                .map(|(number, name)| {
                    Finding::at(
                        &file.path,
                        number,
                        format!("a module or type `{name}`"),
                        WHY_NAMED,
                    )
                }),
        );
    }
    findings
}

/// Files called `mod.rs`.
pub fn mod_files(file: &SourceFile) -> Vec<Finding> {
    let is_mod = file.path.rsplit('/').next() == Some("mod.rs");
    let finding = is_mod.then(|| Finding::about(&file.path, "a mod.rs", WHY_NO_MOD));
    finding.into_iter().collect()
}

/// The name that a line declares, if it declares a module or a type.
fn declared_name(line: &str) -> Option<&str> {
    let mut words = line
        .split_whitespace()
        .skip_while(|word| word.starts_with("pub"));
    words.next().filter(|word| DECLARATIONS.contains(word))?;
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    words
        .next()?
        .split(|c| !is_part(c))
        .next()
        .filter(|name| !name.is_empty())
}

fn is_banned(name: &str) -> bool {
    let words = words_of(name);
    BANNED_NAMES.contains(&words.join("_").as_str())
        || words
            .iter()
            .any(|word| BANNED_WORDS.contains(&word.as_str()))
}

/// The words of `snake_case`, `kebab-case` and `CamelCase`, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' && c != '-' {
            let word = words.last_mut().expect("there is always a word");
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
