//! Data files that a person writes must at least parse.

use crate::{Finding, SourceFile};

const WHY_TOML: &str = "launch and scenario files are read by people and by `sedge`";
const WHY_JSON: &str = "schemas are the contract with programs that are not ours";

/// TOML files that do not parse.
pub fn toml_parses(file: &SourceFile) -> Vec<Finding> {
    if !file.has_extension("toml") {
        return Vec::new();
    }
    let error = toml::from_str::<toml::Table>(&file.text).err();
    let finding = error.map(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = file.text[..start].matches('\n').count() + 1;
        Finding::at(&file.path, line, error.message().to_owned(), WHY_TOML)
    });
    finding.into_iter().collect()
}

/// JSON files in `schemas/` that do not parse.
pub fn json_parses(file: &SourceFile) -> Vec<Finding> {
    if !file.path.starts_with("schemas/") || !file.has_extension("json") {
        return Vec::new();
    }
    let error = serde_json::from_str::<serde_json::Value>(&file.text).err();
    let finding =
        error.map(|error| Finding::at(&file.path, error.line(), error.to_string(), WHY_JSON));
    finding.into_iter().collect()
}
